"""A run that works: its page follows it, survives being closed, and shows the certificate when it has ended."""

from __future__ import annotations

from playwright.sync_api import expect

from app.models import Run, RunState
from tests import factories as make

from .conftest import Sitting, settle


def test_the_page_follows_a_run_and_may_be_closed(sit_down: Sitting) -> None:
    done = make.RunFactory()
    run: Run = make.RunFactory(queued=True, round=done.round)
    run.state, run.phase, run.percent, run.solver_rounds = RunState.RUNNING, "lanes", 12, 0
    run.snapshot_digest, run.snapshot_at, run.started_at = done.snapshot_digest, done.snapshot_at, done.started_at
    desk = sit_down(make.StaffFactory())
    page = desk.open(f"/console/runs/{run.id}")
    expect(page.locator("[data-phase]")).to_have_text("Finding lanes")
    expect(page.locator("[data-percent]")).to_have_text("12")
    run.phase, run.percent, run.solver_rounds = "clearing", 57, 9
    settle()
    expect(page.locator("[data-percent]")).to_have_text("57")
    expect(page.locator("[data-phase]")).to_have_text("Clearing")
    expect(page.locator("[data-rounds]")).to_have_text("9")
    expect(page.locator("progress")).to_have_js_property("value", 57)
    desk.open("/about")
    run.percent = 80
    settle()
    page = desk.open(f"/console/runs/{run.id}")
    expect(page.locator("[data-percent]")).to_have_text("80")
    for name in ("finished_at", "certificate", "headline"):
        setattr(run, name, getattr(done, name))
    run.state, run.percent, run.phase, run.attempt = RunState.DONE, 100, None, 1
    settle()
    expect(page.get_by_text("blocking pairs among")).to_be_visible()
    expect(page.locator("[data-progress]")).to_have_count(0)
