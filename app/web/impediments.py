"""What hinders contracts or ends them, on the pages: rest, termination, reopeners, and what came back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import Principal, principal, requires
from app.clock import clock, today
from app.db import session
from app.errors import Conflict, Refused
from app.models import Contract, ForceMajeureNotice, TerminationGround
from app.operations import (
    claims,
    contracts,
    endings,
    hindrances,
    reopeners,
    returned_volume,
    suspension,
    termination,
)
from app.operations.lapses import BEFORE_EFFECT
from app.operations.terms_in_force import terms_in_force
from app.permissions import Permission
from app.web.claims import LONGEST_NOTE, LONGEST_STATEMENT, kinds, told
from app.web.delivery_rows import reasons_of
from app.web.form_fields import FormFields
from app.web.labels import options
from app.web.texts import _
from contracts.reasons import ReasonGroup, codes_of
from contracts.state import Guard

blueprint = Blueprint("impediments", __name__)


def section(contract: Contract, who: Principal) -> dict[str, Any] | None:
    """What hindered a contract or ended it, and what the reader may do about it; before effect, its cancelling."""
    before_effect = contract.state in BEFORE_EFFECT
    if contract.state not in claims.CAME_INTO_FORCE and not before_effect:
        return None
    in_force = contract.state in endings.IN_FORCE
    notices = hindrances.of_contract(session(), contract_id=contract.id)
    side = contracts.side_of(who, contract)
    wishes = termination.of_contract(session(), contract=contract)
    return {
        "notices": notices,
        "suspensions": suspension.of_contract(session(), contract=contract),
        "wishes": wishes,
        "ready": {
            wish.id: bool(_guards(contract, wish, side))
            for wish in wishes
            if termination.stands(wish) and (in_force or before_effect)
        },
        "reopenings": reopeners.of_contract(session(), contract=contract),
        "returned": returned_volume.returned(session(), principal=who, contract=contract),
        **(NOTHING_YET if before_effect else _days(contract, notices)),
        "side": side,
        "may_notify": in_force and side is not None and who.may(Permission.CONTRACT_NOTIFY),
        "may_cancel": before_effect and side is not None and who.may(Permission.CONTRACT_NOTIFY),
        "may_suspend": in_force and who.may(Permission.CONTRACT_SUSPEND),
    }


# Before effect nothing can hinder a contract, and no clause can be reopened.
NOTHING_YET: dict[str, Any] = {"clauses": [], "exit_day": None, "long_stop": None}


def _days(contract: Contract, notices: Sequence[ForceMajeureNotice]) -> dict[str, Any]:
    """What may be reopened, from when a hindrance lets a party leave, and when it is all over."""
    terms = terms_in_force(session(), contract=contract, on=today())
    return {
        "clauses": list(enumerate(terms.reopeners)),
        "exit_day": hindrances.first_exit(notices, terms=terms),
        "long_stop": hindrances.last_day(notices, terms=terms, on=today()),
    }


def _guards(contract: Contract, wish: Any, side: Any) -> set[Guard]:
    if side is None:
        return set()
    return termination.guards_met(session(), termination=wish, contract=contract, side=side, now=clock())


@blueprint.get("/contracts/<uuid:contract_id>/suspend")
@requires(Permission.CONTRACT_SUSPEND)
def suspend_form(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Staff's page to let a contract rest."""
    return _suspend_form(contract_id, {})


