"""Rounds: made, filled, opened and closed by staff; seen by those who may take part."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import Corridor, Event, Round, RoundKind, RoundState, User
from tests import factories as f

from .web_market import at_noon

__all__ = ["at_noon"]

URL = "/api/v1/rounds"
NOON = f.NOON
Browser = Any  # a FlaskClient; its answers' `json` may be anything
SignIn = Callable[[User], Browser]


@pytest.fixture
def staff(client_as: SignIn) -> Browser:
    return client_as(f.StaffFactory())


def body(**changes: Any) -> dict[str, Any]:
    return {
        "code": "N-2026-11-20",
        "name_zh": "夜间场",
        "name_en": "Nightly round",
        "kind": "nightly",
        "first_period": "2027-Q1",
        "period_count": 4,
        "opens_at": "2026-11-20T00:00:00Z",
        "closes_at": "2026-11-21T20:00:00+08:00",
        "currency_rates": {"USD": "7.1"},
        "review_threshold": "5000000",
    } | changes


def act(browser: Browser, found: dict[str, Any], move: str) -> Any:
    tag = browser.get(f"{URL}/{found['id']}").headers["ETag"]
    return browser.post(f"{URL}/{found['id']}/{move}", headers={"If-Match": tag})


def change(browser: Browser, found: dict[str, Any], **values: Any) -> Any:
    tag = browser.get(f"{URL}/{found['id']}").headers["ETag"]
    return browser.patch(f"{URL}/{found['id']}", json=values, headers={"If-Match": tag})


def test_a_round_is_made_opened_and_closed_and_each_step_is_kept(staff: Browser, session: Session) -> None:
    made = staff.post(URL, json=body())
    assert made.status_code == 201, made.json
    assert (made.json["state"], made.json["period_kind"]) == ("draft", "quarter")
    assert made.json["periods"] == ["2027-Q1", "2027-Q2", "2027-Q3", "2027-Q4"]
    assert made.json["closes_at"] == "2026-11-21T12:00:00Z"
    assert act(staff, made.json, "close").status_code == 409
    assert act(staff, made.json, "open").json["state"] == "open"
    again = act(staff, made.json, "open")
    assert (again.status_code, again.json["open_moves"]) == (409, ["close"])
    assert act(staff, made.json, "close").json["state"] == "closed"
    steps = session.scalars(
        sa.select(Event).where(Event.subject_id == uuid.UUID(made.json["id"])).order_by(Event.id)
    ).all()
    assert [(step.name, step.to_state) for step in steps] == [
        ("round.create", "draft"),
        ("round.open", "open"),
        ("round.close", "closed"),
    ]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"first_period": "2027-Q5"}, "#/first_period"),
        ({"closes_at": "2026-11-19T00:00:00Z"}, "#/closes_at"),
        ({"currency_rates": {"usd": "7"}}, "#/currency_rates"),
        ({"currency_rates": {"CNY": "1"}}, "#/currency_rates"),
        ({"windows": [{"first_period": "2027-Q3", "last_period": "2027-Q2"}]}, "#/windows/0"),
        ({"windows": [{"first_period": "2027-Q1", "last_period": "2028-Q1"}]}, "#/windows/0"),
        ({"period_count": 0}, "#/period_count"),
        ({"discount_rate": "-0.05"}, "#/discount_rate"),
        ({"discount_rate": "1"}, "#/discount_rate"),
    ],
)
def test_what_a_round_cannot_be_is_refused_by_its_place(staff: Browser, changes: dict[str, Any], pointer: str) -> None:
    answer = staff.post(URL, json=body(**changes))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_a_round_may_discount_later_periods(staff: Browser) -> None:
    assert staff.post(URL, json=body()).json["discount_rate"] == "0"
    made = staff.post(URL, json=body(code="discounted", discount_rate="0.05"))
    assert (made.status_code, made.json["discount_rate"]) == (201, "0.05")


def test_a_code_is_taken_once(staff: Browser) -> None:
    assert staff.post(URL, json=body()).status_code == 201
    assert staff.post(URL, json=body()).status_code == 409


def test_a_ladder_of_windows_is_kept_and_taken_away(staff: Browser) -> None:
    ladder = [{"first_period": "2027-Q1", "last_period": last} for last in ("2027-Q2", "2027-Q4")]
    made = staff.post(URL, json=body(windows=ladder)).json
    assert (made["window_rule"], made["windows"]) == ("ladder", ladder)
    assert change(staff, made, windows=ladder[:1]).json["windows"] == ladder[:1]
    assert change(staff, made, windows=[]).json["window_rule"] == "all"


def test_an_open_round_changes_its_names_and_its_end_only(staff: Browser) -> None:
    made = staff.post(URL, json=body()).json
    assert change(staff, made, review_threshold="1").json["review_threshold"] == "1"
    act(staff, made, "open")
    assert change(staff, made, closes_at="2026-11-22T00:00:00Z", name_en="Longer").status_code == 200
    refused = change(staff, made, review_threshold="0")
    assert (refused.status_code, refused.json["open_moves"]) == (409, ["close"])
    act(staff, made, "close")
    assert change(staff, made, name_en="Later").status_code == 409


def test_a_round_that_would_be_over_does_not_open(staff: Browser) -> None:
    made = staff.post(URL, json=body(opens_at="2026-11-18T00:00:00Z", closes_at="2026-11-19T00:00:00Z")).json
    assert act(staff, made, "open").status_code == 409


def test_a_docking_round_is_for_its_guests(staff: Browser, client_as: SignIn, session: Session) -> None:
    guest, other = f.UserFactory(), f.UserFactory()
    made = staff.post(URL, json=body(kind="docking")).json
    assert act(staff, made, "open").status_code == 409, "nobody is invited"
    invitation = f"{URL}/{made['id']}/invitations/{guest.firm.id}"
    assert staff.put(invitation).status_code == staff.put(invitation).status_code == 204
    assert [row["firm_id"] for row in staff.get(f"{URL}/{made['id']}/invitations").json] == [str(guest.firm.id)]
    assert staff.put(f"{URL}/{made['id']}/invitations/{uuid.UUID(int=4)}").status_code == 422
    invited, stranger = client_as(guest), client_as(other)
    assert invited.get(f"{URL}/{made['id']}").status_code == 404, "a draft is the staff's"
    act(staff, made, "open")
    assert invited.get(f"{URL}/{made['id']}").status_code == 200
    assert stranger.get(f"{URL}/{made['id']}").status_code == 404
    assert stranger.get(URL).json["items"] == []
    assert invited.get(f"{URL}/{made['id']}/invitations").status_code == 403, "guests are not told of each other"
    assert staff.delete(invitation).status_code == 409, "invitations stand once the round is open"


def test_an_invitation_to_a_draft_can_be_taken_back(staff: Browser) -> None:
    guest = f.FirmFactory()
    made = staff.post(URL, json=body(kind="docking")).json
    invitation = f"{URL}/{made['id']}/invitations/{guest.id}"
    staff.put(invitation)
    assert staff.delete(invitation).status_code == 204
    assert staff.get(f"{URL}/{made['id']}/invitations").json == []
    nightly = staff.post(URL, json=body(code="N-2")).json
    assert staff.put(f"{URL}/{nightly['id']}/invitations/{guest.id}").status_code == 422


def test_a_corridor_is_put_in_units_and_kept_in_lots(staff: Browser, client_as: SignIn, session: Session) -> None:
    product = f.ProductFactory(lot=10)
    here, there = f.RegionFactory(), f.RegionFactory()
    made = staff.post(URL, json=body()).json
    line = {"product": product.code, "from_region": here.code, "to_region": there.code, "limit": "6000"}
    for limit in ("6000", "6000", "5000"):
        put = staff.put(f"{URL}/{made['id']}/corridors", json=line | {"limit": limit})
        assert (put.status_code, put.json["limit"]) == (200, limit)
    assert [row.limit_per_period for row in session.scalars(sa.select(Corridor))] == [500]
    in_period = staff.put(f"{URL}/{made['id']}/corridors", json=line | {"period": "2027-Q2", "limit": "0"})
    assert in_period.json["period"] == "2027-Q2"
    for field, value in (("limit", "5"), ("product", "x"), ("from_region", "x"), ("period", "2031-Q1")):
        refused = staff.put(f"{URL}/{made['id']}/corridors", json=line | {field: value})
        assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, f"#/{field}")
    trader = client_as(f.UserFactory())
    assert trader.get(f"{URL}/{made['id']}/corridors").status_code == 404
    act(staff, made, "open")
    shown = trader.get(f"{URL}/{made['id']}/corridors").json["items"]
    assert {row["limit"] for row in shown} == {"5000", "0"}
    assert staff.delete(f"/api/v1/corridors/{in_period.json['id']}").status_code == 204
    act(staff, made, "close")
    assert staff.delete(f"/api/v1/corridors/{put.json['id']}").status_code == 409


def test_who_sees_which_rounds(staff: Browser, client_as: SignIn) -> None:
    draft: Round = f.RoundFactory(state=RoundState.DRAFT)
    nightly: Round = f.RoundFactory()
    docking: Round = f.RoundFactory(kind=RoundKind.DOCKING, closes_at=NOON + dt.timedelta(days=1))
    seen = {
        "staff": staff,
        "trader": client_as(f.UserFactory()),
        "regulator": client_as(f.RegulatorFactory()),
    }
    ids = {who: {row["id"] for row in browser.get(URL).json["items"]} for who, browser in seen.items()}
    assert ids["staff"] == {str(draft.id), str(nightly.id), str(docking.id)}
    assert ids["regulator"] == {str(nightly.id), str(docking.id)}
    assert ids["trader"] == {str(nightly.id)}


def test_firms_and_admins_make_no_rounds(client_as: SignIn) -> None:
    for user in (f.UserFactory(), f.FirmAdminFactory(), f.PlatformAdminFactory(), f.RegulatorFactory()):
        assert client_as(user).post(URL, json=body()).status_code == 403
