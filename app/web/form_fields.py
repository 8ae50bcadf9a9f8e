"""Fields of a form as people fill them in: whole numbers, days, texts, decimals; what is wrong with each is kept."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal

from app.web.texts import _

MOST_LOTS = 10**12
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?")


class FormFields:
    """Reads the fields of one form. `errors` says, by field, what was wrong; a faulty field reads as None or 0."""

    def __init__(self, form: Mapping[str, str]) -> None:
        self.form, self.errors = form, dict[str, str]()

    def lots(self, name: str = "lots") -> int:
        """A whole number of lots, 1 or more."""
        text = self._said(name).replace(",", "")
        if not text.isascii() or not text.isdigit() or not 1 <= int(text[:20]) <= MOST_LOTS:
            self.errors[name] = _("A whole number of lots is expected, 1 or more.")
            return 0
        return int(text)

    def day(self, name: str, *, required: bool = False) -> dt.date | None:
        """A day as browsers send it (2027-02-08)."""
        text = self._said(name)
        if not text and not required:
            return None
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            self.errors[name] = _("A day is expected.")
            return None

    def text(self, name: str, *, most: int, required: bool = False) -> str | None:
        """One line or several, of at most so many characters."""
        text = self._said(name)
        if required and not text:
            self.errors[name] = _("This is needed.")
        elif len(text) > most or _CONTROL.search(text):
            self.errors[name] = _("At most %(most)s printable characters are expected.", most=most)
        return text or None

    def decimal(self, name: str) -> Decimal | None:
        """A number of 0 or more with at most six decimals."""
        text = self._said(name)
        if not _DECIMAL.fullmatch(text):
            self.errors[name] = _("A number is expected, such as 99.52.")
            return None
        return Decimal(text)

    def choice(self, name: str, codes: tuple[str, ...]) -> str | None:
        """One of the codes."""
        text = self._said(name)
        if text not in codes:
            self.errors[name] = _("Choose a reason.")
            return None
        return text

    def _said(self, name: str) -> str:
        return self.form.get(name, "").strip()
