"""Fixings of indices: loaded by staff, corrected by new rows, determined with a reason, known to all."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.auth.principal import of_user
from app.errors import Forbidden, Refused
from app.models import FixingKind, IndexFixing, IndexPrice, User
from app.operations import fixings, reference_load
from app.operations.fixings import FixingRow
from app.operations.reference_data import Outcome
from app.settlement_commands import load_fixings
from app.transaction import Application
from reference import tables
from tests import factories as make
from tests.functional.refusals import violates

from .settlement_market import noon

As = Callable[[User], FlaskClient]
DAY = dt.date(2025, 6, 4)
URL = "/api/v1/index-fixings"


@pytest.fixture
def index(session: Session) -> str:
    return str(make.MarketIndexFactory().code)


def row(index: str, value: str | None = "61080", **changes: Any) -> FixingRow:
    fields: dict[str, Any] = {
        "index": index,
        "day": DAY,
        "kind": FixingKind.PUBLISHED,
        "value": None if value is None else Decimal(value),
        "quoted_tax": Decimal("0.13"),
        "source": "exchange",
        "reason": None,
    }
    return FixingRow(**(fields | changes))


def known(session: Session, index: str) -> list[tuple[int, str, Decimal | None]]:
    query = sa.select(IndexFixing).where(IndexFixing.index_code == index).order_by(IndexFixing.revision)
    return [(one.revision, one.kind.value, one.value) for one in session.scalars(query)]


def record(session: Session, user: User, what: FixingRow) -> Outcome:
    session.flush()
    return fixings.record(session, principal=of_user(user), row=what, now=noon("2025-07-01"))


def test_a_correction_is_a_row_of_its_own(session: Session, index: str) -> None:
    staff, senior = make.StaffFactory(), make.SeniorStaffFactory()
    assert record(session, staff, row(index)) is Outcome.CREATED
    assert record(session, staff, row(index)) is Outcome.UNCHANGED
    with pytest.raises(Forbidden, match="takes a decision"):
        record(session, staff, row(index, "62080", reason="misprint"))
    with pytest.raises(Refused, match="expected its reason"):
        record(session, senior, row(index, "62080"))
    assert record(session, senior, row(index, "62080", reason="misprint")) is Outcome.CHANGED
    assert known(session, index) == [(1, "published", Decimal(61080)), (2, "published", Decimal(62080))]
    price = session.get_one(IndexPrice, (index, DAY))
    assert price.value == Decimal("54938.053097"), "without the 13 % inside"


def test_what_is_taken_back_is_no_price_any_more(session: Session, index: str) -> None:
    senior = make.SeniorStaffFactory()
    record(session, senior, row(index))
    record(session, senior, row(index, None, kind=FixingKind.WITHDRAWN, reason="wrong day"))
    assert session.get(IndexPrice, (index, DAY)) is None
    assert known(session, index)[-1] == (2, "withdrawn", None)


def test_a_determination_takes_a_reason_and_a_day_without_a_fixing(session: Session, index: str) -> None:
    staff, senior = make.StaffFactory(), make.SeniorStaffFactory()
    determined = row(index, "60000", kind=FixingKind.DETERMINED, reason="mean of two brokers")
    with pytest.raises(Forbidden):
        record(session, staff, determined)
    assert record(session, senior, determined) is Outcome.CREATED
    assert session.get(IndexPrice, (index, DAY)) is None
    record(session, senior, row(index, "61080", reason="published late"))
    with pytest.raises(Refused, match="was published"):
        record(session, senior, determined)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"index": "nothing"}, "index"),
        ({"day": dt.date(2025, 7, 2)}, "day"),
        ({"day": dt.date(2010, 7, 2)}, "day"),
        ({"value": None}, "value"),
        ({"value": Decimal(0)}, "value"),
        ({"kind": FixingKind.CLOSED}, "value"),
        ({"quoted_tax": Decimal(1)}, "quoted_tax"),
        ({"kind": FixingKind.WITHDRAWN, "value": None, "reason": "none yet"}, "day"),
    ],
)
def test_what_cannot_be(session: Session, index: str, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refusal:
        record(session, make.SeniorStaffFactory(), row(index, **changes) if "index" not in changes else row(**changes))
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        ("ck_index_fixing_revision_follows", {"revision": 3}),
        ("uq_index_fixing_index_code_day_revision", {"revision": 1}),
        ("ck_index_fixing_decision_has_reason", {"revision": 2}),
        ("ck_index_fixing_value_of_kind", {"revision": 2, "reason": "r", "value": None}),
        ("ck_index_fixing_value_positive", {"revision": 2, "reason": "r", "value": 0}),
        ("ck_index_fixing_quoted_tax", {"revision": 2, "reason": "r", "quoted_tax": 1}),
        ("ck_index_fixing_kind", {"revision": 2, "reason": "r", "kind": "guess"}),
    ],
)
def test_the_database_keeps_the_order_of_rows(session: Session, index: str, rule: str, values: dict[str, Any]) -> None:
    make.IndexFixingFactory(index_code=index, day=DAY)
    fields = {"index_code": index, "day": DAY, "kind": "published", "value": 1, "source": "s"} | values
    names = ", ".join(fields)
    places = ", ".join(f":{name}" for name in fields)
    if values == {"revision": 1}:
        session.execute(sa.text("ALTER TABLE index_fixing DISABLE TRIGGER index_fixing_revision_follows"))
    with violates(rule):
        session.execute(sa.text(f"INSERT INTO index_fixing ({names}) VALUES ({places})"), fields)  # noqa: S608


def test_staff_load_a_csv_and_firms_read_it(session: Session, client_as: As, index: str) -> None:
    header = "index,day,value,quoted_tax,kind,source"
    text = f"{header}\n{index},2025-06-03,59940,0.13,,gfex\n{index},2025-06-02,,,closed,gfex\n"
    staff = client_as(make.StaffFactory())
    for outcome in ("created", "unchanged"):
        answer = staff.post(f"{URL}/bulk", data=text, content_type="text/csv")
        assert answer.json == {
            "written": True,
            "rows": [{"row": number, "outcome": outcome, "faults": []} for number in (2, 3)],
        }
    trader = client_as(make.UserFactory())
    items = trader.get(f"{URL}?index={index}&first=2025-06-03").json["items"]  # type: ignore[index]
    assert [(one["day"], one["value"], one["quoted_tax"], one["revision"]) for one in items] == [
        ("2025-06-03", "59940", "0.13", 1)
    ]
    assert trader.post(f"{URL}/bulk", data=text, content_type="text/csv").status_code == 403


def test_one_bad_row_stops_all(session: Session, client_as: As, index: str) -> None:
    staff = client_as(make.StaffFactory())
    rows = [
        {"index": index, "day": "2025-06-03", "value": "1", "source": "s"},
        {"index": "nothing", "day": "2025-06-03", "value": "1", "source": "s"},
        {"index": index, "day": "3 June", "value": "x", "source": "s"},
    ]
    answer = staff.post(f"{URL}/bulk", json=rows).json
    assert answer is not None
    assert [one["outcome"] for one in answer["rows"]] == ["created", "rejected", "rejected"]
    assert not answer["written"]
    assert [fault["field"] for fault in answer["rows"][2]["faults"]] == ["day", "value"]
    assert known(session, index) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("index,day\n", "source"),
        ("index,day,source,colour\n", "colour"),
        ("index,day,source,value\nA,2025-06-31,s,1\n", "2025-06-31"),
        ("index,day,source,value\nA,2025-06-30,s,1e3\n", "1e3"),
        ("index,day,source,kind\nA,2025-06-30,s,guess\n", "guess"),
        ("index,day,source,quoted_tax\nA,2025-06-30,s,13\n", "13"),
        ("index,day,source\nA,2025-06-30,s,more\n", "number of cells"),
        ("index,day,source\n,2025-06-30,s\n", "nothing"),
    ],
)
def test_a_bad_file_names_row_and_column(session: Session, client_as: As, text: str, told: str) -> None:
    answer = client_as(make.StaffFactory()).post(f"{URL}/bulk", data=text, content_type="text/csv")
    assert answer.status_code == 422
    assert told in json.dumps(answer.json)


def test_a_senior_corrects_by_api_and_the_history_stays(session: Session, client_as: As, index: str) -> None:
    make.IndexFixingFactory(index_code=index, day=DAY, value=Decimal(61080))
    body = {"index": index, "day": str(DAY), "value": "62080", "source": "gfex", "reason": "misprint"}
    assert client_as(make.StaffFactory()).post(URL, json=body).status_code == 403
    answer = client_as(make.SeniorStaffFactory()).post(URL, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json["revision"] == 2  # type: ignore[index]
    history = client_as(make.UserFactory()).get(f"{URL}?index={index}&history=true").json
    assert [one["value"] for one in history["items"]] == ["62080", "61080"]  # type: ignore[index]


def test_the_command_loads_a_file(app: Application, session: Session, index: str, tmp_path: Path) -> None:
    file = tmp_path / "fixings.csv"
    file.write_text(f"index,day,value,source\n{index},2025-06-03,59940,gfex\n", encoding="utf-8")
    session.commit()
    runner = app.test_cli_runner()
    assert "1 new, 0 corrected, 0 known" in runner.invoke(load_fixings, [str(file)]).output
    assert "0 new, 0 corrected, 1 known" in runner.invoke(load_fixings, [str(file)]).output
    file.write_text(f"index,day,value,source\n{index},2025-06-03,1,gfex\n", encoding="utf-8")
    failed = runner.invoke(load_fixings, [str(file)])
    assert failed.exit_code == 1
    assert "row 2: " in failed.output


def test_the_tables_of_facts_bring_the_real_closes_and_overwrite_nothing(session: Session) -> None:
    facts = tables.load()
    counts = reference_load.load(session, tables=facts)
    created = counts["index fixings"].created
    assert created == sum(row.series == "GFEX-LC" and row.kind == "close" for row in facts.prices)
    last = fixings.newest_of(session, index="GFEX-LC", day=dt.date(2025, 6, 30))
    assert (last.value, last.quoted_tax, last.revision) == (Decimal(62260), Decimal("0.13"), 1)
    corrected = row("GFEX-LC", "62300", day=dt.date(2025, 6, 30), reason="misprint")
    record(session, make.SeniorStaffFactory(), corrected)
    again = reference_load.load(session, tables=facts)["index fixings"]
    assert (again.created, again.unchanged) == (0, created)
    assert fixings.newest_of(session, index="GFEX-LC", day=dt.date(2025, 6, 30)).value == Decimal(62300)
