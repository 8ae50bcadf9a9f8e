"""The search for what to leave out and to raise: what found markets broke, whole lots at any size, windows that are
closed."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from matching.block_choice import Choice, SearchLimits
from matching.block_rest import LeftOut
from matching.block_search import Search
from matching.block_terms import Trade, breaches, read_terms
from matching.blocks import block_faults
from matching.building import build
from matching.clearing import clear
from matching.engine import WarmEngine
from matching.lanes import find_lanes
from matching.pricing import Candidates
from matching.program import Program
from matching.rounds import Cleared
from matching.run import run
from matching.snapshot import Corridor, Snapshot

from .market_checks import faults
from .markets import buy, sell, snapshot

FREIGHT = {("*", "south", "north"): Decimal(1), ("*", "south", "south"): Decimal(1)}


def cleared(market: Snapshot) -> Cleared:
    arrays = build(market)
    return clear(arrays, find_lanes(arrays), WarmEngine)


def begun(market: Snapshot) -> Cleared:
    """A market before any candidate has been generated."""
    arrays = build(market)
    program = Program(arrays, find_lanes(arrays), WarmEngine)
    point = program.face.maximise(program.welfare)
    return Cleared(program=program, point=point, duals=program.duals(point.duals), rounds=0)


# Offers that others depend on


def test_what_is_raised_in_one_round_has_room_together() -> None:
    """Each of two offers would have the one it depends on raised, beside a minimum rate; there is room for one."""
    market = snapshot(
        sell("s0", [5], "52.5", firm="Dora", all_or_none=True, region="south", most_contracts=1, only_with="b1"),
        sell("s1", [1], "40", firm="Caro", region="south", only_with="s0"),
        sell("s2", [5], "50", firm="Fritz", region="south", min_rate=2, only_with="b1"),
        sell("s3", [2], "50", firm="Caro", region="south", all_or_none=True),
        buy("b0", [1], "50", firm="Caro", region="south", all_or_none=True, most_contracts=2),
        buy("b1", [5], "60", firm="Dora", min_rate=4, most_contracts=2, only_with="s3"),
        freight=FREIGHT,
    )
    answer = run(market)
    assert answer.certificate.holds
    assert (faults(market, answer.contracts), list(block_faults(market, answer.contracts))) == ([], [])


def test_a_raised_contract_that_loses_trades_on_as_it_may() -> None:
    """s0 would sell a lot to b1 below its price, for the sake of b0; b1 may not pay that, and nothing else is barred:
    the market that is left has prices."""
    market = snapshot(
        sell("s0", [2], "37.5", only_with="b0"),
        buy("b0", [2], "90", only_with="b1"),
        buy("b1", [6], "40"),
    )
    answer = run(market)
    assert answer.certificate.holds
    assert answer.contracts == ()


def test_what_is_left_out_by_name_is_no_gain_to_the_offers_at_its_ends() -> None:
    market = snapshot(
        sell("s1", [95], "50"), sell("s2", [60], "69", min_rate=50), buy("b", [100], "70"), sell("s3", [9], "99")
    )
    start = cleared(market)
    choice = Choice(start, read_terms(start.program.market), SearchLimits(seconds=0.0))
    name = LeftOut(candidates=choice.kept.left_out.candidates)
    (party,) = np.flatnonzero(np.array(start.program.market.sellers.label) == "s2").tolist()
    beside = LeftOut(parties=frozenset([party]))
    assert len(name.candidates) == 1
    # At the answer's prices b pays 70: a contract with s2 gains 1 a lot, and s2 has no other.
    assert [gain > 0 for _, gain in choice._gains(name)] == [True]
    assert {one: gain > 0 for one, gain in choice._gains(name | beside)} == {beside: False, name: True}


# Windows


def closed_at_first() -> Snapshot:
    """Ore may go south from the second period on; the two windows are both periods and the second alone."""
    quota = Corridor(product="ore", origin="north", destination="south", position=0, limit=Decimal(0))
    return snapshot(
        sell("s", [5, 5], "50"),
        sell("t", [5, 5], "99", min_rate=2),
        buy("b", [5, 5], "60", region="south"),
        freight={("*", "north", "south"): Decimal(1)},
        corridors=(quota,),
        windows=((0, 1), (1, 1)),
    )


def test_an_offer_without_room_in_its_best_window_trades_in_another() -> None:
    """Nothing trades in the closed window, so nothing gives the quota a price there, and it looks best for ever."""
    market = closed_at_first()
    start = begun(market)
    search = Search(start, read_terms(start.program.market))
    kept = search.without_breach(LeftOut())
    assert kept is not None
    rates = search.program.rates(kept.point.variables)
    assert rates[search.program.candidates.window[: len(rates)] == 1].tolist() == [5.0]
    assert {(c.seller, c.buyer, c.first, c.last, c.rate) for c in run(market).contracts} == {("s", "b", 1, 1, 5)}


# Whole lots


def rated(market: Snapshot, *rates: float, residue: float) -> Trade:
    """Rates of the lanes of a market of one period, of which so much is a solver's nothing."""
    arrays = build(market)
    lanes = find_lanes(arrays)
    every = np.arange(len(lanes))
    found = Candidates(lane=every, window=np.zeros_like(every))
    return Trade(arrays, lanes, found, np.array(rates), np.full(len(rates), residue))


def test_one_lot_too_few_of_ten_million_is_a_breach_and_a_residue_is_none() -> None:
    most = 10_000_000
    for term, asked in (({"min_rate": most}, most), ({"all_or_none": True}, most)):
        market = snapshot(sell("s", [most], "50", **term), buy("b", [most], "60"))
        terms = read_terms(build(market))
        assert breaches(terms, rated(market, asked - 1, residue=0.0))
        assert breaches(terms, rated(market, asked - 1, residue=3.0))
        assert not breaches(terms, rated(market, asked - 0.02, residue=0.03))
        assert breaches(terms, rated(market, asked - 0.2, residue=0.03))
        assert not breaches(terms, rated(market, asked, residue=0.0))


def test_a_parent_short_of_its_lot_by_a_residue_trades() -> None:
    market = snapshot(sell("s", [9], "50", only_with="t"), sell("t", [9], "50"), buy("b", [9], "60"))
    terms = read_terms(build(market))
    assert not breaches(terms, rated(market, 5, 1 - 2e-5, residue=1e-4))
    assert breaches(terms, rated(market, 5, 0.9, residue=1e-4))


def test_terms_are_kept_to_the_lot_where_lots_are_tiny() -> None:
    market = snapshot(
        sell("s1", [9_999_999], "50", min_rate=9_999_997),
        sell("s2", [20_000_000], "51"),
        buy("b1", [9_999_998], "70", all_or_none=True),
        buy("b2", [15_000_001], "69", all_or_none=True),
    )
    answer = run(market)
    assert answer.certificate.holds
    assert (faults(market, answer.contracts), list(block_faults(market, answer.contracts))) == ([], [])
