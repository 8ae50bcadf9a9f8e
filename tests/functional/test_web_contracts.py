"""Proposals as the parties answer them, and the contracts that come of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.auth.principal import of_user
from app.models import Contract, Proposal, ReviewAction, User
from app.operations import review
from app.transaction import Application
from app.web.labels import reason_text
from tests import factories as make

from .web_market import at_noon, proposal_for_review

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]


@pytest.fixture
def proposal(session: Session) -> Proposal:
    """A released one, its terms frozen."""
    waiting = proposal_for_review()
    review.decide(
        session,
        principal=of_user(make.StaffFactory()),
        proposal_id=waiting.id,
        action=ReviewAction.RELEASE,
        reason_code="sound",
        now=make.NOON,
    )
    return waiting


@pytest.fixture
def sides(client_as: As, proposal: Proposal) -> tuple[FlaskClient, FlaskClient]:
    """The browsers of the seller's and of the buyer's trader."""
    return client_as(make.UserFactory(firm=proposal.seller)), client_as(make.UserFactory(firm=proposal.buyer))


def of(proposal: Proposal, move: str = "") -> str:
    return f"/proposals/{proposal.id}{move}"


def test_a_party_sees_the_proposal_and_nothing_of_the_other_side(
    proposal: Proposal, sides: tuple[FlaskClient, FlaskClient]
) -> None:
    for browser, own, other in zip(sides, ("70 CNY/t", "90 CNY/t"), ("90 CNY/t", "70 CNY/t"), strict=True):
        page = browser.get(of(proposal)).text
        assert "80 t" in page
        assert proposal.terms_hash in page
        for sealed in (own, other, "CNY 640", "urplus", "All checks are in order"):
            assert sealed not in page
        assert of(proposal) in browser.get("/proposals").text
        assert of(proposal) in browser.get("/").text


def test_both_accept_and_a_contract_is_made(
    session: Session, proposal: Proposal, sides: tuple[FlaskClient, FlaskClient]
) -> None:
    seller, buyer = sides
    first = seller.post(of(proposal, "/accept"), data={"terms_hash": proposal.terms_hash})
    assert first.location == of(proposal)
    assert "when the other side accepts, too" in seller.get(of(proposal)).text
    assert "The other side has accepted." in buyer.get(of(proposal)).text
    second = buyer.post(of(proposal, "/accept"), data={"terms_hash": proposal.terms_hash})
    contract = session.scalars(sa.select(Contract)).one()
    assert second.location == f"/contracts/{contract.id}"
    for browser in sides:
        page = browser.get(second.location).text
        assert contract.number in page
        assert contract.terms_hash in page
        assert page.count("Accept") >= 2
        assert contract.number in browser.get("/contracts").text


def test_the_terms_as_a_file_have_the_hash_that_was_accepted(
    session: Session, proposal: Proposal, sides: tuple[FlaskClient, FlaskClient]
) -> None:
    for browser in sides:
        browser.post(of(proposal, "/accept"), data={"terms_hash": proposal.terms_hash})
    contract = session.scalars(sa.select(Contract)).one()
    answer = sides[0].get(f"/contracts/{contract.id}/terms.json")
    assert hashlib.sha256(answer.data).hexdigest() == contract.terms_hash


def test_other_terms_than_those_shown_are_not_accepted(
    session: Session, proposal: Proposal, sides: tuple[FlaskClient, FlaskClient]
) -> None:
    answer = sides[0].post(of(proposal, "/accept"), data={"terms_hash": "0" * 64})
    assert answer.status_code == 409
    session.refresh(proposal)
    assert proposal.state == "released"


def test_to_decline_takes_a_reason_and_ends_it_for_both(
    session: Session, proposal: Proposal, sides: tuple[FlaskClient, FlaskClient]
) -> None:
    seller, buyer = sides
    assert seller.post(of(proposal, "/decline"), data={"reason_code": ""}).location == of(proposal)
    assert "Choose a reason" in seller.get(of(proposal)).text
    seller.post(of(proposal, "/decline"), data={"reason_code": "price", "note": "too low for us"})
    session.refresh(proposal)
    assert proposal.state == "declined"
    page = buyer.get(of(proposal)).text
    assert "There is nothing to answer any more." in page
    assert "too low for us" not in page
    assert "Nothing waits for your answer" in buyer.get("/proposals").text
    assert of(proposal) in buyer.get("/proposals?show=all").text
    late = buyer.post(of(proposal, "/decline"), data={"reason_code": "price"})
    assert late.location == of(proposal)
    assert "not possible now" in buyer.get(of(proposal)).text


def test_a_proposal_that_is_not_released_and_one_of_others_do_not_exist(
    session: Session, client_as: As, proposal: Proposal
) -> None:
    hidden = proposal_for_review()
    assert client_as(make.UserFactory(firm=hidden.seller)).get(of(hidden)).status_code == 404
    stranger = client_as(make.UserFactory())
    assert stranger.get(of(proposal)).status_code == 404
    assert stranger.post(of(proposal, "/accept"), data={"terms_hash": proposal.terms_hash}).status_code == 404
    assert stranger.post(of(proposal, "/decline"), data={"reason_code": "price"}).status_code == 404
    assert str(proposal.id) not in stranger.get("/proposals?show=all").text


def test_a_contract_is_read_by_its_parties_and_overseers_only(session: Session, client_as: As) -> None:
    contract = make.ContractFactory()
    address = f"/contracts/{contract.id}"
    for reader in (make.UserFactory(firm=contract.buyer), make.StaffFactory(), make.RegulatorFactory()):
        browser = client_as(reader)
        assert browser.get(address).status_code == 200
        assert contract.number in browser.get("/contracts").text
        assert contract.number in browser.get(f"/contracts?number={contract.number.lower()}").text
        assert contract.number not in browser.get("/contracts?state=terminated").text
    stranger = client_as(make.UserFactory())
    assert stranger.get(address).status_code == 404
    assert stranger.get(f"{address}/terms.json").status_code == 404
    assert contract.number not in stranger.get("/contracts").text


def test_the_contract_leads_to_what_its_parties_wrote(
    session: Session, client_as: As, proposal: Proposal, sides: tuple[FlaskClient, FlaskClient]
) -> None:
    for browser in sides:
        browser.post(of(proposal, "/accept"), data={"terms_hash": proposal.terms_hash})
    contract = session.scalars(sa.select(Contract)).one()
    thread = f"/proposals/{proposal.id}"
    for browser in sides:
        assert f'href="{thread}#thread"' in browser.get(f"/contracts/{contract.id}").text
        assert 'id="thread"' in browser.get(thread).text
    staff = client_as(make.StaffFactory())
    review = f"/console/review/{proposal.id}/negotiation"
    assert f'href="{review}"' in staff.get(f"/contracts/{contract.id}").text
    assert staff.get(review).status_code == 200


def test_a_reason_says_what_its_own_list_says(app: Application) -> None:
    """One code, two lists: quality terms that one declines, and goods that are claimed for."""
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert reason_text("quality", "claim.draft") == "Quality"
        assert reason_text("quality", "proposal.decline") == "The quality terms are not acceptable"
        assert reason_text("quality", "amend") == "A change of the quality terms"
        assert reason_text("force_majeure", "call_off.refuse") == "Force majeure"
        assert reason_text("non_payment", "contract.establish_cause") == "Payment is overdue"
        assert (reason_text(None), reason_text("gone", "claim.draft")) == ("", "gone")
