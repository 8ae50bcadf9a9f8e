"""Loads the project's own tables of facts (`reference/tables`) into the database: what `flask reference load` does."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import permutations
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import (
    Attribute,
    BillOfMaterials,
    Bound,
    CertificateKind,
    Firm,
    FirmRole,
    FixingKind,
    Freight,
    Grade,
    GradeSpecification,
    IndexPrice,
    MarketIndex,
    Product,
    Region,
    Site,
    SiteCapability,
    Tier,
    Unit,
)
from app.operations import fixings
from app.operations.fixings import FixingRow
from app.operations.reference_data import Counts, Outcome, put_all
from reference.freight import Tariff, great_circle_km
from reference.prices import coefficients
from reference.tables import Tables
from reference.volumes import KWH_PER_GWH

MONTHLY = "-M"  # the monthly means of an index are an index of their own: both have a value for a first of the month
FREIGHT_SOURCE = "great circle between the regions' points x detour x declared rate; docs/reference-data.md"
EXACT = Decimal("0.000001")


def load(session: Session, *, tables: Tables) -> dict[str, Counts]:
    """Put all facts of the tables in; table name to what was created, changed and left unchanged.

    Doing it again with the same facts changes nothing. What the tables do not name stays as it is.
    """
    counts = {
        "products": put_all(session, Product, key=("code",), rows=_products(tables)),
        "grades": put_all(session, Grade, key=("product_code", "code"), rows=_grades(tables)),
        "attributes": put_all(session, Attribute, key=("product_code", "code"), rows=_attributes(tables)),
        "grade specifications": put_all(
            session,
            GradeSpecification,
            key=("product_code", "grade_code", "attribute_code"),
            rows=(
                {
                    "product_code": row.product,
                    "grade_code": row.grade,
                    "attribute_code": row.attribute,
                    "value": row.value,
                }
                for row in tables.attributes
            ),
        ),
        "bill of materials": put_all(
            session,
            BillOfMaterials,
            key=("output_product_code", "output_grade_code", "input_product_code", "input_grade_code"),
            rows=_bill_of_materials(tables),
        ),
        "regions": put_all(session, Region, key=("code",), rows=_regions(tables)),
        "market indices": put_all(session, MarketIndex, key=("code",), rows=_indices(tables)),
        "index prices": put_all(session, IndexPrice, key=("index_code", "date"), rows=_index_prices(tables)),
        "index fixings": fixings.load_first(session, rows=_fixings(tables)),
        "freight": put_all(
            session, Freight, key=("product_code", "from_region_code", "to_region_code"), rows=_freight(tables)
        ),
        "certificate kinds": put_all(
            session,
            CertificateKind,
            key=("code",),
            rows=(
                {"code": row.certificate, "name_zh": row.name_zh, "name_en": row.name_en} for row in tables.certificates
            ),
        ),
    }
    firms, counts["firms"] = _load_firms(session, tables)
    counts["sites"] = put_all(session, Site, key=("firm_id", "code"), rows=_sites(tables, firms))
    counts["site capabilities"] = put_all(
        session,
        SiteCapability,
        key=("site_id", "product_code", "grade_code"),
        rows=_capabilities(tables, _site_ids(session, firms)),
    )
    return counts


def _products(tables: Tables) -> Iterator[dict[str, Any]]:
    lots = {row.product: Decimal(row.lot) for row in tables.grades}
    for row in tables.products:
        yield {
            "code": row.product,
            "name_zh": row.name_zh,
            "name_en": row.name_en,
            "tier": Tier(row.tier),
            "unit": Unit(row.unit),
            "lot": lots[row.product],
        }


def _grades(tables: Tables) -> Iterator[dict[str, Any]]:
    for row in tables.grades:
        yield {
            "product_code": row.product,
            "code": row.grade,
            "name_zh": row.name_zh,
            "name_en": row.name_en,
            "rank": row.rank,
        }


def _attributes(tables: Tables) -> Iterator[dict[str, Any]]:
    seen = set()
    for row in tables.attributes:
        if (row.product, row.attribute) in seen:
            continue
        seen.add((row.product, row.attribute))
        yield {
            "product_code": row.product,
            "code": row.attribute,
            "name_zh": row.name_zh,
            "name_en": row.name_en,
            "unit": row.unit,
            "bound": Bound(row.bound),
        }


def _bill_of_materials(tables: Tables) -> Iterator[dict[str, Any]]:
    """Lines between traded products; metals and cells that are not traded stay with the derivation of prices."""
    traded = {row.product for row in tables.products}
    use = coefficients(tables)
    for row in tables.bom:
        if {row.output, row.input} <= traded:
            yield {
                "output_product_code": row.output,
                "output_grade_code": None,
                "input_product_code": row.input,
                "input_grade_code": None,
                "quantity_per_output": use[row.output, row.input],
                "method": row.method,
                "source": row.source,
                "estimated": row.estimated,
            }


def _regions(tables: Tables) -> Iterator[dict[str, Any]]:
    for row in tables.regions:
        yield {
            "code": row.region,
            "name_zh": row.name_zh,
            "name_en": row.name_en,
            "country": row.country,
            "lat": row.lat,
            "lon": row.lon,
        }


def _series(tables: Tables) -> Iterator[tuple[str, str, Any]]:
    """Index code, product and row of every published price of a traded product; one firm's contract is no index."""
    traded = {row.product for row in tables.products}
    for row in tables.prices:
        product = "lithium_carbonate" if row.series == "GFEX-LC" else row.series
        if product in traded and row.kind != "contract":
            yield row.series + (MONTHLY if row.kind == "monthly_mean" else ""), product, row


