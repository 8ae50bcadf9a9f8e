"""What is traded and how a round clears it: offers, rounds, runs and their results, tiers of the chain."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from app.models import (
    Basis,
    Bound,
    ImportState,
    OfferKind,
    OfferState,
    PeriodKind,
    Reason,
    RoundKind,
    RoundState,
    RowOutcome,
    RunState,
    Tier,
    WindowRule,
)
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
    "period_kind": {PeriodKind.MONTH: _("Months"), PeriodKind.QUARTER: _("Quarters"), PeriodKind.YEAR: _("Years")},
    "windows": {WindowRule.ALL: _("Every run of periods"), WindowRule.LADDER: _("A ladder of standard windows")},
    "round": {
        RoundState.DRAFT: _("In preparation"),
        RoundState.OPEN: _("Open"),
        RoundState.CLOSED: _("Closed"),
        RoundState.SETTLED: _("Settled"),
    },
    "round_kind": {RoundKind.NIGHTLY: _("Nightly round"), RoundKind.DOCKING: _("Docking event")},
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
    "import": {
        ImportState.QUEUED: _("Waiting"),
        ImportState.RUNNING: _("Running"),
        ImportState.DONE: _("Done"),
        ImportState.FAILED: _("Failed"),
    },
    "row": {RowOutcome.ACCEPTED: _("Good"), RowOutcome.REJECTED: _("Rejected")},
}
