"""The limits of a round: what holds and what has ended, what each costs, and the forms that set and end them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from flask import Blueprint, Flask, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import orm

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.errors import Conflict, Refused
from app.models import (
    Ceiling,
    Corridor,
    Firm,
    OriginRule,
    PeriodKind,
    Product,
    Region,
    Round,
    ShadowPriceKind,
    SupplierApproval,
)
from app.operations import firms, pages, policy_limits, rounds
from app.operations.limit_prices import LimitPrice, limit_prices
from app.operations.offer_cells import CellFault, number, share
from app.operations.offer_faults import expected
from app.permissions import Permission
from app.web.formats import language, money_short, named, price
from app.web.formats import period as period_name
from app.web.texts import _
from contracts.wording import Text

blueprint = Blueprint("limits", __name__, url_prefix="/console/rounds/<uuid:round_id>/limits")
Read = TypeVar("Read")
MOST_FIRMS = 2_000
MOST_ENDED = 30


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(cost_in_words=cost_in_words, limit_name=limit_name)


@blueprint.get("")
@requires(Permission.ROUND_MANAGE)
def show(round_id: uuid.UUID) -> ResponseReturnValue:
    """All limits of a round."""
    return _page(round_id, {}, {})


@blueprint.post("/<any(corridor, ceiling, origin_rule, supplier_approval):kind>")
@requires(Permission.ROUND_MANAGE)
def add(round_id: uuid.UUID, kind: str) -> ResponseReturnValue:
    """Set a limit."""
    market_round = rounds.find_round(session(), principal=principal(), round_id=round_id)
    form = LimitForm(request.form)
    setter = getattr(form, f"set_{kind}")
    try:
        with session().begin_nested():
            setter(market_round.id)
            form.refuse()
    except (Refused, Conflict) as refusal:
        field = FIELDS.get(getattr(refusal, "field", None) or "product", "product")
        form.errors.setdefault(field, refusal.text.in_language(language()))
        errors = {f"{kind}/{field}": text for field, text in form.errors.items()}
        values = {f"{kind}/{name}": value for name, value in request.form.items()}
        return _page(round_id, values, errors), 422
    flash(_("The limit holds from the next run on."), "success")
    return redirect(url_for("limits.show", round_id=round_id), 303)


@blueprint.post("/<any(corridor, ceiling, origin_rule, supplier_approval):kind>/<uuid:limit_id>/end")
@requires(Permission.ROUND_MANAGE)
def end(round_id: uuid.UUID, kind: str, limit_id: uuid.UUID) -> ResponseReturnValue:
    """End a limit."""
    try:
        with session().begin_nested():
            if kind == "corridor":
                rounds.remove_corridor(session(), principal=principal(), corridor_id=limit_id)
            else:
                policy_limits.end_limit(
                    session(), principal=principal(), kind=policy_limits.KINDS[kind], limit_id=limit_id, now=clock()
                )
    except Conflict as refusal:
        flash(refusal.text.in_language(language()), "warning")
    else:
        flash(_("The limit has ended; the next run does not have it any more."), "success")
    return redirect(url_for("limits.show", round_id=round_id), 303)


# Where a refusal of an operation belongs in the forms.
FIELDS = {
    "product": "product",
    "share": "share",
    "limit": "limit",
    "period": "period",
    "firm_id": "firm",
    "buyer_firm_id": "buyer",
    "supplier_firm_id": "supplier",
    "origin": "origin",
    "from_region": "from_region",
    "to_region": "to_region",
}


class LimitForm:
    """One of the four forms as it was typed, and what is wrong by field."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values, self.errors = values, dict[str, str]()

    def refuse(self) -> None:
        """:raises Refused: a field could not be read."""
        if self.errors:
            raise Refused(
                Text("表单中有一项无法读取", "a field of the form could not be read"), field=next(iter(self.errors))
            )

    def set_corridor(self, round_id: uuid.UUID) -> None:
        limit = self._get("limit", number)
        if limit is not None:
            rounds.put_corridor(
                session(),
                principal=principal(),
                round_id=round_id,
                product_code=self._text("product"),
                from_region_code=self._text("from_region"),
                to_region_code=self._text("to_region"),
                period=self._text("period") or None,
                limit=limit,
                note=self._text("note") or None,
                now=clock(),
            )

    def set_ceiling(self, round_id: uuid.UUID) -> None:
        part = self._get("share", share)
        if part is not None:
            # 40 and 40 % both mean 0.4 here, because the field shows the sign of per cent.
            policy_limits.set_ceiling(
                session(),
                principal=principal(),
                round_id=round_id,
                product_code=self._text("product"),
                firm_id=self._firm("firm") if self._text("firm") else None,
                share=part if "%" in self._text("share") else part / 100,
                note=self._text("note") or None,
                now=clock(),
            )

    def set_origin_rule(self, round_id: uuid.UUID) -> None:
        limit = self._get("limit", number)
        if limit is not None:
            policy_limits.set_origin_rule(
                session(),
                principal=principal(),
                round_id=round_id,
                product_code=self._text("product"),
                origin_country=self._text("origin"),
                to_region_code=self._text("to_region"),
                period=self._text("period") or None,
                limit=limit,
                note=self._text("note") or None,
                now=clock(),
            )

    def set_supplier_approval(self, round_id: uuid.UUID) -> None:
        policy_limits.approve_supplier(
            session(),
            principal=principal(),
            round_id=round_id,
            product_code=self._text("product"),
            buyer_firm_id=self._firm("buyer"),
            supplier_firm_id=self._firm("supplier"),
            note=self._text("note") or None,
            now=clock(),
        )

    def _text(self, name: str) -> str:
        return self.values.get(name, "").strip()

    def _get(self, name: str, reader: Callable[[Any], Read]) -> Read | None:
        typed = self._text(name)
        try:
            return reader(typed)
        except CellFault as fault:
            self.errors[name] = expected(fault.code, fault.params, language())
            return None

    def _firm(self, name: str) -> uuid.UUID:
        """The firm that was chosen; what is none is nobody's, and is refused by the operation."""
        try:
            return uuid.UUID(self._text(name))
        except ValueError:
            return uuid.UUID(int=0)