def _indices(tables: Tables) -> Iterator[dict[str, Any]]:
    products = {row.product: row for row in tables.products}
    seen = set()
    for code, name, row in _series(tables):
        if code in seen:
            continue
        seen.add(code)
        product = products[name]
        what_zh, what_en = {"close": ("收盘价", "close"), "monthly_mean": ("月均价", "monthly mean")}.get(
            row.kind, ("报价", "quotation")
        )
        yield {
            "code": code,
            "product_code": name,
            "name_zh": f"{product.name_zh}{what_zh}",
            "name_en": f"{product.name_en}, {what_en}",
            "unit": Unit(product.unit),
            "source": row.source,
        }


def _index_prices(tables: Tables) -> Iterator[dict[str, Any]]:
    """Values without tax: what is quoted with it is divided by one plus the rate."""
    tax = 1 + tables.assumption("vat")
    for code, _, row in _series(tables):
        price = row.price / tax if row.vat_included else row.price
        yield {
            "index_code": code,
            "date": dt.date.fromisoformat(row.date),
            "value": price.quantize(EXACT, ROUND_HALF_EVEN),
            "source": row.source,
            "estimated": row.estimated,
        }


def _fixings(tables: Tables) -> Iterator[FixingRow]:
    """The daily closes as they were quoted, which contracts are settled by; means and estimates are none."""
    tax = tables.assumption("vat")
    for code, _, row in _series(tables):
        if row.kind == "close" and not row.estimated:
            yield FixingRow(
                index=code,
                day=dt.date.fromisoformat(row.date),
                kind=FixingKind.PUBLISHED,
                value=row.price,
                quoted_tax=tax if row.vat_included else Decimal(0),
                source=row.source,
                reason=None,
            )


def _freight(tables: Tables) -> Iterator[dict[str, Any]]:
    """Every ordered pair of regions; goods that go by road and are sold by the tonne share the rows of no product."""
    tariff = Tariff(tables)
    alike = sorted(row.product for row in tables.products if row.unit == "t" and row.freight_mode == "road")
    others = sorted(row.product for row in tables.products if row.product not in alike)
    detour = tables.assumption("detour")
    for origin, destination in permutations(tables.regions, 2):
        distance = None
        if origin.country == destination.country == "CN":
            kilometres = Decimal(repr(great_circle_km(origin, destination))) * detour
            distance = kilometres.quantize(Decimal("0.1"), ROUND_HALF_EVEN)
        for product, priced_as in [(None, alike[0]), *((name, name) for name in others)]:
            yield {
                "product_code": product,
                "from_region_code": origin.region,
                "to_region_code": destination.region,
                "cost": tariff.per_unit(priced_as, origin.region, destination.region),
                "distance_km": distance,
                "source": FREIGHT_SOURCE,
                "estimated": True,
            }


