"""What contracts come to in money, exactly: mean prices, freight, and the account of each conversion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from fractions import Fraction

from .answer import PRICE_STEP, Contract
from .sides import Market
from .snapshot import ANY_PRODUCT, Conversion, Snapshot

EXACT = Context(prec=200, traps=[Inexact, InvalidOperation])  # of Decimals: many times faster than Fractions
HALF_STEP = Fraction(PRICE_STEP) / 2  # a locked price is rounded, so a bound may be missed by half a step


def price_sum(snapshot: Snapshot, prices: Sequence[Decimal], first: int, last: int) -> Decimal:
    """Sum of the prices of a window, CNY per unit in money of the first period, exact."""
    window = slice(first, last + 1)
    with localcontext(EXACT):
        return sum((p * w for p, w in zip(prices[window], snapshot.worths[window], strict=True)), Decimal(0))


def length(snapshot: Snapshot, first: int, last: int) -> Decimal:
    """Periods of a window, later ones counted at what their money is worth in the first; exact."""
    with localcontext(EXACT):
        return sum(snapshot.worths[first : last + 1], Decimal(0))


def mean_price(snapshot: Snapshot, prices: Sequence[Decimal], first: int, last: int) -> Fraction:
    """Mean of the prices of a window, CNY per unit, exact; each counts as its period's money is worth."""
    return Fraction(price_sum(snapshot, prices, first, last)) / Fraction(length(snapshot, first, last))


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
    lot = dict(zip(market.products, market.lot, strict=True))
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
    lot: Mapping[str, Decimal],
    snapshot: Snapshot,
) -> Account:
    with localcontext(EXACT):
        one_lot = [lot[c.product] * length(snapshot, c.first, c.last) for c in bought]  # over the window of each
        came = [c.rate * units for c, units in zip(bought, one_lot, strict=True)]
        went = [c.rate * lot[c.product] * length(snapshot, c.first, c.last) for c in sold]
        made, cost = sum(went, Decimal(0)), Fraction(0)
        for need in conversion.inputs:
            mine = [(c, units) for c, units in zip(bought, came, strict=True) if c.product == need.product]
            at_hand = sum((units for _, units in mine), Decimal(0))
            if at_hand:
                spent = sum((units * c.price_delivered for c, units in mine), Decimal(0))
                taken = Fraction(made * need.quantity_per_output) / Fraction(at_hand)
                cost += Fraction(spent) * min(Fraction(1), taken)
        fees = (c.rate * lot[c.product] * price_sum(snapshot, conversion.fee, c.first, c.last) for c in sold)
        lost = sum((units * c.price_delivered for c, units in zip(bought, one_lot, strict=True)), Decimal(0))
        return Account(
            income=Fraction(sum((units * c.price_ex_works for c, units in zip(sold, went, strict=True)), Decimal(0))),
            cost=cost,
            fee=Fraction(sum(fees, Decimal(0))),
            rounding=Fraction(lost) + HALF_STEP * Fraction(made + sum(came, Decimal(0))),
        )
