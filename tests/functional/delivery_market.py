"""A contract in force to call off from, with its people, and the steps of a delivery in short."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, cast

from app.auth import Principal
from app.auth.principal import of_user
from app.db import db
from app.models import CallOff, Contract, Firm, User
from app.operations import assays, nominations, shipments
from app.operations.assays import Reading
from app.operations.nominations import Wish
from contracts.clauses import Better, Lot, Party, QualityTerm, Tolerance
from contracts.defaults import standard_terms
from contracts.price_formula import FixedPrice
from contracts.terms import canonical_json, terms_hash
from contracts.wording import Text
from market.periods import Period
from tests import factories as make

NOON = make.NOON  # 2026-11-20: nominations of 2027-02 are open until 2026-12-18, then binding; firm from 2027-01-03
BINDING = dt.datetime(2026, 12, 20, 4, tzinfo=dt.UTC)
FIRM = dt.datetime(2027, 1, 3, 4, tzinfo=dt.UTC)
SHIPPED = dt.datetime(2027, 2, 10, 4, tzinfo=dt.UTC)
ASSAY = QualityTerm(
    attribute="assay",
    unit="%",
    better=Better.HIGHER,
    reference=Decimal("99.5"),
    step=Decimal("0.1"),
    bonus=Decimal(100),
    bonus_cap=Decimal(300),
    penalty=Decimal(200),
    penalty_cap=Decimal(1000),
    splitting_limit=Decimal("0.1"),
    rejection=Decimal("99.0"),
)
_numbers = itertools.count(1)


@dataclass(slots=True)
class Supply:
    """A contract and a trader on each of its sides."""

    contract: Contract
    seller: User
    buyer: User

    @property
    def sells(self) -> Principal:
        return of_user(self.seller)

    @property
    def buys(self) -> Principal:
        return of_user(self.buyer)

    def call(self, lots: int = 10, month: str = "2027-02", *, now: dt.datetime = NOON, **more: Any) -> CallOff:
        """A nominated call-off; `nominate_now=False` leaves it a forecast."""
        nominate_now = more.pop("nominate_now", True)
        return nominations.call(
            db.session(),
            principal=more.pop("principal", self.buys),
            contract_id=self.contract.id,
            month=month,
            wish=cast("Wish", {"lots": lots, **more}),
            nominate_now=nominate_now,
            now=now,
        )

    def confirmed(self, lots: int = 10, **more: Any) -> CallOff:
        call_off = self.call(lots, **more)
        return shipments.confirm(
            db.session(), principal=self.sells, call_off_id=call_off.id, lots=lots, promised_on=None, now=FIRM
        )

    def ship(self, call_off: CallOff, lots: int) -> CallOff:
        return shipments.ship(
            db.session(),
            principal=self.sells,
            call_off_id=call_off.id,
            lots=lots,
            transport_document="W-1",
            certificate="COA-1",
            shipped_on=dt.date(2027, 2, 8),
            now=SHIPPED,
        )

    def receive(self, call_off: CallOff, lots: int) -> CallOff:
        return shipments.receive(
            db.session(),
            principal=self.buys,
            call_off_id=call_off.id,
            lots=lots,
            received_on=dt.date(2027, 2, 10),
            now=SHIPPED,
        )

    def received(self, lots: int = 10, **more: Any) -> CallOff:
        return self.receive(self.ship(self.confirmed(lots, **more), lots), lots)

    def assay(self, call_off: CallOff, by: Principal, value: str, attribute: str = "assay") -> CallOff:
        reading = Reading(
            attribute=attribute,
            value=Decimal(value),
            laboratory="Laboratory",
            certificate=f"L-{next(_numbers)}",
            assayed_on=dt.date(2027, 2, 10),
        )
        return assays.record(db.session(), principal=by, call_off_id=call_off.id, readings=[reading], now=SHIPPED)


def supply(
    lots: dict[str, int] | None = None,
    *,
    quality: tuple[QualityTerm, ...] = (),
    over: str = "0.1",
    under: str = "0.1",
    state: str = "effective",
) -> Supply:
    """A contract over the quarters of 2027, 100 lots each, of which 10 % more or less may be called."""
    proposal = make.AgreedProposalFactory()
    terms = standard_terms(
        number=f"CD-{next(_numbers):012d}",
        seller=_party(proposal.seller),
        buyer=_party(proposal.buyer),
        product=proposal.grade.product_code,
        grade=proposal.grade_code,
        lot=Lot(size=Decimal(1), unit="t"),
        lots={Period.parse(label): count for label, count in (lots or QUARTERS).items()},
        price=FixedPrice(amount=Decimal(78)),
        freight=Decimal(4),
        place="Plant 1",
        quality=quality,
    )
    terms = replace(terms, tolerance=Tolerance(over=Decimal(over), under=Decimal(under)))
    contract = make.ContractFactory(
        proposal=proposal,
        number=terms.number,
        terms=json.loads(canonical_json(terms)),
        terms_hash=terms_hash(terms),
        state=state,
        effective_from=terms.first_period.first_day,
        effective_to=terms.last_period.last_day,
    )
    return Supply(contract, make.UserFactory(firm=proposal.seller), make.UserFactory(firm=proposal.buyer))


QUARTERS = {f"2027-Q{quarter}": 100 for quarter in (1, 2, 3, 4)}


def _party(firm: Firm) -> Party:
    return Party(
        credit_code=firm.credit_code or "",
        name=Text(firm.name_zh, firm.name_en),
        address=None,
        signatory=None,
        affiliates=(),
    )
