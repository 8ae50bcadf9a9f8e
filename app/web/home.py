"""The first page: for each role what there is to do now."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.auth import current_principal, principal, public
from app.clock import clock
from app.db import session
from app.models import Proposal
from app.operations import pages, proposals, runs
from app.permissions import Permission
from app.web.runs import gap_share

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
@public
def show() -> ResponseReturnValue:
    """Who is signed in finds what waits for him; everybody else signs in first."""
    who = current_principal()
    if who is None:
        return redirect(url_for("sign_in.form"))
    return _firm() if who.firm_id is not None else _platform()


def _firm() -> str:
    waiting = proposals.visible_proposals(principal()).where(Proposal.state.in_(pages.ANSWERABLE))
    rows = session().scalars(waiting.order_by(Proposal.expires_at, Proposal.id).limit(10)).all()
    views = proposals.party_views(session(), principal=principal(), proposals=rows)
    return render_template(
        "home_firm.html",
        desk=pages.firm_desk(session(), principal=principal()),
        waiting=[view for view in views if not {"accept", "take_counter"}.isdisjoint(view.open_moves)],
        rounds=pages.open_rounds(session(), principal=principal(), now=clock()),
        results=pages.newest_results(session(), principal=principal()),
        contracts=pages.contract_states(session(), principal=principal()),
    )


def _platform() -> str:
    latest = pages.latest_run(session(), principal=principal())
    done = pages.latest_run(session(), principal=principal(), done=True)
    return render_template(
        "home_platform.html",
        latest=latest,
        done=done,
        headline=runs.headline_for(principal(), done) if done else None,
        gap_share=gap_share(done.certificate) if done else None,
        desk=pages.staff_desk(session(), principal=principal(), now=clock()),
        rounds=pages.open_rounds(session(), principal=principal(), now=clock()),
        contracts=pages.contract_states(session(), principal=principal()),
        reviews=principal().may(Permission.REVIEW_READ),
        is_open=latest is not None and latest.state in runs.OPEN,
        products=pages.products_by_code(session()),
    )
