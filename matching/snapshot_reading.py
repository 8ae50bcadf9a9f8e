"""Reads a snapshot folder: offers first, then the limits between them."""

from __future__ import annotations

from decimal import Decimal

from market.errors import BadInput

from . import snapshot_tables as tables
from .snapshot import ANY_PRODUCT, Ceiling, Commitment, Corridor, OriginRule, Side, Snapshot
from .snapshot_offers import CONVERSION, OfferReader, conversion_of, offer_of


class SnapshotReader(OfferReader):
    """One folder being read into a snapshot."""

    def snapshot(self) -> Snapshot:
        """:raises BadInput: anything is wrong, with all of it."""
        self.read_offers()
        affiliates, freight = self._affiliates(), self._freight()
        corridors, ceilings, origin_rules = self._corridors(), self._ceilings(), self._origin_rules()
        exclusions, windows, commitments = self._exclusions(), self._windows(), self._commitments()
        if self.faults.found or self.horizon is None:
            raise BadInput(self.faults.found)
        return Snapshot(
            horizon=self.horizon,
            grades=tuple(self.grades.values()),
            offers=tuple(offer_of(label, d) for label, d in self.drafts.items() if d.kind != CONVERSION),
            conversions=tuple(conversion_of(label, d) for label, d in self.drafts.items() if d.kind == CONVERSION),
            freight=freight,
            corridors=corridors,
            ceilings=ceilings,
            origin_rules=origin_rules,
            exclusions=exclusions,
            windows=windows,
            affiliates=affiliates,
            attributes=self.bounds,
            commitments=commitments,
            discount=self.discount,
        )

    def _freight(self) -> dict[tuple[str, str, str], Decimal]:
        cost = {}
        for row in self.once(tables.FREIGHT, "product", "from_region", "to_region"):
            product = ANY_PRODUCT if row["product"] == ANY_PRODUCT else self.known_product(row)
            cost[product, row.label("from_region"), row.label("to_region")] = row.number("cost")
        return cost

    def _corridors(self) -> tuple[Corridor, ...]:
        return tuple(
            Corridor(
                product=self.known_product(row),
                origin=row.label("from_region"),
                destination=row.label("to_region"),
                position=None if row["period"] == "*" else row.position("period", self.horizon),
                limit=row.number("limit"),
            )
            for row in self.once(tables.CORRIDORS, "product", "from_region", "to_region", "period")
        )

    def _origin_rules(self) -> tuple[OriginRule, ...]:
        return tuple(
            OriginRule(
                product=self.known_product(row),
                origin=row.label("origin"),
                destination=row.label("to_region"),
                position=None if row["period"] == "*" else row.position("period", self.horizon),
                limit=row.number("limit"),
            )
            for row in self.once(tables.ORIGIN_RULES, "product", "origin", "to_region", "period")
        )

    def _ceilings(self) -> tuple[Ceiling, ...]:
        return tuple(
            Ceiling(
                product=self.known_product(row),
                share=row.number("share", most=Decimal(1)),
                firm=row.label("firm") if row["firm"] else None,
            )
            for row in self.once(tables.CEILINGS, "product", "firm")
        )

    def _exclusions(self) -> frozenset[frozenset[str]]:
        rows = self.rows(tables.EXCLUSIONS)
        return frozenset(frozenset((row.label("firm_a"), row.label("firm_b"))) for row in rows)

    def _windows(self) -> tuple[tuple[int, int], ...] | None:
        found = self.found[tables.WINDOWS]
        if not found:
            if found is not None and (self.directory / tables.WINDOWS.file).exists():
                self.faults.add(tables.WINDOWS.file, None, None, "there is no window", "at least one row, or no file")
            return None
        return tuple(row.span(self.horizon) for row in self.once(tables.WINDOWS, "first_period", "last_period"))

    def _affiliates(self) -> dict[str, str]:
        return {row.label("firm"): row.label("group") for row in self.once(tables.AFFILIATES, "firm")}

    def _commitments(self) -> tuple[Commitment, ...]:
        lots: dict[tuple[str, str], list[int]] = {}
        for row in self.once(tables.COMMITMENTS, "sell", "buy", "period"):
            sell, buy = self.known(row, "sell", Side.SELL), self.known(row, "buy", Side.BUY)
            position = row.position("period", self.horizon)
            if sell is None or buy is None or self.horizon is None:
                continue
            if sell.product != buy.product:
                row.fault("buy", f"{row.shown('buy')} is about {buy.product}", f"{sell.product}, as the sell offer")
            vector = lots.setdefault((row["sell"], row["buy"]), [0] * len(self.horizon))
            vector[position] = self.lots(row, "quantity", sell.product, above_zero=True)
        return tuple(Commitment(sell=s, buy=b, quantity=tuple(vector)) for (s, b), vector in lots.items())
