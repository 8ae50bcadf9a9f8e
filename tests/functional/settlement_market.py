"""A contract by the real fixings of lithium carbonate in June 2025, and the steps of its settlement in short."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from app.auth import SYSTEM
from app.auth.principal import of_user
from app.db import db
from app.models import AssayResult, AssaySide, CallOff, Consignment, Contract, FixingKind, Invoice, MarketIndex, User
from app.operations import fixings, invoicing, payments, quantities
from app.operations.fixings import FixingRow
from app.operations.invoicing import Issued
from contracts.clauses import Better, Lot, QualityTerm
from contracts.defaults import standard_terms
from contracts.fixings import IndexFailure, QuotationPeriod
from contracts.price_formula import FixedPrice, IndexShare, Price, PriceFormula
from contracts.terms import Terms, canonical_json, terms_hash
from market.periods import Period
from reference import tables
from tests import factories as make

from .delivery_market import _party as party_of

INDEX = "GFEX-LC"
HOLIDAY = dt.date(2025, 6, 2)  # the third day of the Dragon Boat Festival
LITHIA = QualityTerm(
    attribute="Li2CO3",
    unit="%",
    better=Better.HIGHER,
    reference=Decimal("99.5"),
    step=Decimal("0.1"),
    bonus=Decimal(150),
    bonus_cap=Decimal(450),
    penalty=Decimal(300),
    penalty_cap=Decimal(1500),
    splitting_limit=Decimal("0.05"),
    rejection=Decimal("99.2"),
)
FORMULA = PriceFormula(
    base=Decimal(56_000),
    indices=(IndexShare(index=INDEX, weight=Decimal("0.7"), coefficient=Decimal(1), quoted_tax=Decimal("0.13")),),
    quotation=QuotationPeriod.MONTH_BEFORE,
    premium=Decimal(800),
    floor=Decimal(50_000),
    ceiling=Decimal(80_000),
    failure=IndexFailure(carry_days=3, substitute=None, substitute_factor=Decimal(1)),
)
_numbers = itertools.count(1)


def noon(day: str) -> dt.datetime:
    """Noon in China on a day."""
    return dt.datetime.fromisoformat(f"{day}T04:00:00+00:00")


@dataclass(slots=True)
class Deal:
    """A contract in force from July 2025 on, and the people of its two sides."""

    contract: Contract
    terms: Terms
    seller: User
    buyer: User

    def ships(self, lots: int, month: str = "2025-07", day: int = 10, **more: Any) -> CallOff:
        """A call-off that is on its way since a day of its month."""
        number = next(_numbers) % 30_000
        call_off = CallOff(
            contract=self.contract,
            number=number,
            period=str(Period.of(Period.parse(month).first_day, "quarter")),
            month=month,
            state="shipped",
            nominated_lots=lots,
            confirmed_lots=lots,
            shipped_lots=lots,
            place="Changzhou",
            confirm_by=Period.parse(month).first_day,
            **more,
        )
        call_off.consignment = Consignment(
            transport_document="W", certificate="C", shipped_on=dt.date.fromisoformat(f"{month}-{day:02d}")
        )
        db.session.add(call_off)
        db.session.flush()
        return call_off

    def arrives(self, call_off: CallOff, day: str | None = None, lots: int | None = None) -> CallOff:
        goods = call_off.consignment
        assert goods is not None
        goods.received_on = dt.date.fromisoformat(day) if day else goods.shipped_on + dt.timedelta(days=3)
        call_off.received_lots, call_off.state = lots or call_off.shipped_lots, "received"
        db.session.flush()
        return call_off

    def assayed(self, call_off: CallOff, seller: str, buyer: str) -> CallOff:
        goods = call_off.consignment
        assert goods is not None
        for side, value in ((AssaySide.SELLER, seller), (AssaySide.BUYER, buyer)):
            result = AssayResult(attribute="Li2CO3", side=side, value=Decimal(value), laboratory="L")
            result.certificate, result.assayed_on = "A", goods.received_on or goods.shipped_on
            goods.assays.append(result)
        call_off.state = "assayed"
        db.session.flush()
        return call_off

    def umpire(self, call_off: CallOff, value: str) -> None:
        """The third result, which decides."""
        goods = call_off.consignment
        assert goods is not None
        result = AssayResult(attribute="Li2CO3", side=AssaySide.UMPIRE, value=Decimal(value), laboratory="U")
        result.certificate, result.assayed_on = "U", goods.shipped_on
        goods.assays.append(result)
        db.session.flush()

    def delivers(self, lots: int, month: str = "2025-07", day: int = 10, assay: str = "99.5", **more: Any) -> CallOff:
        """A call-off that has arrived and is assayed alike by both."""
        return self.assayed(self.arrives(self.ships(lots, month, day, **more)), assay, assay)

    def issue(self, day: str) -> Issued:
        return invoicing.issue_due(db.session(), contract_id=self.contract.id, now=noon(day))

    def pays(self, invoice: Invoice, amount: str | Decimal, day: str) -> Invoice:
        return payments.record_payment(
            db.session(),
            principal=of_user(self.buyer),
            invoice_id=invoice.id,
            amount=Decimal(amount),
            paid_on=dt.date.fromisoformat(day),
            reference="T-1",
            now=noon(day),
        )


def deal(
    *,
    price: Price = FORMULA,
    lots: int = 1000,
    quarters: tuple[str, ...] = ("2025-Q3", "2025-Q4"),
    quality: tuple[QualityTerm, ...] = (LITHIA,),
    **changes: Any,
) -> Deal:
    """A contract over quarters, in lots of 0.1 t; `changes` replace parts of the standard terms."""
    proposal = make.AgreedProposalFactory()
    terms = standard_terms(
        number=f"CD-S{next(_numbers):010d}",
        seller=party_of(proposal.seller),
        buyer=party_of(proposal.buyer),
        product=proposal.grade.product_code,
        grade=proposal.grade_code,
        lot=Lot(size=Decimal("0.1"), unit="t"),
        lots={Period.parse(label): lots for label in quarters},
        price=price,
        freight=Decimal(250),
        place="Changzhou",
        quality=quality,
    )
    terms = replace(terms, **changes)
    contract = make.ContractFactory(
        proposal=proposal,
        number=terms.number,
        terms=json.loads(canonical_json(terms)),
        terms_hash=terms_hash(terms),
        state="effective",
        effective_from=terms.first_period.first_day,
        effective_to=terms.last_period.last_day,
    )
    quantities.write_limits(db.session(), contract=contract)
    sides = (make.UserFactory(firm=proposal.seller), make.UserFactory(firm=proposal.buyer))
    return Deal(contract, terms, *sides)


def fixed(amount: str = "60000", **more: Any) -> Deal:
    return deal(price=FixedPrice(amount=Decimal(amount)), **more)


def load_june() -> None:
    """The real closes of June 2025, as quoted with 13 % VAT inside, and the day without publication."""
    if db.session.get(MarketIndex, INDEX) is None:
        make.MarketIndexFactory(code=INDEX)
    for row in tables.load().prices:
        if row.series == INDEX and row.kind == "close" and row.date.startswith("2025-06"):
            record(dt.date.fromisoformat(row.date), row.price)
    record(HOLIDAY, None, kind=FixingKind.CLOSED)


def record(
    day: dt.date,
    value: Decimal | int | None,
    *,
    kind: FixingKind = FixingKind.PUBLISHED,
    index: str = INDEX,
    tax: str = "0.13",
    reason: str | None = None,
    on: str = "2026-06-01",
) -> Any:
    row = FixingRow(
        index=index,
        day=day,
        kind=kind,
        value=None if value is None else Decimal(value),
        quoted_tax=Decimal(tax),
        source="exchange",
        reason=reason,
    )
    return fixings.record(db.session(), principal=SYSTEM, row=row, now=noon(on))
