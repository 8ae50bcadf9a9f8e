"""What codes are called on the pages: kinds, states, reasons, tiers, roles, phases of a run.

Codes of the contract vocabulary carry their own two wordings; all others are texts of the catalogues.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from flask import Flask
from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from app.models import (
    Basis,
    Bound,
    FirmRole,
    FixingKind,
    ImportState,
    InvoiceKind,
    LineName,
    MailState,
    MessageState,
    OfferKind,
    OfferState,
    Penalty,
    PeriodKind,
    Reason,
    ReopeningOutcome,
    ReturnCause,
    ReviewAction,
    ReviewStep,
    RoundKind,
    RoundState,
    RowOutcome,
    RunState,
    SignInOutcome,
    StopReason,
    TerminationGround,
    Tier,
    UserRole,
    VersionState,
    WindowRule,
)
from app.operations.jobs_overview import JobState
from app.operations.waiting import What, Who
from app.permissions import Permission
from app.web.formats import in_words
from contracts.reasons import REASONS
from contracts.state import MOVE_TEXTS, STATES, TRANSITIONS, Subject
from matching.lanes import Requirement

TABLES: Mapping[str, Mapping[str, LazyString]] = {
    "offer_kind": {
        OfferKind.CAPACITY: _("Capacity"),
        OfferKind.DEMAND: _("Demand"),
        OfferKind.CONVERSION: _("Conversion"),
    },
    "offer": {
        OfferState.DRAFT: _("Draft"),
        OfferState.OPEN: _("Open"),
        OfferState.WITHDRAWN: _("Withdrawn"),
        OfferState.EXPIRED: _("Expired"),
    },
    "basis": {Basis.EX_WORKS: _("Ex works"), Basis.DELIVERED: _("Delivered")},
    "bound": {Bound.MIN: _("at least"), Bound.MAX: _("at most")},
    "round": {
        RoundState.DRAFT: _("In preparation"),
        RoundState.OPEN: _("Open"),
        RoundState.CLOSED: _("Closed"),
        RoundState.SETTLED: _("Settled"),
    },
    "round_kind": {RoundKind.NIGHTLY: _("Nightly round"), RoundKind.DOCKING: _("Docking event")},
    "period_kind": {PeriodKind.MONTH: _("Months"), PeriodKind.QUARTER: _("Quarters"), PeriodKind.YEAR: _("Years")},
    "windows": {WindowRule.ALL: _("Every run of periods"), WindowRule.LADDER: _("A ladder of standard windows")},
    "run": {
        RunState.QUEUED: _("Waiting"),
        RunState.RUNNING: _("Running"),
        RunState.DONE: _("Done"),
        RunState.FAILED: _("Failed"),
        RunState.CANCELLED: _("Cancelled"),
    },
    "phase": {
        "snapshot": _("Reading the offers"),
        "lanes": _("Finding lanes"),
        "clearing": _("Clearing"),
        "fairness": _("Fair shares"),
        "prices": _("Prices"),
        "lots": _("Whole lots"),
        "certificate": _("Certificate"),
        "alternatives": _("Next-best alternatives"),
        "writing": _("Writing the proposals"),
    },
    "import": {
        ImportState.QUEUED: _("Waiting"),
        ImportState.RUNNING: _("Running"),
        ImportState.DONE: _("Done"),
        ImportState.FAILED: _("Failed"),
    },
    "row": {RowOutcome.ACCEPTED: _("Good"), RowOutcome.REJECTED: _("Rejected")},
    "result": {
        Reason.MATCHED: _("Matched"),
        Reason.PARTLY_MATCHED: _("Partly matched"),
        Reason.OUT_OF_THE_MONEY: _("Price did not meet the market"),
        Reason.NO_ELIGIBLE_LANE: _("No eligible counterparty"),
        Reason.CAPACITY_EXHAUSTED_PRO_RATA: _("Shared out, nothing left"),
        Reason.LIMITED_BY_SHARE: _("Held back by a largest share"),
        Reason.LIMITED_BY_CORRIDOR: _("Held back by a corridor quota"),
        Reason.LIMITED_BY_POLICY: _("Held back by a rule of the round"),
        Reason.INPUT_NOT_AVAILABLE: _("Inputs were not available"),
        Reason.PARADOXICALLY_REJECTED: _("Rejected in spite of a good price"),
        Reason.WITHDRAWN: _("Withdrawn before the run ended"),
        Reason.INVALID: _("Not valid for the run"),
    },
    "requirement": {
        Requirement.SPECIFICATION: _("the specification"),
        Requirement.CERTIFICATE: _("a certificate"),
        Requirement.EXCLUSION: _("an exclusion"),
        Requirement.ORIGIN: _("the origin of the material"),
        Requirement.REGION: _("the region: no freight is known"),
        Requirement.TERM: _("the term"),
    },
    "dropped": {
        "withdrawn": _("An offer was withdrawn while the run worked"),
        "expired": _("An offer expired while the run worked"),
        "amended": _("An offer was amended while the run worked"),
        "reserved": _("Volume was taken while the run worked"),
    },
    "review_action": {ReviewAction.RELEASE: _("Release"), ReviewAction.WITHHOLD: _("Withhold")},
    "review_step": {ReviewStep.RECOMMENDATION: _("First pair of eyes"), ReviewStep.DECISION: _("Decision")},
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
    "tier": {
        Tier.RESOURCE: _("Ore and brine"),
        Tier.LITHIUM_SALT: _("Lithium salts"),
        Tier.PRECURSOR: _("Precursors"),
        Tier.CATHODE: _("Cathode material"),
        Tier.ANODE: _("Anode material"),
        Tier.SEPARATOR: _("Separator"),
        Tier.ELECTROLYTE: _("Electrolyte"),
        Tier.CELL: _("Cells"),
        Tier.STORAGE: _("Storage systems"),
        Tier.CAR: _("Vehicles"),
        Tier.RECYCLING: _("Recycling"),
    },
    "firm_role": {
        FirmRole.RESOURCE: _("Ore and brine"),
        FirmRole.LITHIUM_SALT: _("Lithium salts"),
        FirmRole.PRECURSOR: _("Precursors"),
        FirmRole.CATHODE: _("Cathode material"),
        FirmRole.ANODE: _("Anode material"),
        FirmRole.SEPARATOR: _("Separator"),
        FirmRole.ELECTROLYTE: _("Electrolyte"),
        FirmRole.CELL: _("Cells"),
        FirmRole.STORAGE: _("Storage systems"),
        FirmRole.CAR: _("Vehicles"),
        FirmRole.PROCESSOR: _("Processor"),
        FirmRole.RECYCLER: _("Recycler"),
        FirmRole.TRADER: _("Trading house"),
    },
    "user_role": {
        UserRole.FIRM_TRADER: _("Trader"),
        UserRole.FIRM_ADMIN: _("Firm administrator"),
        UserRole.PLATFORM_STAFF: _("Reviewer"),
        UserRole.SENIOR_STAFF: _("Senior reviewer"),
        UserRole.REGULATOR: _("Regulator"),
        UserRole.PLATFORM_ADMIN: _("Platform administrator"),
    },
    "sign_in": {
        SignInOutcome.SIGNED_IN: _("Signed in"),
        SignInOutcome.SIGNED_OUT: _("Signed out"),
        SignInOutcome.WRONG_PASSWORD: _("Wrong password"),
        SignInOutcome.UNKNOWN_EMAIL: _("Unknown e-mail"),
        SignInOutcome.LOCKED: _("Account locked"),
        SignInOutcome.INACTIVE: _("Account not active"),
        SignInOutcome.PASSWORD_CHANGED: _("Password changed"),
    },
    "scope": {
        Permission.OFFER_READ: _("Read offers"),
        Permission.OFFER_POST: _("Post, amend and withdraw offers"),
        Permission.OFFER_IMPORT: _("Upload files of offers"),
        Permission.PROPOSAL_READ: _("Read proposals"),
        Permission.PROPOSAL_DECIDE: _("Accept and decline proposals"),
        Permission.CONTRACT_READ: _("Read contracts"),
        Permission.CALL_OFF_MOVE: _("Call off, confirm, ship, receive and assay deliveries"),
        Permission.CONTRACT_SIGN: _("Sign contracts, propose and answer amendments"),
        Permission.CONTRACT_NOTIFY: _("Give notices under contracts and end them"),
        Permission.CLAIM_RAISE: _("Raise claims and answer them"),
        Permission.PAYMENT_RECORD: _("Record payments of invoices"),
        Permission.REFERENCE_READ: _("Read reference data"),
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
    "version": {
        VersionState.OPEN: _("waits for an answer"),
        VersionState.ON_OFFER: _("on offer"),
        VersionState.REPLACED: _("replaced by a later one"),
        VersionState.REJECTED: _("rejected"),
        VersionState.WITHDRAWN: _("withdrawn"),
        VersionState.EXPIRED: _("ran out"),
        VersionState.VOID: _("ended with the proposal"),
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
TONES: Mapping[str, str] = {
    "open": "live",
    "running": "live",
    "queued": "warn",
    "done": "good",
    "failed": "bad",
    "waiting": "warn",
    "doing": "live",
    "sent": "good",
    "unsent": "bad",
    "delivered": "good",
    "matched": "good",
    "partly_matched": "good",
    "out_of_the_money": "warn",
    "paradoxically_rejected": "warn",
    "invalid": "bad",
    "proposed": "warn",
    "under_review": "warn",
    "released": "live",
    "accepted": "live",
    "countered": "warn",
    "agreed": "good",
    "withheld": "bad",
    "declined": "bad",
    "rejected": "bad",
    "signed": "good",
    "effective": "good",
    "suspended": "warn",
    "terminated": "bad",
    "pending": "warn",
    "active": "good",
    "refused": "bad",
    "defended": "warn",
    "upheld": "good",
}
_SUBJECTS = {subject.value: subject for subject in Subject}
# Which list the reasons of an event come from.
GROUPS_OF: Mapping[str, str] = {row.event: row.reasons.value for row in TRANSITIONS if row.reasons is not None}


def label_of(table: str, code: str) -> str:
    """The name of a code in the language of the page; the code itself where a newer one has no name yet."""
    code = str(code)
    if (text := TABLES.get(table, {}).get(code)) is not None:
        return str(text)
    subject = _SUBJECTS.get(table)
    if subject is not None:
        for state in STATES[subject]:
            if state.name == code:
                return in_words(state.text.zh, state.text.en)
    if table == "event" and (move := MOVE_TEXTS.get(code.partition(".")[2])) is not None:
        return in_words(move.zh, move.en)
    return code


def tone_of(table: str, code: str) -> str:
    """How a state looks: good, live (going on), warn (waits for somebody), bad, or plain."""
    return "live" if (table, code) == ("contract", "agreed") else TONES.get(str(code), "")


def options(table: str, codes: list[StrEnum] | None = None) -> list[tuple[str, str]]:
    """Codes and names for a list to choose from."""
    return [(code, label_of(table, code)) for code in (codes or TABLES[table])]


def reason_text(code: str | None, given_for: str = "") -> str:
    """What a reason code says; empty without one. `given_for` is the event it was given for, or its group.

    The same code may say another thing in another group; without a group that has it, the first that has it counts.
    """
    if not code:
        return ""
    own = GROUPS_OF.get(given_for) or given_for
    for group in sorted(REASONS, key=lambda group: group != own):
        for reason in REASONS[group]:
            if reason.code == code:
                return in_words(reason.text.zh, reason.text.en)
    return code


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(label_of=label_of, tone_of=tone_of, reason_text=reason_text, options_of=options)
