"""One valid row of every table of limits, hub prices and what-if."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from app import models
from app.db import Model, db
from tests import factories as make

Row = TypeVar("Row", bound=Model)


def added(row: Row) -> Row:
    """A row that the database has accepted."""
    db.session.add(row)
    db.session.flush()
    return row


def ceiling() -> models.Ceiling:
    return added(
        models.Ceiling(
            round_id=make.RoundFactory().id,
            product_code=make.ProductFactory().code,
            share=Decimal("0.4"),
            created_at=make.NOON,
        )
    )


def origin_rule() -> models.OriginRule:
    return added(
        models.OriginRule(
            round_id=make.RoundFactory().id,
            product_code=make.ProductFactory().code,
            origin_country="CL",
            to_region_code=make.RegionFactory().code,
            limit_per_period=10,
            created_at=make.NOON,
        )
    )


def supplier_approval() -> models.SupplierApproval:
    return added(
        models.SupplierApproval(
            round_id=make.RoundFactory().id,
            product_code=make.ProductFactory().code,
            buyer_firm_id=make.FirmFactory().id,
            supplier_firm_id=make.FirmFactory().id,
            created_at=make.NOON,
        )
    )


def offer_origin() -> models.OfferOrigin:
    return added(models.OfferOrigin(offer_id=make.DemandFactory().id, country="CL", accepted=True))


def price_publication() -> models.PricePublication:
    run = make.RunFactory()
    return added(models.PricePublication(round_id=run.round_id, run_id=run.id, published_at=make.NOON))


def published_price() -> models.PublishedPrice:
    publication, grade = price_publication(), make.GradeFactory()
    return added(
        models.PublishedPrice(
            publication_id=publication.id,
            round_id=publication.round_id,
            product_code=grade.product_code,
            grade_code=grade.code,
            period="2027-Q1",
            price=Decimal(70),
            firms=5,
        )
    )


def what_if() -> models.WhatIf:
    run = make.RunFactory()
    return added(
        models.WhatIf(
            round_id=run.round_id,
            run_id=run.id,
            kind=models.WhatIfKind.SCENARIO,
            title="without the largest",
            changes=[{"kind": "quota"}],
        )
    )


ROWS: dict[str, Callable[[], Model]] = {
    "ceiling": ceiling,
    "offer_origin": offer_origin,
    "origin_rule": origin_rule,
    "price_publication": price_publication,
    "published_price": published_price,
    "supplier_approval": supplier_approval,
    "what_if": what_if,
}
