"""Every stored invoice and statement computed again from its stored inputs, and its inputs compared with the facts.

The first must always come out: the same inputs give the same cents. The second tells which fixing, assay, delivery or
version of the terms has changed since, and so why a correction follows.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from app.models import Consignment, Invoice, InvoiceConsignment, YearStatement
from app.operations import fixings
from app.operations.invoicing import assays_used, reference_of
from app.operations.statements import outcome_of
from contracts.price_formula import PriceFormula
from contracts.quality import UmpireNeeded
from contracts.settlement import Invoice as Told
from contracts.settlement_inputs import (
    FixingUsed,
    MonthInputs,
    inputs_from_text,
    inputs_hash,
    settle,
    year_from_text,
)
from contracts.terms import terms_hash
from contracts.wording import Text
from contracts.year_statement import year_told


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One invoice or statement computed again: what came out otherwise, and which facts have changed since."""

    contract: str
    document: Text
    differences: tuple[Text, ...]
    changed: tuple[Text, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """How many documents were computed again, and those with something to say."""

    count: int
    found: tuple[Replayed, ...]

    @property
    def same(self) -> bool:
        """Whether every document came out to the cent."""
        return not any(one.differences for one in self.found)


def replay(session: Session, *, contract_id: uuid.UUID | None = None) -> Replay:
    """Compute all invoices and statements again, of one contract or of all."""
    count, found = 0, []
    for one in _replayed(session, contract_id):
        count += 1
        if one.differences or one.changed:
            found.append(one)
    return Replay(count=count, found=tuple(found))


def _replayed(session: Session, contract_id: uuid.UUID | None) -> Iterator[Replayed]:
    invoices = (
        sa.select(Invoice)
        .options(
            selectinload(Invoice.contract),
            selectinload(Invoice.lines),
            selectinload(Invoice.consignments)
            .selectinload(InvoiceConsignment.consignment)
            .options(selectinload(Consignment.assays), selectinload(Consignment.call_off)),
        )
        .order_by(Invoice.contract_id, Invoice.number)
    )
    years = sa.select(YearStatement).options(selectinload(YearStatement.contract))
    years = years.order_by(YearStatement.contract_id, YearStatement.year, YearStatement.revision)
    if contract_id is not None:
        invoices, years = (
            invoices.where(Invoice.contract_id == contract_id),
            years.where(YearStatement.contract_id == contract_id),
        )
    newest = _newest(session, contract_id)
    for invoice in session.scalars(invoices).yield_per(200):
        yield _invoice(session, invoice, is_newest=newest.get((invoice.contract_id, invoice.period)) == invoice.number)
    for statement in session.scalars(years).yield_per(200):
        yield _year(statement)


def _newest(session: Session, contract_id: uuid.UUID | None) -> dict[tuple[uuid.UUID, str], int]:
    """The last invoice of each delivery month: the one whose inputs are to be those of today."""
    query = sa.select(Invoice.contract_id, Invoice.period, sa.func.max(Invoice.number)).where(
        Invoice.inputs["kind"].astext == MonthInputs.kind
    )
    if contract_id is not None:
        query = query.where(Invoice.contract_id == contract_id)
    return {
        (one, period): number
        for one, period, number in session.execute(query.group_by(Invoice.contract_id, Invoice.period))
    }


def _invoice(session: Session, invoice: Invoice, *, is_newest: bool) -> Replayed:
    inputs = inputs_from_text(json.dumps(invoice.inputs))
    differences = []
    if inputs_hash(inputs) != invoice.inputs_hash:
        differences.append(_not_stored(Text("计算依据", "inputs"), inputs_hash(inputs), invoice.inputs_hash))
    differences += _differences(invoice, settle(inputs))
    changed: list[Text] = []
    if isinstance(inputs, MonthInputs):
        if terms_hash(inputs.terms) != invoice.terms_hash:
            differences.append(_not_stored(Text("合同条款", "terms"), terms_hash(inputs.terms), invoice.terms_hash))
        changed += _changed_fixings(session, inputs)
        if is_newest:
            changed += _changed_goods(invoice, inputs)
    return Replayed(
        contract=invoice.contract.number,
        document=Text(f"第 {invoice.number} 号账单", f"invoice {invoice.number}"),
        differences=tuple(differences),
        changed=tuple(changed),
    )


def _differences(invoice: Invoice, told: Told) -> list[Text]:
    """Where the amounts and steps computed now are not those stored."""
    stored = [(line.name.value, line.lots, line.to_date, line.already, line.net, line.steps) for line in invoice.lines]
    again = [
        (line.name, line.lots, line.to_date, line.already, line.net, [_plain(step) for step in line.steps])
        for line in told.lines
    ]
    found = [
        Text(f"{name.zh}：算得 {now}，存为 {then}", f"{name.en}: computed {now}, stored {then}")
        for name, now, then in _sums(invoice, told)
        if now != then
    ]
    if stored != again:
        names = sorted({row[0] for row in stored} ^ {row[0] for row in again}) or [
            old[0] for old, new in zip(stored, again, strict=True) if old != new
        ]
        found += [_otherwise(Text(f"行 {name}", f"line {name}")) for name in names]
    return found


def _sums(invoice: Invoice, told: Told) -> Sequence[tuple[Text, object, object]]:
    step = None if told.vat_step is None else _plain(told.vat_step)
    return (
        (Text("净额", "net"), told.net, invoice.net),
        (Text("增值税", "VAT"), told.vat, invoice.vat),
        (Text("含税额", "gross"), told.gross, invoice.gross),
        (Text("增值税算式", "VAT step"), step, invoice.vat_step),
    )


def _changed_fixings(session: Session, inputs: MonthInputs) -> list[Text]:
    """The fixings that are not any more what the invoice was made from; days told since are named, too."""
    if not isinstance(inputs.terms.price, PriceFormula):
        return []
    now = {
        (one.index, one.day): one
        for one in fixings.used_for(session, terms=inputs.terms, month=inputs.month, on=inputs.on)
    }
    then = {(one.index, one.day): one for one in inputs.fixings}
    found = []
    for index, day in sorted(now.keys() | then.keys()):
        was, is_ = then.get((index, day)), now.get((index, day))
        if was != is_:
            then_, now_ = _said(was), _said(is_)
            found.append(
                Text(
                    f"{index} 于 {day} 的报价：开票时为 {then_.zh}，现为 {now_.zh}",
                    f"fixing {index} on {day}: invoiced with {then_.en}, now {now_.en}",
                )
            )
    return found


def _said(one: FixingUsed | None) -> Text:
    if one is None:
        return Text("无", "none")
    if one.value is None:
        return Text("未公布", "no publication")
    value = f"{one.value.normalize():f}"
    return Text(f"{value}（核定）", f"{value} (determined)") if one.determined else Text(value, value)


def _changed_goods(invoice: Invoice, inputs: MonthInputs) -> list[Text]:
    """The consignments whose lots or assays are not any more what the last invoice of their month was made from."""
    stored = {one.reference: one for one in inputs.consignments}
    found = []
    for row in invoice.consignments:
        call_off = row.consignment.call_off
        name = Text(f"第 {call_off.number} 号交货", f"call-off {call_off.number}")
        was = stored[reference_of(call_off)]
        if call_off.state == "rejected":
            found.append(Text(f"{name.zh}：已开票，现被拒收", f"{name.en}: invoiced, now rejected"))
            continue
        lots = call_off.received_lots if row.is_final else call_off.shipped_lots
        if was.lots != lots:
            told = f"{name.en}: invoiced with {was.lots} lots, now {lots}"
            found.append(Text(f"{name.zh}：开票时 {was.lots} 批，现为 {lots} 批", told))
        if was.assays is None:
            continue
        try:
            assays = assays_used(inputs.terms, row.consignment.assays)
        except UmpireNeeded as needed:
            found.append(Text(f"{name.zh}：检验结果待仲裁方确定", f"{name.en}: {needed}"))
            continue
        if assays != was.assays:
            found.append(Text(f"{name.zh}：检验结果与开票时不同", f"{name.en}: assays are not those invoiced"))
    return found


def _year(statement: YearStatement) -> Replayed:
    inputs = year_from_text(json.dumps(statement.inputs))
    differences = []
    if inputs_hash(inputs) != statement.inputs_hash:
        differences.append(_not_stored(Text("计算依据", "inputs"), inputs_hash(inputs), statement.inputs_hash))
    told = outcome_of(year_told(inputs))
    differences += [_otherwise(Text(name, name)) for name in told if told[name] != statement.outcome.get(name)]
    return Replayed(
        contract=statement.contract.number,
        document=Text(
            f"{statement.year} 年度结算单（第 {statement.revision} 版）",
            f"statement {statement.year}.{statement.revision}",
        ),
        differences=tuple(differences),
        changed=(),
    )


def _not_stored(name: Text, now: str, then: str) -> Text:
    return Text(f"{name.zh}：哈希 {now}，存为 {then}", f"{name.en}: hash {now}, stored {then}")


def _otherwise(name: Text) -> Text:
    return Text(f"{name.zh}：计算结果与存储不同", f"{name.en}: computed otherwise than stored")


def _plain(text: Text) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en}
