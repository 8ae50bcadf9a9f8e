"""Every page, for every role: who may enter, who may not, what is not there, and that forms cannot be forged."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app import web
from app.auth import access_of
from app.models import User, UserRole
from app.permissions import FIRM_ROLES, GRANTS, Permission
from app.transaction import Application
from app.web import BLUEPRINTS

from ..factories import StaffFactory, UserFactory

FOR_EVERYBODY = {"/sign-in", "/sign-out", "/language", "/theme", "/verify"}
NAMES = {blueprint.name for blueprint in BLUEPRINTS}
# A decision without a reason goes back to ask for one, before anything is looked up.
ASK_AGAIN = {"review.decide", "impediments.reopen", "impediments.establish"}
# Pages of one firm that its administrator keeps; the platform's has the permission, and no firm.
OF_A_FIRM = {"keys.listing", "keys.create"}


def pages(app: Application, method: str) -> list[Rule]:
    """The routes of our own pages."""
    return [
        rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] in NAMES and method in (rule.methods or set())
    ]


def address(rule: Rule) -> str:
    """A rule's path, with a number that no record has, and the first of the words where it is one of some."""
    path = re.sub(r"<any\((\w+)[^>]*>", r"\1", rule.rule)
    path = re.sub(r"<uuid:\w+>", lambda _: str(uuid.uuid4()), path)
    path = re.sub(r"<int:\w+>", "1", path)
    return re.sub(r"<\w+>", "nothing", path)


def get(browser: FlaskClient, path: str) -> TestResponse:
    """The answer, its file closed."""
    answer = browser.get(path)
    answer.get_data()
    answer.close()
    return answer


def person(role: UserRole) -> User:
    user: User = UserFactory(role=role) if role in FIRM_ROLES else StaffFactory(role=role)
    return user


@pytest.mark.parametrize("role", list(UserRole))
def test_every_page_opens_for_those_who_may_and_for_nobody_else(
    app: Application, client_as: Callable[[User], FlaskClient], role: UserRole
) -> None:
    browser = client_as(person(role))
    for rule in pages(app, "GET"):
        needed = access_of(app, rule.endpoint, "GET")
        answer = get(browser, address(rule))
        may_enter = needed == "public" or needed in GRANTS[role]
        if not may_enter or (rule.endpoint in OF_A_FIRM and role not in FIRM_ROLES):
            expected = {403}
        elif rule.arguments or rule.endpoint == "offer_imports.template":
            expected = {404}
        else:
            expected = {200} if rule.rule != "/sign-in" else {302}
        assert answer.status_code in expected, (role, rule.rule, answer.status_code)


def test_who_is_not_signed_in_reads_the_public_pages_and_signs_in_for_the_others(
    app: Application, client: FlaskClient
) -> None:
    for rule in pages(app, "GET"):
        answer = get(client, address(rule))
        if access_of(app, rule.endpoint, "GET") == "public" and rule.rule != "/":
            assert answer.status_code == (404 if rule.arguments else 200), rule.rule
        else:
            assert answer.status_code == 302, rule.rule
            assert answer.location.startswith("/sign-in")


@pytest.mark.parametrize("role", list(UserRole))
def test_no_form_changes_what_is_not_there_or_not_yours(
    app: Application, client_as: Callable[[User], FlaskClient], role: UserRole
) -> None:
    browser = client_as(person(role))
    for rule in pages(app, "POST"):
        needed = access_of(app, rule.endpoint, "POST")
        if rule.rule in FOR_EVERYBODY:
            continue
        answer = browser.post(address(rule))
        assert isinstance(needed, Permission)
        if needed not in GRANTS[role] or (rule.endpoint in OF_A_FIRM and role not in FIRM_ROLES):
            assert answer.status_code == 403, (role, rule.rule)
        elif rule.arguments:
            assert answer.status_code in {303, 404}, (role, rule.rule)
            if answer.status_code == 303:
                assert rule.endpoint in ASK_AGAIN
        else:
            assert answer.status_code in {200, 303, 422}, (role, rule.rule)


def test_no_form_is_taken_without_its_token(
    app: Application, client_as: Callable[[User], FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    for user in (person(UserRole.FIRM_ADMIN), person(UserRole.SENIOR_STAFF)):
        browser = client_as(user)
        for rule in pages(app, "POST"):
            answer = browser.post(address(rule))
            needed = access_of(app, rule.endpoint, "POST")
            assert answer.status_code == 400, (rule.rule, answer.status_code, needed)


def test_every_form_of_the_pages_carries_a_token() -> None:
    for template in sorted((Path(web.__file__).parent / "templates").glob("*.html")):
        text = template.read_text()
        posts = text.count('method="post"')
        tokens = text.count("parts.csrf()") + text.count("form.csrf_token")
        assert posts <= tokens, template.name


def test_a_page_that_is_not_there_says_so_in_style(client_as: Callable[[User], FlaskClient]) -> None:
    browser = client_as(person(UserRole.FIRM_TRADER))
    page = browser.get("/no-such-page")
    assert page.status_code == 404
    assert "There is no such page for you" in page.text
    forbidden = browser.get("/console/review")
    assert forbidden.status_code == 403
    assert "This is not yours to do" in forbidden.text


def test_the_look_is_kept_in_a_cookie(client: FlaskClient, session: Session) -> None:
    assert "data-theme" not in client.get("/about").text
    client.post("/theme", data={"theme": "dark", "next": "/about"})
    assert 'data-theme="dark"' in client.get("/about").text
    client.post("/theme", data={"theme": "plaid"})
    assert 'data-theme="dark"' in client.get("/about").text
    client.post("/theme", data={"theme": "light"})
    assert 'data-theme="light"' in client.get("/about").text


def test_no_page_names_another_host(app: Application, client_as: Callable[[User], FlaskClient]) -> None:
    for role in (UserRole.FIRM_ADMIN, UserRole.SENIOR_STAFF, UserRole.REGULATOR):
        browser = client_as(person(role))
        for rule in pages(app, "GET"):
            if rule.arguments or rule.rule.endswith((".js", ".csv", ".xlsx")):
                continue
            page = browser.get(rule.rule)
            if page.status_code == 200:
                assert "//" not in page.text.replace("://", "").replace("<!--", ""), rule.rule
                assert "http" not in page.text.replace("http-", ""), rule.rule
                assert " style=" not in page.text, rule.rule
                assert " onclick=" not in page.text, rule.rule
                assert len(page.data) < 300_000, rule.rule
