"""The headline of a run as a person reads it, from the run's own record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from app.demo.chain import HUBS
from app.demo.terminal import WIDTH, bar, cell, heading, number, paragraph

CARBONATE = "lithium_carbonate"
AGGREGATE = r" \((aggregate|all projects)[^)]*\)"
MILLION, BILLION = Decimal(10) ** 6, Decimal(10) ** 9
TIERS = {
    "resource": "资源 Resource",
    "lithium_salt": "锂盐 Lithium salts",
    "precursor": "前驱体 Precursors",
    "cathode": "正极 Cathodes",
    "anode": "负极 Anodes",
    "separator": "隔膜 Separators",
    "electrolyte": "电解液 Electrolytes",
    "cell": "电芯 Cells",
}
REASONS = {
    "out_of_the_money": "out of the money: no counterparty at a price that both would take",
    "no_eligible_lane": "no eligible counterparty by specification, certificate, exclusion, region or term",
    "capacity_exhausted_pro_rata": "the other side's volume was used up, shared in proportion",
    "limited_by_share": "the largest share from one supplier was reached",
    "limited_by_corridor": "a quota between two regions was reached",
    "limited_by_policy": "a limit set by staff, or a partner's offer changed while the run worked",
    "input_not_available": "a processor found no inputs at a price that left its fee",
    "paradoxically_rejected": "left out by its own all-or-none or least rate though its price was good",
    "withdrawn": "withdrawn while the run worked",
    "invalid": "of a firm or site that is not active",
}


def report(
    headline: Mapping[str, Any],
    *,
    firms: int,
    periods: Sequence[str],
    index_day: str,
    seconds: float,
    memory: Decimal,
) -> Iterator[str]:
    """Lines of at most 100 columns. `index_day` is the day of the carbonate index, `seconds` what the run took."""
    yield "━━ 长单 CHANGDAN · one night of the market " + "━" * (WIDTH - 44)
    yield ""
    yield from _counts(headline, firms, periods)
    yield ""
    yield from _certificate(headline, seconds, memory)
    yield ""
    yield from _products(headline)
    yield ""
    yield from _index(headline, index_day)
    yield ""
    yield from _largest(headline)
    yield ""
    yield from _unmatched(headline)


def _counts(headline: Mapping[str, Any], firms: int, periods: Sequence[str]) -> Iterator[str]:
    offers = headline["offers"]
    kinds = f"{offers['capacity']} to sell · {offers['demand']} to buy · {offers['conversion']} to convert"
    value = f"{number(Decimal(headline['value']) / BILLION, 1)} bn CNY, delivered and without tax"
    for count, name, note in (
        (sum(offers.values()), "offers", f"{kinds} · from {firms} firms"),
        (headline["lanes"], "lanes", "pairs that fit by grade, specification, certificate, exclusion and term"),
        (headline["candidates"], "candidates", f"lanes × windows of the {len(periods)} periods"),
        (headline["contracts"], "contracts", f"{value}, in {number(headline['bundles'])} bundles"),
    ):
        yield f"  {number(count):>9}  {name:<12}{note}"
    yield f"  {'':>9}  {'delivery':<12}{periods[0]} to {periods[-1]}"


def _certificate(headline: Mapping[str, Any], seconds: float, memory: Decimal) -> Iterator[str]:
    found = headline["certificate"]
    welfare, gap = Decimal(found["welfare"]), Decimal(found["gap"])
    yield heading("证书 Certificate")
    if found["holds"]:
        said = "Holds. No limit is broken, and no two firms are left that would both gain by trading with each other."
    else:
        said = f"DOES NOT HOLD: {found['violations']} limits broken, {found['blocking_pairs']} blocking pairs."
    if found["uncertified"]:
        said += f" For {found['uncertified']} offers with block terms the latter is not claimed."
    share = gap / welfare * 100 if welfare else Decimal(0)
    yield from paragraph(
        f"{said} Welfare {number(welfare / BILLION, 2)} bn CNY; no other outcome could have more than "
        f"{number(gap / MILLION, 1)} m CNY ({number(share, 3)} %) beyond it, which is what whole lots cost. Cleared in "
        f"{number(Decimal(seconds), 1)} s with {number(memory)} MB, checked without a solver."
    )


def _products(headline: Mapping[str, Any]) -> Iterator[str]:
    yield heading("各环节 By tier and product")
    yield f"  {'':<29}{'matched':>19}{'bn CNY':>9}{'CNY ex works':>15}  {'supply used':<13}{'demand met'}"
    by_tier: dict[str, list[Mapping[str, Any]]] = {}
    for line in headline["products"]:
        by_tier.setdefault(line["tier"], []).append(line)
    tiers = {tier["tier"]: tier for tier in headline["tiers"]}
    for tier in sorted(by_tier, key=_place):
        total = tiers[tier]
        contracts = f"{number(total['contracts'])} contracts"
        name = cell(TIERS.get(tier, tier), 29)
        yield f"{name}  {contracts:>19}{number(Decimal(total['value']) / BILLION, 2):>9}"
        for line in by_tier[tier]:
            yield _product(line)


def _place(tier: str) -> int:
    return list(TIERS).index(tier) if tier in TIERS else len(TIERS)


def _product(line: Mapping[str, Any]) -> str:
    matched, supply = Decimal(line["matched"]), Decimal(line["offered"]) + Decimal(line["convertible"])
    price = "—" if line["price"] is None else f"{_price(Decimal(line['price']))}/{line['unit']}"
    demanded = line["fill_demanded"]
    return (
        f"  {cell(' '.join(_names(line['product'])), 28)} "
        f"{number(matched) + ' ' + cell(line['unit'], 3):>19}"
        f"{number(Decimal(line['value']) / BILLION, 2):>9}{price:>15}  "
        f"{_share(matched / supply if supply else None)}  {_share(None if demanded is None else Decimal(demanded))}"
    )


def _share(share: Decimal | None) -> str:
    return cell("      —", 11) if share is None else f"{bar(share, 5)} {number(share * 100):>3} %"


def _price(price: Decimal) -> str:
    return number(price, 0 if price >= 1000 else 2)


def _index(headline: Mapping[str, Any], index_day: str) -> Iterator[str]:
    line = next((line for line in headline["products"] if line["product"] == CARBONATE), None)
    if line is None or line["price"] is None or line["index"] is None:
        return
    distance = Decimal(line["index_distance"])
    yield heading("与指数比 Against the index")
    yield from paragraph(
        f"Lithium carbonate locked at {_price(Decimal(line['price']))} CNY/t ex works on average, without tax; the "
        f"index was {_price(Decimal(line['index']))} CNY/t on {index_day} (GFEX close, without tax): "
        f"{number(abs(distance), 1)} % {'below' if distance < 0 else 'above'} it."
    )


def _largest(headline: Mapping[str, Any]) -> Iterator[str]:
    yield heading("最大的十份合同 Ten largest contracts")
    yield f"  {'':<56}{'quantity':>16}{'CNY ex works':>16}{'bn CNY':>9}"
    units = {line["product"]: line["unit"] for line in headline["products"]}
    for place, contract in enumerate(headline["largest"], start=1):
        unit = units[contract["product"]]
        quantity, price = number(Decimal(contract["units"])), _price(Decimal(contract["price_ex_works"]))
        value = number(Decimal(contract["value"]) / BILLION, 2)
        zh, en = (f"{contract['seller_' + name]} → {contract['buyer_' + name]}" for name in ("zh", "en"))
        yield f"  {place:>2}  {cell(zh, 52)}{quantity + ' ' + cell(unit, 3):>16}{price + '/' + unit:>16}{value:>9}"
        window = f"{contract['first_period'][2:]} to {contract['last_period'][2:]}"
        what = f"{_names(contract['product'])[1]}, {window}"
        yield f"      {cell(re.sub(AGGREGATE, '*', en), 59)} {cell(what, 33, right=True)}"
    yield "      * together: the firms that our sources do not list one by one"


def _names(product: str) -> tuple[str, str]:
    hub = HUBS[product]
    return hub.zh, hub.en


def _unmatched(headline: Mapping[str, Any]) -> Iterator[str]:
    reasons = headline["unmatched"]
    offers = sum(headline["offers"].values())
    yield heading("未成交 Not matched")
    yield f"  {sum(reasons.values())} of {offers} offers, each with its reason:"
    for reason, count in sorted(reasons.items(), key=lambda one: (-one[1], one[0])):
        yield f"  {count:>5}  {REASONS.get(reason, reason)}"
