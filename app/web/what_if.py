"""What-if: the questions that staff have asked of copies of rounds, the form for a new one, and the answers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import Blueprint, Flask, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import orm

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.errors import Conflict, Refused
from app.jobs.queue import enqueue_what_if
from app.models import Firm, Run, RunState, WhatIf, WhatIfKind
from app.operations import firms, pages, runs, what_if
from app.operations.offer_cells import CellFault, number
from app.operations.offer_faults import expected
from app.permissions import Permission
from app.web.formats import exact, language, named, quantity, share, signed_percent
from app.web.labels import label_of
from app.web.limits import regions_by_code
from app.web.paging import page_of
from app.web.texts import _

blueprint = Blueprint("what_if", __name__, url_prefix="/console")
MOST_FIRMS = 2_000
SHOWN_FIRMS = 25
LEAST_WIDEST = Decimal("0.1")
# The fields of each part of the form; a part with nothing typed is no change.
PARTS = {
    "without_firm": ("firm_id",),
    "capacity": ("firm_id", "product", "factor"),
    "quota": ("product", "from_region", "to_region", "limit"),
    "price": ("product", "side", "firm_id", "percent"),
    "without_limit": ("limit_of",),
}
NUMBERS = ("factor", "limit", "percent")


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(
        change_in_words=change_in_words, part_of_whole=part_of_whole, relative_change=relative_change
    )


@blueprint.get("/what-if")
@requires(Permission.WHAT_IF_RUN)
def listing() -> ResponseReturnValue:
    """The questions, the newest first."""
    select = what_if.visible_what_ifs(principal()).options(orm.joinedload(WhatIf.round))
    found = page_of(session(), select, order=(WhatIf.created_at, WhatIf.id))
    who = pages.names_of_people(session(), [row.created_by_id for row in found.rows])
    done = pages.latest_run(session(), principal=principal(), done=True)
    return render_template("what_ifs.html", page=found, who=who, latest=done)


@blueprint.get("/runs/<uuid:run_id>/what-if")
@requires(Permission.WHAT_IF_RUN)
def form(run_id: uuid.UUID) -> ResponseReturnValue:
    """The form for a scenario on a run."""
    return _form(runs.get_run(session(), principal=principal(), run_id=run_id), {}, {})


@blueprint.post("/runs/<uuid:run_id>/what-if")
@requires(Permission.WHAT_IF_RUN)
def ask(run_id: uuid.UUID) -> ResponseReturnValue:
    """Queue the scenario; its page shows how far it is."""
    run = runs.get_run(session(), principal=principal(), run_id=run_id)
    changes, errors = _typed(request.form)
    if not errors:
        try:
            with session().begin_nested():
                title = request.form.get("title", "").strip()[:200] or "; ".join(map(change_in_words, changes))[:200]
                asked = what_if.ask(
                    session(), principal=principal(), run_id=run_id, title=title or "–", changes=changes, now=clock()
                )
        except (Refused, Conflict) as refusal:
            errors[_place(refusal, changes)] = refusal.text.in_language(language())
        else:
            return _queued(asked)
    return _form(run, request.form, errors), 422


@blueprint.post("/runs/<uuid:run_id>/criticality")
@requires(Permission.WHAT_IF_RUN)
def rank(run_id: uuid.UUID) -> ResponseReturnValue:
    """Queue the ranking of the round's firms."""
    try:
        with session().begin_nested():
            asked = what_if.ask_criticality(session(), principal=principal(), run_id=run_id, now=clock())
    except Conflict as refusal:
        flash(refusal.text.in_language(language()), "warning")
        return redirect(url_for("runs.show", run_id=run_id), 303)
    return _queued(asked)


