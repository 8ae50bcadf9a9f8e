"""What two scarce inputs of one conversion earn together is claimed by neither: each gets the mean of two ends."""

from __future__ import annotations

from decimal import Decimal

import pytest

from matching.building import build
from matching.clearing import clear
from matching.engine import Engine, ReferenceEngine, WarmEngine
from matching.lanes import find_lanes
from matching.prices import price_range
from matching.snapshot import Conversion, ConversionInput
from tests.unit.markets import buy, sell, snapshot


@pytest.mark.parametrize("engine", [WarmEngine, ReferenceEngine])
def test_two_scarce_inputs_share_what_neither_can_claim_alone(engine: type[Engine]) -> None:
    """A tonne of cells fetches 100, costs 10 to make and 10 + 20 of inputs: 60 are left, 30 for each input."""
    inputs = tuple(
        ConversionInput(product=product, grade="plain", quantity_per_output=Decimal(1), own_stock=Decimal(0))
        for product in ("ore", "salt")
    )
    plant = Conversion(
        conversion="plant",
        firm="Maker",
        product="cell",
        grade="plain",
        region="north",
        capacity=(10,),
        fee=(Decimal(10),),
        inputs=inputs,
    )
    ore, salt = sell("ore", [20], "10"), sell("salt", [40], "20", product="salt")  # 20 t of each, for 50 t of cells
    market = build(snapshot(ore, salt, buy("cell", [5], "100", product="cell"), conversions=[plant]))
    ends = price_range(clear(market, find_lanes(market), engine))
    per_tonne = ends.sellers_best.seller[:2, 0] / [float(market.lot[product]) for product in market.sellers.product[:2]]
    assert per_tonne == pytest.approx([30, 30], abs=1e-6)
    value = ends.sellers_best.buyer[1:, 0] / [float(market.lot[product]) for product in market.buyers.product[1:]]
    assert value == pytest.approx([40, 50], abs=1e-6)
