"""Counter-offers and messages on the pages: forms, what is told beside a field, both languages, staff's view."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.auth.principal import of_user
from app.models import AccessLog, Contract, Language, Proposal, ProposalVersion, ReviewAction, User, UserRole
from app.operations import review
from tests import factories as make

from .web_market import at_noon, proposal_for_review

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]


@pytest.fixture
def proposal(session: Session) -> Proposal:
    """A released one of 10 t in each of eight quarters at 78 ex works; ask 70, bid 90, freight 4."""
    waiting = proposal_for_review()
    for offer in (waiting.sell_offer, waiting.buy_offer):
        for period in waiting.run.round.horizon.labels():
            make.ReservationFactory(proposal=waiting, offer_id=offer.id, period=period)
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


def fields(page: str) -> dict[str, str]:
    """The counter's form as a browser would send it back untouched."""
    form = page.partition('/counter">')[2].partition("</form>")[0]
    return dict(re.findall(r'name="([^"]+)"[^>]*? value="([^"]*)"', form))


def counter(browser: FlaskClient, proposal: Proposal, **changes: str) -> None:
    typed = fields(browser.get(of(proposal)).text) | changes
    answer = browser.post(of(proposal, "/counter"), data=typed)
    assert (answer.status_code, answer.location) == (303, of(proposal)), answer.text


def waiting_hash(session: Session) -> str:
    found = session.scalars(sa.select(ProposalVersion.terms_hash).where(ProposalVersion.state == "open")).one()
    return str(found)


def test_a_counter_goes_back_and_forth_and_becomes_a_contract(
    session: Session, proposal: Proposal, sides: tuple[FlaskClient, FlaskClient]
) -> None:
    seller, buyer = sides
    counter(buyer, proposal, price="76", message="Prices fell this week", **{"/payment/due_days": "45"})
    own = buyer.get(of(proposal)).text
    assert "Your counter-offer waits for the other side" in own
    assert "Withdraw the counter-offer" in own
    page = seller.get(of(proposal)).text
    assert "The other side asks for other terms" in page
    assert "Prices fell this week" in page
    for said in ("Price ex works", "78 CNY/t", "76 CNY/t", "Days until an invoice is due", "30 days", "45 days"):
        assert said in page
    assert "yours to answer" in seller.get("/proposals").text
    assert of(proposal) in seller.get("/").text
    answer = seller.post(of(proposal, "/counter/reject"), data={"terms_hash": waiting_hash(session), "message": "77?"})
    assert answer.location == of(proposal)
    assert "77?" in buyer.get(of(proposal)).text
    counter(seller, proposal, price="77")
    buyer.post(of(proposal, "/counter/take"), data={"terms_hash": waiting_hash(session)})
    session.refresh(proposal)
    assert (proposal.state, proposal.buyer_accepted_at) == ("accepted", make.NOON)
    made = seller.post(of(proposal, "/accept"), data={"terms_hash": proposal.terms_hash})
    contract = session.scalars(sa.select(Contract)).one()
    assert made.location == f"/contracts/{contract.id}"
    assert contract.terms["price"]["amount"] == "77"
    assert contract.terms["payment"]["due_days"] == 30, "that counter was rejected"


def test_the_form_says_what_is_wrong_beside_the_field_and_keeps_what_was_typed(
    session: Session, proposal: Proposal, sides: tuple[FlaskClient, FlaskClient]
) -> None:
    seller, _ = sides
    typed = fields(seller.get(of(proposal)).text) | {
        "price": "abc",
        "quantity/2027-Q1": "0.5",
        "/payment/provisional_share": "101",
        "message": "kept",
    }
    answer = seller.post(of(proposal, "/counter"), data=typed)
    assert answer.status_code == 422
    for said in ("A number such as 1,234.5.", "A multiple of 1.", "A share from 0 to 100.", "kept", 'value="abc"'):
        assert said in answer.text
    for field in ("price", "quantity/2027-Q1", "/payment/provisional_share"):
        assert f'aria-describedby="error-{field}"' in answer.text
    beyond = seller.post(
        of(proposal, "/counter"),
        data=typed | {"price": "69", "quantity/2027-Q1": "11", "/payment/provisional_share": "90"},
    )
    assert "at least your own limit, 70 ex works" in beyond.text
    assert "from 1 to 10 lots" in beyond.text
    untouched = seller.post(of(proposal, "/counter"), data=fields(seller.get(of(proposal)).text))
    assert "at least one change" in untouched.text
    assert session.scalars(sa.select(ProposalVersion)).one().number == 1