def _page(round_id: uuid.UUID, values: Mapping[str, str], errors: Mapping[str, str]) -> str:
    market_round = rounds.find_round(session(), principal=principal(), round_id=round_id)
    done = pages.latest_run(session(), principal=principal(), round_id=round_id, done=True)
    products, regions = pages.products_by_code(session()), regions_by_code()
    return render_template(
        "limits.html",
        round=market_round,
        run=done,
        limit_costs=limit_prices(session(), run=done) if done else [],
        limits=_limits(market_round),
        values=values,
        errors=errors,
        products=products,
        regions=regions,
        choices=_choices(market_round, products, regions),
        changeable=market_round.state in policy_limits.CHANGEABLE,
    )


def _choices(
    market_round: Round, products: Mapping[str, Product], regions: Mapping[str, Region]
) -> dict[str, list[tuple[str, str]]]:
    """What the forms let people choose from: codes with names."""
    active = firms.visible_firms(principal()).where(Firm.active).order_by(Firm.name_en, Firm.id).limit(MOST_FIRMS)
    return {
        "products": [(code, named(product)) for code, product in products.items()],
        "regions": [(code, named(region)) for code, region in regions.items()],
        "firms": [(str(firm.id), named(firm)) for firm in session().scalars(active)],
        "periods": [(label, period_name(label)) for label in market_round.horizon.labels()],
        "countries": [(code, code) for code in sorted({region.country for region in regions.values()})],
    }


def _limits(market_round: Round) -> dict[str, Sequence[Any]]:
    """Corridors, and the other limits by kind, those that hold first."""
    corridors = rounds.visible_corridors(principal()).where(Corridor.round_id == market_round.id)
    found: dict[str, Sequence[Any]] = {
        "corridor": session().scalars(corridors.order_by(Corridor.created_at, Corridor.id)).all()
    }
    parts: dict[str, tuple[Any, ...]] = {
        "ceiling": (Ceiling.product, Ceiling.firm),
        "origin_rule": (OriginRule.product,),
        "supplier_approval": (SupplierApproval.product, SupplierApproval.buyer, SupplierApproval.supplier),
    }
    for kind, loaded in parts.items():
        model = policy_limits.KINDS[kind]
        query = policy_limits.visible_limits(principal(), model).where(model.round_id == market_round.id)
        query = query.options(*(orm.selectinload(part) for part in loaded))
        holding = session().scalars(query.where(model.ended_at.is_(None)).order_by(model.created_at, model.id)).all()
        ended = query.where(model.ended_at.is_not(None)).order_by(model.ended_at.desc(), model.id).limit(MOST_ENDED)
        found[kind] = [*holding, *session().scalars(ended)]
    return found


def regions_by_code() -> Mapping[str, Region]:
    """All regions, read once for a page."""
    if "regions" not in g:
        g.regions = pages.all_regions(session())
    known: Mapping[str, Region] = g.regions
    return known


def limit_name(one: LimitPrice) -> str:
    """What a limit that binds is about."""
    regions = regions_by_code()
    end = named(regions.get(one.end or ""))
    if one.kind is ShadowPriceKind.CORRIDOR:
        return _("quota from %(begin)s to %(end)s", begin=named(regions.get(one.begin or "")), end=end)
    if one.kind is ShadowPriceKind.ORIGIN:
        return _("rule on origin %(country)s to %(end)s", country=one.begin, end=end)
    return _("ceiling on %(firm)s", firm=named(one.firm))


def cost_in_words(one: LimitPrice, market_round: Round) -> str:
    """What a limit costs the market, in two sentences: at its shadow prices, and for one unit more in every period."""
    average = one.cost / Decimal(market_round.period_count)
    cost = money_short(average)
    said = {
        PeriodKind.MONTH: _("This limit costs the market %(cost)s a month.", cost=cost),
        PeriodKind.QUARTER: _("This limit costs the market %(cost)s a quarter.", cost=cost),
        PeriodKind.YEAR: _("This limit costs the market %(cost)s a year.", cost=cost),
    }[market_round.period_kind]
    value = price(one.widened / market_round.period_count, one.product.unit)
    more = _("One unit more in every period would bring %(value)s.", value=value)
    return f"{said} {more}"
