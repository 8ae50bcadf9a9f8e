"""How far an offer stood off, tried out: better by a little more and it is taken, by a little less and it is not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings

from matching.answer import Reason
from matching.run import run
from matching.snapshot import Side, Snapshot

from .markets import markets

CENT = Decimal("0.01")
MANY = 1_000_000  # times the drawn volume, so that no whole lot decides who trades

laws = settings(max_examples=60, derandomize=True)


def scaled(market: Snapshot) -> Snapshot:
    """The same market with so much volume that no whole lot decides who trades."""
    return replace(
        market,
        offers=tuple(replace(o, quantity=tuple(q * MANY for q in o.quantity)) for o in market.offers),
        commitments=tuple(replace(c, quantity=tuple(q * MANY for q in c.quantity)) for c in market.commitments),
        corridors=tuple(replace(c, limit=c.limit * MANY) for c in market.corridors),
        conversions=tuple(
            replace(
                c,
                capacity=tuple(q * MANY for q in c.capacity),
                inputs=tuple(replace(need, own_stock=need.own_stock * MANY) for need in c.inputs),
            )
            for c in market.conversions
        ),
    )


def moved(market: Snapshot, label: str, by: Decimal) -> Snapshot:
    """The market with one ask or fee lower, or one bid higher, by so much in every period."""
    return replace(
        market,
        offers=tuple(
            replace(o, price=tuple(price + (by if o.side is Side.BUY else -by) for price in o.price))
            if o.offer == label
            else o
            for o in market.offers
        ),
        conversions=tuple(
            replace(c, fee=tuple(fee - by for fee in c.fee)) if c.conversion == label else c for c in market.conversions
        ),
    )


def has_price(market: Snapshot, label: str) -> bool:
    """Does an offer have no price below zero?"""
    asked = [price for o in market.offers if o.offer == label and o.side is Side.SELL for price in o.price]
    fees = [fee for c in market.conversions if c.conversion == label for fee in c.fee]
    return min([*asked, *fees], default=0) >= 0


def is_taken(market: Snapshot, label: str) -> bool:
    return any(next(result for result in run(market).results if result.offer == label).filled)


def check(market: Snapshot) -> None:
    for result in run(market).results:
        if result.reason is Reason.CAPACITY_EXHAUSTED_PRO_RATA and has_price(
            moved(market, result.offer, CENT), result.offer
        ):
            assert is_taken(moved(market, result.offer, CENT), result.offer), result
        if result.reason is not Reason.OUT_OF_THE_MONEY:
            continue
        assert result.distance is not None
        assert not result.distance_at_least, result
        nearer, enough = (moved(market, result.offer, result.distance + by) for by in (-CENT, CENT))
        if result.distance > 2 * CENT:
            assert not is_taken(nearer, result.offer), result
        if has_price(enough, result.offer):
            assert is_taken(enough, result.offer), result


@laws
@given(markets(periods=4, rules=False, limits=False).map(scaled))
def test_over_periods_windows_and_terms(market: Snapshot) -> None:
    check(market)


@laws
@given(markets(periods=3).map(scaled))
def test_under_shares_corridors_ceilings_and_rules_of_pairs(market: Snapshot) -> None:
    check(market)


@laws
@given(markets(periods=2, chain=True, limits=False, rules=False).map(scaled))
def test_in_chains(market: Snapshot) -> None:
    check(market)


@laws
@given(markets(periods=3, chain=True, offers=3).map(scaled))
def test_in_chains_under_limits(market: Snapshot) -> None:
    check(market)
