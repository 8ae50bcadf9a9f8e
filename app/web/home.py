"""The first page: for each role what there is to do now."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.auth import current_principal, principal, public
from app.clock import clock
from app.db import session
from app.jobs.tasks import NIGHT
from app.models import OfferState, Proposal, Round, RoundKind, RoundState
from app.operations import pages, proposals, rounds, runs, waiting
from app.operations.waiting import What
from app.permissions import Permission
from app.web.runs import gap_share, time_left

blueprint = Blueprint("home", __name__)
SHOWN_ALERTS = 8


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
        left=time_left(latest) if latest is not None else "",
        waits=waiting.what_waits(session(), principal=principal(), now=clock()),
        tonight=tonights_rounds(),
        next_night=next_night(clock()),
        shown_alerts=SHOWN_ALERTS,
        waiting_href=waiting_href,
    )


def tonights_rounds() -> list[tuple[Round, int | None]]:
    """The nightly rounds that are open, with the number of open offers where the reader may know it."""
    query = rounds.visible_rounds(principal()).where(Round.kind == RoundKind.NIGHTLY, Round.state == RoundState.OPEN)
    found = []
    for one in session().scalars(query.order_by(Round.closes_at, Round.id)):
        counts = pages.offer_counts(session(), principal=principal(), round_id=one.id)
        standing = [count for (_kind, state), count in (counts or {}).items() if state == OfferState.OPEN]
        found.append((one, None if counts is None else sum(standing)))
    return found


def waiting_href(what: What) -> str:
    """The list in which the records stand that wait for a step."""
    return {
        What.FIRST_WORD: url_for("review.queue"),
        What.SECOND_WORD: url_for("review.queue", state="under_review"),
        What.DECIDE_CLAIM: url_for("claims.listing"),
        What.ANSWER_PROPOSAL: url_for("review.queue", state="released"),
        What.ANSWER_AFTER_OTHER: url_for("review.queue", state="accepted"),
        What.SIGN: url_for("contracts.listing", state="signing"),
        What.CONFIRM: url_for("call_offs.listing", state="firm"),
        What.RECEIVE: url_for("call_offs.listing", state="shipped"),
        What.PAY: url_for("settlement.listing"),
    }[what]


def next_night(now: dt.datetime) -> dt.datetime:
    """When the queue starts the nightly rounds next."""
    minute, hour = map(int, NIGHT.split()[:2])
    tonight = now.astimezone(dt.UTC).replace(hour=hour, minute=minute, second=0, microsecond=0)
    return tonight if tonight > now else tonight + dt.timedelta(days=1)
