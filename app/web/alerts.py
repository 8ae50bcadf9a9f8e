"""Alerts in words, as a list of their own and for the pages that show some of them."""

from __future__ import annotations

from collections import Counter

from flask import Blueprint, Flask, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import current_principal, principal, requires
from app.clock import clock
from app.db import session
from app.models import Firm
from app.operations import alerts
from app.operations.alerts import Alert, AlertKind
from app.permissions import Permission
from app.web.formats import day, money, named, period, signed_percent
from app.web.texts import _, ngettext

blueprint = Blueprint("alerts", __name__, url_prefix="/console/alerts")


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(
        alert_words=in_words, alert_href=href, alert_name=name_of, alerts_about=about, open_alerts=every
    )


@blueprint.get("")
@requires(Permission.REVIEW_READ)
def listing() -> ResponseReturnValue:
    """All open alerts, or those of one kind."""
    found = every()
    wanted = request.args.get("kind")
    return render_template(
        "alerts.html",
        alerts=[one for one in found if wanted not in set(AlertKind) or one.kind == wanted],
        counts=Counter(one.kind for one in found),
        kinds=list(AlertKind),
        most=alerts.MOST_OF_A_KIND,
    )


def every() -> list[Alert]:
    """All alerts that the reader may know."""
    who = current_principal()
    return [] if who is None else alerts.open_alerts(session(), principal=who, now=clock())


def about(*firms: Firm) -> list[Alert]:
    """The alerts about some firms that the reader may know."""
    return alerts.open_alerts(session(), principal=principal(), now=clock(), firms=[firm.id for firm in firms])


def name_of(kind: AlertKind) -> str:
    """What a kind of alert is called."""
    return {
        AlertKind.CONFIRMATION: _("Confirmation overdue"),
        AlertKind.INVOICE: _("Invoice unpaid"),
        AlertKind.CERTIFICATE: _("Certificate ends too early"),
        AlertKind.CAPABILITY: _("More offered than built"),
        AlertKind.PRICE: _("Price far from the index"),
        AlertKind.WEBHOOK: _("Webhook stopped"),
    }[kind]


def in_words(alert: Alert) -> str:
    """What is wrong, in a sentence."""
    facts = alert.facts
    match alert.kind:
        case AlertKind.CONFIRMATION:
            text = _(
                "Call-off %(number)s for %(month)s under %(contract)s was to be confirmed by %(day)s.",
                number=facts["number"],
                month=period(facts["month"]),
                contract=facts["contract"],
                day=day(alert.since),
            )
        case AlertKind.INVOICE:
            text = _(
                "Invoice %(number)s under %(contract)s was due on %(day)s; %(unpaid)s are unpaid.",
                number=facts["number"],
                contract=facts["contract"],
                day=day(alert.since),
                unpaid=money(facts["unpaid"], facts["currency"]),
            )
        case AlertKind.CERTIFICATE:
            text = _certificate(alert)
        case AlertKind.CAPABILITY:
            text = _(
                "%(site)s offers more %(product)s a year than is registered as built there.",
                site=named(facts["site"]),
                product=named(facts["product"]),
            )
        case AlertKind.PRICE:
            text = ngettext(
                "%(num)d proposal of %(product)s waits at %(low)s to %(high)s of the index.",
                "%(num)d proposals of %(product)s wait at %(low)s to %(high)s of the index.",
                facts["proposals"],
                product=named(facts["product"]),
                low=signed_percent(facts["lowest"]),
                high=signed_percent(facts["highest"]),
            )
        case AlertKind.WEBHOOK:
            text = _(
                "The address answers no more or is gone; since %(day)s nothing is sent to it.", day=day(alert.since)
            )
    return text


def _certificate(alert: Alert) -> str:
    facts = alert.facts
    contracts = ngettext("%(num)d contract", "%(num)d contracts", facts["contracts"])
    said = {"certificate": facts["certificate"], "number": facts["number"], "contracts": contracts}
    if facts["suspended"]:
        return _("%(certificate)s %(number)s is suspended; %(contracts)s require it.", **said)
    return _(
        "%(certificate)s %(number)s ends on %(day)s; %(contracts)s that require it run until %(last)s.",
        **said,
        day=day(alert.since),
        last=day(facts["last"]),
    )


def href(alert: Alert) -> str | None:
    """Where the matter can be looked at; None where the reader has no page for it."""
    who = current_principal()
    match alert.kind:
        case AlertKind.CONFIRMATION:
            return url_for("call_offs.show", call_off_id=alert.subject_id)
        case AlertKind.INVOICE:
            return url_for("settlement.show", invoice_id=alert.subject_id)
        case AlertKind.PRICE:
            return url_for("review.queue", run=alert.subject_id, product=alert.facts["product"].code)
        case AlertKind.CERTIFICATE | AlertKind.CAPABILITY if alert.firm is not None and who and who.firm_id is None:
            return url_for("review.queue", firm=alert.firm.id)
        case AlertKind.WEBHOOK if who and who.may(Permission.WEBHOOK_MANAGE) and who.firm_id is not None:
            return url_for("webhooks.show", endpoint_id=alert.subject_id)
    return None