@blueprint.get("/what-if/<uuid:what_if_id>")
@requires(Permission.WHAT_IF_RUN)
def show(what_if_id: uuid.UUID) -> ResponseReturnValue:
    """One question with its answer; the look is logged. While it is worked out the page follows by itself."""
    asked = what_if.find(session(), principal=principal(), what_if_id=what_if_id)
    what_if.look(session(), principal=principal(), what_if=asked, path=request.path, now=clock())
    lines = (asked.result or {}).get("firms", [])
    shown = lines if asked.kind is WhatIfKind.CRITICALITY else _ends(lines)
    known = pages.firms_by_id(session(), principal=principal(), firm_ids=[uuid.UUID(line["firm_id"]) for line in shown])
    return render_template(
        "what_if.html",
        asked=asked,
        round=asked.round,
        is_open=asked.state in what_if.OPEN,
        result=asked.result,
        lines=shown,
        widest=max((abs(exact(line.get("surplus") or line.get("welfare_lost"))) for line in shown), default=Decimal(0)),
        widest_change=_widest_change((asked.result or {}).get("products", [])),
        firms={str(number): firm for number, firm in known.items()},
        products=pages.products_by_code(session()),
        left_out=len(lines) - len(shown),
    )


@blueprint.get("/what-if/<uuid:what_if_id>/progress")
@requires(Permission.WHAT_IF_RUN)
def progress(what_if_id: uuid.UUID) -> ResponseReturnValue:
    """How far it is, for the page that waits for it."""
    asked = what_if.find(session(), principal=principal(), what_if_id=what_if_id)
    return jsonify(
        {
            "state": asked.state.value,
            "label": label_of("run", asked.state),
            "phase": label_of("phase", asked.phase) if asked.phase else "",
            "percent": asked.percent,
            "rounds": asked.attempt,
            "is_open": asked.state in what_if.OPEN,
        }
    )


def _queued(asked: WhatIf) -> ResponseReturnValue:
    enqueue_what_if(session(), what_if_id=asked.id)
    return redirect(url_for("what_if.show", what_if_id=asked.id), 303)


def _ends(lines: list[Any]) -> list[Any]:
    """Of many firms those that lose most and those that gain most."""
    return lines if len(lines) <= 2 * SHOWN_FIRMS else [*lines[:SHOWN_FIRMS], *lines[-SHOWN_FIRMS:]]


