"""The drawings of the console in a browser: no script needed, nothing spills over, a run is followed while it works."""

from __future__ import annotations

import pytest

from app.clock import clock
from app.db import db
from app.models import RunState
from tests import factories as make
from tests.functional.night_market import chain, clear, proposals_of
from tests.functional.test_web_curves import keep

from .conftest import NARROW, WIDE, Sitting, settle


@pytest.mark.parametrize(("size", "dark", "tongue"), [(WIDE, False, "zh"), (NARROW, True, "en")])
def test_every_drawing_stands_beside_its_table(
    sit_down: Sitting, size: tuple[int, int], dark: bool, tongue: str
) -> None:
    town, carbonate, _converter, buyer = chain()
    keep(carbonate, buyer)
    run = clear(town.round)
    proposal = proposals_of(run)[0]
    person = make.SeniorStaffFactory()
    desk = sit_down(person, size=size, dark=dark, tongue=tongue)
    drawn = {
        f"/console/runs/{run.id}/curves?product={town.grade.product_code}": "curves",
        f"/console/runs/{run.id}/lanes": "lanes",
        f"/console/rounds/{town.round.id}/graph": "graph",
        f"/console/review/{proposal.id}": "bundle",
    }
    for path, name in drawn.items():
        page = desk.open(path)
        drawing = page.locator("svg.drawing").first.bounding_box()
        assert drawing is not None
        assert drawing["height"] > 40
        assert page.locator("main table").count() >= 1
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path
        desk.picture(f"{name}-{size[0]}")
    for path in ("/", f"/console/runs/{run.id}/fill", "/console/alerts", f"/console/rounds/{town.round.id}"):
        page = desk.open(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path


def test_a_run_is_followed_also_after_a_break_and_its_end_opens_the_result(sit_down: Sitting) -> None:
    run = make.RunFactory(
        state=RunState.RUNNING, started_at=make.NOON, finished_at=None, certificate=None, headline=None, percent=10
    )
    person = make.StaffFactory()
    desk = sit_down(person)
    page = desk.open("/")
    page.get_by_text("A run is under way.").wait_for()
    run.percent, run.phase = 40, "clearing"
    settle()
    page.get_by_text("Clearing", exact=True).wait_for()
    page.get_by_text("40 %").wait_for()
    page.context.set_offline(True)
    page.wait_for_timeout(1500)
    page.context.set_offline(False)
    desk.complaints.clear()  # the break is meant
    run.percent = 70
    settle()
    page.get_by_text("70 %").wait_for()
    run.state, run.finished_at, run.error = RunState.FAILED, clock(), "the test ends it"
    db.session.flush()
    settle()
    page.get_by_text("The latest run has failed.").wait_for()
