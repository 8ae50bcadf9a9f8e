"""`flask demo`: the whole market on one screen."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import click
import sqlalchemy as sa
from flask.cli import with_appcontext
from flask_migrate import upgrade

from app.clock import clock
from app.config import settings
from app.db import db
from app.demo import show
from app.demo.life_told import told
from app.demo.terminal import bar, cell
from app.jobs.night import AtWork, Watcher
from app.jobs.transactions import transaction
from market.errors import MarketError
from reference import derive, tables

LINE = 98


@click.command("demo")
@click.option("--fresh", is_flag=True, help="Drop everything in the private database first and start from nothing.")
@with_appcontext
def demo(fresh: bool) -> None:
    """Load the scenario, run one night of the market, play one contract's life, show both. Safe to repeat."""
    config = settings()
    if config.production:
        raise click.ClickException("the demo makes accounts and offers that no production may have")
    if fresh and config.database_url:
        raise click.ClickException(
            "--fresh drops a whole database, and DATABASE_URL names a server of your own; expected the private one"
        )
    log = logging.getLogger("changdan")
    log.setLevel(max(log.level, logging.WARNING))  # the night's own lines would tear up the screen
    try:
        _play(fresh)
    except (MarketError, AtWork) as refusal:
        raise click.ClickException(str(refusal)) from refusal


def _play(fresh: bool) -> None:
    data, facts = settings().data, tables.load()
    scenario = derive(tables=facts)
    with _step("database") as done:
        if fresh:
            _drop_everything()
        upgrade()
        done("dropped, made anew and migrated" if fresh else "migrated to the newest schema")
    with _step("reference") as done:
        done(show.load_reference(facts))
    with _step("market") as done:
        done(show.lay_out_market(scenario, now=clock()))
    with _step("accounts") as done:
        done(show.settle_people(scenario, data=data, now=clock()))
    with _step("night") as done:
        done(show.run_night(clock=clock, watch=_watcher()))
    with _step("prices") as done:
        done(show.publish_prices(now=clock()))
    with _step("contract") as done:
        done(show.play_life(config=settings(), tables=facts, now=clock()))
    with transaction() as session:
        found, life = show.outcome(session), show.biography_of(session)
        place = show.write_pictures(found, data=data)
        papers = [] if life is None else show.write_life(life, data=data)
        story = () if life is None else (*told(life), "")
        click.echo()
        for line in (*show.told(found, facts), "", *story, *show.directions(place, papers, data=data)):
            click.echo(line)


def _drop_everything() -> None:
    """Only ever called on the private server, which the application has started itself."""
    with db.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL lock_timeout = '10s'"))
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))


@contextmanager
def _step(name: str) -> Iterator[Callable[[str], None]]:
    """A line for a step: what it did and how long it took."""
    since = time.perf_counter()
    said: list[str] = []
    yield said.append
    line = f"  ✓ {name:<10} {cell(said[0], LINE - 22)} {time.perf_counter() - since:6.1f} s"
    click.echo(f"\r{line}" if _is_live() else line)


def _watcher() -> Watcher:
    """Shows progress in place; where nobody watches, a line for each phase."""
    last = ""

    def watch(phase: str, percent: int, rounds: int) -> None:
        nonlocal last
        solver = f", {rounds} rounds of the solver" if rounds else ""
        line = f"  · {'night':<10} {bar(Decimal(percent) / 100, 20)} {percent:>3} %  {phase}{solver}"
        if _is_live():
            click.echo(f"\r{cell(line, LINE)}", nl=False)
        elif phase != last:
            click.echo(line.rstrip())
        last = phase

    return watch


def _is_live() -> bool:
    return sys.stdout.isatty()
