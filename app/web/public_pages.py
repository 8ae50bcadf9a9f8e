"""Pages for everybody: what the platform is, when the rounds are, which prices are published."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from app.auth import public
from app.clock import clock
from app.db import session
from app.errors import NotFound
from app.operations import hub_prices, pages, published
from app.operations.offer_terms import plain
from app.web.curves import index_drawing
from app.web.hub_price_drawing import hub_drawing
from app.web.hub_prices import tables_of

blueprint = Blueprint("public_pages", __name__)
DAYS_DRAWN = 400
DAYS_LISTED = 30


@blueprint.get("/about")
@public
def about() -> ResponseReturnValue:
    """What the exchange does, for whom, and what it never tells."""
    return render_template("about.html")


@blueprint.get("/calendar")
@public
def calendar() -> ResponseReturnValue:
    """The rounds that are open to every firm."""
    return render_template("calendar.html", rounds=pages.calendar(session()), now=clock())


@blueprint.get("/prices")
@public
def prices() -> ResponseReturnValue:
    """Market indices, and prices of the rounds where enough firms stand behind them."""
    series = published.index_series(session())
    return render_template(
        "prices.html",
        series=[(one, _path([value for _day, value in one.days[-DAYS_DRAWN:]])) for one in series],
        round_prices=published.round_prices(session()),
        published=[
            (one, [(table, hub_drawing(table)) for table in tables_of(session(), one.prices)])
            for one in hub_prices.publications(session())
        ],
        products=pages.products_by_code(session()),
        fewest=published.FEWEST_FIRMS,
        largest_two=published.LARGEST_TWO,
    )


@blueprint.get("/prices.csv")
@public
def prices_csv() -> Response:
    """All published prices as one table."""
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\r\n")
    table.writerow(["kind", "code", "product", "date", "price", "currency", "unit", "firms"])
    for one in published.index_series(session()):
        for day, value in one.days:
            index = one.index
            table.writerow(
                ["index", index.code, index.product_code, day, plain(value), index.currency, index.unit.value, ""]
            )
    for row in published.round_prices(session()):
        product = row.product
        table.writerow(
            [
                "round",
                row.round.code,
                product.code,
                row.cleared_at.date(),
                plain(row.price),
                "CNY",
                product.unit.value,
                row.firms,
            ]
        )
    return _csv(buffer.getvalue(), "changdan-prices.csv")


@blueprint.get("/prices/indices/<code>")
@public
def index(code: str) -> ResponseReturnValue:
    """One index: its values drawn over time, the newest as a table."""
    one = _series(code)
    drawn = one.days[-DAYS_DRAWN:]
    return render_template(
        "index.html",
        series=one,
        product=pages.products_by_code(session())[one.index.product_code],
        drawing=index_drawing(drawn) if len(drawn) > 1 else None,
        first=drawn[0][0],
        newest=list(reversed(one.days[-DAYS_LISTED:])),
    )


@blueprint.get("/prices/indices/<code>.csv")
@public
def index_csv(code: str) -> Response:
    """All values of one index."""
    one = _series(code)
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\r\n")
    table.writerow(["date", "price", "currency", "unit"])
    for day, value in one.days:
        table.writerow([day, plain(value), one.index.currency, one.index.unit.value])
    return _csv(buffer.getvalue(), f"changdan-{one.index.code}.csv")


def _series(code: str) -> published.IndexSeries:
    found = next((one for one in published.index_series(session()) if one.index.code == code), None)
    if found is None:
        raise NotFound("no such index")
    return found


def _csv(text: str, name: str) -> Response:
    """A table as a file; the mark at its front tells spreadsheets that it is UTF-8."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response("\ufeff" + text, content_type="text/csv; charset=utf-8", headers=headers)


@blueprint.get("/prices/hubs.csv")
@public
def hub_prices_csv() -> Response:
    """The published prices by hub; without a region the mean over all."""
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\r\n")
    table.writerow(["round", "product", "grade", "region", "period", "price", "currency", "unit", "firms", "published"])
    products = pages.products_by_code(session())
    for one in hub_prices.publications(session()):
        for row in one.prices:
            unit, day = products[row.product_code].unit.value, one.publication.published_at.date()
            about = (one.publication.round.code, row.product_code, row.grade_code, row.region_code or "", row.period)
            table.writerow([*about, plain(row.price), "CNY", unit, row.firms, day])
    return _csv(buffer.getvalue(), "changdan-hub-prices.csv")


def _path(values: list[Decimal]) -> str:
    """The points of a line in a box of 100 by 30, as an SVG polyline."""
    low, high = min(values), max(values)
    spread, last = (high - low) or Decimal(1), max(len(values) - 1, 1)
    points = ((100 * at / last, 28 - float((value - low) / spread) * 26) for at, value in enumerate(values))
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
