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
from app.operations import hub_prices, pages, published
from app.operations.offer_terms import plain
from app.web.hub_prices import tables_of

blueprint = Blueprint("public_pages", __name__)
DAYS_DRAWN = 400


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
        published=[(one, tables_of(session(), one.prices)) for one in hub_prices.publications(session())],
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
    headers = {"Content-Disposition": 'attachment; filename="changdan-prices.csv"'}
    # The mark at the front tells spreadsheets that it is UTF-8.
    return Response("\ufeff" + buffer.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


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
    headers = {"Content-Disposition": 'attachment; filename="changdan-hub-prices.csv"'}
    return Response("\ufeff" + buffer.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


def _path(values: list[Decimal]) -> str:
    """The points of a line in a box of 100 by 30, as an SVG polyline."""
    low, high = min(values), max(values)
    spread, last = (high - low) or Decimal(1), max(len(values) - 1, 1)
    points = ((100 * at / last, 28 - float((value - low) / spread) * 26) for at, value in enumerate(values))
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
