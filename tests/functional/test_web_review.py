"""The reviewers' pages: the queue, one proposal with all that is sealed and logged, one person or two, many at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.db import db
from app.models import AccessLog, Offer, Proposal, ReviewDecision, SubjectKind, User
from tests import factories as make

from .web_market import at_noon, moves_of, proposal_for_review

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]
RELEASE = {"action": "release", "reason_release": "sound"}
WITHHOLD = {"action": "withhold", "reason_withhold": "price_abnormal"}


def of(proposal: Proposal) -> str:
    return f"/console/review/{proposal.id}"


def word(proposal: Proposal, decision: dict[str, str]) -> dict[str, str]:
    return decision | {"version": str(proposal.version)}


def test_the_queue_tells_what_waits_and_nothing_sealed(session: Session, client_as: As) -> None:
    proposal = proposal_for_review(index_value=Decimal(75))
    proposal.sell_offer.price = Decimal("61.1234")
    page = client_as(make.StaffFactory()).get("/console/review").text
    assert of(proposal) in page
    assert proposal.seller.name_en in page
    assert "80 t" in page
    assert "+4 %" in page
    assert '78<span class="sub">CNY/t</span>' in page
    assert "61.1234" not in page
    assert db.session.scalar(sa.select(sa.func.count()).select_from(AccessLog)) == 0


def test_the_queue_is_filtered_and_sorted(session: Session, client_as: As) -> None:
    small = proposal_for_review()
    large = proposal_for_review(total_value=Decimal(5_000_000))
    browser = client_as(make.StaffFactory())
    shown = {
        "": [large, small],
        "sort=-value": [small, large],
        "least=1": [large],
        f"product={small.product_code}": [small],
        f"firm={large.buyer_firm_id}": [large],
        f"run={small.run_id}": [small],
        "state=withheld": [],
        "least=nonsense": [large, small],
    }
    for query, expected in shown.items():
        page = browser.get(f"/console/review?{query}").text
        places = [page.find(of(proposal)) for proposal in expected]
        assert places == sorted(places), query
        assert -1 not in places, query
        assert page.count("data-open") == len(expected), query


def test_the_page_of_a_proposal_shows_all_that_a_decision_needs_and_the_look_is_logged(
    session: Session, client_as: As
) -> None:
    proposal = proposal_for_review(index_value=Decimal(75))
    rival = make.FirmFactory(name_en="Rival Works")
    offer_id, price = str(proposal.buy_offer_id), "81.5"
    proposal.next_best = {
        "seller": {"offer_id": offer_id, "firm_id": str(rival.id), "price_ex_works": price},
        "buyer": None,
    }
    site = proposal.sell_offer.site
    make.SiteCapabilityFactory(site=site, product=proposal.grade.product, capacity_per_year=Decimal(1000))
    make.CertificateFactory(firm=proposal.seller, number="C-77", valid_to=dt.date(2027, 6, 30))
    make.ReservationFactory(proposal=proposal)
    staff = make.StaffFactory(name="Reviewer Wu")
    page = client_as(staff).get(of(proposal)).text
    for told in (
        proposal.seller.name_en,
        proposal.buyer.name_en,
        "10 t",  # the rate
        "80 t",  # over the window
        "78 CNY/t",
        "82 CNY/t",
        "+4 %",  # to the index
        "CNY 640",  # each side's surplus
        "50%",
        "Rival Works",
        "81.5 CNY/t",
        "nobody else over this window",
        "70 CNY/t",  # the ask
        "90 CNY/t",  # the bid
        "1,000 t a year",
        "C-77",
        "All checks are in order",
        "A certificate is invalid",
    ):
        assert told in page, told
    looks = session.scalars(sa.select(AccessLog).order_by(AccessLog.id)).all()
    assert [(look.user_id, look.object_id, look.path) for look in looks] == [
        (staff.id, str(proposal.sell_offer_id), of(proposal)),
        (staff.id, str(proposal.buy_offer_id), of(proposal)),
    ]
    log = client_as(make.RegulatorFactory()).get("/audit/looks").text
    assert "Reviewer Wu" in log
    assert proposal.seller.name_en in log
    assert f"Review of a proposal <code>{str(proposal.id)[:8]}</code>" in log  # who audits may not open it
    own = client_as(staff).get("/audit/looks").text
    assert f'<a href="{of(proposal)}">Review of a proposal</a>' in own


def test_a_proposal_is_explained_in_plain_words(session: Session, client_as: As) -> None:
    proposal = proposal_for_review(index_value=Decimal(75))
    rival = make.FirmFactory(name_en="Rival Works")
    proposal.next_best = {
        "seller": {"offer_id": str(proposal.buy_offer_id), "firm_id": str(rival.id), "price_ex_works": "76.5"},
        "buyer": {"offer_id": str(proposal.sell_offer_id), "firm_id": str(rival.id), "price_delivered": "82"},
    }
    seller, buyer = proposal.seller.name_en, proposal.buyer.name_en
    page = client_as(make.StaffFactory()).get(of(proposal)).text
    for told in (
        f"{seller} asks 70 CNY/t ex works. {buyer} bids 90 CNY/t delivered; the freight to it is 4 CNY/t.",
        "At the locked price of 78 CNY/t ex works the seller gains 8 CNY/t and the buyer 8 CNY/t.",
        f"{seller} would do worse by 1.5 CNY/t with the next best, Rival Works.",
        f"{buyer} could do as well with Rival Works.",
        "The price ex works is 4% above the market index.",
        "no built capacity is registered",
    ):
        assert told in page, told


def test_doubts_are_told_and_their_absence_too(session: Session, client_as: As) -> None:
    proposal = proposal_for_review()
    capability = make.SiteCapabilityFactory(
        site=proposal.sell_offer.site, product=proposal.grade.product, capacity_per_year=Decimal(1000)
    )
    make.ReservationFactory(proposal=proposal)
    browser = client_as(make.StaffFactory())
    assert "The checks found nothing against it" in browser.get(of(proposal)).text
    capability.capacity_per_year = Decimal(1)
    session.flush()
    page = browser.get(of(proposal)).text
    assert "promised more than is built" in page
    assert "The checks found nothing against it" not in page


def test_one_person_releases_what_is_small(session: Session, client_as: As) -> None:
    proposal = proposal_for_review()
    browser = client_as(make.StaffFactory())
    answer = browser.post(of(proposal), data=word(proposal, RELEASE) | {"note": "looked at the furnace"})
    assert (answer.status_code, answer.location) == (303, of(proposal))
    session.refresh(proposal)
    assert proposal.state == "released"
    page = browser.get(of(proposal)).text
    assert "both parties can answer now" in page
    assert "looked at the furnace" in page
    assert "There is nothing to decide on any more." in page


def test_what_is_large_takes_two_persons(session: Session, client_as: As) -> None:
    proposal = proposal_for_review(dear=True)
    first, second = client_as(make.StaffFactory()), client_as(make.SeniorStaffFactory())
    assert "Recommend: release" in first.get(of(proposal)).text
    first.post(of(proposal), data=word(proposal, RELEASE))
    session.refresh(proposal)
    assert proposal.state == "under_review"
    own = first.get(of(proposal)).text
    assert "You have spoken already" in own
    assert 'value="release"' not in own
    assert "Somebody has recommended to release it." in second.get(of(proposal)).text
    second.post(of(proposal), data=word(proposal, RELEASE))
    session.refresh(proposal)
    assert proposal.state == "released"
    assert len(session.scalars(sa.select(ReviewDecision)).all()) == 2


def test_a_decision_needs_a_reason_of_its_own_list(session: Session, client_as: As) -> None:
    proposal = proposal_for_review()
    browser = client_as(make.StaffFactory())
    of_the_other_list = {"action": "withhold", "reason_withhold": "sound"}
    for data, told in (
        ({"action": "withhold", "reason_withhold": ""}, "Choose a reason"),
        (of_the_other_list, "The reason does not belong"),
        ({}, "Choose a reason"),
    ):
        answer = browser.post(of(proposal), data=word(proposal, data) | {"note": "asked <twice>"})
        assert (answer.status_code, told in answer.text) == (422, True)
        assert "asked &lt;twice&gt;</textarea>" in answer.text, "what was typed stays"
    session.refresh(proposal)
    assert proposal.state == "proposed"


def test_the_later_of_two_is_told_and_keeps_his_words(session: Session, client_as: As) -> None:
    proposal = proposal_for_review()
    before = word(proposal, WITHHOLD)
    client_as(make.StaffFactory()).post(of(proposal), data=word(proposal, RELEASE))
    late = client_as(later := make.StaffFactory())
    answer = late.post(of(proposal), data=before | {"note": "the index jumped"})
    session.refresh(proposal)
    assert proposal.state == "released"
    assert answer.status_code == 409
    assert "something happened meanwhile: the proposal has changed since version" in answer.text
    assert "it is “Released” now" in answer.text
    assert "readonly>the index jumped</textarea>" in answer.text
    looks = session.scalars(sa.select(AccessLog).where(AccessLog.user_id == later.id)).all()
    assert len(looks) == 2, "the page showed both sealed offers"


def test_the_later_of_two_can_decide_anew_with_what_he_typed(session: Session, client_as: As) -> None:
    proposal = proposal_for_review(dear=True)
    before = word(proposal, WITHHOLD)
    client_as(make.StaffFactory()).post(of(proposal), data=word(proposal, RELEASE))
    late = client_as(make.SeniorStaffFactory())
    page = late.post(of(proposal), data=before | {"note": "the index jumped"}).text
    assert 'name="note" maxlength="1000">the index jumped</textarea>' in page
    assert '<option value="price_abnormal" selected>' in page
    assert "Somebody has recommended to release it." in page, "he sees what happened meanwhile"
    session.refresh(proposal)
    assert f'name="version" value="{proposal.version}"' in page
    assert 'data-confirm="Release it? Both parties' in page


def test_after_a_decision_the_next_one_opens(session: Session, client_as: As) -> None:
    large = proposal_for_review(total_value=Decimal(9_000))
    small = proposal_for_review(total_value=Decimal(8_000))
    browser = client_as(make.StaffFactory())
    assert f'href="{of(small)}" rel="next"' in browser.get(of(large)).text
    answer = browser.post(of(large), data=word(large, RELEASE) | {"go_on": "1"})
    assert answer.location == of(small)


def test_many_are_decided_at_once_and_a_refusal_does_not_stop_the_rest(session: Session, client_as: As) -> None:
    good, dear, stale = proposal_for_review(), proposal_for_review(dear=True), proposal_for_review()
    chosen = [f"{one.id}:{one.version}" for one in (good, dear)] + [f"{stale.id}:{stale.version + 1}", "nonsense:1"]
    browser = client_as(make.StaffFactory())
    browser.post("/console/review", data=RELEASE | {"chosen": chosen})
    states = {one.id: one.state for one in session.scalars(sa.select(Proposal).order_by(Proposal.id))}
    assert (states[good.id], states[dear.id], states[stale.id]) == ("released", "under_review", "proposed")
    page = browser.get("/console/review").text
    assert "1 proposal is released." in page
    assert "1 waits for a second person." in page
    assert "Not decided: the proposal has changed since" in page
    browser.post("/language", data={"language": "zh"})
    browser.post("/console/review", data=RELEASE | {"chosen": [f"{stale.id}:{stale.version + 1}"]})
    assert f"提案在第 {stale.version + 1} 版读取后已有变动" in browser.get("/console/review").text


def test_many_are_withheld_at_once(session: Session, client_as: As) -> None:
    both = [proposal_for_review(), proposal_for_review()]
    chosen = [f"{one.id}:{one.version}" for one in both]
    browser = client_as(make.StaffFactory())
    browser.post("/console/review", data={"action": "withhold", "reason_withhold": "sound", "chosen": chosen})
    assert "The reason does not belong to this decision" in browser.get("/console/review").text
    browser.post("/console/review", data=WITHHOLD | {"chosen": chosen})
    assert {one.state for one in session.scalars(sa.select(Proposal))} == {"withheld"}
    assert "2 proposals are withheld." in browser.get("/console/review").text


def test_a_bundle_is_shown_whole_and_moves_as_one(session: Session, client_as: As) -> None:
    one = proposal_for_review()
    other = proposal_for_review(run=one.run, bundle=one.bundle, sell_offer=make.OfferFactory(round=one.run.round))
    browser = client_as(make.StaffFactory())
    page = browser.get(of(one)).text
    assert "Bundle: all or none" in page
    assert of(other) in page
    browser.post(of(one), data=word(one, RELEASE))
    session.refresh(other)
    assert other.state == "released"
    assert moves_of(SubjectKind.PROPOSAL).count("proposal.release") == 2


@pytest.mark.parametrize("factory", [make.UserFactory, make.RegulatorFactory, make.PlatformAdminFactory])
def test_nobody_else_reviews(session: Session, client_as: As, factory: type) -> None:
    proposal = proposal_for_review()
    browser = client_as(factory())
    assert browser.get(of(proposal)).status_code == 403
    assert browser.post(of(proposal), data=word(proposal, RELEASE)).status_code == 403
    assert browser.post("/console/review", data=RELEASE).status_code == 403
    assert db.session.scalar(sa.select(sa.func.count()).select_from(AccessLog)) == 0
    assert session.get_one(Offer, proposal.sell_offer_id).version == proposal.sell_offer.version


def statements_of(browser: FlaskClient, path: str) -> int:
    """How many statements the second look at a page sends."""
    sent: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_more: object) -> None:
        sent.append(statement)

    assert browser.get(path).status_code == 200
    db.session.expire_all()
    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    assert browser.get(path).status_code == 200
    sa.event.remove(sa.Engine, "before_cursor_execute", note)
    return len(sent)


@pytest.mark.usefixtures("session")
def test_pages_of_review_ask_no_more_for_many_than_for_few(client_as: As) -> None:
    browser = client_as(make.StaffFactory())
    one = proposal_for_review()

    def tied() -> Proposal:
        return proposal_for_review(run=one.run, bundle=one.bundle, sell_offer=make.OfferFactory(round=one.run.round))

    tied()
    few = [statements_of(browser, path) for path in ("/console/review", of(one))]
    for _ in range(6):
        tied()
    assert [statements_of(browser, path) for path in ("/console/review", of(one))] == few
