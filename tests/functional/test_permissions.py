"""Every view says who may enter it, and the table of grants holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Blueprint
from flask.testing import FlaskClient

from app import create_app
from app.auth import access_of, public, requires
from app.auth.principal import SYSTEM
from app.models import User, UserRole
from app.permissions import FIRM_ROLES, GRANTS, KEY_SCOPES, Permission
from app.transaction import Application

from ..factories import StaffFactory, UserFactory

P = Permission
PLATFORM_ROLES = set(UserRole) - FIRM_ROLES


def test_every_view_names_a_permission_or_is_public(app: Application) -> None:
    silent = [
        f"{method} {rule.rule} ({rule.endpoint})"
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if access_of(app, rule.endpoint, method) is None
    ]
    assert not silent, f"views without `requires` or `public`: {silent}"


@pytest.fixture
def small_app(database_url: str) -> Application:
    """An application with three views of its own: one silent, one public, one for those who read offers."""
    application = create_app(environment="test", database_url=database_url, csrf=False, log_level="ERROR")
    views = Blueprint("views", __name__)
    views.add_url_rule("/silent", "silent", lambda: "no")
    views.add_url_rule("/api/v1/silent", "silent_api", lambda: "no")
    views.add_url_rule("/public", "public", public(lambda: "yes"))
    views.add_url_rule("/offers", "offers", requires(P.OFFER_READ)(lambda: "yes"))
    views.add_url_rule("/api/v1/offers-only", "offers_api", requires(P.OFFER_READ)(lambda: "yes"))
    application.register_blueprint(views)
    return application


def test_a_silent_view_is_found_and_closed(small_app: Application) -> None:
    assert access_of(small_app, "views.silent", "GET") is None
    assert access_of(small_app, "views.public", "GET") == "public"
    assert access_of(small_app, "views.offers", "GET") is P.OFFER_READ
    browser = small_app.test_client()
    assert browser.get("/silent").status_code == 403
    assert browser.get("/api/v1/silent").status_code == 403
    assert browser.get("/public").status_code == 200


def test_who_is_not_signed_in_goes_to_the_form_or_gets_401(small_app: Application) -> None:
    browser = small_app.test_client()
    page = browser.get("/offers?tier=2")
    assert page.status_code == 302
    assert page.location == "/sign-in?next=/offers?tier%3D2"
    answer = browser.get("/api/v1/offers-only")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("role", "status"), [(UserRole.FIRM_ADMIN, 200), (UserRole.FIRM_TRADER, 403), (UserRole.REGULATOR, 403)]
)
def test_who_lacks_the_permission_gets_403(
    client_as: Callable[[User], FlaskClient], role: UserRole, status: int
) -> None:
    user = UserFactory(role=role) if role in FIRM_ROLES else StaffFactory(role=role)
    answer = client_as(user).get("/api/v1/api-keys/")
    assert answer.status_code == status


def test_every_role_has_its_grants() -> None:
    assert set(GRANTS) == set(UserRole)
    assert set().union(*GRANTS.values()) == set(Permission), "a permission that nobody has"
    assert SYSTEM.permissions == set(Permission)


def test_no_firm_reviews_or_sees_what_is_sealed() -> None:
    for role in FIRM_ROLES:
        assert not GRANTS[role] & {
            P.REVIEW_READ,
            P.REVIEW_DECIDE,
            P.REVIEW_SECOND,
            P.SEALED_READ,
            P.RUN_START,
            P.ROUND_MANAGE,
            P.AUDIT_READ,
            P.REFERENCE_MANAGE,
            P.FIRM_MANAGE,
        }


def test_no_one_on_the_platform_trades() -> None:
    for role in PLATFORM_ROLES:
        assert not GRANTS[role] & {P.OFFER_POST, P.OFFER_IMPORT, P.PROPOSAL_DECIDE}


def test_the_second_pair_of_eyes_is_a_senior_one() -> None:
    assert [role for role in UserRole if P.REVIEW_SECOND in GRANTS[role]] == [UserRole.SENIOR_STAFF]


def test_the_platform_admin_and_the_regulator_see_no_sealed_offer() -> None:
    for role in (UserRole.PLATFORM_ADMIN, UserRole.REGULATOR):
        assert not GRANTS[role] & {P.SEALED_READ, P.REVIEW_READ, P.OFFER_READ, P.REVIEW_DECIDE}


def test_the_regulator_only_reads() -> None:
    assert all(permission.value.endswith(":read") for permission in GRANTS[UserRole.REGULATOR])


def test_a_key_manages_neither_people_nor_keys() -> None:
    assert not KEY_SCOPES & {P.USER_MANAGE, P.API_KEY_MANAGE, P.FIRM_MANAGE}
    assert not KEY_SCOPES - GRANTS[UserRole.FIRM_TRADER]