@blueprint.post("/contracts/<uuid:contract_id>/suspend")
@requires(Permission.CONTRACT_SUSPEND)
def suspend(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Let a contract rest."""
    fields = FormFields(request.form)
    found: dict[str, Any] = {
        "reason_code": fields.choice("reason_code", codes_of(ReasonGroup.SUSPEND)),
        "certificate_id": request.form.get("certificate_id", type=uuid.UUID),
        "note": fields.text("note", most=LONGEST_NOTE),
    }
    if fields.errors:
        return _suspend_form(contract_id, fields.errors), 422
    try:
        with session().begin_nested():
            suspension.suspend(session(), principal=principal(), contract_id=contract_id, now=clock(), **found)
    except (Refused, Conflict) as refusal:
        place = (refusal.field if isinstance(refusal, Refused) else None) or "reason_code"
        return _suspend_form(contract_id, {place: told(refusal)}), 409
    flash(_("The contract is suspended."), "success")
    return _to_contract(contract_id)


@blueprint.post("/contracts/<uuid:contract_id>/resume")
@requires(Permission.CONTRACT_SUSPEND)
def resume(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Let a contract go on."""
    return _act(contract_id, suspension.resume, {"contract_id": contract_id}, _("The contract goes on."))


@blueprint.get("/contracts/<uuid:contract_id>/terminate")
@requires(Permission.CONTRACT_NOTIFY)
def termination_form(contract_id: uuid.UUID) -> ResponseReturnValue:
    """The form of a notice of termination, with what each ground takes."""
    return _termination_form(contract_id, {})


@blueprint.post("/contracts/<uuid:contract_id>/terminate")
@requires(Permission.CONTRACT_NOTIFY)
def give_notice_of_termination(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Tell the other side that the asker's wants to end the contract."""
    fields = FormFields(request.form)
    ground = fields.choice("ground", tuple(TerminationGround))
    given = termination.OF_GROUND.get(TerminationGround(ground)) if ground else None
    found: dict[str, Any] = {
        "reason_code": given[0] if given else fields.choice("reason_code", termination.CAUSES),
        "statement": fields.text("statement", most=LONGEST_STATEMENT, required=True),
        "claim_id": None if given else request.form.get("claim_id", type=uuid.UUID),
    }
    if fields.errors or ground is None:
        return _termination_form(contract_id, fields.errors), 422
    try:
        with session().begin_nested():
            termination.give_notice(
                session(),
                principal=principal(),
                contract_id=contract_id,
                ground=TerminationGround(ground),
                now=clock(),
                **found,
            )
    except (Refused, Conflict) as refusal:
        place = (refusal.field if isinstance(refusal, Refused) else None) or "ground"
        return _termination_form(contract_id, {place: told(refusal)}), 409
    flash(_("Notice is given. The contract goes on until it is ended."), "success")
    return _to_contract(contract_id)


@blueprint.post("/contracts/<uuid:contract_id>/terminations/<uuid:termination_id>/end")
@requires(Permission.CONTRACT_NOTIFY)
def terminate(contract_id: uuid.UUID, termination_id: uuid.UUID) -> ResponseReturnValue:
    """End the contract on a notice."""
    done = _("The contract is terminated. What was not shipped is for sale again.")
    return _act(contract_id, termination.terminate, {"termination_id": termination_id}, done)


@blueprint.post("/contracts/<uuid:contract_id>/terminations/<uuid:termination_id>/withdraw")
@requires(Permission.CONTRACT_NOTIFY)
def withdraw(contract_id: uuid.UUID, termination_id: uuid.UUID) -> ResponseReturnValue:
    """Take a notice back."""
    return _act(contract_id, termination.withdraw, {"termination_id": termination_id}, _("The notice is withdrawn."))


@blueprint.post("/contracts/<uuid:contract_id>/terminations/<uuid:termination_id>/establish")
@requires(Permission.CONTRACT_SUSPEND)
def establish(contract_id: uuid.UUID, termination_id: uuid.UUID) -> ResponseReturnValue:
    """Find that the cause is there."""
    fields = FormFields(request.form)
    note = fields.text("note", most=LONGEST_NOTE, required=True)
    if fields.errors:
        flash(_("Say what shows the cause."), "danger")
        return _to_contract(contract_id)
    found = {"termination_id": termination_id, "note": note}
    return _act(contract_id, termination.establish, found, _("The cause is established."))


@blueprint.post("/contracts/<uuid:contract_id>/reopen")
@requires(Permission.CONTRACT_NOTIFY)
def reopen(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Invoke a reopener."""
    fields = FormFields(request.form)
    statement = fields.text("statement", most=LONGEST_STATEMENT, required=True)
    if fields.errors:
        flash(_("Say why the contract should be reopened."), "danger")
        return _to_contract(contract_id)
    found = {
        "contract_id": contract_id,
        "clause": request.form.get("clause", default=0, type=int),
        "statement": statement,
    }
    return _act(contract_id, reopeners.invoke, found, _("The contract is reopened. Propose an amendment."))


def _act(contract_id: uuid.UUID, move: Callable[..., object], found: dict[str, Any], done: str) -> ResponseReturnValue:
    contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    try:
        with session().begin_nested():
            move(session(), principal=principal(), now=clock(), **found)
        flash(done, "success")
    except (Refused, Conflict) as refusal:
        flash(_("This is not possible now: %(why)s", why=told(refusal)), "danger")
    return _to_contract(contract_id)


def _to_contract(contract_id: uuid.UUID) -> ResponseReturnValue:
    return redirect(url_for("contracts.show", contract_id=contract_id) + "#impediments", 303)


def _suspend_form(contract_id: uuid.UUID, errors: dict[str, str]) -> str:
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    return render_template(
        "contract_suspend.html",
        contract=contract,
        reasons=reasons_of(ReasonGroup.SUSPEND),
        certificates=suspension.suspended_certificates(session(), contract=contract),
        errors=errors,
        values=request.form,
    )


def _termination_form(contract_id: uuid.UUID, errors: dict[str, str]) -> str:
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    terms = terms_in_force(session(), contract=contract, on=today())
    own = claims.of_contract(session(), principal=principal(), contract=contract)
    side = contracts.side_of(principal(), contract)
    return render_template(
        "contract_terminate.html",
        contract=contract,
        grounds=options("termination_ground"),
        reasons=[pair for pair in reasons_of(ReasonGroup.TERMINATE) if pair[0] in termination.CAUSES],
        own_claims=[one for one in own if one.claimant == side and one.filed_at is not None],
        kinds=kinds(),
        cure_days=terms.deadlines.cure_days,
        exit_day=hindrances.exit_day(session(), contract=contract, terms=terms),
        errors=errors,
        values=request.form,
    )
