"""The state table on the console and in the API: drawn and told from the same rows that the exchange obeys."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from app.models import User
from app.web.state_drawing import HEIGHT, WIDTH, draw
from contracts.state import MOVE_TEXTS, RULE_VERSION, STATES, TABLES, TRANSITIONS, Subject, end_states, table_of
from tests import factories as make

from .night_market import body

As = Callable[[User], FlaskClient]


@pytest.mark.parametrize("subject", list(Subject))
def test_every_state_and_every_move_is_on_the_page(client_as: As, subject: Subject) -> None:
    rows = [row for row in TRANSITIONS if row.subject is subject]
    page = client_as(make.UserFactory()).get(f"/states?subject={subject}").text
    for state in STATES[subject]:
        assert page.count(f">{state.text.en}</text>") == 1
    assert re.findall(r'<td class="num">(\d+)</td>', page) == [str(number) for number in range(1, len(rows) + 1)]
    assert all(MOVE_TEXTS[row.move].en in page for row in rows)
    drawn = re.findall(r'class="halo"[^>]*>([\d ]+)</text>', page)
    numbers = sorted(int(number) for told in drawn for number in told.split())
    assert numbers == [at for at, row in enumerate(rows, start=1) if row.from_state != row.to_state]


@pytest.mark.parametrize("subject", list(Subject))
def test_boxes_lie_apart_and_arrows_on_the_sheet(subject: Subject) -> None:
    drawing = draw(subject, [row for row in TRANSITIONS if row.subject is subject])
    assert {box.name for box in drawing.boxes} == {state.name for state in STATES[subject]}
    assert {box.name for box in drawing.boxes if box.is_end} == set(end_states(subject))
    for one in drawing.boxes:
        assert 0 <= one.x <= drawing.width - WIDTH
        assert 0 <= one.y <= drawing.height - HEIGHT
        for other in drawing.boxes:
            assert one is other or abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT
    for arrow in drawing.arrows:
        points = [float(part) for part in re.findall(r"[\d.]+", arrow.path)]
        assert all(0 <= x <= drawing.width for x in points[::2])
        assert all(0 <= y <= drawing.height for y in points[1::2])
        assert 0 < arrow.y < drawing.height


def test_an_older_rule_set_is_told_as_it_was(client_as: As) -> None:
    browser = client_as(make.UserFactory())
    newest = browser.get("/states?subject=call_off").text
    older = browser.get("/states?subject=call_off&rules=2026.1").text
    assert "End with its contract" in newest
    assert "End with its contract" not in older
    assert "rule set 2026.1" in older
    assert f"rule set {RULE_VERSION}" in browser.get("/states?subject=nothing&rules=1999.9").text


def test_the_api_tells_every_rule_set(client_as: As) -> None:
    browser = client_as(make.UserFactory())
    for version in TABLES:
        told = body(browser.get(f"/api/v1/state-table?rule_version={version}"))["subjects"]
        assert {one["rule_version"] for one in told} == {version}
        moves = [(one["subject"], move["from"], move["move"], move["to"]) for one in told for move in one["moves"]]
        assert sorted(moves, key=str) == sorted(
            [(str(row.subject), row.from_state, row.move, row.to_state) for row in table_of(version)], key=str
        )
    assert browser.get("/api/v1/state-table?rule_version=1999.9").status_code == 422
