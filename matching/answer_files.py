"""An answer as a folder: contracts.csv, results.csv, prices.csv, certificate.json.

Quantities in the files are units of the product, in the answer whole lots; prices are CNY per unit.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from market.errors import InvalidValue
from market.periods import Horizon

from .answer import Answer, Certificate, Contract, Reason, ShadowPrice
from .csv_tables import SEPARATOR, Faults, Row, Table, read_table, write_table
from .snapshot import Snapshot

# fmt: off
CONTRACTS = Table(
    file="contracts.csv",
    columns=(
        "seller", "buyer", "product", "first_period", "last_period", "rate", "price_ex_works", "freight",
        "price_delivered", "bundle",
    ),
    needed=True,
)
# fmt: on
PRICES = Table(file="prices.csv", columns=("kind", "subject", "period", "shadow_price"), needed=True)
RESULTS = "results.csv"
CERTIFICATE = "certificate.json"
ANSWER_FILES = frozenset({CONTRACTS.file, RESULTS, PRICES.file, CERTIFICATE})
STATED = ("welfare", "dual_bound", "gap", "rounding_loss")
COUNTED = ("lanes", "candidates", "blocking_pairs")
LISTED = ("violations", "uncertified")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenResult:
    """What results.csv says of one offer: lots filled by position, reason, distance in CNY per unit."""

    filled: tuple[int, ...]
    reason: str
    distance: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAnswer:
    """What a folder says: contracts, shadow prices, results by offer; of its certificate the amounts and counts, what
    speaks against the answer and which offers it does not certify."""

    contracts: tuple[Contract, ...]
    prices: tuple[ShadowPrice, ...]
    results: Mapping[str, WrittenResult]
    stated: Mapping[str, Decimal]
    listed: Mapping[str, tuple[str, ...]]


def write_answer(answer: Answer, snapshot: Snapshot, directory: Path) -> None:
    """Write the folder whole or not at all; an earlier answer there is replaced.

    :raises InvalidValue: `directory` is a file or holds something that is not an answer's.
    """
    target = directory.resolve()
    refuse_other_content(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    new, old = (target.with_name(f".{target.name}.{os.getpid()}.{what}") for what in ("new", "old"))
    new.mkdir()
    try:
        _write_files(answer, snapshot, new)
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def refuse_other_content(directory: Path) -> None:
    """:raises InvalidValue: an answer written to `directory` would replace something that is not an answer."""
    if not directory.exists():
        return
    if not directory.is_dir():
        raise InvalidValue(f"{directory} is a file; expected a folder to write, or none")
    other = sorted(path.name for path in directory.iterdir() if path.name not in ANSWER_FILES)
    if other:
        raise InvalidValue(f"{directory} holds {other[0]}; expected an empty folder, an earlier answer or none")


def _write_files(answer: Answer, snapshot: Snapshot, directory: Path) -> None:
    labels = snapshot.horizon.labels()
    lot = {grade.product: grade.lot for grade in snapshot.grades}
    product = _products(snapshot)
    write_table(
        directory / CONTRACTS.file,
        CONTRACTS.columns,
        (
            (
                *(c.seller, c.buyer, c.product, labels[c.first], labels[c.last], c.rate * lot[c.product]),
                *(c.price_ex_works, c.freight, c.price_delivered, c.bundle),
            )
            for c in answer.contracts
        ),
    )
    write_table(
        directory / RESULTS,
        results_table(snapshot.horizon).columns,
        (
            (
                *(r.offer, *(lots * lot[product[r.offer]] for lots in r.filled), r.reason, r.distance, r.failed),
                int(r.distance_at_least) if r.distance is not None else None,
            )
            for r in answer.results
        ),
    )
    write_table(
        directory / PRICES.file,
        PRICES.columns,
        ((p.kind, SEPARATOR.join(p.subject), labels[p.position], p.value) for p in answer.prices),
    )
    text = json.dumps(_certificate(answer.certificate), ensure_ascii=False, indent=2)
    (directory / CERTIFICATE).write_text(text + "\n", encoding="utf-8")


def results_table(horizon: Horizon) -> Table:
    """results.csv has a column for each period, named by it."""
    last = ("reason", "distance", "requirement", "distance_at_least")
    columns = ("offer", *horizon.labels(), *last)
    return Table(file=RESULTS, columns=columns, defaults=frozenset(last[1:]), needed=True)


def _products(snapshot: Snapshot) -> dict[str, str]:
    return {o.offer: o.product for o in snapshot.offers} | {c.conversion: c.product for c in snapshot.conversions}


def _certificate(certificate: Certificate) -> dict[str, object]:
    """Amounts as JSON numbers: CNY to the fen, exact up to fifteen digits."""
    return {
        **{name: float(getattr(certificate, name)) for name in STATED},
        "lanes": certificate.lanes,
        "candidates": certificate.candidates,
        "rounds": certificate.rounds,
        "blocking_pairs": certificate.blocking_pairs,
        "violations": list(certificate.violations),
        "uncertified": list(certificate.uncertified),
        "seconds": dict(certificate.seconds),
        "peak_memory": certificate.peak_memory,
    }


def read_answer(directory: Path, snapshot: Snapshot) -> WrittenAnswer:
    """What a folder says about the snapshot it answers.

    :raises BadInput: a file is missing or does not read as an answer to this snapshot.
    """
    faults = Faults()
    if not directory.is_dir():
        faults.add(str(directory), None, None, "there is no such folder", "a folder with an answer")
        faults.refuse()
    lot = {grade.product: grade.lot for grade in snapshot.grades}
    contracts = [_contract(row, snapshot, lot) for row in read_table(directory, CONTRACTS, faults) or []]
    prices = [_price(row, snapshot) for row in read_table(directory, PRICES, faults) or []]
    results = dict(_results(directory, snapshot, lot, faults))
    stated, listed = _certified(directory, faults)
    faults.refuse()
    return WrittenAnswer(
        contracts=tuple(contracts), prices=tuple(prices), results=results, stated=stated, listed=listed
    )


def _contract(row: Row, snapshot: Snapshot, lot: Mapping[str, Decimal]) -> Contract:
    product = row.choice("product", sorted(lot))
    first, last = row.span(snapshot.horizon)
    return Contract(
        seller=row["seller"],
        buyer=row["buyer"],
        product=product,
        first=first,
        last=last,
        rate=_lots(row, "rate", lot[product]),
        price_ex_works=row.signed("price_ex_works") or Decimal(0),
        freight=row.number("freight"),
        price_delivered=row.signed("price_delivered") or Decimal(0),
        bundle=row["bundle"],
    )


def _lots(row: Row, column: str, lot: Decimal) -> int:
    value = row.number(column)
    lots = Fraction(value) / Fraction(lot)
    if lots.denominator != 1:
        row.fault(column, f"{value} is not a whole number of lots", f"a multiple of {lot}")
    return int(lots)


def _price(row: Row, snapshot: Snapshot) -> ShadowPrice:
    return ShadowPrice(
        kind=row["kind"],
        subject=tuple(row["subject"].split(SEPARATOR)),
        position=row.position("period", snapshot.horizon),
        value=row.signed("shadow_price") or Decimal(0),
    )


def _results(
    directory: Path, snapshot: Snapshot, lot: Mapping[str, Decimal], faults: Faults
) -> Iterator[tuple[str, WrittenResult]]:
    product, labels, seen = _products(snapshot), snapshot.horizon.labels(), set()
    for row in read_table(directory, results_table(snapshot.horizon), faults) or []:
        label = row["offer"]
        if label in seen or label not in product:
            row.fault("offer", f"{row.shown('offer')} is unknown or there already", "one row of each offer")
            continue
        seen.add(label)
        yield (
            label,
            WrittenResult(
                filled=tuple(_lots(row, period, lot[product[label]]) for period in labels),
                reason=row.choice("reason", [*Reason]),
                distance=row.signed("distance") if row["distance"] else None,
            ),
        )


def _certified(directory: Path, faults: Faults) -> tuple[dict[str, Decimal], dict[str, tuple[str, ...]]]:
    try:
        text = (directory / CERTIFICATE).read_text(encoding="utf-8")
        # Numbers stay the text they are, so that nothing is lost and infinities are no numbers.
        document = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=str)
    except (OSError, ValueError) as error:
        faults.add(CERTIFICATE, None, None, f"it cannot be read: {error}", "a JSON document")
        return {}, {}
    said = document if isinstance(document, dict) else {}
    stated, listed = {}, {}
    for name in (*STATED, *COUNTED):
        amount = said.get(name)
        if isinstance(amount, Decimal):
            stated[name] = amount
        else:
            what = "an amount in CNY" if name in STATED else "a count"
            faults.add(CERTIFICATE, None, name, f"it says {amount!r}", what)
    for name in LISTED:
        lines = said.get(name)
        if isinstance(lines, list) and all(isinstance(line, str) for line in lines):
            listed[name] = tuple(lines)
        else:
            faults.add(CERTIFICATE, None, name, f"it says {lines!r}", "a list of words")
    return stated, listed


def filled_by(contracts: Sequence[Contract], snapshot: Snapshot) -> dict[str, list[int]]:
    """Lots per period that contracts give each offer; of a conversion, what it sells."""
    made = {conversion.conversion for conversion in snapshot.conversions}
    filled = {label: [0] * len(snapshot.horizon) for label in _products(snapshot)}
    for contract in contracts:
        for label in {contract.seller, contract.buyer}:
            if label in filled and (label == contract.seller or label not in made):
                for position in range(contract.first, contract.last + 1):
                    filled[label][position] += contract.rate
    return filled