def _typed(values: Mapping[str, str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The changes that the form says, and what is wrong by field."""
    changes, errors = [], {}
    for kind, fields in PARTS.items():
        typed = {field: values.get(f"{kind}/{field}", "").strip() for field in fields}
        if not any(value for field, value in typed.items() if field != "side"):
            continue
        change: dict[str, Any] = {"kind": kind} | {field: value or None for field, value in typed.items()}
        for field in set(fields) & set(NUMBERS):
            try:
                change[field] = number(typed[field])
            except CellFault as fault:
                errors[f"{kind}/{field}"] = expected(fault.code, fault.params, language())
        if firm := change.get("firm_id"):
            change["firm_id"] = _firm(firm)
        if limit := change.pop("limit_of", None):
            names = ("limit_kind", "product", "from_region", "to_region", "firm_id")
            change |= dict(zip(names, [part or None for part in limit.split("/")], strict=False))
        changes.append(change)
    if not changes and not errors:
        errors["changes"] = _("Fill in at least one part.")
    return changes, errors


def _firm(typed: str) -> uuid.UUID:
    """The firm that was chosen; what is none is nobody's, and is refused by the operation."""
    try:
        return uuid.UUID(typed)
    except ValueError:
        return uuid.UUID(int=0)


def _place(refusal: Refused | Conflict, changes: list[dict[str, Any]]) -> str:
    """Where a refusal belongs in the form."""
    parts = (getattr(refusal, "field", None) or "").split("/")
    return f"{changes[int(parts[1])]['kind']}/{parts[2]}" if len(parts) == 3 else "changes"


def _form(run: Run, values: Mapping[str, str], errors: Mapping[str, str]) -> str:
    products, regions = pages.products_by_code(session()), regions_by_code()
    active = firms.visible_firms(principal()).where(Firm.active).order_by(Firm.name_en, Firm.id).limit(MOST_FIRMS)
    return render_template(
        "what_if_form.html",
        run=run,
        round=run.round,
        values=values,
        errors=errors,
        may_ask=run.state is RunState.DONE,
        choices={
            "firms": [(str(firm.id), named(firm)) for firm in session().scalars(active)],
            "products": [(code, named(product)) for code, product in products.items()],
            "regions": [(code, named(region)) for code, region in regions.items()],
            "limits": [(key, change_in_words(change)) for key, change in _limits_that_hold(run)],
        },
    )


def _limits_that_hold(run: Run) -> list[tuple[str, dict[str, Any]]]:
    """The limits of the round, each with the value of its choice and as the change that takes it away."""
    names = ("limit_kind", "product", "from_region", "to_region", "firm_id")
    found: list[tuple[str, dict[str, Any]]] = []
    for parts in what_if.limits_that_hold(session(), principal=principal(), round_id=run.round_id):
        key = "/".join(part or "" for part in parts)
        found.append((key, dict(zip(names, parts, strict=True)) | {"kind": "without_limit"}))
    return found


def change_in_words(change: Mapping[str, Any]) -> str:
    """A change of the copy, said in the language of the page."""
    products, regions = pages.products_by_code(session()), regions_by_code()
    firm_id = change.get("firm_id")
    known = pages.firms_by_id(session(), principal=principal(), firm_ids=[uuid.UUID(str(firm_id))] if firm_id else [])
    firm = named(next(iter(known.values()), None))
    product = products.get(change.get("product") or "")
    begin, end = (named(regions.get(change.get(side) or "")) for side in ("from_region", "to_region"))
    match change["kind"]:
        case "without_firm":
            return _("without %(firm)s", firm=firm)
        case "capacity":
            what = named(product) if product else _("all its products")
            return _("%(firm)s: %(what)s times %(factor)s", firm=firm, what=what, factor=change["factor"])
        case "quota" if product:
            most = quantity(change["limit"], product.unit)
            return _(
                "at most %(most)s of %(product)s from %(begin)s to %(end)s",
                most=most,
                product=named(product),
                begin=begin,
                end=end,
            )
        case "price":
            side = {"sell": _("asks"), "buy": _("bids"), "convert": _("fees")}[str(change["side"])]
            percent = signed_percent(change["percent"])
            return _("%(product)s: %(side)s %(percent)s", product=named(product), side=side, percent=percent) + (
                f" ({firm})" if firm else ""
            )
    return _limit_in_words(change, named(product), firm, end)


def _limit_in_words(change: Mapping[str, Any], product: str, firm: str, end: str) -> str:
    begin = change.get("from_region") or ""
    match change.get("limit_kind"):
        case "ceiling":
            return _("without the ceiling on %(firm)s, %(product)s", firm=firm or _("every supplier"), product=product)
        case "origin":
            text = _(
                "without the rule on origin %(country)s to %(end)s, %(product)s",
                country=begin,
                end=end,
                product=product,
            )
        case _other:
            named_begin = named(regions_by_code().get(begin))
            text = _(
                "without the quota from %(begin)s to %(end)s, %(product)s", begin=named_begin, end=end, product=product
            )
    return text


def relative_change(pair: Mapping[str, str]) -> Decimal:
    """By how much of what it was something changes; nothing where there was nothing."""
    before = exact(pair["before"])
    return (exact(pair["after"]) - before) / before if before else Decimal(0)


def _widest_change(lines: list[Any]) -> Decimal:
    """The change that fills its half of a bar: the largest, but a tenth at least, or noise would look like a shock."""
    changes = [abs(relative_change(line[what])) for line in lines for what in ("volume", "met")]
    return max([LEAST_WIDEST, *changes])


def part_of_whole(before: str, after: str) -> str:
    """By how much of what it was something changes, in words."""
    whole = exact(before)
    # Adding nought makes a tiny loss that rounds to nothing lose its sign.
    part = relative_change({"before": before, "after": after})
    return share(part.quantize(Decimal("0.001")) + 0) if whole else "–"
