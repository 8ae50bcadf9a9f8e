"""`flask send`: what waits in the outbox goes out in this process, for whom no worker runs."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from app.clock import clock
from app.jobs.outbox import send_everything


@click.command("send")
@with_appcontext
def send() -> None:
    """Send what was told: notifications, e-mails, and webhooks that are due."""
    counts = send_everything(clock=clock)
    click.echo(f"{counts['messages']} messages, {counts['mails']} e-mails, {counts['attempts']} calls of webhooks")
