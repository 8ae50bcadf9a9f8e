"""The time, asked once at the edge and passed down as `now`."""

from __future__ import annotations

import datetime as dt

from flask import current_app


def clock() -> dt.datetime:
    """Now, in UTC; or what the application's own clock says (`app.extensions["clock"]`, a function of no arguments)."""
    now: dt.datetime = current_app.extensions["clock"]()
    return now


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
