"""The reviewers' queue, and the page of one proposal with everything that a decision needs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.errors import Conflict, Refused
from app.models import Firm, ListName, Proposal, ReviewAction, ReviewStep
from app.operations import firms, pages, review, review_sheet, saved_views
from app.operations.offer_cells import CellFault, number
from app.operations.review import Outcome
from app.operations.review_many import decide_many, next_waiting
from app.permissions import Permission
from app.transaction import keep_on_refusal
from app.web.formats import in_words, language
from app.web.labels import reason_text
from app.web.paging import here, page_of
from app.web.texts import _, ngettext
from contracts.reasons import REASONS, ReasonGroup
from contracts.state import STATES, Subject

blueprint = Blueprint("review", __name__, url_prefix="/console/review")
GROUPS = {ReviewAction.RELEASE: ReasonGroup.RELEASE, ReviewAction.WITHHOLD: ReasonGroup.WITHHOLD}
ORDERS = {
    "value": ((Proposal.total_value, Proposal.id), True),
    "-value": ((Proposal.total_value, Proposal.id), False),
    "made": ((Proposal.created_at, Proposal.id), True),
    "-made": ((Proposal.created_at, Proposal.id), False),
    "product": ((Proposal.product_code, Proposal.id), False),
    "-product": ((Proposal.product_code, Proposal.id), True),
}
LONGEST_NOTE = 1000
KEPT = saved_views.ARGUMENTS[ListName.REVIEW]
SHOWN_MEMBERS = 12  # of a bundle, on the page of one of them


@blueprint.get("")
@requires(Permission.REVIEW_READ)
def queue() -> ResponseReturnValue:
    """What waits for a decision, the largest value first; other states and narrower choices by the filter."""
    asked = request.args
    states = [asked["state"]] if asked.get("state") in {one.name for one in STATES[Subject.PROPOSAL]} else None
    select = review.reviews(
        principal(),
        states=states or review.UNDER_REVIEW,
        product=asked.get("product") or None,
        firm_id=asked.get("firm", type=uuid.UUID) or None,
        run_id=asked.get("run", type=uuid.UUID) or None,
        bundle_id=asked.get("bundle", type=uuid.UUID) or None,
        least_value=_least_value(asked.get("least", "")),
    )
    sort = asked.get("sort") if asked.get("sort") in ORDERS else "value"
    order, descending = ORDERS[str(sort)]
    found = page_of(session(), select, order=order, descending=descending)
    return render_template(
        "review.html",
        lines=review_sheet.review_lines(session(), principal=principal(), proposals=found.rows),
        next=found.next,
        sort=sort,
        products=pages.products_by_code(session()),
        firms=session().scalars(firms.visible_firms(principal()).order_by(Firm.name_en, Firm.id)).all(),
        desk=pages.staff_desk(session(), principal=principal(), now=clock()),
        states=[one.name for one in STATES[Subject.PROPOSAL]],
        reasons=_reasons(),
        may_decide=principal().may(Permission.REVIEW_DECIDE),
        views=saved_views.views_of(session(), principal=principal(), list_name=ListName.REVIEW),
        chosen={name: value for name, value in asked.items() if name in KEPT and value},
    )


@blueprint.post("")
@requires(Permission.REVIEW_DECIDE)
def decide_on_many() -> ResponseReturnValue:
    """Release or withhold all that were ticked; what is refused is told and does not stop the rest."""
    action, reason, note = _decision()
    chosen = [(uuid.UUID(key), int(version)) for key, _sep, version in (one.partition(":") for one in _ticked())]
    back = redirect(here(), 303)
    if not chosen or action is None or not reason:
        flash(_("Tick some proposals, and choose what to do with them and why."), "danger")
        return back
    try:
        verdicts = decide_many(
            session(),
            principal=principal(),
            action=action,
            proposals=chosen,
            reason_code=reason,
            note=note,
            now=clock(),
        )
    except Refused:
        flash(_("The reason does not belong to this decision. Choose one of its list."), "danger")
        return back
    outcomes = [verdict.outcome for verdict in verdicts]
    if done := outcomes.count(Outcome.RELEASED):
        text = (
            ngettext("%(num)d proposal is released.", "%(num)d proposals are released.", done)
            if action is ReviewAction.RELEASE
            else ngettext("%(num)d proposal is withheld.", "%(num)d proposals are withheld.", done)
        )
        flash(text, "success")
    if waiting := outcomes.count(Outcome.RECOMMENDED):
        flash(ngettext("%(num)d waits for a second person.", "%(num)d wait for a second person.", waiting), "success")
    for verdict in verdicts:
        if verdict.why is not None:
            flash(_("Not decided: %(why)s", why=verdict.why.in_language(language())), "warning")
    return back


@blueprint.get("/<uuid:proposal_id>")
@requires(Permission.SEALED_READ)
def show(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """Everything about one proposal; that both sealed offers were looked at is written down."""
    return _sheet_page(proposal_id, {})


def _sheet_page(proposal_id: uuid.UUID, typed: Mapping[str, str]) -> str:
    """The page of one proposal, its form as it was typed."""
    sheet = review_sheet.open_sheet(
        session(), principal=principal(), proposal_id=proposal_id, path=request.path, now=clock()
    )
    people = [step.user_id for step in sheet.steps] + [decision.user_id for decision in sheet.decisions]
    names = pages.names_of_people(session(), people)
    line = sheet.line
    return render_template(
        "review_sheet.html",
        sheet=sheet,
        shown_members=SHOWN_MEMBERS,
        line=line,
        names=names,
        attributes=pages.attributes_by_code(session(), product_code=line.product.code),
        reasons=_reasons(),
        typed=typed,
        own_word={one.action for one in sheet.decisions if one.user_id == principal().user_id},
        may_decide=principal().may(Permission.REVIEW_DECIDE) and line.state in review.UNDER_REVIEW,
        is_senior=principal().may(Permission.REVIEW_SECOND),
        next_id=next_waiting(session(), principal=principal(), below=(line.total_value, line.id)),
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
            for step in sheet.steps
        ],
    )


@blueprint.post("/<uuid:proposal_id>")
@requires(Permission.REVIEW_DECIDE)
def decide(proposal_id: uuid.UUID) -> ResponseReturnValue:
    """Release or withhold, or recommend it where two persons have to; then go on to the next one."""
    action, reason, note = _decision()
    if action is None or not reason:
        return _not_decided(proposal_id, _("Choose a reason: it is kept with the decision."), 422)
    before = review.find_review(session(), principal=principal(), proposal_id=proposal_id)
    place = before.total_value, before.id
    try:
        # What a refused decision had begun must not stay, though the look at the page that follows does.
        with session().begin_nested():
            decided = review.decide(
                session(),
                principal=principal(),
                proposal_id=proposal_id,
                action=action,
                reason_code=reason,
                note=note,
                version=request.form.get("version", -1, type=int),
                now=clock(),
            )
    except Refused:
        why = _("The reason does not belong to this decision. Choose one of its list.")
        return _not_decided(proposal_id, why, 422)
    except Conflict as conflict:
        told = conflict.text.in_language(language())
        why = _("Nothing was changed, because something happened meanwhile: %(why)s", why=told)
        return _not_decided(proposal_id, why, 409)
    flash(_said(action, decided.step, len(decided.proposals)), "success")
    following = next_waiting(session(), principal=principal(), below=place)
    if following is None or not request.form.get("go_on"):
        return redirect(url_for("review.show", proposal_id=proposal_id), 303)
    return redirect(url_for("review.show", proposal_id=following), 303)


def _not_decided(proposal_id: uuid.UUID, why: str, status: int) -> ResponseReturnValue:
    """The page as it is now, with all that was typed: whoever comes second decides anew and writes nothing again."""
    session().expire_all()
    flash(why, "danger" if status == 422 else "warning")
    keep_on_refusal()
    return _sheet_page(proposal_id, request.form), status


def _said(action: ReviewAction, step: ReviewStep, count: int) -> str:
    if step is ReviewStep.RECOMMENDATION:
        return _("Your word is kept. A second, senior person decides.")
    alone = count == 1
    if action is ReviewAction.RELEASE:
        if alone:
            return _("The proposal is released; both parties can answer now.")
        return _("The bundle of %(count)s proposals is released; the parties can answer now.", count=count)
    if alone:
        return _("The proposal is withheld.")
    return _("The bundle of %(count)s proposals is withheld.", count=count)


def _decision() -> tuple[ReviewAction | None, str, str | None]:
    given = request.form.get("action", "")
    action = ReviewAction(given) if given in set(ReviewAction) else None
    reason = request.form.get(f"reason_{given}", "")
    return action, reason, request.form.get("note", "").strip()[:LONGEST_NOTE] or None


def _ticked() -> list[str]:
    """The ticked rows as "id:version"; what does not look like it is left out."""
    found = []
    for one in request.form.getlist("chosen"):
        key, _sep, version = one.partition(":")
        try:
            uuid.UUID(key)
        except ValueError:
            continue
        if version.isascii() and version.isdigit():
            found.append(one)
    return found


def _reasons() -> dict[str, list[tuple[str, str]]]:
    return {
        action.value: [(one.code, in_words(one.text.zh, one.text.en)) for one in REASONS[group]]
        for action, group in GROUPS.items()
    }


def _least_value(typed: str) -> Decimal | None:
    """The filter's value in millions of CNY; what cannot be read filters nothing."""
    try:
        return number(typed) * 1_000_000 if typed.strip() else None
    except CellFault:
        return None
