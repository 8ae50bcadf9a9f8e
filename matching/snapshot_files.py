"""A snapshot as a folder of CSV files, read and written; docs/matching-files.md tells the columns.

Quantities in the files are units of the product, in the snapshot whole lots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from market.errors import InvalidValue

from . import snapshot_tables as tables
from .csv_tables import Table, write_table
from .snapshot import Conversion, Offer, Snapshot
from .snapshot_reading import SnapshotReader

Cells = Sequence[str | int | Decimal | None]


def read_snapshot(directory: Path) -> Snapshot:
    """The snapshot of a folder.

    :raises BadInput: anything is wrong, with a fault for each thing (the first fifty).
    """
    return SnapshotReader(directory).snapshot()


def write_snapshot(snapshot: Snapshot, directory: Path) -> None:
    """Write a snapshot so that reading it gives the same digest; files of an earlier snapshot go.

    :raises InvalidValue: a specification names an attribute whose bound the snapshot does not know.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = list(_files(snapshot))
    for table, rows in written:
        path = directory / table.file
        if rows or table.needed:
            write_table(path, table.columns, sorted(rows, key=lambda row: [str(cell) for cell in row]))
        else:
            path.unlink(missing_ok=True)


def unread_files(directory: Path) -> list[str]:
    """CSV files of a folder that no snapshot has: a name may be misspelt."""
    known = {table.file for table in tables.TABLES}
    return sorted(path.name for path in directory.glob("*.csv") if path.name not in known)


def _files(snapshot: Snapshot) -> Iterator[tuple[Table, list[Cells]]]:
    labels = snapshot.horizon.labels()
    product = {offer.offer: offer.product for offer in snapshot.offers}
    parties: list[tuple[str, Offer | Conversion]] = [
        *((offer.offer, offer) for offer in snapshot.offers),
        *((conversion.conversion, conversion) for conversion in snapshot.conversions),
    ]
    periods = zip(snapshot.horizon, snapshot.discount or (None,) * len(snapshot.horizon), strict=True)
    yield tables.PERIODS, [(str(period), period.months, worth) for period, worth in periods]
    yield tables.GRADES, [(g.product, g.grade, g.rank, g.lot, g.unit) for g in snapshot.grades]
    yield tables.OFFERS, [_offer(snapshot, offer) for offer in snapshot.offers]
    yield tables.CONVERSIONS, [_conversion(snapshot, conversion) for conversion in snapshot.conversions]
    yield (
        tables.CONVERSION_INPUTS,
        [
            (c.conversion, need.product, need.grade, need.quantity_per_output, need.own_stock)
            for c in snapshot.conversions
            for need in c.inputs
        ],
    )
    yield tables.PROFILES, [row for label, party in parties for row in _profile(snapshot, label, party)]
    yield tables.FREIGHT, [(*route, cost) for route, cost in snapshot.freight.items()]
    yield (
        tables.CORRIDORS,
        [
            (c.product, c.origin, c.destination, "*" if c.position is None else labels[c.position], c.limit)
            for c in snapshot.corridors
        ],
    )
    yield tables.CEILINGS, [(c.product, c.share, c.firm or "") for c in snapshot.ceilings]
    yield tables.EXCLUSIONS, [(min(pair), max(pair)) for pair in snapshot.exclusions]
    yield tables.WINDOWS, [(labels[first], labels[last]) for first, last in snapshot.windows or ()]
    yield tables.AFFILIATES, [*snapshot.affiliates.items()]
    yield tables.SPECIFICATIONS, [*_specifications(snapshot, parties)]
    yield tables.CERTIFICATES, [*_certificates(labels, parties)]
    yield (
        tables.COMMITMENTS,
        [
            (c.sell, c.buy, labels[position], lots * snapshot.lot(product[c.sell]))
            for c in snapshot.commitments
            for position, lots in enumerate(c.quantity)
            if lots
        ],
    )
    yield tables.DELIVERY, [(offer.offer, 1) for offer in snapshot.offers if offer.freight_included]
    yield (
        tables.APPROVED,
        [
            (label, firm, product)
            for label, product, firms in _approvals(snapshot)
            if firms is not None
            for firm in firms or ("",)
        ],
    )
    yield tables.ORIGINS, [*_origins(snapshot)]
    yield (
        tables.ORIGIN_RULES,
        [
            (r.product, r.origin, r.destination, "*" if r.position is None else labels[r.position], r.limit)
            for r in snapshot.origin_rules
        ],
    )


