"""What each limit costs: the welfare of the market without it less that with it, lists and exclusions included."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.__main__ import main
from matching.limit_costs import LimitCost, limit_costs
from matching.snapshot import Ceiling, Conversion, ConversionInput, Corridor, OriginRule, Snapshot
from matching.snapshot_files import write_snapshot

from .market_oracle import Oracle
from .markets import buy, markets, sell, snapshot

CORRIDOR = Corridor(product="ore", origin="north", destination="north", position=None, limit=Decimal(60))


def market(**more: object) -> Snapshot:
    """A cheap seller and a dear one of 100 each, a buyer of 100 in each of two quarters."""
    return snapshot(
        sell("cheap", [100, 100], "50", firm="Ada", origin="CL"),
        sell("dear", [100, 100], "60", firm="Bela", origin="AU"),
        buy("b", [100, 100], "90", firm="Caro"),
        **more,  # type: ignore[arg-type]
    )


def costs(market: Snapshot) -> dict[tuple[str, tuple[str, ...]], float]:
    return {(cost.kind, cost.subject): round(cost.welfare, 2) for cost in limit_costs(market)}


@pytest.mark.parametrize(
    ("limited", "named", "cost"),
    [
        (market(corridors=(CORRIDOR,)), ("corridor", ("ore", "north", "north")), 2 * 40 * 40),
        (
            market(corridors=(replace(CORRIDOR, position=0), replace(CORRIDOR, position=1, limit=Decimal(90)))),
            ("corridor", ("ore", "north", "north")),
            40 * 40 + 10 * 40,
        ),
        (
            market(ceilings=(Ceiling(product="ore", share=Decimal("0.7")),)),
            ("ceiling", ("ore", "*")),
            2 * 30 * 10,
        ),
        (
            market(ceilings=(Ceiling(product="ore", share=Decimal("0.7"), firm="Ada"),), affiliates={"Ada": "house"}),
            ("ceiling", ("ore", "Ada")),
            2 * 30 * 10,
        ),
        (
            market(
                origin_rules=(
                    OriginRule(product="ore", origin="CL", destination="north", position=None, limit=Decimal(0)),
                )
            ),
            ("origin", ("ore", "CL", "north")),
            2 * 100 * 10,
        ),
        (market(exclusions=frozenset([frozenset({"Ada", "Caro"})])), ("exclusion", ("Ada", "Caro")), 2 * 100 * 10),
        (
            replace(market(), offers=(*market().offers[:2], replace(market().offers[2], max_share=Decimal("0.6")))),
            ("share", ("b",)),
            2 * 40 * 10,
        ),
        (
            replace(
                market(), offers=(*market().offers[:2], replace(market().offers[2], approved_firms=frozenset({"Bela"})))
            ),
            ("approved", ("Caro", "ore")),
            2 * 100 * 10,
        ),
    ],
)
def test_a_limit_costs_what_a_clearing_without_it_brings_more(
    limited: Snapshot, named: tuple[str, tuple[str, ...]], cost: float
) -> None:
    assert costs(limited) == {named: cost}
    assert [found.per_period for found in limit_costs(limited)] == pytest.approx([cost / 2])


def test_a_list_for_an_input_costs_what_the_chain_loses() -> None:
    need = ConversionInput(
        product="ore", grade="plain", quantity_per_output=Decimal(1), approved_firms=frozenset({"Bela"})
    )
    maker = Conversion(
        conversion="K",
        firm="Dora",
        region="north",
        product="salt",
        grade="plain",
        capacity=(20, 20),
        fee=(Decimal(1),) * 2,
        inputs=(need,),
    )
    chain = market(conversions=(maker,))
    chain = replace(chain, offers=(*chain.offers[:2], buy("salt", [20, 20], "100", product="salt")))
    # Twenty lots of salt are half a unit each: 10 units of ore a quarter, 10 dearer.
    assert costs(chain) == {("approved", ("Dora", "ore")): 2 * 10 * 10}


def test_what_does_not_bind_is_not_told() -> None:
    wide = market(
        corridors=(replace(CORRIDOR, limit=Decimal(100)),),
        ceilings=(Ceiling(product="ore", share=Decimal(1)),),
        exclusions=frozenset([frozenset({"Bela", "Caro"}), frozenset({"Ada"})]),
    )
    assert costs(wide) == {}


@settings(max_examples=40, derandomize=True)
@given(st.one_of(markets(), markets(chain=True)))
def test_costs_are_those_of_the_second_opinion(market: Snapshot) -> None:
    found, base = costs(market), Oracle(market).welfare
    pairs = frozenset(pair for pair in market.exclusions if len(pair) > 1)
    for kind, limits, without in (
        ("corridor", len({(c.product, c.origin, c.destination) for c in market.corridors}), {"corridors": ()}),
        ("ceiling", len(market.ceilings), {"ceilings": ()}),
        ("exclusion", len(pairs), {"exclusions": market.exclusions - pairs}),
    ):
        if limits == 1:
            free = Oracle(replace(market, **without)).welfare
            told = sum(cost for (name, _), cost in found.items() if name == kind)
            assert told == pytest.approx(free - base, abs=0.05, rel=1e-6)


def test_the_command_tells_the_dearest_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_snapshot(market(corridors=(CORRIDOR,), exclusions=frozenset([frozenset({"Ada", "Caro"})])), tmp_path)
    assert main(["limits", str(tmp_path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [(line[0], line[-2], line[-1]) for line in lines] == [
        ("corridor", "2,400.00", "1,200.00"),
        ("exclusion", "1,200.00", "600.00"),
    ]
    assert main(["limits", str(tmp_path / "nowhere")]) == 2


def test_costs_are_plain_values() -> None:
    (cost,) = limit_costs(market(corridors=(CORRIDOR,)))
    assert cost == LimitCost(kind="corridor", subject=("ore", "north", "north"), welfare=cost.welfare, periods=2)
