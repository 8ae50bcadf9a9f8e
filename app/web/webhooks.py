"""Webhooks for a firm's administrators: endpoints, their secrets, a test, what was sent and answered, sending again."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString, lazy_gettext

from app.auth import principal, requires
from app.clock import EXCHANGE, clock
from app.db import session
from app.errors import Conflict, Refused
from app.models import MessageState, WebhookEndpoint, WebhookMessage
from app.operations import webhook_messages, webhooks
from app.operations.topics import TOPICS, by_group, webhook_topics
from app.operations.webhook_addresses import UrlFault, UrlRefused
from app.operations.webhook_signing import message_name
from app.permissions import Permission
from app.web.formats import in_words, language
from app.web.notifications import group_name
from app.web.paging import page_of
from app.web.texts import _, ngettext

blueprint = Blueprint("webhooks", __name__)
LONGEST_DESCRIPTION = 200
FAULTS: Mapping[UrlFault, LazyString] = {
    UrlFault.LENGTH: lazy_gettext("The address is too long."),
    UrlFault.CHARACTERS: lazy_gettext("The address holds blanks or characters that have to be encoded."),
    UrlFault.FORM: lazy_gettext("This is not an address. Expected: https://host/path"),
    UrlFault.SCHEME: lazy_gettext("The address has to begin with https://"),
    UrlFault.HOST: lazy_gettext("The address names no host. Expected: https://host/path"),
    UrlFault.CREDENTIALS: lazy_gettext("Leave out name and password: the messages are signed."),
    UrlFault.FRAGMENT: lazy_gettext("Leave out the part after #: it is never sent."),
    UrlFault.INSIDE: lazy_gettext("This address is not on the internet."),
}


@blueprint.get("/webhooks")
@requires(Permission.WEBHOOK_MANAGE)
def listing() -> ResponseReturnValue:
    """The firm's endpoints, and a form for another."""
    return _listing({}, {})


@blueprint.post("/webhooks")
@requires(Permission.WEBHOOK_MANAGE)
def create() -> ResponseReturnValue:
    """Make an endpoint and show its secret, this once."""
    terms, errors = _terms()
    if not errors:
        try:
            endpoint, secret = webhooks.make_endpoint(session(), principal=principal(), now=clock(), **terms)
        except (Refused, Conflict) as refusal:
            errors = _told(refusal)
        else:
            return render_template("webhook_secret.html", endpoint=endpoint, secret=secret)
    return _listing(request.form, errors), 422


