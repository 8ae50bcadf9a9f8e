"""The review of proposals over HTTP: the sheet and its logged looks, one person or two, one of two at once."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.clock import clock
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.jobs.expiries import expire_all
from app.models import AccessLog, Event, OfferSpecification, Proposal, ReviewDecision, ReviewStep, User
from app.transaction import Application
from tests import factories as make

from .night_market import (
    Town,
    body,
    browser,
    chain,
    clear,
    count,
    later,
    proposals_of,
    reserved,
    standing_application,
)

SOUND = {"reason_code": "sound"}
DOUBTFUL = {"reason_code": "capability_doubtful", "note": "two furnaces are cold"}


@pytest.fixture
def own_app(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    with standing_application(app, postgres, worker_name) as standing:
        yield standing


@pytest.fixture
def dear(own_app: Application) -> Proposal:
    """A proposal that takes two persons."""
    town = Town()
    town.round.review_threshold = Decimal(1000)
    town.sells()
    town.buys()
    (proposal,) = proposals_of(clear(town.round))
    return proposal


@pytest.fixture
def cheap(own_app: Application) -> Proposal:
    """A proposal that one person may decide on."""
    town = Town()
    town.sells()
    town.buys()
    (proposal,) = proposals_of(clear(town.round))
    return proposal


def sheet(client: FlaskClient, proposal: Proposal) -> TestResponse:
    answer = client.get(f"/api/v1/review/proposals/{proposal.id}")
    assert answer.status_code == 200, answer.json
    return answer


def decide(
    client: FlaskClient, proposal: Proposal, action: str, decision: dict[str, Any], tag: str | None = None
) -> TestResponse:
    """Decide on the version that a look shows now, or on that of an earlier one."""
    headers = {"If-Match": tag or sheet(client, proposal).headers["ETag"]}
    return client.post(f"/api/v1/review/proposals/{proposal.id}/{action}", json=decision, headers=headers)


def test_the_sheet_tells_all_that_a_decision_needs(own_app: Application) -> None:
    town = Town()
    index = make.MarketIndexFactory(product=town.grade.product)
    make.IndexPriceFactory(index=index, date=dt.date(2026, 11, 1), value=Decimal(75))
    sell, buy = town.sells(quantity=20), town.buys(price=90)
    rival = town.buys(price=60)
    dearer = town.sells(price=80)
    attribute = make.AttributeFactory(product=town.grade.product, code="assay")
    for offer, value in ((sell, "99.6"), (dearer, "99.9"), (buy, "99.5")):
        offer.specifications = [OfferSpecification(attribute_code=attribute.code, value=Decimal(value))]
    kind = make.CertificateKindFactory(code="ISO9001")
    make.CertificateFactory(firm=sell.firm, kind=kind, valid_to=dt.date(2027, 6, 30))
    make.SiteCapabilityFactory(site=sell.site, product=town.grade.product, capacity_per_year=Decimal(30))
    (proposal,) = proposals_of(clear(town.round))
    staff = make.StaffFactory()
    found = body(sheet(browser(own_app, staff), proposal))
    assert [found["seller"]["id"], found["buyer"]["id"]] == [str(sell.firm_id), str(buy.firm_id)]
    assert [found[name] for name in ("price_ex_works", "price_delivered", "total_value")] == ["70", "74", "2960"]
    assert [found["index_value"], found["index_distance"]] == ["75", "-6.67"]
    assert [found["sell_side"]["surplus_share"], found["buy_side"]["surplus_share"]] == ["0", "1"]
    assert [found["sell_side"]["price"], found["buy_side"]["price"]] == ["70", "90"]
    assert [found["sell_side"]["offered"], found["sell_side"]["taken"]] == ["80", "40"]
    assert [found["sell_side"]["market_share"], found["buy_side"]["market_share"]] == ["1", "1"]
    assert found["sell_side"]["next_best"] == {"firm": _firm(rival), "price": "56"}
    assert found["buy_side"]["next_best"] == {"firm": _firm(dearer), "price": "84"}
    assert [found["sell_side"]["result"], found["buy_side"]["result"]] == ["partly_matched", "matched"]
    (limit,) = found["specification"]
    assert [limit["attribute"], limit["guaranteed"], limit["required"]] == ["assay", "99.6", "99.5"]
    (certificate,) = found["certificates"]
    assert [certificate["kind"], certificate["valid_to"], certificate["required"]] == ["ISO9001", "2027-06-30", False]
    assert found["capability"] == {"promised": "40", "built": "30", "utilisation": "0.8", "exceeded": True}
    assert found["bundle"] == []
    looks = db.session.execute(sa.select(AccessLog.user_id, AccessLog.object_id, AccessLog.firm_id)).all()
    assert {tuple(look) for look in looks} == {(staff.id, str(o.id), o.firm_id) for o in (sell, buy)}


def _firm(offer: Any) -> dict[str, Any]:
    firm = offer.firm
    names = {"name_zh": firm.name_zh, "name_en": firm.name_en}
    return {"id": str(firm.id), "credit_code": firm.credit_code, "country": "CN"} | names


def test_the_list_tells_nothing_sealed_and_is_for_reviewers_only(own_app: Application, cheap: Proposal) -> None:
    answer = browser(own_app, make.StaffFactory()).get("/api/v1/review/proposals")
    (line,) = body(answer)["items"]
    assert line["id"] == str(cheap.id)
    assert not {name for name in line if "surplus" in name or "next" in name or "side" in name}
    assert count(AccessLog) == 0
    for user in (make.UserFactory(firm=cheap.seller), make.RegulatorFactory(), make.PlatformAdminFactory()):
        client = browser(own_app, user)
        assert client.get("/api/v1/review/proposals").status_code == 403
        assert client.get(f"/api/v1/review/proposals/{cheap.id}").status_code == 403


def test_the_list_filters(own_app: Application, cheap: Proposal) -> None:
    client = browser(own_app, make.StaffFactory())

    def found(query: str) -> int:
        return len(body(client.get(f"/api/v1/review/proposals?{query}"))["items"])

    code = cheap.run.round.code
    assert found(f"round={code}&product={cheap.product_code}&firm_id={cheap.seller_firm_id}&least_value=3280") == 1
    for query in ("round=other", "product=other", "least_value=3280.01", "state=released", f"firm_id={cheap.id}"):
        assert found(query) == 0, query


def test_below_the_threshold_one_person_releases(own_app: Application, cheap: Proposal) -> None:
    answer = decide(browser(own_app, make.StaffFactory()), cheap, "release", SOUND)
    assert (answer.status_code, body(answer)["step"]) == (200, "decision")
    db.session.refresh(cheap)
    assert cheap.state == "released"
    assert cheap.expires_at == clock() + dt.timedelta(days=7)
    names = db.session.scalars(sa.select(Event.name).where(Event.subject_id == cheap.id).order_by(Event.id)).all()
    assert names == ["proposal.propose", "proposal.take_up", "proposal.release"]


def test_above_the_threshold_a_second_senior_person_decides(own_app: Application, dear: Proposal) -> None:
    first, second, senior = make.StaffFactory(), make.StaffFactory(), make.SeniorStaffFactory()
    answer = decide(browser(own_app, first), dear, "release", SOUND)
    assert (answer.status_code, body(answer)["step"]) == (200, "recommendation")
    assert body(answer)["proposals"][0]["recommended"] == ["release"]
    same = decide(browser(own_app, first), dear, "release", SOUND)
    assert same.status_code == 409
    junior = decide(browser(own_app, second), dear, "release", SOUND)
    assert junior.status_code == 409
    assert "recommend_release" in body(junior)["open_moves"]
    decided = decide(browser(own_app, senior), dear, "release", SOUND)
    assert (decided.status_code, body(decided)["step"]) == (200, "decision")
    rows = db.session.execute(sa.select(ReviewDecision.user_id, ReviewDecision.step)).all()
    assert {tuple(row) for row in rows} == {(first.id, ReviewStep.RECOMMENDATION), (senior.id, ReviewStep.DECISION)}


def test_a_senior_person_alone_is_still_one_person(own_app: Application, dear: Proposal) -> None:
    client = browser(own_app, make.SeniorStaffFactory())
    assert body(decide(client, dear, "release", SOUND))["step"] == "recommendation"
    assert decide(client, dear, "release", SOUND).status_code == 409
    db.session.refresh(dear)
    assert dear.state == "under_review"


def test_withholding_frees_the_volume(own_app: Application, cheap: Proposal) -> None:
    client = browser(own_app, make.StaffFactory())
    wrong = decide(client, cheap, "withhold", {"reason_code": "sound"})
    assert wrong.status_code == 422
    answer = decide(client, cheap, "withhold", DOUBTFUL)
    assert (answer.status_code, body(answer)["proposals"][0]["state"]) == (200, "withheld")
    assert reserved() == 0
    for user in (make.UserFactory(firm=cheap.seller), make.UserFactory(firm=cheap.buyer)):
        assert browser(own_app, user).get(f"/api/v1/proposals/{cheap.id}").status_code == 404


def test_a_bundle_moves_as_one_and_its_whole_value_counts(own_app: Application) -> None:
    town, *_ = chain()
    run = clear(town.round)
    one, other = proposals_of(run)
    town.round.review_threshold = max(one.total_value, other.total_value) + 1
    answer = decide(browser(own_app, make.StaffFactory()), one, "release", SOUND)
    assert body(answer)["step"] == "recommendation"
    decided = decide(browser(own_app, make.SeniorStaffFactory()), other, "release", SOUND)
    assert body(decided)["step"] == "decision"
    assert {proposal["state"] for proposal in body(decided)["proposals"]} == {"released"}


def test_without_the_version_that_was_seen_nothing_is_decided(own_app: Application, cheap: Proposal) -> None:
    one, other = (browser(own_app, make.StaffFactory()) for _ in range(2))
    tag = sheet(other, cheap).headers["ETag"]
    url = f"/api/v1/review/proposals/{cheap.id}/withhold"
    assert other.post(url, json=DOUBTFUL).status_code == 428
    assert decide(one, cheap, "release", SOUND).status_code == 200
    late = decide(other, cheap, "withhold", DOUBTFUL, tag)
    assert late.status_code == 412
    again = decide(other, cheap, "withhold", DOUBTFUL)
    assert again.status_code == 409
    assert body(again).get("open_moves", []) == []
    db.session.refresh(cheap)
    assert cheap.state == "released"


def test_a_recommendation_changes_the_version_too(own_app: Application, dear: Proposal) -> None:
    senior = browser(own_app, make.SeniorStaffFactory())
    tag = sheet(senior, dear).headers["ETag"]
    decide(browser(own_app, make.StaffFactory()), dear, "withhold", DOUBTFUL)
    assert decide(senior, dear, "release", SOUND, tag).status_code == 412


def test_of_two_who_decide_at_once_the_later_is_told(own_app: Application, cheap: Proposal) -> None:
    acts = (("release", SOUND), ("withhold", DOUBTFUL))
    people: list[User] = [make.StaffFactory() for _ in acts]
    clients = [browser(own_app, person) for person in people]
    tags = [sheet(client, cheap).headers["ETag"] for client in clients]
    start, answers = threading.Barrier(2), {}

    def act(at: int) -> None:
        with own_app.app_context():
            start.wait()
            answers[acts[at][0]] = decide(clients[at], cheap, *acts[at], tags[at]).status_code

    threads = [threading.Thread(target=act, args=(at,)) for at in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers.values()) == [200, 412]
    db.session.refresh(cheap)
    assert cheap.state == ("released" if answers["release"] == 200 else "withheld")
    assert count(ReviewDecision) == 1
    assert reserved() == (80 if answers["release"] == 200 else 0)


def test_many_are_released_and_the_refused_are_told_apart(own_app: Application) -> None:
    town = Town()
    for _ in range(3):
        region = make.RegionFactory()
        make.FreightFactory(from_region=region, to_region=region, cost=Decimal(0))
        town.origin = town.destination = region
        town.sells()
        town.buys()
    one, stale, gone = proposals_of(clear(town.round))
    client = browser(own_app, make.StaffFactory())
    decide(client, gone, "withhold", DOUBTFUL)
    db.session.refresh(gone)
    wanted = [(one.id, one.version), (stale.id, stale.version + 7), (gone.id, gone.version), (uuid.uuid4(), 1)]
    proposals = [{"id": str(number), "version": version} for number, version in wanted]
    answer = client.post("/api/v1/review/releases", json={"proposals": proposals, **SOUND})
    verdicts = body(answer)["verdicts"]
    assert [verdict["outcome"] for verdict in verdicts] == ["released", "refused", "refused", "refused"]
    assert "version" in verdicts[1]["detail"]
    states = {proposal.id: proposal.state for proposal in db.session.scalars(sa.select(Proposal))}
    assert states == {one.id: "released", stale.id: "proposed", gone.id: "withheld"}


def test_a_review_that_takes_too_long_expires(own_app: Application, cheap: Proposal) -> None:
    staff = make.StaffFactory()
    tag = sheet(browser(own_app, staff), cheap).headers["ETag"]
    later(own_app, days=8)
    late = decide(browser(own_app, staff), cheap, "release", SOUND, tag)
    assert late.status_code == 409
    assert expire_all(now=clock())["proposals"] == 1
    db.session.refresh(cheap)
    assert (cheap.state, reserved()) == ("expired", 0)


def test_the_log_of_looks_is_for_auditors_and_ones_own_for_oneself(own_app: Application, cheap: Proposal) -> None:
    staff = make.StaffFactory()
    client = browser(own_app, staff)
    sheet(client, cheap)
    own = body(client.get("/api/v1/audit/access-log"))["items"]
    assert {look["user_id"] for look in own} == {str(staff.id)}
    assert body(browser(own_app, make.StaffFactory()).get("/api/v1/audit/access-log"))["items"] == []
    auditor = browser(own_app, make.RegulatorFactory())
    items = body(auditor.get(f"/api/v1/audit/access-log?firm_id={cheap.seller_firm_id}"))["items"]
    assert [(look["user_id"], look["object_id"]) for look in items] == [(str(staff.id), str(cheap.sell_offer_id))]
    assert items[0]["path"] == f"/api/v1/review/proposals/{cheap.id}"
    assert body(auditor.get("/api/v1/audit/access-log?object_kind=contract"))["items"] == []
