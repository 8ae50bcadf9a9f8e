"""`flask reference load`: put the project's tables of facts into the database."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import AppGroup

from app.db import session
from app.operations import reference_load
from market.errors import BadInput
from reference import tables

group = AppGroup("reference", help="Products, prices, regions, freight, firms: the facts the market stands on.")


@group.command("load")
@click.option(
    "--tables",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=tables.FOLDER,
    show_default="those of the project",
    help="Folder of the tables.",
)
def load(folder: Path) -> None:
    """Load the tables of facts; doing it again changes nothing. All or nothing is loaded."""
    try:
        facts = tables.load(folder)
    except BadInput as error:
        raise click.ClickException(str(error)) from error
    counts = reference_load.load(session(), tables=facts)
    session().commit()
    click.echo(f"{'':24}{'created':>10}{'changed':>10}{'unchanged':>10}")
    for name, count in counts.items():
        click.echo(f"{name:24}{count.created:>10}{count.changed:>10}{count.unchanged:>10}")
