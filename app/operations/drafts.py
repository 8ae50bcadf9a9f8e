"""What a contract of an answer becomes: the rows of a proposal, with its values, surpluses and reservations.

Quantities are lots, prices CNY per unit of the product, amounts CNY over the whole window; surpluses in money of the
round's first period, where the round discounts later ones.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

from app.models import OfferKind
from app.operations.alternatives import Alternative, Alternatives
from app.operations.snapshots import FrozenRound, OfferRow
from contracts.canonical import canonical_text, decimal_text
from matching.accounts import length, mean_price
from matching.answer import Contract

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A proposal before it is a row."""

    id: uuid.UUID
    bundle_id: uuid.UUID
    contract: Contract
    seller: OfferRow
    buyer: OfferRow
    units: Decimal
    total_value: Decimal
    surplus_seller: Decimal
    surplus_buyer: Decimal
    next_best: dict[str, Any]
    terms_hash: str


def reservations(
    contract: Contract, seller: OfferRow, buyer: OfferRow, labels: Sequence[str]
) -> Iterator[tuple[uuid.UUID, str, int]]:
    """Offer, period and lots that a contract holds; `labels` are the periods of the horizon.

    What goes into a conversion takes nothing of the conversion's quantity, which is its output.
    """
    for offer in (seller, buyer):
        if offer is seller or offer.kind is not OfferKind.CONVERSION:
            for at in range(contract.first, contract.last + 1):
                yield offer.id, labels[at], contract.rate


def bundles_of(contracts: Iterable[Contract]) -> dict[str, list[Contract]]:
    """The contracts by bundle, in the order of the bundles' labels."""
    found: dict[str, list[Contract]] = defaultdict(list)
    for contract in contracts:
        found[contract.bundle].append(contract)
    return dict(sorted(found.items()))


class Drafter:
    """Drafts the proposals of the contracts that are kept of one answer."""

    def __init__(
        self, frozen: FrozenRound, contracts: Sequence[Contract], alternatives: Mapping[Contract, Alternatives]
    ) -> None:
        self.frozen, self.contracts, self.alternatives = frozen, contracts, alternatives
        self.lot = {grade.product: grade.lot for grade in frozen.snapshot.grades}
        self.conversions = {conversion.conversion: conversion for conversion in frozen.snapshot.conversions}
        self.input_price = self._input_prices()

    def drafts(self) -> list[Draft]:
        return [
            self._draft(contract, bundle)
            for contracts in bundles_of(self.contracts).values()
            for bundle in [uuid.uuid4()]
            for contract in contracts
        ]

    def _draft(self, contract: Contract, bundle: uuid.UUID) -> Draft:
        seller, buyer = (self.frozen.offers[uuid.UUID(label)] for label in (contract.seller, contract.buyer))
        units = self.units(contract)
        ask, bid = self._least_ask(contract, seller), self._mean(buyer.price, contract)
        # What a processor gains is counted where it sells; its inputs have no bid.
        worth = length(self.frozen.snapshot, contract.first, contract.last) / (contract.last - contract.first + 1)
        gain = Decimal(0) if buyer.kind is OfferKind.CONVERSION else bid - contract.price_delivered
        return Draft(
            id=uuid.uuid4(),
            bundle_id=bundle,
            contract=contract,
            seller=seller,
            buyer=buyer,
            units=units,
            total_value=cents(contract.price_delivered * units),
            surplus_seller=cents((contract.price_ex_works - ask) * units * worth),
            surplus_buyer=cents(gain * units * worth),
            next_best=self._next_best(contract),
            terms_hash=self._facts_hash(contract, seller, buyer),
        )

    def units(self, contract: Contract) -> Decimal:
        """Units of the product over the whole window."""
        return contract.rate * (contract.last - contract.first + 1) * self.lot[contract.product]

    def _mean(self, prices: Sequence[Decimal], contract: Contract) -> Decimal:
        return decimal_of(mean_price(self.frozen.snapshot, prices, contract.first, contract.last))

    def _least_ask(self, contract: Contract, seller: OfferRow) -> Decimal:
        """What the seller asks, or what a unit costs a processor: its fee, and its inputs at what they cost it."""
        ask = self._mean(seller.price, contract)
        if seller.kind is OfferKind.CONVERSION:
            for need in self.conversions[contract.seller].inputs:
                ask += need.quantity_per_output * self.input_price.get((contract.seller, need.product), Decimal(0))
        return ask

    def _input_prices(self) -> dict[tuple[str, str], Decimal]:
        """Mean delivered price of each conversion's inputs, by conversion and product."""
        value: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        units: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for contract in self.contracts:
            if contract.buyer in self.conversions:
                key = contract.buyer, contract.product
                value[key] += contract.price_delivered * self.units(contract)
                units[key] += self.units(contract)
        return {key: value[key] / units[key] for key in value}

    def _next_best(self, contract: Contract) -> dict[str, Any]:
        seller, buyer = self.alternatives.get(contract, (None, None))
        return {"seller": self._told(seller, "price_ex_works"), "buyer": self._told(buyer, "price_delivered")}

    def _told(self, alternative: Alternative | None, price: str) -> dict[str, str] | None:
        if alternative is None:
            return None
        firm = self.frozen.offers[uuid.UUID(alternative.offer)].firm
        return {"offer_id": alternative.offer, "firm_id": str(firm), price: decimal_text(alternative.price)}

    def _facts_hash(self, contract: Contract, seller: OfferRow, buyer: OfferRow) -> str:
        """Hash of what the run found, until the release freezes whole terms."""
        facts = {
            "sell_offer": contract.seller,
            "sell_revision": self.frozen.revisions[seller.id],
            "buy_offer": contract.buyer,
            "buy_revision": self.frozen.revisions[buyer.id],
            "product": contract.product,
            "grade": seller.grade,
            "window": [contract.first, contract.last],
            "rate": contract.rate,
            "price_ex_works": decimal_text(contract.price_ex_works),
            "freight": decimal_text(contract.freight),
        }
        return hashlib.sha256(canonical_text(facts).encode()).hexdigest()  # type: ignore[arg-type]


def proposal_row(
    draft: Draft,
    *,
    run_id: uuid.UUID,
    round_id: uuid.UUID,
    labels: Sequence[str],
    index: Mapping[str, Decimal],
    now: dt.datetime,
    expires_at: dt.datetime,
) -> dict[str, Any]:
    """The columns of the proposal's row; `labels` are the periods of the horizon."""
    contract = draft.contract
    return {
        "id": draft.id,
        "round_id": round_id,
        "run_id": run_id,
        "bundle_id": draft.bundle_id,
        "sell_offer_id": draft.seller.id,
        "buy_offer_id": draft.buyer.id,
        "seller_firm_id": draft.seller.firm,
        "buyer_firm_id": draft.buyer.firm,
        "product_code": contract.product,
        "grade_code": draft.seller.grade,
        "first_period": labels[contract.first],
        "last_period": labels[contract.last],
        "rate": contract.rate,
        "price_ex_works": contract.price_ex_works,
        "freight": contract.freight,
        "price_delivered": contract.price_delivered,
        "total_value": draft.total_value,
        "index_value": index.get(contract.product),
        "surplus_seller": draft.surplus_seller,
        "surplus_buyer": draft.surplus_buyer,
        "next_best": draft.next_best,
        "terms_hash": draft.terms_hash,
        "expires_at": expires_at,
        "created_at": now,
    }


def decimal_of(amount: Fraction) -> Decimal:
    return Decimal(amount.numerator) / Decimal(amount.denominator)


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_EVEN)
