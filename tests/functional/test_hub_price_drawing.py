"""The drawing of published prices: a line for each hub, broken where nothing is published, names that can be read."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.models import Grade
from app.transaction import Application
from app.web.hub_price_drawing import NAME_GAP, hub_drawing
from app.web.hub_prices import Cell, Line, Table
from tests import factories as make

PERIODS = ("2027-Q1", "2027-Q2", "2027-Q3", "2027-Q4")


def line(grade: Grade, prices: dict[str, int]) -> Line:
    return Line(grade, None, {period: Cell(Decimal(price), None, hidden=False) for period, price in prices.items()})


@pytest.mark.usefixtures("session")
def test_a_period_without_a_price_breaks_the_line(app: Application) -> None:
    grade = make.GradeFactory()
    table = Table(grade.product, PERIODS, [line(grade, {"2027-Q1": 70, "2027-Q2": 72, "2027-Q4": 75})])
    with app.test_request_context():
        (drawn,) = hub_drawing(table).lines
    assert (drawn.path.count("M"), drawn.path.count("L")) == (2, 1), "nothing is drawn through the third quarter"
    assert len(drawn.marks) == 3
    assert drawn.marks[0].y > drawn.marks[-1].y, "a higher price stands higher"
    assert drawn.is_mean


@pytest.mark.usefixtures("session")
def test_names_of_lines_that_end_together_stand_apart(app: Application) -> None:
    one = make.GradeFactory()
    other = make.GradeFactory(product=one.product)
    table = Table(one.product, PERIODS, [line(one, {"2027-Q1": 70}), line(other, {"2027-Q1": 70})])
    with app.test_request_context():
        first, second = hub_drawing(table).lines
    assert abs(first.name_at - second.name_at) >= NAME_GAP
