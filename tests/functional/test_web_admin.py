"""Staff's forms: rounds with their windows, guests and forward curve, reference data, firms, people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.models import Event, ForwardPrice, Round, RoundKind, RoundState, User, WindowRule
from app.transaction import Application
from tests import factories as make

As = Callable[[User], FlaskClient]
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


@pytest.fixture(autouse=True)
def at_noon(app: Application) -> Iterator[None]:
    usual, app.extensions["clock"] = app.extensions["clock"], lambda: make.NOON
    yield
    app.extensions["clock"] = usual


@pytest.fixture
def staff(client_as: As, session: Session) -> FlaskClient:
    return client_as(make.StaffFactory())


def made(session: Session) -> Round:
    return session.scalars(sa.select(Round).where(Round.code == ROUND["code"])).one()


def ladder(found: Round) -> list[str]:
    return [f"{window.first_period}..{window.last_period}" for window in found.ladder]


def test_staff_make_a_round_by_form(staff: FlaskClient, session: Session) -> None:
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
    staff: FlaskClient, session: Session, field: str, typed: str, told: str
) -> None:
    answer = staff.post("/console/rounds/new", data=ROUND | {field: typed})
    assert answer.status_code == 422
    assert told in answer.text
    assert f'id="error-{field}"' in answer.text
    assert 'value="Spring docking event"' in answer.text
    assert session.scalar(sa.select(sa.func.count()).select_from(Round)) == 0


def test_a_ladder_of_its_own_is_read_line_by_line(staff: FlaskClient, session: Session) -> None:
    own = {"windows": "own", "ladder": "2027-Q1 – 2027-Q2\n2027-q3 to 2027-Q4\n2027-Q4"}
    staff.post("/console/rounds/new", data=ROUND | own)
    assert ladder(made(session)) == ["2027-Q1..2027-Q2", "2027-Q3..2027-Q4", "2027-Q4..2027-Q4"]
    for wrong in ("", "2027-Q4 – 2027-Q1", "2031-Q1"):
        answer = staff.post("/console/rounds/new", data=ROUND | {"code": "X", "windows": "own", "ladder": wrong})
        assert answer.status_code == 422, wrong
        assert 'id="error-ladder"' in answer.text, wrong


def test_a_round_is_changed_and_who_comes_second_is_told(staff: FlaskClient, session: Session) -> None:
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


def test_guests_are_invited_and_their_answers_seen(staff: FlaskClient, session: Session) -> None:
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


def test_a_round_is_settled_once_nothing_of_it_waits(staff: FlaskClient, session: Session) -> None:
    found = make.RoundFactory(state=RoundState.CLOSED)
    waiting = make.ProposalFactory(run=make.RunFactory(round=found), state="released")
    settle = f"/console/rounds/{found.id}/settle"
    staff.post(settle)
    session.refresh(found)
    assert found.state is RoundState.CLOSED
    assert "1 proposals of the round wait" in staff.get(f"/console/rounds/{found.id}").text
    session.execute(sa.text("UPDATE proposal SET state = 'expired' WHERE id = :id"), {"id": waiting.id})
    queued = make.RunFactory(round=found, queued=True)
    staff.post(settle)
    assert "a run of the round is open" in staff.get(f"/console/rounds/{found.id}").text
    staff.post(f"/console/runs/{queued.id}/cancel")
    staff.post(settle)
    session.refresh(found)
    assert found.state is RoundState.SETTLED


def test_the_forward_curve_is_entered_and_stays_once_the_round_is_closed(staff: FlaskClient, session: Session) -> None:
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
