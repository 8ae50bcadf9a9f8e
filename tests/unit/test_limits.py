"""Shares, corridors and ceilings: each holds exactly, each has its price, commitments count against each."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from market.periods import Horizon
from matching.__main__ import main
from matching.answer import Answer, Reason
from matching.certificate import check
from matching.run import run
from matching.snapshot import Ceiling, Commitment, Corridor, Grade, Offer, Side, Snapshot
from matching.snapshot_files import read_snapshot, write_snapshot

PRODUCT = "lithium_carbonate"


def offer(label: str, side: Side, quantity: int, price: int, **more: object) -> Offer:
    return Offer(
        offer=label,
        side=side,
        firm=str(more.pop("firm", f"firm {label}")),
        product=PRODUCT,
        grade="battery",
        region="sichuan" if side is Side.SELL else "fujian",
        quantity=(quantity,),
        price=(Decimal(price),),
        **more,  # type: ignore[arg-type]
    )


def market(*offers: Offer) -> Snapshot:
    return Snapshot(
        horizon=Horizon.parse(["2027-Q1"]),
        grades=(Grade(product=PRODUCT, grade="battery", rank=1, lot=Decimal(1), unit="t"),),
        offers=offers,
        freight={("*", "sichuan", "fujian"): Decimal(0)},
    )


@pytest.fixture
def cheap_and_dear() -> Snapshot:
    """A cheap supplier who could serve all, a dear one, one buyer."""
    return market(offer("S1", Side.SELL, 100, 50), offer("S2", Side.SELL, 100, 60), offer("B", Side.BUY, 100, 90))


def sold(answer: Answer) -> dict[str, int]:
    return {contract.seller: contract.rate for contract in answer.contracts}


def limit_price(answer: Answer, kind: str) -> Decimal:
    return next(price.value for price in answer.prices if price.kind == kind)


def test_a_largest_share_moves_the_rest_to_the_dearer_supplier(cheap_and_dear: Snapshot) -> None:
    *sellers, buyer = cheap_and_dear.offers
    capped = replace(cheap_and_dear, offers=(*sellers, replace(buyer, max_share=Decimal("0.7"))))
    answer = run(capped)
    assert sold(answer) == {"S1": 70, "S2": 30}
    assert limit_price(answer, "share") == 10  # one more tonne from S1 saves what S2 is dearer
    assert {contract.price_ex_works for contract in answer.contracts} == {50, 60}  # the rent stays with the buyer


def test_affiliates_are_one_supplier(cheap_and_dear: Snapshot) -> None:
    *sellers, buyer = cheap_and_dear.offers
    capped = replace(
        cheap_and_dear,
        offers=(*sellers, replace(buyer, max_share=Decimal("0.7"))),
        affiliates={"firm S1": "group", "firm S2": "group"},
    )
    assert sum(sold(run(capped)).values()) == 70


def test_a_corridor_quota_holds_and_has_its_price(cheap_and_dear: Snapshot) -> None:
    quota = Corridor(product=PRODUCT, origin="sichuan", destination="fujian", position=0, limit=Decimal("40.9"))
    answer = run(replace(cheap_and_dear, corridors=(quota,)))
    assert sold(answer) == {"S1": 40}
    assert limit_price(answer, "corridor") == 40  # 90 - 50
    # The second supplier would need a quota, not a better price.
    assert next(r.reason for r in answer.results if r.offer == "S2") is Reason.LIMITED_BY_CORRIDOR


def test_a_ceiling_is_a_share_of_all_demand_posted(cheap_and_dear: Snapshot) -> None:
    other = offer("B2", Side.BUY, 60, 80)
    ceiling = Ceiling(product=PRODUCT, share=Decimal("0.25"))
    answer = run(replace(cheap_and_dear, offers=(*cheap_and_dear.offers, other), ceilings=(ceiling,)))
    assert sum(contract.rate for contract in answer.contracts if contract.seller == "S1") == 40  # a quarter of 160
    assert limit_price(answer, "ceiling") > 0
    assert answer.certificate.holds


def test_a_ceiling_for_one_firm_leaves_the_others_alone(cheap_and_dear: Snapshot) -> None:
    ceiling = Ceiling(product=PRODUCT, share=Decimal("0.1"), firm="firm S1")
    assert sold(run(replace(cheap_and_dear, ceilings=(ceiling,)))) == {"S1": 10, "S2": 90}


def test_of_two_ceilings_on_a_supplier_the_tighter_holds(cheap_and_dear: Snapshot) -> None:
    for each, own in (("0.1", "0.3"), ("0.3", "0.1")):
        ceilings = (
            Ceiling(product=PRODUCT, share=Decimal(each)),
            Ceiling(product=PRODUCT, share=Decimal(own), firm="firm S1"),
        )
        assert sold(run(replace(cheap_and_dear, ceilings=ceilings))) == {"S1": 10, "S2": 10 if each == "0.1" else 30}


def test_a_seller_kept_out_by_policy_is_told_so() -> None:
    ceiling = Ceiling(product=PRODUCT, share=Decimal(0), firm="firm S1")
    snapshot = market(offer("S1", Side.SELL, 100, 50), offer("B", Side.BUY, 100, 90))
    answer = run(replace(snapshot, ceilings=(ceiling,)))
    assert {result.offer: result.reason for result in answer.results} == {
        "S1": Reason.LIMITED_BY_POLICY,
        "B": Reason.LIMITED_BY_POLICY,
    }


@pytest.mark.parametrize("limit", ["share", "corridor", "ceiling"])
def test_commitments_count_against_every_limit(cheap_and_dear: Snapshot, limit: str) -> None:
    *sellers, buyer = cheap_and_dear.offers
    limited = {
        "share": replace(cheap_and_dear, offers=(*sellers, replace(buyer, max_share=Decimal("0.5")))),
        "corridor": replace(
            cheap_and_dear,
            corridors=(
                Corridor(product=PRODUCT, origin="sichuan", destination="fujian", position=None, limit=Decimal(50)),
            ),
        ),
        "ceiling": replace(cheap_and_dear, ceilings=(Ceiling(product=PRODUCT, share=Decimal("0.5")),)),
    }[limit]
    promised = replace(limited, commitments=(Commitment(sell="S1", buy="B", quantity=(20,)),))
    assert sold(run(limited))["S1"] == 50
    assert sold(run(promised))["S1"] == 30


def test_one_lot_more_than_a_ceiling_allows_is_found(cheap_and_dear: Snapshot) -> None:
    limited = replace(cheap_and_dear, ceilings=(Ceiling(product=PRODUCT, share=Decimal("0.5")),))
    answer = run(limited)
    first, *rest = answer.contracts
    tampered = check(limited, [replace(first, rate=first.rate + 1), *rest], answer.prices)
    assert any(fault.startswith("ceiling lithium_carbonate / firm S1") for fault in tampered.violations)


def test_ceilings_are_read_as_they_are_written(cheap_and_dear: Snapshot, tmp_path: Path) -> None:
    ceilings = (
        Ceiling(product=PRODUCT, share=Decimal("0.25")),
        Ceiling(product=PRODUCT, share=Decimal("0.1"), firm="firm S1"),
    )
    limited = replace(cheap_and_dear, ceilings=ceilings)
    write_snapshot(limited, tmp_path)
    assert read_snapshot(tmp_path).digest() == limited.digest() != cheap_and_dear.digest()


def test_a_ceiling_above_the_whole_is_refused_by_place(
    cheap_and_dear: Snapshot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_snapshot(cheap_and_dear, tmp_path)
    (tmp_path / "ceilings.csv").write_text(f"product,share,firm\n{PRODUCT},1.5,\n")
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "ceilings.csv, row 2, column share" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_ranks_firms(cheap_and_dear: Snapshot, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_snapshot(cheap_and_dear, tmp_path)
    assert main(["critical", str(tmp_path), "--firms", "3"]) == 0
    ranking = capsys.readouterr().out.splitlines()[1:]
    assert [line.split("  ")[0] for line in ranking] == ["firm B", "firm S1", "firm S2"]
