"""Proposals for a firm: what the market suggests, to accept in the version shown, to counter or to decline."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.errors import Conflict, Refused
from app.models import Proposal
from app.operations import messages, proposals
from app.operations.pages import ANSWERABLE
from app.permissions import Permission
from app.web.formats import language
from app.web.negotiation import proposal_page
from app.web.paging import page_of
from app.web.texts import _

blueprint = Blueprint("proposals", __name__)
LONGEST_NOTE = 1000


@blueprint.get("/proposals")
@requires(Permission.PROPOSAL_READ)
def listing() -> ResponseReturnValue:
    """The firm's proposals: those on offer, or all that ever were."""
    select = proposals.visible_proposals(principal())
    shows_all = request.args.get("show") == "all"
    if not shows_all:
        select = select.where(Proposal.state.in_(ANSWERABLE))
    found = page_of(session(), select, order=(Proposal.created_at, Proposal.id))
    return render_template(
        "proposals.html",
        rows=proposals.party_views(session(), principal=principal(), proposals=found.rows),
        next=found.next,
        shows_all=shows_all,
        new_messages=messages.unread_counts(
            session(), principal=principal(), proposal_ids=[proposal.id for proposal in found.rows]
        ),
    )


@blueprint.get("/proposals/<uuid:proposal_id>")
@requires(Permission.PROPOSAL_READ)
def show(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """One proposal with the terms and their hash, what the firm may answer, and the negotiation so far."""
    return proposal_page(proposal_id)


@blueprint.post("/proposals/<uuid:proposal_id>/accept")
@requires(Permission.PROPOSAL_DECIDE)
def accept(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """Accept exactly the version that was on the page."""
    found = proposals.accept(
        session(),
        principal=principal(),
        proposal_id=proposal_id,
        terms_hash=request.form.get("terms_hash", ""),
        now=clock(),
    )
    if found.contract_id is not None:
        flash(_("Both sides have accepted. The contract is made."), "success")
        return redirect(url_for("contracts.show", contract_id=found.contract_id), 303)
    if found.accepted_by_other:
        flash(_("Accepted. The contract is made when the other proposals of its bundle are accepted, too."), "success")
    else:
        flash(_("Accepted. The contract is made when the other side accepts, too."), "success")
    return redirect(url_for("proposals.show", proposal_id=proposal_id), 303)


@blueprint.post("/proposals/<uuid:proposal_id>/decline")
@requires(Permission.PROPOSAL_DECIDE)
def decline(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """Decline with a reason; the volume is for sale again."""
    try:
        with session().begin_nested():
            proposals.decline(
                session(),
                principal=principal(),
                proposal_id=proposal_id,
                reason_code=request.form.get("reason_code", ""),
                note=request.form.get("note", "").strip()[:LONGEST_NOTE] or None,
                now=clock(),
            )
    except Refused:
        flash(_("Choose a reason: the other side and the platform learn from it."), "danger")
        return redirect(url_for("proposals.show", proposal_id=proposal_id), 303)
    except Conflict as conflict:
        flash(_("This is not possible now: %(why)s", why=conflict.text.in_language(language())), "danger")
        return redirect(url_for("proposals.show", proposal_id=proposal_id), 303)
    flash(_("Declined. Your volume is for sale again in the next run."), "success")
    return redirect(url_for("proposals.show", proposal_id=proposal_id), 303)
