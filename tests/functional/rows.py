"""One valid row of every table, for tests that go through all of them."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import sqlalchemy as sa

from app import models
from app.db import Model, db
from app.operations.quantities import write_limits
from tests import factories as make
from tests.functional import limit_rows, settlement_market
from tests.functional.delivery_market import ASSAY, supply

Row = TypeVar("Row", bound=Model)


def added(row: Row) -> Row:
    """A row that the database has accepted."""
    db.session.add(row)
    db.session.flush()
    return row


def grade_specification() -> Model:
    grade = make.GradeFactory()
    attribute = make.AttributeFactory(product=grade.product)
    return added(
        models.GradeSpecification(
            product_code=grade.product_code, grade_code=grade.code, attribute_code=attribute.code, value=Decimal("99.5")
        )
    )


def offer_specification() -> Model:
    offer = make.OfferFactory()
    attribute = make.AttributeFactory(product=offer.grade.product)
    return added(
        models.OfferSpecification(
            offer_id=offer.id,
            product_code=offer.product_code,
            attribute_code=attribute.code,
            value=Decimal("99.5"),
        )
    )


def round_window() -> Model:
    return added(models.RoundWindow(round_id=make.RoundFactory().id, first_period="2027-Q2", last_period="2027-Q4"))


def offer_import_row() -> Model:
    return added(
        models.OfferImportRow(
            import_id=make.OfferImportFactory().id,
            sheet="capacity",
            row=2,
            column="price",
            outcome=models.RowOutcome.REJECTED,
            found="-1",
            expected="a number of 0 or more",
        )
    )


def access_log() -> Model:
    return added(models.AccessLog(user_id=make.StaffFactory().id, object_kind="offer", object_id="x", path="/review"))


def shadow_price() -> Model:
    return added(
        models.ShadowPrice(
            run_id=make.RunFactory().id,
            subject_kind=models.ShadowPriceKind.HUB,
            subject="carbonate/battery/R1",
            period="2027-Q1",
            value=Decimal(74),
        )
    )


def outbox() -> models.Outbox:
    contract = make.ContractFactory()
    return added(
        models.Outbox(
            topic="contract.agreed",
            about_kind="contract",
            about_id=contract.id,
            firm_ids=[contract.seller_firm_id],
            payload={},
        )
    )


def notification() -> Model:
    return added(models.Notification(outbox_id=outbox().id, user_id=make.UserFactory().id))


def mail() -> Model:
    return added(
        models.Mail(
            outbox_id=outbox().id,
            user_id=make.UserFactory().id,
            address="someone@example.org",
            language=models.Language.ENGLISH,
            subject="The contract is made",
            body="CD-1",
            state=models.MailState.WAITING,
            due_at=make.NOON,
        )
    )


def webhook_endpoint() -> models.WebhookEndpoint:
    admin = make.UserFactory(role=models.UserRole.FIRM_ADMIN)
    return added(
        models.WebhookEndpoint(
            firm_id=admin.firm_id,
            url="https://erp.example.org/changdan",
            description="",
            topics=["contract.agreed"],
            secret="sealed",
            created_by_id=admin.id,
        )
    )


def webhook_message() -> models.WebhookMessage:
    return added(
        models.WebhookMessage(
            outbox_id=outbox().id,
            endpoint_id=webhook_endpoint().id,
            topic="contract.agreed",
            body="{}",
            due_at=make.NOON,
        )
    )


def proposal_version(**values: Any) -> models.ProposalVersion:
    """A counter-offer of the seller that waits for an answer."""
    counter = {
        "proposal_id": make.ProposalFactory(state="countered", countered_by="seller").id,
        "number": 2,
        "terms": {"rate": 9},
        "terms_hash": make.digest("counter"),
        "state": models.VersionState.OPEN,
        "proposed_by_side": models.Side.SELLER,
        "proposed_by_id": make.UserFactory().id,
        "created_at": make.NOON,
        "expires_at": make.NOON + dt.timedelta(days=3),
    }
    row = models.ProposalVersion(**counter | values)
    added(row)
    return row


def proposal_message(**values: Any) -> models.ProposalMessage:
    written = {
        "proposal_id": make.ProposalFactory().id,
        "number": 1,
        "side": models.Side.BUYER,
        "author_id": make.UserFactory().id,
        "body": "When can you deliver?",
    }
    row = models.ProposalMessage(**written | values)
    added(row)
    return row


def proposal_read() -> Model:
    message = proposal_message()
    return added(
        models.ProposalRead(proposal_id=message.proposal_id, side=models.Side.SELLER, read_until=message.number)
    )


def call_off_ledger() -> Model:
    contract, session = supply().contract, db.session()
    write_limits(session, contract=contract)
    return session.get_one(models.CallOffLedger, (contract.id, "2027-Q1"))


def consignment() -> Model:
    deal = supply()
    goods = deal.ship(deal.confirmed(), 10).consignment
    assert goods is not None
    return goods


def assay_result() -> Model:
    deal = supply(quality=(ASSAY,))
    goods = deal.assay(deal.received(), deal.sells, "99.5").consignment
    assert goods is not None
    return goods.assays[0]


def amendment(**values: Any) -> models.Amendment:
    """A draft of the seller's; with `proposed=True` one that waits for the buyer."""
    contract = make.ContractFactory()
    fields = {
        "contract_id": contract.id,
        "proposed_by": "seller",
        "number": 2,
        "reason_code": "schedule",
        "in_force_from": dt.date(2027, 4, 1),
        "terms": {"rate": 9},
        "terms_hash": make.digest("amended"),
    }
    return added(models.Amendment(**(fields | values)))


