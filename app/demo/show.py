"""Puts the demo up step by step, each of which does nothing where it has been done before, and shows what came out."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from sqlalchemy.orm import Session

from app.auth import SYSTEM
from app.auth.principal import of_user
from app.config import Config
from app.demo import biography, choice, life, life_page, market, people
from app.demo.biography import Biography
from app.demo.chain import Chain, chain_of
from app.demo.drawing import draw
from app.demo.headline import report
from app.demo.notice import notice
from app.demo.page import page
from app.demo.stage import Stage, act_on, all_or_nothing
from app.demo.terminal import heading, number
from app.errors import Refused
from app.jobs import night
from app.jobs.night import Clock, Watcher
from app.jobs.transactions import in_transaction, transaction
from app.models import PricePublication, PublishedPrice, Run, RunState, User
from app.operations import documents, flows, hub_prices, reference_load, rounds, runs
from app.operations.people import visible_users
from market.errors import MarketError
from reference.offers import Scenario
from reference.prices import index_fixings
from reference.tables import Tables

USERS_FILE = "demo-users.txt"
PICTURES = "demo"
PAPERS = ("signed by both with keys of the demonstration", "in both languages, each invoice with its working")


class NightFailed(MarketError):
    """The run ended without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is shown of a finished run."""

    run: Run
    firms: int
    periods: list[str]
    chain: Chain


def load_reference(tables: Tables) -> str:
    """Put the facts in; says what changed."""
    counts = in_transaction(lambda session: reference_load.load(session, tables=tables))
    created, changed = (sum(getattr(count, name) for count in counts.values()) for name in ("created", "changed"))
    rows = sum(count.created + count.changed + count.unchanged for count in counts.values())
    done = f"{number(created)} new, {number(changed)} changed" if created or changed else "nothing new"
    return f"{number(rows)} rows of products, prices, freight and firms: {done}"


def lay_out_market(scenario: Scenario, *, now: dt.datetime) -> str:
    """Make the round with its offers, all of it or nothing."""

    def work(session: Session) -> str:
        if market.find_market(session) is not None:
            return f"round {market.ROUND} is there already"
        market.lay_out(session, scenario=scenario, now=now)
        return f"round {market.ROUND}: {len(scenario.offers)} offers of {len(scenario.firms)} firms posted"

    return in_transaction(work)


def settle_people(scenario: Scenario, *, data: Path, now: dt.datetime) -> str:
    """Make the accounts; the file of their passwords is written once they are there."""
    file = data / USERS_FILE

    def work(session: Session) -> dict[str, str]:
        persons = people.persons_with_firms(market.firm_keys(session, scenario.firms))
        return people.settle(session, persons=persons, file=file, now=now)

    passwords = in_transaction(work)
    people.keep(passwords, file)
    count = len(people.PERSONS)
    return f"{len(passwords)} of {count} accounts have a new password" if passwords else f"{count} accounts are there"


def run_night(*, clock: Clock, watch: Watcher) -> str:
    """Clear the round, unless a run of it is done; one that was left open is taken up.

    :raises NightFailed: the run failed; with its error.
    :raises night.AtWork: another process is clearing it now.
    """
    with transaction() as session:
        if _last_run(session) is not None:
            return "the round has been cleared already"
        run = runs.open_run_of(session, round_code=market.ROUND) or runs.open_run(
            session, principal=SYSTEM, round_code=market.ROUND, now=clock()
        )
        run_id: uuid.UUID = run.id
    state = night.clear_run(run_id, clock=clock, watch=watch)
    if state is not RunState.DONE:
        with transaction() as session:
            run = runs.get_run(session, principal=SYSTEM, run_id=run_id)
            raise NightFailed(f"run {run_id} {state}: {run.error}")
    return "the round is cleared"


def publish_prices(*, now: dt.datetime) -> str:
    """Staff publish the night's prices by hub, unless they have; says so where too few firms stand behind any."""

    def work(session: Session) -> str:
        run = _last_run(session)
        if run is None:
            raise NightFailed(f"no run of round {market.ROUND} is done")
        of_round = hub_prices.visible_publications(SYSTEM).where(PricePublication.round_id == run.round_id)
        if session.scalar(of_round) is not None:
            return "published already"
        staff = session.scalars(visible_users(SYSTEM).where(User.email == people.STAFF.email)).one()
        try:
            made = hub_prices.publish(session, principal=of_user(staff), run_id=run.id, now=now)
        except Refused as refusal:
            return refusal.text.en
        of_it = hub_prices.visible_prices(SYSTEM).where(PublishedPrice.publication_id == made.id)
        return (
            f"{number(len(session.scalars(of_it).all()))} prices by region and quarter that may be told are published"
        )

    return in_transaction(work)


