"""Reference prices of the scenario: from the index and the quotations of prices.csv by bill of materials and fee.

All results are CNY per unit, tax excluded, as quoted at the last date of the index. The forward curve is flat: the
tables hold no later fixings. These are references for synthetic reserve prices, not prices of any firm.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from .tables import Tables

INDEX = "GFEX-LC"
STEP = {"t": Decimal(1), "kWh": Decimal("0.01"), "m2": Decimal("0.0001")}
LFP_CONTRACT = "cathode_LFP"


def coefficients(tables: Tables) -> dict[tuple[str, str], Decimal]:
    """Units of input per unit of output, with the process yield: quantity / yield, six decimals."""
    return {
        (row.output, row.input): (row.quantity / row.yield_).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)
        if row.yield_ != 1
        else row.quantity
        for row in tables.bom
    }


def last_close(tables: Tables, day: str | None = None) -> Decimal:
    """The index without tax: its last close, or the close of `day` (ISO date), CNY per tonne.

    :raises KeyError: there is no close on that day.
    """
    closes = index_fixings(tables)
    return closes[day or max(closes)]


def index_fixings(tables: Tables, kind: str = "close") -> dict[str, Decimal]:
    """ISO date to the index without tax, CNY/t: daily closes, or monthly means (`monthly_mean`) dated on the first."""
    return {
        row.date: _without_tax(tables, row.price, row.vat_included)
        for row in tables.prices
        if row.series == INDEX and row.kind == kind
    }


def reference_prices(tables: Tables) -> dict[str, Decimal]:
    """Product to its reference price in China, CNY per unit, tax excluded."""
    use, fee = coefficients(tables), fees(tables)
    price = {"lithium_carbonate": last_close(tables)}
    for product in ("iron_phosphate", "anode_graphite", "separator", "cell_LFP"):
        price[product] = _last_quote(tables, product)
    ore = use["lithium_carbonate", "spodumene_concentrate"]
    price["spodumene_concentrate"] = (price["lithium_carbonate"] - fee["lithium_carbonate"]) / ore
    for metal in ("nickel_metal", "cobalt_metal", "manganese_metal"):
        price[metal] = _last_metal(tables, metal) * tables.assumption("usd_cny")
    built = {
        "lithium_hydroxide": ("spodumene_concentrate",),
        "LiPF6": ("lithium_carbonate",),
        "electrolyte": ("LiPF6",),
        "precursor_NCM523": ("nickel_metal", "cobalt_metal", "manganese_metal"),
        "precursor_NCM811": ("nickel_metal", "cobalt_metal", "manganese_metal"),
        "cathode_LFP": ("lithium_carbonate", "iron_phosphate"),
        "cathode_NCM523": ("lithium_carbonate", "precursor_NCM523"),
        "cathode_NCM811": ("lithium_hydroxide", "precursor_NCM811"),
    }
    for product, inputs in built.items():
        price[product] = fee[product] + sum(use[product, name] * price[name] for name in inputs)
    return {row.product: price[row.product] for row in tables.products}


def fees(tables: Tables) -> dict[str, Decimal]:
    """Conversion fee per unit of product: fees.csv, and for LFP cathode what observed contract T06 leaves.

    T06 implies a price per tonne of LFP; less carbonate at the index of its day and iron phosphate by bill of
    materials, the rest pays the processor.
    """
    found = {row.product: row.fee for row in tables.fees}
    use = coefficients(tables)
    contract = next(row for row in tables.prices if row.series == LFP_CONTRACT and row.kind == "contract")
    found[LFP_CONTRACT] = (
        _without_tax(tables, contract.price, contract.vat_included)
        - use[LFP_CONTRACT, "lithium_carbonate"] * last_close(tables, contract.date)
        - use[LFP_CONTRACT, "iron_phosphate"] * _last_quote(tables, "iron_phosphate")
    )
    return found


def to_step(price: Decimal, unit: str) -> Decimal:
    """A price on the tick of its unit: 1 CNY/t, 0.01 CNY/kWh, 0.0001 CNY/m2."""
    return price.quantize(STEP[unit], ROUND_HALF_EVEN)


def _last_quote(tables: Tables, series: str) -> Decimal:
    row = max((row for row in tables.prices if row.series == series and row.kind == "quote"), key=lambda row: row.date)
    return _without_tax(tables, row.price, row.vat_included)


def _last_metal(tables: Tables, series: str) -> Decimal:
    return max((row for row in tables.prices if row.series == series), key=lambda row: row.date).price


def _without_tax(tables: Tables, price: Decimal, included: bool) -> Decimal:
    return price / (1 + tables.assumption("vat")) if included else price
