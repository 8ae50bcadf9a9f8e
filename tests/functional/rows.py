"""One valid row of every table, for tests that go through all of them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from app import models
from app.db import Model, db
from tests import factories as make


def added(row: Model) -> Model:
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


ONE_OF: dict[str, Callable[[], Model]] = {
    "access_log": access_log,
    "api_key": make.ApiKeyFactory,
    "attribute": make.AttributeFactory,
    "bill_of_materials": make.BillOfMaterialsFactory,
    "bundle": make.BundleFactory,
    "certificate": make.CertificateFactory,
    "certificate_kind": make.CertificateKindFactory,
    "contract": make.ContractFactory,
    "conversion_input": lambda: make.ConversionFactory().inputs[0],
    "corridor": make.CorridorFactory,
    "event": make.EventFactory,
    "firm": make.FirmFactory,
    "firm_exclusion": lambda: added(
        models.FirmExclusion(firm_id=make.FirmFactory().id, excluded_firm_id=make.FirmFactory().id)
    ),
    "freight": make.FreightFactory,
    "grade": make.GradeFactory,
    "grade_specification": grade_specification,
    "idempotency_key": lambda: added(models.IdempotencyKey(principal="user:1", key="k", request_hash="h")),
    "index_price": make.IndexPriceFactory,
    "market_index": make.MarketIndexFactory,
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
    "outbox": lambda: added(models.Outbox(topic="mail", key="k", payload={})),
    "product": make.ProductFactory,
    "proposal": make.ProposalFactory,
    "region": make.RegionFactory,
    "reservation": make.ReservationFactory,
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
    "user_account": make.UserFactory,
}
