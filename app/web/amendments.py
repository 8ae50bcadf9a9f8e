"""Amendments: drafted in a form over the terms as they stand, proposed with a signature, signed or refused."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import Principal, principal, requires
from app.clock import clock, today
from app.config import settings
from app.db import session
from app.downloads import pdf_download
from app.errors import Told
from app.models import Amendment, Contract
from app.operations import amendments, contracts, documents, terms_in_force
from app.permissions import Permission
from app.trust import trusted_roots
from app.web.amendment_form import places_of, read_form
from app.web.formats import in_words
from app.web.signing import given_of_form, tell_refusal
from app.web.terms_words import fault_text, named_place
from app.web.texts import _
from contracts.reasons import REASONS, ReasonGroup
from contracts.state import Subject, moves_from
from market.errors import BadInput

blueprint = Blueprint("amendments", __name__)
LONGEST_NOTE = 1000


def section(contract: Contract, who: Principal) -> dict[str, Any] | None:
    """The amendments that the reader knows of; nothing before the contract is in force."""
    if contract.state not in amendments.IN_FORCE and contract.state in {"agreed", "signing", "signed"}:
        return None
    query = amendments.visible_amendments(who, contract).order_by(Amendment.created_at.desc(), Amendment.id)
    side = contracts.side_of(who, contract)
    return {
        "rows": list(session().scalars(query)),
        "may_draft": contract.state in amendments.IN_FORCE and side is not None and who.may(Permission.CONTRACT_SIGN),
    }


def versions_section(contract: Contract, who: Principal) -> dict[str, Any] | None:  # noqa: ARG001 - all see the same
    """The versions of the terms and what each changed; nothing while there is only one."""
    found = terms_in_force.versions(session(), contract=contract)
    if len(found) < 2:
        return None
    return {"rows": terms_in_force.history(session(), contract=contract)}


@blueprint.get("/contracts/<uuid:contract_id>/amendments/new")
@requires(Permission.CONTRACT_SIGN)
def form(contract_id: uuid.UUID) -> ResponseReturnValue:
    """The terms as they stand, to be changed in places."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    contracts.signing_side(principal(), contract)
    return _form(contract)


