"""The derived scenario: volumes within real capacity, prices from the index only, nothing left to chance or order."""

from __future__ import annotations

import csv
import random
import shutil
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from market.periods import Horizon
from reference import derive, write_snapshot
from reference.__main__ import main
from reference.freight import great_circle_km
from reference.offers import Scenario, ScenarioOffer
from reference.prices import fees, last_close, reference_prices
from reference.tables import FOLDER, load

VAT = Decimal("1.13")


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return derive()


def rewrite(path: Path, change: object = None, seed: int = 1) -> None:
    """Shuffle the rows of a table, after `change` was applied to each."""
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        rows, columns = list(reader), list(reader.fieldnames or ())
    if callable(change):
        for row in rows:
            change(row)
    random.Random(seed).shuffle(rows)
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def yearly_peak(offers: list[ScenarioOffer]) -> Decimal:
    """Four quarters at the greatest quantity of each offer."""
    return sum((Decimal(4 * max(offer.quantity)) for offer in offers), Decimal(0))


def raw(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_scenario_has_the_size_and_spread_of_a_real_session(scenario: Scenario) -> None:
    assert 250 <= len(scenario.offers) <= 520
    assert len({offer.product for offer in scenario.offers}) == 14
    assert len(scenario.firms) >= 70
    assert len({offer.offer for offer in scenario.offers}) == len(scenario.offers)


def test_nothing_is_offered_beyond_real_capacity_times_utilisation(scenario: Scenario) -> None:
    rate = {row["product"]: Decimal(row["rate"]) for row in raw("utilisation.csv")}
    limit: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in raw("capacity.csv"):
        used = rate[row["product"]] if row["basis"] == "nameplate" else Decimal(1)
        limit[row["firm"], row["product"]] += Decimal(row["per_year"]) * used
    offered: dict[tuple[str, str], list[ScenarioOffer]] = defaultdict(list)
    for offer in scenario.offers:
        if offer.side != "buy" and offer.product != "cell_LFP":
            offered[offer.firm, offer.product].append(offer)
    recyclers = {("brunp", "lithium_carbonate"), ("recyclers_china", "lithium_carbonate")}
    assert recyclers <= set(offered)
    for key, offers in offered.items():
        if key not in recyclers:
            assert yearly_peak(offers) <= limit[key], key


def test_recycled_carbonate_is_at_most_what_the_lithium_in_treated_batteries_gives(scenario: Scenario) -> None:
    offers = [offer for offer in scenario.offers if offer.firm in {"brunp", "recyclers_china"}]
    lithium = Decimal(400_000) * Decimal("0.0144")
    assert 0 < yearly_peak(offers) < lithium * Decimal("5.323") * Decimal("0.882")


def test_in_house_and_committed_volumes_are_not_for_sale(scenario: Scenario) -> None:
    sellers = {(offer.firm, offer.product) for offer in scenario.offers if offer.side != "buy"}
    for row in raw("in_house_output.csv"):
        if row["share"] == "1":
            assert (row["firm"], row["product"]) not in sellers
    fulin = [offer for offer in scenario.offers if offer.firm == "fulin" and offer.side != "buy"]
    assert 0 < yearly_peak(fulin) <= 300_000 * Decimal("0.70") - 140_000


def test_demand_is_at_most_cells_times_bill_of_materials(scenario: Scenario) -> None:
    use = {row["input"]: Decimal(row["quantity"]) for row in raw("bom.csv") if row["output"] == "cell_LFP"}
    byd = [offer for offer in scenario.offers if offer.firm == "byd" and offer.product == "cathode_LFP"]
    whole = Decimal("156.8") * 1_000_000 * use["cathode_LFP"]
    assert whole * Decimal("0.4") < yearly_peak(byd) <= whole / 2
    catl = [offer for offer in scenario.offers if offer.firm == "catl" and offer.product == "cathode_LFP"]
    need = 676 * Decimal("0.76") * Decimal("0.714") * 1_000_000 * use["cathode_LFP"]
    assert yearly_peak(catl) <= need - 140_000


def test_lithium_balances_within_the_chain(scenario: Scenario) -> None:
    """Carbonate wanted by cathode makers is what their open and own-account cathode needs, and no more."""
    made = [offer for offer in scenario.offers if offer.product == "cathode_LFP" and offer.side != "buy"]
    bought = [
        offer
        for offer in scenario.offers
        if offer.side == "buy"
        and offer.product == "lithium_carbonate"
        and offer.firm in {maker.firm for maker in made}
        and offer.firm != "gotion"
    ]
    sold = yearly_peak([offer for offer in made if offer.side == "sell"])
    assert yearly_peak(bought) == pytest.approx(sold * Decimal("0.23419"), rel=Decimal("0.02"))


def test_the_same_seed_gives_the_same_scenario_whatever_the_order_of_rows(scenario: Scenario, tmp_path: Path) -> None:
    copy = tmp_path / "tables"
    shutil.copytree(FOLDER, copy)
    for path in copy.glob("*.csv"):
        rewrite(path)
    assert derive(2027, load(copy)) == scenario


def test_another_seed_changes_prices_and_terms_but_no_yearly_volume(scenario: Scenario) -> None:
    other = derive(7)
    assert {offer.offer: offer.basis for offer in other.offers} == {
        offer.offer: offer.basis for offer in scenario.offers
    }
    assert [offer.price for offer in other.offers] != [offer.price for offer in scenario.offers]
    full = {offer.offer: max(offer.quantity) for offer in scenario.offers if len(offer.quantity) == 8}
    again = {offer.offer: max(offer.quantity) for offer in other.offers if len(offer.quantity) == 8}
    assert all(again[code] == full[code] for code in set(full) & set(again))


def test_carbonate_prices_come_from_the_last_close_alone(scenario: Scenario) -> None:
    tables = load()
    index = last_close(tables)
    assert index == Decimal(62260) / VAT
    assert reference_prices(tables)["lithium_carbonate"] == index
    spread = next(row for row in tables.spreads if row.product == "lithium_carbonate")
    for offer in scenario.offers:
        if offer.product == "lithium_carbonate" and offer.grade == "battery" and offer.region.startswith("CN-"):
            low, high = {
                "sell": (spread.ask_low, spread.ask_high),
                "buy": (spread.bid_low, spread.bid_high),
                "conversion": (Decimal(0), Decimal(1)),
            }[offer.side]
            assert all(low * index - 1 <= price <= high * index + 1 for price in offer.price)


def test_a_higher_index_lifts_every_lithium_product(tmp_path: Path) -> None:
    def dearer(row: dict[str, str]) -> None:
        if row["series"] == "GFEX-LC" and row["date"] == "2025-06-30":
            row["price"] = "74712"

    copy = tmp_path / "tables"
    shutil.copytree(FOLDER, copy)
    rewrite(copy / "prices.csv", dearer)
    before, after = reference_prices(load()), reference_prices(load(copy))
    rise = after["lithium_carbonate"] - before["lithium_carbonate"]
    assert rise == Decimal(74712 - 62260) / VAT
    assert after["cathode_LFP"] - before["cathode_LFP"] == pytest.approx(Decimal("0.23419") * rise)
    assert after["iron_phosphate"] == before["iron_phosphate"]


def test_the_cathode_reference_is_carbonate_iron_phosphate_and_the_fee_contract_t06_leaves() -> None:
    tables = load()
    price, fee = reference_prices(tables), fees(tables)["cathode_LFP"]
    on_the_day = last_close(tables, "2025-05-09")
    left = Decimal(33333) / VAT - Decimal("0.23419") * on_the_day - Decimal("0.956") * price["iron_phosphate"]
    assert fee == left
    assert 5_000 < fee < 10_000
    whole = Decimal("0.23419") * price["lithium_carbonate"] + Decimal("0.956") * price["iron_phosphate"] + fee
    assert price["cathode_LFP"] == pytest.approx(whole)


def test_every_offer_is_valid(scenario: Scenario) -> None:
    lot = {(row.product, row.grade): row.lot for row in scenario.grades}
    firms = {firm.firm for firm in scenario.firms}
    for offer in scenario.offers:
        first, last = (scenario.horizon.position(label) for label in (offer.first_period, offer.last_period))
        assert len(offer.quantity) == len(offer.price) == last - first + 1, offer.offer
        step = lot[offer.product, offer.grade]
        assert all(quantity > 0 and quantity % step == 0 for quantity in offer.quantity), offer.offer
        assert all(price > 0 for price in offer.price), offer.offer
        assert 1 <= offer.min_term <= offer.max_term <= len(offer.quantity), offer.offer
        assert 0 < offer.max_share <= 1
        assert offer.max_share == 1 or offer.side == "buy"
        assert bool(offer.inputs) == (offer.side == "conversion")
        assert offer.firm in firms
        if offer.side == "conversion":
            assert len(set(offer.quantity)) == len(set(offer.price)) == 1


def test_guarantees_are_at_least_the_grade_and_some_buyers_ask_for_more(scenario: Scenario) -> None:
    limit = {(row.product, row.grade, row.attribute): row for row in load().attributes}
    stricter = 0
    for offer in scenario.offers:
        for found in offer.specification:
            grade = limit[offer.product, offer.grade, found.attribute]
            assert found.bound == grade.bound
            gain = found.value - grade.value if found.bound == "min" else grade.value - found.value
            assert gain >= 0, offer.offer
            stricter += offer.side == "buy" and gain > 0
    assert stricter > 10


def test_the_market_can_trade_but_not_everything(scenario: Scenario) -> None:
    """For LFP cathode, some asks are below most bids and some above the best bids less freight."""
    asks = sorted(o.price[0] for o in scenario.offers if o.product == "cathode_LFP" and o.side == "sell")
    bids = sorted(o.price[0] for o in scenario.offers if o.product == "cathode_LFP" and o.side == "buy")
    middle = bids[len(bids) // 2]
    assert 0.3 < sum(ask < middle for ask in asks) / len(asks) < 0.95
    assert any(ask > middle for ask in asks)


def test_distance_between_beijing_and_shanghai() -> None:
    regions = {row.region: row for row in load().regions}
    assert great_circle_km(regions["CN-BJ"], regions["CN-SH"]) == pytest.approx(1067, abs=10)


def test_freight_covers_every_pair_that_may_trade(scenario: Scenario) -> None:
    listed = {(row.product, row.from_region, row.to_region) for row in scenario.freight}
    own_rows = {product for product, _, _ in listed}
    for seller in scenario.offers:
        if seller.side == "buy":
            continue
        label = seller.product if seller.product in own_rows else "*"
        for taker in scenario.offers:
            taken = {taker.product} if taker.side == "buy" else {needed.product for needed in taker.inputs}
            if seller.product in taken and taker.region != seller.region:
                assert (label, seller.region, taker.region) in listed
    road = next(r for r in scenario.freight if (r.product, r.from_region, r.to_region) == ("*", "CN-HN", "CN-FJ"))
    assert Decimal(200) < road.cost < Decimal(500)


def test_the_snapshot_has_the_files_and_columns_of_the_matcher(scenario: Scenario, tmp_path: Path) -> None:
    write_snapshot(scenario, tmp_path / "out")
    header = {path.name: path.read_text(encoding="utf-8").split("\n")[0] for path in (tmp_path / "out").iterdir()}
    assert header == {
        "periods.csv": "period,months",
        "offers.csv": "offer,side,firm,product,grade,region,first_period,last_period,quantity,price,min_term,max_term,"
        "min_rate,all_or_none,max_share,group",
        "profiles.csv": "offer,period,quantity,price",
        "conversions.csv": "conversion,firm,region,output_product,output_grade,first_period,last_period,capacity,fee,"
        "min_term,max_term",
        "conversion_inputs.csv": "conversion,product,grade,quantity_per_output,own_stock_per_period",
        "grades.csv": "product,grade,rank,lot,unit",
        "freight.csv": "product,from_region,to_region,cost",
        "corridors.csv": "product,from_region,to_region,period,limit",
        "exclusions.csv": "firm_a,firm_b",
        "specifications.csv": "offer,attribute,bound,value",
        "certificates.csv": "offer,certificate,valid_to",
    }


def test_offers_and_profiles_together_give_back_every_vector(scenario: Scenario, tmp_path: Path) -> None:
    write_snapshot(scenario, tmp_path)
    with (tmp_path / "profiles.csv").open(encoding="utf-8", newline="") as lines:
        profile = {(row["offer"], row["period"]): row for row in csv.DictReader(lines)}
    with (tmp_path / "offers.csv").open(encoding="utf-8", newline="") as lines:
        written = {row["offer"]: row for row in csv.DictReader(lines)}
    for offer in scenario.offers:
        if offer.side == "conversion":
            continue
        labels = scenario.horizon.labels()[scenario.horizon.position(offer.first_period) :][: len(offer.quantity)]
        for label, quantity, price in zip(labels, offer.quantity, offer.price, strict=True):
            row = profile.get((offer.offer, label), written[offer.offer])
            assert (int(row["quantity"]), Decimal(row["price"])) == (quantity, price)
    assert Horizon.parse(scenario.horizon.labels()) == scenario.horizon


def test_the_command_writes_the_folder_and_says_that_prices_are_synthetic(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "session")]) == 0
    assert (tmp_path / "session" / "offers.csv").is_file()
    assert "prices and terms are synthetic" in capsys.readouterr().out
