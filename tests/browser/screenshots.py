"""`make screenshots`: the main pages on the demo's data as pictures, and what each weighs and takes.

The demo runs in a data folder of its own, once; its database is stopped at the end. Times are the shortest of three
answers, of a server in this process: on the clock, and of the processor for that server alone, which a busy machine
lengthens less. Weights are the answer's bytes before any compression, without scripts and styles.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from app import create_app
from app.demo.show import USERS_FILE
from app.embedded_postgres import EmbeddedPostgres
from tests.browser.chromium import MISSING, launch
from tests.browser.main_pages import ADMIN, FIRM, PUBLIC, STAFF, MainPage

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SIZES = {"wide": (1280, 900), "phone": (390, 844)}
LOOKS = ("light", "dark")
LONGEST, HEAVIEST = 0.2, 300_000
"""Seconds of the processor, and bytes, that a page may take."""

TONGUES = ("zh", "en")
READERS: dict[str, tuple[MainPage, ...]] = {
    "": PUBLIC,
    "senior": STAFF,
    "buyer": FIRM,
    "trader.catl": FIRM,
    "admin": ADMIN,
}


@dataclass(frozen=True, slots=True, order=True)
class Measured:
    """What one page takes (seconds on the clock, and of the processor) and weighs (bytes of the page itself)."""

    seconds: float
    worked: float
    weight: int
    reader: str
    name: str
    status: int


class WorkClock:
    """The seconds of the processor that a WSGI application took for each answer, the newest last."""

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application
        self.worked: list[float] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        since = time.thread_time()  # each request has a thread of its own
        try:
            return self.application(environ, start_response)
        finally:
            self.worked.append(time.thread_time() - since)


@dataclass(frozen=True, slots=True)
class Site:
    """Where the application answers, and what its answers took of the processor."""

    address: str
    clock: WorkClock


@contextmanager
def demo_site(data: Path) -> Iterator[Site]:
    """The application on the demo's data, which is made first where the folder has none."""
    if not (data / "demo").exists():
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "demo"]
        subprocess.run(command, check=True, env=os.environ | {"CHANGDAN_DATA": str(data)})
    app = create_app(data=data, database_url=None, log_level="ERROR", demo_signing=True)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line for each answer
    clock = WorkClock(app)
    server = make_server("127.0.0.1", 0, clock, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{server.server_port}", clock)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        EmbeddedPostgres(data / "postgres").stop()


def passwords(data: Path) -> dict[str, str]:
    """The demo's first passwords by account."""
    lines = (data / USERS_FILE).read_text().splitlines()
    return {line.split("@")[0]: line.split()[1] for line in lines if line}


def sign_in(page: Page, site: str, account: str, password: str) -> None:
    page.goto(f"{site}/sign-in")
    page.fill("#email", f"{account}@demo.example")
    page.fill("#password", password)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{site}/")


def speak(page: Page, site: str, tongue: str) -> None:
    """Switch to a language unless the pages are in it; on a wide window, where the switch stands open."""
    width, height = SIZES["wide"]
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{site}/about")
    if not (page.get_attribute("html", "lang") or "").startswith(tongue):
        page.click(f"button[name=language][value={tongue}]")


def measure(page: Page, site: Site, path: str, reader: str, name: str) -> Measured:
    """Ask for a page three times."""
    answers = []
    for _ in range(3):
        since = time.perf_counter()
        answer = page.request.get(f"{site.address}{path}")
        body = answer.body()
        answers.append((time.perf_counter() - since, len(body), answer.status))
    seconds, weight, status = min(answers)
    return Measured(seconds, min(site.clock.worked[-3:]), weight, reader or "public", name, status)


def go_round(browser: Browser, site: Site, reader: str, password: str | None, out: Path) -> list[Measured]:
    """Every page of one reader in both languages, looks and sizes; returns what they take."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    if password is not None:
        sign_in(page, site.address, reader, password)
    places = [(place, place.address(page, site.address)) for place in READERS[reader]]
    found = [(place, path) for place, path in places if path is not None]
    measured = [measure(page, site, path, reader, place.name) for place, path in found]
    for tongue in TONGUES:
        speak(page, site.address, tongue)
        for look, (size, (width, height)) in itertools.product(LOOKS, SIZES.items()):
            page.emulate_media(color_scheme="dark" if look == "dark" else "light")
            page.set_viewport_size({"width": width, "height": height})
            for place, path in found:
                page.goto(f"{site.address}{path}")
                page.screenshot(
                    path=out / f"{reader or 'public'}-{place.name}-{tongue}-{look}-{size}.png", full_page=True
                )
    context.close()
    return measured


def main(arguments: list[str]) -> int:
    """The exit status; 1 without a browser, or where a page answers with an error, too late, or is too heavy."""
    parser = argparse.ArgumentParser(prog="tests.browser.screenshots", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("build/demo"), help="data folder of the demo")
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"), help="where the pictures go")
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        if browser is None:
            sys.stderr.write(f"{MISSING}\n")
            return 1
        data = asked.data.resolve()
        with demo_site(data) as site:
            known = passwords(data)
            measured = [
                row for reader in READERS for row in go_round(browser, site, reader, known.get(reader), asked.out)
            ]
        browser.close()
    sys.stdout.write("  clock  processor  weight  status  reader  page\n")
    for row in sorted(measured, reverse=True):
        sys.stdout.write(
            f"{row.seconds * 1000:7.0f} ms {row.worked * 1000:6.0f} ms {row.weight / 1000:8.1f} kB"
            f"  {row.status}  {row.reader:<12} {row.name}\n"
        )
    sys.stdout.write(f"{sum(1 for _ in asked.out.glob('*.png'))} pictures in {asked.out}\n")
    return int(any(row.status != 200 or row.worked > LONGEST or row.weight > HEAVIEST for row in measured))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
