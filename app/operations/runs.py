"""Runs of a round: opened, started, watched, ended. What a finished run leaves behind is `run_outcome`."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import SYSTEM, Principal
from app.errors import Conflict, Forbidden, NotFound
from app.models import Round, RoundKind, RoundState, Run, RunState, ShadowPrice, ShadowPriceKind, SubjectKind
from app.operations import events
from app.permissions import Permission
from contracts.wording import Text
from market.errors import MarketError

OPEN = (RunState.QUEUED, RunState.RUNNING)
CLEARABLE = (RoundState.OPEN, RoundState.CLOSED)
MOST_ATTEMPTS = 3
LONGEST_ERROR = 4000


class RunTakenOver(MarketError):
    """The run has ended, or another process has started it anew: this one must leave it alone."""


def visible_runs(principal: Principal) -> sa.Select[Run]:
    """Runs that the asker may read: all, or none."""
    query = sa.select(Run)
    return query if principal.may(Permission.RUN_READ) else query.where(sa.false())


def runs_of_round(session: Session, *, principal: Principal, round_code: str) -> sa.Select[Run]:
    """:raises NotFound: there is no such round."""
    return visible_runs(principal).where(Run.round_id == _round(session, round_code).id)


def get_run(session: Session, *, principal: Principal, run_id: uuid.UUID) -> Run:
    """:raises NotFound: no such run, or not for the asker."""
    run: Run | None = session.scalar(visible_runs(principal).where(Run.id == run_id))
    if run is None:
        raise NotFound("no such run")
    return run


def headline_for(principal: Principal, run: Run) -> dict[str, Any] | None:
    """The run's headline: who contracted with whom is for those who review, the aggregates for all who read runs."""
    if run.headline is None or principal.may(Permission.REVIEW_READ):
        return run.headline
    return {name: value for name, value in run.headline.items() if name != "largest"}


def certificate_for(principal: Principal, run: Run) -> dict[str, Any]:
    """The run's certificate; the offers it names are counted, not named, to those who do not review.

    :raises NotFound: the run has none yet.
    """
    if run.certificate is None:
        raise NotFound("the run has no certificate yet")
    if principal.may(Permission.REVIEW_READ):
        return run.certificate
    hidden: dict[str, Any] = {name: [] for name in ("violations", "uncertified") if run.certificate.get(name)}
    return run.certificate | hidden


def reference_prices(*, principal: Principal, run: Run) -> sa.Select[ShadowPrice]:
    """The hubs' prices: what one more lot would fetch ex works, by product, grade, region and period."""
    query = sa.select(ShadowPrice).where(
        ShadowPrice.run_id == run.id, ShadowPrice.subject_kind == ShadowPriceKind.HUB, ShadowPrice.period.is_not(None)
    )
    return query if principal.may(Permission.RUN_READ) else query.where(sa.false())


def open_run(session: Session, *, principal: Principal, round_code: str, now: dt.datetime) -> Run:
    """Queue a run of a round; the caller sees to it that somebody clears it.

    :raises Forbidden: the asker may not start runs.
    :raises NotFound: there is no such round.
    :raises Conflict: a run of the round is open, or the round is not to be cleared.
    """
    if not principal.may(Permission.RUN_START):
        raise Forbidden(Text("只有平台人员可以启动运算", "starting a run is for the platform's staff"))
    market_round = _round(session, round_code)
    if market_round.state not in CLEARABLE:
        raise Conflict(
            Text(
                f"场次 {round_code} 当前状态不能运算",
                f"round {round_code} is {market_round.state}; expected {' or '.join(CLEARABLE)}",
            )
        )
    if (other := open_run_of(session, round_code=round_code)) is not None:
        raise Conflict(
            Text(
                f"场次 {round_code} 的运算 {other.id} 尚未结束；请等待",
                f"run {other.id} of round {round_code} is {other.state}; wait until it has ended",
            )
        )
    run = Run(round=market_round, state=RunState.QUEUED, started_by_id=principal.user_id, created_at=now)
    session.add(run)
    session.flush()
    _record(session, principal, run, None, now)
    return run


def open_run_of(session: Session, *, round_code: str) -> Run | None:
    """The queued or running run of a round; the database admits one."""
    query = sa.select(Run).join(Round).where(Round.code == round_code, Run.state.in_(OPEN))
    return session.scalar(query.order_by(Run.id))


def cancel(session: Session, *, principal: Principal, run_id: uuid.UUID, now: dt.datetime) -> Run:
    """Take back a run that still waits in the queue. One that works is left to its end: its answer is reviewed anyway.

    :raises Forbidden: the asker may not start runs, nor take them back.
    :raises NotFound: there is no such run.
    :raises Conflict: it has begun or ended.
    """
    if not principal.may(Permission.RUN_START):
        raise Forbidden(Text("只有平台员工可以取消撮合运行", "taking a run back is for the platform's staff"))
    run = _locked(session, run_id)
    if run.state is not RunState.QUEUED:
        raise Conflict(
            Text(
                f"该运行已{'开始' if run.state is RunState.RUNNING else '结束'}，无法取消；仅排队中的运行可取消",
                f"the run is {run.state}; expected one that waits",
            )
        )
    run.state, run.finished_at, run.phase = RunState.CANCELLED, now, None
    _record(session, principal, run, RunState.QUEUED, now)
    session.flush()
    return run


