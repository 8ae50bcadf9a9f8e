"""The parts of the clearing alone: who may trade, what a window is worth, counting lots, the graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.errors import InvalidValue
from matching.building import build
from matching.graph import loops, reach, sub_markets, supply_graph, tiers
from matching.lanes import Lanes, Requirement, find_lanes, refusals
from matching.limits import KINDS, NO_FAMILY, LimitKind
from matching.pricing import Duals, Values, zero_duals
from matching.run import run
from matching.sides import Market
from matching.snapshot import Bound, Ceiling, Commitment, Conversion, ConversionInput, Corridor, Snapshot
from matching.tally import Tally

from .markets import buy, markets, sell, snapshot

ASSAY = {"assay": Bound.MIN, "moisture": Bound.MAX}


# Who may trade with whom


def refused(market: Snapshot) -> set[Requirement]:
    """What the one seller and the one buyer of a market fail."""
    arrays = build(market)
    tables = refusals(arrays, np.array([0]), np.array([0]))
    assert len(find_lanes(arrays)) == (0 if any(table.any() for table in tables.values()) else 1)
    return {requirement for requirement, table in tables.items() if table[0, 0]}


@pytest.mark.parametrize(
    ("seller", "buyer", "fails"),
    [
        ({"grade": "fine"}, {"grade": "plain"}, set()),
        ({"grade": "plain"}, {"grade": "fine"}, {Requirement.SPECIFICATION}),
        ({"specification": {"assay": Decimal("99.5")}}, {"specification": {"assay": Decimal("99.5")}}, set()),
        (
            {"specification": {"assay": Decimal("99.4")}},
            {"specification": {"assay": Decimal("99.5")}},
            {Requirement.SPECIFICATION},
        ),
        ({"specification": {"moisture": Decimal("0.1")}}, {"specification": {"moisture": Decimal("0.2")}}, set()),
        (
            {"specification": {"moisture": Decimal("0.3")}},
            {"specification": {"moisture": Decimal("0.2")}},
            {Requirement.SPECIFICATION},
        ),
        ({}, {"specification": {"assay": Decimal("99.5")}}, {Requirement.SPECIFICATION}),
        ({"certificates": {"iso": None}}, {"certificates": {"iso": None}}, set()),
        ({"certificates": {"iso": 0}}, {"certificates": {"iso": None}}, set()),
        # Valid when the contract begins is enough.
        ({"certificates": {"iso": 0}, "min_term": 2}, {"certificates": {"iso": None}}, set()),
        ({"certificates": {"other": None}}, {"certificates": {"iso": None}}, {Requirement.CERTIFICATE}),
        ({"firm": "Ada"}, {"approved_firms": frozenset({"Ada"})}, set()),
        ({"firm": "Ada"}, {"approved_firms": frozenset({"Bela"})}, {Requirement.EXCLUSION}),
        ({"firm": "Ada"}, {"approved_firms": frozenset()}, {Requirement.EXCLUSION}),
        ({"region": "north"}, {"region": "south"}, set()),
        ({"region": "south"}, {"region": "north"}, {Requirement.REGION}),
        ({"quantity": (1, 1, 0)}, {"quantity": (0, 1, 1)}, set()),
        ({"quantity": (1, 0, 0)}, {"quantity": (0, 1, 1)}, {Requirement.TERM}),
        ({"quantity": (1, 1, 0)}, {"quantity": (0, 1, 1), "min_term": 2}, {Requirement.TERM}),
        ({"max_term": 1}, {"min_term": 2}, {Requirement.TERM}),
        ({"max_term": 2}, {"min_term": 2}, set()),
        # Valid in the first period only, and nobody needs anything before the second.
        (
            {"certificates": {"iso": 0}},
            {"certificates": {"iso": None}, "quantity": (0, 1, 1)},
            {Requirement.TERM},
        ),
    ],
)
def test_a_pair_fails_what_it_does_not_meet(
    seller: dict[str, Any], buyer: dict[str, Any], fails: set[Requirement]
) -> None:
    market = snapshot(
        replace(sell("s", [1, 1, 1], "50"), **seller),
        replace(buy("b", [1, 1, 1], "60"), **buyer),
        attributes=ASSAY,
        freight={("*", "north", "south"): Decimal(1)},
    )
    assert refused(market) == fails


@pytest.mark.parametrize(
    ("pair", "fails"),
    [
        ({"Ada", "Bela"}, {Requirement.EXCLUSION}),
        ({"Ada", "Caro"}, set()),
        ({"Ada"}, set()),
    ],
)
def test_excluded_firms_never_trade(pair: set[str], fails: set[Requirement]) -> None:
    offers = sell("s", [1], "50", firm="Ada"), buy("b", [1], "60", firm="Bela")
    assert refused(snapshot(*offers, exclusions=frozenset({frozenset(pair)}))) == fails
    turned = replace(offers[0], firm="Bela"), replace(offers[1], firm="Ada")
    assert refused(snapshot(*turned, exclusions=frozenset({frozenset(pair)}))) == fails


def test_a_firm_excluded_from_itself_does_not_trade_with_itself() -> None:
    offers = sell("s", [1], "50", firm="Ada"), buy("b", [1], "60", firm="Ada")
    assert refused(snapshot(*offers)) == set()
    assert refused(snapshot(*offers, exclusions=frozenset({frozenset({"Ada"})}))) == {Requirement.EXCLUSION}


def test_freight_of_the_product_goes_before_freight_of_any() -> None:
    offers = sell("s", [1], "50"), buy("b", [1], "60", region="south")
    freight = {("*", "north", "south"): Decimal(9), ("ore", "north", "south"): Decimal(2)}
    assert find_lanes(build(snapshot(*offers, freight=freight))).freight.tolist() == [2.0]
    included = replace(offers[1], freight_included=True)
    assert find_lanes(build(snapshot(offers[0], included, freight=freight))).freight.tolist() == [0.0]


def test_shares_count_affiliates_as_one_and_what_is_promised() -> None:
    market = snapshot(
        sell("s1", [9], "50", firm="Ada"),
        sell("s2", [9], "50", firm="Bela"),
        sell("s3", [9], "50", firm="Caro"),
        buy("b", [9], "60", max_share=Decimal("0.5")),
        affiliates={"Ada": "house", "Bela": "house"},
        commitments=(Commitment(sell="s1", buy="b", quantity=(1,)),),
    )
    arrays = build(market)
    lanes = find_lanes(arrays)
    share = {arrays.sellers.label[i]: int(f) for i, f in zip(lanes.seller, lanes.family[:, 0], strict=True)}
    assert share["s1"] == share["s2"] != share["s3"]
    # Half of 9 lots is 4 whole ones, of which the house has promised one.
    assert [int(lanes.families[share[name]].limit[0]) for name in ("s1", "s3")] == [3, 4]
    assert (lanes.family[:, KINDS.index(LimitKind.CORRIDOR)] == NO_FAMILY).all()
    answer = run(market)
    assert {r.offer: r.filled for r in answer.results} == {"b": (7,), "s1": (2,), "s2": (1,), "s3": (4,)} or {
        r.offer: r.filled for r in answer.results
    } == {"b": (7,), "s1": (1,), "s2": (2,), "s3": (4,)}


def test_corridors_count_whole_lots_and_what_is_promised() -> None:
    market = snapshot(
        sell("s1", [9, 9], "50"),
        buy("b1", [9, 9], "60", region="south"),
        freight={("*", "north", "south"): Decimal(1)},
        corridors=(
            Corridor(product="ore", origin="north", destination="south", position=None, limit=Decimal("7.5")),
            Corridor(product="ore", origin="north", destination="south", position=1, limit=Decimal(5)),
        ),
        commitments=(Commitment(sell="s1", buy="b1", quantity=(2, 2)),),
    )
    (family,) = find_lanes(build(market)).families
    assert family.limit.tolist() == [5, 3]
    # A split corridor in one window of each, as the limits leave it.
    assert {r.offer: r.filled for r in run(market).results} == {"b1": (5, 3), "s1": (5, 3)}


def test_a_ceiling_holds_over_all_demands_of_a_product() -> None:
    market = snapshot(
        sell("s1", [20], "50", firm="Ada"),
        sell("s2", [20], "50", firm="Bela"),
        sell("s3", [20], "55", firm="Caro"),
        buy("b1", [9], "60"),
        buy("b2", [12], "60"),
        affiliates={"Ada": "house", "Bela": "house"},
        ceilings=(Ceiling(product="ore", share=Decimal("0.5")),),
    )
    filled = {result.offer: result.filled[0] for result in run(market).results}
    # Half of 21 lots, rounded down, for the house and for Caro each.
    assert (filled["s1"] + filled["s2"], filled["s3"]) == (10, 10)


# What a window is worth


@settings(max_examples=40, derandomize=True)
@given(st.one_of(markets(), markets(chain=True)), st.data())
def test_the_best_window_of_a_lane_is_the_best_of_all(market: Snapshot, data: st.DataObject) -> None:
    arrays = build(market)
    lanes = find_lanes(arrays)
    values = st.integers(0, 40).map(float)

    def drawn(table: Any) -> Any:
        size = int(table.size)
        return np.array(data.draw(st.lists(values, min_size=size, max_size=size))).reshape(table.shape)

    zero = zero_duals(arrays, lanes)
    duals = Duals(seller=drawn(zero.seller), buyer=drawn(zero.buyer), family=drawn(zero.family), rent=zero.rent)
    pricing = Values(arrays, lanes, duals).best()
    for at in range(len(lanes)):
        worth = _all_windows(arrays, lanes, duals, at)
        assert pricing.reduced[at] == pytest.approx(max(worth.values()), abs=1e-9)
        chosen = tuple(arrays.windows[pricing.window[at]].tolist())
        assert worth[chosen] == pytest.approx(max(worth.values()), abs=1e-9)


def _all_windows(arrays: Market, lanes: Lanes, duals: Duals, at: int) -> dict[tuple[int, int], float]:
    """Reduced cost of one lane in each of its windows, period by period."""
    i, j = int(lanes.seller[at]), int(lanes.buyer[at])
    sellers, buyers = arrays.sellers, arrays.buyers
    takes = -1.0 if j >= buyers.offers else 1.0
    found = {}
    for first, last in arrays.windows.tolist():
        length = last - first + 1
        terms = [
            side.open[k, first : last + 1].all() and side.min_term[k] <= length <= side.max_term[k]
            for side, k in ((sellers, i), (buyers, j))
        ]
        if not all(terms) or first > lanes.latest_start[at]:
            continue
        gain = 0.0
        for t in range(first, last + 1):
            gain += buyers.price[j, t] - takes * duals.buyer[j, t] - sellers.price[i, t] - duals.seller[i, t]
            gain -= lanes.freight[at] * arrays.worth[t] + sum(duals.family[f, t] for f in lanes.family[at] if f >= 0)
        found[first, last] = float(gain / arrays.level[sellers.product[i]])
    return found


# Counting lots


def smelter(**more: Any) -> Conversion:
    """0.75 t of ore make a tonne of salt, which comes in lots of half a tonne."""
    given = {
        "conversion": "c",
        "firm": "smelter",
        "region": "north",
        "product": "salt",
        "grade": "plain",
        "capacity": (8, 8),
        "fee": (Decimal(5), Decimal(5)),
        "inputs": (
            ConversionInput(
                product="ore", grade="plain", quantity_per_output=Decimal("0.75"), own_stock=Decimal("0.5")
            ),
        ),
    } | more
    return Conversion(**given)


def test_tally_counts_every_limit_a_contract_touches() -> None:
    market = snapshot(
        sell("s", [5, 5], "50", firm="Ada"),
        buy("b", [6, 4], "60", max_share=Decimal("0.5"), region="south"),
        freight={("*", "north", "south"): Decimal(1)},
        corridors=(Corridor(product="ore", origin="north", destination="south", position=1, limit=Decimal(1)),),
    )
    arrays = build(market)
    tally = Tally(arrays, find_lanes(arrays))
    assert tally.room(0, 0, 1)
    tally.add(0, 0, 1, 1)
    assert tally.sold.tolist() == [[1, 1]]
    assert tally.bought.tolist() == [[1, 1]]
    assert tally.moved.tolist() == [[1, 1], [1, 1]]
    assert not tally.room(0, 0, 1), "the corridor is full in the second period"
    assert tally.room(0, 0, 0)
    tally.add(0, 0, 0, 2)
    assert not tally.room(0, 0, 0), "a supplier gives at most half of 6"


@pytest.mark.parametrize("full", ["s", "b"])
def test_tally_has_no_room_beyond_an_offer(full: str) -> None:
    market = snapshot(sell("s", [2 if full == "s" else 9], "50"), buy("b", [2 if full == "b" else 9], "60"))
    arrays = build(market)
    tally = Tally(arrays, find_lanes(arrays))
    tally.add(0, 0, 0, 1)
    assert tally.room(0, 0, 0)
    tally.add(0, 0, 0, 1)
    assert not tally.room(0, 0, 0)


def test_tally_of_a_conversion_is_in_fractions_of_lots() -> None:
    market = snapshot(sell("s", [9, 9], "50"), buy("b", [9, 9], "200", product="salt"), conversions=[smelter()])
    arrays = build(market)
    lanes = find_lanes(arrays)
    tally = Tally(arrays, lanes)
    buying = [at for at in range(len(lanes)) if lanes.buyer[at] >= arrays.buyers.offers]
    selling = [at for at in range(len(lanes)) if lanes.seller[at] >= arrays.sellers.offers]
    # Half a tonne of own stock is 1.33 lots of salt at 0.375 t of ore each.
    assert tally.makeable(0, 0) == 1
    tally.add(buying[0], 0, 0, 1)
    assert (tally.makeable(0, 0), tally.makeable(0, 1)) == (4, 1)
    tally.add(selling[0], 0, 0, 3)
    assert tally.spare_input(0, 0) == 0, "1.5 lots less 1.125"
    tally.add(selling[0], 0, 0, 2)
    assert tally.spare_input(0, 0) == -1, "1.5 lots less 1.875"
    tally.add(selling[0], 0, 0, -2)
    tally.add(buying[0], 0, 0, 8)
    assert tally.spare_input(0, 0) == 8
    assert tally.makeable(0, 0) == 8, "no more than the capacity"


# The graph


def chain(*routes: tuple[str, str]) -> Snapshot:
    """Conversions from product to product, with an offer of each end."""
    converters = [
        smelter(
            conversion=f"{source} to {made}",
            product=made,
            capacity=(1,),
            fee=(Decimal(1),),
            inputs=(ConversionInput(product=source, grade="plain", quantity_per_output=Decimal(1)),),
        )
        for source, made in routes
    ]
    return snapshot(sell("s", [1], "1"), buy("b", [1], "9", product="cell"), conversions=converters)


@pytest.mark.parametrize(
    ("routes", "tier", "parts", "looping"),
    [
        ((), {"ore": 0, "salt": 0, "cell": 0}, [{"cell"}, {"ore"}, {"salt"}], []),
        ((("ore", "salt"),), {"ore": 0, "salt": 1, "cell": 0}, [{"cell"}, {"ore", "salt"}], []),
        (
            (("ore", "salt"), ("salt", "cell"), ("ore", "cell")),
            {"ore": 0, "salt": 1, "cell": 2},
            [{"ore", "salt", "cell"}],
            [],
        ),
        (
            (("ore", "salt"), ("salt", "cell"), ("cell", "salt")),
            {"ore": 0, "salt": 1, "cell": 1},
            [{"ore", "salt", "cell"}],
            [{"salt", "cell"}],
        ),
        ((("ore", "ore"),), {"ore": 0, "salt": 0, "cell": 0}, [{"cell"}, {"ore"}, {"salt"}], [{"ore"}]),
    ],
)
def test_the_graph_tells_tiers_sub_markets_and_loops(
    routes: tuple[tuple[str, str], ...], tier: dict[str, int], parts: list[set[str]], looping: list[set[str]]
) -> None:
    market = chain(*routes)
    assert tiers(market) == tier
    assert sub_markets(market) == parts
    assert loops(market) == looping


def test_reach_goes_along_freight_better_grades_and_conversions_only() -> None:
    market = replace(
        chain(("ore", "salt")),
        offers=(
            sell("s1", [1], "1", grade="fine"),
            sell("s2", [1], "1", region="south"),
            buy("b1", [1], "9", product="salt", region="south"),
            buy("b2", [1], "9", product="cell"),
        ),
        freight={("salt", "north", "south"): Decimal(3)},
    )
    graph = supply_graph(market)
    fine, plain, away = ("ore", "fine", "north"), ("ore", "plain", "north"), ("ore", "plain", "south")
    salt, salt_away = ("salt", "plain", "north"), ("salt", "plain", "south")
    assert reach(graph, fine) == {plain, salt, salt_away}
    assert reach(graph, plain) == {salt, salt_away}
    assert reach(graph, away) == set()
    assert graph.edges[salt, salt_away]["cost"] == 3
    assert graph.nodes[fine]["selling"] == 1


# What a snapshot refuses


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: replace(m, offers=(*m.offers, m.offers[0])), "s appears twice"),
        (lambda m: replace(m, offers=(replace(m.offers[0], grade="none"),)), "unknown grade"),
        (lambda m: replace(m, offers=(replace(m.offers[0], quantity=(1, 1)),)), "one entry per period"),
        (
            lambda m: replace(m, conversions=(smelter(capacity=(1,), fee=(Decimal(1),), inputs=()),)),
            "expected one or more",
        ),
        (lambda m: replace(m, grades=(*m.grades, replace(m.grades[0], lot=Decimal(7)))), "differ in lot or unit"),
    ],
)
def test_a_snapshot_refuses_what_cannot_be_cleared(change: Callable[[Snapshot], Snapshot], words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        change(snapshot(sell("s", [1], "50"), buy("b", [1], "60")))


def test_a_digest_tells_contents_and_no_order() -> None:
    market = snapshot(sell("s", [1, 2], "50"), buy("b", [1, 2], "60"))
    assert replace(market, offers=market.offers[::-1], grades=market.grades[::-1]).digest() == market.digest()
    assert replace(market, offers=(market.offers[0],)).digest() != market.digest()
    turned = replace(market.offers[0], quantity=(2, 1))
    assert replace(market, offers=(turned, market.offers[1])).digest() != market.digest()
