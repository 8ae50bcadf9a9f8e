"""What-if copies and criticality: against clearing the changed market from scratch."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from market.errors import InvalidValue
from market.periods import Horizon
from matching.criticality import criticality
from matching.run import run
from matching.scenarios import (
    difference,
    mean_prices,
    met,
    surpluses,
    with_price,
    with_price_factor,
    with_quantity,
    with_quota,
    without_firm,
)
from matching.snapshot import Conversion, ConversionInput, Corridor, Grade, Offer, Side, Snapshot

CARBONATE, CATHODE = "lithium_carbonate", "cathode_LFP"


def offer(label: str, side: Side, product: str, quantity: int, price: int) -> Offer:
    return Offer(
        offer=label,
        side=side,
        firm=f"firm {label}",
        product=product,
        grade="g",
        region="north" if side is Side.SELL else "south",
        quantity=(quantity, quantity),
        price=(Decimal(price), Decimal(price)),
    )


@pytest.fixture
def chain() -> Snapshot:
    """Two carbonate sellers, one cathode maker, two cathode buyers, and carbonate sold on its own."""
    return Snapshot(
        horizon=Horizon.parse(["2027-Q1", "2027-Q2"]),
        grades=tuple(Grade(product=p, grade="g", rank=1, lot=Decimal(1), unit="t") for p in (CARBONATE, CATHODE)),
        offers=(
            offer("S1", Side.SELL, CARBONATE, 30, 50_000),
            offer("S2", Side.SELL, CARBONATE, 30, 58_000),
            offer("B1", Side.BUY, CATHODE, 100, 30_000),
            offer("B2", Side.BUY, CATHODE, 80, 27_000),
            offer("B3", Side.BUY, CARBONATE, 10, 60_000),
        ),
        conversions=(
            Conversion(
                conversion="K",
                firm="firm K",
                region="north",
                product=CATHODE,
                grade="g",
                capacity=(150, 150),
                fee=(Decimal(8_000), Decimal(8_000)),
                inputs=(ConversionInput(product=CARBONATE, grade="g", quantity_per_output=Decimal("0.25")),),
            ),
        ),
        freight={("*", "north", "south"): Decimal(100)},
    )


def test_criticality_is_the_welfare_lost_by_a_clearing_without_the_firm(chain: Snapshot) -> None:
    whole = float(run(chain).certificate.dual_bound)
    ranked = criticality(chain, 10)
    assert {missed.firm for missed in ranked} == {f"firm {name}" for name in ("S1", "S2", "B1", "B2", "B3", "K")}
    for missed in ranked:
        left = float(run(without_firm(chain, missed.firm)).certificate.dual_bound)
        assert missed.welfare_lost == pytest.approx(whole - left, rel=1e-7, abs=0.01)
    assert [missed.welfare_lost for missed in ranked] == sorted((m.welfare_lost for m in ranked), reverse=True)


def test_without_the_converter_all_its_cathode_is_lost(chain: Snapshot) -> None:
    lost = next(missed for missed in criticality(chain, 10) if missed.firm == "firm K").volume_lost
    made = sum(c.rate * (c.last - c.first + 1) for c in run(chain).contracts if c.seller == "K")
    assert lost[CATHODE] == pytest.approx(made)


def test_a_quota_costs_welfare_and_names_the_products_that_shrink(chain: Snapshot) -> None:
    quota = Corridor(product=CATHODE, origin="north", destination="south", position=None, limit=Decimal(40))
    tight = with_quota(chain, quota)
    change = difference((chain, run(chain)), (tight, run(tight)))
    assert change.welfare < 0
    assert change.volume[CATHODE] == 2 * 40 - 2 * 150
    assert change.volume[CARBONATE] == 2 * 10 - 2 * 38  # 37.5 t for 150 t of cathode, in whole lots
    assert change.traded_value["firm K"] < 0


def test_half_an_offer_and_a_moved_price_are_cleared_as_written(chain: Snapshot) -> None:
    half = with_quantity(chain, "S1", Fraction(1, 2))
    assert next(o for o in half.offers if o.offer == "S1").quantity == (15, 15)
    dear = with_price(chain, "K", Decimal(5_000))
    assert dear.conversions[0].fee == (Decimal(13_000), Decimal(13_000))
    change = difference((chain, run(chain)), (dear, run(dear)))
    assert change.welfare < 0
    assert difference((chain, run(chain)), (chain, run(chain))).volume == {}


@pytest.mark.parametrize("changed", [lambda s: without_firm(s, "nobody"), lambda s: with_price(s, "X", Decimal(1))])
def test_what_is_not_there_is_named(chain: Snapshot, changed: object) -> None:
    assert callable(changed)
    with pytest.raises(InvalidValue, match=r"nobody|X"):
        changed(chain)


def test_several_offers_change_at_once_and_a_firm_goes_under_all_its_names(chain: Snapshot) -> None:
    half = with_quantity(chain, {"S1", "K"}, Fraction(1, 2))
    assert [offer.quantity for offer in half.offers if offer.offer.startswith("S")] == [(15, 15), (30, 30)]
    assert half.conversions[0].capacity == (75, 75)
    dear = with_price_factor(chain, {"S1", "S2"}, Decimal("1.1"))
    assert [offer.price[0] for offer in dear.offers if offer.side is Side.SELL] == [55_000, 63_800]
    alone = without_firm(chain, "firm S1", "firm S2")
    assert {offer.offer for offer in alone.offers} == {"B1", "B2", "B3"}
    for changed in (lambda: with_quantity(chain, (), Fraction(1)), lambda: with_price_factor(chain, "S1", Decimal(-1))):
        with pytest.raises(InvalidValue):
            changed()


def test_what_all_firms_gain_is_the_welfare(chain: Snapshot) -> None:
    """Nothing is lost between them but the parts of lots that conversions leave over."""
    answer = run(chain)
    left_over = 2 * Decimal("0.5") * 58_000  # half a tonne of carbonate in each quarter, at what it may cost
    total = sum(surpluses(chain, answer).values(), Decimal(0))
    assert answer.certificate.welfare - left_over <= total <= answer.certificate.welfare + Decimal("0.05")
    assert all(gain >= -left_over for gain in surpluses(chain, answer).values())


def test_a_dearer_input_moves_surplus_and_met_demand(chain: Snapshot) -> None:
    dear = with_price_factor(chain, {"S1", "S2"}, Decimal("1.3"))
    change = difference((chain, run(chain)), (dear, run(dear)))
    assert change.surplus["firm K"] < 0
    assert met(chain, run(chain)) == {CATHODE: 300, CARBONATE: 20}


def test_a_firm_that_bears_several_names_is_missed_under_all_of_them(chain: Snapshot) -> None:
    whole = float(run(chain).certificate.dual_bound)
    ranked = {missed.firm: missed for missed in criticality(chain, 10, owner=lambda name: name.replace("S2", "S1"))}
    assert "firm S2" not in ranked
    left = float(run(without_firm(chain, "firm S1", "firm S2")).certificate.dual_bound)
    assert ranked["firm S1"].welfare_lost == pytest.approx(whole - left, rel=1e-7, abs=0.01)


def test_prices_of_a_difference_are_those_that_are_paid(chain: Snapshot) -> None:
    dear = with_price_factor(chain, {"S1", "S2"}, Decimal("1.03"))
    base, other = (chain, run(chain)), (dear, run(dear))
    paid = [mean_prices(*cleared)[CARBONATE] for cleared in (base, other)]
    assert {c.price_ex_works for c in base[1].contracts if c.product == CARBONATE} == {paid[0]}
    assert difference(base, other).price[CARBONATE] == paid[1] - paid[0] > 0
