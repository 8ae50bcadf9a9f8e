"""What the reader was told: the list, how he hears of what; and for those who run the platform, the e-mails."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString, lazy_gettext

from app.auth import Principal, current_principal, principal, requires
from app.clock import clock
from app.db import session
from app.models import Mail, MailState, Notification, Outbox
from app.operations import notifications
from app.operations.notice_texts import title_of
from app.operations.topics import by_group
from app.permissions import Permission
from app.web.formats import language
from app.web.paging import page_of
from app.web.texts import _, ngettext

blueprint = Blueprint("notifications", __name__)


@dataclass(frozen=True, slots=True)
class Place:
    """A page that a notification leads to: who may go there, its parameter for the record, and one from the message."""

    endpoint: str
    parameter: str
    permission: Permission
    further: str | None = None


# By the kind of the record: the first page that the reader may open.
PLACES: Mapping[str, tuple[Place, ...]] = {
    "proposal": (
        Place("proposals.show", "proposal_id", Permission.PROPOSAL_READ),
        Place("review.show", "proposal_id", Permission.REVIEW_READ),
    ),
    "contract": (Place("contracts.show", "contract_id", Permission.CONTRACT_READ),),
    "amendment": (Place("amendments.show", "amendment_id", Permission.CONTRACT_READ, "contract_id"),),
    "call_off": (Place("call_offs.show", "call_off_id", Permission.CONTRACT_READ),),
    "claim": (Place("claims.show", "claim_id", Permission.CONTRACT_READ),),
    "invoice": (Place("settlement.show", "invoice_id", Permission.CONTRACT_READ),),
    "statement": (Place("settlement.statement", "statement_id", Permission.CONTRACT_READ),),
    "run": (Place("runs.show", "run_id", Permission.RUN_READ),),
    "webhook": (Place("webhooks.show", "endpoint_id", Permission.WEBHOOK_MANAGE),),
}
GROUPS: Mapping[str, LazyString] = {
    "run": lazy_gettext("Runs"),
    "proposal": lazy_gettext("Proposals"),
    "message": lazy_gettext("Messages"),
    "contract": lazy_gettext("Contracts"),
    "amendment": lazy_gettext("Amendments"),
    "call_off": lazy_gettext("Call-offs and deliveries"),
    "assay": lazy_gettext("Assays"),
    "invoice": lazy_gettext("Invoices"),
    "statement": lazy_gettext("Statements"),
    "index": lazy_gettext("Index prices"),
    "claim": lazy_gettext("Claims"),
    "force_majeure": lazy_gettext("Force majeure"),
    "webhook": lazy_gettext("Webhooks"),
}


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(unread_notifications=unread_notifications, title_of_message=title_of_message)


def unread_notifications() -> str:
    """The number in the bell; empty when all is read, and on error pages, which must not fail again."""
    who = None if g.get("is_failing") else current_principal()
    count = 0 if who is None else notifications.unread_count(session(), principal=who)
    return "" if not count else str(count) if count <= notifications.MOST_COUNTED else f"{notifications.MOST_COUNTED}+"


def title_of_message(message: Outbox) -> str:
    """What a message says, in the language of the page."""
    return title_of(message.topic, message.payload, language())


def group_name(group: str) -> str:
    """What a group of topics is called; its code where it has no name yet."""
    return str(GROUPS.get(group, group))


@blueprint.get("/notifications")
@requires(Permission.NOTICE_READ)
def listing() -> ResponseReturnValue:
    """The reader's notifications, unread ones unless all are asked for."""
    shows_all = request.args.get("show") == "all"
    select = notifications.visible_notifications(principal(), unread=not shows_all)
    return render_template(
        "notifications.html",
        page=page_of(session(), select, order=(Notification.created_at, Notification.id)),
        shows_all=shows_all,
        now=clock().isoformat(),
    )


@blueprint.post("/notifications/<uuid:notification_id>/open")
@requires(Permission.NOTICE_READ)
def open_one(notification_id: uuid.UUID) -> ResponseReturnValue:
    """Note that it was read, and go to what it is about."""
    found = notifications.mark_read(session(), principal=principal(), notification_id=notification_id, now=clock())
    return redirect(place_of(found.message, principal()) or url_for("notifications.listing", show="all"), 303)


@blueprint.post("/notifications/read")
@requires(Permission.NOTICE_READ)
def read_all() -> ResponseReturnValue:
    """Note that all were read that stood on the page when it was made."""
    now = clock()
    try:
        until = dt.datetime.fromisoformat(request.form.get("until", ""))
    except ValueError:
        until = now
    until = until if until.tzinfo else until.replace(tzinfo=dt.UTC)
    count = notifications.mark_all_read(session(), principal=principal(), until=until, now=now)
    flash(
        ngettext("%(num)d notification is marked as read.", "%(num)d notifications are marked as read.", count),
        "success",
    )
    return redirect(url_for("notifications.listing"), 303)


@blueprint.get("/notifications/choices")
@requires(Permission.NOTICE_READ)
def choices() -> ResponseReturnValue:
    """How the reader hears of each topic."""
    found = notifications.choices(session(), principal=principal())
    of_topic = {choice.topic: choice for choice in found}
    groups = [(group_name(group), [of_topic[topic] for topic in rows]) for group, rows in by_group(of_topic).items()]
    return render_template("notification_choices.html", groups=groups)


@blueprint.post("/notifications/choices")
@requires(Permission.NOTICE_READ)
def choose() -> ResponseReturnValue:
    """Keep the choice for every topic of the form."""
    in_app, mail = set(request.form.getlist("in_app")), set(request.form.getlist("mail"))
    found = notifications.choices(session(), principal=principal())
    wanted = {choice.topic.code: (choice.topic.code in in_app, choice.topic.code in mail) for choice in found}
    changed = {
        choice.topic.code: wanted[choice.topic.code]
        for choice in found
        if wanted[choice.topic.code] != (choice.in_app, choice.mail)
    }
    notifications.choose(session(), principal=principal(), wanted=changed)
    flash(_("Your choice is kept."), "success")
    return redirect(url_for("notifications.choices"), 303)


@blueprint.get("/mails")
@requires(Permission.MAIL_READ)
def mails() -> ResponseReturnValue:
    """The e-mails of everybody, and what became of them."""
    select = notifications.visible_mails(principal())
    state = request.args.get("state", "")
    if state in set(MailState):
        select = select.where(Mail.state == MailState(state))
    page = page_of(session(), select, order=(Mail.created_at, Mail.id))
    return render_template("mails.html", page=page, state=state, states=list(MailState))


def place_of(message: Outbox, who: Principal) -> str | None:
    """The address that a message leads its reader to; None where he may open none."""
    for place in PLACES.get(message.about_kind, ()):
        if who.may(place.permission):
            found: dict[str, Any] = {place.parameter: message.about_id}
            if place.further is not None:
                found[place.further] = message.payload[place.further]
            return url_for(place.endpoint, **found)
    return None
