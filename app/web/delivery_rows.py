"""What the pages of deliveries show: months that may be called, reasons, the course."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.models import Contract
from app.operations import quantities, terms_in_force
from app.operations.contract_terms import frozen_terms
from app.operations.contracts import Step
from app.web.formats import in_words
from app.web.labels import reason_text
from contracts.nomination import Zone, zone
from contracts.reasons import REASONS, ReasonGroup
from market.periods import Period

LONGEST_NOTE = 1000


@dataclass(frozen=True, slots=True)
class MonthOpen:
    """A month that may be called now: until which day, and how many lots its period leaves."""

    label: str
    zone: Zone
    until: dt.date
    most: int


def months_of(session: Session, contract: Contract, today: dt.date) -> list[MonthOpen]:
    """The months of the schedule that may be nominated on a day, in order."""
    standing = quantities.quantities(session, contract=contract, on=today)
    versions = [
        (version.in_force_from, frozen_terms(version.terms).nomination)
        for version in terms_in_force.versions(session, contract=contract)
    ]
    found = []
    for line in standing.periods:
        for at in range(line.period.months):
            month = Period(line.period.start + at, 1)
            dated = [calendar for since, calendar in versions if since <= month.first_day]
            calendar = dated[-1] if dated else versions[0][1]
            stands_in = zone(calendar, month, today)
            if stands_in in {Zone.OPEN, Zone.BINDING}:
                days = calendar.nominate_days if stands_in is Zone.OPEN else calendar.firm_days
                until = month.first_day - dt.timedelta(days=days)
                found.append(MonthOpen(str(month), stands_in, until, line.room.most))
    return found


def reasons_of(group: ReasonGroup) -> list[tuple[str, str]]:
    """The reasons of a group to choose from, in the language of the page."""
    return [(one.code, in_words(one.text.zh, one.text.en)) for one in REASONS[group]]


def timeline_of(steps: Iterable[Step], names: Mapping[uuid.UUID, str]) -> list[dict[str, Any]]:
    """The steps as the timeline shows them."""
    return [
        {
            "name": step.name,
            "at": step.at,
            "acting_as": step.acting_as,
            "who": names.get(step.user_id) if step.user_id else None,
            "reason": reason_text(step.reason_code, step.name),
            "note": step.note,
            "version_hash": step.version_hash,
        }
        for step in steps
    ]
