"""Questions about a copy of a round: asked by staff, worked out by a job, kept with their answers.

A scenario is a list of changes, each a document by its `kind`: without_firm (firm_id), capacity (firm_id, product or
none, factor), quota (product, from_region, to_region, limit in units per period), price (product, side sell, buy or
convert, firm_id or none, percent), without_limit (limit corridor, origin or ceiling, with its subject). Answers are
made of sealed offers: only those who may see these may ask and read, and each look is logged.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Conflict, NotFound, Refused
from app.models import (
    Ceiling,
    Corridor,
    Firm,
    Offer,
    OfferState,
    OriginRule,
    Product,
    Region,
    Run,
    RunState,
    WhatIf,
    WhatIfKind,
)
from app.operations import audit
from app.operations.policy_limits import visible_limits
from app.operations.rounds import visible_corridors
from app.operations.runs import get_run
from app.permissions import Permission
from contracts.wording import Text
from market.errors import MarketError

OPEN = (RunState.QUEUED, RunState.RUNNING)
MOST_ATTEMPTS = 3
MOST_CHANGES = 20
LONGEST_ERROR = 4000
Change = Mapping[str, Any]


class WhatIfTakenOver(MarketError):
    """The question has been answered, or another process has started it anew: this one must leave it alone."""


def visible_what_ifs(principal: Principal) -> sa.Select[WhatIf]:
    """All questions for those who may ask; none for anybody else."""
    query = sa.select(WhatIf)
    allowed = principal.may(Permission.WHAT_IF_RUN) and principal.may(Permission.SEALED_READ)
    return query if allowed else query.where(sa.false())


def find(session: Session, *, principal: Principal, what_if_id: uuid.UUID) -> WhatIf:
    """:raises NotFound: no such question, or not for the asker."""
    found = session.scalar(visible_what_ifs(principal).where(WhatIf.id == what_if_id))
    if found is None:
        raise NotFound("no such question")
    return found


def look(session: Session, *, principal: Principal, what_if: WhatIf, path: str, now: dt.datetime) -> WhatIf:
    """Log a look at an answer, for each firm that the question names; once without a firm if it names none."""
    named = {str(change["firm_id"]) for change in what_if.changes if change.get("firm_id")}
    firms: list[uuid.UUID | None] = [*map(uuid.UUID, sorted(named))]
    for firm in firms or [None]:
        audit.note_look(
            session,
            principal=principal,
            kind="what_if",
            object_id=what_if.id,
            firm_id=firm,
            path=path,
            now=now,
        )
    return what_if


def ask(
    session: Session,
    *,
    principal: Principal,
    run_id: uuid.UUID,
    title: str,
    changes: Sequence[Change],
    now: dt.datetime,
) -> WhatIf:
    """Queue a scenario on a finished run's round; the caller sees to it that somebody works it out.

    :raises NotFound: there is no such run.
    :raises Conflict: the run has not ended well.
    :raises Refused: there is no change, or a change names what is not there.
    """
    run = _finished(session, principal, run_id)
    if not 1 <= len(changes) <= MOST_CHANGES:
        raise Refused(
            Text(f"应有 1 至 {MOST_CHANGES} 项变动", f"{len(changes)} changes; expected 1 to {MOST_CHANGES}"),
            field="changes",
        )
    checked = [_Checker(session, run, at, change).document() for at, change in enumerate(changes)]
    return _add(session, principal, run, kind=WhatIfKind.SCENARIO, title=title, changes=checked, now=now)


def ask_criticality(session: Session, *, principal: Principal, run_id: uuid.UUID, now: dt.datetime) -> WhatIf:
    """Queue the ranking of a round's firms by what is lost without each.

    :raises NotFound: there is no such run.
    :raises Conflict: the run has not ended well.
    """
    run = _finished(session, principal, run_id)
    return _add(session, principal, run, kind=WhatIfKind.CRITICALITY, title=run.round.code, changes=[], now=now)


def _finished(session: Session, principal: Principal, run_id: uuid.UUID) -> Run:
    run = get_run(session, principal=principal, run_id=run_id)
    if run.state is not RunState.DONE:
        raise Conflict(Text("只能对已完成的撮合提问", f"the run is {run.state}; expected done"))
    return run


def _add(
    session: Session,
    principal: Principal,
    run: Run,
    *,
    kind: WhatIfKind,
    title: str,
    changes: list[dict[str, Any]],
    now: dt.datetime,
) -> WhatIf:
    asked = WhatIf(
        round_id=run.round_id,
        run_id=run.id,
        kind=kind,
        title=title,
        changes=changes,
        state=RunState.QUEUED,
        created_by_id=principal.user_id,
        created_at=now,
    )
    session.add(asked)
    session.flush()
    return asked


class _Checker:
    """One change as it is asked for, made the document that is kept."""

    def __init__(self, session: Session, run: Run, at: int, change: Change) -> None:
        self.session, self.run, self.here, self.change = session, run, f"changes/{at}", change

    def document(self) -> dict[str, Any]:
        """:raises Refused: it names what is not there."""
        kind = str(self.change["kind"])
        said: dict[str, Any] = getattr(self, f"_{kind}")()
        return {"kind": kind} | said

    def _without_firm(self) -> dict[str, Any]:
        return {"firm_id": self._firm(needed=True)}

    def _capacity(self) -> dict[str, Any]:
        factor = self._number("factor", Decimal(0), Decimal(100))
        return {"firm_id": self._firm(needed=True), "product": self._product(needed=False), "factor": factor}

    def _quota(self) -> dict[str, Any]:
        return {
            "product": self._product(needed=True),
            "from_region": self._region("from_region"),
            "to_region": self._region("to_region"),
            "limit": self._number("limit", Decimal(0), Decimal(10) ** 12),
        }

    def _price(self) -> dict[str, Any]:
        side = self.change.get("side")
        if side not in ("sell", "buy", "convert"):
            raise self._refused("side", "应为供货、需求或加工", "expected sell, buy or convert")
        percent = self._number("percent", Decimal(-100), Decimal(1000))
        return {
            "product": self._product(needed=True),
            "side": side,
            "firm_id": self._firm(needed=False),
            "percent": percent,
        }

    def _without_limit(self) -> dict[str, Any]:
        limit = self.change.get("limit_kind")
        if limit not in ("corridor", "origin", "ceiling"):
            raise self._refused("limit_kind", "应为通道、产地或上限", "expected corridor, origin or ceiling")
        said = {"limit_kind": limit, "product": self._product(needed=True)}
        if limit == "ceiling":
            return said | {"firm_id": self._firm(needed=False)}
        begin = str(self.change.get("from_region") or "") if limit == "origin" else self._region("from_region")
        return said | {"from_region": begin, "to_region": self._region("to_region")}

    def _refused(self, field: str, zh: str, en: str) -> Refused:
        return Refused(Text(zh, en), field=f"{self.here}/{field}")

    def _firm(self, *, needed: bool) -> str | None:
        firm = self.change.get("firm_id")
        if firm is None and not needed:
            return None
        offers = sa.select(Offer.id).where(
            Offer.round_id == self.run.round_id, Offer.firm_id == firm, Offer.state == OfferState.OPEN
        )
        if firm is None or self.session.scalar(sa.select(Firm.id).where(Firm.id == firm)) is None:
            raise self._refused("firm_id", "没有该企业", "there is no such firm; expected a registered one")
        if self.change["kind"] != "without_limit" and self.session.scalar(offers.limit(1)) is None:
            raise self._refused("firm_id", "该企业在本场没有报价", "the firm has no open offer in this round")
        return str(firm)

    def _product(self, *, needed: bool) -> str | None:
        code = self.change.get("product")
        if not code and not needed:
            return None
        if not code or self.session.get(Product, code) is None:
            raise self._refused("product", "没有该产品", f"there is no product {code!r}; expected a code of the list")
        return str(code)

    def _region(self, field: str) -> str:
        code = self.change.get(field)
        if not code or self.session.get(Region, code) is None:
            raise self._refused(field, "没有该地区", f"there is no region {code!r}; expected a code of the list")
        return str(code)

    def _number(self, field: str, least: Decimal, most: Decimal) -> str:
        value = self.change.get(field)
        if value is None or not least <= value <= most:
            raise self._refused(field, f"应为 {least} 至 {most}", f"found {value}; expected {least} to {most}")
        return f"{value:f}"


def start(session: Session, *, what_if_id: uuid.UUID, now: dt.datetime) -> int | None:
    """Begin an attempt; returns its number, or None when there is nothing (more) to do."""
    asked = _locked(session, what_if_id)
    if asked.state not in OPEN:
        return None
    if asked.attempt >= MOST_ATTEMPTS:
        _end(asked, now, error=f"given up: {asked.attempt} attempts ended without an answer")
        return None
    asked.state, asked.started_at, asked.phase, asked.percent = RunState.RUNNING, now, "snapshot", 0
    asked.attempt += 1
    session.flush()
    return asked.attempt


def note_progress(session: Session, *, what_if_id: uuid.UUID, attempt: int, **seen: Any) -> None:
    """Write what an attempt has come to: any of phase, percent, same_offers.

    :raises WhatIfTakenOver: it is no longer this attempt's.
    """
    mine = (WhatIf.id == what_if_id, WhatIf.attempt == attempt, WhatIf.state == RunState.RUNNING)
    if session.execute(sa.update(WhatIf).where(*mine).values(**seen).returning(WhatIf.id)).first() is None:
        raise WhatIfTakenOver(f"question {what_if_id} is no longer attempt {attempt}'s")


def finish(session: Session, *, what_if_id: uuid.UUID, attempt: int, result: dict[str, Any], now: dt.datetime) -> None:
    """End an attempt with its answer.

    :raises WhatIfTakenOver: it is no longer this attempt's.
    """
    asked = _locked(session, what_if_id)
    if asked.state is not RunState.RUNNING or asked.attempt != attempt:
        raise WhatIfTakenOver(f"question {what_if_id} is no longer attempt {attempt}'s")
    asked.result, asked.percent = result, 100
    _end(asked, now)


def fail(session: Session, *, what_if_id: uuid.UUID, attempt: int, error: str, now: dt.datetime) -> None:
    """End an attempt without an answer; the error stays visible. Nothing happens if it is no longer this attempt's."""
    asked = _locked(session, what_if_id)
    if asked.state is RunState.RUNNING and asked.attempt == attempt:
        _end(asked, now, error=error)


