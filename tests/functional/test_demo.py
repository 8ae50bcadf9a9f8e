"""The demo on a real database, with a part of the chain: what it prints and draws is what the rows say."""

from __future__ import annotations

import datetime as dt
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa
from click.testing import Result

from app.auth import SYSTEM, Principal
from app.auth.passwords import verify
from app.auth.principal import of_user
from app.clock import clock
from app.db import db
from app.demo import command, market, people, show
from app.demo.chain import HUBS, Chain, chain_of
from app.demo.drawing import draw
from app.demo.layout import lay_out
from app.demo.terminal import bar, cell, number, width
from app.embedded_postgres import EmbeddedPostgres
from app.errors import Forbidden, NotFound
from app.models import Certificate, Corridor, FirmExclusion, Offer, Proposal, Run, User, UserRole
from app.operations import flows, hub_prices
from app.transaction import Application
from reference import derive
from reference.offers import Scenario, ScenarioOffer
from reference.tables import load

from .night_market import standing_application

FACTS = load()
PRODUCTS = {"spodumene_concentrate", "lithium_carbonate", "iron_phosphate", "cathode_LFP"}


def part_of_the_chain() -> Scenario:
    """The largest offers of the LFP chain down to the cathode, all firms known, quotas and exclusions as they are."""
    whole = derive(tables=FACTS)

    def size(offer: ScenarioOffer) -> Decimal:
        return -sum(offer.quantity) * offer.price[0]

    chosen: list[ScenarioOffer] = []
    for product in sorted(PRODUCTS):
        for side in ("sell", "buy", "conversion"):
            mine = (one for one in whole.offers if (one.product, one.side) == (product, side))
            inside = (one for one in mine if {needed.product for needed in one.inputs} <= PRODUCTS)
            chosen += sorted(inside, key=size)[:6]
    return replace(whole, offers=tuple(sorted(chosen, key=lambda offer: offer.offer)))


SCENARIO = part_of_the_chain()


