"""What every part of the API keeps to: problems, keys, idempotency, versions, pages, documentation.

A small blueprint of places stands for all others; its rows are those of the table `region`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import create_app
from app.db import db
from app.models import ApiKey, IdempotencyKey, Region, User
from app.transaction import Application

from ..conftest import Client
from ..factories import FirmAdminFactory, PlatformAdminFactory, RegionFactory, UserFactory
from .places import places

KeyHeaders = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def app(database_url: str) -> Iterator[Application]:
    """The application with the places; errors become answers as in production."""
    application = create_app(environment="test", database_url=database_url, csrf=False, log_level="CRITICAL")
    application.config["PROPAGATE_EXCEPTIONS"] = False
    application.test_client_class = Client
    application.extensions["flask-smorest"]["apis"][""]["ext_obj"].register_blueprint(places)
    yield application
    with application.app_context():
        db.engine.dispose()


@pytest.fixture
def admin(session: Session) -> User:
    user: User = FirmAdminFactory()
    return user


@pytest.fixture
def erp(client: FlaskClient, key_headers: KeyHeaders, admin: User) -> FlaskClient:
    """An ERP system that sends its key with every request."""
    client.environ_base["HTTP_AUTHORIZATION"] = key_headers(admin)["Authorization"]
    return client


PLACE = {"code": "P1", "name_en": "Yichun", "lat": "27.8", "lon": "114.4"}


def problem(answer: TestResponse, status: int, name: str) -> dict[str, Any]:
    """The problem document of an answer, checked for what all of them have."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    body: dict[str, Any] = answer.get_json()
    assert body["type"] == f"/problems/{name}"
    assert body["status"] == status
    assert body["title"]
    assert body["instance"] == f"urn:request:{answer.headers['X-Request-ID']}"
    return body


# -- problems ---------------------------------------------------------------------------------------------------------


def test_every_fault_of_a_body_has_its_place(erp: FlaskClient) -> None:
    body = problem(erp.post("/api/v1/places/", json={"code": "", "lat": "91", "x/y": 1}), 422, "unprocessable-entity")
    found = {error["pointer"]: error["detail"] for error in body["errors"]}
    assert set(found) == {"#/code", "#/name_en", "#/lat", "#/x~1y"}
    assert found["#/lat"] == "91 is too large; expected 90 or less"


def test_a_fault_of_the_query_names_the_parameter(erp: FlaskClient) -> None:
    body = problem(erp.get("/api/v1/places/?limit=0&page=2"), 422, "unprocessable-entity")
    assert {error["parameter"] for error in body["errors"]} == {"limit", "page"}


def test_a_body_that_is_no_json_is_a_problem(erp: FlaskClient) -> None:
    answer = erp.post("/api/v1/places/", data="{", content_type="application/json")
    problem(answer, 400, "bad-request")


