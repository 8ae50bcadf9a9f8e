"""Texts of the catalogues, as text: the library's own functions carry no types."""

from __future__ import annotations

import flask_babel


def _(text: str, **values: object) -> str:
    """The text in the language of the page; `%(name)s` stands for a value."""
    return str(flask_babel.gettext(text, **values))


def ngettext(one: str, many: str, count: int, **values: object) -> str:
    """The text for one or for many; `%(num)d` stands for the count."""
    return str(flask_babel.ngettext(one, many, count, **values))
