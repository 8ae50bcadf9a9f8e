"""What contracts come to in money, exactly: mean prices, freight, and the account of each conversion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from .answer import PRICE_STEP, Contract
from .sides import Market
from .snapshot import ANY_PRODUCT, Conversion, Snapshot

HALF_STEP = Fraction(PRICE_STEP) / 2  # a locked price is rounded, so a bound may be missed by half a step


def mean_price(snapshot: Snapshot, prices: Sequence[Decimal], first: int, last: int) -> Fraction:
    """Mean of the prices of a window, CNY per unit, exact; each counts as its period's money is worth."""
    worths = snapshot.worths[first : last + 1]
    total = sum((Fraction(p) * Fraction(w) for p, w in zip(prices[first : last + 1], worths, strict=True)), Fraction(0))
    return total / sum(map(Fraction, worths), Fraction(0))


def length(snapshot: Snapshot, contract: Contract) -> Fraction:
    """Periods of a contract, later ones counted at what their money is worth in the first."""
    return sum(map(Fraction, snapshot.worths[contract.first : contract.last + 1]), Fraction(0))


def freight_of(market: Market, seller: int, buyer: int) -> Decimal:
    """CNY per unit from one position to another; 0 where it is in the price.

    The pair must be a lane."""
    sells, buys = market.sellers, market.buyers
    if sells.freight_included[seller] or buys.freight_included[buyer]:
        return Decimal(0)
    product = market.products[int(sells.product[seller])]
    route = market.regions[int(sells.region[seller])], market.regions[int(buys.region[buyer])]
    table = market.snapshot.freight
    if route[0] == route[1]:
        return table.get((product, *route), table.get((ANY_PRODUCT, *route), Decimal(0)))
    return table[product, *route] if (product, *route) in table else table[ANY_PRODUCT, *route]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A processor's account over the horizon, CNY in money of the first period.

    Whole lots leave a part of a lot of each input unprocessed; it is the processor's stock and not a cost of the
    output, so `cost` counts what the outputs took of each input, at its mean price. `rounding` is what prices in
    steps and quantities in lots may take from it.
    """

    income: Fraction
    cost: Fraction
    fee: Fraction
    rounding: Fraction

    @property
    def short(self) -> Fraction:
        """By how much it earns less than its fee, beyond what rounding may take; 0 where it does not."""
        missing = self.cost + self.fee - self.income
        return missing if missing > self.rounding else Fraction(0)


def accounts(market: Market, contracts: Sequence[Contract]) -> Mapping[str, Account]:
    """The account of each conversion, by label."""
    lot = {product: Fraction(size) for product, size in zip(market.products, market.lot, strict=True)}
    sold: dict[str, list[Contract]] = defaultdict(list)
    bought: dict[str, list[Contract]] = defaultdict(list)
    for contract in contracts:
        sold[contract.seller].append(contract)
        bought[contract.buyer].append(contract)
    return {
        one.conversion: _account(
            one, sold=sold[one.conversion], bought=bought[one.conversion], lot=lot, snapshot=market.snapshot
        )
        for one in market.conversions
    }


def _account(
    conversion: Conversion,
    *,
    sold: Sequence[Contract],
    bought: Sequence[Contract],
    lot: Mapping[str, Fraction],
    snapshot: Snapshot,
) -> Account:
    def volume(contract: Contract) -> Fraction:
        return contract.rate * length(snapshot, contract) * lot[contract.product]

    made = sum(map(volume, sold), Fraction(0))
    cost = Fraction(0)
    for need in conversion.inputs:
        mine = [contract for contract in bought if contract.product == need.product]
        at_hand = sum(map(volume, mine), Fraction(0))
        if at_hand:
            spent = sum((volume(c) * Fraction(c.price_delivered) for c in mine), Fraction(0))
            cost += spent * min(Fraction(1), made * Fraction(need.quantity_per_output) / at_hand)
    one_lot = sum((volume(c) / c.rate * Fraction(c.price_delivered) for c in bought), Fraction(0))
    return Account(
        income=sum((volume(c) * Fraction(c.price_ex_works) for c in sold), Fraction(0)),
        cost=cost,
        fee=sum((volume(c) * mean_price(snapshot, conversion.fee, c.first, c.last) for c in sold), Fraction(0)),
        rounding=one_lot + HALF_STEP * sum(map(volume, [*sold, *bought]), Fraction(0)),
    )
