"""Reference data by command and by API: what is put in twice changes nothing, what is wrong is told by its row."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import Firm, Freight, IndexPrice, Product, Site, SiteCapability, User
from app.operations import reference_load
from app.transaction import Application
from reference import tables
from tests import factories as f

API = "/api/v1"
Browser = Any  # a FlaskClient; its answers' `json` may be anything


def test_the_tables_are_loaded_and_loading_again_changes_nothing(session: Session) -> None:
    facts = tables.load()
    first = reference_load.load(session, tables=facts)
    assert all(count.created > 0 and count.changed == count.unchanged == 0 for count in first.values()), first
    assert first["products"].created == len(facts.products)
    assert first["firms"].created == len(facts.firms)
    session.expire_all()
    second = reference_load.load(session, tables=facts)
    assert {name: count.unchanged for name, count in second.items()} == {
        name: count.created for name, count in first.items()
    }
    assert all(count.created == count.changed == 0 for count in second.values()), second


def test_a_changed_fact_is_put_right_again(session: Session) -> None:
    facts = tables.load()
    reference_load.load(session, tables=facts)
    session.get_one(Product, "lithium_carbonate").name_en = "Something else"
    session.flush()
    counts = reference_load.load(session, tables=facts)
    assert (counts["products"].changed, counts["firms"].changed) == (1, 0)
    assert session.get_one(Product, "lithium_carbonate").name_en == "Lithium carbonate"


def test_what_is_loaded_is_what_the_tables_say(session: Session) -> None:
    facts = tables.load()
    reference_load.load(session, tables=facts)
    affiliate = next(row for row in facts.firms if row.group != row.firm)
    child = session.scalars(sa.select(Firm).where(Firm.name_en == affiliate.name_en)).one()
    assert child.parent is not None
    close = session.scalars(
        sa.select(IndexPrice).where(IndexPrice.index_code == "GFEX-LC").order_by(IndexPrice.date.desc())
    ).first()
    assert close is not None
    assert round(close.value) == 55097, "the last close without tax"
    regions = len(facts.regions)
    general = session.scalar(sa.select(sa.func.count()).where(Freight.product_code.is_(None)))
    assert general == regions * (regions - 1)
    built: Decimal | None = session.scalar(
        sa.select(sa.func.sum(SiteCapability.capacity_per_year))
        .join(Site, SiteCapability.site_id == Site.id)
        .join(Firm, Site.firm_id == Firm.id)
        .where(Firm.name_en == next(row.name_en for row in facts.firms if row.firm == "anda"))
        .where(SiteCapability.product_code == "cathode_LFP")
    )
    assert built == 150_000


def test_the_command_refuses_faulty_tables_and_names_the_place(app: Application, tmp_path: object) -> None:
    result = app.test_cli_runner().invoke(args=["reference", "load", "--tables", str(tmp_path)])
    assert result.exit_code == 1
    assert "products.csv" in result.output


def test_the_command_loads_the_tables_and_tells_what_it_did(app: Application, session: Session) -> None:
    result = app.test_cli_runner().invoke(args=["reference", "load"])
    assert result.exit_code == 0, result.output
    lines = {line[:24].strip(): [int(part) for part in line[24:].split()] for line in result.output.splitlines()[1:]}
    assert lines["products"] == [len(tables.load().products), 0, 0]
    again = app.test_cli_runner().invoke(args=["reference", "load"])
    assert all(line[24:].split()[:2] == ["0", "0"] for line in again.output.splitlines()[1:]), again.output


PRODUCT = {"name_zh": "碳酸锂", "name_en": "Lithium carbonate", "tier": "lithium_salt", "unit": "t", "lot": "1"}


@pytest.fixture
def admin(client_as: Callable[[User], Browser]) -> Browser:
    return client_as(f.PlatformAdminFactory())


def test_a_product_is_put_by_its_code(admin: Browser, session: Session) -> None:
    url = f"{API}/products/lithium_carbonate"
    first, second = admin.put(url, json=PRODUCT), admin.put(url, json=PRODUCT)
    assert first.status_code == second.status_code == 200
    assert first.json == second.json == {"code": "lithium_carbonate", **PRODUCT}
    assert admin.put(url, json=PRODUCT | {"name_en": "Li2CO3"}).json["name_en"] == "Li2CO3"
    assert admin.get(url).json["name_en"] == "Li2CO3"
    assert admin.get(f"{API}/products/unknown").status_code == 404
    assert admin.put(url, json=PRODUCT | {"lot": "0"}).status_code == 422
    assert session.scalar(sa.select(sa.func.count()).select_from(Product)) == 1


def test_rows_with_longer_keys_are_put_and_shown(admin: Browser) -> None:
    admin.put(f"{API}/products/lc", json=PRODUCT)
    grade = {"name_zh": "电池级", "name_en": "Battery", "rank": 2}
    assert admin.put(f"{API}/grades/lc/battery", json=grade).json == {"product": "lc", "code": "battery", **grade}
    index = {"product": "lc", "name_zh": "指数", "name_en": "Index", "unit": "t", "source": "exchange"}
    assert admin.put(f"{API}/indices/LC", json=index).status_code == 200
    price = {"value": "55097.35", "source": "close of the day"}
    put = admin.put(f"{API}/index-prices/LC/2026-06-30", json=price)
    assert put.json == {"index": "LC", "date": "2026-06-30", "estimated": False, **price}
    assert admin.get(f"{API}/index-prices").json["items"] == [put.json]
    assert admin.put(f"{API}/index-prices/LC/yesterday", json=price).status_code == 422
    orphan = admin.put(f"{API}/grades/unknown/battery", json=grade)
    assert (orphan.status_code, orphan.json["type"]) == (409, "/problems/conflict")


def test_a_bulk_has_one_result_per_row_and_writes_all_or_nothing(admin: Browser, session: Session) -> None:
    for code in ("A", "B"):
        f.RegionFactory(code=code)
    good = {"from_region": "A", "to_region": "B", "cost": "12.5", "source": "tariff"}
    rows = [good, good | {"to_region": "X"}, good | {"cost": "much"}, {**good, "product": None, "cost": "12.5"}]
    answer = admin.post(f"{API}/freight/bulk", json=rows)
    assert answer.status_code == 200
    assert answer.json["written"] is False
    assert [row["outcome"] for row in answer.json["rows"]] == ["created", "rejected", "rejected", "unchanged"]
    assert "fk_freight_to_region_code_region" in answer.json["rows"][1]["faults"][0]["detail"]
    assert answer.json["rows"][2]["faults"][0]["field"] == "cost"
    assert session.scalar(sa.select(sa.func.count(Freight.id))) == 0
    partly = admin.post(f"{API}/freight/bulk?partial=true", json=rows)
    assert partly.json["written"] is True
    assert session.scalars(sa.select(Freight.cost)).all() == [Decimal("12.5")]


def test_a_bulk_may_be_a_csv(admin: Browser, session: Session) -> None:
    index = f.MarketIndexFactory(code="LC")
    header = "\ufeffindex,date,value,source,estimated"
    lines = f"{header}\r\nLC,2026-06-29,60000,exchange,\r\nLC,2026-06-30,61000.5,exchange,true\r\n"
    answer = admin.post(f"{API}/index-prices/bulk", data=lines.encode(), content_type="text/csv")
    assert [(row["row"], row["outcome"]) for row in answer.json["rows"]] == [(2, "created"), (3, "created")]
    again = admin.post(f"{API}/index-prices/bulk", data=lines.encode(), content_type="text/csv")
    assert {row["outcome"] for row in again.json["rows"]} == {"unchanged"}
    stored = session.scalars(sa.select(IndexPrice).where(IndexPrice.index_code == index.code).order_by(IndexPrice.date))
    assert [(row.value, row.estimated) for row in stored] == [(60000, False), (Decimal("61000.5"), True)]


@pytest.mark.parametrize(
    ("sent", "media_type", "status"),
    [
        (b"a: 1", "application/yaml", 415),
        (b"{}", "application/json", 422),
        (b"{", "application/json", 422),
        (b"[1, null]", "application/json", 200),
        (b"\xff\xfe", "text/csv", 422),
        (b'a,b\n"x', "text/csv", 422),
        (b"a,b\n1,2,3", "text/csv", 200),
    ],
)
def test_what_is_no_bulk_is_refused_or_its_rows_are(admin: Browser, sent: bytes, media_type: str, status: int) -> None:
    answer = admin.post(f"{API}/regions/bulk", data=sent, content_type=media_type)
    assert answer.status_code == status, answer.json
    if status == 200:
        assert {row["outcome"] for row in answer.json["rows"]} == {"rejected"}


def test_the_lot_stays_once_something_is_counted_in_it(admin: Browser) -> None:
    offer = f.OfferFactory()
    product = offer.grade.product
    values = {"name_zh": "x", "name_en": "x", "tier": "lithium_salt", "unit": "t"}
    refused = admin.put(f"{API}/products/{product.code}", json={**values, "lot": "10"})
    assert (refused.status_code, "product_lot_frozen" in refused.json["detail"]) == (409, True)
    assert admin.put(f"{API}/products/{product.code}", json={**values, "lot": "1"}).status_code == 200


def test_lists_come_in_pages_to_all_who_are_signed_in(client_as: Callable[[User], Browser]) -> None:
    for number in range(3):
        f.RegionFactory(code=f"P{number}")
    trader = client_as(f.UserFactory())
    first = trader.get(f"{API}/regions?limit=2").json
    rest = trader.get(f"{API}/regions?limit=2&cursor={first['next']}").json
    assert [row["code"] for row in first["items"] + rest["items"]] == ["P0", "P1", "P2"]
    assert trader.put(f"{API}/regions/P0", json={}).status_code == 403
    assert trader.post(f"{API}/regions/bulk", json=[]).status_code == 403