def test_the_wrong_method_tells_the_right_ones(erp: FlaskClient) -> None:
    answer = erp.delete("/api/v1/places/")
    problem(answer, 405, "method-not-allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_without_a_key_the_challenge_is_sent(client: FlaskClient) -> None:
    answer = client.get("/api/v1/places/")
    problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_unknown_address_is_a_problem_under_api_and_a_page_elsewhere(client: FlaskClient) -> None:
    problem(client.get("/api/v1/nothing"), 404, "not-found")
    page_answer = client.get("/nothing")
    assert page_answer.status_code == 404
    assert page_answer.mimetype == "text/html"


@pytest.mark.parametrize(
    ("fate", "status", "name", "members"),
    [
        (
            "refused",
            422,
            "refused",
            {"errors": [{"pointer": "#/lines/0/quantity", "detail": "the lot is 5 t; expected a multiple of it"}]},
        ),
        ("conflict", 409, "conflict", {"open_moves": ["release"]}),
        (
            "faults",
            422,
            "bad-input",
            {"errors": [{"place": "offers.xlsx", "row": 3, "column": "price", "detail": "'x'; expected a number"}]},
        ),
        ("crash", 500, "internal-server-error", {}),
    ],
)
def test_a_refusal_becomes_its_problem_and_undoes_what_was_written(
    erp: FlaskClient, fate: str, status: int, name: str, members: dict[str, Any]
) -> None:
    region = RegionFactory(code="P7", name_en="as it was")
    body = problem(erp.post(f"/api/v1/places/P7/{fate}"), status, name)
    assert {key: body[key] for key in members} == members
    assert "secret detail" not in str(body)
    assert region.name_en == "as it was"


def test_what_is_to_be_kept_stays_although_the_request_is_refused(erp: FlaskClient) -> None:
    region = RegionFactory(code="P7")
    problem(erp.post("/api/v1/places/P7/kept"), 422, "refused")
    assert region.name_en == "written before the failure"


def test_a_rule_of_the_database_is_named(erp: FlaskClient) -> None:
    body = problem(erp.post("/api/v1/places/", json=PLACE | {"country": "zz"}), 422, "rule-broken")
    assert "ck_region_country" in body["detail"]
    assert erp.post("/api/v1/places/", json=PLACE).status_code == 201
    body = problem(erp.post("/api/v1/places/", json=PLACE), 409, "conflict")
    assert "pk_region" in body["detail"]


def test_what_the_database_cannot_hold_is_a_refusal_not_a_crash(erp: FlaskClient) -> None:
    problem(erp.post("/api/v1/places/", json=PLACE | {"country": "C\x00"}), 422, "invalid-value")
    problem(erp.post("/api/v1/places/", json=PLACE | {"country": "CHN"}), 422, "invalid-value")


def test_the_type_of_a_problem_leads_to_a_page(client: FlaskClient) -> None:
    assert client.get("/problems/conflict").status_code == 200
    assert client.get("/problems/unprocessable-entity").status_code == 200
    assert client.get("/problems/nothing-known").status_code == 404


# -- keys -------------------------------------------------------------------------------------------------------------


def test_a_firm_makes_lists_and_revokes_its_keys(
    app: Application, session: Session, client_as: Callable[[User], FlaskClient], admin: User
) -> None:
    browser = client_as(admin)
    made = browser.post("/api/v1/api-keys/", json={"name": "SAP", "scopes": ["offer:read", "reference:read"]})
    assert made.status_code == 201, made.text
    key = made.get_json()["key"]
    row = session.scalars(sa.select(ApiKey)).one()
    assert key.startswith(f"cd_{row.public_id}_")
    assert key.rpartition("_")[2] not in str(vars(row)), "the secret itself is stored"
    headers = {"Authorization": f"Bearer {key}"}
    assert app.test_client().get("/api/v1/places/", headers=headers).status_code == 200
    assert row.last_used_at is not None
    assert app.test_client().post("/api/v1/places/", json=PLACE, headers=headers).status_code == 403
    listed = browser.get("/api/v1/api-keys/").get_json()["items"]
    assert [item["name"] for item in listed] == ["SAP"]
    assert "key" not in listed[0]
    assert browser.post(f"/api/v1/api-keys/{row.id}/revoke").status_code == 200
    problem(app.test_client().get("/api/v1/places/", headers=headers), 401, "unauthorized")


def test_another_firms_key_does_not_exist(client_as: Callable[[User], FlaskClient], session: Session) -> None:
    ours, theirs = FirmAdminFactory(), FirmAdminFactory()
    made = client_as(theirs).post("/api/v1/api-keys/", json={"name": "SAP", "scopes": ["offer:read"]}).get_json()
    problem(client_as(ours).post(f"/api/v1/api-keys/{made['id']}/revoke"), 404, "not-found")
    assert client_as(ours).get("/api/v1/api-keys/").get_json()["items"] == []
    request = {"name": "x", "scopes": ["offer:read"], "firm_id": str(theirs.firm_id)}
    problem(client_as(ours).post("/api/v1/api-keys/", json=request), 404, "not-found")
    platform = client_as(PlatformAdminFactory())
    assert len(platform.get("/api/v1/api-keys/").get_json()["items"]) == 1
    problem(platform.post("/api/v1/api-keys/", json={"name": "x", "scopes": ["offer:read"]}), 422, "refused")


def test_a_key_cannot_have_the_rights_over_people(client_as: Callable[[User], FlaskClient], admin: User) -> None:
    request = {"name": "x", "scopes": ["user:manage"]}
    problem(client_as(admin).post("/api/v1/api-keys/", json=request), 422, "unprocessable-entity")


def test_a_key_that_is_expired_or_of_a_closed_firm_is_no_key(session: Session, erp: FlaskClient, admin: User) -> None:
    assert erp.get("/api/v1/places/").status_code == 200
    key = session.scalars(sa.select(ApiKey)).one()
    key.expires_at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    problem(erp.get("/api/v1/places/"), 401, "unauthorized")
    key.expires_at = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    assert erp.get("/api/v1/places/").status_code == 200
    assert admin.firm
    admin.firm.active = False
    problem(erp.get("/api/v1/places/"), 401, "unauthorized")


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer ", "Bearer nonsense", f"Bearer cd_{'0' * 12}_{'a' * 43}", "Basic dTpw", "x"]
)
def test_any_other_authorization_is_refused(client: FlaskClient, authorization: str) -> None:
    problem(client.get("/api/v1/places/", headers={"Authorization": authorization}), 401, "unauthorized")


