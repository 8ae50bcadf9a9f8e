"""Negotiating a proposal on its page: the counter-offer and its answers, the versions, the thread of the parties."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.errors import Conflict
from app.models.negotiation import LONGEST_MESSAGE
from app.operations import counters, messages, pages, proposal_versions, proposals, review
from app.operations.offer_cells import text
from app.operations.proposals import PartyProposal
from app.permissions import Permission
from app.web import negotiation_form
from app.web.formats import exact, in_words, number, period, price, quantity, scaled, share
from app.web.negotiation_form import CounterForm
from app.web.terms_words import value_in_words
from app.web.texts import _
from contracts.counter import Difference, Measure
from contracts.reasons import REASONS, ReasonGroup
from market.errors import BadInput

blueprint = Blueprint("negotiation", __name__)


def proposal_page(
    proposal_id: uuid.UUID, *, typed: Mapping[str, str] | None = None, form: CounterForm | None = None
) -> str:
    """The page of a proposal for one of its parties, with the form of a counter as it was typed.

    :raises NotFound: the asker's firm knows of no such proposal.
    """
    who = principal()
    found = proposals.find_proposal(session(), principal=who, proposal_id=proposal_id)
    row = proposals.find_row(session(), who, proposal_id)
    may_decide = proposals.may_decide(who)
    room = None
    if may_decide and "counter" in found.open_moves:
        room = counters.what_may_change(session(), principal=who, proposal_id=proposal_id)
    versions = proposal_versions.views(who, row, proposal_versions.versions_of(session(), row))
    return render_template(
        "proposal.html",
        proposal=found,
        attributes=pages.attributes_by_code(session(), product_code=found.product.code),
        may_decide=may_decide,
        reasons=[(one.code, in_words(one.text.zh, one.text.en)) for one in REASONS[ReasonGroup.DECLINE]],
        versions=versions,
        waiting=next((one for one in versions if one.state == "open"), None),
        offered=room,
        numbers=negotiation_form.numbers_of(room) if room else [],
        waits=negotiation_form.WAITS,
        typed=typed or (negotiation_form.written(room) if room else {}),
        errors=form.errors if form else {},
        thread=messages.thread(session(), principal=who, proposal_id=proposal_id),
        longest=LONGEST_MESSAGE,
        **_tools(found.product.unit.value, found.product.lot),
    )


def _tools(unit: str, lot: Any) -> dict[str, Any]:
    return {
        "change_name": change_name,
        "told": lambda one, value: _told(one, value, unit, lot),
        "place_options": lambda places: [(str(place.site_id), place.place) for place in places],
        "wait_options": lambda waits: [(days, _("%(days)s days", days=days)) for days in waits],
    }


def change_name(one: Difference) -> str:
    """What a place of the terms is called, with its period where it has one."""
    name = in_words(one.text.zh, one.text.en)
    return name if one.period is None else f"{name} · {period(str(one.period))}"


def _told(one: Difference, value: Any, unit: str, lot: Any) -> str:
    """One value of a place of the terms as people read it."""
    if value is None:
        return "–"
    ways = {"fixed": _("fixed price"), "formula": _("price formula")}
    tell: Mapping[Measure, Callable[[], str]] = {
        Measure.MONEY: lambda: price(value, unit),
        Measure.LOTS: lambda: quantity(scaled(value, str(lot)), unit),
        Measure.SHARE: lambda: share(exact(value), 4),
        Measure.DAYS: lambda: _("%(days)s days", days=number(value)),
        Measure.YEARS: lambda: _("%(count)s years", count=number(value)),
        Measure.TEXT: lambda: ways[value] if value in ("fixed", "formula") else value_in_words(value),
    }
    return tell[one.measure]()


@blueprint.post("/proposals/<uuid:proposal_id>/counter")
@requires(Permission.PROPOSAL_DECIDE)
def counter(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """Ask for other terms; what is wrong is told beside its field, and nothing that was typed is lost."""
    who, now = principal(), clock()
    room = counters.what_may_change(session(), principal=who, proposal_id=proposal_id)
    form = negotiation_form.read(request.form, room, now=now)
    if not form.errors:
        try:
            with session().begin_nested():
                counters.counter(
                    session(),
                    principal=who,
                    proposal_id=proposal_id,
                    version=request.form.get("version", 0, type=int),
                    changes=form.changes,
                    site_id=form.site_id,
                    message=form.message,
                    expires_at=form.expires_at,
                    now=now,
                )
        except BadInput as refusal:
            negotiation_form.tell(form, refusal)
        except Conflict as conflict:
            flash(_("This is not possible now: %(why)s", why=_why(conflict)), "warning")
            return _back(proposal_id)
        else:
            flash(_("Your counter-offer is with the other side."), "success")
            return _back(proposal_id)
    return proposal_page(proposal_id, typed=request.form, form=form), 422


@blueprint.post("/proposals/<uuid:proposal_id>/counter/take")
@requires(Permission.PROPOSAL_DECIDE)
def take(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """Agree to the other side's counter: it is the version on offer, and accepted for the own side."""

    def act() -> PartyProposal:
        return counters.take(
            session(),
            principal=principal(),
            proposal_id=proposal_id,
            terms_hash=request.form.get("terms_hash", ""),
            accept=True,
            now=clock(),
        )

    return _answer(
        proposal_id, act, _("You agree to the counter-offer. The contract is made when the other side accepts it, too.")
    )


