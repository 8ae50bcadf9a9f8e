"""Supply and demand of a run by product and period, fill rates, and prices over the runs: as drawings and as tables."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, Flask, render_template, request
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.models import Product, Run
from app.operations import curves, fill_rates, lane_map, pages, price_history, runs
from app.operations.curves import Curves, Step
from app.operations.price_history import PriceHistory
from app.permissions import Permission
from app.web.axes import Axis, Tick, axis
from app.web.formats import day, named, number, price, quantity, share
from app.web.formats import period as period_name
from app.web.hub_prices import tables_of
from app.web.texts import _

blueprint = Blueprint("curves", __name__, url_prefix="/console")
WIDTH, HEIGHT = 900.0, 400.0
LEFT, RIGHT, TOP, BOTTOM = 86.0, 880.0, 18.0, 352.0


@dataclass(frozen=True, slots=True)
class Stroke:
    """One step of a curve as a level line, and what is said of it."""

    begin: float
    end: float
    level: float
    text: str
    by_conversion: bool


@dataclass(frozen=True, slots=True)
class CurveDrawing:
    """Places of everything in the drawing of two curves."""

    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    supply: str
    demand: str
    supply_strokes: Sequence[Stroke]
    demand_strokes: Sequence[Stroke]
    ex_works: float | None
    delivered: float | None
    matched: float | None


@dataclass(frozen=True, slots=True)
class Dot:
    """One run in the drawing of prices over time."""

    x: float
    y: float
    text: str
    run_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class HistoryDrawing:
    """Places of everything in the drawing of prices over time."""

    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    index: str
    runs: str
    dots: Sequence[Dot]


@blueprint.get("/runs/<uuid:run_id>/curves")
@requires(Permission.RUN_READ)
def show(run_id: uuid.UUID) -> ResponseReturnValue:
    """Curves for those who may see what is sealed, and the look is logged; for others what is published of them."""
    run = runs.get_run(session(), principal=principal(), run_id=run_id)
    products, periods = products_of(run), run.round.horizon.labels()
    product = chosen_product(products, lane_map.traded_products(session(), run_id=run.id))
    period = asked if (asked := request.args.get("period")) in periods else periods[0]
    found = None
    if product is not None and principal().may(Permission.SEALED_READ):
        found = curves.market_curves(
            session(),
            principal=principal(),
            run_id=run_id,
            product=product.code,
            period=period,
            path=request.full_path.rstrip("?"),
            now=clock(),
        )
    published = None
    if product is not None and found is None:
        lines = curves.published_lines(principal(), run=run, product=product.code)
        published = tables_of(session(), session().scalars(lines).all())
    return render_template(
        "run_curves.html",
        run=run,
        round=run.round,
        products=products,
        product=product,
        periods=periods,
        period=period,
        curves=found,
        drawing=drawing_of(found) if found is not None and (found.supply or found.demand) else None,
        line=headline_line(run, product),
        published=published,
    )


@blueprint.get("/runs/<uuid:run_id>/fill")
@requires(Permission.REVIEW_READ)
def fill(run_id: uuid.UUID) -> ResponseReturnValue:
    """How much was filled by product, side and period, and why the rest was not."""
    run = runs.get_run(session(), principal=principal(), run_id=run_id)
    found = fill_rates.fill_rates(session(), principal=principal(), run_id=run_id)
    return render_template(
        "run_fill.html",
        run=run,
        round=run.round,
        fills=found,
        periods=run.round.horizon.labels(),
        reasons=fill_rates.by_reason(found),
    )


@blueprint.get("/price-history")
@requires(Permission.RUN_READ)
def history() -> ResponseReturnValue:
    """The mean locked prices of a product over the runs beside its index."""
    latest = pages.latest_run(session(), principal=principal(), done=True)
    products = {} if latest is None else products_of(latest)
    traded = [] if latest is None else lane_map.traded_products(session(), run_id=latest.id)
    product = chosen_product(products, ["lithium_carbonate", *traded])
    found = None
    if product is not None:
        found = price_history.price_history(session(), principal=principal(), product=product, now=clock())
    return render_template(
        "price_history.html",
        products=products,
        product=product,
        history=found,
        drawing=history_drawing(found) if found is not None and (found.days or found.runs) else None,
    )


def products_of(run: Run) -> Mapping[str, Product]:
    """The products that a run's headline tells of, in the order of the register."""
    told = {line["product"] for line in (run.headline or {}).get("products", ())}
    return {code: one for code, one in pages.products_by_code(session()).items() if code in told}


def chosen_product(products: Mapping[str, Product], best: Sequence[str]) -> Product | None:
    """The product that the address names; else the first of `best` that is there, or any."""
    wanted = (request.args.get("product", ""), *best, *products)
    return next((products[code] for code in wanted if code in products), None)


def headline_line(run: Run, product: Product | None) -> Mapping[str, str] | None:
    """What the headline says of a product."""
    lines: Sequence[Mapping[str, str]] = (run.headline or {}).get("products", ())
    return next((one for one in lines if product is not None and one["product"] == product.code), None)


