"""The platform's own work: jobs, messages, and the steps of every record."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from app.models import MailState, MessageState, StopReason
from app.operations.jobs_overview import JobState

TABLES: Mapping[str, Mapping[str, LazyString]] = {
    "subject": {
        "offer": _("Offer"),
        "round": _("Round"),
        "run": _("Run"),
        "proposal": _("Proposal"),
        "contract": _("Contract"),
        "call_off": _("Call-off"),
        "amendment": _("Amendment"),
        "claim": _("Claim"),
        "webhook": _("Webhook"),
        "what_if": _("What-if"),
        "curves": _("Curves of supply and demand"),
        "supply_graph": _("Supply graph"),
        "proposal_thread": _("Messages about a proposal"),
    },
    "job": {
        JobState.WAITING: _("Waiting"),
        JobState.DOING: _("In progress"),
        JobState.FAILED: _("Failed"),
        JobState.DONE: _("Done"),
        JobState.CANCELLED: _("Taken out"),
    },
    "queue": {"solving": _("Long work"), "keeping": _("Short work"), "sending": _("Sending")},
    "task": {
        "clear": _("Clearing of a round"),
        "what_if": _("Question about a copy of a round"),
        "offer_import": _("File of offers"),
        "webhooks": _("Webhooks of a firm"),
        "night": _("Nightly rounds"),
        "closings": _("Rounds that have closed"),
        "expiries": _("What runs out of time"),
        "contract_timers": _("Timers of contracts"),
        "effects": _("Contracts into force"),
        "call_off_timers": _("Nomination calendar"),
        "cleaning": _("Cleaning up"),
        "settlement": _("Invoices that are due"),
        "rescue": _("Jobs of workers that ended"),
        "forgotten": _("Work without a job"),
        "outbox": _("Messages to be told"),
        "mails": _("E-mails to be sent"),
    },
    "mail": {
        MailState.WAITING: _("Waiting"),
        MailState.SENT: _("Sent"),
        MailState.UNSENT: _("Not sent: no mail server"),
        MailState.FAILED: _("Failed"),
    },
    "webhook_message": {
        MessageState.WAITING: _("Waiting"),
        MessageState.DELIVERED: _("Arrived"),
        MessageState.FAILED: _("Failed"),
    },
    "webhook_stop": {
        StopReason.BY_FIRM: _("stopped"),
        StopReason.GONE: _("stopped: the receiver is gone"),
        StopReason.FAILING: _("stopped after days of failure"),
    },
    "event": {
        "offer.draft": _("Kept as a draft"),
        "offer.post": _("Posted"),
        "offer.amend": _("Amended"),
        "offer.withdraw": _("Withdrawn"),
        "offer.expire": _("Expired"),
        "round.create": _("Round made"),
        "round.change": _("Round changed"),
        "round.enter_curve": _("Forward curve entered"),
        "round.open": _("Round opened"),
        "round.close": _("Round closed"),
        "round.settle": _("Round settled"),
        "round.limit_set": _("Limit set"),
        "round.limit_end": _("Limit ended"),
        "round.publish_prices": _("Prices published"),
        "round.withdraw_prices": _("Prices withdrawn"),
        "contract.invoice": _("Invoice issued"),
        "contract.payment": _("Payment recorded"),
        "contract.establish_cause": _("Cause of a termination established"),
        "contract.reopen": _("Price reopened"),
        "run.queued": _("Run queued"),
        "run.running": _("Run started"),
        "run.done": _("Run finished"),
        "run.failed": _("Run failed"),
        "run.cancelled": _("Run cancelled"),
        "webhook.make": _("Webhook added"),
        "webhook.change": _("Webhook changed"),
        "webhook.renew_secret": _("New secret made"),
        "webhook.stop": _("Webhook stopped"),
        "webhook.start": _("Webhook started"),
    },
}
