"""A firm's administrator in a browser: a key for the ERP system, a webhook with a test, a colleague with a role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from app.db import db
from app.models import ApiKey, User, UserRole, WebhookEndpoint
from app.permissions import KEY_SCOPES
from app.transaction import Application
from tests import factories as make

from .conftest import NARROW, Sitting, settle


@pytest.fixture
def to_loopback(app: Application) -> Iterator[None]:
    usual = app.config["CHANGDAN"]
    app.config["CHANGDAN"] = replace(usual, webhooks_to_loopback=True)
    yield
    app.config["CHANGDAN"] = usual


def test_a_key_is_made_shown_once_and_revoked(sit_down: Sitting) -> None:
    desk = sit_down(make.FirmAdminFactory())
    page = desk.open("/keys")
    page.get_by_label("Name").fill("SAP")
    page.get_by_role("button", name="All or none of them").click()
    expect(page.locator("[name=scopes]:checked")).to_have_count(len(KEY_SCOPES))
    page.get_by_role("button", name="Make the key").click()
    token = page.locator("[data-secret]").inner_text()
    assert token.startswith("cd_")
    page.get_by_role("link", name="I have copied it").click()
    assert token not in page.content()
    page.get_by_role("button", name="Revoke").click()
    expect(page.locator("tbody")).to_contain_text("revoked")
    settle()
    assert db.session.scalars(sa.select(ApiKey)).one().revoked_at is not None


@pytest.mark.usefixtures("to_loopback")
def test_a_webhook_is_added_and_tested(sit_down: Sitting) -> None:
    desk = sit_down(make.FirmAdminFactory())
    page = desk.open("/webhooks")
    page.get_by_label("Address").fill("http://127.0.0.1:9/hook")
    page.get_by_label("Description").fill("SAP")
    contracts = page.locator(".topic-group", has=page.get_by_text("Contracts", exact=True))
    whole = contracts.locator("[name=groups]")
    whole.check()
    of_contracts = contracts.locator("[name=topics]").count()
    contracts.locator("summary").click()
    desk.picture("topics")
    contracts.locator("[name=topics]").first.uncheck()
    expect(whole).not_to_be_checked()
    assert whole.evaluate("box => box.indeterminate"), "some of the group"
    page.get_by_role("button", name="Add the webhook").click()
    expect(page.locator("[data-secret]")).to_contain_text("whsec_")
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator(".flash")).to_contain_text("A test message is on its way.")
    settle()
    assert len(db.session.scalars(sa.select(WebhookEndpoint)).one().topics) == of_contracts - 1 > 5


def test_a_colleague_is_invited_and_given_another_role(sit_down: Sitting) -> None:
    admin = make.FirmAdminFactory()
    desk = sit_down(admin, size=NARROW)
    page = desk.open("/people")
    page.get_by_label("Name", exact=True).fill("Wang Fang")
    page.get_by_label("E-mail").fill("wang@example.org")
    page.get_by_role("button", name="Make the account").click()
    expect(page.locator("main")).to_contain_text("wang@example.org")
    settle()
    invited = db.session.scalars(sa.select(User).where(User.email == "wang@example.org")).one()
    assert (invited.firm_id, invited.role) == (admin.firm_id, UserRole.FIRM_TRADER)
    page = desk.open("/people")
    page.get_by_label("Role: Wang Fang").select_option("firm_admin")
    page.get_by_role("row", name="Wang Fang").get_by_role("button", name="Give").click()
    expect(page.locator(".flash")).to_contain_text("Wang Fang is changed.")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
    settle()
    assert db.session.get_one(User, invited.id).role is UserRole.FIRM_ADMIN
