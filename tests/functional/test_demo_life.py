"""The contract whose life the demo plays: what is printed and written of it is what the rows say, and replays."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.clock import clock, day_of
from app.config import Config
from app.db import db
from app.demo import choice, life_page, plot, show
from app.demo import replay as replayed
from app.demo.biography import Biography
from app.demo.life_told import amount, told
from app.demo.terminal import width
from app.embedded_postgres import EmbeddedPostgres
from app.models import GOODS_KINDS, Contract, InvoiceKind, LineName, MarketIndex, Proposal, User
from app.operations import documents, replay, verification
from app.transaction import Application
from app.trust import trusted_roots
from contracts.price_formula import PriceFormula
from contracts.working import cents, total
from market.periods import Period
from reference import derive
from reference.offers import Scenario, ScenarioOffer
from reference.tables import load

from .night_market import browser, standing_application

FACTS = load()


def carbonate_alone() -> Scenario:
    """The largest offers to sell and to buy battery-grade carbonate."""
    whole = derive(tables=FACTS)

    def size(offer: ScenarioOffer) -> Decimal:
        return -sum(offer.quantity) * offer.price[0]

    chosen: list[ScenarioOffer] = []
    for side in ("sell", "buy"):
        mine = (one for one in whole.offers if (one.product, one.grade, one.side) == (plot.PRODUCT, plot.GRADE, side))
        chosen += sorted(mine, key=size)[:8]
    return replace(whole, offers=tuple(sorted(chosen, key=lambda offer: offer.offer)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """The demo's settings, what stayed of a life that broke off, and what the step said that played it."""

    app: Application
    config: Config
    left_behind: int
    said: str


@pytest.fixture(scope="module")
def lived(
    app: Application, postgres: EmbeddedPostgres, worker_name: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lived]:
    """A night of carbonate, a life that breaks off after the release, and one that is played to its end."""
    scenario = carbonate_alone()
    with standing_application(app, postgres, worker_name) as own_app:
        config = replace(own_app.config["CHANGDAN"], data=tmp_path_factory.mktemp("life"))
        show.load_reference(FACTS)
        show.lay_out_market(scenario, now=clock())
        show.settle_people(scenario, data=config.data, now=clock())
        show.run_night(clock=clock, watch=lambda *_: None)
        with pytest.raises(LookupError, match="expected 12"):
            show.play_life(config=config, tables=replace(FACTS, prices=()), now=clock())
        moved = sa.select(sa.func.count()).select_from(Proposal).where(Proposal.state != "proposed")
        left_behind = (db.session.scalar(moved) or 0) + count_of(MarketIndex, MarketIndex.code == replayed.CODE)
        db.session.rollback()
        said = show.play_life(config=config, tables=FACTS, now=clock())
        yield Lived(app=own_app, config=config, left_behind=left_behind, said=said)


@pytest.fixture
def life(lived: Lived) -> Biography:
    found = show.biography_of(db.session())
    assert found is not None, lived.said
    return found


def count_of(model: type, *where: sa.ColumnElement[bool]) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(model).where(*where)) or 0


def test_a_life_that_breaks_off_leaves_nothing(lived: Lived) -> None:
    assert lived.left_behind == 0


def test_it_is_the_largest_contract_that_fits(life: Biography) -> None:
    shown = life.contract.proposal
    sizes = sa.select(Proposal.bundle_id).group_by(Proposal.bundle_id).having(sa.func.count() == 1)
    rivals = [
        one
        for one in db.session.scalars(sa.select(Proposal).where(Proposal.bundle_id.in_(sizes)))
        if (one.first_period, one.last_period) == (shown.first_period, shown.last_period)
        and "(" not in one.seller.name_en + one.buyer.name_en
    ]
    assert len(rivals) > 1, "nothing to choose from"
    assert shown.total_value == max(one.total_value for one in rivals)


