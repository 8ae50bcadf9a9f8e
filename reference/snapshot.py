"""Writes a scenario as the folder of CSV files that the matcher reads (UTF-8, header line, decimals as text)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from market.periods import Period

from .offers import Scenario, ScenarioOffer

Cell = str | int | Decimal
# fmt: off
OFFER_COLUMNS = (
    "offer", "side", "firm", "product", "grade", "region", "first_period", "last_period", "quantity", "price",
    "min_term", "max_term", "min_rate", "all_or_none", "max_share", "group",
)
CONVERSION_COLUMNS = (
    "conversion", "firm", "region", "output_product", "output_grade", "first_period", "last_period", "capacity",
    "fee", "min_term", "max_term",
)
# fmt: on


def write_snapshot(scenario: Scenario, directory: Path) -> None:
    """Write the scenario's files into `directory`, which is made if it is not there.

    Besides the matcher's own files: specifications.csv (offer, attribute, bound, value: what a sell or conversion
    offer guarantees, what a buy offer requires) and certificates.csv (offer, certificate, valid_to: held by sellers
    and processors, required by buyers; an empty valid_to means beyond the horizon).
    """
    directory.mkdir(parents=True, exist_ok=True)
    traded = [offer for offer in scenario.offers if offer.side != "conversion"]
    conversions = [offer for offer in scenario.offers if offer.side == "conversion"]
    _write(
        directory / "periods.csv", ("period", "months"), ((str(period), period.months) for period in scenario.horizon)
    )
    _write_offers(directory, traded)
    _write_conversions(directory, conversions)
    _write(
        directory / "grades.csv",
        ("product", "grade", "rank", "lot", "unit"),
        ((row.product, row.grade, row.rank, row.lot, row.unit) for row in scenario.grades),
    )
    _write(
        directory / "freight.csv",
        ("product", "from_region", "to_region", "cost"),
        ((row.product, row.from_region, row.to_region, row.cost) for row in scenario.freight),
    )
    _write(
        directory / "corridors.csv",
        ("product", "from_region", "to_region", "period", "limit"),
        ((row.product, row.from_region, row.to_region, "*", row.limit) for row in scenario.corridors),
    )
    _write(
        directory / "exclusions.csv",
        ("firm_a", "firm_b"),
        ((row.firm_a, row.firm_b) for row in scenario.exclusions),
    )
    _write_requirements(directory, scenario)


def _write_offers(directory: Path, offers: Sequence[ScenarioOffer]) -> None:
    _write(
        directory / "offers.csv",
        OFFER_COLUMNS,
        (
            (
                *(row.offer, row.side, row.firm, row.product, row.grade, row.region, row.first_period),
                *(row.last_period, row.quantity[0], row.price[0], row.min_term, row.max_term, 0, 0),
                *("" if row.max_share == 1 else row.max_share, ""),
            )
            for row in offers
        ),
    )
    _write(
        directory / "profiles.csv",
        ("offer", "period", "quantity", "price"),
        (
            (row.offer, period, quantity, price)
            for row in offers
            for period, quantity, price in zip(periods_of(row), row.quantity, row.price, strict=True)
            if (quantity, price) != (row.quantity[0], row.price[0])
        ),
    )


def _write_conversions(directory: Path, conversions: Sequence[ScenarioOffer]) -> None:
    _write(
        directory / "conversions.csv",
        CONVERSION_COLUMNS,
        (
            (
                *(row.offer, row.firm, row.region, row.product, row.grade, row.first_period, row.last_period),
                *(min(row.quantity), row.price[0], row.min_term, row.max_term),
            )
            for row in conversions
        ),
    )
    _write(
        directory / "conversion_inputs.csv",
        ("conversion", "product", "grade", "quantity_per_output", "own_stock_per_period"),
        (
            (row.offer, needed.product, needed.grade, needed.quantity_per_output, needed.own_stock_per_period)
            for row in conversions
            for needed in row.inputs
        ),
    )


def _write_requirements(directory: Path, scenario: Scenario) -> None:
    _write(
        directory / "specifications.csv",
        ("offer", "attribute", "bound", "value"),
        (
            (row.offer, limit.attribute, limit.bound, limit.value)
            for row in scenario.offers
            for limit in row.specification
        ),
    )
    held = {firm.firm: firm.certificates for firm in scenario.firms}
    _write(
        directory / "certificates.csv",
        ("offer", "certificate", "valid_to"),
        (
            (row.offer, term.certificate, term.valid_to or "")
            for row in scenario.offers
            for term in (row.certificates if row.side == "buy" else held[row.firm])
        ),
    )


def periods_of(offer: ScenarioOffer) -> list[str]:
    """Labels of the periods an offer's vectors run over."""
    first = Period.parse(offer.first_period)
    return [str(first + position) for position in range(len(offer.quantity))]


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_text(cell) for cell in row] for row in rows)


def _text(cell: Cell) -> str:
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell)
