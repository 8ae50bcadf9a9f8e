"""Commands that ask of a copy of a round: which firms the chain would miss most."""

from __future__ import annotations

import uuid

import click
import sqlalchemy as sa
from flask.cli import with_appcontext

from app.auth import SYSTEM
from app.clock import clock
from app.jobs import what_if as work
from app.jobs.night import AtWork
from app.jobs.transactions import transaction
from app.models import Firm, Run, RunState, WhatIf
from app.operations import runs
from app.operations import what_if as questions
from market.errors import MarketError


@click.group("what-if")
def what_if() -> None:
    """Ask of a copy of a round; nothing of the round changes."""


@what_if.command("criticality")
@click.option("--round", "round_code", required=True, help="Code of the round.")
@with_appcontext
def rank_firms(round_code: str) -> None:
    """Rank the largest firms of a round by the welfare that is lost without each, and keep the ranking."""
    try:
        with transaction() as session:
            of_round = runs.runs_of_round(session, principal=SYSTEM, round_code=round_code)
            run = session.scalar(
                of_round.where(Run.state == RunState.DONE).order_by(Run.created_at.desc(), Run.id).limit(1)
            )
            if run is None:
                raise click.ClickException(f"round {round_code} has no finished run; expected one")
            asked = questions.ask_criticality(session, principal=SYSTEM, run_id=run.id, now=clock())
            what_if_id: uuid.UUID = asked.id
        work.work_out(what_if_id, clock=clock)
    except (MarketError, AtWork) as refusal:
        raise click.ClickException(str(refusal)) from refusal
    _print(what_if_id)


def _print(what_if_id: uuid.UUID) -> None:
    with transaction() as session:
        asked = session.get_one(WhatIf, what_if_id)
        if asked.state is not RunState.DONE or asked.result is None:
            raise click.ClickException(f"question {what_if_id} {asked.state}: {asked.error}")
        firms = asked.result["firms"]
        ids = [uuid.UUID(line["firm_id"]) for line in firms]
        names = dict(session.execute(sa.select(Firm.id, Firm.name_en).where(Firm.id.in_(ids))).all())
        for place, line in enumerate(firms, start=1):
            name = names[uuid.UUID(line["firm_id"])]
            lost = ", ".join(f"{amount} of {product}" for product, amount in line["volume_lost"].items())
            click.echo(f"{place:3d}. {name}: {line['welfare_lost']} CNY ({float(line['share']):.2%}); {lost or '-'}")
