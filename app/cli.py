"""Commands of `flask --app wsgi`. Each subject brings a group or a command; this is the list of them."""

from __future__ import annotations

import click
from flask import Flask

from app import (
    contract_commands,
    night_commands,
    outbox_command,
    reference_command,
    settlement_commands,
    what_if_command,
)
from app.demo import command as demo_command

COMMANDS: tuple[click.Command, ...] = (
    reference_command.group,
    night_commands.match,
    night_commands.run_night,
    night_commands.worker,
    outbox_command.send,
    contract_commands.verify_contract,
    settlement_commands.group,
    what_if_command.what_if,
    demo_command.demo,
)


def init_app(app: Flask) -> None:
    for command in COMMANDS:
        app.cli.add_command(command)
