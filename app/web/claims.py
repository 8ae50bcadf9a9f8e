"""Claims on the pages: what is claimed under a contract, the form for a claim, its answer and its decision."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import Principal, principal, requires
from app.clock import clock, today
from app.db import session
from app.downloads import evidence_download
from app.errors import Conflict, Refused
from app.models import LARGEST_FILE, Claim, Contract, Penalty
from app.operations import claims, contracts, pages
from app.operations.evidence import ENDINGS, File
from app.permissions import Permission
from app.web.delivery_rows import reasons_of
from app.web.form_fields import FormFields
from app.web.formats import in_words
from app.web.labels import options
from app.web.paging import page_of
from app.web.texts import _
from contracts.reasons import ReasonGroup, codes_of
from contracts.state import Actor, Subject, state_names
from contracts.wording import as_said
from market.errors import InvalidValue

blueprint = Blueprint("claims", __name__)
LONGEST_STATEMENT, LONGEST_NOTE = 5000, 1000


def section(contract: Contract, who: Principal) -> dict[str, Any] | None:
    """The claims under a contract; nothing before it came into force."""
    if contract.state not in claims.CAME_INTO_FORCE:
        return None
    rows = claims.of_contract(session(), principal=who, contract=contract)
    return {"rows": rows, "kinds": kinds(), "may_claim": who.firm_id is not None and who.may(Permission.CLAIM_RAISE)}


@blueprint.get("/claims")
@requires(Permission.CONTRACT_READ)
def listing() -> ResponseReturnValue:
    """The claims under all contracts that the asker may read, newest first."""
    select = claims.visible_claims(principal())
    if (state := request.args.get("state")) in state_names(Subject.CLAIM):
        select = select.where(Claim.state == state)
    found = page_of(session(), select, order=(Claim.created_at, Claim.id))
    return render_template("claims.html", page=found, states=state_names(Subject.CLAIM), kinds=kinds())


@blueprint.get("/contracts/<uuid:contract_id>/claims/new")
@requires(Permission.CLAIM_RAISE)
def form(contract_id: uuid.UUID) -> ResponseReturnValue:
    """The form for a claim."""
    return _form(contract_id, {})


@blueprint.post("/contracts/<uuid:contract_id>/claims/new")
@requires(Permission.CLAIM_RAISE)
def draft(contract_id: uuid.UUID) -> ResponseReturnValue:
    """Draft a claim for an amount, or for a penalty that the terms compute."""
    fields = FormFields(request.form)
    by_terms = fields.text("penalty", most=40)
    found: dict[str, Any] = {
        "kind": fields.choice("kind", codes_of(ReasonGroup.CLAIM)),
        "breach_on": fields.day("breach_on", required=True),
        "statement": fields.text("statement", most=LONGEST_STATEMENT, required=True),
        "amount": None if by_terms else fields.decimal("amount"),
        "penalty": Penalty(by_terms) if by_terms in set(Penalty) else None,
        "penalty_period": fields.text("penalty_period", most=7),
    }
    if fields.errors:
        return _form(contract_id, fields.errors), 422
    try:
        with session().begin_nested():
            claim = claims.draft(session(), principal=principal(), contract_id=contract_id, now=clock(), **found)
    except InvalidValue:
        return _form(contract_id, {"penalty_period": _("A period is expected, such as 2027-02, 2027-Q1 or 2027.")}), 422
    except (Refused, Conflict) as refusal:
        place = refusal.field if isinstance(refusal, Refused) else None
        return _form(contract_id, {place or "breach_on": told(refusal)}), 409 if place is None else 422
    flash(_("The claim is drafted. Add your evidence, then file it."), "success")
    return redirect(url_for("claims.show", claim_id=claim.id), 303)


@blueprint.get("/claims/<uuid:claim_id>")
@requires(Permission.CONTRACT_READ)
def show(claim_id: uuid.UUID) -> ResponseReturnValue:
    """One claim: what is said on both sides, the evidence, the days, and what the reader may do."""
    return _page(claim_id, {})


@blueprint.post("/claims/<uuid:claim_id>/evidence")
@requires(Permission.CLAIM_RAISE)
def attach(claim_id: uuid.UUID) -> ResponseReturnValue:
    """Add a file on the asker's side."""
    sent = sent_file()
    if sent is None:
        return _page(claim_id, {"file": _("Choose a file first.")}), 422
    return _act(claim_id, claims.attach, {"file": sent}, _("The file is added."))


@blueprint.get("/claims/<uuid:claim_id>/evidence/<uuid:evidence_id>")
@requires(Permission.CONTRACT_READ)
def evidence(claim_id: uuid.UUID, evidence_id: uuid.UUID) -> Response:
    """A file as it came."""
    return evidence_download(
        claims.read_evidence(session(), principal=principal(), claim_id=claim_id, evidence_id=evidence_id)
    )


@blueprint.post("/claims/<uuid:claim_id>/file")
@requires(Permission.CLAIM_RAISE)
def file(claim_id: uuid.UUID) -> ResponseReturnValue:
    """Put the draft before the other side."""
    return _act(claim_id, claims.file, {}, _("The claim is filed. The other side has been told."))


