"""The edges of a market: nothing to clear, nobody on one side, no money in it, everybody alike; and prices by steps."""

from __future__ import annotations

from decimal import Decimal

import pytest

from matching.answer import Reason
from matching.run import run
from matching.snapshot import Offer, Snapshot

from .market_checks import faults
from .markets import buy, grades, horizon, sell, snapshot


def empty(*products: str) -> Snapshot:
    return Snapshot(horizon=horizon(1), grades=grades(products), offers=())


@pytest.mark.parametrize(
    ("market", "reasons"),
    [
        (empty(), {}),
        (empty("ore"), {}),
        (snapshot(sell("s", [5], "50")), {"s": Reason.NO_ELIGIBLE_LANE}),
        (snapshot(buy("b", [5], "50")), {"b": Reason.NO_ELIGIBLE_LANE}),
        (
            snapshot(sell("s", [0], "50"), buy("b", [5], "60")),
            {"s": Reason.NO_ELIGIBLE_LANE, "b": Reason.NO_ELIGIBLE_LANE},
        ),
        (snapshot(sell("s", [5], "50", all_or_none=True)), {"s": Reason.NO_ELIGIBLE_LANE}),
        (
            snapshot(sell("s", [5], "60"), buy("b", [5], "50")),
            {"s": Reason.OUT_OF_THE_MONEY, "b": Reason.OUT_OF_THE_MONEY},
        ),
    ],
)
def test_where_nothing_can_trade_everybody_is_told_why(market: Snapshot, reasons: dict[str, Reason]) -> None:
    answer = run(market)
    assert {result.offer: result.reason for result in answer.results} == reasons
    assert answer.contracts == ()
    assert answer.certificate.welfare == answer.certificate.gap == 0
    assert answer.certificate.holds


@pytest.mark.parametrize(("ask", "bid", "price"), [("0", "0", "0"), ("0", "5", "2.5"), ("50", "50", "50")])
def test_what_is_free_or_brings_nothing_is_traded_all_the_same(ask: str, bid: str, price: str) -> None:
    (contract,) = run(snapshot(sell("s", [5], ask), buy("b", [5], bid))).contracts
    assert (contract.rate, contract.price_ex_works) == (5, Decimal(price))


def test_of_many_alike_as_many_trade_as_there_is_demand_for() -> None:
    sellers = [sell(f"s{at}", [1], "50") for at in range(20)]
    market = snapshot(*sellers, *(buy(f"b{at}", [1], "50") for at in range(7)))
    answer = run(market)
    assert faults(market, answer.contracts) == []
    filled = sorted(sum(result.filled) for result in answer.results if result.offer.startswith("s"))
    assert filled == [0] * 13 + [1] * 7
    assert {r.reason for r in answer.results if not any(r.filled)} == {Reason.CAPACITY_EXHAUSTED_PRO_RATA}


# Prices by steps


def sold(*offers: Offer, demand: int) -> dict[str, int]:
    answer = run(snapshot(*offers, buy("b", [demand], "80")))
    assert answer.certificate.holds
    return {contract.seller: contract.rate for contract in answer.contracts}


@pytest.mark.parametrize(
    ("demand", "taken"),
    [(500, {"first": 500}), (1_500, {"first": 1_000, "next": 500}), (4_000, {"first": 1_000, "next": 2_000})],
)
def test_steps_that_grow_dearer_are_taken_from_the_cheapest_on(demand: int, taken: dict[str, int]) -> None:
    """The first 1 000 at 70, the next 2 000 at 72."""
    assert sold(sell("first", [1_000], "70"), sell("next", [2_000], "72"), demand=demand) == taken


@pytest.mark.parametrize(("demand", "taken"), [(20, {"few": 10}), (30, {"many": 30}), (45, {"many": 30})])
def test_a_discount_for_volume_is_all_of_the_one_or_some_of_the_other(demand: int, taken: dict[str, int]) -> None:
    """Up to 10 at 70, or 30 at 60: never both, and the 30 not in part."""
    few = sell("few", [10], "70", firm="Ada", group="discount")
    many = sell("many", [30], "60", firm="Ada", group="discount", all_or_none=True)
    assert sold(few, many, demand=demand) == taken
