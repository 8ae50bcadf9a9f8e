"""Staff's forms: rounds with their windows, guests and forward curve, reference data, firms, people."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import (
    Certificate,
    Event,
    Firm,
    FirmRole,
    ForwardPrice,
    ReferenceChange,
    Region,
    Round,
    RoundKind,
    RoundState,
    User,
    UserRole,
    WindowRule,
)
from app.web.reference_form import SUBJECTS
from tests import factories as make

from .web_market import at_noon

__all__ = ["at_noon"]

Browser = Any  # a FlaskClient; its answers' `json` may be anything
As = Callable[[User], Browser]
ROUND = {
    "code": "N-2027-01",
    "kind": "docking",
    "name_zh": "春季对接会",
    "name_en": "Spring docking event",
    "first_period": "2027-Q1",
    "period_count": "4",
    "opens_at": "2026-11-20T08:00",
    "closes_at": "2026-11-25T20:00",
    "windows": "standard",
    "proposal_days": "7",
    "review_threshold": "5,000,000",
    "rates": "USD 7.1",
}


@pytest.fixture
def staff(client_as: As, session: Session) -> Browser:
    return client_as(make.StaffFactory())


def made(session: Session) -> Round:
    return session.scalars(sa.select(Round).where(Round.code == ROUND["code"])).one()


def ladder(found: Round) -> list[str]:
    return [f"{window.first_period}..{window.last_period}" for window in found.ladder]


def test_staff_make_a_round_by_form(staff: Browser, session: Session) -> None:
    assert "New round" in staff.get("/console/rounds").text
    assert 'name="ladder"' in staff.get("/console/rounds/new").text
    answer = staff.post("/console/rounds/new", data=ROUND)
    found = made(session)
    assert (answer.status_code, answer.location) == (303, f"/console/rounds/{found.id}")
    assert (found.state, found.kind, found.windows) == (RoundState.DRAFT, RoundKind.DOCKING, WindowRule.LADDER)
    assert found.closes_at.isoformat() == "2026-11-25T12:00:00+00:00"  # eight in the evening in Shanghai
    assert (found.review_threshold, found.currency_rates) == (Decimal(5_000_000), {"USD": "7.1"})
    assert ladder(found) == [
        "2027-Q1..2027-Q1",
        "2027-Q1..2027-Q2",
        "2027-Q1..2027-Q4",
        "2027-Q2..2027-Q2",
        "2027-Q3..2027-Q3",
        "2027-Q3..2027-Q4",
        "2027-Q4..2027-Q4",
    ]


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("code", "spring event", "Letters, digits, dots"),
        ("name_zh", "", "A name of at most"),
        ("first_period", "2027-Q5", "A year, quarter or month is expected"),
        ("period_count", "0", "A whole number from 1 to 120"),
        ("opens_at", "tomorrow", "A day and an hour are expected."),
        ("closes_at", "2026-11-19T20:00", "expected a later end"),
        ("review_threshold", "much", "a number such as"),
        ("rates", "USD", "such as USD 7.1"),
        ("rates", "CNY 1", "expected CNY per unit"),
    ],
)
def test_what_is_wrong_with_a_round_stands_beside_its_field(
    staff: Browser, session: Session, field: str, typed: str, told: str
) -> None:
    answer = staff.post("/console/rounds/new", data=ROUND | {field: typed})
    assert answer.status_code == 422
    assert told in answer.text
    assert f'id="error-{field}"' in answer.text
    assert 'value="Spring docking event"' in answer.text
    assert session.scalar(sa.select(sa.func.count()).select_from(Round)) == 0


def test_a_ladder_of_its_own_is_read_line_by_line(staff: Browser, session: Session) -> None:
    own = {"windows": "own", "ladder": "2027-Q1 – 2027-Q2\n2027-q3 to 2027-Q4\n2027-Q4"}
    staff.post("/console/rounds/new", data=ROUND | own)
    assert ladder(made(session)) == ["2027-Q1..2027-Q2", "2027-Q3..2027-Q4", "2027-Q4..2027-Q4"]
    for wrong in ("", "2027-Q4 – 2027-Q1", "2031-Q1"):
        answer = staff.post("/console/rounds/new", data=ROUND | {"code": "X", "windows": "own", "ladder": wrong})
        assert answer.status_code == 422, wrong
        assert 'id="error-ladder"' in answer.text, wrong


def test_a_round_is_changed_and_who_comes_second_is_told(staff: Browser, session: Session) -> None:
    staff.post("/console/rounds/new", data=ROUND)
    found = made(session)
    page = staff.get(f"/console/rounds/{found.id}/edit").text
    assert 'value="2026-11-25T20:00"' in page
    assert 'name="code"' not in page
    change = ROUND | {"name_en": "Autumn docking event", "windows": "all", "version": str(found.version)}
    assert staff.post(f"/console/rounds/{found.id}/edit", data=change).status_code == 303
    session.refresh(found)
    assert (found.name_en, found.windows, ladder(found)) == ("Autumn docking event", WindowRule.ALL, [])
    late = staff.post(f"/console/rounds/{found.id}/edit", data=change | {"name_en": "Winter"})
    assert late.status_code == 409
    assert "Somebody has changed this round meanwhile" in late.text
    session.refresh(found)
    assert found.name_en == "Autumn docking event"
    names = session.scalars(sa.select(Event.name).where(Event.subject_id == found.id).order_by(Event.id)).all()
    assert names == ["round.create", "round.change"]


def test_guests_are_invited_and_their_answers_seen(staff: Browser, session: Session) -> None:
    staff.post("/console/rounds/new", data=ROUND)
    found = made(session)
    first, second, third = (make.FirmFactory(name_en=name) for name in ("Alpha", "Beta", "Gamma"))
    guests = f"/console/rounds/{found.id}/guests"
    refused = staff.post(guests, data={"firms": [str(first.id)], "numbers": "91440300X"})
    assert (refused.status_code, "91440300X" in refused.text) == (422, True)
    assert found.invitations == []
    sent = staff.post(guests, data={"firms": [str(first.id), str(third.id)], "numbers": f"{second.credit_code}\n"})
    assert sent.status_code == 303
    assert "3 firms are invited." in staff.get(guests).text
    staff.post(f"{guests}/{third.id}/remove")
    session.refresh(found)
    assert {one.firm_id for one in found.invitations} == {first.id, second.id}
    assert staff.post(f"/console/rounds/{found.id}/open").status_code == 303
    session.refresh(found)
    make.OfferFactory(round=found, firm=second)
    page = staff.get(guests).text
    assert "1 of 2 invited firms" in page
    assert page.count("not yet") == 1
    staff.post(f"{guests}/{first.id}/remove")  # once it is open, invitations stand
    session.refresh(found)
    assert len(found.invitations) == 2


def test_a_round_is_settled_once_nothing_of_it_waits(staff: Browser, session: Session) -> None:
    found = make.RoundFactory(state=RoundState.CLOSED)
    waiting = make.ProposalFactory(run=make.RunFactory(round=found), state="released")
    settle = f"/console/rounds/{found.id}/settle"
    staff.post(settle)
    session.refresh(found)
    assert found.state.value == "closed"
    assert "1 proposals of the round wait" in staff.get(f"/console/rounds/{found.id}").text
    session.execute(sa.text("UPDATE proposal SET state = 'expired' WHERE id = :id"), {"id": waiting.id})
    queued = make.RunFactory(round=found, queued=True)
    staff.post(settle)
    assert "a run of the round is open" in staff.get(f"/console/rounds/{found.id}").text
    staff.post(f"/console/runs/{queued.id}/cancel")
    staff.post(settle)
    session.refresh(found)
    assert found.state.value == "settled"


def test_the_forward_curve_is_entered_and_stays_once_the_round_is_closed(staff: Browser, session: Session) -> None:
    found, index = make.RoundFactory(period_count=2), make.MarketIndexFactory()
    make.IndexPriceFactory(index=index, date=make.NOON.date(), value=Decimal(60_000))
    page = f"/console/rounds/{found.id}/curve"
    assert 'placeholder="60,000"' in staff.get(page).text
    first, second = found.horizon.labels()
    wrong = staff.post(page, data={f"{index.code}/{first}": "cheap"})
    assert wrong.status_code == 422
    assert staff.post(page, data={f"{index.code}/{first}": "0"}).status_code == 422
    assert staff.post(page, data={f"{index.code}/{first}": "58,500.5", f"{index.code}/{second}": ""}).status_code == 303
    points = session.scalars(sa.select(ForwardPrice)).all()
    assert [(point.index_code, point.period, point.value) for point in points] == [
        (index.code, first, Decimal("58500.5"))
    ]
    curve = staff.get(f"/api/v1/rounds/{found.id}/forward-prices").json
    assert [row["value"] for row in curve] == ["58500.5", "60000"]
    staff.post(page, data={f"{index.code}/{first}": ""})
    assert session.scalars(sa.select(ForwardPrice)).all() == []
    found.state = RoundState.CLOSED
    session.flush()
    assert staff.post(page, data={f"{index.code}/{first}": "1"}).status_code == 422
    assert session.scalars(sa.select(ForwardPrice)).all() == []


def test_facts_are_entered_changed_and_their_history_told(client_as: As, session: Session) -> None:
    senior = make.SeniorStaffFactory(name="Senior Wu")
    browser = client_as(senior)
    made_ = browser.post(
        "/console/reference/regions/new",
        data={
            "code": "qinghai",
            "name_zh": "青海",
            "name_en": "Qinghai",
            "country": "CN",
            "lat": "36.6",
            "lon": "101.78",
        },
    )
    assert made_.location == "/console/reference/regions/row?code=qinghai"
    region = session.get_one(Region, "qinghai")
    assert (region.lat, region.lon) == (Decimal("36.6"), Decimal("101.78"))
    changed = {"name_zh": "青海", "name_en": "Tsinghai", "country": "CN", "lat": "36.6", "lon": "101.78"}
    browser.post(made_.location, data=changed)
    browser.post(made_.location, data=changed)  # the same again is no change
    page = browser.get(made_.location).text
    assert "Qinghai → Tsinghai" in page
    assert page.count("Senior Wu") >= 2
    assert session.scalar(sa.select(sa.func.count()).select_from(ReferenceChange)) == 2
    told = browser.get("/api/v1/reference-changes?table_name=region&row_key=qinghai").json["items"]
    assert [(one["before"] and one["before"]["name_en"], one["after"]["name_en"]) for one in told] == [
        ("Qinghai", "Tsinghai"),
        (None, "Qinghai"),
    ]
    trader = client_as(make.UserFactory())
    assert trader.get("/api/v1/reference-changes").json["items"] == []
    assert "Senior Wu" not in trader.get(made_.location).text
    assert "Tsinghai" in browser.get("/console/reference/regions?q=tsing").text
    assert "Nothing fits" in browser.get("/console/reference/regions?q=100%").text
    again = browser.post("/console/reference/regions/new", data=changed | {"code": "qinghai"})
    assert (again.status_code, "This is there already" in again.text) == (422, True)


@pytest.mark.parametrize(
    ("subject", "values", "field"),
    [
        ("regions", {"code": "a b"}, "code"),
        ("regions", {"lat": "north"}, "lat"),
        ("regions", {"lat": "1234"}, "lat"),
        ("regions", {"country": "China"}, "country"),
        ("regions", {"name_zh": ""}, "name_zh"),
        ("products", {"tier": "cellar"}, "tier"),
        ("products", {"lot": "0.1234567"}, "lot"),
    ],
)
def test_what_is_wrong_with_a_fact_stands_beside_its_field(
    client_as: As, session: Session, subject: str, values: dict[str, str], field: str
) -> None:
    region = {"code": "x", "name_zh": "某", "name_en": "X", "country": "CN", "lat": "1", "lon": "1"}
    product = {"code": "x", "name_zh": "某", "name_en": "X", "tier": "cell", "unit": "t", "lot": "1"}
    good = region if subject == "regions" else product
    answer = client_as(make.SeniorStaffFactory()).post(f"/console/reference/{subject}/new", data=good | values)
    assert answer.status_code == 422
    assert f'id="error-{field}"' in answer.text


def test_the_database_speaks_last_on_facts(client_as: As, session: Session) -> None:
    browser = client_as(make.SeniorStaffFactory())
    region = {"code": "x", "name_zh": "某", "name_en": "X", "country": "CN", "lat": "95", "lon": "1"}
    answer = browser.post("/console/reference/regions/new", data=region)
    assert (answer.status_code, "ck_region_lat" in answer.text) == (422, True)
    offer = make.OfferFactory()
    product = offer.grade.product
    values = {"name_zh": "某", "name_en": "X", "tier": product.tier.value, "unit": product.unit.value, "lot": "7"}
    frozen = browser.post(f"/console/reference/products/row?code={product.code}", data=values)
    assert (frozen.status_code, "product_lot_frozen" in frozen.text) == (422, True)
    assert session.scalar(sa.select(sa.func.count()).select_from(ReferenceChange)) == 0


def test_every_subject_is_listed_and_shown_and_only_those_who_keep_it_change_it(
    client_as: As, session: Session
) -> None:
    price, line = make.IndexPriceFactory(), make.BillOfMaterialsFactory()
    make.FreightFactory(), make.GradeFactory(), make.AttributeFactory(), make.CertificateKindFactory()
    staff, senior = client_as(make.StaffFactory()), client_as(make.SeniorStaffFactory())
    for subject in SUBJECTS:
        page = senior.get(f"/console/reference/{subject.name}").text
        links = re.findall(rf'href="(/console/reference/{subject.name}/row[^"]*)"', page)
        assert links or subject.name == "grade-specifications", subject.name
        for link in links[:1]:
            shown = senior.get(link.replace("&amp;", "&"))
            assert shown.status_code == 200, link
            assert ('method="post"' in shown.text.partition("<main")[2]) is subject.editable, subject.name
            assert 'name="csrf_token"' not in staff.get(link.replace("&amp;", "&")).text.partition("<main")[2]
    assert staff.post("/console/reference/regions/new", data={}).status_code == 403
    assert senior.post("/console/reference/index-prices/new", data={}).status_code == 404
    bill = f"/console/reference/bills-of-materials/row?output_product_code={line.output_product_code}"
    assert senior.get(f"{bill}&input_product_code={line.input_product_code}").status_code == 200
    assert (
        senior.get(f"/console/reference/index-prices/row?index_code={price.index_code}&date=never").status_code == 404
    )


def test_firms_sites_and_certificates_are_kept(client_as: As, session: Session) -> None:
    browser = client_as(make.SeniorStaffFactory())
    kind, region = make.CertificateKindFactory(), make.RegionFactory()
    new = {"name_zh": "新锂", "name_en": "New Lithium", "country": "DE", "registration_number": "HRB 7", "active": "1"}
    refused = browser.post("/console/firms/new", data=new)
    assert (refused.status_code, 'id="error-roles"' in refused.text) == (422, True)
    wrong = browser.post("/console/firms/new", data=new | {"roles/miner": "1", "credit_code": "91440300X"})
    assert 'id="error-credit_code"' in wrong.text
    made_ = browser.post("/console/firms/new", data=new | {f"roles/{next(iter(FirmRole))}": "1"})
    firm = session.scalars(sa.select(Firm).where(Firm.name_en == "New Lithium")).one()
    assert made_.location == f"/console/firms/{firm.id}"
    site = {"code": "north", "name_zh": "北厂", "name_en": "North", "region_code": region.code, "active": "1"}
    assert (
        'id="error-site/region_code"' in browser.post(f"{made_.location}/sites", data=site | {"region_code": "z"}).text
    )
    assert browser.post(f"{made_.location}/sites", data=site).status_code == 303
    paper = {"kind_code": kind.code, "number": "C-1", "valid_from": "2026-01-01", "valid_to": "2027-01-01"}
    late = browser.post(f"{made_.location}/certificates", data=paper | {"valid_to": "2025-01-01"})
    assert 'id="error-certificate/valid_to"' in late.text
    assert browser.post(f"{made_.location}/certificates", data=paper).status_code == 303
    found = session.scalars(sa.select(Certificate)).one()
    browser.post(f"/console/firms/certificates/{found.id}/suspend")
    browser.post(f"/console/firms/certificates/{found.id}/prolong", data={"valid_to": "2028-06-30"})
    session.refresh(found)
    assert (found.suspended, found.valid_to.isoformat()) == (True, "2028-06-30")
    page = browser.get(made_.location).text
    assert all(text in page for text in ("North", "C-1", "suspended"))
    assert "New Lithium" in browser.get("/console/firms?q=new lith").text
    browser.post(f"{made_.location}/edit", data=new | {f"roles/{next(iter(FirmRole))}": "1", "active": ""})
    session.refresh(firm)
    assert not firm.active
    assert client_as(make.StaffFactory()).get("/console/firms").status_code == 403


def test_the_platform_makes_accounts_of_firms_and_gives_roles(client_as: As, session: Session) -> None:
    admin, firm = client_as(make.StaffFactory(role=UserRole.PLATFORM_ADMIN)), make.FirmFactory()
    new = {"name": "Trader Tan", "email": "tan@example.cn", "role": "firm_trader", "language": "en"}
    assert admin.post("/people", data=new).status_code == 422  # a role of firms without a firm
    assert "Trader Tan" in admin.post("/people", data=new | {"firm_id": str(firm.id)}).text
    trader = session.scalars(sa.select(User).where(User.email == "tan@example.cn")).one()
    assert (trader.firm_id, trader.role) == (firm.id, UserRole.FIRM_TRADER)
    before = trader.session_token
    assert admin.post(f"/people/{trader.id}", data={"role": "firm_admin"}).status_code == 303
    session.refresh(trader)
    assert (trader.role, trader.session_token == before) == (UserRole.FIRM_ADMIN, False)
    admin.post(f"/people/{trader.id}", data={"role": "senior_staff"})  # no role of his
    session.refresh(trader)
    assert trader.role is UserRole.FIRM_ADMIN
    own = client_as(trader)
    refused = own.post("/people", data=new | {"email": "x@example.cn", "role": "platform_admin"})
    assert (refused.status_code, "the platform" in own.get("/people").text) == (422, False)
