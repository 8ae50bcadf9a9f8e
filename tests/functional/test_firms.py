"""Firms and what is theirs, and people: who may see and change what, and what is refused and why."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import passwords
from app.models import Firm, SiteCapability, User, UserRole
from market.credit_code import complete
from tests import factories as f

API = "/api/v1"
Browser = Any  # a FlaskClient; its answers' `json` may be anything
SignIn = Callable[[User], Browser]
CODE = complete("9142010012345678")


@pytest.fixture
def admin(client_as: SignIn) -> Browser:
    return client_as(f.PlatformAdminFactory())


def new_firm(**changes: Any) -> dict[str, Any]:
    return {"credit_code": CODE, "name_zh": "江城锂业", "name_en": "River Lithium", "roles": ["lithium_salt"]} | changes


def change(browser: Browser, path: str, **values: Any) -> Any:
    tag = browser.get(API + path).headers["ETag"]
    return browser.patch(API + path, json=values, headers={"If-Match": tag})


def test_a_firm_is_registered_by_its_credit_code(admin: Browser, session: Session) -> None:
    answer = admin.post(f"{API}/firms", json=new_firm(credit_code=f" {CODE.lower()} "))
    assert answer.status_code == 201, answer.json
    assert (answer.json["credit_code"], answer.json["country"]) == (CODE, "CN")
    again = admin.post(f"{API}/firms", json=new_firm())
    assert (again.status_code, again.json["type"]) == (409, "/problems/conflict")
    other = admin.post(f"{API}/firms", json=new_firm(credit_code=complete("9142010012345679")))
    assert other.status_code == 201, other.json
    assert session.scalar(sa.select(sa.func.count(Firm.id))) == 2


BAD_CODES = [
    (CODE[:17], "credit code has 17 characters; expected 18"),
    (CODE[:5] + "O" + CODE[6:], "credit code has 'O' at position 6; expected a digit or a capital letter other than"),
    (CODE[:17] + ("1" if CODE[17] != "1" else "2"), f"its check character would be '{CODE[17]}'"),
    (CODE[:16] + ("0" if CODE[16] != "0" else "1") + CODE[17], "credit code has organisation check character"),
]


@pytest.mark.parametrize(("code", "detail"), BAD_CODES)
def test_a_credit_code_that_is_none_is_refused_with_what_is_wrong(admin: Browser, code: str, detail: str) -> None:
    answer = admin.post(f"{API}/firms", json=new_firm(credit_code=code))
    assert answer.status_code == 422
    error = answer.json["errors"][0]
    assert error["pointer"] == "#/credit_code"
    assert detail in error["detail"]


def test_a_foreign_firm_has_its_registers_number(admin: Browser) -> None:
    foreign = new_firm(credit_code=None, country="CL", registration_number="RUT-1")
    assert admin.post(f"{API}/firms", json=foreign).status_code == 201
    assert admin.post(f"{API}/firms", json=foreign).status_code == 409
    assert admin.post(f"{API}/firms", json=new_firm(credit_code=None)).status_code == 422
    assert admin.post(f"{API}/firms", json=new_firm(credit_code=None, registration_number="1")).status_code == 422


def test_affiliates_are_all_under_the_same_topmost_parent(admin: Browser) -> None:
    top, alone = f.FirmFactory(), f.FirmFactory()
    middle = f.FirmFactory(parent=top)
    bottom, sister = f.FirmFactory(parent=middle), f.FirmFactory(parent=top)
    found = admin.get(f"{API}/firms/{bottom.id}/affiliates").json
    assert {firm["id"] for firm in found} == {str(firm.id) for firm in (top, middle, bottom, sister)}
    assert [firm["id"] for firm in admin.get(f"{API}/firms/{alone.id}/affiliates").json] == [str(alone.id)]
    loop = change(admin, f"/firms/{top.id}", parent_id=str(bottom.id))
    assert (loop.status_code, loop.json["errors"][0]["pointer"]) == (422, "#/parent_id")


def test_a_change_of_a_firm_needs_its_version(admin: Browser) -> None:
    firm = f.FirmFactory()
    assert admin.patch(f"{API}/firms/{firm.id}", json={"name_en": "New"}).status_code == 428
    changed = change(admin, f"/firms/{firm.id}", name_en="New", active=False)
    assert (changed.json["name_en"], changed.json["active"]) == ("New", False)


def test_firms_see_the_register_and_their_own_plants(admin: Browser, client_as: SignIn) -> None:
    site = f.SiteFactory()
    gone = f.FirmFactory(active=False)
    trader = client_as(f.UserFactory(firm=site.firm))
    stranger = client_as(f.UserFactory())
    assert stranger.get(f"{API}/firms/{site.firm.id}").status_code == 200
    assert stranger.get(f"{API}/firms/{gone.id}").status_code == 404
    assert admin.get(f"{API}/firms/{gone.id}").status_code == 200
    assert [row["id"] for row in trader.get(f"{API}/sites").json["items"]] == [str(site.id)]
    assert stranger.get(f"{API}/sites").json["items"] == []
    assert stranger.get(f"{API}/sites/{site.id}").status_code == 404
    assert trader.post(f"{API}/firms", json=new_firm()).status_code == 403


def test_sites_and_what_is_built_there_are_put_idempotently(admin: Browser, session: Session) -> None:
    firm, region, grade = f.FirmFactory(), f.RegionFactory(), f.GradeFactory()
    values = {"name_zh": "宜春", "name_en": "Yichun", "region": region.code}
    first = admin.put(f"{API}/firms/{firm.id}/sites/yichun", json=values)
    second = admin.put(f"{API}/firms/{firm.id}/sites/yichun", json=values)
    assert first.status_code == second.status_code == 200
    assert first.json == second.json
    unknown = admin.put(f"{API}/firms/{firm.id}/sites/other", json={**values, "region": "XX"})
    assert unknown.json["errors"][0]["pointer"] == "#/region"
    built = {"product": grade.product_code, "capacity_per_year": "20000", "utilisation": "0.8", "source": "filing"}
    for capacity in ("20000", "25000", "25000"):
        put = admin.put(f"{API}/sites/{first.json['id']}/capabilities", json=built | {"capacity_per_year": capacity})
        assert put.json["capacity_per_year"] == capacity
    assert [row.capacity_per_year for row in session.scalars(sa.select(SiteCapability))] == [25000]
    wrong = admin.put(f"{API}/sites/{first.json['id']}/capabilities", json=built | {"grade": "gold"})
    assert wrong.json["errors"][0]["pointer"] == "#/grade"


def test_certificates_are_entered_prolonged_and_suspended(admin: Browser, client_as: SignIn) -> None:
    site = f.SiteFactory()
    kind = f.CertificateKindFactory(code="ISO9001")
    values = {
        "firm_id": str(site.firm.id),
        "site_id": str(site.id),
        "kind": kind.code,
        "number": "C-1",
        "valid_from": "2026-01-01",
        "valid_to": "2027-12-31",
    }
    entered = admin.post(f"{API}/certificates", json=values)
    assert entered.status_code == 201, entered.json
    assert admin.post(f"{API}/certificates", json=values).status_code == 409
    for field, value in (("kind", "ISO0"), ("site_id", str(f.SiteFactory().id)), ("valid_to", "2025-12-31")):
        refused = admin.post(f"{API}/certificates", json=values | {"number": "C-2", field: value})
        assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, f"#/{field}")
    url = f"/certificates/{entered.json['id']}"
    changed = change(admin, url, valid_to="2029-12-31", suspended=True)
    assert (changed.json["valid_to"], changed.json["suspended"]) == ("2029-12-31", True)
    assert client_as(f.UserFactory(firm=site.firm)).get(API + url).status_code == 200
    assert client_as(f.UserFactory()).get(API + url).status_code == 404


def test_whom_a_firm_refuses_is_its_own_matter(client_as: SignIn) -> None:
    trader, other = f.UserFactory(), f.UserFactory()
    own, theirs = client_as(trader), client_as(other)
    url = f"{API}/exclusions/{other.firm.id}"
    first, second = own.put(url), own.put(url)
    assert (first.status_code, first.json) == (200, second.json)
    assert [row["firm_id"] for row in own.get(f"{API}/exclusions").json["items"]] == [str(other.firm.id)]
    assert theirs.get(f"{API}/exclusions").json["items"] == []
    assert own.put(f"{API}/exclusions/{trader.firm.id}").status_code == 422
    assert own.put(f"{API}/exclusions/{uuid.UUID(int=3)}").status_code == 404
    assert own.delete(url).status_code == own.delete(url).status_code == 204
    assert own.get(f"{API}/exclusions").json["items"] == []


def test_a_firms_admin_keeps_his_own_team(client_as: SignIn, session: Session) -> None:
    chief, outsider = f.FirmAdminFactory(), f.UserFactory()
    browser = client_as(chief)
    invited = browser.post(
        f"{API}/users", json={"email": "new@example.org", "name": "New", "role": "firm_trader", "language": "en"}
    )
    assert invited.status_code == 201, invited.json
    assert invited.json["firm_id"] == str(chief.firm.id)
    user = session.get_one(User, uuid.UUID(invited.json["id"]))
    assert passwords.verify(user.password_hash, invited.json["first_password"])
    listed = browser.get(f"{API}/users").json["items"]
    assert {row["id"] for row in listed} == {str(chief.id), invited.json["id"]}
    assert browser.get(f"{API}/users/{outsider.id}").status_code == 404
    assert browser.post(f"{API}/users/{outsider.id}/new-password").status_code == 404
    for terms, status in (
        ({"role": "platform_admin"}, 422),
        ({"role": "firm_trader", "firm_id": str(outsider.firm.id)}, 404),
        ({"role": "firm_trader", "email": "NEW@example.org"}, 409),
    ):
        body = {"email": "more@example.org", "name": "More", **terms}
        assert browser.post(f"{API}/users", json=body).status_code == status, terms
    assert client_as(f.UserFactory(firm=chief.firm)).get(f"{API}/users").status_code == 403


def test_a_new_role_the_end_and_a_new_password_sign_out(admin: Browser, session: Session) -> None:
    user = f.UserFactory()
    tokens = {user.session_token}
    assert change(admin, f"/users/{user.id}", role="firm_admin").json["role"] == "firm_admin"
    tokens.add(user.session_token)
    assert change(admin, f"/users/{user.id}", active=False).json["active"] is False
    tokens.add(user.session_token)
    answer = admin.post(f"{API}/users/{user.id}/new-password")
    tokens.add(user.session_token)
    assert len(tokens) == 4
    assert passwords.verify(user.password_hash, answer.json["first_password"])
    assert change(admin, f"/users/{user.id}", role="regulator").status_code == 422


def test_nobody_raises_or_ends_himself(client_as: SignIn) -> None:
    chief = f.FirmAdminFactory()
    browser = client_as(chief)
    for values in ({"role": "firm_trader"}, {"active": False}):
        assert change(browser, f"/users/{chief.id}", **values).status_code == 422
    assert change(browser, f"/users/{chief.id}", name="Chief").json["name"] == "Chief"


def test_platform_people_belong_to_no_firm(admin: Browser) -> None:
    staff = {"email": "staff@example.org", "name": "Staff", "role": "platform_staff"}
    assert admin.post(f"{API}/users", json=staff).status_code == 201
    trader = {"email": "trader@example.org", "name": "Trader", "role": "firm_trader"}
    assert admin.post(f"{API}/users", json=trader).json["errors"][0]["pointer"] == "#/firm_id"
    assert admin.post(f"{API}/users", json=trader | {"firm_id": str(f.FirmFactory().id)}).status_code == 201


@pytest.mark.parametrize("role", [UserRole.PLATFORM_STAFF, UserRole.REGULATOR])
def test_others_of_the_platform_manage_neither_firms_nor_people(client_as: SignIn, role: UserRole) -> None:
    browser = client_as(f.StaffFactory(role=role))
    assert browser.post(f"{API}/firms", json=new_firm()).status_code == 403
    assert browser.get(f"{API}/users").status_code == 403
