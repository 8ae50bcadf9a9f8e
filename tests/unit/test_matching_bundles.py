"""Bundles: what a conversion buys and makes in a period becomes effective together, and nothing beside it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from matching.answer import Contract
from matching.run import run
from matching.snapshot import Snapshot

from .market_checks import faults, filled_lots
from .markets import buy, markets, sell, snapshot
from .test_matching_cases import conversion

laws = settings(max_examples=40, derandomize=True)


@laws
@given(markets(chain=True))
def test_contracts_of_a_conversion_that_buys_share_a_bundle_and_others_stand_alone(market: Snapshot) -> None:
    contracts, names = run(market).contracts, {c.conversion for c in market.conversions}
    buying = {(c.buyer, t) for c in contracts if c.buyer in names for t in range(c.first, c.last + 1)}

    def ties(contract: Contract) -> set[tuple[str, int]]:
        ends, periods = (contract.seller, contract.buyer), range(contract.first, contract.last + 1)
        return {(end, t) for end in ends for t in periods} & buying

    for one in contracts:
        for other in contracts:
            if ties(one) & ties(other):
                assert one.bundle == other.bundle
        if not ties(one):
            assert [c.bundle for c in contracts].count(one.bundle) == 1


@laws
@given(markets(chain=True), st.data())
def test_without_a_bundle_every_other_keeps_all_that_it_needs(market: Snapshot, data: st.DataObject) -> None:
    """No conversion sells more than its inputs make once all contracts of a bundle are gone, and none is left with
    inputs that it would need no more."""
    contracts = run(market).contracts
    assume(contracts)
    gone = data.draw(st.sampled_from(sorted({contract.bundle for contract in contracts})))
    left = [contract for contract in contracts if contract.bundle != gone]
    assert faults(market, left) == []
    for contract in (c for c in left if c.buyer in {made.conversion for made in market.conversions}):
        before, after = (filled_lots(some, contract.buyer, len(market.horizon)) for some in (contracts, left))
        window = slice(contract.first, contract.last + 1)
        assert before[window] == after[window]


def test_what_is_made_of_own_stock_ties_nobody() -> None:
    """The works has stock for all of the salt in the first quarter and buys ore for the second."""
    works = conversion("c", "ore", "salt", "1", capacity=10)
    stocked = replace(works.inputs[0], own_stock=Decimal(3))
    works = replace(works, capacity=(6, 10), fee=(Decimal(1),) * 2, inputs=(stocked,))
    market = snapshot(
        sell("s", [0, 9], "10"),
        *(buy(f"b{at}", [2, 0], "100", product="salt") for at in range(3)),
        *(buy(f"d{at}", [0, 5], "100", product="salt") for at in range(2)),
        conversions=(works,),
    )
    bundles: dict[str, set[str]] = defaultdict(set)
    for contract in run(market).contracts:
        bundles[contract.bundle] |= {contract.seller, contract.buyer} - {"c"}
    assert sorted(map(sorted, bundles.values())) == [["b0"], ["b1"], ["b2"], ["d0", "d1", "s"]]