def pending_amendment() -> models.Amendment:
    return amendment(state="pending", proposed_at=make.NOON, expires_at=make.NOON + dt.timedelta(days=14))


def contract_version() -> Model:
    contract = make.ContractFactory()
    return db.session.get_one(models.ContractVersion, (contract.id, 1))


def contract_document(**values: Any) -> models.ContractDocument:
    """The document of an amendment, unless told another contract and number."""
    found = amendment()
    fields = {
        "contract_id": found.contract_id,
        "number": 2,
        "amendment_id": found.id,
        "terms_hash": found.terms_hash,
        "seal": make.digest("seal"),
        "sha256": make.digest("document"),
        "content": b"document",
    }
    return added(models.ContractDocument(**(fields | values)))


def document_signature() -> models.DocumentSignature:
    document = contract_document()
    return added(
        models.DocumentSignature(
            document_id=document.id,
            position=1,
            side="seller",
            terms_hash=document.terms_hash,
            method=models.SigningMethod.EXTERNAL,
            signer="Someone",
            certificate=make.digest("certificate"),
            user_id=make.UserFactory().id,
            sha256=make.digest("document, signed"),
            content=b"document, signed",
        )
    )


def claim() -> Model:
    return added(
        models.Claim(
            contract_id=make.ContractFactory(state="effective").id,
            claimant="buyer",
            kind="quality",
            breach_on=dt.date(2027, 2, 1),
            statement="Too wet",
            amount_claimed=Decimal(100),
            file_by=dt.date(2027, 4, 2),
        )
    )


def evidence() -> Model:
    content = b"%PDF-1.7"
    about = claim()
    assert isinstance(about, models.Claim)
    proof = {"filename": "proof.pdf", "kind": models.FileKind.PDF, "size": len(content), "content": content}
    sha256 = hashlib.sha256(content).hexdigest()
    return added(models.Evidence(claim_id=about.id, side="buyer", sha256=sha256, **proof))


def force_majeure() -> models.ForceMajeure:
    row = models.ForceMajeure(
        firm_id=make.ContractFactory(state="effective").seller_firm_id,
        description="Flood",
        began_on=dt.date(2027, 2, 1),
        affected=Decimal(1),
    )
    added(row)
    return row


def force_majeure_notice() -> models.ForceMajeureNotice:
    event = force_majeure()
    contract = db.session.scalars(sa.select(models.Contract).filter_by(seller_firm_id=event.firm_id)).one()
    told = {"in_time": True, "counts_from": event.began_on}
    row = models.ForceMajeureNotice(force_majeure_id=event.id, contract_id=contract.id, side="seller", **told)
    added(row)
    return row


def allocation() -> Model:
    product = make.ProductFactory().code
    return added(
        models.Allocation(force_majeure_id=force_majeure().id, product_code=product, period="2027-Q1", available=5)
    )


def suspension() -> Model:
    notice = force_majeure_notice()
    return added(
        models.Suspension(
            contract_id=notice.contract_id,
            reason_code="force_majeure",
            notice_id=notice.id,
            suspended_at=make.NOON,
        )
    )


def termination() -> Model:
    return added(
        models.Termination(
            contract_id=make.ContractFactory(state="effective").id,
            side="buyer",
            ground=models.TerminationGround.CONSENT,
            reason_code="mutual_agreement",
            statement="Let us part",
        )
    )


def returned_volume() -> Model:
    held = make.ReservationFactory()
    contract = make.ContractFactory()
    where = {"offer_id": held.offer_id, "period": held.period}
    return added(models.ReturnedVolume(contract_id=contract.id, lots=1, cause=models.ReturnCause.EXPIRED, **where))


def reopening() -> Model:
    return added(
        models.Reopening(
            contract_id=make.ContractFactory(state="effective").id,
            clause=0,
            triggered_on=dt.date(2027, 3, 31),
            talk_until=dt.date(2027, 5, 1),
            working={"steps": []},
        )
    )


def invoice() -> models.Invoice:
    """A provisional one, whose deferred rules have been checked."""
    contract = settlement_market.fixed()
    contract.ships(10)
    (row,) = contract.issue("2025-07-10").invoices
    db.session.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    return row


def payment() -> models.Payment:
    row = invoice()
    found = models.Payment(
        invoice_id=row.id,
        amount=Decimal(5),
        paid_on=row.issued_on,
        recorded_by="buyer",
        user_id=make.UserFactory(firm=row.contract.buyer).id,
    )
    added(found)
    return found


def year_statement() -> models.YearStatement:
    contract = settlement_market.fixed()
    contract.issue("2026-01-02")
    db.session.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    return db.session.scalars(sa.select(models.YearStatement)).one()