@blueprint.get("/webhooks/<uuid:endpoint_id>")
@requires(Permission.WEBHOOK_MANAGE)
def show(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """One endpoint with its messages."""
    return _page(endpoint_id, None, {})


@blueprint.post("/webhooks/<uuid:endpoint_id>")
@requires(Permission.WEBHOOK_MANAGE)
def change(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """Change address, topics or description."""
    webhooks.find_endpoint(session(), principal=principal(), endpoint_id=endpoint_id)
    terms, errors = _terms()
    if not errors:
        try:
            with session().begin_nested():
                webhooks.change_endpoint(
                    session(), principal=principal(), endpoint_id=endpoint_id, now=clock(), **terms
                )
        except (Refused, Conflict) as refusal:
            errors = _told(refusal)
        else:
            flash(_("The webhook is changed."), "success")
            return redirect(url_for("webhooks.show", endpoint_id=endpoint_id), 303)
    return _page(endpoint_id, request.form, errors), 422


@blueprint.post("/webhooks/<uuid:endpoint_id>/secret")
@requires(Permission.WEBHOOK_MANAGE)
def new_secret(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """Make a new secret and show it, this once."""
    endpoint, secret = webhooks.rotate_secret(session(), principal=principal(), endpoint_id=endpoint_id, now=clock())
    return render_template("webhook_secret.html", endpoint=endpoint, secret=secret)


@blueprint.post("/webhooks/<uuid:endpoint_id>/test")
@requires(Permission.WEBHOOK_MANAGE)
def send_test(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """Send a message that means nothing."""

    def test() -> str:
        webhooks.send_test(session(), principal=principal(), endpoint_id=endpoint_id, now=clock())
        return _("A test message is on its way. It appears below within seconds; load the page again.")

    return _done(endpoint_id, test)


@blueprint.post("/webhooks/<uuid:endpoint_id>/stop")
@requires(Permission.WEBHOOK_MANAGE)
def stop(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """Send nothing more."""
    webhooks.stop_endpoint(session(), principal=principal(), endpoint_id=endpoint_id, now=clock())
    flash(_("The webhook is stopped. What waited is given up and can be sent again later."), "success")
    return redirect(url_for("webhooks.show", endpoint_id=endpoint_id), 303)


@blueprint.post("/webhooks/<uuid:endpoint_id>/start")
@requires(Permission.WEBHOOK_MANAGE)
def start(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """Send again."""
    webhooks.start_endpoint(session(), principal=principal(), endpoint_id=endpoint_id, now=clock())
    flash(_("The webhook is started. To get what was missed, send again from a time on."), "success")
    return redirect(url_for("webhooks.show", endpoint_id=endpoint_id), 303)


@blueprint.post("/webhooks/<uuid:endpoint_id>/replay")
@requires(Permission.WEBHOOK_MANAGE)
def replay_since(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """Send again from a time on, in Beijing time as all times of the pages."""
    webhooks.find_endpoint(session(), principal=principal(), endpoint_id=endpoint_id)
    try:
        since = dt.datetime.fromisoformat(request.form.get("since", "")).replace(tzinfo=EXCHANGE)
    except ValueError:
        return _page(endpoint_id, None, {"since": _("Enter a day and a time.")}), 422
    delivered = bool(request.form.get("delivered"))

    def again() -> str:
        count = webhook_messages.replay_since(
            session(), principal=principal(), endpoint_id=endpoint_id, since=since, delivered=delivered, now=clock()
        )
        return ngettext("%(num)d message is on its way again.", "%(num)d messages are on their way again.", count)

    return _done(endpoint_id, again)


@blueprint.get("/webhooks/<uuid:endpoint_id>/messages/<uuid:message_id>")
@requires(Permission.WEBHOOK_MANAGE)
def message(endpoint_id: uuid.UUID, message_id: uuid.UUID) -> ResponseReturnValue:
    """One message with the log of its attempts."""
    endpoint = webhooks.find_endpoint(session(), principal=principal(), endpoint_id=endpoint_id)
    found = webhook_messages.find_message(
        session(), principal=principal(), endpoint_id=endpoint_id, message_id=message_id
    )
    return render_template(
        "webhook_message.html", endpoint=endpoint, message=found, name=message_name(found.id), topic=topic_name
    )


@blueprint.post("/webhooks/<uuid:endpoint_id>/messages/<uuid:message_id>/replay")
@requires(Permission.WEBHOOK_MANAGE)
def replay(endpoint_id: uuid.UUID, message_id: uuid.UUID) -> ResponseReturnValue:
    """Send one message again."""

    def again() -> str:
        webhook_messages.replay(
            session(), principal=principal(), endpoint_id=endpoint_id, message_id=message_id, now=clock()
        )
        return _("The message is on its way again, under the same id.")

    return _done(endpoint_id, again)


def topic_name(code: str) -> str:
    """What a topic is called in the language of the page."""
    topic = TOPICS.get(code)
    return code if topic is None else in_words(topic.text.zh, topic.text.en)


def _terms() -> tuple[dict[str, Any], dict[str, str]]:
    """What the form says, and what is wrong with it before the rules are asked."""
    errors = {}
    description = request.form.get("description", "").strip()
    if len(description) > LONGEST_DESCRIPTION:
        errors["description"] = _("At most %(most)s characters are expected.", most=LONGEST_DESCRIPTION)
    ticked, groups = set(request.form.getlist("topics")), set(request.form.getlist("groups"))
    topics = [topic for topic in webhook_topics() if topic in ticked or TOPICS[topic].group in groups]
    if not topics:
        errors["topics"] = _("Choose at least one topic.")
    return {"url": request.form.get("url", "").strip(), "topics": topics, "description": description}, errors


def _told(refusal: Refused | Conflict) -> dict[str, str]:
    """A refusal beside its field, in the language of the page."""
    if isinstance(refusal, UrlRefused):
        return {"url": str(FAULTS[refusal.fault])}
    if isinstance(refusal, Conflict):
        return {"url": _("Your firm has this address already, or as many as it can have.")}
    return {refusal.field or "url": refusal.text.in_language(language())}


def _done(endpoint_id: uuid.UUID, work: Callable[[], str]) -> ResponseReturnValue:
    """Do something that a stopped endpoint refuses, and say what came of it."""
    try:
        with session().begin_nested():
            flash(work(), "success")
    except Conflict:
        flash(_("The webhook is stopped. Start it first."), "danger")
    return redirect(url_for("webhooks.show", endpoint_id=endpoint_id), 303)


def _listing(values: Any, errors: Mapping[str, str]) -> str:
    order = (WebhookEndpoint.created_at, WebhookEndpoint.id)
    return render_template(
        "webhooks.html",
        page=page_of(session(), webhooks.visible_endpoints(principal()), order=order),
        values=values,
        chosen=set(values.getlist("topics")) if values else set(),
        errors=errors,
        groups=_groups(),
    )


def _page(endpoint_id: uuid.UUID, values: Any, errors: Mapping[str, str]) -> str:
    endpoint = webhooks.find_endpoint(session(), principal=principal(), endpoint_id=endpoint_id)
    select = webhook_messages.visible_messages(principal(), endpoint_id)
    state = request.args.get("state", "")
    if state in set(MessageState):
        select = select.where(WebhookMessage.state == MessageState(state))
    return render_template(
        "webhook.html",
        endpoint=endpoint,
        page=page_of(session(), select, order=(WebhookMessage.created_at, WebhookMessage.id)),
        values=values if values is not None else {"url": endpoint.url, "description": endpoint.description},
        chosen=set(values.getlist("topics")) if values is not None else set(endpoint.topics),
        errors=errors,
        groups=_groups(),
        state=state,
        states=list(MessageState),
        topic=topic_name,
        now=clock(),
    )


def _groups() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The topics to choose from: the code and the name of each group, and its topics."""
    topics = [TOPICS[code] for code in webhook_topics()]
    return [
        (group, group_name(group), [(topic.code, topic_name(topic.code)) for topic in rows])
        for group, rows in by_group(topics).items()
    ]
