"""Block terms: minimum rate, all-or-none and exclusive groups are kept, and whom they cost a contract is told so."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.blocks import measure
from benchmarks.instances import Case
from matching.answer import Answer, Reason
from matching.block_choice import SearchLimits
from matching.blocks import block_faults
from matching.run import run
from matching.snapshot import Offer, Snapshot

from .block_oracle import BlockOracle
from .market_checks import faults
from .market_oracle import Oracle
from .markets import buy, markets, sell, snapshot


def result_of(answer: Answer) -> dict[str, tuple[tuple[int, ...], Reason]]:
    return {result.offer: (result.filled, result.reason) for result in answer.results}


def test_a_minimum_rate_is_kept_by_the_larger_seller() -> None:
    market = snapshot(sell("s1", [60], "50"), sell("s2", [30], "50"), buy("b", [60], "70", min_rate=50))
    answer = run(market)
    assert [(c.seller, c.rate) for c in answer.contracts] == [("s1", 60)]


def test_a_minimum_rate_that_nobody_can_meet_is_told_as_paradoxical() -> None:
    market = snapshot(sell("s1", [30], "50"), sell("s2", [30], "50"), buy("b", [60], "70", min_rate=50))
    answer = run(market)
    assert answer.contracts == ()
    assert result_of(answer)["b"] == ((0,), Reason.PARADOXICALLY_REJECTED)


def test_all_or_none_is_all() -> None:
    market = snapshot(sell("s1", [50], "50", all_or_none=True), sell("s2", [50], "60"), buy("b", [80], "70"))
    assert result_of(run(market)) == {
        "s1": ((50,), Reason.MATCHED),
        "s2": ((30,), Reason.MATCHED),
        "b": ((80,), Reason.MATCHED),
    }


def test_all_or_none_is_none_where_no_window_ends_as_its_quantity_changes() -> None:
    windows = ((0, 3), (0, 1), (2, 3))
    for quantity, taken in (([5, 5, 5, 5], True), ([5, 5, 4, 4], True), ([5, 4, 4, 4], False)):
        market = snapshot(sell("s", quantity, "50", all_or_none=True), buy("b", [9] * 4, "70"), windows=windows)
        filled = tuple(quantity) if taken else (0, 0, 0, 0)
        assert result_of(run(market))["s"][0] == filled


def test_all_or_none_is_none_where_there_is_no_taker_for_all() -> None:
    answer = run(snapshot(sell("s1", [50], "50", all_or_none=True), sell("s2", [50], "60"), buy("b", [40], "70")))
    assert result_of(answer) == {
        "s1": ((0,), Reason.PARADOXICALLY_REJECTED),
        "s2": ((40,), Reason.MATCHED),
        "b": ((40,), Reason.MATCHED),
    }
    assert answer.certificate.uncertified == ("s1",)


def test_of_an_exclusive_group_one_is_taken() -> None:
    market = snapshot(
        sell("s1", [50], "50", firm="Ada", group="tender"),
        sell("s2", [30], "50", firm="Ada", group="tender"),
        sell("s3", [10], "50", firm="Bela", group="tender"),
        buy("b", [100], "70"),
    )
    assert result_of(run(market)) == {
        "s1": ((50,), Reason.MATCHED),
        "s2": ((0,), Reason.PARADOXICALLY_REJECTED),
        "s3": ((10,), Reason.MATCHED),
        "b": ((60,), Reason.MATCHED),
    }


def contracts_of(answer: Answer) -> list[tuple[str, str, int, str]]:
    return [(c.seller, c.buyer, c.rate, str(c.price_ex_works)) for c in answer.contracts]


def test_a_contract_below_its_minimum_rate_is_raised_to_it() -> None:
    market = snapshot(sell("s1", [95], "50"), sell("s2", [60], "51", min_rate=10), buy("b", [100], "70"))
    answer = run(market)
    # Five lots of s1 are left over, so it sells at its ask; s2 sells its minimum at its own.
    assert contracts_of(answer) == [("s1", "b", 90, "50.0000"), ("s2", "b", 10, "51.0000")]
    assert answer.certificate.holds


def test_a_contract_below_its_minimum_rate_is_dropped_where_raising_it_costs_more() -> None:
    market = snapshot(sell("s1", [95], "50"), sell("s2", [60], "69", min_rate=50), buy("b", [100], "70"))
    answer = run(market)
    assert contracts_of(answer) == [("s1", "b", 95, "70.0000")]
    assert result_of(answer)["s2"] == ((0,), Reason.PARADOXICALLY_REJECTED)


def test_an_offer_that_another_depends_on_trades_a_lot_for_it() -> None:
    market = snapshot(
        sell("s1", [95], "50"), sell("s2", [60], "51", only_with="s3"), sell("s3", [5], "60"), buy("b", [100], "70")
    )
    assert contracts_of(run(market)) == [
        ("s1", "b", 95, "51.0000"),
        ("s2", "b", 4, "51.0000"),
        ("s3", "b", 1, "60.0000"),
    ]


def test_minimum_rates_at_size_come_near_the_bound_at_once() -> None:
    found = measure(Case(offers=600, lanes=6_000, products=3, min_rates=0.5), seconds=0.0)
    assert found.first_found == found.found
    assert 0.99 * found.bound < found.found <= found.bound <= found.divisible


@st.composite
def block_markets(draw: st.DrawFn) -> Snapshot:
    market = draw(markets(rules=False))

    def termed(offer: Offer) -> Offer:
        return replace(
            offer,
            min_rate=draw(st.sampled_from((0, 0, 2, 4))),
            all_or_none=draw(st.sampled_from((False, False, True))),
            group=draw(st.sampled_from(("", "", "tender"))),
            most_contracts=draw(st.sampled_from((None, None, 1, 2))),
            only_with=draw(st.sampled_from((None, None, None, *sorted(others - {offer.offer})))),
        )

    others = {offer.offer for offer in market.offers}
    return replace(market, offers=tuple(termed(offer) for offer in market.offers), commitments=())


@settings(max_examples=60, derandomize=True)
@given(block_markets())
def test_block_terms_are_always_kept(market: Snapshot) -> None:
    answer = run(market)
    offers = {offer.offer: offer for offer in market.offers}
    assert faults(market, answer.contracts) == []
    assert answer.certificate.holds
    for contract in answer.contracts:
        assert contract.rate >= max(offers[contract.seller].min_rate, offers[contract.buyer].min_rate)
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    for result in answer.results:
        offer = offers[result.offer]
        if any(result.filled):
            groups[offer.firm, offer.group].add(offer.offer)
            assert not offer.all_or_none or result.filled == offer.quantity
    assert all(len(taken) == 1 for (_, group), taken in groups.items() if group)
    assert set(answer.certificate.uncertified) == {
        o.offer
        for o in market.offers
        if o.min_rate > 1 or o.all_or_none or o.group or o.most_contracts is not None or o.only_with is not None
    }


@settings(max_examples=30, derandomize=True)
@given(block_markets())
def test_whoever_has_a_lane_is_never_told_that_there_is_none(market: Snapshot) -> None:
    candidates = Oracle(market).candidates
    sides = {c.seller for c in candidates} | {c.buyer for c in candidates}
    for result in run(market).results:
        assert (result.reason is Reason.NO_ELIGIBLE_LANE) == (result.offer not in sides)


CENT = 0.01  # welfare is told in whole cents
TERMS: dict[str, st.SearchStrategy[object]] = {
    "min_rate": st.sampled_from((0, 2, 4)),
    "all_or_none": st.booleans(),
    "group": st.sampled_from(("", "tender", "other")),
    "most_contracts": st.sampled_from((None, 0, 1, 2)),
    "only_with": st.just(None),
}


@st.composite
def markets_with_one_term(draw: st.DrawFn, term: str) -> Snapshot:
    """Markets whose offers ask for one kind of block term and no other."""
    market = draw(markets(rules=False, limits=False))
    labels = sorted(offer.offer for offer in market.offers)

    def termed(offer: Offer) -> Offer:
        if term == "only_with":
            others = [label for label in labels if label != offer.offer]
            return replace(offer, only_with=draw(st.sampled_from((None, *others))))
        return replace(offer, **{term: draw(TERMS[term])})  # type: ignore[arg-type]

    return replace(market, offers=tuple(termed(offer) for offer in market.offers))


@pytest.mark.parametrize("term", TERMS)
def test_each_term_alone_is_kept_and_nearly_always_costs_no_more_than_it_must(term: str) -> None:
    reached = []

    @settings(max_examples=20, derandomize=True, database=None)
    @given(markets_with_one_term(term))
    def compare(market: Snapshot) -> None:
        answer, best = run(market), BlockOracle(Oracle(market)).best()
        assert (answer.certificate.holds, faults(market, answer.contracts)) == (True, [])
        assert list(block_faults(market, answer.contracts)) == []
        welfare = float(answer.certificate.welfare)
        assert welfare <= best + CENT + 1e-6 * best
        reached.append(welfare >= best - CENT - 1e-6 * best)

    compare()
    assert sum(reached) >= 0.9 * len(reached) >= 15


@settings(max_examples=30, derandomize=True)
@given(block_markets())
def test_without_any_time_to_search_there_is_still_an_answer_from_which_nobody_loses(market: Snapshot) -> None:
    answer = run(market, limits=SearchLimits(seconds=0.0))
    assert answer.certificate.holds
    assert faults(market, answer.contracts) == []
    assert list(block_faults(market, answer.contracts)) == []


@settings(max_examples=20, derandomize=True)
@given(block_markets())
def test_what_block_terms_cost_is_told_against_the_divisible_optimum(market: Snapshot) -> None:
    certificate = run(market, limits=SearchLimits(seconds=0.0)).certificate
    told = float(certificate.welfare + certificate.rounding_loss)
    assert told == pytest.approx(Oracle(market).welfare, rel=1e-6, abs=2 * CENT)


def test_nearly_every_tiny_market_gets_the_best_of_all_answers() -> None:
    """The best is worked out without prices; where no prices would let everybody gain from it, less is right."""
    reached = []

    @settings(max_examples=60, derandomize=True, database=None)
    @given(block_markets())
    def compare(market: Snapshot) -> None:
        best, welfare = BlockOracle(Oracle(market)).best(), float(run(market).certificate.welfare)
        assert welfare <= best + CENT + 1e-6 * best
        reached.append(welfare >= best - CENT - 1e-6 * best)

    compare()
    assert sum(reached) >= 0.95 * len(reached) > 50
