"""No firm learns of another's offers, by any address of the API: what it gets is the same whether they exist or not."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.models import (
    ImportState,
    Offer,
    OfferImportRow,
    OfferState,
    ReviewStep,
    RowOutcome,
    Site,
    User,
    UserRole,
)
from tests import factories as f
from tests.functional.market_place import NOON, MarketPlace, market_place

from .web_market import at_noon

__all__ = ["at_noon"]

OFFER = uuid.UUID("0ffe0ffe-0000-4000-8000-000000000001")
IMPORT = uuid.UUID("0ffe0ffe-0000-4000-8000-000000000002")
REFERENCE = "SECRET-REFERENCE-7"
Browser = Any  # a FlaskClient; its answers' `json` may be anything


@pytest.fixture
def place(session: Session) -> MarketPlace:
    return market_place()


def reads(document: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Every GET of the OpenAPI document with its parameters."""
    found = []
    for path, operations in sorted(document["paths"].items()):
        if "get" in operations:
            parameters = [*operations.get("parameters", []), *operations["get"].get("parameters", [])]
            found.append((path, [one for one in parameters if "$ref" not in one]))
    return found


def values_of(parameter: dict[str, Any], place: MarketPlace) -> list[str]:
    """What to put into a place of an address: the secret ids, one of nobody, and codes that are there."""
    if parameter["schema"].get("format") == "uuid":
        return [str(OFFER), str(IMPORT), str(place.round.id), str(place.firm.id), str(uuid.UUID(int=5))]
    return [place.product.code, place.grade.code, "2026-01-01"]


def addresses(document: dict[str, Any], place: MarketPlace) -> list[str]:
    """Every GET, with every value in its place, and with the filters that could ask for the secret."""
    found = []
    for path, parameters in reads(document):
        in_path = [one for one in parameters if one["in"] == "path"]
        for values in itertools.product(*(values_of(one, place) for one in in_path)):
            address = path
            for parameter, value in zip(in_path, values, strict=True):
                address = address.replace("{" + parameter["name"] + "}", value)
            found.append(address)
            names = {one["name"] for one in parameters if one["in"] == "query"}
            for query in ("round_id", "offer_id", "firm_id", "subject_id", "reason", "product"):
                if query in names:
                    asked = {"round_id": str(place.round.id), "reason": "nothing", "product": place.product.code}
                    found.append(f"{address}?{query}={asked.get(query, OFFER)}")
    return found


def read_all(browser: Browser, found: list[str]) -> dict[str, tuple[int, str, str | None]]:
    """Status, body without the number of the request, and ETag of every address."""
    answers = {}
    for address in found:
        answer = browser.get(address)
        body = answer.data if not answer.is_json else json.dumps({**_as_dict(answer.json), "instance": None}).encode()
        answers[address] = (answer.status_code, body.hex(), answer.headers.get("ETag"))
    return answers


def _as_dict(body: Any) -> dict[str, Any]:
    return body if isinstance(body, dict) else {"list": body}


@pytest.fixture
def buyer(place: MarketPlace) -> Site:
    """A counterparty's plant; there before the secrets, because firms and regions are no secret."""
    site: Site = f.SiteFactory()
    return site


def make_secrets(place: MarketPlace, buyer: Site) -> None:
    """A firm's offers in several states, its file, the results of finished runs, a proposal under review."""
    offer = f.OfferFactory(
        id=OFFER, round=place.round, firm=place.firm, site=place.site, grade=place.grade, reference=REFERENCE
    )
    for state in (OfferState.DRAFT, OfferState.OPEN, OfferState.WITHDRAWN):
        f.DemandFactory(round=place.round, firm=place.firm, site=place.site, grade=place.grade, state=state)
    sent = f.OfferImportFactory(
        id=IMPORT, firm=place.firm, round=place.round, state=ImportState.DONE, finished_at=NOON, row_count=1
    )
    sent.rows.append(OfferImportRow(sheet="Offers", row=2, outcome=RowOutcome.ACCEPTED, offer_id=OFFER))
    f.RunResultFactory(run=f.RunFactory(round=place.round), offer=offer)
    demand = f.DemandFactory(round=place.round, firm=buyer.firm, site=buyer, grade=place.grade)
    proposal = f.ProposalFactory(run=f.RunFactory(round=place.round), sell_offer=offer, buy_offer=demand)
    f.ReviewDecisionFactory(proposal=proposal, step=ReviewStep.DECISION)
    f.EventFactory(subject_kind="offer", subject_id=OFFER, name="offer.post", to_state="open")
    f.CertificateFactory(firm=place.firm, kind_code="ISO9001", kind=None)


