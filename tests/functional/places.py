"""A small blueprint that stands for all others in the tests of the API's conventions; its rows are regions."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
import sqlalchemy as sa

from app.api.conventions import ApiBlueprint
from app.api.fields import DecimalText, Text
from app.api.idempotency import idempotent
from app.api.paging import Page, PageArguments, page, page_of
from app.api.versions import changes_version, expect_version, show_version
from app.auth import requires
from app.db import db
from app.errors import Conflict, NotFound, Refused
from app.models import Region
from app.permissions import Permission
from app.transaction import keep_on_refusal
from contracts.wording import as_said
from market.errors import BadInput, Fault

P = Permission
places = ApiBlueprint("places", __name__, path="/places", description="Places, for these tests")


class PlaceSchema(ma.Schema):
    code = Text(required=True, most=10)
    name_en = Text(required=True)
    name_zh = Text(load_default="某地")
    country = ma.fields.String(load_default="CN")
    lat = DecimalText(required=True, places=5, digits=2, minimum=-90, maximum=90)
    lon = DecimalText(load_default=0, places=5, digits=3, minimum=-180, maximum=180)


@places.get("/")
@requires(P.REFERENCE_READ)
@places.arguments(PageArguments, location="query")
@places.response(200, page_of(PlaceSchema))
def list_places(arguments: dict[str, Any]) -> Page[Region]:
    select = sa.select(Region).where(Region.code.like("P%"))
    return page(db.session(), select, order=(Region.name_en, Region.code), **arguments)


@places.post("/")
@requires(P.OFFER_POST)
@idempotent
@places.arguments(PlaceSchema)
@places.response(201, PlaceSchema)
def make_place(terms: dict[str, Any]) -> Any:
    region = Region(**terms)
    db.session.add(region)
    db.session.flush()
    return region, 201, {"Location": f"/api/v1/places/{region.code}"}


@places.get("/<code>")
@requires(P.REFERENCE_READ)
@places.response(200, PlaceSchema)
def show_place(code: str) -> Region:
    region = find(code)
    show_version("region", code, region.name_en)
    return region


@places.put("/<code>")
@requires(P.OFFER_POST)
@changes_version
@places.arguments(PlaceSchema)
@places.response(200, PlaceSchema)
def change_place(terms: dict[str, Any], code: str) -> Region:
    region = find(code)
    expect_version("region", code, region.name_en)
    region.name_en = terms["name_en"]
    db.session.flush()
    show_version("region", code, region.name_en)
    return region


@places.post("/<code>/<fate>")
@requires(P.OFFER_POST)
@places.response(200, PlaceSchema)
def fail(code: str, fate: str) -> Region:
    """Write, and then fail in some way: the write has to be undone."""
    region = find(code)
    region.name_en = "written before the failure"
    db.session.flush()
    if fate == "kept":
        keep_on_refusal()
        fate = "refused"
    errors: dict[str, Exception] = {
        "refused": Refused(as_said("the lot is 5 t; expected a multiple of it"), field="lines/0/quantity"),
        "conflict": Conflict(as_said("the proposal is withheld"), open_moves=("release",)),
        "faults": BadInput([Fault(place="offers.xlsx", row=3, column="price", found="'x'", expected="a number")]),
        "crash": ZeroDivisionError("secret detail"),
    }
    raise errors[fate]


def find(code: str) -> Region:
    region = db.session.get(Region, code)
    if region is None:
        raise NotFound(f"no place {code}")
    return region