def play_life(*, config: Config, tables: Tables, now: dt.datetime) -> str:
    """Play one contract's life, all of it or nothing, unless it has been played; its firms' traders get accounts.

    Says so where the run has no contract that fits, or all that do are under way already.
    """
    demo, file = replace(config, demo_signing=True), config.data / USERS_FILE
    with all_or_nothing() as connection:
        with act_on(connection) as session:
            played, run = choice.find_life(session), _last_run(session)
            chosen = None if played or run is None else choice.choose(session, run=run)
            shown = played or chosen
            if shown is None:
                return f"none to show: expected one {choice.RULE}"
            firms = {people.SELLER: shown.seller_firm_id, people.BUYER: shown.buyer_firm_id}
            passwords = people.settle(session, persons=firms, file=file, now=now)
            cast = choice.cast(session, firms=firms)
            what = f"{shown.seller.name_zh} → {shown.buyer.name_zh}"
            proposal_id = None if chosen is None else chosen.id
        if proposal_id is not None:
            life.play(Stage(connection=connection, cast=cast, tables=tables, config=demo), proposal_id)
    people.keep(passwords, file)
    return f"{what}: {'played already' if proposal_id is None else 'played from release to the middle of 2027'}"


def biography_of(session: Session) -> Biography | None:
    """The life that was played, if there was a contract for it."""
    contract = choice.find_life(session)
    return None if contract is None else biography.read(session, contract=contract)


def write_life(found: Biography, *, data: Path) -> list[Path]:
    """Write the contract as both have signed it, and its life as a page; returns their places."""
    folder = data / PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    contract, story = folder / "contract.pdf", folder / "contract-life.html"
    contract.write_bytes(documents.content_of(found.signed[-1]))
    story.write_text(life_page.page(found), encoding="utf-8")
    return [contract, story]


def outcome(session: Session) -> Outcome:
    """The last finished run of the demo's round.

    :raises NightFailed: there is none.
    """
    run = _last_run(session)
    if run is None:
        raise NightFailed(f"no run of round {market.ROUND} is done")
    return Outcome(
        run=run,
        firms=flows.firms_in_run(session, principal=SYSTEM, run_id=run.id),
        periods=rounds.find_round(session, principal=SYSTEM, round_id=run.round_id).horizon.labels(),
        chain=chain_of(flows.run_flows(session, principal=SYSTEM, run_id=run.id)),
    )


def told(found: Outcome, tables: Tables) -> Iterator[str]:
    """The headline, and what must be said with it."""
    run = found.run
    if run.headline is None or run.certificate is None or run.started_at is None or run.finished_at is None:
        raise NightFailed(f"run {run.id} has no answer")
    index_day = max(index_fixings(tables))
    yield from report(
        run.headline,
        firms=found.firms,
        periods=found.periods,
        index_day=index_day,
        seconds=(run.finished_at - run.started_at).total_seconds(),
        memory=Decimal(run.certificate["peak_memory_mb"]),
    )
    yield ""
    yield from notice(index_day)


def write_pictures(found: Outcome, *, data: Path) -> Path:
    """Write the page and, beside it, the picture alone; returns the page's place."""
    folder = data / PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    years = sorted({label[:4] for label in found.periods})
    periods = "–".join(dict.fromkeys((years[0], years[-1])))
    (folder / "chain.svg").write_text(draw(found.chain, language="en", periods=periods), encoding="utf-8")
    place = folder / "flows.html"
    place.write_text(page(found.chain, periods=periods), encoding="utf-8")
    return place


def directions(place: Path, papers: Sequence[Path], *, data: Path) -> Iterator[str]:
    """Where to go from here; `papers` are the places of the signed contract and of its life, where there is one."""
    yield heading("接下来 Where things are")
    yield f"  picture    {_near(place)} (opens without a network)"
    for paper, name, what in zip(papers, ("contract", "its life"), PAPERS, strict=False):
        yield f"  {name:<10} {_near(paper)}, {what}"
    yield "  console    make serve, then http://127.0.0.1:8000; CHANGDAN_DEMO_SIGNING=1 lets it trust the demo's keys"
    yield "  worker     make worker beside it ranks firms by criticality and answers what-ifs of the console"
    yield f"  accounts   {_near(data / USERS_FILE)}: a role each, and seller and buyer of the contract; first passwords"
    yield "  again      make demo shows this again; flask --app wsgi demo --fresh drops it all and starts anew"


def _near(place: Path) -> Path:
    here = Path.cwd()
    return place.relative_to(here) if place.is_relative_to(here) else place


def _last_run(session: Session) -> Run | None:
    if market.find_market(session) is None:
        return None
    query = runs.runs_of_round(session, principal=SYSTEM, round_code=market.ROUND)
    return session.scalar(query.where(Run.state == RunState.DONE).order_by(Run.finished_at.desc(), Run.id).limit(1))
