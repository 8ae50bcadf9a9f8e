"""Views of the queue: kept under a name, one's own, opened with one click, few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import SavedView, User
from app.operations import saved_views
from tests import factories as make

from .web_market import at_noon, proposal_for_review

__all__ = ["at_noon"]

Browser = Any  # a FlaskClient; its answers' `json` may be anything
As = Callable[[User], Browser]
QUEUE, VIEWS = "/console/review", "/console/review/views"


def kept(session: Session) -> dict[str, dict[str, str]]:
    session.expire_all()
    return {view.name: view.arguments for view in session.scalars(sa.select(SavedView).order_by(SavedView.name))}


def test_a_view_is_kept_opened_renewed_and_removed(client_as: As, session: Session) -> None:
    proposal = proposal_for_review()
    browser = client_as(make.StaffFactory())
    assert "Keep this view" not in browser.get(QUEUE).text  # nothing is chosen
    assert "Keep this view" in browser.get(f"{QUEUE}?product={proposal.product_code}&sort=made").text
    chosen = {"product": proposal.product_code, "sort": "made", "after": "secret", "name": "  Carbonate,\u3000newest "}
    answer = browser.post(VIEWS, data=chosen)
    assert answer.location == f"{QUEUE}?product={proposal.product_code}&sort=made"
    assert kept(session) == {"Carbonate, newest": {"product": proposal.product_code, "sort": "made"}}
    page = browser.get(answer.location).text
    assert 'aria-current="true"' in page
    assert "Carbonate, newest" in page
    assert "Keep this view" not in page
    browser.post(VIEWS, data={"sort": "-value", "name": "Carbonate, newest"})
    assert kept(session) == {"Carbonate, newest": {"sort": "-value"}}
    view = session.scalars(sa.select(SavedView)).one()
    assert browser.post(f"{VIEWS}/{view.id}/remove").status_code == 303
    assert kept(session) == {}


@pytest.mark.parametrize("chosen", [{"name": "", "sort": "made"}, {"name": "x" * 61, "sort": "made"}, {"name": "All"}])
def test_what_is_no_view_is_not_kept_and_the_choice_stays(
    client_as: As, session: Session, chosen: dict[str, str]
) -> None:
    browser = client_as(make.StaffFactory())
    answer = browser.post(VIEWS, data=chosen)
    assert answer.location == (f"{QUEUE}?sort=made" if "sort" in chosen else QUEUE)
    assert "The view is not kept" in browser.get(answer.location).text
    assert kept(session) == {}


def test_views_are_ones_own(client_as: As, session: Session) -> None:
    first, second = client_as(make.StaffFactory()), client_as(make.StaffFactory())
    first.post(VIEWS, data={"name": "Mine", "sort": "made"})
    view = session.scalars(sa.select(SavedView)).one()
    assert "Mine" not in second.get(QUEUE).text
    assert second.get("/api/v1/saved-views").json == []
    assert second.post(f"{VIEWS}/{view.id}/remove").status_code == 404
    assert second.delete(f"/api/v1/saved-views/{view.id}").status_code == 404
    assert list(kept(session)) == ["Mine"]
    second.post(VIEWS, data={"name": "Mine", "sort": "product"})  # the same name is another view of another person
    assert session.scalar(sa.select(sa.func.count()).select_from(SavedView)) == 2


def test_there_are_at_most_thirty(client_as: As, session: Session) -> None:
    browser = client_as(make.StaffFactory())
    for number in range(saved_views.MOST_VIEWS):
        browser.post(VIEWS, data={"name": f"View {number}", "sort": "made"})
    refused = browser.put(
        "/api/v1/saved-views", json={"list_name": "review", "name": "x", "arguments": {"sort": "made"}}
    )
    assert refused.status_code == 409
    renewed = {"list_name": "review", "name": "View 3", "arguments": {"sort": "value", "colour": "red"}}
    assert browser.put("/api/v1/saved-views", json=renewed).json["arguments"] == {"sort": "value"}
    assert len(browser.get("/api/v1/saved-views").json) == saved_views.MOST_VIEWS


def test_the_keys_are_told(client_as: As, session: Session) -> None:
    page = client_as(make.StaffFactory()).get(QUEUE).text
    for key in "jkxorw?":
        assert f"<kbd>{key}</kbd>" in page


def test_two_staff_on_one_proposal_the_later_one_is_told_and_nothing_is_lost(client_as: As, session: Session) -> None:
    proposal = proposal_for_review()
    first, second = client_as(make.StaffFactory()), client_as(make.StaffFactory())
    address, seen = f"{QUEUE}/{proposal.id}", {"version": str(proposal.version)}
    first.get(address), second.get(address)
    first.post(address, data={"action": "release", "reason_release": "sound"} | seen)
    later = second.post(address, data={"action": "withhold", "reason_withhold": "price_abnormal"} | seen)
    assert later.status_code == 409
    assert "Nothing was changed, because something happened meanwhile" in later.text
    session.refresh(proposal)
    assert proposal.state == "released"
    many = {"action": "withhold", "reason_withhold": "price_abnormal", "chosen": f"{proposal.id}:{seen['version']}"}
    second.post(QUEUE, data=many)
    assert "Not decided" in second.get(QUEUE).text
    session.refresh(proposal)
    assert proposal.state == "released"
