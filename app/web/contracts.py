"""Contracts: the list and the page, for the two parties, the platform and the regulator."""

from __future__ import annotations

import datetime as dt
import uuid

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import Principal, principal, requires
from app.clock import today
from app.db import session
from app.models import Contract
from app.operations import contracts, pages
from app.operations.contract_terms import frozen_terms
from app.operations.terms_in_force import version_in_force
from app.permissions import Permission
from app.web.contract_sections import sections_for
from app.web.labels import reason_text
from app.web.paging import page_of
from contracts.state import STATES, Subject
from contracts.terms import canonical_json

blueprint = Blueprint("contracts", __name__)


@blueprint.get("/contracts")
@requires(Permission.CONTRACT_READ)
def listing() -> ResponseReturnValue:
    """The contracts that the asker may read, newest first."""
    select = contracts.visible_contracts(principal())
    if (state := request.args.get("state")) in {state.name for state in STATES[Subject.CONTRACT]}:
        select = select.where(Contract.state == state)
    if number := request.args.get("number", "").strip().upper():
        select = select.where(Contract.number == number)
    found = page_of(session(), select, order=(Contract.created_at, Contract.id))
    return render_template(
        "contracts.html",
        page=found,
        products=pages.products_by_code(session()),
        states=[state.name for state in STATES[Subject.CONTRACT]],
    )


@blueprint.get("/contracts/<uuid:contract_id>")
@requires(Permission.CONTRACT_READ)
def show(contract_id: uuid.UUID) -> ResponseReturnValue:
    """One contract: its terms on a day (`?as_of=`, today without it) with their hash, and every step."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    asked = _day(request.args.get("as_of"))
    version = version_in_force(session(), contract=contract, on=asked or today())
    steps = contracts.steps(session(), principal=principal(), contract=contract)
    names = pages.names_of_people(session(), (step.user_id for step in steps))
    return render_template(
        "contract.html",
        contract=contract,
        sections=sections_for(contract, principal()),
        thread=_thread_of(contract, principal()),
        terms=version.terms,
        version=version,
        as_of=asked,
        product=pages.products_by_code(session()).get(version.terms.get("product", "")),
        grades=pages.grade_names(session(), product_code=version.terms.get("product", "")),
        attributes=pages.attributes_by_code(session(), product_code=version.terms.get("product", "")),
        events=[
            {
                "name": step.name,
                "at": step.at,
                "acting_as": step.acting_as,
                "who": names.get(step.user_id) if step.user_id else None,
                "reason": reason_text(step.reason_code, step.name),
                "note": step.note,
                "version_hash": step.version_hash,
            }
            for step in steps
        ],
    )


@blueprint.get("/contracts/<uuid:contract_id>/terms.json")
@requires(Permission.CONTRACT_READ)
def terms(contract_id: uuid.UUID) -> Response:
    """The canonical text of the terms on a day: its SHA-256 is the hash that both sides accepted or signed."""
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    version = version_in_force(session(), contract=contract, on=_day(request.args.get("as_of")) or today())
    text = canonical_json(frozen_terms(version.terms))
    name = f"{contract.number}.json" if version.number == 1 else f"{contract.number}-v{version.number}.json"
    return Response(
        text, content_type="application/json", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _thread_of(contract: Contract, who: Principal) -> str | None:
    """Where the reader finds what the parties wrote to each other before they agreed; staff's look is written down."""
    if who.firm_id is not None and who.may(Permission.PROPOSAL_READ):
        return url_for("proposals.show", proposal_id=contract.proposal_id, _anchor="thread")
    if who.firm_id is None and who.may(Permission.SEALED_READ):
        return url_for("negotiation.in_review", proposal_id=contract.proposal_id)
    return None


def _day(text: str | None) -> dt.date | None:
    """The day that an address names; None without one, or where it is none."""
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        return None