@blueprint.post("/contracts/<uuid:contract_id>/amendments/new")
@requires(Permission.CONTRACT_SIGN)
def draft(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Keep a draft of the places that were changed."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    contracts.signing_side(principal(), contract)
    last = terms_in_force.versions(session(), contract=contract)[-1]
    new_values, errors = read_form(request.form, last.terms)
    day = _day(request.form.get("in_force_from", ""))
    if day is None:
        errors["in_force_from"] = _("A day is expected.")
    if errors or day is None:
        return _form(contract, errors=errors), 422
    try:
        with session().begin_nested():
            made = amendments.draft(
                session(),
                principal=principal(),
                contract_id=contract_id,
                reason_code=request.form.get("reason_code", ""),
                in_force_from=day,
                new_values=new_values,
                note=request.form.get("note", "").strip()[:LONGEST_NOTE] or None,
                now=clock(),
            )
    except BadInput as faults:
        said = {one.place: fault_text(one) for one in faults.faults}
        return _form(contract, errors=said), 422
    except Told as refusal:
        field = getattr(refusal, "field", None) or "form"
        return _form(contract, errors={field: in_words(refusal.text.zh, refusal.text.en)}), 422
    flash(_("The draft is kept. The other side learns of it when you propose it with your signature."), "success")
    return _to(made)


@blueprint.get("/contracts/<uuid:contract_id>/amendments/<uuid:amendment_id>")
@requires(Permission.CONTRACT_READ)
def show(contract_id: uuid.UUID, amendment_id: uuid.UUID) -> ResponseReturnValue:
    """One amendment: what it changes, from when, why, and what the reader may do."""
    found = _found(contract_id, amendment_id)
    contract = found.contract
    side = contracts.side_of(principal(), contract)
    may = side is not None and principal().may(Permission.CONTRACT_SIGN)
    open_moves = {row.move for row in moves_from(Subject.AMENDMENT, found.state, side)} if may and side else set()
    own = found.proposed_by == side
    return render_template(
        "amendment.html",
        contract=contract,
        amendment=found,
        changes=amendments.changes(session(), amendment=found),
        has_document=documents.document_of_amendment(session(), amendment=found) is not None,
        moves=open_moves & ({"propose", "cancel"} if own else {"sign", "refuse"}),
        demo=settings().demo_signing,
        reasons=[(one.code, in_words(one.text.zh, one.text.en)) for one in REASONS[ReasonGroup.REFUSE_AMENDMENT]],
    )


@blueprint.post("/contracts/<uuid:contract_id>/amendments/<uuid:amendment_id>/document")
@requires(Permission.CONTRACT_SIGN)
def prepare(contract_id: uuid.UUID, amendment_id: uuid.UUID) -> ResponseReturnValue:
    """Print the contract as the amendment would have it."""
    found = _found(contract_id, amendment_id)
    ids = {"contract_id": contract_id, "amendment_id": amendment_id}
    amendments.prepare_document(session(), principal=principal(), now=clock(), **ids)
    return _to(found)


@blueprint.get("/contracts/<uuid:contract_id>/amendments/<uuid:amendment_id>.pdf")
@requires(Permission.CONTRACT_READ)
def document(contract_id: uuid.UUID, amendment_id: uuid.UUID) -> ResponseReturnValue:
    """The document of an amendment with the signatures so far."""
    return pdf_download(documents.find_amendment_document(session(), amendment=_found(contract_id, amendment_id)))


@blueprint.post("/contracts/<uuid:contract_id>/amendments/<uuid:amendment_id>/<any(propose, sign):move>")
@requires(Permission.CONTRACT_SIGN)
def sign(contract_id: uuid.UUID, amendment_id: uuid.UUID, move: str) -> ResponseReturnValue:
    """Sign: one's own draft to propose it, the other side's proposal to bring it into force."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    party = contracts.party_of(principal(), contract)
    operation: Callable[..., Amendment] = amendments.propose if move == "propose" else amendments.sign

    def moved() -> Amendment:
        return operation(
            session(),
            principal=principal(),
            contract_id=contract_id,
            amendment_id=amendment_id,
            given=given_of_form(party),
            roots=trusted_roots(settings(), now=clock()),
            now=clock(),
        )

    said = _("Proposed. The other side has to answer.") if move == "propose" else _("Signed by both: the terms change.")
    return _moved(contract_id, amendment_id, moved, said)


@blueprint.post("/contracts/<uuid:contract_id>/amendments/<uuid:amendment_id>/refuse")
@requires(Permission.CONTRACT_SIGN)
def refuse(contract_id: uuid.UUID, amendment_id: uuid.UUID) -> ResponseReturnValue:
    """Refuse with a reason; the terms stay as they are."""

    def moved() -> Amendment:
        return amendments.refuse(
            session(),
            principal=principal(),
            contract_id=contract_id,
            amendment_id=amendment_id,
            reason_code=request.form.get("reason_code", ""),
            note=request.form.get("note", "").strip()[:LONGEST_NOTE] or None,
            now=clock(),
        )

    return _moved(contract_id, amendment_id, moved, _("Refused. The terms stay as they are."))


@blueprint.post("/contracts/<uuid:contract_id>/amendments/<uuid:amendment_id>/cancel")
@requires(Permission.CONTRACT_SIGN)
def cancel(contract_id: uuid.UUID, amendment_id: uuid.UUID) -> ResponseReturnValue:
    """Take one's own back."""

    def moved() -> Amendment:
        ids = {"contract_id": contract_id, "amendment_id": amendment_id}
        return amendments.cancel(session(), principal=principal(), now=clock(), **ids)

    return _moved(contract_id, amendment_id, moved, _("Taken back."))


def _moved(
    contract_id: uuid.UUID, amendment_id: uuid.UUID, move: Callable[[], Amendment], said: str
) -> ResponseReturnValue:
    """Make a move and say so, or say what stood in the way."""
    try:
        with session().begin_nested():
            move()
    except BadInput as faults:
        for one in faults.faults[:3]:
            flash(f"{named_place(one.place)}: {fault_text(one)}", "danger")
    except Told as refusal:
        tell_refusal(refusal)
    else:
        flash(said, "success")
    return _to(_found(contract_id, amendment_id))


def _found(contract_id: uuid.UUID, amendment_id: uuid.UUID) -> Amendment:
    return amendments.find_amendment(
        session(), principal=principal(), contract_id=contract_id, amendment_id=amendment_id
    )


def _to(amendment: Amendment) -> ResponseReturnValue:
    place = url_for("amendments.show", contract_id=amendment.contract_id, amendment_id=amendment.id)
    return redirect(place, 303)


def _form(contract: Contract, *, errors: dict[str, str] | None = None) -> str:
    last = terms_in_force.versions(session(), contract=contract)[-1]
    places = places_of(last.terms, from_day=today())
    shown = {place.pointer for place in places} | {"reason_code", "in_force_from", "other"}
    return render_template(
        "amendment_form.html",
        contract=contract,
        last=last,
        places=places,
        typed=request.form,
        errors=errors or {},
        elsewhere={place: text for place, text in (errors or {}).items() if place not in shown},
        earliest=max(last.in_force_from + dt.timedelta(days=1), today()),
        reasons=[(one.code, in_words(one.text.zh, one.text.en)) for one in REASONS[ReasonGroup.AMEND]],
    )


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None