def test_both_have_signed_two_versions(lived: Lived, life: Biography) -> None:
    assert life.contract.state == "effective"
    assert [document.number for document in life.signed] == [1, 2]
    config = replace(lived.config, demo_signing=True)
    for document in life.signed:
        found = verification.verify(
            db.session(),
            content=documents.content_of(document),
            roots=trusted_roots(config, now=clock()),
            now=clock(),
        )
        assert found.signed_by_both
        assert all(one.valid for one in found.signatures)
        assert not found.findings
    assert not life.released.quality
    assert [term.attribute for term in life.terms.quality] == [plot.ATTRIBUTE]
    assert any(clause.name == "demonstration" for clause in life.terms.clauses)


def test_the_price_starts_where_the_night_locked_it(life: Biography) -> None:
    price = life.released.price
    assert isinstance(price, PriceFormula)
    assert price.base == life.contract.proposal.price_ex_works
    share = price.indices[0]
    usual = replayed.mean_without_tax(FACTS, plot.USUAL_MONTHS)
    at_usual = price.base * (1 - share.weight) + usual * share.weight * share.coefficient
    assert at_usual == pytest.approx(price.base, rel=Decimal("0.0001"))
    assert price.floor is not None
    assert price.ceiling is not None
    assert price.floor < price.base < price.ceiling


def test_every_invoice_comes_out_again_to_the_cent(life: Biography) -> None:
    found = replay.replay(db.session(), contract_id=life.contract.id)
    assert found.count == len(life.invoices)
    assert found.same
    assert not [one.changed for one in found.found if one.changed]


def test_the_goods_cost_lots_times_price(life: Biography) -> None:
    for priced in life.prices:
        mine = [one for one in life.invoices if one.period == str(priced.month) and one.kind in GOODS_KINDS]
        asked = total(line.net for one in mine for line in one.lines if line.name is LineName.GOODS)
        lots = sum(
            one.call_off.received_lots or 0 for one in life.deliveries if one.call_off.month == str(priced.month)
        )
        assert asked == cents(lots * Fraction(life.terms.lot.size) * Fraction(priced.working.value))
        assert mine[-1].kind is InvoiceKind.FINAL


def test_the_bad_assay_the_flood_and_the_late_payment_cost_what_the_terms_say(life: Biography) -> None:
    term = life.terms.quality[0]
    bad = next(one for one in life.deliveries if len(one.results) == 3)
    assert bad.determination is not None
    assert bad.determination.value == sorted(bad.results)[1]
    steps = (Fraction(term.reference) - bad.determination.value) / Fraction(term.step)
    penalty = -(bad.call_off.received_lots or 0) * Fraction(life.terms.lot.size) * steps * Fraction(term.penalty)
    quality = [line.net for one in life.invoices for line in one.lines if line.name is LineName.QUALITY and line.net]
    assert quality == [cents(penalty)]
    line = next(line for line in life.terms.schedule if line.period == Period.of(plot.FLOOD.began_on, "quarter"))
    days = (plot.FLOOD.ended_on - plot.FLOOD.began_on).days + 1
    length = (line.period.last_day - line.period.first_day).days + 1
    assert life.excused(line.period) == round(line.lots * Fraction(days, length) * Fraction(plot.FLOOD.affected))
    kinds = {one.kind for one in life.invoices}
    assert {InvoiceKind.INTEREST, InvoiceKind.LATE_DAMAGES} <= kinds
    late = [one for one in life.invoices if any(payment.paid_on > one.due_on for payment in one.payments)]
    assert [one.id for one in late] == [one.about_id for one in life.invoices if one.kind is InvoiceKind.INTEREST]


def test_what_is_called_stays_inside_the_schedule(life: Biography) -> None:
    assert [str(one.period) for one in life.periods] == ["2027-Q1", "2027-Q2"]
    for standing in life.periods:
        own = standing.own
        assert own.nominated == own.confirmed == own.delivered == own.invoiced
        assert own.delivered <= own.original - life.excused(standing.period)
    assert {one.call_off.state for one in life.deliveries} == {"settled"}


def test_the_page_tells_it_all_in_a_hundred_columns(life: Biography) -> None:
    lines = list(told(life))
    text = "\n".join(lines)
    assert [line for line in lines if width(line) > 100] == []
    assert len(lines) < 110, "more than a page"
    assert "INVENTED" in text
    for invoice in life.invoices:
        assert amount(invoice.gross) in text
    for priced in life.prices:
        assert amount(priced.working.value) in text
    for one in life.moves:
        assert one.day is None or str(one.day) in text
    for claim in life.claims:
        assert amount(claim.amount_claimed) in text


