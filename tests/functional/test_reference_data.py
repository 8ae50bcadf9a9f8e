"""Reference data by command and by API: what is put in twice changes nothing, what is wrong is told by its row."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.models import Firm, Freight, IndexPrice, Product, Site, SiteCapability, User, UserRole
from app.operations import reference_load
from app.transaction import Application
from reference import tables


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
