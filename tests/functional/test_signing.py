"""Signing: the printed contract, both signatures, every way in which one is refused, and what comes into force."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.auth.principal import of_user
from app.config import Config, ConfigError
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.errors import Conflict, Forbidden, NotFound
from app.jobs.effects import advance_contracts
from app.models import (
    Contract,
    ContractDocument,
    ContractVersion,
    DocumentSignature,
    OfferApprovedSupplier,
    OfferCertificate,
    OfferPeriod,
    Outbox,
    SigningMethod,
    SubjectKind,
    SupplierApproval,
    User,
)
from app.operations import documents, effect, lapses, signing
from app.operations.contract_terms import frozen_terms
from app.operations.signing import CertificateFile, SignedElsewhere
from app.operations.signing_flaws import Flaw, NotSignable, SignatureRefused
from app.transaction import Application
from app.trust import demo_archive, trusted_roots
from contracts.document import seal_of
from contracts.signing import Side, sign, verify_signed
from contracts.signing_demo import demo_authority, demo_key
from contracts.state import Guard
from tests import factories as make

from .night_market import body, standing_application
from .refusals import violates
from .signed_market import (
    DAY,
    NOON,
    PASSPHRASE,
    ROOTS,
    authority,
    contract_to_sign,
    document,
    effective_contract,
    elsewhere,
    given,
    key,
    sign_for,
    trader,
)
from .web_market import at_noon, moves_of

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]


@pytest.fixture
def contract(session: Session) -> Contract:
    return contract_to_sign()


def prepared(contract: Contract) -> bytes:
    documents.prepare(db.session(), principal=trader(contract.seller), contract_id=contract.id, now=NOON)
    return document(contract)


def test_a_contract_has_its_first_version_from_the_start(contract: Contract) -> None:
    (version,) = db.session.scalars(sa.select(ContractVersion).where(ContractVersion.contract_id == contract.id))
    assert (version.number, version.in_force_from) == (1, contract.effective_from)
    assert (version.terms, version.terms_hash) == (contract.terms, contract.terms_hash)


def test_the_document_is_printed_once_and_kept(contract: Contract) -> None:
    first = prepared(contract)
    assert prepared(contract) == first
    (kept,) = db.session.scalars(sa.select(ContractDocument))
    assert kept.seal == seal_of(first)
    assert kept.sha256 == hashlib.sha256(first).hexdigest()
    assert kept.terms_hash == contract.terms_hash
    found = verify_signed(first, roots=(), now=NOON, stored=frozen_terms(contract.terms), seal=kept.seal)
    assert found.checked.findings == ()


def test_a_job_prints_what_waits_for_signatures(contract: Contract) -> None:
    assert documents.prepare_due(db.session(), now=NOON) == 1
    assert documents.prepare_due(db.session(), now=NOON) == 0
    assert document(contract)


def test_both_sign_here_and_the_bundle_takes_effect(contract: Contract) -> None:
    assert sign_for(contract, "seller").state == "signing"
    first = document(contract)
    assert sign_for(contract, "buyer").state == "signed"
    second = document(contract)
    assert second.startswith(first)
    signed = verify_signed(second, roots=ROOTS, now=NOON, stored=frozen_terms(contract.terms))
    assert signed.signed_by_both
    rows = db.session.scalars(sa.select(DocumentSignature).order_by(DocumentSignature.position)).all()
    assert [(one.position, one.side, one.method) for one in rows] == [
        (1, "seller", SigningMethod.CERTIFICATE_FILE),
        (2, "buyer", SigningMethod.CERTIFICATE_FILE),
    ]
    assert {one.terms_hash for one in rows} == {contract.terms_hash}
    assert [one.certificate for one in rows] == [one.certificate for one in signed.signatures]
    assert [one.sha256 for one in rows] == [hashlib.sha256(pdf).hexdigest() for pdf in (first, second)]
    bundle = contract.proposal.bundle_id
    assert effect.due_bundles(db.session(), now=NOON) == [bundle]
    assert effect.take_effect(db.session(), bundle_id=bundle, now=NOON) == 1
    assert effect.take_effect(db.session(), bundle_id=bundle, now=NOON) == 0
    assert contract.state == "effective"
    assert moves_of(SubjectKind.CONTRACT) == ["contract.sign", "contract.sign", "contract.take_effect"]
    topics = db.session.scalars(sa.select(Outbox.topic).order_by(Outbox.id)).all()
    assert topics == ["contract.signing", "contract.signed", "contract.effective"]


def test_neither_key_nor_passphrase_is_kept(contract: Contract, capfd: pytest.CaptureFixture[str]) -> None:
    sign_for(contract, "seller")
    for table in (DocumentSignature, ContractDocument):
        for row in db.session.scalars(sa.select(table)):
            for value in vars(row).values():
                assert PASSPHRASE not in (value if isinstance(value, bytes) else str(value).encode())
    assert PASSPHRASE.decode() not in repr(given(contract, "seller"))
    assert PASSPHRASE.decode() not in "".join(capfd.readouterr())


def test_signed_elsewhere_it_is_taken_after_the_bytes_were_compared(contract: Contract) -> None:
    pdf = prepared(contract)
    assert sign_for(contract, "buyer", elsewhere(contract, "buyer", pdf)).state == "signing"
    assert sign_for(contract, "seller", elsewhere(contract, "seller", document(contract))).state == "signed"
    assert {one.method for one in db.session.scalars(sa.select(DocumentSignature))} == {SigningMethod.EXTERNAL}


def test_who_was_slower_is_told_and_nothing_is_lost(contract: Contract) -> None:
    pdf = prepared(contract)
    slower = elsewhere(contract, "buyer", pdf)
    sign_for(contract, "seller")
    after_first = document(contract)
    with pytest.raises(NotSignable) as refused:
        sign_for(contract, "buyer", slower)
    assert refused.value.flaw is Flaw.OTHER_SIDE_MEANWHILE
    assert "对方已先行签署" in refused.value.text.zh
    assert document(contract) == after_first
    assert sign_for(contract, "buyer", elsewhere(contract, "buyer", after_first)).state == "signed"


def forged_price(pdf: bytes) -> bytes:
    at = pdf.index(b"/TermsSHA256")
    return pdf[: at + 20] + bytes([pdf[at + 20] ^ 1]) + pdf[at + 21 :]


REFUSALS: dict[str, tuple[Flaw, Callable[[Contract, bytes], signing.Given]]] = {
    "nothing new": (Flaw.NO_SIGNATURE, lambda _, pdf: SignedElsewhere(content=pdf)),
    "no pdf": (Flaw.NOT_THE_DOCUMENT, lambda *_: SignedElsewhere(content=b"%PDF-1.7 nothing")),
    "empty": (Flaw.NOT_THE_DOCUMENT, lambda *_: SignedElsewhere(content=b"")),
    "another document": (
        Flaw.NOT_THE_DOCUMENT,
        lambda *_: elsewhere(other := contract_to_sign(), "seller", prepared(other)),
    ),
    "a byte was changed before signing": (
        Flaw.NOT_THE_DOCUMENT,
        lambda c, pdf: SignedElsewhere(content=forged_price(elsewhere(c, "seller", pdf).content)),
    ),
    "in the other side's field": (Flaw.OTHER_FIELD, lambda c, pdf: elsewhere(c, "buyer", pdf)),
    "bytes after the signature": (
        Flaw.MORE_ADDED,
        lambda c, pdf: SignedElsewhere(content=elsewhere(c, "seller", pdf).content + b"\n% more"),
    ),
    "both fields at once": (
        Flaw.MORE_ADDED,
        lambda c, pdf: elsewhere(c, "buyer", elsewhere(c, "seller", pdf).content),
    ),
    "the signature's own bytes": (
        Flaw.BROKEN,
        lambda c, pdf: SignedElsewhere(content=broken(elsewhere(c, "seller", pdf).content, len(pdf))),
    ),
    "half of the signature": (
        Flaw.BROKEN,
        lambda c, pdf: SignedElsewhere(content=elsewhere(c, "seller", pdf).content[:-2000]),
    ),
    "a root nobody trusts": (
        Flaw.NOT_TRUSTED,
        lambda c, pdf: SignedElsewhere(content=sign(pdf, Side.SELLER, stranger(c), PASSPHRASE, now=NOON)),
    ),
    "the other party's key": (
        Flaw.OTHER_PARTY,
        lambda c, _: CertificateFile(
            archive=key(frozen_terms(c.terms).buyer), passphrase=PASSPHRASE, terms_hash=c.terms_hash
        ),
    ),
    "a wrong passphrase": (
        Flaw.BAD_ARCHIVE,
        lambda c, _: CertificateFile(
            archive=key(frozen_terms(c.terms).seller), passphrase=b"guess", terms_hash=c.terms_hash
        ),
    ),
    "no archive": (
        Flaw.BAD_ARCHIVE,
        lambda c, _: CertificateFile(archive=b"no key", passphrase=b"", terms_hash=c.terms_hash),
    ),
    "too large": (Flaw.TOO_LARGE, lambda _, pdf: SignedElsewhere(content=pdf + b" " * signing.LARGEST_DOCUMENT)),
}


def broken(signed: bytes, length: int) -> bytes:
    """The time that the signature's dictionary tells is another year's: one digit after the sealed part."""
    at = signed.index(b"20261120", length) + 3
    return signed[:at] + b"7" + signed[at + 1 :]


def stranger(contract: Contract) -> bytes:
    party = frozen_terms(contract.terms).seller
    return demo_key(demo_authority(now=NOON), party, PASSPHRASE, now=NOON)


@pytest.mark.parametrize("case", REFUSALS)
def test_a_signature_that_is_no_good_is_not_taken(contract: Contract, case: str) -> None:
    flaw, make_given = REFUSALS[case]
    pdf = prepared(contract)
    with pytest.raises(SignatureRefused) as refused:
        sign_for(contract, "seller", make_given(contract, pdf))
    assert refused.value.flaw is flaw, str(refused.value)
    assert refused.value.text.zh != refused.value.text.en
    assert (contract.state, document(contract)) == ("agreed", pdf)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(DocumentSignature)) == 0


def test_a_changed_page_is_named(contract: Contract) -> None:
    pdf = prepared(contract)
    with pytest.raises(SignatureRefused) as refused:
        sign_for(contract, "seller", SignedElsewhere(content=forged_price(pdf)))
    assert any("terms.json" in str(one) for one in refused.value.further)


def test_other_terms_are_not_signed(contract: Contract) -> None:
    with pytest.raises(Conflict, match="signed_version_hash"):
        sign_for(contract, "seller", given(contract, "seller", "0" * 64))


def test_a_side_signs_once(contract: Contract) -> None:
    sign_for(contract, "seller")
    with pytest.raises(NotSignable) as refused:
        sign_for(contract, "seller")
    assert refused.value.flaw is Flaw.SIGNED_BEFORE


@pytest.mark.parametrize(
    "state", ["signed", "effective", "suspended", "fulfilled", "terminated", "lapsed", "cancelled"]
)
def test_in_other_states_nobody_signs(contract: Contract, state: str) -> None:
    db.session.execute(sa.text("ALTER TABLE contract DISABLE TRIGGER contract_signed_by_both"))
    contract.state = state
    db.session.flush()
    with pytest.raises(Conflict, match=state):
        sign_for(contract, "seller")


def test_after_the_deadline_nobody_signs(contract: Contract) -> None:
    last = signing.deadline(contract)
    assert last == NOON + 14 * DAY
    sign_for(contract, "seller", now=last - dt.timedelta(seconds=1))
    with pytest.raises(NotSignable) as refused:
        sign_for(contract, "buyer", now=last)
    assert refused.value.flaw is Flaw.TOO_LATE


def test_without_trusted_roots_nobody_signs(contract: Contract) -> None:
    with pytest.raises(NotSignable) as refused:
        signing.sign(
            db.session(),
            principal=trader(contract.seller),
            contract_id=contract.id,
            given=given(contract, "seller"),
            roots=(),
            now=NOON,
        )
    assert refused.value.flaw is Flaw.NO_ROOTS


def test_strangers_find_no_contract_and_overseers_do_not_sign(contract: Contract) -> None:
    for user, error in ((make.UserFactory(), NotFound), (make.StaffFactory(), Forbidden)):
        with pytest.raises(error):
            signing.sign(
                db.session(),
                principal=of_user(user),
                contract_id=contract.id,
                given=given(contract, "seller"),
                roots=ROOTS,
                now=NOON,
            )


# What the database refuses by itself.


def test_documents_versions_and_signatures_are_kept(contract: Contract) -> None:
    sign_for(contract, "seller")
    for table in ("contract_version", "contract_document", "document_signature"):
        rows = sa.table(table, sa.column("terms_hash"))
        for statement in (sa.update(rows).values(terms_hash="0" * 64), sa.delete(rows)):
            with violates(f"{table}_append_only"), db.session.begin_nested():
                db.session.execute(statement)


def test_a_contract_is_not_signed_without_both_signatures(contract: Contract) -> None:
    sign_for(contract, "seller")
    contract.state = "signed"
    with violates("contract_signed_by_both"):
        db.session.flush()


def test_a_second_signature_stands_on_the_first(contract: Contract) -> None:
    sign_for(contract, "seller")
    (first,) = db.session.scalars(sa.select(DocumentSignature))
    pdf = first.document.content
    second = {
        **{name: getattr(first, name) for name in ("document_id", "terms_hash", "signer", "certificate", "user_id")},
        "side": "buyer",
        "method": SigningMethod.EXTERNAL,
    }

    def row(position: int, content: bytes) -> DocumentSignature:
        return DocumentSignature(
            **second, position=position, content=content, sha256=hashlib.sha256(content).hexdigest()
        )

    with violates("ck_document_signature_on_first"), db.session.begin_nested():
        db.session.add(row(2, pdf + b"other"))
        db.session.flush()
    with violates("pk_document_signature"), db.session.begin_nested():
        db.session.execute(sa.insert(DocumentSignature).values(_values(row(1, pdf + b"other"))))


def _values(row: DocumentSignature) -> dict[str, object]:
    names = DocumentSignature.__table__.columns.keys()
    return {name: getattr(row, name) for name in names if getattr(row, name) is not None}


def test_a_document_says_the_terms_of_its_version(contract: Contract) -> None:
    with violates("ck_contract_document_of_version"):
        db.session.execute(
            sa.insert(ContractDocument).values(
                contract_id=contract.id,
                number=1,
                terms_hash="0" * 64,
                seal="0" * 64,
                sha256=hashlib.sha256(b"x").hexdigest(),
                content=b"x",
            )
        )


# Taking effect.


def test_a_bundle_waits_until_all_have_signed(session: Session) -> None:
    first = contract_to_sign()
    proposal = make.AgreedProposalFactory(
        run=first.proposal.run,
        bundle=first.proposal.bundle,
        sell_offer=make.OfferFactory(round=first.proposal.run.round),
    )
    for side in ("seller", "buyer"):
        sign_for(first, side)
    assert effect.missing(session, contract=first, now=NOON) == (Guard.BUNDLE_COMPLETE,)
    assert effect.take_effect(session, bundle_id=proposal.bundle_id, now=NOON) == 0
    assert first.state == "signed"


def test_certificates_the_buyer_asks_for_are_valid_at_the_start(contract: Contract, session: Session) -> None:
    kind = make.CertificateKindFactory()
    contract.proposal.buy_offer.certificates = [OfferCertificate(kind_code=kind.code)]
    session.flush()
    for side in ("seller", "buyer"):
        sign_for(contract, side)
    assert effect.missing(session, contract=contract, now=NOON) == (Guard.CERTIFICATES_VALID,)
    held = make.CertificateFactory(firm=contract.seller, kind=kind, valid_to=contract.effective_from - DAY)
    assert effect.missing(session, contract=contract, now=NOON) == (Guard.CERTIFICATES_VALID,)
    held.valid_to = contract.effective_from
    session.flush()
    assert effect.missing(session, contract=contract, now=NOON) == ()
    held.suspended = True
    session.flush()
    assert effect.missing(session, contract=contract, now=NOON) == (Guard.CERTIFICATES_VALID,)


def test_a_buyer_takes_from_whom_it_has_qualified(contract: Contract, session: Session) -> None:
    for side in ("seller", "buyer"):
        sign_for(contract, side)
    contract.proposal.buy_offer.approved_suppliers = [OfferApprovedSupplier(firm_id=make.FirmFactory().id)]
    session.flush()
    assert effect.missing(session, contract=contract, now=NOON) == (Guard.PRODUCT_QUALIFIED,)
    contract.proposal.buy_offer.approved_suppliers.append(OfferApprovedSupplier(firm_id=contract.seller_firm_id))
    session.flush()
    assert effect.missing(session, contract=contract, now=NOON) == ()


def test_a_firms_list_of_suppliers_for_the_product_counts_too(contract: Contract, session: Session) -> None:
    for side in ("seller", "buyer"):
        sign_for(contract, side)
    proposal = contract.proposal
    key_ = {
        "round_id": proposal.round_id,
        "product_code": proposal.product_code,
        "buyer_firm_id": proposal.buyer_firm_id,
    }
    other = SupplierApproval(**key_, supplier_firm_id=make.FirmFactory().id)
    session.add(other)
    session.flush()
    assert effect.missing(session, contract=contract, now=NOON) == (Guard.PRODUCT_QUALIFIED,)
    session.add(SupplierApproval(**key_, supplier_firm_id=contract.seller_firm_id))
    session.flush()
    assert effect.missing(session, contract=contract, now=NOON) == ()


def test_after_its_first_day_a_contract_does_not_take_effect(contract: Contract, session: Session) -> None:
    for side in ("seller", "buyer"):
        sign_for(contract, side)
    evening = dt.datetime(2027, 1, 1, 15, 59, tzinfo=dt.UTC)  # a minute to midnight in Shanghai
    assert effect.missing(session, contract=contract, now=evening) == ()
    assert effect.missing(session, contract=contract, now=evening + dt.timedelta(minutes=1)) == (Guard.START_NOT_PAST,)


# Not taking effect.


def held(contract: Contract) -> int:
    query = sa.select(sa.func.sum(OfferPeriod.reserved)).where(
        OfferPeriod.offer_id.in_([contract.proposal.sell_offer_id, contract.proposal.buy_offer_id])
    )
    return int(db.session.scalar(query) or 0)


@pytest.mark.parametrize("signed", [(), ("seller",)], ids=["agreed", "signing"])
def test_what_is_not_signed_in_time_lapses(contract: Contract, session: Session, signed: tuple[str, ...]) -> None:
    for side in signed:
        sign_for(contract, side)
    last, bundle = signing.deadline(contract), contract.proposal.bundle_id
    early = last - dt.timedelta(seconds=1)
    assert (lapses.due_bundles(session, now=early), lapses.lapse(session, bundle_id=bundle, now=early)) == ([], 0)
    assert held(contract) == 160
    assert lapses.due_bundles(session, now=last) == [bundle]
    assert lapses.lapse(session, bundle_id=bundle, now=last) == 1
    assert lapses.lapse(session, bundle_id=bundle, now=last) == 0
    assert (contract.state, held(contract)) == ("lapsed", 0)
    told = session.scalars(sa.select(Outbox.topic).order_by(Outbox.id.desc())).first()
    assert told == "contract.lapsed"


def test_what_is_signed_and_not_in_force_by_its_first_day_lapses(contract: Contract, session: Session) -> None:
    for side in ("seller", "buyer"):
        sign_for(contract, side)
    evening = dt.datetime(2027, 1, 1, 15, 59, tzinfo=dt.UTC)
    assert lapses.due_bundles(session, now=evening) == []
    bundle = contract.proposal.bundle_id
    assert lapses.due_bundles(session, now=evening + dt.timedelta(minutes=1)) == [bundle]
    assert lapses.lapse(session, bundle_id=bundle, now=evening + dt.timedelta(minutes=1)) == 1
    assert contract.state == "lapsed"


def test_a_bundle_lapses_as_one(contract: Contract, session: Session) -> None:
    """The other member has all its signatures and falls all the same, before both sides' volume is for sale again."""
    proposal = make.AgreedProposalFactory(
        run=contract.proposal.run,
        bundle=contract.proposal.bundle,
        sell_offer=make.OfferFactory(round=contract.proposal.run.round),
    )
    other = make.ContractFactory(proposal=proposal, created_at=NOON)
    for side in ("seller", "buyer"):
        sign_for(contract, side)
    session.execute(sa.text("ALTER TABLE contract DISABLE TRIGGER contract_frozen"))
    other.terms, other.terms_hash = contract.terms, contract.terms_hash
    session.flush()
    assert lapses.lapse(session, bundle_id=proposal.bundle_id, now=signing.deadline(other)) == 2
    assert (contract.state, other.state, held(contract)) == ("cancelled", "lapsed", 0)


