"""From review to settlement: proposals, contracts and what happens to them."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from app.models import (
    FixingKind,
    InvoiceKind,
    LineName,
    Penalty,
    ReopeningOutcome,
    ReturnCause,
    ReviewAction,
    ReviewStep,
    TerminationGround,
    VersionState,
)
from app.operations.waiting import What, Who

TABLES: Mapping[str, Mapping[str, LazyString]] = {
    "review_action": {ReviewAction.RELEASE: _("Release"), ReviewAction.WITHHOLD: _("Withhold")},
    "review_step": {ReviewStep.RECOMMENDATION: _("First pair of eyes"), ReviewStep.DECISION: _("Decision")},
    "version": {
        VersionState.OPEN: _("waits for an answer"),
        VersionState.ON_OFFER: _("on offer"),
        VersionState.REPLACED: _("replaced by a later one"),
        VersionState.REJECTED: _("rejected"),
        VersionState.WITHDRAWN: _("withdrawn"),
        VersionState.EXPIRED: _("ran out"),
        VersionState.VOID: _("ended with the proposal"),
    },
    "penalty": {
        Penalty.LATE_DAMAGES: _("Damages for late delivery, by the terms"),
        Penalty.SUPPLY_OR_PAY: _("Supply-or-pay, by the terms"),
    },
    "termination_ground": {
        TerminationGround.CAUSE: _("For a cause, after the days to cure"),
        TerminationGround.CONSENT: _("By consent of both sides"),
        TerminationGround.FORCE_MAJEURE: _("After the exit day of force majeure"),
    },
    "return_cause": {
        ReturnCause.EXCUSED: _("excused by force majeure"),
        ReturnCause.TERMINATED: _("the contract was terminated"),
        ReturnCause.EXPIRED: _("the contract ran out"),
        ReturnCause.FULFILLED: _("the contract is fulfilled"),
    },
    "reopening": {
        ReopeningOutcome.AMENDED: _("an amendment was signed"),
        ReopeningOutcome.KEPT: _("the contract is kept as it is"),
    },
    "invoice_kind": {
        InvoiceKind.PROVISIONAL: _("Provisional invoice"),
        InvoiceKind.FINAL: _("Final invoice"),
        InvoiceKind.CORRECTION: _("Correction"),
        InvoiceKind.TAKE_OR_PAY: _("Take-or-pay"),
        InvoiceKind.SUPPLY_OR_PAY: _("Supply-or-pay"),
        InvoiceKind.LATE_DAMAGES: _("Late damages"),
        InvoiceKind.INTEREST: _("Interest"),
        InvoiceKind.CLAIM: _("Award on a claim"),
    },
    "invoice_line": {
        LineName.GOODS: _("Goods"),
        LineName.FREIGHT: _("Freight"),
        LineName.QUALITY: _("Quality"),
        LineName.TAKE_OR_PAY: _("Take-or-pay"),
        LineName.SUPPLY_OR_PAY: _("Supply-or-pay"),
        LineName.LATE_DAMAGES: _("Late damages"),
        LineName.INTEREST: _("Interest"),
        LineName.CLAIM: _("Award on a claim"),
    },
    "fixing": {
        FixingKind.PUBLISHED: _("Published"),
        FixingKind.DETERMINED: _("Determined by the platform"),
        FixingKind.CLOSED: _("No publication on this day"),
        FixingKind.WITHDRAWN: _("Taken back"),
    },
    "waits_for": {
        Who.REVIEWER: _("Reviewer"),
        Who.SENIOR: _("Senior reviewer"),
        Who.STAFF: _("The platform"),
        Who.PARTIES: _("Both parties"),
        Who.SELLERS: _("Sellers"),
        Who.BUYERS: _("Buyers"),
        Who.PAYERS: _("Who owes"),
    },
    "waiting": {
        What.FIRST_WORD: _("Review: first word"),
        What.SECOND_WORD: _("Review: second person"),
        What.DECIDE_CLAIM: _("Decide on a claim"),
        What.ANSWER_PROPOSAL: _("Answer a proposal"),
        What.ANSWER_AFTER_OTHER: _("Answer, the other side has accepted"),
        What.SIGN: _("Sign a contract"),
        What.CONFIRM: _("Confirm a call-off"),
        What.RECEIVE: _("Record the receipt"),
        What.PAY: _("Pay an invoice"),
    },
    "actor": {
        "claimant": _("claimant"),
        "respondent": _("the side claimed from"),
        "firm": _("the firm"),
        "matcher": _("the matcher"),
        "staff": _("reviewer"),
        "senior_staff": _("senior reviewer"),
        "seller": _("seller"),
        "buyer": _("buyer"),
        "system": _("the platform"),
        "timer": _("a deadline"),
        "laboratory": _("laboratory"),
    },
}
