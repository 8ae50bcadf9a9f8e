"""One contract's life as the database has it: what is printed and drawn of it, read the way the platform reads it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from app.auth import SYSTEM
from app.clock import day_of
from app.demo import plot
from app.models import AssaySide, CallOff, Claim, Contract, ContractDocument, ForceMajeureNotice, Invoice
from app.operations import (
    assays,
    call_offs,
    claims,
    contracts,
    documents,
    hindrances,
    invoice_writing,
    quantities,
    statements,
    terms_in_force,
)
from app.operations.contract_terms import frozen_terms
from app.operations.month_prices import month_account
from contracts.price_formula import PriceFormula
from contracts.quality import Determination
from contracts.settlement_inputs import month_price
from contracts.terms import Terms
from contracts.transitions import MOVE_TEXTS
from contracts.wording import Text
from contracts.working import Working
from contracts.year_statement import PeriodPosition
from market.periods import Period

UNTOLD = frozenset({"contract.invoice", "contract.payment", "contract.give_notice", "contract.conclude"})
REACHED = frozenset({"agreed", "signed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One move: its day (None: the night of the run, which is no played day), who made it, what it was."""

    day: dt.date | None
    who: str
    what: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A call-off with what binds both sides of its assay."""

    call_off: CallOff
    results: tuple[Decimal, ...]
    determination: Determination | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A delivery month's price: how many fixings, their mean as quoted and without tax, the working, and whether floor
    or ceiling held it."""

    month: Period
    fixings: int
    mean: Decimal
    net: Decimal
    working: Working
    held: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Biography:
    """All that is told of the contract on the last played day."""

    contract: Contract
    released: Terms
    terms: Terms
    signed: tuple[ContractDocument, ...]
    moves: tuple[Moved, ...]
    deliveries: tuple[Delivery, ...]
    periods: tuple[quantities.PeriodStanding, ...]
    prices: tuple[Priced, ...]
    invoices: tuple[Invoice, ...]
    claims: tuple[Claim, ...]
    notices: tuple[ForceMajeureNotice, ...]
    position: PeriodPosition | None

    @property
    def locked(self) -> Decimal:
        """The price ex works that the night locked, CNY per unit."""
        return self.contract.proposal.price_ex_works

    def excused(self, period: Period) -> int:
        """The lots of a period that nobody owes."""
        lines = (line for notice in self.notices for line in notice.excused)
        return sum(line.excused for line in lines if line.period == str(period))


def read(session: Session, *, contract: Contract) -> Biography:
    """The contract as it stands when the curtain falls."""
    on = plot.CURTAIN
    over = [one for one in statements.position_of(session, contract=contract, on=on) if one.period.last_day <= on]
    found = claims.of_contract(session, principal=SYSTEM, contract=contract)
    notices = hindrances.of_contract(session, contract_id=contract.id)
    standing = quantities.quantities(session, contract=contract, on=on)
    return Biography(
        contract=contract,
        released=frozen_terms(contract.terms),
        terms=terms_in_force.terms_in_force(session, contract=contract, on=on),
        signed=tuple(documents.documents(session, contract=contract)),
        moves=tuple(_moves(session, contract, found, notices)),
        deliveries=tuple(_delivery(session, one) for one in _call_offs(session, contract)),
        periods=tuple(one for one in standing.periods if one.period.last_day <= on),
        prices=tuple(_priced(session, contract, month.month) for month in plot.MONTHS),
        invoices=tuple(invoice_writing.invoices_of(session, contract_id=contract.id)),
        claims=tuple(found),
        notices=tuple(notices),
        position=over[-1] if over else None,
    )


def _call_offs(session: Session, contract: Contract) -> Sequence[CallOff]:
    query = call_offs.visible_call_offs(SYSTEM).where(CallOff.contract_id == contract.id)
    return session.scalars(query.order_by(CallOff.month, CallOff.number)).all()


def _delivery(session: Session, call_off: CallOff) -> Delivery:
    """With the results of seller, buyer and, where there was one, umpire."""
    standing = next(iter(assays.standings(session, principal=SYSTEM, call_off=call_off)), None)
    results = {} if standing is None else {side: result.value for side, result in standing.results.items()}
    return Delivery(
        call_off=call_off,
        results=tuple(results[side] for side in AssaySide if side in results),
        determination=None if standing is None else standing.determination,
    )


def _priced(session: Session, contract: Contract, month: Period) -> Priced:
    _, account = month_account(session, contract=contract, month=month, on=plot.CURTAIN)
    values = [one.value for one in account.fixings if one.value is not None and month.first_day <= one.day]
    working, price = month_price(account), account.terms.price
    if not isinstance(price, PriceFormula):
        raise TypeError(f"the contract's price is {price.kind}; expected a formula")
    mean = sum(values, Decimal(0)) / len(values)
    return Priced(
        month=month,
        fixings=len(values),
        mean=mean,
        net=mean / (1 + price.indices[0].quoted_tax),
        working=working,
        held={price.floor: "floor", price.ceiling: "ceiling"}.get(working.value, ""),
    )


def _moves(
    session: Session, contract: Contract, found: Sequence[Claim], notices: Sequence[ForceMajeureNotice]
) -> Iterator[Moved]:
    moves = []
    for step in contracts.steps(session, principal=SYSTEM, contract=contract):
        if step.name in UNTOLD:
            continue
        subject, move = step.name.split(".")
        what = MOVE_TEXTS[move]
        if step.to_state in REACHED and step.to_state != step.from_state:
            what = Text(f"{what.zh}（{step.to_state}）", f"{what.en}: {step.to_state}")
        if subject == "amendment":
            what = Text(f"变更：{what.zh}", f"Amendment: {what.en.lower()}")
        night = step.name == "proposal.propose"
        who = str(step.acting_as).replace("_", " ")
        moves.append(Moved(day=None if night else day_of(step.at), who=who, what=what))
    for notice in notices:
        event = notice.event
        told = Text(f"不可抗力自 {event.began_on} 起：通知", "Force majeure: told")
        moves.append(Moved(day=day_of(notice.given_at), who=notice.side, what=told))
        if event.ended_on is not None:
            moves.append(Moved(day=event.ended_on, who=notice.side, what=Text("不可抗力：结束", "Force majeure: over")))
    for claim in found:
        moves += _claim_moves(claim)
    yield from sorted(moves, key=lambda one: one.day or dt.date.min)


def _claim_moves(claim: Claim) -> Iterator[Moved]:
    other = "seller" if claim.claimant == "buyer" else "buyer"
    for at, who, what in (
        (claim.filed_at, claim.claimant, Text("索赔：提交", f"Claim for {claim.kind}: filed")),
        (claim.defended_at, other, Text("索赔：答辩", "Claim: defended")),
        (claim.decided_at, "senior staff", Text("索赔：裁定", f"Claim: {claim.state}")),
    ):
        if at is not None:
            yield Moved(day=day_of(at), who=who, what=what)