@blueprint.post("/proposals/<uuid:proposal_id>/counter/reject")
@requires(Permission.PROPOSAL_DECIDE)
def reject(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """Say no to the other side's counter."""

    def act() -> PartyProposal:
        return counters.reject(
            session(),
            principal=principal(),
            proposal_id=proposal_id,
            terms_hash=request.form.get("terms_hash", ""),
            message=_typed_message("message"),
            now=clock(),
        )

    return _answer(proposal_id, act, _("The counter-offer is rejected. The version before is on offer again."))


@blueprint.post("/proposals/<uuid:proposal_id>/counter/withdraw")
@requires(Permission.PROPOSAL_DECIDE)
def withdraw(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """Take the own counter back."""

    def act() -> PartyProposal:
        return counters.withdraw(
            session(),
            principal=principal(),
            proposal_id=proposal_id,
            terms_hash=request.form.get("terms_hash", ""),
            now=clock(),
        )

    return _answer(proposal_id, act, _("Your counter-offer is withdrawn. The version before is on offer again."))


@blueprint.post("/proposals/<uuid:proposal_id>/messages")
@requires(Permission.PROPOSAL_DECIDE)
def write(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """Write to the other side; what it wrote counts as read."""
    proposals.find_proposal(session(), principal=principal(), proposal_id=proposal_id)
    body = _typed_message("body")
    if body is None:
        flash(_("Write something first."), "danger")
        return _back(proposal_id, "thread")
    try:
        with session().begin_nested():
            messages.write(session(), principal=principal(), proposal_id=proposal_id, body=body, now=clock())
    except Conflict as conflict:
        flash(_("This is not possible now: %(why)s", why=_why(conflict)), "warning")
    return _back(proposal_id, "thread")


@blueprint.post("/proposals/<uuid:proposal_id>/messages/read")
@requires(Permission.PROPOSAL_DECIDE)
def mark_read(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """Note that all messages on the page have been read."""
    until = request.form.get("until", 0, type=int)
    messages.mark_read(session(), principal=principal(), proposal_id=proposal_id, until=until, now=clock())
    return _back(proposal_id, "thread")


@blueprint.get("/console/review/<uuid:proposal_id>/negotiation")
@requires(Permission.SEALED_READ)
def in_review(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """Versions and thread of a proposal for staff; the look is written down."""
    who = principal()
    thread = messages.thread_for_review(
        session(), principal=who, proposal_id=proposal_id, path=request.path, now=clock()
    )
    row = review.find_review(session(), principal=who, proposal_id=proposal_id)
    versions = proposal_versions.views(who, row, proposal_versions.versions_of(session(), row))
    people = [one.by_user_id for one in versions] + [one.by_user_id for one in thread.messages]
    return render_template(
        "review_negotiation.html",
        proposal=row,
        product=row.grade.product,
        versions=versions,
        thread=thread,
        names=pages.names_of_people(session(), people),
        **_tools(row.grade.product.unit.value, row.grade.product.lot),
    )


def _answer(proposal_id: uuid.UUID, act: Callable[[], PartyProposal], done: str) -> ResponseReturnValue:
    """Do it, and say what came of it on the page of the proposal."""
    try:
        with session().begin_nested():
            found = act()
    except BadInput as refusal:
        flash(_("This is outside your own limits. %(why)s", why=negotiation_form.in_one_line(refusal)), "danger")
    except Conflict as conflict:
        flash(_("This is not possible now: %(why)s", why=_why(conflict)), "warning")
    else:
        flash(done, "success")
        if found.contract_id is not None:
            return redirect(url_for("contracts.show", contract_id=found.contract_id), 303)
    return _back(proposal_id)


def _typed_message(name: str) -> str | None:
    return text(request.form.get(name, "").replace("\r\n", "\n"))[:LONGEST_MESSAGE] or None


def _why(conflict: Conflict) -> str:
    return in_words(conflict.text.zh, conflict.text.en)


def _back(proposal_id: uuid.UUID, place: str | None = None) -> ResponseReturnValue:
    return redirect(url_for("proposals.show", proposal_id=proposal_id, _anchor=place), 303)
