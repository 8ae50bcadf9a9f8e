"""Markets, as small as they get, in which a rule is easily missed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from matching.answer import Reason
from matching.run import run
from matching.snapshot import Conversion, ConversionInput, Corridor

from .market_checks import fees_short, welfare_of
from .markets import buy, sell, snapshot


def conversion(label: str, source: str, product: str, coefficient: str, *, capacity: int, fee: str = "0") -> Conversion:
    return Conversion(
        conversion=label,
        firm=f"firm of {label}",
        region="north",
        product=product,
        grade="plain",
        capacity=(capacity,),
        fee=(Decimal(fee),),
        inputs=(ConversionInput(product=source, grade="plain", quantity_per_output=Decimal(coefficient)),),
    )


def test_a_conversion_may_wait_for_an_input_that_nobody_prices() -> None:
    market = snapshot(
        sell("s", [1], "30"),
        buy("b", [1], "80", product="salt"),
        conversions=(
            conversion("c0", "ore", "salt", "0.25", capacity=1),
            conversion("c1", "cell", "ore", "0.25", capacity=1),
        ),
    )
    assert [result.reason for result in run(market).results if result.offer == "c1"] == [Reason.INPUT_NOT_AVAILABLE]


def test_a_pinch_of_a_cheap_additive_may_be_worth_a_lot() -> None:
    """One tonne of additive makes 1 000 t of salt worth 20 000 a tonne: its price is what salt leaves for it."""
    market = snapshot(
        sell("s", [1], "1000"),
        buy("b", [4000], "20000", product="salt"),
        conversions=(conversion("c", "ore", "salt", "0.001", capacity=20000, fee="10"),),
    )
    assert {c.seller: (c.rate, c.price_ex_works) for c in run(market).contracts} == {
        "s": (1, Decimal(19_990_000)),
        "c": (2000, Decimal(20_000)),
    }


def test_sellers_of_a_free_input_share_what_is_needed_of_it() -> None:
    market = snapshot(
        sell("s1", [1000], "0"),
        sell("s2", [1000], "0"),
        buy("b", [1000], "80", product="salt"),
        conversions=(conversion("c", "ore", "salt", "0.25", capacity=1000),),
    )
    rates = {contract.seller: contract.rate for contract in run(market).contracts}
    assert rates["c"] == 1000
    assert sorted((rates.get("s1", 0), rates.get("s2", 0))) == [62, 63]


def test_whole_lots_make_no_chain_lose() -> None:
    """A quarter of a lot of ore would do; a whole one costs 60 and what is made of it fetches 50."""
    market = snapshot(
        sell("s", [1], "60"),
        buy("b", [1], "100", product="salt"),
        conversions=(conversion("c", "ore", "salt", "0.5", capacity=3),),
    )
    contracts = run(market).contracts
    assert welfare_of(market, contracts) >= 0
    assert fees_short(market, contracts) == {}


@pytest.mark.parametrize("ask", ["0", "40"])
def test_a_closed_corridor_is_the_reason(ask: str) -> None:
    market = snapshot(
        sell("s", [10], ask),
        buy("b", [10], "40"),
        corridors=(Corridor(product="ore", origin="north", destination="north", position=None, limit=Decimal(0)),),
    )
    assert {result.reason for result in run(market).results} == {Reason.LIMITED_BY_CORRIDOR}


def test_a_seller_at_the_bid_is_kept_out_by_the_corridor_alone() -> None:
    market = snapshot(
        sell("s1", [10], "0"),
        sell("s2", [10], "40"),
        buy("b", [10], "40"),
        corridors=(Corridor(product="ore", origin="north", destination="north", position=None, limit=Decimal(5)),),
    )
    assert {r.offer: r.reason for r in run(market).results}["s2"] is Reason.LIMITED_BY_CORRIDOR


def test_an_input_that_cannot_come_makes_no_price_up() -> None:
    """Salt is wanted at 100; ore is sold where no freight leads to the converter."""
    market = snapshot(
        sell("s", [10], "40", region="south"),
        buy("b", [10], "100", product="salt"),
        conversions=(conversion("c", "ore", "salt", "0.25", capacity=10, fee="5"),),
    )
    answer = run(market)
    # What is left of 100 after the fee is the most that a quarter of ore could ever be worth.
    assert all(price.value <= 4 * (100 - 5) for price in answer.prices)
    assert all((result.distance or 0) <= 4 * (100 - 5) for result in answer.results)


@pytest.mark.parametrize("regions", [("a", "b"), ("b", "a")])
def test_a_largest_share_of_all_is_no_limit(regions: tuple[str, str]) -> None:
    home, away = regions
    market = snapshot(
        sell("s1", [1000], "0", region=home, firm="Ada"),
        sell("s2", [1000], "0", region=home, firm="Ada"),
        buy("b1", [1000], "40", region=home),
        buy("b2", [1000], "40", region=away, max_share=Decimal(1)),
        freight={("*", home, away): Decimal(0), ("*", away, home): Decimal(0)},
    )
    assert {price.subject: price.value for price in run(market).prices if price.kind in {"share", "offer"}} == {
        ("s1",): 20,
        ("s2",): 20,
        ("b1",): 20,
        ("b2",): 20,
    }
