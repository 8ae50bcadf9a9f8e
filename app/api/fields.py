"""Fields of the API's schemas: exact numbers as strings, instants in UTC, text that a database can hold."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import marshmallow as ma

LONGEST_TEXT = 500
# Control characters other than tab and line ends; PostgreSQL cannot store NUL, and the others only hide things.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class DecimalText(ma.fields.Field[Decimal]):
    """An exact decimal, written as a string: "10.5". Numbers, exponents and signs before zero-less digits are refused.

    `digits` before and `places` after the point at most; `minimum` and `maximum` are inclusive.
    """

    default_error_messages = {  # noqa: RUF012 - marshmallow collects it as a class attribute
        "not_text": "a decimal is written as a string; expected a form such as {example}",
        "form": "{value} is not a decimal with at most {digits} digits before and {places} after the point",
        "least": "{value} is too small; expected {minimum} or more",
        "most": "{value} is too large; expected {maximum} or less",
    }

    def __init__(
        self,
        *,
        places: int = 6,
        digits: int = 12,
        minimum: Decimal | int | None = 0,
        maximum: Decimal | int | None = None,
        **options: Any,
    ) -> None:
        sign = "-?" if minimum is None or minimum < 0 else ""
        fraction = rf"(\.[0-9]{{1,{places}}})?" if places else ""
        self.pattern = rf"^{sign}(0|[1-9][0-9]{{0,{digits - 1}}}){fraction}$"
        self.places, self.digits, self.minimum, self.maximum = places, digits, minimum, maximum
        options["metadata"] = {"pattern": self.pattern, "examples": [self._example()], **options.get("metadata", {})}
        super().__init__(**options)

    def _example(self) -> str:
        return "10.5" if self.places else "10"

    def _serialize(self, value: Decimal | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else decimal_text(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        if not isinstance(value, str):
            raise self.make_error("not_text", example=f'"{self._example()}"')
        if not re.match(self.pattern, value) or value.endswith("\n"):
            raise self.make_error("form", value=repr(value[:40]), digits=self.digits, places=self.places)
        number = Decimal(value)
        if self.minimum is not None and number < self.minimum:
            raise self.make_error("least", value=value, minimum=self.minimum)
        if self.maximum is not None and number > self.maximum:
            raise self.make_error("most", value=value, maximum=self.maximum)
        return number


def decimal_text(value: Decimal) -> str:
    """A decimal without exponent and without idle zeros after the point: "10.5", "100", "0"."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


class Timestamp(ma.fields.AwareDateTime):
    """An instant by RFC 3339; read with any offset, written in UTC with Z."""

    def __init__(self, **options: Any) -> None:
        super().__init__(format="iso", **options)

    def _serialize(self, value: dt.datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dt.datetime:
        try:
            return super()._deserialize(value, attr, data, **kwargs).astimezone(dt.UTC)
        except OverflowError as error:  # year 1 or 9999 with an offset
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from error


class Text(ma.fields.String):
    """Text of a length that is given, without control characters, not blank unless `least` is 0."""

    def __init__(self, *, least: int = 1, most: int = LONGEST_TEXT, **options: Any) -> None:
        own = options.pop("validate", [])
        checks = [ma.validate.Length(least, most), _storable, *(own if isinstance(own, list) else [own])]
        super().__init__(validate=checks, **options)


def _storable(text: str) -> None:
    if found := _CONTROL.search(text):
        raise ma.ValidationError(f"holds the control character {found.group()!r}; expected printable text")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ma.ValidationError("holds half of a surrogate pair; expected whole characters")
    if text and not text.strip():
        raise ma.ValidationError("is blank")