def _approvals(snapshot: Snapshot) -> Iterator[tuple[str, str, frozenset[str] | None]]:
    for offer in snapshot.offers:
        yield offer.offer, "", offer.approved_firms
    for conversion in snapshot.conversions:
        for need in conversion.inputs:
            yield conversion.conversion, need.product, need.approved_firms


def _origins(snapshot: Snapshot) -> Iterator[Cells]:
    for offer in snapshot.offers:
        if offer.origins is not None:
            yield from ((offer.offer, origin, 1) for origin in offer.origins or ("",))
        yield from ((offer.offer, origin, 0) for origin in offer.barred_origins - (offer.origins or frozenset()))


def _vectors(party: Offer | Conversion) -> tuple[Sequence[int], Sequence[Decimal]]:
    return (party.quantity, party.price) if isinstance(party, Offer) else (party.capacity, party.fee)


def _flat(party: Offer | Conversion) -> tuple[int, int, int, Decimal]:
    """First and last position, lots and price as the one row can tell them; a profile tells the rest.

    Outside its window an offer has the price of its row, so the window holds every period with another price.
    """
    quantity, price = _vectors(party)
    open_at = [position for position, lots in enumerate(quantity) if lots]
    closed = [amount for lots, amount in zip(quantity, price, strict=True) if not lots]
    common = Counter(closed or price).most_common(1)[0][0]
    inside = sorted({*open_at, *(position for position, amount in enumerate(price) if amount != common)}) or [0]
    lots = Counter(quantity[position] for position in open_at).most_common(1)[0][0] if open_at else 1
    return inside[0], inside[-1], lots, common


def _offer(snapshot: Snapshot, offer: Offer) -> Cells:
    first, last, lots, price = _flat(offer)
    labels, lot = snapshot.horizon.labels(), snapshot.lot(offer.product)
    return (
        *(offer.offer, offer.side, offer.firm, offer.product, offer.grade, offer.region, labels[first], labels[last]),
        *(lots * lot, price, offer.min_term, offer.max_term, offer.min_rate * lot, int(offer.all_or_none)),
        *(offer.max_share, offer.group, offer.origin, offer.most_contracts, offer.only_with),
    )


def _conversion(snapshot: Snapshot, conversion: Conversion) -> Cells:
    first, last, lots, fee = _flat(conversion)
    labels, lot = snapshot.horizon.labels(), snapshot.lot(conversion.product)
    return (
        *(conversion.conversion, conversion.firm, conversion.region, conversion.product, conversion.grade),
        *(labels[first], labels[last], lots * lot, fee, conversion.min_term, conversion.max_term, conversion.origin),
    )


def _profile(snapshot: Snapshot, label: str, party: Offer | Conversion) -> Iterator[Cells]:
    first, last, lots, price = _flat(party)
    quantities, prices = _vectors(party)
    lot, labels = snapshot.lot(party.product), snapshot.horizon.labels()
    for position in range(first, last + 1):
        if (quantities[position], prices[position]) != (lots, price):
            yield label, labels[position], quantities[position] * lot, prices[position]


def _specifications(snapshot: Snapshot, parties: Sequence[tuple[str, Offer | Conversion]]) -> Iterator[Cells]:
    unused: Mapping[str, str] = dict(snapshot.attributes)
    for label, party in parties:
        for attribute, value in party.specification.items():
            if attribute not in snapshot.attributes:
                raise InvalidValue(f"{label} names attribute {attribute} without a bound; expected one in attributes")
            unused = {name: bound for name, bound in unused.items() if name != attribute}
            yield label, attribute, snapshot.attributes[attribute], value
    for attribute, bound in unused.items():
        yield None, attribute, bound, None


def _certificates(labels: Sequence[str], parties: Sequence[tuple[str, Offer | Conversion]]) -> Iterator[Cells]:
    for label, party in parties:
        for certificate, until in party.certificates.items():
            yield label, certificate, None if until is None else labels[until]
