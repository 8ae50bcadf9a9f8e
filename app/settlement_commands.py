"""Commands of settlement: issue what is due, compute every stored invoice again, load fixings."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click
import sqlalchemy as sa
from flask.cli import AppGroup

from app.auth import SYSTEM
from app.clock import EXCHANGE, clock
from app.db import session
from app.jobs.settlement import issue_all
from app.jobs.transactions import consistent_read
from app.models import Contract
from app.operations import fixing_file, fixings
from app.operations.replay import replay
from market.errors import BadInput

group = AppGroup("settlement", help="Invoices and statements of contracts, and the fixings they are made from.")


@group.command("issue")
@click.option("--day", type=click.DateTime(formats=["%Y-%m-%d"]), help="The day to act as on; today if left out.")
def issue(day: dt.datetime | None) -> None:
    """Issue what is due under all contracts; doing it again issues nothing."""
    now = clock() if day is None else day.replace(hour=12, tzinfo=EXCHANGE).astimezone(dt.UTC)
    done = issue_all(now=now)
    click.echo(", ".join(f"{name} {count}" for name, count in done.items()))
    if done["failed"]:
        raise click.exceptions.Exit(1)


@group.command("replay")
@click.option("--contract", "number", help="Number of one contract; all if left out.")
def run_replay(number: str | None) -> None:
    """Compute stored invoices and statements again and compare the cents; names facts that have changed since."""
    with consistent_read() as reading:
        contract_id = None
        if number is not None:
            contract_id = reading.scalar(sa.select(Contract.id).where(Contract.number == number))
            if contract_id is None:
                raise click.ClickException(f"no contract {number!r}; expected the number of one")
        found = replay(reading, contract_id=contract_id)
    for one in found.found:
        for difference in one.differences:
            click.echo(f"{one.contract} {one.document.en}: {difference.en}")
        for change in one.changed:
            click.echo(f"{one.contract} {one.document.en}: {change.en} (the money of then stands)")
    click.echo(f"{found.count} computed again, {sum(bool(one.differences) for one in found.found)} otherwise")
    if not found.same:
        raise click.exceptions.Exit(1)


@group.command("load-fixings")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def load_fixings(file: Path) -> None:
    """Load fixings from a CSV with the columns index, day, value, quoted_tax, kind, source, reason; all or nothing."""
    try:
        rows = fixing_file.read(file.read_bytes())
    except BadInput as error:
        raise click.ClickException(str(error)) from error
    results = fixings.record_each(session(), principal=SYSTEM, rows=rows, now=clock())
    faults = [f"row {one.row}: {fault}" for one in results for told in one.faults.values() for fault in told]
    if faults:
        session().rollback()
        raise click.ClickException("\n".join(faults))
    session().commit()
    counts = fixings.counts_of(results)
    click.echo(f"{counts.created} new, {counts.changed} corrected, {counts.unchanged} known")
