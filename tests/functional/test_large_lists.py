"""Long lists page quickly: the first page of each comes from an index in the order of the list, without a sort of all.

`python -m tests.functional.large_lists` measures the same pages on 100 000 rows of each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db import db
from app.models import Offer, Proposal, User
from app.transaction import Application
from tests import factories as make

from .web_market import at_noon, proposal_for_review

__all__ = ["at_noon"]

As = Callable[[User], Any]
ROWS = 300
# Page, who reads it, and the table whose rows it lists.
LISTS = [
    ("/console/review", "staff", "proposal"),
    ("/console/review?sort=-value", "staff", "proposal"),
    ("/console/review?sort=product", "staff", "proposal"),
    ("/console/review?sort=made", "staff", "proposal"),
    ("/console/review?state=released", "staff", "proposal"),
    ("/offers", "trader", "offer"),
    ("/audit/steps", "senior", "event"),
    ("/audit/steps?kind=proposal", "senior", "event"),
    ("/audit/looks", "senior", "access_log"),
    ("/console/reference/index-prices", "staff", "index_price"),
    ("/console/reference/regions", "staff", "region"),
    ("/contracts", "senior", "contract"),
]


class Heard:
    """The statements that list rows: ordered, and not all of them."""

    def __init__(self) -> None:
        self.lists: list[tuple[str, Any]] = []

    def __call__(self, _connection: Any, _cursor: Any, text: str, given: Any, _context: Any, _many: bool) -> None:
        if text.startswith("SELECT") and "ORDER BY" in text and "LIMIT" in text:
            self.lists.append((text, given))


@pytest.fixture
def heard(app: Application) -> Iterator[Heard]:
    found = Heard()
    sa.event.listen(sa.Engine, "before_cursor_execute", found)
    yield found
    sa.event.remove(sa.Engine, "before_cursor_execute", found)


@pytest.mark.parametrize("listed", LISTS, ids=[one[0] for one in LISTS])
def test_the_first_page_comes_from_an_index(
    client_as: As, session: Session, heard: Heard, listed: tuple[str, str, str]
) -> None:
    path, who, table = listed
    firm = make.FirmFactory()
    person = {"staff": make.StaffFactory, "senior": make.SeniorStaffFactory}.get(who)
    reader = client_as(person() if person else make.UserFactory(firm=firm))
    assert reader.get(path).status_code == 200
    text, given = next((text, given) for text, given in heard.lists if f"FROM {table}" in text.replace("\n", " "))
    # A planner that may neither read whole tables nor sort does so only where no index gives the order.
    for setting in ("enable_seqscan", "enable_sort", "enable_bitmapscan"):
        session.execute(sa.text(f"SET LOCAL {setting} = off"))
    plan = "\n".join(row[0] for row in session.connection().exec_driver_sql(f"EXPLAIN (COSTS OFF) {text}", given))
    assert "Index" in plan, plan
    assert "Sort Key" not in plan, plan


def test_a_list_of_many_is_read_to_its_end_once_and_in_order(client_as: As, session: Session) -> None:
    one = proposal_for_review()
    columns = [c.key for c in Proposal.__table__.columns if c.key not in {"id", "total_value", "first_period"}]
    names = ", ".join(columns)
    # Copies of one lane need windows of their own, or lanes: the offers are copied along.
    session.execute(sa.text("SET LOCAL session_replication_role = replica"))
    offers = [c.key for c in Offer.__table__.columns if c.key not in {"id", "reference"}]
    session.execute(
        sa.text(
            f"INSERT INTO offer (id, {', '.join(offers)}) SELECT md5(n::text)::uuid, {', '.join(offers)}"  # noqa: S608
            " FROM offer, generate_series(1, :rows) AS n WHERE offer.id = :sold"
        ),
        {"rows": ROWS, "sold": one.sell_offer_id},
    )
    chosen = names.replace("sell_offer_id", "md5(n::text)::uuid")
    session.execute(
        sa.text(
            f"INSERT INTO proposal (total_value, first_period, {names})"  # noqa: S608
            f" SELECT n / 3, first_period, {chosen} FROM proposal, generate_series(1, :rows) AS n"
        ),
        {"rows": ROWS},
    )
    session.execute(sa.text("SET LOCAL session_replication_role = origin"))
    browser, path, seen = client_as(make.StaffFactory()), "/console/review", []
    while path:
        page = browser.get(path).text
        seen += [
            part.partition('"')[0] for part in page.split('href="/console/review/')[1:] if "data-open" in part[:60]
        ]
        path = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == ROWS + 1
    values = dict(session.execute(sa.select(sa.cast(Proposal.id, sa.Text), Proposal.total_value)).all())
    assert [values[key] for key in seen] == sorted(values.values(), reverse=True)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Proposal)) == ROWS + 1