def test_a_right_id_with_a_wrong_secret_is_refused(erp: FlaskClient) -> None:
    right = erp.environ_base["HTTP_AUTHORIZATION"]
    wrong = right[:-1] + ("a" if right[-1] != "a" else "b")
    problem(erp.get("/api/v1/places/", headers={"Authorization": wrong}), 401, "unauthorized")


def test_a_browsers_change_needs_its_token_and_a_keys_does_not(
    app: Application,
    erp: FlaskClient,
    client_as: Callable[[User], FlaskClient],
    admin: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    problem(client_as(admin).post("/api/v1/places/", json=PLACE), 400, "bad-request")
    assert erp.post("/api/v1/places/", json=PLACE).status_code == 201
    problem(app.test_client().post("/api/v1/places/", json=PLACE), 401, "unauthorized")


# -- idempotency ------------------------------------------------------------------------------------------------------


def test_the_same_request_again_gets_the_same_answer_and_makes_nothing(erp: FlaskClient, session: Session) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = erp.post("/api/v1/places/", json=PLACE, headers=headers)
    second = erp.post("/api/v1/places/", json=PLACE, headers=headers)
    assert first.status_code == 201
    assert (second.status_code, second.get_data()) == (first.status_code, first.get_data())
    assert second.headers["Location"] == first.headers["Location"] == "/api/v1/places/P1"
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert session.scalar(sa.select(sa.func.count()).where(Region.code == "P1")) == 1


def test_the_same_key_for_another_request_is_refused(erp: FlaskClient) -> None:
    headers = {"Idempotency-Key": "order-1"}
    erp.post("/api/v1/places/", json=PLACE, headers=headers)
    problem(erp.post("/api/v1/places/", json=PLACE | {"code": "P2"}, headers=headers), 422, "unprocessable-entity")


def test_a_refused_request_may_be_mended_under_the_same_key(erp: FlaskClient, session: Session) -> None:
    headers = {"Idempotency-Key": "order-1"}
    assert erp.post("/api/v1/places/", json=PLACE | {"country": "zz"}, headers=headers).status_code == 422
    assert session.scalar(sa.select(sa.func.count()).select_from(IdempotencyKey)) == 0
    assert erp.post("/api/v1/places/", json=PLACE, headers=headers).status_code == 201


def test_a_key_belongs_to_who_sent_it(app: Application, key_headers: KeyHeaders, session: Session) -> None:
    for number in range(2):
        headers = key_headers(FirmAdminFactory()) | {"Idempotency-Key": "order-1"}
        answer = app.test_client().post("/api/v1/places/", json=PLACE | {"code": f"P{number}"}, headers=headers)
        assert answer.status_code == 201


def test_while_the_first_is_running_the_second_is_told_to_wait(
    erp: FlaskClient, session: Session, database_url: str
) -> None:
    key = session.scalars(sa.select(ApiKey)).one()
    with psycopg.connect(database_url.replace("+psycopg", "")) as another:
        another.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"api_key:{key.id} order-1"])
        answer = erp.post("/api/v1/places/", json=PLACE, headers={"Idempotency-Key": "order-1"})
        problem(answer, 409, "conflict")
        assert answer.headers["Retry-After"] == "1"
        another.rollback()
    assert erp.post("/api/v1/places/", json=PLACE, headers={"Idempotency-Key": "order-1"}).status_code == 201


@pytest.mark.parametrize("key", ["", "with blank", "é", "x" * 256])
def test_a_key_of_another_form_is_refused(erp: FlaskClient, key: str) -> None:
    body = problem(
        erp.post("/api/v1/places/", json=PLACE, headers={"Idempotency-Key": key}), 422, "unprocessable-entity"
    )
    assert body["errors"][0]["parameter"] == "Idempotency-Key"


# -- versions ---------------------------------------------------------------------------------------------------------