def _load_firms(session: Session, tables: Tables) -> tuple[dict[str, uuid.UUID], Counts]:
    """Firms first, then who belongs to whom; label of the tables to the firm's key."""
    counts = Counts()
    firms = {}
    by_code = {
        row.credit_code or (row.country, row.registration_number): row for row in session.scalars(sa.select(Firm))
    }
    outcomes = {}
    for row in tables.firms:
        values: dict[str, Any] = {
            "credit_code": row.credit_code or None,
            "country": row.country,
            "registration_number": row.registration_number or None,
            "name_zh": row.name_zh,
            "name_en": row.name_en,
            "roles": [FirmRole(role) for role in row.roles.split()],
            "source": row.source,
        }
        found = by_code.get(row.credit_code or (row.country, row.registration_number))
        outcomes[row.firm] = Outcome.UNCHANGED if found else Outcome.CREATED
        firms[row.firm] = found = found or Firm(**values)
        session.add(found)
        for name, value in values.items():
            if getattr(found, name) != value:
                setattr(found, name, value)
                outcomes[row.firm] = Outcome.CHANGED
    session.flush()
    for row in tables.firms:
        parent_id = firms[row.group].id if row.group != row.firm else None
        if firms[row.firm].parent_id != parent_id:
            firms[row.firm].parent_id = parent_id
            if outcomes[row.firm] is Outcome.UNCHANGED:
                outcomes[row.firm] = Outcome.CHANGED
    session.flush()
    for outcome in outcomes.values():
        counts.add(outcome)
    return {label: firm.id for label, firm in firms.items()}, counts


def _sites(tables: Tables, firms: dict[str, uuid.UUID]) -> Iterator[dict[str, Any]]:
    for row in tables.sites:
        yield {
            "firm_id": firms[row.firm],
            "code": row.site,
            "name_zh": row.place_zh,
            "name_en": row.place,
            "region_code": row.region,
            "source": row.source,
        }


def _site_ids(session: Session, firms: dict[str, uuid.UUID]) -> dict[str, uuid.UUID]:
    """Label of the tables to the site's key; labels of sites are unique over all firms of the tables."""
    select = sa.select(Site.code, Site.id).where(Site.firm_id.in_(firms.values())).order_by(Site.id)
    return {row.code: row.id for row in session.execute(select)}


def _capabilities(tables: Tables, sites: dict[str, uuid.UUID]) -> Iterator[dict[str, Any]]:
    """What sites are built to make; a firm's capacity without a named site is shared among its sites by weight."""
    rate = {row.product: row.rate for row in tables.utilisation}
    placed: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for plant in tables.sites:
        placed[plant.firm][plant.site] = plant.weight
    built = [
        (row.firm, row.site, row.product, row.grade or None, row.per_year, rate.get(row.product), row)
        for row in tables.capacity
    ]
    shares = {row.cell: row.share for row in tables.chemistry}
    for cells in tables.cells:
        share = {"LFP": Decimal(1), "mixed": shares["cell_LFP"]}.get(cells.chemistry)
        if share is not None:
            per_year = cells.gwh_per_year * share * KWH_PER_GWH
            built.append((cells.firm, "", "cell_LFP", None, per_year, rate["cell"], cells))  # type: ignore[arg-type]
    for firm, named, product, grade, per_year, utilisation, row in built:
        weights = {named: Decimal(1)} if named else placed[firm]
        total = sum(weights.values(), Decimal(0))
        for site, weight in weights.items():
            yield {
                "site_id": sites[site],
                "product_code": product,
                "grade_code": grade,
                "capacity_per_year": (per_year * weight / total).quantize(EXACT, ROUND_HALF_EVEN),
                "utilisation": utilisation if row.basis == "nameplate" else None,
                "source": row.source,
                "estimated": row.estimated,
            }
