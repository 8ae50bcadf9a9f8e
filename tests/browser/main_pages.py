"""The main pages of the site by who reads them: what is photographed, weighed and checked for accessibility."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

from playwright.sync_api import Page

ID = r"[0-9a-f-]{36}"
_HREF = re.compile(r'<a\b[^>]*?\shref="([^"]*)"')


@dataclass(frozen=True, slots=True)
class MainPage:
    """A page at `path`; with `links`, where one comes from there by the first link whose whole path fits each."""

    name: str
    path: str
    links: tuple[str, ...] = ()

    def address(self, page: Page, site: str) -> str | None:
        """Its path on this site's data; None where a page on the way has no such link."""
        path: str | None = self.path
        for link in self.links:
            path = next((href for href in _links(page, f"{site}{path}") if re.fullmatch(link, href)), None)
            if path is None:
                break
        return path


def _links(page: Page, address: str) -> list[str]:
    """Where the links in a page's main part lead; the page is asked for by the same session, and not shown."""
    main = page.request.get(address).text().partition("<main")[2]
    return [unescape(href) for href in _HREF.findall(main.partition("</main>")[0])]


RUN = rf"/console/runs/{ID}"
PUBLIC = (
    MainPage("about", "/about"),
    MainPage("calendar", "/calendar"),
    MainPage("prices", "/prices"),
    MainPage("verify", "/verify"),
    MainPage("sign-in", "/sign-in"),
)
STAFF = (
    MainPage("states", "/states"),
    MainPage("home", "/"),
    MainPage("rounds", "/console/rounds"),
    MainPage("round", "/console/rounds", (rf"/console/rounds/{ID}",)),
    MainPage("round-new", "/console/rounds/new"),
    MainPage("run", "/", (RUN,)),
    MainPage("run-curves", "/", (RUN, f"{RUN}/curves")),
    MainPage("run-fill", "/", (RUN, f"{RUN}/fill")),
    MainPage("run-lanes", "/", (RUN, f"{RUN}/lanes")),
    MainPage("run-prices", "/", (RUN, f"{RUN}/prices")),
    MainPage("queue", "/console/review"),
    MainPage("review", "/console/review", (rf"/console/review/{ID}",)),
    MainPage("contracts", "/contracts"),
    MainPage("contract", "/contracts", (rf"/contracts/{ID}",)),
    MainPage("graph", "/", (RUN, rf"/console/rounds/{ID}/graph")),
    MainPage("limits", "/console/rounds", (rf"/console/rounds/{ID}", rf"/console/rounds/{ID}/limits")),
    MainPage("price-history", "/console/price-history"),
    MainPage("alerts", "/console/alerts"),
    MainPage("what-ifs", "/console/what-if"),
    MainPage("reference", "/console/reference"),
    MainPage("reference-products", "/console/reference", ("/console/reference/products",)),
    MainPage("firms", "/console/firms"),
    MainPage("call-offs", "/call-offs"),
    MainPage("invoices", "/invoices"),
    MainPage("claims", "/claims"),
    MainPage("force-majeure", "/force-majeure"),
    MainPage("notifications", "/notifications"),
    MainPage("fixings", "/fixings"),
    MainPage("steps", "/audit/steps"),
    MainPage("what-if-form", "/", (RUN, rf"{RUN}/what-if")),
)
FIRM = (
    MainPage("home", "/"),
    MainPage("offers", "/offers"),
    MainPage("offer", "/offers", (rf"/offers/{ID}",)),
    MainPage("offer-new", "/offers/new"),
    MainPage("uploads", "/offers/uploads"),
    MainPage("proposals", "/proposals"),
    MainPage("proposal", "/proposals", (rf"/proposals/{ID}",)),
    MainPage("contracts", "/contracts"),
    MainPage("contract", "/contracts", (rf"/contracts/{ID}",)),
    MainPage("call-offs", "/call-offs"),
    MainPage("call-off", "/call-offs", (rf"/call-offs/{ID}",)),
    MainPage("invoices", "/invoices"),
    MainPage("invoice", "/invoices", (rf"/invoices/{ID}",)),
    MainPage("claims", "/claims"),
    MainPage("claim", "/claims", (rf"/claims/{ID}",)),
    MainPage("force-majeure", "/force-majeure"),
    MainPage("notifications", "/notifications"),
    MainPage("notification-choices", "/notifications/choices"),
)
ADMIN = (
    MainPage("people", "/people"),
    MainPage("jobs", "/console/jobs"),
    MainPage("mails", "/mails"),
    MainPage("sign-ins", "/audit/sign-ins"),
    MainPage("firms", "/console/firms"),
    MainPage("firm", "/console/firms", (rf"/console/firms/{ID}",)),
    MainPage("firm-new", "/console/firms/new"),
    MainPage("reference-row", "/console/reference/products", (r"/console/reference/products/row\?.*",)),
    MainPage("looks", "/audit/looks"),
    MainPage("round", "/console/rounds", (rf"/console/rounds/{ID}",)),
)