def drawing_of(found: Curves) -> CurveDrawing:
    """The drawing of two curves: units from left to right, prices upwards."""
    locked = found.locked
    prices = [step.price for step in (*found.supply, *found.demand)]
    ends = [sum((step.units for step in side), Decimal(0)) for side in (found.supply, found.demand)]
    x = axis(ends, start=LEFT, end=RIGHT, from_zero=True)
    y = axis([*prices, *((locked.lowest, locked.highest) if locked else ())], start=BOTTOM, end=TOP)
    supply = _strokes(found.supply, x, y, found.product, _("asks"))
    demand = _strokes(found.demand, x, y, found.product, _("bids"))
    return CurveDrawing(
        x_ticks=x.ticks(number),
        y_ticks=y.ticks(lambda value: number(value, 2)),
        supply=_path(supply),
        demand=_path(demand),
        supply_strokes=supply,
        demand_strokes=demand,
        ex_works=None if locked is None else y.place(locked.ex_works),
        delivered=None if locked is None else y.place(locked.delivered),
        matched=None if locked is None else x.place(locked.units),
    )


def _strokes(steps: Sequence[Step], x: Axis, y: Axis, product: Product, verb: str) -> list[Stroke]:
    strokes, so_far = [], Decimal(0)
    for step in steps:
        kind = _("by conversion, at its locked price") if step.by_conversion else verb
        text = f"{price(step.price, product.unit)} · {quantity(step.units, product.unit)} ({kind})"
        if not step.by_conversion:
            text += f" · {share(step.taken / step.units, 0)} {_('matched')}"
        begin, end = x.place(so_far), x.place(so_far + step.units)
        strokes.append(Stroke(begin, end, y.place(step.price), text, step.by_conversion))
        so_far += step.units
    return strokes


def _path(strokes: Sequence[Stroke]) -> str:
    if not strokes:
        return ""
    first, *others = strokes
    return f"M{first.begin} {first.level}H{first.end}" + "".join(f"V{one.level}H{one.end}" for one in others)


def history_drawing(found: PriceHistory) -> HistoryDrawing:
    """The index as a line, the runs as dots, over time."""
    days = [one for one, _value in found.days] + [run.day for run in found.runs]
    x = axis([one.toordinal() for one in days], start=LEFT, end=RIGHT)
    y = axis([value for _day, value in found.days] + [run.price for run in found.runs], start=BOTTOM, end=TOP)
    places = [(x.place(one.toordinal()), y.place(value)) for one, value in found.days]
    dots = [
        Dot(
            x.place(run.day.toordinal()),
            y.place(run.price),
            f"{day(run.day)} · {named(run.round)} · {price(run.price, found.product.unit)}",
            run.run_id,
        )
        for run in found.runs
    ]
    return HistoryDrawing(
        x_ticks=[Tick(x.place(one.toordinal()), day(one)) for one in months_between(min(days), max(days))],
        y_ticks=y.ticks(lambda value: number(value, 2)),
        index=_line(places),
        runs=_line([(dot.x, dot.y) for dot in dots]),
        dots=dots,
    )


def index_drawing(days: Sequence[tuple[dt.date, Decimal]]) -> HistoryDrawing:
    """A published index as a line over time."""
    x = axis([one.toordinal() for one, _value in days], start=LEFT, end=RIGHT)
    y = axis([value for _day, value in days], start=BOTTOM, end=TOP)
    months = months_between(days[0][0], days[-1][0])
    return HistoryDrawing(
        x_ticks=[Tick(x.place(one.toordinal()), day(one)) for one in months],
        y_ticks=y.ticks(lambda value: number(value, 2)),
        index=_line([(x.place(one.toordinal()), y.place(value)) for one, value in days]),
        runs="",
        dots=(),
    )


def _line(places: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if at else 'M'}{x} {y}" for at, (x, y) in enumerate(places))


def months_between(first: dt.date, last: dt.date, most: int = 6) -> list[dt.date]:
    """First days of months from `first` to `last`, every so many months that they are `most` at most; `last` itself
    where no month begins between them."""
    begin, end = first.year * 12 + first.month - 1 + (first.day > 1), last.year * 12 + last.month - 1
    step = next(one for one in (1, 2, 3, 6, *range(12, 1200, 12)) if (end - begin) // one < most)
    found = [dt.date(at // 12, at % 12 + 1, 1) for at in range(-(-begin // step) * step, end + 1, step)]
    return found or [last]


def product_choices(products: Mapping[str, Product]) -> list[tuple[str, str]]:
    """Products for a list to choose from."""
    return [(code, named(product)) for code, product in products.items()]


def period_choices(periods: Sequence[str]) -> list[tuple[str, str]]:
    """Periods for a list to choose from."""
    return [(label, period_name(label)) for label in periods]


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(product_choices=product_choices, period_choices=period_choices)