@pytest.fixture(scope="module")
def standing(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> Iterator[Application]:
    """The part of the chain, cleared once for all tests of this file; none of them changes it."""
    with standing_application(app, postgres, worker_name) as own_app:
        show.load_reference(FACTS)
        show.lay_out_market(SCENARIO, now=clock())
        show.run_night(clock=clock, watch=lambda *_: None)
        yield own_app


@pytest.fixture
def found(standing: Application) -> show.Outcome:
    return show.outcome(db.session())


def told(found: show.Outcome) -> str:
    return "\n".join(show.told(found, FACTS))


def proposals(found: show.Outcome) -> list[Proposal]:
    query = sa.select(Proposal).where(Proposal.run_id == found.run.id).order_by(Proposal.id)
    return list(db.session.scalars(query))


def test_offers_become_rows_with_every_term(standing: Application) -> None:
    rows = {row.reference: row for row in db.session.scalars(sa.select(Offer))}
    assert rows.keys() == {offer.offer for offer in SCENARIO.offers}
    for offer in SCENARIO.offers:
        row = rows[offer.offer]
        lot = row.grade.product.lot
        assert [period.quantity * lot for period in row.periods] == list(offer.quantity)
        assert [row.price if one.price is None else one.price for one in row.periods] == list(offer.price)
        assert (row.kind, row.site.code) == (market.KINDS[offer.side], offer.site)
        assert (row.min_term, row.max_term) == (offer.min_term, offer.max_term)
        assert (1 if row.max_share is None else row.max_share) == offer.max_share
        assert {one.attribute_code: one.value for one in row.specifications} == {
            one.attribute: one.value for one in offer.specification
        }
        assert [one.kind_code for one in row.certificates] == [one.certificate for one in offer.certificates]
        inputs = {one.product_code: one for one in row.inputs}
        assert {code: one.quantity_per_output for code, one in inputs.items()} == {
            one.product: one.quantity_per_output for one in offer.inputs
        }


def test_certificates_exclusions_and_quotas_are_those_of_the_scenario(standing: Application) -> None:
    corridors = db.session.scalars(sa.select(Corridor)).all()
    held = Counter(row.kind_code for row in db.session.scalars(sa.select(Certificate)))
    assert held == Counter(one.certificate for firm in SCENARIO.firms for one in firm.certificates)
    ends = {row.valid_to for row in db.session.scalars(sa.select(Certificate))}
    assert dt.date(2027, 12, 31) in ends  # one that runs out with the fourth quarter
    assert db.session.scalar(sa.select(sa.func.count()).select_from(FirmExclusion)) == len(SCENARIO.exclusions)
    lots = {row.product: row.lot for row in SCENARIO.grades}
    limits = {(row.from_region_code, row.limit_per_period * lots[row.product_code]) for row in corridors}
    assert limits == {(quota.from_region, quota.limit) for quota in SCENARIO.corridors}


def test_the_headline_says_what_the_rows_say(found: show.Outcome) -> None:
    rows, text = proposals(found), told(found)
    assert len(rows) > 20, "the part of the chain hardly trades: these tests would show nothing"
    assert f"{number(len(SCENARIO.offers)):>9}  offers" in text
    assert f"from {len({offer.firm for offer in SCENARIO.offers})} firms" in text
    assert f"{number(len(rows)):>9}  contracts" in text
    total = sum((row.total_value for row in rows), Decimal(0))
    assert f"{number(total / 10**9, 1)} bn CNY, delivered" in text
    assert f"{number(len({row.bundle_id for row in rows}))} bundles" in text
    carbonate = [row for row in rows if row.product_code == "lithium_carbonate"]
    tonnes = sum(row.rate * window(row) for row in carbonate)
    mean = sum((row.price_ex_works * row.rate * window(row) for row in carbonate), Decimal(0)) / tonnes
    assert f"{number(tonnes)} t" in text
    assert f"locked at {number(mean)} CNY/t" in " ".join(text.split())
    assert "index was 55 097 CNY/t on 2025-06-30" in " ".join(text.split())
    largest = max(rows, key=lambda row: row.total_value)
    assert f"   1  {largest.seller.name_zh} → {largest.buyer.name_zh}" in text
    assert "Holds." in text


def window(row: Proposal) -> int:
    labels = SCENARIO.horizon.labels()
    return labels.index(row.last_period) - labels.index(row.first_period) + 1


def test_what_is_not_matched_is_told_by_reason(found: show.Outcome) -> None:
    assert found.run.headline is not None
    unmatched = found.run.headline["unmatched"]
    text = told(found)
    assert f"{sum(unmatched.values())} of {len(SCENARIO.offers)} offers" in text
    assert unmatched, "everything is matched: nothing to tell"


def test_the_screen_is_as_wide_as_it_says_and_says_what_is_not_real(found: show.Outcome) -> None:
    text = told(found)
    assert [line for line in text.splitlines() if width(line) > 100] == []
    assert "SYNTHETIC" in text
    assert "no firm named here has offered, bid or agreed to anything" in " ".join(text.split())
    assert "GFEX close of 2025-06-30" in " ".join(text.split())
    assert "CC BY 4.0" in text


def test_a_broken_certificate_is_said_aloud(found: show.Outcome) -> None:
    run = found.run
    assert run.headline is not None
    broken = run.headline | {"certificate": run.headline["certificate"] | {"holds": False, "blocking_pairs": 3}}
    with db.session.no_autoflush:
        run.headline = broken
        text = told(found)
        db.session.expire(run)
    assert "DOES NOT HOLD" in text
    assert "3 blocking pairs" in text


def test_the_picture_sums_up_the_contracts(found: show.Outcome) -> None:
    chain, rows = found.chain, proposals(found)
    assert chain.value == sum(row.total_value for row in rows)
    assert chain.contracts == len(rows)
    for product in {row.product_code for row in rows}:
        mine = [row for row in rows if row.product_code == product]
        for side in ("source", "target"):
            links = [link for link in chain.links if link.product == product and getattr(link, side).key == product]
            assert sum(link.value for link in links) == sum(row.total_value for row in mine)
            assert sum(link.units for link in links) == sum(
                row.rate * window(row) * row.grade.product.lot for row in mine
            )
            assert sum(link.contracts for link in links) == len(mine)


def test_hubs_and_firms_pass_on_what_the_ribbons_show(found: show.Outcome) -> None:
    layout = lay_out(found.chain, height=800, gap=11)
    scale = layout.boxes["lithium_carbonate"].height / float(layout.boxes["lithium_carbonate"].value)
    for link, strands in layout.routes:
        assert [strands[0].source.node, strands[-1].target.node] == [link.source, link.target]
        for strand in strands:
            assert strand.height == pytest.approx(float(link.value) * scale)
            assert strand.source.y - 0.01 <= strand.y0 <= strand.source.y + strand.source.height - strand.height + 0.01
            assert strand.target.y - 0.01 <= strand.y1 <= strand.target.y + strand.target.height - strand.height + 0.01


def test_boxes_of_a_column_do_not_touch_and_stay_inside(found: show.Outcome) -> None:
    boxes = list(lay_out(found.chain, height=800, gap=11).boxes.values())
    for column in {box.column for box in boxes}:
        stack = sorted((box for box in boxes if box.column == column), key=lambda box: box.y)
        assert stack[0].y >= -0.01
        assert stack[-1].y + stack[-1].height <= 800.01
        for upper, lower in pairwise(stack):
            assert upper.y + upper.height + 11 <= lower.y + 0.01


@pytest.mark.parametrize("most", [1, 3, 50])
def test_smaller_firms_together_make_the_same_whole(found: show.Outcome, most: int) -> None:
    sold = flows.run_flows(db.session(), principal=SYSTEM, run_id=found.run.id)
    chain = chain_of(sold, firms_per_stage=most, least_share=Decimal(0))
    assert sum(link.value for link in chain.links) == 2 * chain.value
    firms = Counter(node.key.split(":")[0] for node in chain.nodes if node.key not in HUBS)
    assert max(firms.values()) <= most + 1


def test_no_product_of_the_tables_lacks_a_hub() -> None:
    assert HUBS.keys() == {row.product for row in FACTS.products}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_picture_stands_alone(found: show.Outcome, language: str) -> None:
    picture = draw(found.chain, language="zh" if language == "zh" else "en", periods="2027–2028")
    root = ET.fromstring(picture)  # noqa: S314 - our own
    ribbons = root.findall(".//{http://www.w3.org/2000/svg}path")
    assert len(ribbons) == len(found.chain.links)
    for attribute in ("href", "src="):
        assert attribute not in picture
    assert "合成" in picture if language == "zh" else "synthetic" in picture


class Addresses(HTMLParser):
    """What a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data"}]


def test_the_page_opens_without_a_network(found: show.Outcome, tmp_path: Path) -> None:
    place = show.write_pictures(found, data=tmp_path)
    page = place.read_text(encoding="utf-8")
    parser = Addresses()
    parser.feed(page)
    assert parser.found == []
    assert "url(" not in page
    assert "@import" not in page
    assert page.count("<svg ") == 2
    assert (tmp_path / "demo" / "chain.svg").read_text(encoding="utf-8") in page


def test_a_second_time_changes_nothing(standing: Application) -> None:
    before = {table.name: count_of(table) for table in db.metadata.sorted_tables}
    watched: list[str] = []
    assert "nothing new" in show.load_reference(FACTS)
    assert "already" in show.lay_out_market(SCENARIO, now=clock())
    assert "already" in show.run_night(clock=clock, watch=lambda phase, *_: watched.append(phase))
    assert watched == []
    assert {table.name: count_of(table) for table in db.metadata.sorted_tables} == before
    assert before["offer"] == len(SCENARIO.offers)


def count_of(table: sa.Table) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_who_contracts_with_whom_is_not_for_everybody(found: show.Outcome) -> None:
    regulator = Principal(kind="user", permissions=of_user(User(role=UserRole.REGULATOR)).permissions)
    trader = Principal(kind="user", permissions=of_user(User(role=UserRole.FIRM_TRADER)).permissions)
    with pytest.raises(Forbidden):
        flows.run_flows(db.session(), principal=regulator, run_id=found.run.id)
    with pytest.raises(NotFound):
        flows.run_flows(db.session(), principal=trader, run_id=found.run.id)
    with pytest.raises(NotFound):
        flows.firms_in_run(db.session(), principal=trader, run_id=found.run.id)


def test_accounts_have_drawn_passwords_in_a_file_of_their_own(standing: Application, tmp_path: Path) -> None:
    file = tmp_path / show.USERS_FILE
    show.settle_people(SCENARIO, data=tmp_path, now=clock())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    written = {line.split()[0]: line.split()[1] for line in file.read_text().splitlines()}
    users = {user.email: user for user in db.session.scalars(sa.select(User))}
    assert written.keys() == {person.email for person in people.PERSONS} <= users.keys()
    assert {users[email].role for email in written} == set(UserRole)
    assert len(set(written.values())) == len(written)
    assert all(verify(users[email].password_hash, password) for email, password in written.items())
    show.settle_people(SCENARIO, data=tmp_path, now=clock())
    assert {line.split()[0]: line.split()[1] for line in file.read_text().splitlines()} == written
    file.unlink()
    assert "7 of 7" in show.settle_people(SCENARIO, data=tmp_path, now=clock())
    db.session.expire_all()
    for line in file.read_text().splitlines():
        email, password, *_ = line.split()
        assert password != written[email]
        assert verify(users[email].password_hash, password)


def command_says(app: Application, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(command.demo, arguments)


def test_the_command_tells_its_steps_and_the_headline(
    standing: Application, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = replace(standing.config["CHANGDAN"], data=tmp_path)
    monkeypatch.setitem(standing.config, "CHANGDAN", config)
    monkeypatch.setattr(command, "derive", lambda **_: SCENARIO)
    answer = command_says(standing)
    assert answer.exit_code == 0, answer.output
    for step in ("database", "reference", "market", "accounts", "night", "prices", "contract"):
        assert f"✓ {step}" in answer.output
    assert "Ten largest contracts" in answer.output
    assert "make serve" in answer.output
    assert (tmp_path / "demo" / "flows.html").exists()
    assert db.session.scalars(hub_prices.visible_prices(SYSTEM)).first() is not None, (
        "everybody finds prices on the site"
    )
    assert show.publish_prices(now=clock()) == "published already"
    passwords = [line.split()[1] for line in (tmp_path / show.USERS_FILE).read_text().splitlines()]
    assert not any(password in answer.output for password in passwords)


def test_nothing_of_others_is_dropped(standing: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    before = db.session.scalar(sa.select(sa.func.count()).select_from(Run))
    answer = command_says(standing, "--fresh")
    assert answer.exit_code == 1
    assert "DATABASE_URL" in answer.output
    production = replace(standing.config["CHANGDAN"], environment="production")
    monkeypatch.setitem(standing.config, "CHANGDAN", production)
    answer = command_says(standing)
    assert answer.exit_code == 1
    assert "production" in answer.output
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Run)) == before


def test_dropping_leaves_an_empty_schema(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> None:
    with standing_application(app, postgres, worker_name, again=False):
        command._drop_everything()
        assert sa.inspect(db.engine).get_table_names() == []


def test_a_failed_night_says_why(app: Application, postgres: EmbeddedPostgres, worker_name: str) -> None:
    with standing_application(app, postgres, worker_name):
        show.load_reference(FACTS)
        show.lay_out_market(replace(SCENARIO, offers=SCENARIO.offers[:2]), now=clock())
        with pytest.raises(show.NightFailed, match="no run"):
            show.outcome(db.session())

        def stop(*_: object) -> None:
            raise ZeroDivisionError("the lamp went out")

        with pytest.raises(show.NightFailed, match="the lamp went out"):
            show.run_night(clock=clock, watch=stop)


def test_people_of_the_demo_are_one_for_each_role() -> None:
    assert {person.role for person in people.PERSONS} == set(UserRole)
    assert len({person.email for person in people.EVERYBODY}) == len(people.EVERYBODY)


def test_an_empty_night_draws_an_empty_picture() -> None:
    empty = chain_of([])
    assert empty == Chain(nodes=(), links=(), value=Decimal(0), contracts=0)
    assert "<svg" in draw(empty, language="en", periods="2027")


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("锂", 3, "锂 "),
        ("碳酸锂", 6, "碳酸锂"),
        ("碳酸锂", 5, "碳酸…"),
        ("碳酸锂", 4, "碳… "),
        ("ore", 5, "ore  "),
    ],
)
def test_cells_know_how_wide_chinese_is(text: str, columns: int, shown: str) -> None:
    assert cell(text, columns) == shown
    assert width(cell(text, columns)) == columns


@pytest.mark.parametrize(
    ("share", "shown"),
    [("0", "    "), ("1", "████"), ("0.5", "██  "), ("0.03125", "▏   "), ("7", "████"), ("-1", "    ")],
)
def test_bars_are_exact_to_an_eighth(share: str, shown: str) -> None:
    assert bar(Decimal(share), 4) == shown