def due_rounds(session: Session, *, kind: RoundKind, now: dt.datetime) -> list[str]:
    """Codes of the rounds to be cleared now: nightly ones while they are open, docking ones once when they closed.

    A round with an open run is not due.
    """
    query = (
        sa.select(Round.code)
        .where(Round.kind == kind, Round.opens_at <= now)
        .where(~sa.exists().where(Run.round_id == Round.id, Run.state.in_(OPEN)))
    )
    if kind is RoundKind.NIGHTLY:
        query = query.where(Round.state == RoundState.OPEN)
    else:
        since = sa.exists().where(Run.round_id == Round.id, Run.created_at >= Round.closes_at)
        query = query.where(Round.state.in_(CLEARABLE), Round.closes_at <= now, ~since)
    return list(session.scalars(query.order_by(Round.code)))


def round_of(session: Session, *, run_id: uuid.UUID) -> uuid.UUID:
    """The round that a run clears."""
    return session.get_one(Run, run_id).round_id


def state_of(session: Session, *, run_id: uuid.UUID) -> RunState:
    """The state a run is in now."""
    return session.get_one(Run, run_id, populate_existing=True).state


def start(session: Session, *, run_id: uuid.UUID, now: dt.datetime) -> int | None:
    """Begin an attempt at an open run; returns its number, or None when there is nothing (more) to do.

    A run that was killed too often fails instead of killing the next worker.
    """
    run = _locked(session, run_id)
    if run.state not in OPEN:
        return None
    if run.attempt >= MOST_ATTEMPTS:
        _end(session, run, RunState.FAILED, now, error=f"given up: {run.attempt} attempts ended without an answer")
        return None
    before, run.state = run.state, RunState.RUNNING
    run.attempt += 1
    run.started_at, run.phase, run.percent, run.solver_rounds = now, "snapshot", 0, 0
    _record(session, SYSTEM, run, before, now)
    session.flush()
    return run.attempt


def note_progress(session: Session, *, run_id: uuid.UUID, attempt: int, **seen: Any) -> None:
    """Write what an attempt has come to: any of phase, percent, solver_rounds, snapshot_digest, snapshot_at.

    :raises RunTakenOver: it is no longer this attempt's run.
    """
    mine = (Run.id == run_id, Run.attempt == attempt, Run.state == RunState.RUNNING)
    changed = cast("sa.CursorResult[Any]", session.execute(sa.update(Run).where(*mine).values(**seen)))
    if changed.rowcount != 1:
        raise RunTakenOver(f"run {run_id} is no longer attempt {attempt}'s")


def hold(session: Session, *, run_id: uuid.UUID, attempt: int) -> Run:
    """Lock the run of an attempt until the transaction ends.

    :raises RunTakenOver: it is no longer this attempt's run.
    """
    run = _locked(session, run_id)
    if run.state is not RunState.RUNNING or run.attempt != attempt:
        raise RunTakenOver(f"run {run_id} is no longer attempt {attempt}'s")
    return run


def finish(
    session: Session, run: Run, *, headline: dict[str, Any], certificate: dict[str, Any], now: dt.datetime
) -> None:
    """End a run that is held, with its answer."""
    run.headline, run.certificate, run.percent = headline, certificate, 100
    _end(session, run, RunState.DONE, now)


def fail(session: Session, *, run_id: uuid.UUID, attempt: int, error: str, now: dt.datetime) -> None:
    """End a run without an answer; the error stays visible. Nothing happens if it is no longer this attempt's."""
    run = _locked(session, run_id)
    if run.state is RunState.RUNNING and run.attempt == attempt:
        _end(session, run, RunState.FAILED, now, error=error)


def _end(session: Session, run: Run, state: RunState, now: dt.datetime, *, error: str | None = None) -> None:
    before, run.state = run.state, state
    run.finished_at, run.phase = now, None
    run.error = error[:LONGEST_ERROR] if error else None
    _record(session, SYSTEM, run, before, now)
    session.flush()


def _record(session: Session, principal: Principal, run: Run, before: RunState | None, now: dt.datetime) -> None:
    events.record(
        session,
        principal=principal,
        subject=(SubjectKind.RUN, run.id),
        name=f"run.{run.state.value}",
        from_state=before,
        to_state=run.state,
        note=run.error,
        version_hash=run.snapshot_digest,
        now=now,
    )


def _round(session: Session, code: str) -> Round:
    found = session.scalar(sa.select(Round).where(Round.code == code))
    if found is None:
        raise NotFound(f"no round has the code {code!r}")
    return found


def _locked(session: Session, run_id: uuid.UUID) -> Run:
    query = sa.select(Run).where(Run.id == run_id).with_for_update().execution_options(populate_existing=True)
    run = session.scalar(query)
    if run is None:
        raise NotFound("no such run")
    return run