def test_contracts_in_force_do_not_lapse(session: Session) -> None:
    contract = effective_contract()
    late = NOON + 400 * DAY
    assert lapses.due_bundles(session, now=late) == []
    assert lapses.lapse(session, bundle_id=contract.proposal.bundle_id, now=late) == 0


# Settings.


def test_trusted_roots_come_from_the_file_of_the_settings(tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    with pytest.raises(ConfigError, match="CHANGDAN_SIGNING_ROOTS"):
        Config.from_environment({"CHANGDAN_SIGNING_ROOTS": str(roots)})
    roots.write_bytes(authority().root)
    config = Config.from_environment({"CHANGDAN_SIGNING_ROOTS": str(roots)})
    assert trusted_roots(config, now=NOON) == (authority().root,)
    assert trusted_roots(Config(), now=NOON) == ()


def test_keys_of_the_demonstration_only_where_the_settings_say_so(contract: Contract, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="DEMO_SIGNING"):
        Config.from_environment(
            {"CHANGDAN_DEMO_SIGNING": "1", "CHANGDAN_ENV": "production", "CHANGDAN_SECRET_KEY": "s" * 40}
        )
    party = frozen_terms(contract.terms).seller
    with pytest.raises(LookupError):
        demo_archive(Config(data=tmp_path), party, PASSPHRASE, now=NOON)
    assert not list(tmp_path.iterdir())
    config = Config(data=tmp_path, demo_signing=True)
    archive = demo_archive(config, party, PASSPHRASE, now=NOON)
    given_ = CertificateFile(archive=archive, passphrase=PASSPHRASE, terms_hash=contract.terms_hash)
    roots = trusted_roots(config, now=NOON + DAY)  # the same authority a day later, as another process finds it
    (kept,) = tmp_path.iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    signed = signing.sign(
        db.session(), principal=trader(contract.seller), contract_id=contract.id, given=given_, roots=roots, now=NOON
    )
    assert signed.state == "signing"


# Two at once, and the same by API and on the page.


def test_two_sign_at_once_and_nothing_is_lost(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> None:
    with standing_application(app, postgres, worker_name) as standing:
        contract = contract_to_sign()
        documents.prepare(db.session(), principal=trader(contract.seller), contract_id=contract.id, now=NOON)
        keys = {side: (trader(getattr(contract, side)), given(contract, side)) for side in ("seller", "buyer")}
        number = contract.id
        db.session.commit()
        start = threading.Barrier(2)
        states: list[str] = []

        def sign_one(side: str) -> None:
            with standing.app_context():
                principal, key_ = keys[side]
                start.wait()
                signed = signing.sign(
                    db.session(), principal=principal, contract_id=number, given=key_, roots=ROOTS, now=NOON
                )
                states.append(signed.state)
                db.session.commit()

        threads = [threading.Thread(target=sign_one, args=(side,)) for side in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(states) == ["signed", "signing"]
        found = db.session.get_one(Contract, number, populate_existing=True)
        assert found.state == "signed"
        assert verify_signed(document(found), roots=ROOTS, now=NOON).signed_by_both


def test_two_upload_at_once_and_one_is_told(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> None:
    with standing_application(app, postgres, worker_name) as standing:
        contract = contract_to_sign()
        documents.prepare(db.session(), principal=trader(contract.seller), contract_id=contract.id, now=NOON)
        pdf, number = document(contract), contract.id
        sent = {side: (trader(getattr(contract, side)), elsewhere(contract, side, pdf)) for side in ("seller", "buyer")}
        db.session.commit()
        start = threading.Barrier(2)
        ends: list[str] = []

        def upload(side: str) -> None:
            with standing.app_context():
                principal, signed = sent[side]
                start.wait()
                try:
                    signing.sign(
                        db.session(), principal=principal, contract_id=number, given=signed, roots=ROOTS, now=NOON
                    )
                    db.session.commit()
                    ends.append("taken")
                except NotSignable as refusal:
                    ends.append(refusal.flaw)

        threads = [threading.Thread(target=upload, args=(side,)) for side in sent]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(ends) == [Flaw.OTHER_SIDE_MEANWHILE, "taken"]
        assert db.session.scalar(sa.select(sa.func.count()).select_from(DocumentSignature)) == 1


@pytest.fixture
def trusting(app: Application, tmp_path: Path) -> Iterator[None]:
    """The application trusts the tests' authority."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority().root)
    usual = app.config["CHANGDAN"]
    app.config["CHANGDAN"] = replace(usual, signing_roots=roots)
    yield
    app.config["CHANGDAN"] = usual


def fields(contract: Contract, side: str, **changes: object) -> dict[str, object]:
    """A signing form with the party's key."""
    archive = key(getattr(frozen_terms(contract.terms), side))
    return {
        "method": "certificate_file",
        "passphrase": PASSPHRASE.decode(),
        "terms_hash": contract.terms_hash,
        "file": (BytesIO(archive), "key.p12"),
    } | changes


@pytest.mark.usefixtures("trusting")
def test_signing_by_api(client_as: As, contract: Contract) -> None:
    seller, buyer = (client_as(make.UserFactory(firm=firm)) for firm in (contract.seller, contract.buyer))
    url = f"/api/v1/contracts/{contract.id}"
    assert seller.get(f"{url}/documents/1.pdf").status_code == 404
    printed = seller.post(f"{url}/documents")
    assert printed.status_code == 200, printed.text
    assert body(printed)["signatures"] == []
    assert body(seller.post(f"{url}/sign", data=fields(contract, "seller")))["state"] == "signing"
    again = seller.post(f"{url}/sign", data=fields(contract, "seller"))
    assert (again.status_code, again.mimetype) == (409, "application/problem+json")
    wrong = buyer.post(f"{url}/sign", data=fields(contract, "buyer", passphrase="guess"))
    assert wrong.status_code == 422
    assert PASSPHRASE.decode() not in wrong.text
    assert buyer.post(f"{url}/sign", data=fields(contract, "buyer", method="demo")).status_code == 404
    fetched = buyer.get(f"{url}/documents/1.pdf")
    assert fetched.headers["Content-Disposition"] == f"attachment; filename={contract.number}-v1.pdf"
    signed = elsewhere(contract, "buyer", fetched.data).content
    sent = {"method": "external", "file": (BytesIO(signed), "signed.pdf")}
    assert body(buyer.post(f"{url}/sign", data=sent))["state"] == "signed"
    (listed,) = body(client_as(make.RegulatorFactory()).get(f"{url}/documents"))["items"]
    assert [(one["side"], one["method"]) for one in listed["signatures"]] == [
        ("seller", "certificate_file"),
        ("buyer", "external"),
    ]
    for asker, status in ((make.UserFactory(), 404), (make.StaffFactory(), 403)):
        assert client_as(asker).post(f"{url}/sign", data=fields(contract, "seller")).status_code == status
    assert client_as(make.UserFactory()).get(f"{url}/documents/1.pdf").status_code == 404


@pytest.mark.usefixtures("trusting")
def test_signing_on_the_page(client_as: As, contract: Contract) -> None:
    seller, buyer = (client_as(make.UserFactory(firm=firm)) for firm in (contract.seller, contract.buyer))
    page = f"/contracts/{contract.id}"
    assert "The document has not been printed yet." in seller.get(page).text
    seller.post(f"{page}/document")
    assert "Nobody has signed yet." in buyer.get(page).text
    assert seller.get(f"{page}/documents/1.pdf").data.startswith(b"%PDF")
    refused = seller.post(f"{page}/sign", data=fields(contract, "seller", passphrase="guess"))
    assert refused.status_code == 303
    assert "The certificate file cannot be opened" in seller.get(page).text
    seller.post(f"{page}/sign", data=fields(contract, "seller"))
    told = seller.get(page).text
    assert "waits for the other side" in told
    assert 'name="passphrase"' not in told
    changed = forged_price(buyer.get(f"{page}/documents/1.pdf").data)
    buyer.post(f"{page}/sign", data={"method": "external", "file": (BytesIO(changed), "signed.pdf")})
    assert "The file is not the document on record" in buyer.get(page).text
    buyer.post(f"{page}/sign", data=fields(contract, "buyer"))
    assert "Both sides have signed." in buyer.get(page).text
    db.session.refresh(contract)
    assert contract.state == "signed"
    staff = client_as(make.StaffFactory())
    shown = staff.get(page).text
    assert frozen_terms(contract.terms).seller.name.zh in shown
    assert 'name="passphrase"' not in shown
    assert staff.post(f"{page}/sign", data=fields(contract, "seller")).status_code == 403
    assert client_as(make.UserFactory()).get(f"{page}/documents/1.pdf").status_code == 404


@pytest.mark.usefixtures("trusting")
def test_what_a_signed_contract_waits_for_is_shown(client_as: As, contract: Contract) -> None:
    contract.proposal.buy_offer.certificates = [OfferCertificate(kind_code=make.CertificateKindFactory().code)]
    for side in ("seller", "buyer"):
        sign_for(contract, side)
    page = client_as(make.UserFactory(firm=contract.buyer)).get(f"/contracts/{contract.id}").text
    assert "The seller lacks a valid certificate" in page


def test_in_a_demonstration_each_side_has_a_key(
    app: Application, client_as: As, contract: Contract, tmp_path: Path
) -> None:
    usual = app.config["CHANGDAN"]
    app.config["CHANGDAN"] = replace(usual, demo_signing=True, data=tmp_path)
    try:
        for firm in (contract.seller, contract.buyer):
            browser_ = client_as(make.UserFactory(firm=firm))
            assert "Sign with a key of the demonstration" in browser_.get(f"/contracts/{contract.id}").text
            browser_.post(f"/contracts/{contract.id}/sign", data={"method": "demo", "terms_hash": contract.terms_hash})
    finally:
        app.config["CHANGDAN"] = usual
    db.session.refresh(contract)
    assert contract.state == "signed"


def test_the_job_prints_brings_into_force_and_ends(
    app: Application, postgres: EmbeddedPostgres, worker_name: str
) -> None:
    with standing_application(app, postgres, worker_name):
        waiting, signed = contract_to_sign(), contract_to_sign()
        for side in ("seller", "buyer"):
            sign_for(signed, side)
        late = contract_to_sign(created_at=NOON - 14 * DAY)
        db.session.commit()
        assert advance_contracts(now=NOON) == {"printed": 2, "effective": 1, "lapsed": 1, "amendments_expired": 0}
        assert not any(advance_contracts(now=NOON).values())
        states = [db.session.get_one(Contract, one.id, populate_existing=True).state for one in (waiting, signed, late)]
        assert states == ["agreed", "effective", "lapsed"]