@blueprint.post("/claims/<uuid:claim_id>/withdraw")
@requires(Permission.CLAIM_RAISE)
def withdraw(claim_id: uuid.UUID) -> ResponseReturnValue:
    """Take the claim back."""
    return _act(claim_id, claims.withdraw, {}, _("The claim is withdrawn."))


@blueprint.post("/claims/<uuid:claim_id>/concede")
@requires(Permission.CLAIM_RAISE)
def concede(claim_id: uuid.UUID) -> ResponseReturnValue:
    """Own up to it."""
    return _act(claim_id, claims.concede, {}, _("The claim is conceded."))


@blueprint.post("/claims/<uuid:claim_id>/defend")
@requires(Permission.CLAIM_RAISE)
def defend(claim_id: uuid.UUID) -> ResponseReturnValue:
    """Answer it."""
    fields = FormFields(request.form)
    said = fields.text("defence", most=LONGEST_STATEMENT, required=True)
    if fields.errors:
        return _page(claim_id, fields.errors), 422
    return _act(claim_id, claims.defend, {"defence": said}, _("Your answer is recorded."))


@blueprint.post("/claims/<uuid:claim_id>/uphold")
@requires(Permission.CLAIM_DECIDE)
def uphold(claim_id: uuid.UUID) -> ResponseReturnValue:
    """Decide for the claimant."""
    fields = FormFields(request.form)
    found = {"amount": fields.decimal("amount"), "note": fields.text("note", most=LONGEST_NOTE)}
    if fields.errors:
        return _page(claim_id, fields.errors), 422
    return _act(claim_id, claims.uphold, found, _("The claim is upheld."))


@blueprint.post("/claims/<uuid:claim_id>/decline")
@requires(Permission.CLAIM_DECIDE)
def decline(claim_id: uuid.UUID) -> ResponseReturnValue:
    """Decide against the claimant."""
    fields = FormFields(request.form)
    found = {
        "reason_code": fields.choice("reason_code", codes_of(ReasonGroup.DECLINE_CLAIM)),
        "note": fields.text("note", most=LONGEST_NOTE),
    }
    if fields.errors:
        return _page(claim_id, fields.errors), 422
    return _act(claim_id, claims.decline, found, _("The claim is declined."))


def kinds() -> dict[str, str]:
    """What the kinds of claims are called; other lists have the same codes with other meanings."""
    return dict(reasons_of(ReasonGroup.CLAIM))


def sent_file() -> File | None:
    """The file that a form sent, of one that is too large no more than shows that it is."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        return None
    return File(name=sent.filename, content=sent.stream.read(LARGEST_FILE + 1))


def _act(claim_id: uuid.UUID, move: Callable[..., object], found: dict[str, Any], done: str) -> ResponseReturnValue:
    """Make a move of the claim as it was on the page, and say so; or show the page again with what stood in the way."""
    try:
        with session().begin_nested():
            claim = claims.find_claim(session(), principal=principal(), claim_id=claim_id, lock=True)
            if request.form.get("version", str(claim.version)) != str(claim.version):
                raise Conflict(as_said(_("The claim has changed since the page was opened; look at it again.")))
            move(session(), principal=principal(), claim_id=claim_id, now=clock(), **found)
    except (Refused, Conflict) as refusal:
        place = (refusal.field if isinstance(refusal, Refused) else None) or "move"
        return _page(claim_id, {place: told(refusal)}), 409 if place == "move" else 422
    flash(done, "success")
    return redirect(url_for("claims.show", claim_id=claim_id), 303)


def told(refusal: Refused | Conflict) -> str:
    """A refusal in the language of the page."""
    return in_words(refusal.text.zh, refusal.text.en)


def _form(contract_id: uuid.UUID, errors: dict[str, str]) -> str:
    contract = contracts.find_contract(session(), principal=principal(), contract_id=contract_id)
    return render_template(
        "claim_form.html",
        contract=contract,
        errors=errors,
        values=request.form,
        kinds=kinds(),
        penalties=options("penalty") if contracts.side_of(principal(), contract) is Actor.BUYER else [],
        today=today(),
    )


def _page(claim_id: uuid.UUID, errors: dict[str, str]) -> str:
    claim = claims.find_claim(session(), principal=principal(), claim_id=claim_id)
    side = contracts.side_of(principal(), claim.contract)
    product = claim.contract.terms.get("product", "")
    return render_template(
        "claim.html",
        claim=claim,
        contract=claim.contract,
        product=pages.products_by_code(session()).get(product),
        kinds=kinds(),
        errors=errors,
        values=request.form,
        open_moves=claims.open_moves(principal(), claim),
        may_attach=side is not None and claim.state in claims.OPEN_TO_EVIDENCE,
        reasons=reasons_of(ReasonGroup.DECLINE_CLAIM),
        endings=", ".join(f".{ending}" for ending in ENDINGS),
        today=today(),
    )
