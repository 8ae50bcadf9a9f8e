"""Names decide nothing: the same market under other labels, firms and row order has the same answer, lot for lot."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.periods import Horizon
from matching.run import run
from matching.snapshot import Conversion, ConversionInput, Grade, Offer, Side, Snapshot

from .market_changes import mixed
from .market_changes import renamed as relabelled
from .markets import FIRMS
from .test_matching_blocks import block_markets

PERIODS = 4


def crowded_market(seed: int) -> Snapshot:
    """Two products tied by conversions, prices on a coarse grid so that many offers tie."""
    draw = random.Random(seed)
    regions = ("north", "south")

    def offer(number: int, side: Side, product: str, price: int) -> Offer:
        first = draw.randrange(PERIODS - 1)
        quantity = draw.randint(3, 30)
        return Offer(
            offer=f"offer {number}",
            side=side,
            firm=f"firm {number % 11}",
            product=product,
            grade="g",
            region=draw.choice(regions),
            quantity=tuple(quantity if period >= first else 0 for period in range(PERIODS)),
            price=(Decimal(price + 1000 * draw.randrange(3)),) * PERIODS,
            min_term=draw.choice((1, 2)),
            max_share=Decimal("0.6") if side is Side.BUY and draw.random() < 0.3 else None,
        )

    offers = [offer(n, Side.SELL, "carbonate", 60_000) for n in range(10)]
    offers += [offer(n, Side.BUY, "carbonate", 61_000) for n in range(10, 18)]
    offers += [offer(n, Side.SELL, "cathode", 26_000) for n in range(18, 24)]
    offers += [offer(n, Side.BUY, "cathode", 27_000) for n in range(24, 36)]
    conversions = tuple(
        Conversion(
            conversion=f"conversion {number}",
            firm=f"maker {number}",
            region=draw.choice(regions),
            product="cathode",
            grade="g",
            capacity=(draw.randint(20, 60),) * PERIODS,
            fee=(Decimal(9_000),) * PERIODS,
            inputs=(ConversionInput(product="carbonate", grade="g", quantity_per_output=Decimal("0.234")),),
        )
        for number in range(3)
    )
    return Snapshot(
        horizon=Horizon.parse([f"2027-Q{quarter}" for quarter in range(1, PERIODS + 1)]),
        grades=tuple(Grade(product=p, grade="g", rank=1, lot=Decimal(1), unit="t") for p in ("carbonate", "cathode")),
        offers=tuple(offers),
        conversions=conversions,
        freight={("*", "north", "south"): Decimal(150), ("*", "south", "north"): Decimal(150)},
    )


def renamed(snapshot: Snapshot, seed: int) -> tuple[Snapshot, dict[str, str]]:
    """The market with drawn labels and firm names and its rows shuffled; and the way back."""
    draw = random.Random(seed)
    labels = [offer.offer for offer in snapshot.offers] + [c.conversion for c in snapshot.conversions]
    firms = sorted({offer.firm for offer in snapshot.offers} | {c.firm for c in snapshot.conversions})
    new = {name: f"{draw.random():.12f}" for name in labels + firms}
    offers = [replace(o, offer=new[o.offer], firm=new[o.firm]) for o in snapshot.offers]
    conversions = [replace(c, conversion=new[c.conversion], firm=new[c.firm]) for c in snapshot.conversions]
    draw.shuffle(offers)
    draw.shuffle(conversions)
    other = replace(snapshot, offers=tuple(offers), conversions=tuple(conversions))
    return other, {name: label for label, name in new.items()}


@pytest.mark.parametrize("seed", range(4))
def test_names_and_order_decide_nothing(seed: int) -> None:
    snapshot = crowded_market(seed)
    answer = run(snapshot)
    assert len(answer.contracts) > 10
    other, back = renamed(snapshot, seed)
    again = run(other)
    assert again.certificate.welfare == answer.certificate.welfare
    assert {(back[c.seller], back[c.buyer], c.first, c.last, c.rate, c.price_ex_works) for c in again.contracts} == {
        (c.seller, c.buyer, c.first, c.last, c.rate, c.price_ex_works) for c in answer.contracts
    }
    assert {(back[r.offer], r.filled, r.reason, r.distance) for r in again.results} == {
        (r.offer, r.filled, r.reason, r.distance) for r in answer.results
    }


@settings(max_examples=15, derandomize=True)
@given(block_markets(), st.randoms(use_true_random=False))
def test_among_block_terms_names_and_order_decide_nothing_either(market: Snapshot, drawn: random.Random) -> None:
    answer = run(market)
    turned = replace(market, offers=mixed(market.offers, drawn), corridors=mixed(market.corridors, drawn))
    again = run(turned)
    assert (again.contracts, again.results, again.prices) == (answer.contracts, answer.results, answer.prices)
    names = sorted({offer.offer for offer in market.offers} | set(FIRMS))
    new = dict(zip(names, (f"{at:02d}" for at in drawn.sample(range(len(names)), len(names))), strict=True))
    other = run(relabelled(market, lambda name: new.get(name, name)))
    assert other.certificate.welfare == answer.certificate.welfare
    assert {(r.offer, r.filled, r.reason, r.distance) for r in other.results} == {
        (new[r.offer], r.filled, r.reason, r.distance) for r in answer.results
    }
    assert {(c.seller, c.buyer, c.first, c.last, c.rate, c.price_ex_works) for c in other.contracts} == {
        (new[c.seller], new[c.buyer], c.first, c.last, c.rate, c.price_ex_works) for c in answer.contracts
    }
