"""Numbers far apart: prices that nearly tie, an offer of next to nothing, products that nobody prices."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from matching.building import build
from matching.run import run
from matching.snapshot import Conversion, ConversionInput

from .markets import buy, sell, snapshot


def conversion(label: str, source: str, product: str, coefficient: str, fee: str) -> Conversion:
    return Conversion(
        conversion=label,
        firm=f"firm of {label}",
        region="north",
        product=product,
        grade="plain",
        capacity=(10**6,),
        fee=(Decimal(fee),),
        inputs=(ConversionInput(product=source, grade="plain", quantity_per_output=Decimal(coefficient)),),
    )


@pytest.mark.parametrize(("ask", "bid"), [("70000.0003", "70000"), ("1500000001", "1500000000")])
def test_a_loss_too_small_to_tell_prices_apart_is_no_trade(ask: str, bid: str) -> None:
    """A bid in dollars times a rate has more digits than a price has steps."""
    answer = run(snapshot(sell("s", [10], ask), buy("b", [10], bid)))
    assert answer.contracts == ()
    assert answer.certificate.holds
    even = run(snapshot(sell("s", [10], bid), buy("b", [10], bid)))
    assert [contract.rate for contract in even.contracts] == [10]


def test_a_stock_next_to_nothing_is_cleared_beside_large_offers() -> None:
    """75 CNY worth of salt lies idle beside ore for ten milliard: what is left of it is not nothing."""
    need = ConversionInput(product="salt", grade="plain", quantity_per_output=Decimal(2), own_stock=Decimal("1.5"))
    maker = replace(
        conversion("c", "salt", "ore", "2", "0"), region="south", capacity=(600, 600), fee=(Decimal(0),) * 2
    )
    market = snapshot(
        buy("b", [200, 200], "50", product="salt"),
        buy("ore b", [200, 200], "50000000"),
        sell("ore s", [200, 200], "50000000", region="south", min_term=9),
        conversions=(replace(maker, inputs=(need,), min_term=9),),
        freight={("*", "south", "north"): Decimal(1)},
        windows=((0, 1),),
    )
    assert run(market).certificate.holds


def test_what_nobody_prices_is_counted_at_what_the_chain_makes_of_it() -> None:
    """Ore is sold at 40, cells of ten units fetch 1 000 each; salt in lots of half a unit stands between them."""
    market = build(
        snapshot(
            sell("s", [10], "40"),
            buy("b", [10], "1000", product="cell"),
            conversions=(conversion("c", "ore", "salt", "2", "20"), conversion("d", "salt", "cell", "8", "0")),
        )
    )
    by_product = dict(zip(market.products, market.level.tolist(), strict=True))
    # A lot of salt takes one unit of ore, 40, and half of the fee; what cells leave for it is 10 000 / 160.
    assert by_product == pytest.approx({"ore": 40, "cell": 10_000, "salt": np.median([50, 62.5])})


def test_a_loop_that_nobody_prices_is_cleared_beside_a_dear_product() -> None:
    """Salt is wanted at 43 million; cells, which nobody prices, are made of it and would make it."""
    buyer = buy("b", [5, 0, 6], ["43000000"] * 3, product="salt", min_term=2)
    loop = (conversion("c", "salt", "cell", "2", "0"), conversion("d", "cell", "salt", "0.001", "0"))
    market = snapshot(buyer, conversions=tuple(replace(one, capacity=(2,) * 3, fee=(Decimal(0),) * 3) for one in loop))
    assert run(market).certificate.holds


def test_an_offer_of_some_lots_is_filled_in_part_beside_millions_of_them() -> None:
    """The lot that is left of the small one is less than what counts as scarce beside the large ones."""
    market = snapshot(
        sell("s", [3], "40"),
        buy("b", [2], "50"),
        sell("large s", [60_000_000], "50", region="south"),
        buy("large b", [20_000_000], "60", region="south"),
    )
    answer = run(market)
    assert answer.certificate.holds
    assert {contract.seller: contract.rate for contract in answer.contracts} == {"s": 2, "large s": 20_000_000}
