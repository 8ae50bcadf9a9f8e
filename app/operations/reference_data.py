"""Reference data: facts that staff keep up and everybody reads. Putting the same facts in twice changes nothing."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.db import Model
from app.errors import NotFound
from app.models import ReferenceChange
from contracts.wording import Text

RowT = TypeVar("RowT", bound=Model)
Values = Mapping[str, Any]
MOST_CHANGES = 50


class Outcome(StrEnum):
    """What putting a row did."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(slots=True)
class Counts:
    """How many rows of one subject were created, changed and left as they were."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0

    def add(self, outcome: Outcome) -> None:
        setattr(self, outcome.value, getattr(self, outcome.value) + 1)


@dataclass(slots=True)
class RowResult:
    """What became of one row of a bulk: its number from 1, and the faults by field if it was rejected; `told` is a
    refusal in both languages."""

    row: int
    outcome: Outcome | None = None
    faults: dict[str, list[str]] = field(default_factory=dict)
    told: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """The person who edits facts by hand, and when: what he makes and changes is kept in the trail."""

    user_id: uuid.UUID
    at: dt.datetime


def put(
    session: Session, model: type[RowT], *, key: Values, values: Values, author: Author | None = None
) -> tuple[RowT, Outcome]:
    """Make the row with this key have these values. With an author the change is kept in the trail.

    :raises sqlalchemy.exc.IntegrityError: it names something that does not exist, or breaks a rule of the table.
    """
    found = session.scalar(sa.select(model).filter_by(**key))
    before = None if found is None else shown(found)
    if found is None:
        found = model(**key, **values)
        session.add(found)
        outcome = Outcome.CREATED
    else:
        outcome = _change(found, values)
    if outcome is not Outcome.UNCHANGED:
        session.flush()
        if author is not None:
            session.add(
                ReferenceChange(
                    at=author.at,
                    user_id=author.user_id,
                    table_name=model.__tablename__,
                    row_key=row_key(key.values()),
                    before=before,
                    after=shown(found),
                )
            )
    return found, outcome


def row_key(values: Iterable[object]) -> str:
    """What tells a row of reference from others, as the trail names it."""
    return "/".join("" if value is None else str(value) for value in values)


def shown(row: Model) -> dict[str, str | None]:
    """The columns of a row as text; decimals without idle zeros."""
    found = {}
    for column in row.__table__.columns:
        value = getattr(row, column.key)
        text = f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
        found[column.key] = None if value is None else text
    return found


def visible_changes(principal: Principal) -> sa.Select[ReferenceChange]:
    """What people made and changed by hand, for the platform's people; firms see the facts as they are."""
    query = sa.select(ReferenceChange)
    return query if principal.firm_id is None else query.where(sa.false())


def changes_of(
    session: Session, *, principal: Principal, model: type[Model], key: Iterable[object]
) -> Sequence[ReferenceChange]:
    """What people made and changed of one row, the newest first."""
    query = visible_changes(principal).where(
        ReferenceChange.table_name == model.__tablename__, ReferenceChange.row_key == row_key(key)
    )
    return session.scalars(query.order_by(ReferenceChange.id.desc()).limit(MOST_CHANGES)).all()


def put_all(session: Session, model: type[RowT], *, key: Sequence[str], rows: Iterable[Values]) -> Counts:
    """The same for many rows of one table at once; `key` names the columns that tell one row from another.

    :raises sqlalchemy.exc.IntegrityError: as `put`; then none of the rows is to be kept.
    """
    counts = Counts()
    present = {tuple(getattr(row, name) for name in key): row for row in session.scalars(sa.select(model))}
    for values in rows:
        identity = tuple(values[name] for name in key)
        if (found := present.get(identity)) is not None:
            counts.add(_change(found, values))
            continue
        present[identity] = made = model(**values)
        session.add(made)
        counts.add(Outcome.CREATED)
    session.flush()
    return counts


def put_each(
    session: Session,
    model: type[RowT],
    *,
    key: Sequence[str],
    rows: Iterable[tuple[int, Values]],
    author: Author | None = None,
) -> list[RowResult]:
    """Put numbered rows one by one, each undone alone if the database refuses it; one result per row, in order."""
    results = []
    for number, values in rows:
        result = RowResult(number)
        identity = {name: values.get(name) for name in key}
        rest = {name: value for name, value in values.items() if name not in identity}
        try:
            with session.begin_nested():
                _, result.outcome = put(session, model, key=identity, values=rest, author=author)
        except sa.exc.IntegrityError as error:
            constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
            result.faults = {"": [f"breaks the rule {constraint} of the data"]}
        results.append(result)
    return results


def visible(model: type[RowT]) -> sa.Select[RowT]:
    """Reference data are open to all who are signed in."""
    return sa.select(model)


def one(session: Session, model: type[RowT], **key: Any) -> RowT:
    """The row with this key.

    :raises NotFound: there is none.
    """
    found = session.scalar(sa.select(model).filter_by(**key))
    if found is None:
        raise NotFound(f"no such {model.__tablename__.replace('_', ' ')}: {', '.join(map(str, key.values()))}")
    return found


def _change(row: Model, values: Values) -> Outcome:
    differing = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in differing.items():
        setattr(row, name, value)
    return Outcome.CHANGED if differing else Outcome.UNCHANGED
