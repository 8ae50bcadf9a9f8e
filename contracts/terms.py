"""The terms of one version of a contract: frozen, checked, written in one canonical text and known by its hash.

Terms are never edited. An amendment makes a new version, whose hash the parties sign.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import cast

from market.errors import BadInput
from market.periods import Period

from . import canonical
from .canonical import Change
from .checks import faults_in
from .clauses import (
    Assaying,
    Clause,
    Deadlines,
    Delivery,
    ForceMajeure,
    LateDamages,
    Lot,
    NominationCalendar,
    Party,
    Payment,
    Provenance,
    QualityTerm,
    Renewal,
    Reopener,
    ScheduleLine,
    SpecificationLimit,
    SupplyOrPay,
    TakeOrPay,
    Tolerance,
)
from .price_formula import EscalatedPrice, FixedPrice, PriceFormula


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Everything two parties agree on; `number` and `version` make the hash that of this contract alone.

    `rule_version` names the state table and the arithmetic in force when the contract was made. `standard` names the
    platform's standard terms from which it started. The window is that of the schedule; `long_stop` is the last day
    on which anything may still be delivered.
    """

    number: str
    version: int
    rule_version: str
    standard: str
    seller: Party
    buyer: Party
    product: str
    grade: str
    specification: tuple[SpecificationLimit, ...]
    lot: Lot
    schedule: tuple[ScheduleLine, ...]
    tolerance: Tolerance
    long_stop: dt.date
    renewal: Renewal | None
    price: FixedPrice | EscalatedPrice | PriceFormula
    delivery: Delivery
    payment: Payment
    take_or_pay: TakeOrPay | None
    supply_or_pay: SupplyOrPay | None
    late_damages: LateDamages | None
    nomination: NominationCalendar
    quality: tuple[QualityTerm, ...]
    assaying: Assaying
    force_majeure: ForceMajeure
    reopeners: tuple[Reopener, ...]
    provenance: Provenance
    deadlines: Deadlines
    clauses: tuple[Clause, ...]

    @property
    def first_period(self) -> Period:
        return self.schedule[0].period

    @property
    def last_period(self) -> Period:
        return self.schedule[-1].period

    @property
    def total_lots(self) -> int:
        return sum(line.lots for line in self.schedule)


def validate(terms: Terms) -> None:
    """Check the terms: that their canonical JSON can be read back, and that they are sound.

    :raises BadInput: with one fault for each thing wrong; `place` is the JSON pointer in the canonical JSON.
    """
    canonical.from_plain(Terms, canonical.to_plain(terms))
    if faults := faults_in(terms):
        raise BadInput(faults)


def canonical_json(terms: Terms) -> str:
    """The one JSON text of the terms (RFC 8785 form; decimals, days and periods as strings)."""
    return canonical.canonical_text(canonical.to_plain(terms))


def terms_hash(terms: Terms) -> str:
    """SHA-256 of the canonical JSON in UTF-8, 64 hexadecimal digits: what is accepted and signed."""
    return hashlib.sha256(canonical_json(terms).encode()).hexdigest()


def terms_from_json(text: str | bytes) -> Terms:
    """The terms a JSON text tells. All members must be there: no default can change a contract afterwards.

    :raises BadInput: not JSON, a member missing, unknown or of another kind, or unsound terms.
    """
    terms = cast("Terms", canonical.from_plain(Terms, canonical.read_json(text)))
    if faults := faults_in(terms):
        raise BadInput(faults)
    return terms


def diff(old: Terms, new: Terms) -> list[Change]:
    """Every place in which two versions differ, as JSON pointer with the old and the new value."""
    return canonical.differences(canonical.to_plain(old), canonical.to_plain(new))
