"""Verification of a written answer: its certificate worked out afresh, without a solver, and held against what the
answer says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from .answer import PRICE_STEP, Certificate
from .answer_files import WrittenAnswer, filled_by
from .blocks import block_offers
from .certificate import check
from .snapshot import Snapshot

# Shadow prices are written to ten digits and the bound is summed in floating point.
NOISE = Decimal("1e-8")
FEN = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The certificate as recomputed, and everything that speaks against the answer."""

    certificate: Certificate
    violations: tuple[str, ...]


def verify(snapshot: Snapshot, written: WrittenAnswer) -> Verification:
    """Check an answer from snapshot and answer alone."""
    uncertified = sorted(block_offers(snapshot))
    certificate = check(snapshot, written.contracts, written.prices, uncertified)
    violations = [*certificate.violations]
    if certificate.blocking_pairs:
        violations.append(f"{certificate.blocking_pairs} blocking pairs: both sides would gain by another contract")
    violations += _negative_prices(snapshot, written)
    violations += _amounts(certificate, written)
    violations += _fills(snapshot, written)
    return Verification(certificate=certificate, violations=tuple(violations))


def _negative_prices(snapshot: Snapshot, written: WrittenAnswer) -> Iterator[str]:
    """A bound made with a negative shadow price bounds nothing; a solver's zero may be a hair below zero."""
    labels = snapshot.horizon.labels()
    for price in written.prices:
        if price.value < -PRICE_STEP:
            name = " ".join(price.subject)
            yield f"shadow price of {price.kind} {name} in {labels[price.position]}: {price.value} is negative"


def _amounts(certificate: Certificate, written: WrittenAnswer) -> Iterator[str]:
    stated, noise = written.stated, FEN + NOISE * abs(certificate.dual_bound)
    if abs(stated["welfare"] - certificate.welfare) > FEN:
        yield f"welfare: stated {stated['welfare']} CNY, recomputed {certificate.welfare} CNY"
    if certificate.gap < -noise:
        yield f"welfare {certificate.welfare} CNY is above the bound {certificate.dual_bound} CNY of the shadow prices"
    if certificate.uncertified:
        return  # the divisible bound says nothing about what block terms cost
    if abs(stated["dual_bound"] - certificate.dual_bound) > noise:
        yield f"dual bound: stated {stated['dual_bound']} CNY, recomputed {certificate.dual_bound} CNY"
    if certificate.gap > stated["rounding_loss"] + noise:
        yield f"gap {certificate.gap} CNY exceeds the stated rounding loss {stated['rounding_loss']} CNY"


def _fills(snapshot: Snapshot, written: WrittenAnswer) -> Iterator[str]:
    for label, lots in filled_by(written.contracts, snapshot).items():
        told = written.filled.get(label)
        if told is None:
            yield f"{label}: no result; expected one for every offer"
        elif list(told) != lots:
            yield f"{label}: its result says {list(told)} lots, its contracts give {lots}"
