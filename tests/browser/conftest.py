"""A real browser before a real server: the application on a database of the test's own, with everything switched on.

Nothing of it may leave the machine:
each test ends with a look at what was written to its console and at every address it asked for.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, sync_playwright
from werkzeug.serving import make_server

from app.db import db
from app.embedded_postgres import EmbeddedPostgres
from app.models import User
from app.transaction import Application
from tests.factories import PASSWORD
from tests.functional.night_market import standing_application

from .chromium import MISSING, launch

WIDE, NARROW = (1360, 900), (390, 844)
TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = launch(playwright)
    if browser is None:
        pytest.skip(MISSING)
    yield browser
    browser.close()


@pytest.fixture
def served(
    app: Application, postgres: EmbeddedPostgres, worker_name: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The address of the running application; rows that a test makes are to be committed by `settle`."""
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    with standing_application(app, postgres, worker_name) as standing:
        server = make_server("127.0.0.1", 0, standing, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def settle() -> None:
    """Let the server see what the test has made, and the test what the server has."""
    db.session.commit()
    db.session.expire_all()


@dataclass
class Desk:
    """One person's browser window: what should not have happened in it, and what it asks for just now."""

    page: Page
    address: str
    pictures: Path
    complaints: list[str] = field(default_factory=list)
    under_way: set[Request] = field(default_factory=set)

    def open(self, path: str) -> Page:
        self.under_way.clear()
        self.page.goto(f"{self.address}{path}")
        return self.page

    def wait_until_quiet(self) -> None:
        """Until the page has loaded and nothing that it or its scripts ask for is under way.

        Playwright's own "networkidle" waits half a second more, on every page.
        """
        self.page.wait_for_load_state()
        self.page.evaluate(TWO_FRAMES)  # in which scripts that watch what is in sight are called
        for _ in range(500):
            if not self.under_way:
                return
            self.page.wait_for_timeout(20)
            self.page.evaluate(TWO_FRAMES)
        asked = sorted(request.url for request in self.under_way)
        raise AssertionError(f"{self.page.url} still waits for {asked}")

    def picture(self, name: str) -> Path:
        """The whole page as a picture in the test's folder."""
        path = self.pictures / f"{name}.png"
        self.page.screenshot(path=path, full_page=True)
        return path

    def said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{self.page.url} console {message.type}: {message.text}")

    def asked(self, request: Request) -> None:
        self.under_way.add(request)
        if urlsplit(request.url).scheme in {"http", "https"} and urlsplit(request.url).hostname != "127.0.0.1":
            self.complaints.append(f"{self.page.url} asked for {request.url}")

    def answered(self, request: Request) -> None:
        self.under_way.discard(request)


Sitting = Callable[..., Desk]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go: a folder named by PICTURES, else the test's own."""
    folder = Path(os.environ.get("PICTURES") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def sit_down(chromium: Browser, served: str, pictures: Path) -> Iterator[Sitting]:
    """Open a window, and sign in through the form if a person is named; at the end nothing may have been amiss."""
    contexts: list[BrowserContext] = []
    desks: list[Desk] = []

    def sit(
        person: User | None = None, *, size: tuple[int, int] = WIDE, dark: bool = False, tongue: str = "en"
    ) -> Desk:
        settle()
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            locale=tongue,
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        desk = Desk(page=context.new_page(), address=served, pictures=pictures)
        desk.page.on("console", desk.said)
        desk.page.on("pageerror", lambda error: desk.complaints.append(f"{desk.page.url} script: {error}"))
        desk.page.on("request", desk.asked)
        desk.page.on("requestfinished", desk.answered)
        desk.page.on("requestfailed", desk.answered)
        desk.page.on("dialog", lambda dialog: dialog.accept())
        desks.append(desk)
        if person is not None:
            page = desk.open("/sign-in")
            page.fill("#email", person.email)
            page.fill("#password", PASSWORD)
            page.click("main button[type=submit]")
            page.wait_for_url(f"{served}/")
        return desk

    yield sit
    for context in contexts:
        context.close()
    assert [complaint for desk in desks for complaint in desk.complaints] == []
