"""Where material comes from: what buyers take, what the rules of a region admit, and what a quota on it costs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.__main__ import main
from matching.answer import Answer, Reason
from matching.certificate import check
from matching.lanes import Requirement
from matching.run import run
from matching.snapshot import Commitment, Conversion, ConversionInput, Offer, OriginRule, Snapshot, origin_of
from matching.snapshot_files import read_snapshot, write_snapshot
from tests.unit.markets import buy, sell, snapshot

FREIGHT = {("*", "north", "south"): Decimal(0)}


def market(*more: Offer, **rules: Any) -> Snapshot:
    """A cheap seller of Chilean ore and a dear one of Australian, both in the north; a buyer in the south."""
    return snapshot(
        sell("cheap", [100], 50, origin="CL"),
        sell("dear", [100], 60, origin="AU"),
        *(more or (buy("B", [100], 90, region="south"),)),
        freight=FREIGHT,
        **rules,
    )


def rule(limit: str | int, **changes: object) -> OriginRule:
    return OriginRule(
        **{"product": "ore", "origin": "CL", "destination": "south", "position": None}  # type: ignore[arg-type]
        | changes,
        limit=Decimal(limit),
    )


def sold(answer: Answer) -> dict[str, int]:
    return {contract.seller: contract.rate for contract in answer.contracts}


def reason_of(answer: Answer, offer: str) -> tuple[Reason, Requirement | None]:
    return next((r.reason, r.failed) for r in answer.results if r.offer == offer)


@pytest.mark.parametrize(
    ("demand", "taken"),
    [
        ({}, {"cheap": 100}),
        ({"origins": frozenset({"AU"})}, {"dear": 100}),
        ({"origins": frozenset({"AU", "CL"})}, {"cheap": 100}),
        ({"barred_origins": frozenset({"CL"})}, {"dear": 100}),
        ({"origins": frozenset({"CL"}), "barred_origins": frozenset({"CL"})}, {}),
        ({"origins": frozenset()}, {}),
        ({"origins": frozenset({"north"})}, {}),
    ],
)
def test_a_buyer_gets_no_origin_that_it_does_not_take(demand: dict[str, frozenset[str]], taken: dict[str, int]) -> None:
    answer = run(market(buy("B", [100], 90, region="south", **demand)))
    assert sold(answer) == taken
    assert answer.certificate.holds
    if not taken:
        assert reason_of(answer, "B") == (Reason.NO_ELIGIBLE_LANE, Requirement.ORIGIN)


def test_an_offer_that_says_nothing_comes_from_its_region() -> None:
    unsaid = snapshot(sell("S", [10], 50), buy("B", [10], 90, origins=frozenset({"north"})))
    assert origin_of(unsaid.offers[0]) == "north"
    assert sold(run(unsaid)) == {"S": 10}


def test_a_region_that_takes_none_of_an_origin_has_no_lane_for_it() -> None:
    answer = run(market(origin_rules=(rule(0),)))
    assert sold(answer) == {"dear": 100}
    assert reason_of(answer, "cheap") == (Reason.NO_ELIGIBLE_LANE, Requirement.ORIGIN)
    elsewhere = run(market(buy("B", [100], 90), origin_rules=(rule(0),)))
    assert sold(elsewhere) == {"cheap": 100}, "the rule is for the south only"


def test_a_quota_on_an_origin_holds_over_all_regions_it_is_sold_from_and_has_its_price() -> None:
    second = sell("cheap too", [100], 50, origin="CL", region="south")
    quota = market(second, buy("B", [100], 90, region="south"), origin_rules=(rule("40.9"),))
    answer = run(quota)
    given_out = sold(answer)
    assert given_out["dear"] == 60
    assert given_out["cheap"] + given_out["cheap too"] == 40
    assert [(p.subject, p.value) for p in answer.prices if p.kind == "origin"] == [
        (("ore", "CL", "south"), Decimal(10))
    ]
    assert answer.certificate.holds


def test_who_a_quota_keeps_out_is_told_that_it_was_a_rule() -> None:
    shut = market(buy("B", [100], 90, region="south"), origin_rules=(rule(0, position=0),))
    answer = run(shut)
    assert sold(answer) == {"dear": 100}
    assert reason_of(answer, "cheap") == (Reason.LIMITED_BY_POLICY, None)


def test_what_is_promised_already_counts_against_a_quota() -> None:
    promised = market(origin_rules=(rule(40),), commitments=(Commitment(sell="cheap", buy="B", quantity=(30,)),))
    assert sold(run(promised)) == {"cheap": 10, "dear": 60}


def test_what_a_conversion_makes_comes_from_its_own_region_whatever_it_took() -> None:
    made = Conversion(
        conversion="K",
        firm="firm K",
        region="south",
        product="salt",
        grade="plain",
        capacity=(10,),
        fee=(Decimal(1),),
        inputs=(ConversionInput(product="ore", grade="plain", quantity_per_output=Decimal(1)),),
    )
    wanted = buy("B", [10], 400, product="salt", region="south", origins=frozenset({"south"}))
    chain = replace(market(wanted), conversions=(made,))
    assert sold(run(chain))["K"] == 10
    barred = replace(chain, origin_rules=(rule(0), rule(0, origin="AU")))
    assert sold(run(barred)) == {}, "no input may come to the south"
    named = replace(chain, conversions=(replace(made, origin="CL"),))
    assert sold(run(named)) == {}, "it says that its output comes from elsewhere"


def test_an_input_comes_from_approved_suppliers_only() -> None:
    need = ConversionInput(
        product="ore", grade="plain", quantity_per_output=Decimal(1), approved_firms=frozenset({"firm of dear"})
    )
    made = Conversion(
        conversion="K",
        firm="firm K",
        region="south",
        product="salt",
        grade="plain",
        capacity=(10,),
        fee=(Decimal(1),),
        inputs=(need,),
    )
    wanted = buy("B", [10], 400, product="salt", region="south")
    answer = run(replace(market(wanted), conversions=(made,)))
    assert sold(answer).keys() == {"dear", "K"}


ORIGINS = ("AU", "CL", "CN")


@st.composite
def ruled_markets(draw: st.DrawFn) -> Snapshot:
    """Sellers of several origins, buyers with wishes, rules that close or limit an origin."""
    some = st.frozensets(st.sampled_from(ORIGINS), max_size=2)
    lots = st.integers(1, 9)
    sellers = [
        sell(f"S{n}", [draw(lots)] * 2, draw(st.integers(30, 60)), origin=draw(st.sampled_from(ORIGINS)))
        for n in range(draw(st.integers(1, 4)))
    ]
    buyers = [
        buy(
            f"B{n}",
            [draw(lots)] * 2,
            draw(st.integers(40, 80)),
            region=draw(st.sampled_from(("north", "south"))),
            origins=draw(st.none() | some),
            barred_origins=draw(some),
        )
        for n in range(draw(st.integers(1, 4)))
    ]
    rules = tuple(
        rule(draw(st.integers(0, 12)), origin=origin, destination=place, position=draw(st.sampled_from((None, 0, 1))))
        for origin in ORIGINS
        for place in ("north", "south")
        if draw(st.booleans())
    )
    return snapshot(*sellers, *buyers, freight=FREIGHT, origin_rules=rules)


def _moved(found: Snapshot, answer: Answer, limit: OriginRule, position: int) -> int:
    offers = {offer.offer: offer for offer in found.offers}
    return sum(
        contract.rate
        for contract in answer.contracts
        if contract.first <= position <= contract.last
        and origin_of(offers[contract.seller]) == limit.origin
        and offers[contract.buyer].region == limit.destination
    )


@settings(max_examples=60)
@given(ruled_markets())
def test_no_answer_breaks_a_wish_or_a_rule(found: Snapshot) -> None:
    answer = run(found)
    assert answer.certificate.holds, answer.certificate.violations
    offers = {offer.offer: offer for offer in found.offers}
    for contract in answer.contracts:
        origin, buyer = origin_of(offers[contract.seller]), offers[contract.buyer]
        assert origin not in buyer.barred_origins
        assert buyer.origins is None or origin in buyer.origins
    for limit in found.origin_rules:
        for position in range(2) if limit.position is None else (limit.position,):
            assert _moved(found, answer, limit, position) <= limit.limit


@settings(max_examples=40)
@given(ruled_markets())
def test_rules_cost_welfare_and_never_bring_any(found: Snapshot) -> None:
    free = replace(found, origin_rules=())
    assert run(found).certificate.dual_bound <= run(free).certificate.dual_bound + Decimal("0.01")


@settings(max_examples=40)
@given(ruled_markets(), st.permutations(range(3)))
def test_names_of_origins_decide_nothing(found: Snapshot, order: list[int]) -> None:
    new = {old: ORIGINS[at] for old, at in zip(ORIGINS, order, strict=True)}

    def renamed(offer: Offer) -> Offer:
        return replace(
            offer,
            origin=None if offer.origin is None else new[offer.origin],
            origins=None if offer.origins is None else frozenset(new[name] for name in offer.origins),
            barred_origins=frozenset(new[name] for name in offer.barred_origins),
        )

    other = replace(
        found,
        offers=tuple(map(renamed, found.offers)),
        origin_rules=tuple(replace(one, origin=new[one.origin]) for one in found.origin_rules),
    )
    assert run(other).certificate.dual_bound == pytest.approx(run(found).certificate.dual_bound, abs=Decimal("0.02"))


def test_a_contract_against_a_rule_is_caught_by_name() -> None:
    free = market()
    answer = run(free)
    closed = check(replace(free, origin_rules=(rule(0),)), answer.contracts, answer.prices)
    assert any("no eligible lane" in text for text in closed.violations)
    limited = check(replace(free, origin_rules=(rule(40),)), answer.contracts, answer.prices)
    assert any("origin" in text for text in limited.violations)


def test_origins_are_read_as_they_are_written(tmp_path: Path) -> None:
    none = buy("none", [5], 90, origins=frozenset())
    picky = buy("picky", [5], 90, origins=frozenset({"CL"}), barred_origins=frozenset({"AU"}))
    written = market(none, picky, origin_rules=(rule(0), rule("40.5", origin="AU", position=0)))
    write_snapshot(written, tmp_path)
    assert read_snapshot(tmp_path).digest() == written.digest()
    assert (tmp_path / "origins.csv").read_text() == ("offer,origin,accepted\nnone,,1\npicky,AU,0\npicky,CL,1\n")


@pytest.mark.parametrize(
    ("file", "lines", "told"),
    [
        ("origins.csv", "offer,origin,accepted\nB,,0\n", "row 2, column origin: the cell is empty"),
        ("origins.csv", "offer,origin,accepted\ncheap,CL,1\n", "'cheap' is not a buy"),
        ("origin_rules.csv", "product,origin,to_region,period,limit\ngold,CL,south,*,0\n", "column product: 'gold'"),
        ("origin_rules.csv", "product,origin,to_region,period,limit\nore,CL,south,2030,0\n", "column period"),
        ("approved.csv", "offer,firm,product\nB,X,salt\n", "column product: B is not about 'salt'"),
    ],
)
def test_a_fault_in_a_file_names_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, lines: str, told: str
) -> None:
    write_snapshot(market(), tmp_path)
    (tmp_path / file).write_text(lines)
    assert main([str(tmp_path), "--out", str(tmp_path / "out"), "--quiet"]) == 2
    said = capsys.readouterr().err
    assert file in said
    assert told in said


def test_a_buyer_has_no_origin_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_snapshot(market(buy("B", [5], 90, origin="CL")), tmp_path)
    assert main([str(tmp_path), "--out", str(tmp_path / "out"), "--quiet"]) == 2
    assert "column origin: a buy offer has an origin" in capsys.readouterr().err
