"""The pages of webhooks for a firm's administrator, as they work without a script."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import User, WebhookEndpoint
from app.operations.topics import TOPICS, webhook_topics
from tests import factories as make

Browser = Any  # a FlaskClient; its answers' `json` may be anything
ADDRESS = "https://erp.example.com/hook"


def test_a_group_stands_for_all_its_topics(session: Session, client_as: Callable[[User], Browser]) -> None:
    browser = client_as(make.FirmAdminFactory())
    page = browser.get("/webhooks").text
    groups = re.findall(r'name="groups" value="(\w+)"', page)
    assert set(groups) == {TOPICS[code].group for code in webhook_topics()}
    empty = browser.post("/webhooks", data={"url": ADDRESS})
    assert (empty.status_code, "Choose at least one topic." in empty.text) == (422, True)
    made = browser.post(
        "/webhooks", data={"url": ADDRESS, "groups": ["proposal", "nonsense"], "topics": ["claim.upheld"]}
    )
    assert "whsec_" in made.text
    endpoint = session.scalars(sa.select(WebhookEndpoint)).one()
    of_proposals = [code for code in webhook_topics() if TOPICS[code].group == "proposal"]
    assert sorted(endpoint.topics) == sorted([*of_proposals, "claim.upheld"])
    assert len(of_proposals) > 5
    page = browser.get(f"/webhooks/{endpoint.id}").text
    count = sum(TOPICS[code].group == "claim" for code in webhook_topics())
    assert f"1 of {count}" in page, "a group that is taken in part stands open and says so"
    assert page.count('name="topics"') == len(webhook_topics())
