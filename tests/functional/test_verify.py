"""Verification: what is whole is called whole, every change is named, and who never had the document learns nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app import create_app
from app.contract_commands import verify_contract
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.models import Contract, ContractDocument, DocumentSignature, Outbox
from app.operations import documents, verification
from app.operations.contract_terms import frozen_terms
from app.operations.signing import LARGEST_DOCUMENT
from app.operations.verification import Verified
from app.transaction import Application
from contracts.document import SEAL, computed_seal, contract_pdf
from contracts.document_check import Damage
from contracts.document_parts import Occasion
from tests import factories as make

from .night_market import fresh_database, standing_application
from .signed_market import (
    NOON,
    ROOTS,
    authority,
    contract_to_sign,
    document,
    effective_contract,
    elsewhere,
    sign_for,
    trader,
    with_other_terms,
)
from .web_market import at_noon

# An upload that is refused while it is read leaves its temporary file to the collector, which the next test would hear.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

__all__ = ["at_noon"]


@pytest.fixture
def contract(session: Session) -> Contract:
    contract = contract_to_sign()
    for side in ("seller", "buyer"):
        sign_for(contract, side)
    return contract


def checked(content: bytes, roots: tuple[bytes, ...] = ROOTS) -> Verified:
    return verification.verify(db.session(), content=content, roots=roots, now=NOON)


def damages(found: Verified) -> set[Damage]:
    return {one.damage for one in found.findings}


def test_a_signed_contract_is_whole(contract: Contract) -> None:
    found = checked(document(contract))
    assert found.whole
    assert found.signed_by_both
    assert (found.number, found.version, found.findings) == (contract.number, 1, ())
    assert found.signed_on_record == ("seller", "buyer")
    assert not found.in_force


def test_an_unsigned_copy_is_whole_and_known_to_be_signed_elsewhere(contract: Contract) -> None:
    (kept,) = db.session.scalars(sa.select(ContractDocument))
    found = checked(kept.content)
    assert found.whole
    assert not found.signed_by_both
    assert found.signatures == ()
    assert found.signed_on_record == ("seller", "buyer")


def test_in_force_is_said_of_the_last_version(session: Session) -> None:
    contract = effective_contract()
    assert checked(document(contract)).in_force


@pytest.mark.parametrize("part", [0.1, 0.35, 0.6, 0.85])
def test_any_byte_that_was_changed_is_found(contract: Contract, part: float) -> None:
    pdf = document(contract)
    at = int(len(pdf) * part)
    found = checked(pdf[:at] + bytes([pdf[at] ^ 1]) + pdf[at + 1 :])
    assert not found.whole
    assert found.findings
    assert found.number == contract.number


def test_a_byte_in_the_room_of_a_signature_that_no_sum_covers_is_found(contract: Contract) -> None:
    pdf = document(contract)
    at = pdf.rindex(b"0" * 500) + 100
    found = checked(pdf[:at] + b"1" + pdf[at + 1 :])
    assert not found.whole
    (one,) = found.findings
    assert (one.damage, one.place) == (Damage.NOT_ON_RECORD, f"byte {at + 1} of {len(pdf)}")
    assert (one.found, one.expected) == ("0x31", "0x30")


def test_a_signature_that_was_never_sent_in_is_not_on_record(session: Session) -> None:
    contract = contract_to_sign()
    documents.prepare(session, principal=trader(contract.seller), contract_id=contract.id, now=NOON)
    found = checked(elsewhere(contract, "seller", document(contract)).content)
    assert damages(found) == {Damage.NOT_ON_RECORD}
    assert not found.whole


def test_a_changed_price_is_named_with_both_values(contract: Contract) -> None:
    found = checked(with_other_terms(document(contract), b'"amount":"78"', b'"amount":"87"'))
    assert not found.whole
    assert found.number == contract.number  # by the hash that the metadata still tells
    (price,) = (one for one in found.findings if one.place == "/price/amount")
    assert (price.damage, price.found, price.expected) == (Damage.TERMS_DIFFER, '"87"', '"78"')


def test_a_forger_who_makes_all_hashes_anew_is_found_by_the_record_and_shown_nothing_of_it(
    contract: Contract,
) -> None:
    """All sums in the file fit, yet no document here has them; what the true terms are is not told either."""
    terms = frozen_terms(contract.terms)
    forged = contract_pdf(replace(terms, grade="other"), Occasion(dated=NOON.date()))
    found = checked(forged)
    assert found.findings == ()
    assert (found.number, found.version, found.whole) == (None, None, False)


def test_a_forger_who_keeps_the_hash_of_the_terms_is_found_by_the_seal(contract: Contract) -> None:
    pdf = with_other_terms(document(contract), b'"amount":"78"', b'"amount":"87"')
    sealed = SEAL.sub(b"", pdf)
    body, start, rest = sealed.rpartition(b"startxref")
    unsealed = body + b"%changdan-seal-sha256 " + b"0" * 64 + b"\n" + start + rest
    resealed = unsealed.replace(b"0" * 64, computed_seal(unsealed).encode(), 1)
    found = checked(resealed)
    assert Damage.ANOTHER_SEAL in damages(found)
    assert not found.whole


def test_signatures_of_an_unknown_authority_are_not_trusted(contract: Contract) -> None:
    found = checked(document(contract), roots=())
    assert not found.whole
    assert [one.trusted for one in found.signatures] == [False, False]
    assert [one.intact for one in found.signatures] == [True, True]


def test_what_is_added_after_the_last_signature_is_found(contract: Contract) -> None:
    found = checked(document(contract) + b"\n% a rider\n")
    assert Damage.APPENDED in damages(found)
    assert not found.whole


@pytest.mark.parametrize("content", [b"", b"no pdf", b"%PDF-1.7\n%%EOF\n", b"\x00" * 1000], ids=len)
def test_what_is_no_contract_is_called_so(session: Session, content: bytes) -> None:
    found = checked(content)
    assert (found.number, found.whole) == (None, False)
    assert found.findings


# The page, the API, the command.


@pytest.fixture
def trusting(app: Application, tmp_path: Path) -> Iterator[None]:
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority().root)
    usual = app.config["CHANGDAN"]
    app.config["CHANGDAN"] = replace(usual, signing_roots=roots)
    yield
    app.config["CHANGDAN"] = usual


def upload(client: FlaskClient, path: str, content: bytes) -> tuple[int, str]:
    answer = client.post(path, data={"file": (BytesIO(content), "contract.pdf")}, headers={"Accept-Language": "en"})
    return answer.status_code, answer.text


@pytest.mark.usefixtures("trusting")
def test_anybody_verifies_on_the_page(client: FlaskClient, contract: Contract) -> None:
    assert client.get("/verify").status_code == 200
    pdf = document(contract)
    status, page = upload(client, "/verify", pdf)
    assert status == 200
    assert f"{contract.number}, version 1, as it was made, signed by both sides" in page
    status, page = upload(client, "/verify", with_other_terms(pdf, b'"amount":"78"', b'"amount":"87"'))
    assert status == 200
    assert "/price/amount" in page
    assert "This is not contract" in page
    status, page = upload(client, "/verify", b"no pdf")
    assert "No document of this exchange" in page


def test_files_that_are_too_large_or_missing_are_refused(client: FlaskClient) -> None:
    large = b"0" * (LARGEST_DOCUMENT + 1)
    assert upload(client, "/verify", large)[0] == 422
    assert upload(client, "/api/v1/verification", large)[0] == 422
    assert upload(client, "/verify", b"")[0] == 422
    assert client.post("/api/v1/verification").status_code == 422


@pytest.mark.usefixtures("trusting")
def test_nothing_of_a_file_is_kept(client: FlaskClient, contract: Contract) -> None:
    tables = (ContractDocument, DocumentSignature, Outbox)

    def counts() -> list[int]:
        return [db.session.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in tables]

    before = counts()
    for path in ("/verify", "/api/v1/verification"):
        assert upload(client, path, document(contract))[0] == 200
    assert counts() == before


@pytest.mark.usefixtures("trusting")
def test_anybody_verifies_by_api(client: FlaskClient, contract: Contract) -> None:
    answer = client.post("/api/v1/verification", data={"file": (BytesIO(document(contract)), "contract.pdf")})
    found = answer.json
    assert found is not None
    assert (found["whole"], found["number"], found["version"]) == (True, contract.number, 1)
    assert [one["side"] for one in found["signatures"]] == ["seller", "buyer"]
    assert "terms" not in found


def test_verification_has_a_limit_of_its_own(postgres: EmbeddedPostgres, worker_name: str) -> None:
    url = fresh_database(postgres, worker_name)
    limited = create_app(environment="test", database_url=url, csrf=False, rate_limits=True, log_level="ERROR")
    client = limited.test_client()
    paths = ["/verify", "/api/v1/verification"] * 10
    assert {upload(client, path, b"no pdf")[0] for path in paths} == {200}
    assert upload(client, "/verify", b"no pdf")[0] == 429
    assert upload(client, "/api/v1/verification", b"no pdf")[0] == 429
    assert client.get("/verify").status_code == 200
    with limited.app_context():
        db.engine.dispose()


def test_the_command_tells_and_ends_with_its_verdict(
    app: Application, postgres: EmbeddedPostgres, worker_name: str, tmp_path: Path
) -> None:
    with standing_application(app, postgres, worker_name) as standing:
        contract = contract_to_sign()
        documents.prepare(db.session(), principal=trader(contract.seller), contract_id=contract.id, now=make.NOON)
        pdf, number = document(contract), contract.number
        db.session.commit()
        good, bad = tmp_path / "good.pdf", tmp_path / "bad.pdf"
        good.write_bytes(pdf)
        bad.write_bytes(with_other_terms(pdf, b'"amount":"78"', b'"amount":"87"'))
        runner = standing.test_cli_runner()
        found = runner.invoke(verify_contract, [str(good)])
        assert found.exit_code == 0, found.output
        assert f"contract {number}, version 1: as it was made" in found.output
        found = runner.invoke(verify_contract, [str(bad)])
        assert found.exit_code == 1
        assert re.search(r'^/price/amount: .*found "87"; expected "78"$', found.output, re.MULTILINE)
