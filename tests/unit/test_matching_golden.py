"""Cases worked out by hand, each with its rows in every order."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import permutations

import pytest

from matching.answer import Answer, OfferResult, Reason
from matching.lanes import Requirement
from matching.run import run
from matching.snapshot import Conversion, ConversionInput, Grade, Offer, Snapshot

from .markets import buy, horizon, sell, snapshot

NORTH_TO_SOUTH = {("ore", "north", "south"): Decimal(4)}


def in_any_order(market: Snapshot) -> Answer:
    """The answer, after making sure that no order of offers changes it."""
    answer = run(market)
    for offers in permutations(market.offers):
        other = run(replace(market, offers=offers))
        assert (other.contracts, other.results, other.prices) == (answer.contracts, answer.results, answer.prices)
    assert answer.certificate.holds
    assert answer.certificate.rounding_loss == 0
    return answer


def trades(answer: Answer) -> list[tuple[str, str, int, int, int, Decimal, Decimal]]:
    """Seller, buyer, first, last, rate, price ex works and delivered."""
    return [(c.seller, c.buyer, c.first, c.last, c.rate, c.price_ex_works, c.price_delivered) for c in answer.contracts]


def told(answer: Answer) -> dict[str, tuple[tuple[int, ...], Reason]]:
    return {result.offer: (result.filled, result.reason) for result in answer.results}


def test_two_sellers_alike_share_a_buyer_who_needs_one_of_them() -> None:
    answer = in_any_order(snapshot(sell("s1", [100], "70"), sell("s2", [100], "70"), buy("b", [100], "90")))
    price = Decimal(70)
    assert trades(answer) == [("s1", "b", 0, 0, 50, price, price), ("s2", "b", 0, 0, 50, price, price)]
    assert told(answer) == {
        "s1": ((50,), Reason.MATCHED),
        "s2": ((50,), Reason.MATCHED),
        "b": ((100,), Reason.MATCHED),
    }
    assert answer.certificate.welfare == 2000


def test_where_neither_side_is_scarce_the_price_is_the_midpoint() -> None:
    market = snapshot(sell("s", [10], "70"), buy("b", [10], "90", region="south"), freight=NORTH_TO_SOUTH)
    answer = in_any_order(market)
    assert trades(answer) == [("s", "b", 0, 0, 10, Decimal(78), Decimal(82))]
    assert answer.contracts[0].freight == 4
    assert told(answer) == {"s": ((10,), Reason.MATCHED), "b": ((10,), Reason.MATCHED)}
    assert answer.certificate.welfare == 160


def test_where_supply_is_left_over_the_marginal_seller_sets_the_price() -> None:
    market = snapshot(sell("s", [20], "70"), buy("b", [10], "90", region="south"), freight=NORTH_TO_SOUTH)
    answer = in_any_order(market)
    assert trades(answer) == [("s", "b", 0, 0, 10, Decimal(70), Decimal(74))]
    assert told(answer) == {"s": ((10,), Reason.MATCHED), "b": ((10,), Reason.MATCHED)}


def test_one_contract_over_the_window_that_the_buyer_needs() -> None:
    answer = in_any_order(snapshot(sell("s", [60] * 4, "70"), buy("b", [0, 100, 100, 0], "90", min_term=2)))
    assert trades(answer) == [("s", "b", 1, 2, 60, Decimal(90), Decimal(90))]
    assert told(answer) == {"s": ((0, 60, 60, 0), Reason.MATCHED), "b": ((0, 60, 60, 0), Reason.MATCHED)}


def test_a_term_longer_than_the_need_leaves_no_lane() -> None:
    answer = in_any_order(snapshot(sell("s", [60] * 4, "70"), buy("b", [0, 100, 100, 0], "90", min_term=3)))
    none = (0, 0, 0, 0)
    assert answer.contracts == ()
    assert answer.results == (
        OfferResult(offer="b", filled=none, reason=Reason.NO_ELIGIBLE_LANE, failed=Requirement.TERM),
        OfferResult(offer="s", filled=none, reason=Reason.NO_ELIGIBLE_LANE, failed=Requirement.TERM),
    )


def cathode_chain(bid: str, *, carbonate: int = 25, cathode: int = 100) -> Snapshot:
    """A carbonate seller at 60 000, a converter who takes 0.25 of it at a fee of 8 000, a cathode buyer."""
    return Snapshot(
        horizon=horizon(1),
        grades=tuple(
            Grade(product=product, grade="plain", rank=1, lot=Decimal(1), unit="t")
            for product in ("carbonate", "cathode")
        ),
        offers=(
            sell("s", [carbonate], "60000", product="carbonate"),
            buy("b", [cathode], bid, product="cathode"),
        ),
        conversions=(
            Conversion(
                conversion="c",
                firm="converter",
                region="north",
                product="cathode",
                grade="plain",
                capacity=(100,),
                fee=(Decimal(8000),),
                inputs=(ConversionInput(product="carbonate", grade="plain", quantity_per_output=Decimal("0.25")),),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("carbonate", "cathode", "carbonate_price", "cathode_price"),
    [
        # All is met exactly: carbonate clears from 60 000 to 88 000, cathode from 23 000 to 30 000.
        (25, 100, "74000", "26500"),
        # Carbonate is left over: its seller is paid his ask, the converter has room for no more.
        (50, 80, "60000", "23000"),
        # Cathode is wanted by more than carbonate can make.
        (20, 100, "88000", "30000"),
    ],
)
def test_a_conversion_ties_two_tiers(carbonate: int, cathode: int, carbonate_price: str, cathode_price: str) -> None:
    answer = in_any_order(cathode_chain("30000", carbonate=carbonate, cathode=cathode))
    made = min(4 * carbonate, cathode)
    low, high = Decimal(carbonate_price), Decimal(cathode_price)
    assert trades(answer) == [("c", "b", 0, 0, made, high, high), ("s", "c", 0, 0, made // 4, low, low)]
    assert len({contract.bundle for contract in answer.contracts}) == 1
    assert high - low / 4 >= 8000
    assert answer.certificate.welfare == 7000 * made
    assert told(answer) == {
        "s": ((made // 4,), Reason.MATCHED),
        "c": ((made,), Reason.MATCHED),
        "b": ((made,), Reason.MATCHED),
    }


def test_a_cathode_bid_below_cost_leaves_both_tiers_empty() -> None:
    answer = in_any_order(cathode_chain("22000"))
    assert answer.contracts == ()
    # 22 000 - 8 000 - 15 000: each alone would have to give 1 000 per tonne of cathode.
    assert answer.results == tuple(
        OfferResult(offer=label, filled=(0,), reason=Reason.OUT_OF_THE_MONEY, distance=Decimal(distance))
        for label, distance in (("b", 1000), ("c", 1000), ("s", 4000))
    )


def test_a_pair_without_surplus_trades() -> None:
    answer = in_any_order(snapshot(sell("s", [10], "70"), buy("b", [10], "70")))
    assert trades(answer) == [("s", "b", 0, 0, 10, Decimal(70), Decimal(70))]
    assert told(answer) == {"s": ((10,), Reason.MATCHED), "b": ((10,), Reason.MATCHED)}
    assert answer.certificate.welfare == 0


def test_rows_of_a_larger_market_in_other_orders() -> None:
    """The cases side by side, each in a region of its own."""
    found: list[Offer] = []
    for region, asks, bids in (("a", ("70", "70"), ("90",)), ("b", ("70",), ("90", "80")), ("c", ("70",), ("70",))):
        found += [sell(f"{region} s{at}", [30], ask, region=region) for at, ask in enumerate(asks)]
        found += [buy(f"{region} b{at}", [30], bid, region=region) for at, bid in enumerate(bids)]
    answer = run(snapshot(*found))
    for turn in range(1, len(found)):
        assert run(snapshot(*found[turn:], *found[:turn])).contracts == answer.contracts
    assert [(c.seller, c.buyer, c.rate, c.price_ex_works) for c in answer.contracts] == [
        ("a s0", "a b0", 15, Decimal(70)),
        ("a s1", "a b0", 15, Decimal(70)),
        ("b s0", "b b0", 30, Decimal(85)),
        ("c s0", "c b0", 30, Decimal(70)),
    ]
