"""Notes that the platform writes of itself, and the sources that its reference data name, in words.

What people wrote stays as they wrote it, and so does an address or the name of a publication.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Flask

from app.web.formats import money, period
from app.web.labels import label_of
from app.web.texts import _

_INVOICE = re.compile(r"(?P<number>\d+): (?P<kind>[a-z_]+) (?P<period>\d{4}(-(Q[1-4]|\d\d))?) (?P<gross>-?[\d.]+)")
_SPLIT = re.compile(r"(?P<lots>\d+) of no\. (?P<number>\d+)")
_CLOSES = re.compile(
    r"GFEX lithium carbonate futures, dominant contract, close; daily bars by (?P<by>[^,]+), "
    r"(contract (?P<contract>\w+)|mean of (?P<days>\d+) days)"
)
_AGAIN = re.compile(
    r"(?P<index>[\w-]+) of (?P<month>\d{4}-\d\d), close of day (?P<day>\d+), told again (?P<months>\d+) months later"
)
_NO_CLOSE = re.compile(r"no publication: (?P<index>[\w-]+) had (?P<days>\d+) days in (?P<month>\d{4}-\d\d)")
_LATER = re.compile(r"(?P<index>[\w-]+), (?P<months>\d+) months later; demonstration")
_ESTIMATE = re.compile(r"estimate of the project(?P<order>, order of the trade in mid 2025)?")
_RUN = re.compile(r"(?P<superseded>superseded by )?run (?P<id>[0-9a-f-]{36})")


def note_in_words(note: str) -> str:
    """The note in the language of the page."""
    return next((told(match) for pattern, told in _WAYS if (match := pattern.fullmatch(note))), f"“{note}”")


def _invoice(match: re.Match[str]) -> str:
    return _(
        "No. %(number)s, %(kind)s for %(period)s: %(gross)s",
        number=match["number"],
        kind=label_of("invoice_kind", match["kind"]),
        period=period(match["period"]),
        gross=money(match["gross"]),
    )


def _split(match: re.Match[str]) -> str:
    return _("%(lots)s lots of no. %(number)s", lots=match["lots"], number=match["number"])


def _run(match: re.Match[str]) -> str:
    run = match["id"][:8]
    return _("superseded by run %(run)s", run=run) if match["superseded"] else _("run %(run)s", run=run)


_WAYS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_INVOICE, _invoice),
    (_SPLIT, _split),
    (_RUN, _run),
)


def source_in_words(source: str) -> str:
    """The source of a price in the language of the page, as far as the platform's own words go."""
    return next((told(match) for pattern, told in _SOURCES if (match := pattern.fullmatch(source))), source)


def _closes(match: re.Match[str]) -> str:
    if match["contract"]:
        return _(
            "GFEX lithium carbonate futures, dominant contract %(contract)s, close; daily bars by %(by)s",
            contract=match["contract"],
            by=match["by"],
        )
    return _(
        "GFEX lithium carbonate futures, dominant contract, mean close of %(days)s days; daily bars by %(by)s",
        days=match["days"],
        by=match["by"],
    )


def _later(match: re.Match[str]) -> str:
    return _("%(index)s, %(months)s months later; demonstration", index=match["index"], months=match["months"])


def _again(match: re.Match[str]) -> str:
    return _("%(index)s of %(month)s, close of day %(day)s, told again %(months)s months later", **match.groupdict())


def _no_close(match: re.Match[str]) -> str:
    return _("no publication: %(index)s had %(days)s days in %(month)s", **match.groupdict())


def _estimate(match: re.Match[str]) -> str:
    return (
        _("estimate of the project, order of the trade in mid 2025") if match["order"] else _("estimate of the project")
    )


_SOURCES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_CLOSES, _closes),
    (_LATER, _later),
    (_AGAIN, _again),
    (_NO_CLOSE, _no_close),
    (_ESTIMATE, _estimate),
)


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(note_in_words=note_in_words, source_in_words=source_in_words)
