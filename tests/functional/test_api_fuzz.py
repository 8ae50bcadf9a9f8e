"""Every operation of the API, with requests made from its own document: no crash, and answers as documented."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy.orm import Session

from app.models import User
from app.transaction import Application

from ..factories import FirmAdminFactory, PlatformAdminFactory, SeniorStaffFactory, UserFactory

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 5
"""Requests made for each operation. To make one takes far longer than to send it, so each is sent by everybody."""


def test_no_request_that_fits_the_document_crashes(
    app: Application, session: Session, client_as: Callable[[User], FlaskClient]
) -> None:
    """The client of schemathesis is not ours: the application context is made for each request here."""
    people = (UserFactory(), FirmAdminFactory(), SeniorStaffFactory(), PlatformAdminFactory())
    everybody = [session_of(app, client_as(person)) for person in people]
    with app.app_context():
        document = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    document.config.generation.with_security_parameters = False  # keys drawn at random would take the session's place
    operations = [found.ok() for found in document.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == sum(1 for _ in document.get_all_operations())
    closed = []
    for operation in operations:
        try:
            statuses = ask(app, operation, everybody)
        except Exception as error:
            pytest.fail(f"{operation.method.upper()} {operation.path}: {error}")
        if statuses <= {401, 403}:
            closed.append(f"{operation.method.upper()} {operation.path}")
    assert closed == [], "none of these people may do that: a crash would not be seen"


def ask(app: Application, operation: schemathesis.APIOperation, everybody: list[SignedIn]) -> set[int]:
    """Send requests for an operation; returns how they were answered."""
    statuses: set[int] = set()

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def send(case: schemathesis.Case) -> None:
        for one in everybody:
            with app.app_context():
                answer = case.call_and_validate(headers=one.headers, cookies=one.cookies, checks=CHECKS)
            statuses.add(answer.status_code)

    send()
    return statuses


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a browser sends with every request once a person has signed in."""

    headers: dict[str, str]
    cookies: dict[str, str]


def session_of(app: Application, browser: FlaskClient) -> SignedIn:
    """The client of schemathesis keeps cookies of its own, and would send none that stands in a header."""
    name = app.config["SESSION_COOKIE_NAME"]
    cookie = browser.get_cookie(name)
    assert cookie
    return SignedIn(
        headers={"User-Agent": browser.environ_base["HTTP_USER_AGENT"]}, cookies={name: cookie.decoded_value}
    )
