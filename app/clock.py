"""The time, asked once at the edge and passed down as `now`."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from flask import current_app

EXCHANGE = ZoneInfo("Asia/Shanghai")


def clock() -> dt.datetime:
    """Now, in UTC; or what the application's own clock says (`app.extensions["clock"]`, a function of no arguments)."""
    now: dt.datetime = current_app.extensions["clock"]()
    return now


def today() -> dt.date:
    """The day it is at the exchange, in China."""
    return day_of(clock())


def day_of(moment: dt.datetime) -> dt.date:
    """The day of a moment at the exchange: contracts count days in China's time."""
    return moment.astimezone(EXCHANGE).date()


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
