"""The system's Chromium, named by CHROMIUM or found on the path."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
MISSING = "no Chromium: install the system's package, or name one in CHROMIUM"


def launch(playwright: Playwright) -> Browser | None:
    """A headless browser; None where none is installed, as `MISSING` says."""
    named = os.environ.get("CHROMIUM")
    executable = named or next((found for name in NAMES if (found := shutil.which(name))), None)
    if executable is None:
        return None
    # As root, as in a container, Chromium runs only without its own sandbox.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=executable, args=arguments)
