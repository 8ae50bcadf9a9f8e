"""Verification of a written answer: its certificate worked out afresh, without a solver, and held against what the
answer says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from .answer import PRICE_STEP, Certificate
from .answer_checks import Told, market_faults
from .answer_files import COUNTED, STATED, WrittenAnswer, filled_by
from .blocks import block_offers
from .building import build
from .bundles import bundled
from .certificate import Finding, check_market, merge
from .graph import sub_markets
from .lanes import find_lanes
from .shadow_prices import read_duals
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
    findings: list[Finding] = []
    faults: list[str] = []
    for products in sub_markets(snapshot):
        part = snapshot.of_products(products)
        market = build(part)
        lanes = find_lanes(market)
        duals = read_duals(market, lanes, written.prices)
        told = _told_of(part, products, written)
        findings.append(check_market(market, told.contracts, duals, uncertified, lanes))
        faults += market_faults(market, lanes, duals, told)
    certificate = merge(findings, uncertified)
    violations = [*certificate.violations]
    if certificate.blocking_pairs:
        violations.append(f"{certificate.blocking_pairs} blocking pairs: both sides would gain by another contract")
    violations += faults
    violations += _price_rows(snapshot, written)
    violations += _amounts(certificate, written)
    violations += _fills(snapshot, written)
    violations += _bundles(snapshot, written)
    return Verification(certificate=certificate, violations=tuple(violations))


def _told_of(part: Snapshot, products: frozenset[str], written: WrittenAnswer) -> Told:
    """What the answer tells of one sub-market; shadow prices of things that are nowhere are told of the first."""
    labels = {offer.offer for offer in part.offers} | {conversion.conversion for conversion in part.conversions}
    return Told(
        contracts=[contract for contract in written.contracts if contract.product in products],
        prices=[price for price in written.prices if price.subject[0] in labels | products],
        results={label: result for label, result in written.results.items() if label in labels},
        uncertified=block_offers(part),
    )


def _price_rows(snapshot: Snapshot, written: WrittenAnswer) -> Iterator[str]:
    """A bound made with a negative shadow price bounds nothing; a solver's zero may be a hair below zero."""
    labels, seen = snapshot.horizon.labels(), set()
    known = {offer.offer for offer in snapshot.offers} | {grade.product for grade in snapshot.grades}
    known |= {conversion.conversion for conversion in snapshot.conversions}
    for price in written.prices:
        name = f"shadow price of {price.kind} {' '.join(price.subject)} in {labels[price.position]}"
        if price.value < -PRICE_STEP:
            yield f"{name}: {price.value} is negative"
        if price.subject[0] not in known:
            yield f"{name}: there is nothing of that name in the market"
        if (price.kind, price.subject, price.position) in seen:
            yield f"{name}: it is there twice"
        seen.add((price.kind, price.subject, price.position))


def _amounts(certificate: Certificate, written: WrittenAnswer) -> Iterator[str]:
    stated, noise = written.stated, FEN + NOISE * abs(certificate.dual_bound)
    if certificate.gap < -noise:
        yield f"welfare {certificate.welfare} CNY is above the bound {certificate.dual_bound} CNY of the shadow prices"
    for name in STATED:
        # What block terms cost is part of the loss that is stated, and no bound of the divisible problem tells it.
        if name != "rounding_loss" or not certificate.uncertified:
            amount, allowed = getattr(certificate, name), FEN if name == "welfare" else noise
            if abs(stated[name] - amount) > allowed:
                yield f"{name.replace('_', ' ')}: stated {stated[name]} CNY, recomputed {amount} CNY"
    for name in COUNTED:
        if stated[name] != getattr(certificate, name):
            yield f"{name.replace('_', ' ')}: stated {stated[name]}, recomputed {getattr(certificate, name)}"
    if set(written.listed["uncertified"]) != set(certificate.uncertified):
        yield "uncertified: the offers stated are not those with block terms"
    if written.listed["violations"] and not certificate.violations:
        yield f"violations: {len(written.listed['violations'])} are stated, none found"


def _fills(snapshot: Snapshot, written: WrittenAnswer) -> Iterator[str]:
    for label, lots in filled_by(written.contracts, snapshot).items():
        told = written.results.get(label)
        if told is None:
            yield f"{label}: no result; expected one for every offer"
        elif list(told.filled) != lots:
            yield f"{label}: its result says {list(told.filled)} lots, its contracts give {lots}"


def _bundles(snapshot: Snapshot, written: WrittenAnswer) -> Iterator[str]:
    for said, found in zip(written.contracts, bundled(snapshot, written.contracts), strict=True):
        if said.bundle != found.bundle:
            name = f"contract {said.seller} -> {said.buyer} [{said.first}, {said.last}]"
            yield f"{name}: bundle {said.bundle}; what conversions tie gives {found.bundle}"
