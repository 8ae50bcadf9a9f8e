"""Reference prices of hubs: what one more lot would fetch there over the best window that covers the period."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.answer import PRICE_STEP, Answer
from matching.engine import ReferenceEngine
from matching.run import run
from matching.snapshot import Side, Snapshot

from .markets import buy, markets, sell, snapshot

laws = settings(max_examples=40, derandomize=True)


def hubs(answer: Answer) -> dict[tuple[tuple[str, ...], int], Decimal]:
    return {(price.subject, price.position): price.value for price in answer.prices if price.kind == "hub"}


def test_a_window_s_price_stands_in_each_of_its_periods() -> None:
    """The buyer signs for both quarters or not at all: nobody would get more for one of them."""
    answer = run(snapshot(sell("s", [30, 30], "60"), sell("t", [10, 0], "65"), buy("b", [20, 20], "70", min_term=2)))
    assert {contract.price_ex_works for contract in answer.contracts} == {60}
    assert hubs(answer) == {(("ore", "plain", "north"), at): Decimal(60) for at in (0, 1)}


@laws
@given(st.one_of(markets(), markets(chain=True)))
def test_no_contract_is_dearer_than_the_price_of_its_hub(market: Snapshot) -> None:
    answer = run(market)
    told, sells = hubs(answer), {offer.offer: offer for offer in market.offers if offer.side is Side.SELL}
    makes = {conversion.conversion: conversion for conversion in market.conversions}
    for contract in answer.contracts:
        seller = sells.get(contract.seller) or makes[contract.seller]
        for position in range(contract.first, contract.last + 1):
            price = told.get(((seller.product, seller.grade, seller.region), position), Decimal(0))
            assert price >= contract.price_ex_works - 2 * PRICE_STEP, (contract, price)


@settings(max_examples=20, derandomize=True)
@given(st.one_of(markets(), markets(chain=True)))
def test_hub_prices_depend_on_no_order_and_no_engine(market: Snapshot) -> None:
    mixed = replace(market, offers=market.offers[::-1], conversions=market.conversions[::-1])
    one, two, three = run(market), run(mixed), run(market, engine=ReferenceEngine)
    assert hubs(one) == hubs(two)
    for key, price in hubs(three).items():
        assert float(hubs(one)[key]) == pytest.approx(float(price), rel=1e-6, abs=float(2 * PRICE_STEP)), key