ONE_OF: dict[str, Callable[[], Model]] = {
    **limit_rows.ROWS,
    "access_log": access_log,
    "api_key": make.ApiKeyFactory,
    "assay_result": assay_result,
    "attribute": make.AttributeFactory,
    "bill_of_materials": make.BillOfMaterialsFactory,
    "bundle": make.BundleFactory,
    "call_off": lambda: supply().call(),
    "call_off_ledger": call_off_ledger,
    "certificate": make.CertificateFactory,
    "certificate_kind": make.CertificateKindFactory,
    "consignment": consignment,
    "amendment": amendment,
    "contract": make.ContractFactory,
    "contract_document": contract_document,
    "contract_version": contract_version,
    "document_signature": document_signature,
    "claim": claim,
    "conversion_input": lambda: make.ConversionFactory().inputs[0],
    "corridor": make.CorridorFactory,
    "event": make.EventFactory,
    "evidence": evidence,
    "excused_volume": lambda: added(
        models.ExcusedVolume(notice_id=force_majeure_notice().id, period="2027-Q1", promised=10, excused=4)
    ),
    "firm": make.FirmFactory,
    "firm_exclusion": lambda: added(
        models.FirmExclusion(firm_id=make.FirmFactory().id, excluded_firm_id=make.FirmFactory().id)
    ),
    "force_majeure": force_majeure,
    "forward_price": lambda: added(
        models.ForwardPrice(
            round_id=make.RoundFactory().id, index_code=make.MarketIndexFactory().code, period="2027-Q1", value=1
        )
    ),
    "reference_change": lambda: added(
        models.ReferenceChange(at=make.NOON, user_id=make.StaffFactory().id, table_name="t", row_key="k", after={})
    ),
    "saved_view": lambda: added(
        models.SavedView(
            user_id=make.StaffFactory().id, list_name=models.ListName.REVIEW, name="mine", arguments={"sort": "made"}
        )
    ),
    "force_majeure_allocation": allocation,
    "force_majeure_notice": force_majeure_notice,
    "freight": make.FreightFactory,
    "grade": make.GradeFactory,
    "grade_specification": grade_specification,
    "idempotency_key": lambda: added(models.IdempotencyKey(principal="user:1", key="k", request_hash="h")),
    "index_price": make.IndexPriceFactory,
    "mail": mail,
    "index_fixing": make.IndexFixingFactory,
    "invoice": invoice,
    "invoice_consignment": lambda: invoice().consignments[0],
    "invoice_line": lambda: invoice().lines[0],
    "market_index": make.MarketIndexFactory,
    "payment": payment,
    "year_statement": year_statement,
    "notification": notification,
    "notification_choice": lambda: added(
        models.NotificationChoice(user_id=make.UserFactory().id, topic="run.done", in_app=True, mail=False)
    ),
    "offer": lambda: make.OfferFactory(periods=[]),
    "offer_approved_supplier": lambda: added(
        models.OfferApprovedSupplier(offer_id=make.DemandFactory().id, firm_id=make.FirmFactory().id)
    ),
    "offer_certificate": lambda: added(
        models.OfferCertificate(offer_id=make.OfferFactory().id, kind_code=make.CertificateKindFactory().code)
    ),
    "offer_exclusion": lambda: added(
        models.OfferExclusion(offer_id=make.OfferFactory().id, firm_id=make.FirmFactory().id)
    ),
    "offer_import": make.OfferImportFactory,
    "offer_import_row": offer_import_row,
    "offer_period": lambda: make.OfferFactory().periods[0],
    "offer_revision": lambda: make.OfferFactory().revisions[0],
    "offer_specification": offer_specification,
    "outbox": outbox,
    "product": make.ProductFactory,
    "proposal": make.ProposalFactory,
    "proposal_message": proposal_message,
    "proposal_read": proposal_read,
    "proposal_version": proposal_version,
    "region": make.RegionFactory,
    "reopening": reopening,
    "reservation": make.ReservationFactory,
    "returned_volume": returned_volume,
    "review_decision": make.ReviewDecisionFactory,
    "round": make.RoundFactory,
    "round_invitation": lambda: added(
        models.RoundInvitation(round_id=make.RoundFactory().id, firm_id=make.FirmFactory().id)
    ),
    "round_period": lambda: make.RoundFactory().periods[0],
    "round_window": round_window,
    "run": make.RunFactory,
    "run_result": make.RunResultFactory,
    "shadow_price": shadow_price,
    "sign_in_event": lambda: added(
        models.SignInEvent(email="someone@example.org", outcome=models.SignInOutcome.UNKNOWN_EMAIL)
    ),
    "site": make.SiteFactory,
    "site_capability": make.SiteCapabilityFactory,
    "suspension": suspension,
    "termination": termination,
    "user_account": make.UserFactory,
    "webhook_attempt": lambda: added(
        models.WebhookAttempt(message_id=webhook_message().id, number=1, status=200, milliseconds=12)
    ),
    "webhook_endpoint": webhook_endpoint,
    "webhook_message": webhook_message,
}