def test_the_papers_are_written(life: Biography, tmp_path: Path) -> None:
    contract, story = show.write_life(life, data=tmp_path)
    assert contract.read_bytes() == documents.content_of(life.signed[-1])
    page = story.read_text(encoding="utf-8")
    assert page == life_page.page(life)
    assert plot.DEMONSTRATION.en in page
    assert "src=" not in page
    assert "href=" not in page
    for invoice in life.invoices:
        for line in invoice.lines:
            assert all(step["zh"] in page for step in line.steps)


def test_played_once_it_is_told_again(lived: Lived, life: Biography) -> None:
    before = list(told(life)), count_of(Contract), count_of(User)
    assert "played already" in show.play_life(config=lived.config, tables=FACTS, now=clock())
    again = show.biography_of(db.session())
    assert again is not None
    assert (list(told(again)), count_of(Contract), count_of(User)) == before
    file = (lived.config.data / show.USERS_FILE).read_text()
    assert {"seller@demo.example", "buyer@demo.example"} <= {line.split()[0] for line in file.splitlines()}


def test_the_page_of_the_contract_folds_what_is_settled(lived: Lived, life: Biography) -> None:
    buyer = db.session.scalars(sa.select(User).where(User.email == "buyer@demo.example")).one()
    page = browser(lived.app, buyer).get(f"/contracts/{life.contract.id}").text
    settlement = page.partition('id="settlement"')[2].partition("</section>")[0]
    folded, _end, shown = (
        re.findall(r"/invoices/([0-9a-f-]{36})", part) for part in settlement.partition("</details>")
    )
    assert sorted(folded + shown) == sorted(str(one.id) for one in life.invoices)
    assert shown[-4:] == [str(one.id) for one in life.invoices[-4:]]
    assert {str(one.id) for one in life.invoices if one.unpaid} <= set(shown)
    assert len(folded) > 5
    contents = page.partition('<nav class="contents')[2].partition("</nav>")[0]
    anchors = re.findall(r'href="#(\w+)"', contents)
    assert len(anchors) == 9
    assert all(f'id="{anchor}"' in page for anchor in anchors)


def test_who_acts_is_signed_in_and_on_a_played_clock(life: Biography) -> None:
    days = [one.day for one in life.moves if one.day is not None]
    assert days == sorted(days)
    assert day_of(life.contract.created_at) == plot.AGREED
    assert max(one.issued_on for one in life.invoices) <= plot.CURTAIN
    assert {"staff", "senior staff", "seller", "buyer"} <= {one.who for one in life.moves}


def test_replayed_months_have_the_real_means() -> None:
    rows = list(replayed.fixings(FACTS, first=plot.FIRST_MONTH, last=plot.LAST_MONTH))
    real = {row.date: row.price for row in FACTS.prices if row.series == "GFEX-LC" and row.kind == "monthly_mean"}
    month = plot.FIRST_MONTH
    while month <= plot.LAST_MONTH:
        values = [row.value for row in rows if Period.of(row.day, "month") == month and row.value is not None]
        mean = real[(month + -24).first_day.isoformat()]
        assert round(sum(values, Decimal(0)) / len(values)) == mean
        days = {row.day for row in rows if Period.of(row.day, "month") == month}
        assert len(days) == sum(
            (month.first_day + dt.timedelta(days=at)).weekday() < 5
            for at in range((month.last_day - month.first_day).days + 1)
        )
        month = month + 1
    assert len({row.value for row in rows if row.day.month == 6}) > 10, "June has its real closes"


def test_nothing_is_played_without_a_contract_that_fits(
    app: Application, postgres: EmbeddedPostgres, worker_name: str, tmp_path: Path
) -> None:
    with standing_application(app, postgres, worker_name) as own_app:
        config = replace(own_app.config["CHANGDAN"], data=tmp_path)
        assert choice.RULE in show.play_life(config=config, tables=FACTS, now=clock())
        assert show.biography_of(db.session()) is None