def _end(asked: WhatIf, now: dt.datetime, *, error: str | None = None) -> None:
    asked.state = RunState.DONE if error is None else RunState.FAILED
    asked.error, asked.finished_at, asked.phase = None if error is None else error[:LONGEST_ERROR], now, None


def _locked(session: Session, what_if_id: uuid.UUID) -> WhatIf:
    query = sa.select(WhatIf).where(WhatIf.id == what_if_id).with_for_update()
    found: WhatIf | None = session.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise NotFound("no such question")
    return found


def limits_that_hold(
    session: Session, *, principal: Principal, round_id: uuid.UUID
) -> list[tuple[str, str, str | None, str | None, str | None]]:
    """The limits that a change can take away: kind, product, begin, end, firm."""
    corridors = visible_corridors(principal).where(Corridor.round_id == round_id).order_by(Corridor.id)
    ceilings = visible_limits(principal, Ceiling).where(Ceiling.round_id == round_id, Ceiling.ended_at.is_(None))
    rules = visible_limits(principal, OriginRule).where(OriginRule.round_id == round_id, OriginRule.ended_at.is_(None))
    found: dict[tuple[str, str, str | None, str | None, str | None], None] = {}
    for way in session.scalars(corridors):
        found["corridor", way.product_code, way.from_region_code, way.to_region_code, None] = None
    for rule in session.scalars(rules.order_by(OriginRule.id)):
        found["origin", rule.product_code, rule.origin_country, rule.to_region_code, None] = None
    for one in session.scalars(ceilings.order_by(Ceiling.id)):
        found["ceiling", one.product_code, None, None, None if one.firm_id is None else str(one.firm_id)] = None
    return list(found)
