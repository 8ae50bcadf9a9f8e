"""The pages in both languages: what reads the same in Chinese and in English is data, or it was forgotten."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.models import Reason, User, UserRole
from app.transaction import Application
from tests import factories as make

from .delivery_market import ASSAY, Supply, supply
from .market_place import market_place
from .web_market import at_noon, proposal_for_review

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]
HAN = re.compile(r"[一-鿿]")
WORD = re.compile(r"[a-z]{3}")
ID = re.compile(r"[0-9a-f-]{36}")
UNSAID = {"script", "style", "code"}
TOLD = ("aria-label", "title", "placeholder", "alt", "data-confirm")
# People's own words, codes and names that are the same everywhere.
DATA = re.compile(
    r"English|中文|Excel|· |“.*”"
    r"|.*@example\.org|(· )?Person \d+|Good day, .*"
    r"|(index|grade|product|attribute|kind)_\d+( · .*)?|[a-z]+_carbonate( · .*)?|yichun|battery|technical"
    r"|assay(_percent)?|ppm|min|Plant 1|W-1|COA-1|Laboratory|DAP · Plant 1|https?://.*|test"
    r"|review of proposal [0-9a-f-]{36}|[0-9a-f]{64}|.*flask --app wsgi verify-contract.*",
)
# Reference data and the log of sign-ins show both names and the codes beside each other.
BOTH_NAMES = ("/console/reference/", "/console/firms", "/audit/sign-ins", "/api/", "/static/")


class Page(HTMLParser):
    """What a page says, and where it leads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.said, self.links, self.silent = set[str](), list[str](), 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in UNSAID
        given = dict(attrs)
        self.said |= {given[name] or "" for name in TOLD if name in given}
        if tag == "a" and (given.get("href") or "").startswith("/"):
            self.links.append(given["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in UNSAID

    def handle_data(self, data: str) -> None:
        if not self.silent and data.strip():
            self.said.add(" ".join(data.split()))


def pages_of(browser: FlaskClient, *starts: str) -> Iterator[str]:
    """One address of each kind that links lead to."""
    waiting, seen = deque(starts), set[str]()
    while waiting:
        path = waiting.popleft()
        kind = ID.sub("ID", path.partition("?")[0])
        if kind in seen or kind.startswith(BOTH_NAMES):
            continue
        seen.add(kind)
        answer = browser.get(path)
        if answer.status_code != 200 or answer.mimetype != "text/html":
            answer.close()
            continue
        yield path
        waiting.extend(urlsplit(link)._replace(fragment="").geturl() for link in Page(answer.text).links)


def read(browser: FlaskClient, language: str, paths: list[str]) -> dict[str, set[str]]:
    browser.post("/language", data={"language": language})
    return {path: Page(browser.get(path).text).said for path in paths}


def left_in_one_language(browser: FlaskClient, *starts: str) -> tuple[int, list[str]]:
    """How many pages were read, and what stands in both versions of one though it is words."""
    paths = list(pages_of(browser, *starts))
    chinese, english = read(browser, "zh", paths), read(browser, "en", paths)
    found = [
        f"{path}: {text}"
        for path in paths
        for text in sorted(chinese[path] & english[path])
        if (WORD.search(text) or HAN.search(text)) and not DATA.fullmatch(text)
    ]
    found += [f"{path} in Chinese: {text}" for path in paths for text in chinese[path] if _english_sentence(text)]
    return len(paths), found


def _english_sentence(text: str) -> bool:
    return bool(re.search(r"[a-z]{3,} [a-z]{3,} [a-z]{2,}", text)) and not DATA.fullmatch(text)


@pytest.fixture
def deal(session: Session) -> Supply:
    """A contract with a delivery, offers with results, a proposal to review and one to answer, indices, an upload."""
    made = supply(quality=(ASSAY,))
    delivered = made.received(60)
    made.assay(delivered, made.sells, "99.62")
    made.call(20, month="2027-03")
    place = market_place()
    index = make.MarketIndexFactory(product=place.product)
    make.IndexPriceFactory(index=index, value=Decimal(60_000))
    make.IndexPriceFactory(index=index, value=Decimal(61_000))
    run = make.RunFactory(round=place.round)
    site = make.SiteFactory(firm=made.contract.seller)
    for reason in (Reason.OUT_OF_THE_MONEY, Reason.PARTLY_MATCHED):
        offer = make.OfferFactory(round=place.round, firm=made.contract.seller, site=site, grade=place.grade)
        make.RunResultFactory(run=run, offer=offer, reason=reason, distance=Decimal(30), filled=[5] * 8)
    proposal_for_review()
    proposal = make.AgreedProposalFactory()
    proposal.state = "released"
    session.flush()
    return made


FIRM = ("/", "/offers/new?kind=capacity&product=lithium_carbonate", "/offers/uploads", "/about", "/notifications")


@pytest.mark.parametrize("role", [UserRole.FIRM_TRADER, UserRole.FIRM_ADMIN])
def test_pages_of_a_firm(client_as: As, deal: Supply, role: UserRole) -> None:
    reader = make.UserFactory(firm=deal.contract.seller, role=role)
    count, found = left_in_one_language(client_as(reader), *FIRM, "/people", "/api-keys", "/webhooks")
    assert count > 20
    assert not found, "\n".join(found)


@pytest.mark.parametrize("factory", [make.StaffFactory, make.SeniorStaffFactory], ids=["staff", "senior"])
def test_pages_of_staff(client_as: As, deal: Supply, factory: type) -> None:
    count, found = left_in_one_language(client_as(factory()), "/", f"/contracts/{deal.contract.id}", "/audit/looks")
    assert count > 30
    assert not found, "\n".join(found)


def test_pages_of_the_administrator(client_as: As, deal: Supply) -> None:
    count, found = left_in_one_language(
        client_as(make.PlatformAdminFactory()), "/", "/console/jobs", "/people", "/audit/steps"
    )
    assert count > 15
    assert not found, "\n".join(found)


def test_a_text_that_was_forgotten_is_found(app: Application, client_as: As, deal: Supply) -> None:
    """The check itself: one sentence put into a page in English alone is told."""
    usual = app.jinja_env.globals["own_name"]
    app.jinja_env.globals["own_name"] = lambda: "nobody has translated this"
    try:
        _count, found = left_in_one_language(client_as(deal.seller), "/about")
    finally:
        app.jinja_env.globals["own_name"] = usual
    assert any("nobody has translated this" in one for one in found)
