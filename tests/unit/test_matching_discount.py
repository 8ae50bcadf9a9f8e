"""Later periods discounted: welfare, prices and distances count money at what it is worth in the first period."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.errors import InvalidValue
from matching.__main__ import main
from matching.accounts import mean_price
from matching.answer import PRICE_STEP, Answer
from matching.run import run
from matching.scenarios import surpluses
from matching.snapshot import Side, Snapshot
from matching.snapshot_files import read_snapshot, write_snapshot

from .market_oracle import Oracle
from .markets import buy, markets, sell, snapshot

HALF = (Decimal(1), Decimal("0.5"))


def locked(answer: Answer) -> dict[str, Decimal]:
    return {contract.seller: contract.price_ex_works for contract in answer.contracts}


def test_a_mean_counts_each_period_as_its_money_is_worth() -> None:
    """(50 + 0.5 x 80) / 1.5 = 60, not 65; the buyer's two quarters cannot be had apart."""
    market = snapshot(sell("s", [20, 20], ["50", "80"]), buy("b", [10, 10], "90", min_term=2))
    assert locked(run(market)) == {"s": 65}
    answer = run(replace(market, discount=HALF))
    assert locked(answer) == {"s": 60}
    assert answer.certificate.welfare == 10 * (90 - 50) + Decimal("0.5") * 10 * (90 - 80)
    assert answer.certificate.holds


def test_money_of_the_first_period_decides_who_is_taken() -> None:
    """Early gains 30 now and loses 10 later; late gains 25 in both, and is the better only if later counts in full."""
    early, late = sell("early", [10, 10], ["40", "60"]), sell("late", [10, 10], ["47", "50"])
    market = snapshot(early, late, buy("b", [10, 10], "70", min_term=2))
    assert locked(run(market)).keys() == {"late"}
    assert locked(run(replace(market, discount=HALF))).keys() == {"early"}


def test_freight_is_paid_in_each_period_s_money() -> None:
    market = snapshot(
        sell("s", [10, 10], "50"),
        buy("b", [10, 10], "70", region="south", min_term=2),
        freight={("*", "north", "south"): Decimal(8)},
        discount=HALF,
    )
    answer = run(market)
    assert answer.certificate.welfare == Decimal(10 * 12) * Decimal("1.5")
    assert locked(answer) == {"s": 56}


def test_factors_of_one_change_nothing() -> None:
    market = snapshot(sell("s", [20, 9], ["50", "55"]), sell("t", [5, 5], "52"), buy("b", [20, 10], "70"))
    plain, ones = run(market), run(replace(market, discount=(Decimal(1), Decimal(1))))
    assert (plain.contracts, plain.results, plain.prices) == (ones.contracts, ones.results, ones.prices)


discounted = st.one_of(markets(), markets(chain=True)).filter(lambda market: bool(market.discount))


@settings(max_examples=40, derandomize=True)
@given(discounted)
def test_a_discounted_market_is_cleared_to_its_optimum_and_prices_lie_between_ask_and_bid(market: Snapshot) -> None:
    answer = run(market)
    assert answer.certificate.holds
    assert float(answer.certificate.dual_bound) == pytest.approx(Oracle(market).welfare, rel=1e-6, abs=0.02)
    offers = {offer.offer: offer for offer in market.offers}
    for contract in answer.contracts:
        for label, price, side in (
            (contract.seller, contract.price_ex_works, Side.SELL),
            (contract.buyer, contract.price_delivered, Side.BUY),
        ):
            if label in offers:
                own = mean_price(market, offers[label].price, contract.first, contract.last)
                gain = Fraction(price) - own if side is Side.SELL else own - Fraction(price)
                assert gain >= -Fraction(PRICE_STEP) / 2


@settings(max_examples=30, derandomize=True)
@given(markets().filter(lambda market: bool(market.discount)))
def test_what_all_firms_gain_is_the_welfare(market: Snapshot) -> None:
    answer = run(market)
    gained = sum(surpluses(market, answer).values(), Decimal(0))
    assert float(gained) == pytest.approx(float(answer.certificate.welfare), abs=0.1, rel=1e-6)


def test_factors_are_read_as_they_are_written_and_verified(tmp_path: Path) -> None:
    market = snapshot(sell("s", [20, 20], ["50", "80"]), buy("b", [10, 10], "90"), discount=HALF)
    write_snapshot(market, tmp_path / "in")
    assert read_snapshot(tmp_path / "in").digest() == market.digest() != replace(market, discount=()).digest()
    assert main([str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert main(["verify", str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    periods = (tmp_path / "in" / "periods.csv").read_text(encoding="utf-8")
    (tmp_path / "in" / "periods.csv").write_text(periods.replace("0.5", "0.6"), encoding="utf-8")
    assert main(["verify", str(tmp_path / "in"), str(tmp_path / "out")]) == 1


@pytest.mark.parametrize("factor", ["0", "1.01", "-1", "x"])
def test_a_factor_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], factor: str) -> None:
    write_snapshot(snapshot(sell("s", [20], "50"), buy("b", [10], "90")), tmp_path)
    (tmp_path / "periods.csv").write_text(f"period,months,discount\n2027-Q1,3,{factor}\n", encoding="utf-8")
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "periods.csv, row 2, column discount" in capsys.readouterr().err


@pytest.mark.parametrize("factors", [(Decimal(1),), (Decimal(1), Decimal(0)), (Decimal(2), Decimal(1))])
def test_a_snapshot_refuses_factors_that_are_none(factors: tuple[Decimal, ...]) -> None:
    with pytest.raises(InvalidValue, match="discount"):
        snapshot(sell("s", [20, 20], "50"), buy("b", [10, 10], "90"), discount=factors)
