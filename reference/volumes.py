"""Open volumes: what real capacities leave for sale and what real needs leave to be bought, per year.

Supply  = capacity x utilisation - in-house use - committed volume.
Demand  = need by bill of materials - what the firm's own output or in-house share covers - committed volume,
          times the posted share where the list of makers is incomplete.
docs/reference-data.md tells the rule in full.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from . import rows as r
from .offers import Side
from .prices import coefficients
from .tables import Tables

FIRST_YEAR, LAST_YEAR = 2027, 2028
KWH_PER_GWH = Decimal(1_000_000)
RECOVERY_SCHEME = "CN-MIIT-2024 whole chain"
BEST_GRADE = {"lithium_carbonate": "battery", "anode_graphite": "synthetic", "separator": "wet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenInput:
    """An input of an open conversion: units per unit of output, and the share of it the processor brings."""

    product: str
    grade: str
    quantity_per_output: Decimal
    own_share: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVolume:
    """What one site has open of one grade, units per year, and how it was derived."""

    side: Side
    firm: str
    site: str
    product: str
    grade: str
    per_year: Decimal
    inputs: tuple[OpenInput, ...]
    basis: str


class Chain:
    """The chain's yearly volumes as the tables have them."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.use = coefficients(tables)
        self.rate = {row.product: row.rate for row in tables.utilisation}
        self.kept_share = {(row.firm, row.product): row.share for row in tables.in_house_output}
        self.need_share = {(row.firm, row.product): row.share for row in tables.in_house_need}
        self.posted = {row.product: row.share for row in tables.posted_share}
        self.toll = tables.assumption("toll_share")
        self.grades: dict[str, list[str]] = defaultdict(list)
        for grade in sorted(tables.grades, key=lambda row: row.rank):
            self.grades[grade.product].append(grade.grade)
        self.sites: dict[str, list[r.Site]] = defaultdict(list)
        for site in tables.sites:
            self.sites[site.firm].append(site)
        self.makes = [(row, self._output(row)) for row in tables.capacity]
        self.output: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for row, made in self.makes:
            self.output[row.firm, row.product] += made
        for firm, made in self._recycled().items():
            self.output[firm, "lithium_carbonate"] += made
        self.committed_by: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.committed_to: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for contract in tables.observed_contracts:
            if contract.first_year <= FIRST_YEAR and contract.last_year >= LAST_YEAR:
                self.committed_by[contract.supplier, contract.product] += contract.per_year
                self.committed_to[contract.buyer, contract.product] += contract.per_year
        self.kept_for: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for kept in tables.in_house_output:
            if kept.used_by:
                self.kept_for[kept.used_by, kept.product] += kept.share * self.output[kept.firm, kept.product]

    def volumes(self) -> list[OpenVolume]:
        """Every open volume above zero, sorted by side, firm, site, product and grade."""
        found = [
            *self._makers(),
            *self._recyclers(),
            *self._processor_needs(),
            *self._cell_makers(),
            *self._cell_buyers(),
        ]
        merged: dict[tuple[str, str, str, str, str], OpenVolume] = {}
        for volume in found:
            key = (volume.side, volume.firm, volume.site, volume.product, volume.grade)
            if volume.per_year > 0:
                merged[key] = _joined(merged.get(key), volume)
        return [merged[key] for key in sorted(merged)]

    def open_output(self, firm: str, product: str) -> Decimal:
        """Units a firm has left to sell in a year: output less in-house use and commitments, not below zero."""
        made = self.output[firm, product]
        kept = made * self.kept_share.get((firm, product), Decimal(0))
        return max(made - kept - self.committed_by[firm, product], Decimal(0))

    def covered(self, firm: str, product: str, need: Decimal) -> Decimal:
        """Share of a need that the firm's in-house supply meets, 0 to 1."""
        if need <= 0:
            return Decimal(0)
        share = self.need_share.get((firm, product), Decimal(0)) + self.kept_for[firm, product] / need
        return min(share, Decimal(1))

    def cells(self) -> dict[tuple[str, str], Decimal]:
        """Cell output in kWh per year by firm and cell product; a nested firm is taken off its aggregate."""
        gwh: dict[str, Decimal] = {}
        for row in self.tables.cells:
            gwh[row.firm] = row.gwh_per_year * (self.rate["cell"] if row.basis == "nameplate" else 1)
        for row in self.tables.cells:
            if row.nested_in:
                gwh[row.nested_in] -= gwh[row.firm]
        shares = {row.cell: row.share for row in self.tables.chemistry}
        found = {}
        for row in self.tables.cells:
            parts = shares if row.chemistry == "mixed" else {f"cell_{row.chemistry}": Decimal(1)}
            for cell, share in parts.items():
                found[row.firm, cell] = gwh[row.firm] * share * KWH_PER_GWH
        return found

    def _output(self, row: r.Capacity) -> Decimal:
        return row.per_year * (self.rate[row.product] if row.basis == "nameplate" else 1)

    def _recycled(self) -> dict[str, Decimal]:
        """Lithium carbonate from spent batteries, t per year: input x lithium x recovery x carbonate per lithium."""
        number = self.tables.assumption
        recovery = next(row.rate for row in self.tables.recovery if row.scheme == RECOVERY_SCHEME and row.metal == "Li")
        per_tonne = number("cell_lithium") * recovery * number("carbonate_per_lithium")
        brunp = number("recycled_brunp") * self.rate["recycling"]
        return {"brunp": brunp * per_tonne, "recyclers_china": (number("recycled_china") - brunp) * per_tonne}

    def _makers(self) -> Iterator[OpenVolume]:
        """Sell and conversion volumes of everyone with a capacity row."""
        for row, made in self.makes:
            whole = self.output[row.firm, row.product]
            left = self.open_output(row.firm, row.product) * made / whole
            inputs = self._inputs(row.firm, row.product, row.inputs.split())
            toll = self.toll if inputs else Decimal(0)
            basis = (
                f"{row.per_year:f} {row.unit}/yr as of {row.as_of}, output {made:.0f}; in-house use and contracts take "
                f"{made - left:.0f}; open {left:.0f}"
            )
            for grade, share in self._made_grades(row):
                for site, weight in self._placed(row.firm, row.site):
                    part = left * share * weight
                    common = {"firm": row.firm, "site": site, "product": row.product, "grade": grade, "basis": basis}
                    yield OpenVolume(side="sell", per_year=part * (1 - toll), inputs=(), **common)
                    if inputs:
                        yield OpenVolume(side="conversion", per_year=part * toll, inputs=inputs, **common)

    def _recyclers(self) -> Iterator[OpenVolume]:
        for firm, made in self._recycled().items():
            left = self.open_output(firm, "lithium_carbonate")
            basis = f"recycled carbonate {made:.0f} t/yr by the floor of {RECOVERY_SCHEME}, open {left:.0f}"
            for site, weight in self._placed(firm, ""):
                yield OpenVolume(
                    side="sell",
                    firm=firm,
                    site=site,
                    product="lithium_carbonate",
                    grade=BEST_GRADE["lithium_carbonate"],
                    per_year=left * weight,
                    inputs=(),
                    basis=basis,
                )

    def _processor_needs(self) -> Iterator[OpenVolume]:
        """What processors buy for the goods they make on their own account."""
        for row, made in self.makes:
            names = row.inputs.split()
            if not names:
                continue
            whole = self.output[row.firm, row.product]
            tolled = self.open_output(row.firm, row.product) * (
                self.toll if self._inputs(row.firm, row.product, names) else 0
            )
            own = max(whole - self.committed_by[row.firm, row.product] - tolled, Decimal(0)) * made / whole
            for name in names:
                need = own * self.use[row.product, name]
                whole_need = whole * self.use[row.product, name]
                bought = need * (1 - self.covered(row.firm, name, whole_need))
                basis = f"{own:.0f} {row.product} on own account x {self.use[row.product, name]}, bought {bought:.0f}"
                grades = self._wanted_grades(name, row.product)
                for grade, share in grades:
                    for site, weight in self._placed(row.firm, row.site):
                        yield _bought((row.firm, site), name, grade, bought * share * weight, basis)

    def _cell_makers(self) -> Iterator[OpenVolume]:
        """Cathode, anode, electrolyte and separator for cells; and Chinese LFP cells open as conversion."""
        open_share = self.tables.assumption("open_cell_share")
        home = {row.firm for row in self.tables.firms if row.country == "CN"}
        for (firm, cell), kwh in self.cells().items():
            toll = open_share if cell == "cell_LFP" and firm in home else Decimal(0)
            names = sorted(name for output, name in self.use if output == cell)
            for name in names:
                need = kwh * (1 - toll) * self.use[cell, name]
                left = need * (1 - self.covered(firm, name, need)) - self.committed_to[firm, name]
                posted = max(left, Decimal(0)) * self.posted.get(name, Decimal(1))
                basis = (
                    f"{kwh / KWH_PER_GWH:.1f} GWh x {self.use[cell, name]} {name}, left {left:.0f}, posted {posted:.0f}"
                )
                for grade, share in self._wanted_grades(name, cell):
                    for site, weight in self._placed(firm, ""):
                        yield _bought((firm, site), name, grade, posted * share * weight, basis)
            if toll:
                inputs = self._inputs(firm, cell, names)
                for site, weight in self._placed(firm, ""):
                    yield OpenVolume(
                        side="conversion",
                        firm=firm,
                        site=site,
                        product=cell,
                        grade=self.grades[cell][0],
                        per_year=kwh * toll * weight,
                        inputs=inputs,
                        basis=f"{kwh / KWH_PER_GWH:.1f} GWh of LFP cells x open share {toll}",
                    )

    def _cell_buyers(self) -> Iterator[OpenVolume]:
        share = next(row.share for row in self.tables.chemistry if row.cell == "cell_LFP")
        wanted = self.tables.assumption("ev_gwh") * share * KWH_PER_GWH * self.posted["cell_LFP"]
        for site, weight in self._placed("ev_china", ""):
            basis = f"{self.tables.assumption('ev_gwh')} GWh installed x LFP share {share} x posted share"
            yield _bought(("ev_china", site), "cell_LFP", self.grades["cell_LFP"][0], wanted * weight, basis)

    def _inputs(self, firm: str, product: str, names: list[str]) -> tuple[OpenInput, ...]:
        """The inputs a processor takes from the market; one it has wholly in-house is none of the market's business."""
        found = []
        for name in names:
            need = self.output[firm, product] * self.use[product, name]
            own = self.covered(firm, name, need)
            if own < 1:
                grade = self._wanted_grades(name, product)[0][0]
                coefficient = self.use[product, name]
                found.append(OpenInput(product=name, grade=grade, quantity_per_output=coefficient, own_share=own))
        return tuple(found)

    def _made_grades(self, row: r.Capacity) -> list[tuple[str, Decimal]]:
        if row.grade:
            return [(row.grade, Decimal(1))]
        high = self.tables.assumption("high_compaction_share")
        return [("high_compaction", high), ("standard", 1 - high)]

    def _wanted_grades(self, name: str, output: str) -> list[tuple[str, Decimal]]:
        """Grades of an input and their shares, the usual one first."""
        number = self.tables.assumption
        if name == "lithium_carbonate" and output == "lithium_hydroxide":
            return [("technical", Decimal(1))]
        lower = {
            ("cathode_LFP", "lithium_carbonate"): ("technical", number("technical_share")),
            ("cell_LFP", "separator"): ("dry", number("dry_share_LFP")),
        }.get((output, name))
        if name == "anode_graphite":
            lower = ("natural", number("natural_share"))
        if name == "cathode_LFP":
            lower = ("standard", 1 - number("high_compaction_share"))
            return [("standard", lower[1]), ("high_compaction", 1 - lower[1])]
        best = BEST_GRADE.get(name, self.grades[name][-1])
        if lower is None:
            return [(best, Decimal(1))]
        return [(best, 1 - lower[1]), lower]

    def _placed(self, firm: str, site: str) -> list[tuple[str, Decimal]]:
        """The sites that share a volume, with shares that add up to one."""
        if site:
            return [(site, Decimal(1))]
        total = sum((row.weight for row in self.sites[firm]), Decimal(0))
        return [(row.site, row.weight / total) for row in self.sites[firm]]


def _bought(place: tuple[str, str], product: str, grade: str, per_year: Decimal, basis: str) -> OpenVolume:
    firm, site = place
    return OpenVolume(
        side="buy", firm=firm, site=site, product=product, grade=grade, per_year=per_year, inputs=(), basis=basis
    )


def _joined(first: OpenVolume | None, more: OpenVolume) -> OpenVolume:
    """Two volumes of one side, site and grade as one."""
    if first is None:
        return more
    return OpenVolume(
        side=more.side,
        firm=more.firm,
        site=more.site,
        product=more.product,
        grade=more.grade,
        per_year=first.per_year + more.per_year,
        inputs=more.inputs,
        basis=f"{first.basis}; {more.basis}",
    )
