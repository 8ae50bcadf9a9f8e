"""Prices of a run by hub, for staff: what may be published and what not, and the button that publishes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.errors import Conflict, Refused
from app.models import Grade, PricePublication, Product, PublishedPrice, Region
from app.operations import hub_prices, pages, runs
from app.operations.hub_prices import HubPrice
from app.permissions import Permission
from app.web.formats import language
from app.web.texts import _

blueprint = Blueprint("hub_prices", __name__, url_prefix="/console")


@dataclass(frozen=True, slots=True)
class Cell:
    """A price with the firms behind it (not told on the public page); hidden: it may not be published."""

    price: Decimal
    firms: int | None
    hidden: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One hub; without a region the mean over all."""

    grade: Grade | None
    region: Region | None
    cells: dict[str, Cell] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """The prices of one product."""

    product: Product
    periods: Sequence[str]
    lines: Sequence[Line]


@blueprint.get("/runs/<uuid:run_id>/prices")
@requires(Permission.ROUND_MANAGE)
def show(run_id: uuid.UUID) -> ResponseReturnValue:
    """All prices of a run by hub, with what may be published of them."""
    run = runs.get_run(session(), principal=principal(), run_id=run_id)
    found = hub_prices.hub_table(session(), run=run)
    now_published = hub_prices.visible_publications(principal()).where(PricePublication.round_id == run.round_id)
    return render_template(
        "hub_prices.html",
        run=run,
        round=run.round,
        tables=tables_of(session(), found),
        publishable=sum(line.may_be_published for line in found),
        count=len(found),
        published=session().scalar(now_published),
    )


@blueprint.post("/runs/<uuid:run_id>/prices")
@requires(Permission.ROUND_MANAGE)
def publish(run_id: uuid.UUID) -> ResponseReturnValue:
    """Publish them."""
    try:
        with session().begin_nested():
            hub_prices.publish(session(), principal=principal(), run_id=run_id, now=clock())
    except (Conflict, Refused) as refusal:
        flash(refusal.text.in_language(language()), "warning")
    else:
        flash(_("The prices are published; everybody can read them."), "success")
    return redirect(url_for("hub_prices.show", run_id=run_id), 303)


@blueprint.post("/price-publications/<uuid:publication_id>/withdraw")
@requires(Permission.ROUND_MANAGE)
def withdraw(publication_id: uuid.UUID) -> ResponseReturnValue:
    """Take them back."""
    found = hub_prices.withdraw(session(), principal=principal(), publication_id=publication_id, now=clock())
    flash(_("The prices are withdrawn."), "success")
    return redirect(url_for("hub_prices.show", run_id=found.run_id), 303)


def tables_of(session: Session, prices: Iterable[HubPrice] | Iterable[PublishedPrice]) -> list[Table]:
    """Prices as tables, one a product, in the order they come in. The public page is not told how many firms."""
    products, grades, regions = pages.products_by_code(session), pages.all_grades(session), pages.all_regions(session)
    lines: dict[str, dict[tuple[str, str | None], Line]] = {}
    periods: dict[str, set[str]] = {}
    for one in prices:
        product, grade, region, cell = _read(one)
        line = lines.setdefault(product, {}).setdefault(
            (grade, region), Line(grades.get((product, grade)), _of(regions, region))
        )
        line.cells[one.period] = cell
        periods.setdefault(product, set()).add(one.period)
    return [Table(products[code], sorted(periods[code]), list(found.values())) for code, found in lines.items()]


def _read(one: HubPrice | PublishedPrice) -> tuple[str, str, str | None, Cell]:
    if isinstance(one, HubPrice):
        return one.product, one.grade, one.region, Cell(one.price, one.firms, not one.may_be_published)
    return one.product_code, one.grade_code, one.region_code, Cell(one.price, None, hidden=False)


def _of(regions: Mapping[str, Region], code: str | None) -> Region | None:
    return None if code is None else regions.get(code)
