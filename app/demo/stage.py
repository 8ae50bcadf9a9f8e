"""Where a life is played: one connection that keeps all of it or nothing, and a calendar of what is still to come."""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.config import Config
from app.db import db
from app.demo.choice import Cast
from reference.tables import Tables

Act = Callable[[], None]


@dataclass(slots=True)
class Calendar:
    """What happens on which played day; of one day, in the order in which it was put down."""

    waiting: list[tuple[dt.date, int, Act]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def put(self, day: dt.date, act: Act) -> None:
        heapq.heappush(self.waiting, (day, next(self.numbers), act))

    def run(self, until: dt.date) -> int:
        """Let everything happen up to a day, what comes of it on the way too; returns how many acts there were."""
        done = 0
        while self.waiting and self.waiting[0][0] <= until:
            heapq.heappop(self.waiting)[2]()
            done += 1
        return done


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Who plays, with which facts and keys, on which connection."""

    connection: sa.Connection
    cast: Cast
    tables: Tables
    config: Config

    @contextmanager
    def act(self) -> Iterator[Session]:
        """A transaction of its own, as a request has it."""
        with act_on(self.connection) as session:
            yield session


@contextmanager
def act_on(connection: sa.Connection) -> Iterator[Session]:
    """A session whose end is only a step of the connection's own transaction."""
    with Session(connection, join_transaction_mode="create_savepoint") as session, session.begin():
        yield session


@contextmanager
def all_or_nothing() -> Iterator[sa.Connection]:
    """A connection that keeps what is done on it at the end, and nothing where something is refused."""
    with db.engine.begin() as connection:
        yield connection
