"""A database of its own with a firm that listens, and a clock that is moved by hand: what leaves the house, tested."""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from app.auth.principal import Principal, of_user
from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.jobs import outbox as sending
from app.jobs import webhooks as calling
from app.jobs.transactions import transaction
from app.jobs.webhook_call import Waiting
from app.mail_server import MailServer
from app.models import Contract, Outbox, User, WebhookAttempt, WebhookEndpoint, WebhookMessage
from app.operations import webhooks
from app.operations.outbox import tell
from app.transaction import Application
from tests import factories as make

from .night_market import standing_application

QUICK = Waiting(connecting=1.0, in_all=0.5)


@dataclass(slots=True)
class Clock:
    """Says what it was set to."""

    now: dt.datetime = make.NOON

    def __call__(self) -> dt.datetime:
        return self.now

    def wait(self, **time: float) -> None:
        self.now += dt.timedelta(**time)


@dataclass(slots=True)
class House:
    """The exchange, seen from its door. `admin` and `trader` are people of the seller of `contract`."""

    app: Application
    clock: Clock = field(default_factory=Clock)
    contract: Contract = field(default_factory=make.ContractFactory)
    admin: User = field(init=False)
    trader: User = field(init=False)

    def __post_init__(self) -> None:
        self.admin = make.FirmAdminFactory(firm=self.contract.seller)
        self.trader = make.UserFactory(firm=self.contract.seller)
        db.session.commit()
        self.app.extensions["clock"] = self.clock

    @property
    def who(self) -> Principal:
        return of_user(self.admin)

    def endpoint(self, url: str, *topics: str) -> tuple[WebhookEndpoint, str]:
        """An endpoint of the seller's, and its secret."""
        made = webhooks.make_endpoint(
            db.session(), principal=self.who, url=url, topics=topics or ("contract.agreed",), now=self.clock()
        )
        db.session.commit()
        return made

    def tell(self, topic: str = "contract.agreed", **changes: Any) -> int:
        """Something has happened to the contract, and that is committed; returns the message's number."""
        with transaction() as session:
            told: dict[str, Any] = {
                "topic": topic,
                "about": ("contract", self.contract.id),
                "firms": (self.contract.seller_firm_id, self.contract.buyer_firm_id),
                "payload": {"contract": self.contract.number},
                "now": self.clock(),
            }
            message = tell(session, **(told | changes))
            session.flush()
            return message.id

    def send(self) -> None:
        """What the worker does every ten seconds, in this process; every call gets half a second."""
        sending.send_outbox(clock=self.clock)
        sending.send_mails(clock=self.clock)
        for endpoint in self.endpoints_due():
            calling.send_due(endpoint, clock=self.clock, waiting=QUICK)
        db.session.rollback()
        db.session.expire_all()

    def endpoints_due(self) -> list[uuid.UUID]:
        query = sa.select(WebhookMessage.endpoint_id).where(WebhookMessage.due_at <= self.clock()).distinct()
        with transaction() as session:
            return list(session.scalars(query.order_by(WebhookMessage.endpoint_id)))

    def messages(self) -> list[WebhookMessage]:
        db.session.rollback()
        db.session.expire_all()
        return list(db.session.scalars(sa.select(WebhookMessage).order_by(WebhookMessage.outbox_id)))

    def attempts(self) -> list[WebhookAttempt]:
        db.session.rollback()
        db.session.expire_all()
        return list(db.session.scalars(sa.select(WebhookAttempt).order_by(WebhookAttempt.id)))

    def topics(self) -> list[str]:
        """The topics of all messages of the outbox, in their order."""
        db.session.rollback()
        return list(db.session.scalars(sa.select(Outbox.topic).order_by(Outbox.id)))


@contextlib.contextmanager
def house(
    app: Application,
    postgres: EmbeddedPostgres,
    worker_name: str,
    *,
    mail: MailServer | None = None,
    loopback: bool = True,
) -> Iterator[House]:
    """A house on a database of its own; webhooks may go to this machine unless `loopback` says otherwise."""
    usual = app.config["CHANGDAN"]
    with standing_application(app, postgres, worker_name):
        app.config["CHANGDAN"] = replace(usual, mail=mail, webhooks_to_loopback=loopback)
        try:
            yield House(app)
        finally:
            app.config["CHANGDAN"] = usual
