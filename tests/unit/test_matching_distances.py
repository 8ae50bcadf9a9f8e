"""How far an offer stood off, tried out: better by a little more and it is taken, by a little less and it is not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from matching import entry
from matching.answer import Reason
from matching.run import run
from matching.snapshot import Corridor, Side, Snapshot

from .markets import buy, maker, markets, sell, snapshot

CENT = Decimal("0.01")
MANY = 1_000_000  # times the drawn volume, so that no whole lot decides who trades

laws = settings(max_examples=40, derandomize=True)


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


def told(market: Snapshot) -> dict[str, tuple[Reason, Decimal | None, bool]]:
    return {r.offer: (r.reason, r.distance, r.distance_at_least) for r in run(market).results}


def two_quarters(**more: Any) -> Snapshot:
    """Each quarter has a seller of its own; t sells both quarters together or not at all, so both have to give way:
    what they save, 10 and 30 a lot, is 20 on average."""
    return snapshot(
        sell("s1", [100, 0], "10", firm="Ada"),
        sell("s2", [0, 100], "30", firm="Ada"),
        sell("t", [100, 100], "40", min_term=2, **more),
        buy("b", [100, 100], "60"),
    )


def test_a_long_contract_displaces_several_short_ones() -> None:
    assert told(two_quarters())["t"] == (Reason.OUT_OF_THE_MONEY, Decimal(20), False)


def test_with_block_terms_a_distance_is_at_least_so_much() -> None:
    reason, distance, at_least = told(two_quarters(all_or_none=True))["t"]
    assert (reason, at_least) == (Reason.OUT_OF_THE_MONEY, True)
    assert distance is not None
    assert 0 < distance <= 20


def test_without_effort_a_distance_is_at_least_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    market = two_quarters()
    monkeypatch.setattr(entry._Entry, "_affords", lambda *_: False)
    reason, distance, at_least = told(market)["t"]
    assert (reason, at_least) == (Reason.OUT_OF_THE_MONEY, True)
    assert distance is not None
    assert 0 < distance <= 20


def test_a_closed_corridor_is_the_reason_whatever_the_price() -> None:
    way = Corridor(product="ore", origin="north", destination="north", position=None, limit=Decimal(0))
    market = snapshot(sell("s", [10], "60"), buy("b", [10], "40"), corridors=(way,))
    assert set(told(market).values()) == {(Reason.LIMITED_BY_CORRIDOR, None, False)}


def test_who_buys_what_cannot_be_made_lacks_the_input() -> None:
    """Ore is sold where no freight leads to the converter."""
    offers = sell("s", [10], "40", region="south"), buy("b", [10], "100", product="salt")
    market = snapshot(*offers, conversions=(maker("0.25", [10], "5"),))
    found = told(market)
    assert {label: found[label][0] for label in ("s", "b", "c")} == {
        "s": Reason.NO_ELIGIBLE_LANE,
        "b": Reason.INPUT_NOT_AVAILABLE,
        "c": Reason.INPUT_NOT_AVAILABLE,
    }


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
