"""Forms of rounds: made, changed, settled; the guests of docking events; the forward curve."""

from __future__ import annotations

import uuid
from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.errors import Conflict, Refused
from app.models import Firm, MarketIndex, Round, RoundKind, RoundState
from app.operations import firms, rounds
from app.operations.forward_curve import CHANGEABLE, enter_forward_prices, forward_curves, points
from app.operations.guests import firms_by_number, guests
from app.operations.offer_cells import CellFault, number
from app.operations.offer_faults import expected
from app.operations.reference_data import Outcome
from app.permissions import Permission
from app.web.formats import language
from app.web.labels import options
from app.web.round_form import ALL, OWN, STANDARD, RoundForm
from app.web.texts import _, ngettext

blueprint = Blueprint("rounds_admin", __name__, url_prefix="/console/rounds")
MOST_FIRMS = 2_000
# Where a refusal of the operation stands in the form.
FIELDS = {"currency_rates": "rates"}


@blueprint.get("/new")
@requires(Permission.ROUND_MANAGE)
def new() -> ResponseReturnValue:
    """The form of a new round."""
    usual = {"kind": RoundKind.NIGHTLY.value, "period_count": "8", "proposal_days": "7", "review_threshold": "0"}
    return _form(RoundForm(usual | {"windows": ALL}))


@blueprint.post("/new")
@requires(Permission.ROUND_MANAGE)
def create() -> ResponseReturnValue:
    """Make a round, in preparation."""
    form = RoundForm(request.form)
    values = form.read()
    if form.errors:
        return _form(form), 422
    try:
        with session().begin_nested():
            made = rounds.create(session(), principal=principal(), now=clock(), **values)
    except (Refused, Conflict) as refusal:
        return _form(_told(form, refusal)), 422
    flash(_("The round is in preparation. Open it when it is to take offers."), "success")
    return redirect(url_for("rounds.show", round_id=made.id), 303)


@blueprint.get("/<uuid:round_id>/edit")
@requires(Permission.ROUND_MANAGE)
def edit(round_id: uuid.UUID) -> ResponseReturnValue:
    """What may still change of a round."""
    return _form(RoundForm.of_round(_round(round_id)))


@blueprint.post("/<uuid:round_id>/edit")
@requires(Permission.ROUND_MANAGE)
def change(round_id: uuid.UUID) -> ResponseReturnValue:
    """Change a round; if somebody else has changed it since the form was opened, nothing is kept and he is told."""
    present = _round(round_id)
    form = RoundForm(request.form, present=present)
    values = form.read()
    if form.errors:
        return _form(form), 422
    if request.form.get("version", type=int) != present.version:
        form.errors[""] = _("Somebody has changed this round meanwhile. Look at it as it is now, then change it again.")
        return _form(form), 409
    try:
        with session().begin_nested():
            rounds.change(session(), principal=principal(), round_id=round_id, now=clock(), **values)
    except (Refused, Conflict) as refusal:
        return _form(_told(form, refusal)), 422
    flash(_("The round is changed."), "success")
    return redirect(url_for("rounds.show", round_id=round_id), 303)


@blueprint.post("/<uuid:round_id>/settle")
@requires(Permission.ROUND_MANAGE)
def settle(round_id: uuid.UUID) -> ResponseReturnValue:
    """End a closed round for good."""
    try:
        with session().begin_nested():
            rounds.settle_round(session(), principal=principal(), round_id=round_id, now=clock())
    except Conflict as conflict:
        flash(_("This is not possible now: %(why)s", why=conflict.text.in_language(language())), "warning")
    else:
        flash(_("The round is settled."), "success")
    return redirect(url_for("rounds.show", round_id=round_id), 303)


@blueprint.get("/<uuid:round_id>/guests")
@requires(Permission.ROUND_MANAGE)
def guest_list(round_id: uuid.UUID) -> ResponseReturnValue:
    """Who is invited to a docking event, and who has answered."""
    return _guests(_round(round_id))


@blueprint.post("/<uuid:round_id>/guests")
@requires(Permission.ROUND_MANAGE)
def invite(round_id: uuid.UUID) -> ResponseReturnValue:
    """Invite firms: those chosen, and those whose numbers were pasted; all of them or none."""
    market_round = _round(round_id)
    numbers = [line.strip() for line in request.form.get("numbers", "").splitlines() if line.strip()]
    known = firms_by_number(session(), numbers=[line.upper() for line in numbers])
    unknown = [line for line in numbers if line.upper() not in known]
    if unknown:
        return _guests(
            market_round, {"numbers": _("Not in the register: %(numbers)s", numbers=", ".join(unknown))}
        ), 422
    chosen = [uuid.UUID(key) for key in request.form.getlist("firms") if _is_key(key)]
    try:
        with session().begin_nested():
            outcomes = [
                rounds.invite(session(), principal=principal(), round_id=round_id, firm_id=firm_id, now=clock())
                for firm_id in dict.fromkeys([*chosen, *known.values()])
            ]
    except (Refused, Conflict) as refusal:
        return _guests(market_round, {"firms": refusal.text.in_language(language())}), 422
    count = sum(outcome is Outcome.CREATED for outcome in outcomes)
    flash(ngettext("%(num)d firm is invited.", "%(num)d firms are invited.", count), "success")
    return redirect(url_for("rounds_admin.guest_list", round_id=round_id), 303)