@pytest.mark.parametrize("role", [UserRole.FIRM_TRADER, UserRole.FIRM_ADMIN])
def test_no_read_changes_with_the_existence_of_anothers_offers(
    place: MarketPlace, client_as: Callable[[User], Browser], session: Session, buyer: Site, role: UserRole
) -> None:
    stranger = client_as(f.UserFactory(role=role))
    document = stranger.get("/api/v1/openapi.json").json
    found = addresses(document, place)
    assert len(found) > 60, "the walk lost its way"
    assert {"/api/v1/offers", "/api/v1/offer-imports", f"/api/v1/offers/{OFFER}/results"} <= set(found)
    before = read_all(stranger, found)
    make_secrets(place, buyer)
    session.flush()
    assert session.get(Offer, OFFER) is not None
    after = read_all(stranger, found)
    differing = [address for address in found if before[address] != after[address]]
    assert differing == [], "these tell of another firm's offers"
    said = " ".join(bytes.fromhex(body).decode(errors="replace") for _, body, _ in after.values())
    assert REFERENCE not in said


def test_the_walk_would_notice(
    place: MarketPlace, client_as: Callable[[User], Browser], session: Session, buyer: Site
) -> None:
    """The firm itself sees its offer at some address: the walk asks where an offer can be seen."""
    own = client_as(place.trader)
    found = addresses(own.get("/api/v1/openapi.json").json, place)
    before = read_all(own, found)
    make_secrets(place, buyer)
    session.flush()
    after = read_all(own, found)
    changed = {address for address in found if before[address] != after[address]}
    assert {
        "/api/v1/offers",
        f"/api/v1/offers/{OFFER}",
        f"/api/v1/offers/{OFFER}/revisions",
        f"/api/v1/offers/{OFFER}/results",
        "/api/v1/offer-imports",
        f"/api/v1/offer-imports/{IMPORT}",
        f"/api/v1/offer-imports/{IMPORT}/rows",
    } <= changed


def test_what_a_stranger_writes_is_answered_alike(
    place: MarketPlace, client_as: Callable[[User], Browser], session: Session, buyer: Site
) -> None:
    """Posting under the same reference, and acting on the offer, say nothing of it."""
    stranger = f.UserFactory()
    site = f.SiteFactory(firm=stranger.firm)
    browser = client_as(stranger)
    body = place.offer(site_id=str(site.id), reference=REFERENCE)

    def write() -> list[Any]:
        posted = browser.post("/api/v1/offers", json=body)
        said = {name: value for name, value in posted.json.items() if name != "id"}
        mine = browser.get(f"/api/v1/offers/{posted.json['id']}")
        tag = {"If-Match": mine.headers["ETag"]}
        browser.post(f"/api/v1/offers/{posted.json['id']}/withdraw", headers=tag)
        answers = [
            browser.patch(f"/api/v1/offers/{OFFER}", json={"price": "1"}, headers=tag),
            browser.post(f"/api/v1/offers/{OFFER}/withdraw", headers=tag),
            browser.post(f"/api/v1/offers/{OFFER}/open"),
            browser.post("/api/v1/offers", json={**body, "site_id": str(place.site.id)}),
        ]
        return [said, [(answer.status_code, {**answer.json, "instance": None}) for answer in answers]]

    before = write()
    make_secrets(place, buyer)
    session.flush()
    assert write() == before


def test_a_strangers_file_is_answered_alike(
    place: MarketPlace, client_as: Callable[[User], Browser], session: Session, buyer: Site
) -> None:
    stranger = f.UserFactory()
    f.SiteFactory(firm=stranger.firm, code="hefei")
    browser = client_as(stranger)
    content = f"Side,Site,Product,Grade,Price,2027-Q1,Reference\nsell,hefei,lithium_carbonate,battery,1,1,{REFERENCE}\n"

    def write() -> list[Any]:
        query = {"round_id": str(place.round.id), "dry_run": "true"}
        sent = browser.post(
            "/api/v1/offer-imports", query_string=query, data={"file": (io.BytesIO(content.encode()), "a.csv")}
        )
        rows = browser.get(f"/api/v1/offer-imports/{sent.json['id']}/rows").json
        return [{**sent.json, "id": None}, rows]

    before = write()
    make_secrets(place, buyer)
    session.flush()
    assert write() == before


def test_a_round_says_nothing_of_its_offers(place: MarketPlace, client_as: Callable[[User], Browser]) -> None:
    """Its ETag counts the round's own changes only."""
    stranger = client_as(f.UserFactory())
    url = f"/api/v1/rounds/{place.round.id}"
    tag = stranger.get(url).headers["ETag"]
    client_as(place.trader).post("/api/v1/offers", json=place.offer())
    assert stranger.get(url).headers["ETag"] == tag
    assert dt.datetime.fromisoformat(stranger.get(url).json["opens_at"]) < NOON