def test_the_form_speaks_chinese_where_the_page_does(session: Session, client_as: As, proposal: Proposal) -> None:
    trader = make.UserFactory(firm=proposal.seller, language=Language.CHINESE)
    browser = client_as(trader)
    browser.post("/language", data={"language": "zh", "next": "/"})
    page = browser.get(of(proposal)).text
    assert "提出还盘" in page
    answer = browser.post(of(proposal, "/counter"), data=fields(page) | {"price": "69", "/tolerance/over": "6"})
    for said in ("不低于贵方限价 70", "不超过 0.05"):
        assert said in answer.text
    typed = fields(page) | {"price": "79"}
    browser.post(of(proposal, "/counter"), data=typed)
    late = browser.post(of(proposal, "/counter"), data=typed | {"price": "80"})
    assert late.location == of(proposal)
    assert re.search(r"[一-鿿]", browser.get(of(proposal)).text.partition('role="status"')[2].partition("</p>")[0])


def test_a_limit_of_the_takers_own_is_told_to_him(
    session: Session, proposal: Proposal, sides: tuple[FlaskClient, FlaskClient]
) -> None:
    seller, buyer = sides
    counter(seller, proposal, price="88")
    assert buyer.post(of(proposal, "/counter/take"), data={"terms_hash": waiting_hash(session)}).status_code == 303
    page = buyer.get(of(proposal)).text
    assert "outside your own limits" in page
    assert "at most your own limit, 86" in page
    session.refresh(proposal)
    assert proposal.state == "countered"


def test_who_answers_a_version_that_is_gone_is_told(
    session: Session, proposal: Proposal, sides: tuple[FlaskClient, FlaskClient]
) -> None:
    seller, buyer = sides
    counter(seller, proposal, price="80")
    gone = waiting_hash(session)
    assert seller.post(of(proposal, "/counter/withdraw"), data={"terms_hash": gone}).status_code == 303
    assert "is withdrawn" in seller.get(of(proposal)).text
    buyer.post(of(proposal, "/counter/take"), data={"terms_hash": gone})
    assert "This is not possible now" in buyer.get(of(proposal)).text
    session.refresh(proposal)
    assert proposal.state == "released"


def test_messages_go_to_and_fro_and_are_marked_as_read(
    proposal: Proposal, sides: tuple[FlaskClient, FlaskClient]
) -> None:
    seller, buyer = sides
    assert seller.post(of(proposal, "/messages"), data={"body": "  "}).location == f"{of(proposal)}#thread"
    assert "Write something first." in seller.get(of(proposal)).text
    seller.post(of(proposal, "/messages"), data={"body": "<b>February</b>?\r\nOr March?"})
    assert "1 new message" in buyer.get("/proposals").text
    page = buyer.get(of(proposal)).text
    assert "&lt;b&gt;February&lt;/b&gt;?\nOr March?" in page
    assert "Mark as read" in page
    buyer.post(of(proposal, "/messages/read"), data={"until": "1"})
    assert "Mark as read" not in buyer.get(of(proposal)).text
    assert "new message" not in buyer.get("/proposals").text
    assert "· read" in seller.get(of(proposal)).text


def test_staff_read_versions_and_messages_and_the_look_is_logged(
    session: Session, client_as: As, proposal: Proposal, sides: tuple[FlaskClient, FlaskClient]
) -> None:
    seller, buyer = sides
    counter(buyer, proposal, price="76", message="the market has fallen")
    seller.post(of(proposal, "/messages"), data={"body": "let us talk"})
    address = f"/console/review/{proposal.id}/negotiation"
    reviewer = make.StaffFactory()
    browser = client_as(reviewer)
    assert address in browser.get(f"/console/review/{proposal.id}").text
    page = browser.get(address).text
    for said in ("Version 2", "waits for an answer", "76 CNY/t", "the market has fallen", "let us talk"):
        assert said in page
    looks = sa.select(AccessLog.firm_id).where(AccessLog.object_kind == "proposal_thread")
    assert set(session.scalars(looks)) == {proposal.seller_firm_id, proposal.buyer_firm_id}
    assert client_as(make.StaffFactory(role=UserRole.PLATFORM_ADMIN)).get(address).status_code == 403
    assert seller.get(address).status_code == 403


def test_the_page_needs_no_script_and_names_every_field(
    proposal: Proposal, sides: tuple[FlaskClient, FlaskClient]
) -> None:
    page = sides[0].get(of(proposal)).text
    labelled = set(re.findall(r'<label for="([^"]+)"', page))
    for name, kind in re.findall(r'<(?:input|select|textarea)[^>]*? name="([^"]+)"(?: type="(\w+)")?', page):
        hidden = {"csrf_token", "next", "terms_hash", "version", "until", "language", "theme"}
        assert name in hidden or kind == "hidden" or f"f-{name}" in labelled, name
    assert " style=" not in page
    assert len(page.encode()) < 120_000
