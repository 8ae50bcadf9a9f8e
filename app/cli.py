"""Commands of `flask --app wsgi`. Each subject brings a group or a command; this is the list of them."""

from __future__ import annotations

import click
from flask import Flask, current_app

from app.config import settings
from app.embedded_postgres import EmbeddedPostgres


@click.command("db-start")
def db_start() -> None:
    """Start the embedded database and print its address."""
    click.echo(current_app.config["SQLALCHEMY_DATABASE_URI"])


@click.command("db-stop")
def db_stop() -> None:
    """Stop the embedded database."""
    EmbeddedPostgres(settings().data / "postgres").stop()


COMMANDS: tuple[click.Command, ...] = (db_start, db_stop)


def init_app(app: Flask) -> None:
    for command in COMMANDS:
        app.cli.add_command(command)
