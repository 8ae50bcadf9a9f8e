"""What was called of a contract already, as an amendment of its schedule has to leave it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app.models import CallOff, Contract
from app.operations import quantities
from app.operations.returned_volume import excused_lots
from contracts.schedule import cumulative_limits
from contracts.state import Subject, end_states
from contracts.terms import Terms
from contracts.wording import Text, fault
from market.errors import Fault
from market.periods import Period

ENDED = frozenset(end_states(Subject.CALL_OFF))


def below_what_is_called(session: Session, *, contract: Contract, old: Terms, new: Terms) -> list[Fault]:
    """The places in which a new schedule or tolerance leaves less than what was called under the one before.

    A line of which anything is called or forecast keeps its period: so periods do not become of another kind either.
    What was passed before, because of lots that were excused later, may stay passed, but not by more.
    """
    if (old.schedule, old.tolerance) == (new.schedule, new.tolerance):
        return []
    rows = [one for one in quantities.of_contract(session, contract=contract) if _counts(one)]
    lines = [line.period for line in new.schedule]
    gone = sorted({one.period for one in rows if Period.parse(one.period) not in lines})
    if gone:
        listed = ", ".join(gone)
        none = Text(f"没有 {listed} 的行", f"no line of {listed}")
        wanted = Text(f"{listed} 的行，该期间已有要求交货", f"a line of {listed}, of which call-offs were made")
        return [fault("/schedule", none, wanted)]
    excused = excused_lots(session, contract_id=contract.id)
    called = quantities.called_lots(rows, lines)
    return _of_lines(new, called, excused, _limits(old, excused), _limits(new, excused))


def _counts(call_off: CallOff) -> bool:
    return bool(call_off.counted_lots) or call_off.state not in ENDED


def _limits(terms: Terms, excused: Mapping[str, int]) -> dict[Period, tuple[int, int]]:
    """By period the most that may be called in it, and the most from the start to its end."""
    left = quantities.without_excused(terms, excused)
    most = cumulative_limits(left.schedule, left.tolerance)
    return {line.period: (line.maximum, so_far) for line, (_, so_far) in zip(left.schedule, most, strict=True)}


def _of_lines(
    new: Terms,
    called: Mapping[Period, int],
    excused: Mapping[str, int],
    before: Mapping[Period, tuple[int, int]],
    after: Mapping[Period, tuple[int, int]],
) -> list[Fault]:
    faults, so_far = [], 0
    for at, line in enumerate(new.schedule):
        period, own = line.period, called.get(line.period, 0)
        so_far += own
        (most, most_so_far), (was, was_so_far) = after[period], before.get(period, (0, 0))
        if own > most and (most < was or period not in before):
            least = own + excused.get(str(period), 0)
            expected = Text(f"至少 {least}：已要求 {own} 批", f"at least {least}: {own} lots are called")
            faults.append(fault(f"/schedule/{at}/maximum", f"{line.maximum}", expected))
        if so_far > most_so_far and (most_so_far < was_so_far or period not in before):
            found = Text(
                f"到 {period} 末合计至多 {most_so_far} 批", f"at most {most_so_far} lots in all by the end of {period}"
            )
            expected = Text(f"容得下已要求的 {so_far} 批", f"room for what is called: {so_far} lots are called")
            faults.append(fault(f"/schedule/{at}/lots", found, expected))
    return faults