def test_what_is_not_changed_is_not_sent_again(erp: FlaskClient) -> None:
    RegionFactory(code="P1")
    first = erp.get("/api/v1/places/P1")
    assert first.headers["ETag"].startswith('"')
    again = erp.get("/api/v1/places/P1", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.get_data()) == (304, b"")


def test_nobody_overwrites_what_he_has_not_seen(erp: FlaskClient) -> None:
    region = RegionFactory(code="P1", name_en="first")
    seen = erp.get("/api/v1/places/P1").headers["ETag"]
    problem(erp.put("/api/v1/places/P1", json=PLACE | {"name_en": "x"}), 428, "precondition-required")
    changed = erp.put("/api/v1/places/P1", json=PLACE | {"name_en": "second"}, headers={"If-Match": seen})
    assert changed.status_code == 200
    late = {"name_en": "lost"}
    for tag in (seen, f"W/{changed.headers['ETag']}", '"other"'):
        answer = erp.put("/api/v1/places/P1", json=PLACE | late, headers={"If-Match": tag})
        problem(answer, 412, "precondition-failed")
    assert region.name_en == "second"
    answer = erp.put("/api/v1/places/P1", json=PLACE | late, headers={"If-Match": changed.headers["ETag"]})
    assert answer.status_code == 200


# -- pages ------------------------------------------------------------------------------------------------------------


def test_pages_together_are_the_whole_list_in_order(erp: FlaskClient) -> None:
    for number in range(7):
        RegionFactory(code=f"P{number}", name_en="twin" if number % 2 else "other")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        answer = erp.get("/api/v1/places/", query_string={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        body = answer.get_json()
        seen += [item["code"] for item in body["items"]]
        # A row that comes in before the cursor shifts nothing.
        RegionFactory(code=f"P_{len(seen)}", name_en="always first")
        cursor = body["next"]
        if cursor is None:
            break
    assert seen == ["P0", "P2", "P4", "P6", "P1", "P3", "P5"]


def test_a_cursor_that_is_not_of_this_list_is_refused(erp: FlaskClient, client_as: Any, admin: User) -> None:
    for number in range(3):
        RegionFactory(code=f"P{number}")
    cursor = erp.get("/api/v1/places/?limit=1").get_json()["next"]
    for wrong in ("nonsense", cursor[:-2] + "xx"):
        body = problem(erp.get("/api/v1/places/", query_string={"cursor": wrong}), 422, "unprocessable-entity")
        assert body["errors"][0]["parameter"] == "cursor"
    problem(client_as(admin).get("/api/v1/api-keys/", query_string={"cursor": cursor}), 422, "unprocessable-entity")


def test_the_newest_come_first_where_the_list_says_so(
    session: Session, client_as: Callable[[User], FlaskClient], admin: User, key_headers: KeyHeaders
) -> None:
    for _ in range(5):
        key_headers(admin)
    browser = client_as(admin)
    first = browser.get("/api/v1/api-keys/?limit=3").get_json()
    second = browser.get("/api/v1/api-keys/", query_string={"limit": 3, "cursor": first["next"]}).get_json()
    times = [item["created_at"] for item in first["items"] + second["items"]]
    assert len(times) == 5
    assert times == sorted(times, reverse=True)
    assert all(time.endswith("Z") for time in times)
    assert second["next"] is None


# -- documentation -----------------------------------------------------------------------------------


def test_the_document_is_valid_and_says_what_is_needed(client: FlaskClient) -> None:
    document = client.get("/api/v1/openapi.json").get_json()
    validate(document)
    assert document["openapi"].startswith("3.1")
    post = document["paths"]["/api/v1/places/"]["post"]
    assert post["x-permission"] == "offer:post"
    assert "Idempotency-Key" in {parameter["name"] for parameter in post["parameters"]}
    put = document["paths"]["/api/v1/places/{code}"]["put"]
    assert "If-Match" in {parameter["name"] for parameter in put["parameters"]}
    default = document["components"]["responses"]["DEFAULT_ERROR"]
    assert list(default["content"]) == ["application/problem+json"]
    lat = document["components"]["schemas"]["Place"]["properties"]["lat"]
    assert (lat["type"], lat["format"]) == ("string", "decimal")
    assert "pattern" in lat


def test_people_of_a_firm_may_use_the_api_in_their_browser(
    client_as: Callable[[User], FlaskClient], session: Session
) -> None:
    assert client_as(UserFactory()).get("/api/v1/places/").status_code == 200