@blueprint.post("/<uuid:round_id>/guests/<uuid:firm_id>/remove")
@requires(Permission.ROUND_MANAGE)
def uninvite(round_id: uuid.UUID, firm_id: uuid.UUID) -> ResponseReturnValue:
    """Take an invitation back while the round is in preparation."""
    try:
        with session().begin_nested():
            rounds.uninvite(session(), principal=principal(), round_id=round_id, firm_id=firm_id)
    except Conflict as conflict:
        flash(conflict.text.in_language(language()), "warning")
    else:
        flash(_("The invitation is taken back."), "success")
    return redirect(url_for("rounds_admin.guest_list", round_id=round_id), 303)


@blueprint.get("/<uuid:round_id>/curve")
@requires(Permission.ROUND_MANAGE)
def curve(round_id: uuid.UUID) -> ResponseReturnValue:
    """The forward curve: each index in each period."""
    return _curve(_round(round_id), {}, {})


@blueprint.post("/<uuid:round_id>/curve")
@requires(Permission.ROUND_MANAGE)
def enter_curve(round_id: uuid.UUID) -> ResponseReturnValue:
    """Enter points of the curve; an empty cell takes a point back."""
    market_round = _round(round_id)
    prices: dict[tuple[str, str], Decimal | None] = {}
    errors: dict[str, str] = {}
    for name, typed in request.form.items():
        index, slash, period = name.partition("/")
        if not slash:
            continue
        try:
            prices[index, period] = number(typed) if typed.strip() else None
        except CellFault as fault:
            errors[name] = expected(fault.code, fault.params, language())
    if errors:
        return _curve(market_round, request.form, errors), 422
    try:
        with session().begin_nested():
            enter_forward_prices(session(), principal=principal(), round_id=round_id, prices=prices, now=clock())
    except (Refused, Conflict) as refusal:
        field = getattr(refusal, "field", None) or ""
        return _curve(market_round, request.form, {field: refusal.text.in_language(language())}), 422
    flash(_("The curve is kept. Formulas are evaluated on it from the next run on."), "success")
    return redirect(url_for("rounds_admin.curve", round_id=round_id), 303)


def _round(round_id: uuid.UUID) -> Round:
    return rounds.find_round(session(), principal=principal(), round_id=round_id)


def _told(form: RoundForm, refusal: Refused | Conflict) -> RoundForm:
    """The form with what the operation refused."""
    field = (getattr(refusal, "field", None) or "code").partition("/")[0]
    field = {"windows": "ladder"}.get(field, FIELDS.get(field, field))
    form.errors[field] = refusal.text.in_language(language())
    return form


def _form(form: RoundForm) -> str:
    return render_template(
        "round_form.html",
        form=form,
        round=form.present,
        values=form.values,
        errors=form.errors,
        is_draft=form.present is None or form.present.state is RoundState.DRAFT,
        kinds=options("round_kind", list(RoundKind)),
        ladders=[
            (ALL, _("Any run of periods")),
            (STANDARD, _("Standard ladder: 1, 2, 4, 8 … periods, and the whole")),
            (OWN, _("A ladder of its own, written below")),
        ],
    )


def _guests(market_round: Round, errors: dict[str, str] | None = None) -> str:
    found = guests(session(), principal=principal(), round_id=market_round.id)
    invited = {guest.firm.id for guest in found}
    active = firms.visible_firms(principal()).where(Firm.active).order_by(Firm.name_en, Firm.id).limit(MOST_FIRMS)
    return render_template(
        "round_guests.html",
        round=market_round,
        guests=found,
        answered=sum(guest.answered_at is not None for guest in found),
        others=[firm for firm in session().scalars(active) if firm.id not in invited],
        errors=errors or {},
        may_invite=market_round.kind is RoundKind.DOCKING and market_round.state in (RoundState.DRAFT, RoundState.OPEN),
        may_remove=market_round.state is RoundState.DRAFT,
    )


def _curve(market_round: Round, typed: object, errors: dict[str, str]) -> str:
    return render_template(
        "round_curve.html",
        round=market_round,
        indices=session().query(MarketIndex).order_by(MarketIndex.code).all(),
        points=points(session(), round_id=market_round.id),
        curves=forward_curves(session(), market_round=market_round, now=clock()),
        typed=typed,
        errors=errors,
        changeable=market_round.state in CHANGEABLE,
    )


def _is_key(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
