"""One text for one value: canonical JSON of frozen dataclasses, and its exact way back.

The form follows RFC 8785: members sorted by name, no white space, UTF-8, shortest escapes. Decimals are strings
without exponent or idle zeros ("1.5", never "1.50"), days and periods are strings, so no reader's floats can change
an amount. A class with a `kind` writes it as a member, which tells the members of a union apart.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
import types
import typing
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from enum import StrEnum

from market.errors import BadInput, Fault, InvalidValue
from market.periods import Period

from .wording import Text, fault, one_of

LARGEST_INTEGER = 2**53 - 1
"""Beyond it a JSON number is not exact in every reader (RFC 7493)."""

_DECIMAL = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,18})?\Z", re.ASCII)
_INVALID: typing.Final = object()

NOTHING = Text("没有", "nothing")
DECIMAL_AS_TEXT = Text("写成字符串的小数", "a decimal written as a string")

Plain = None | bool | int | str | list["Plain"] | dict[str, "Plain"]


@dataclass(frozen=True, slots=True)
class Change:
    """One place where two values differ: its JSON pointer, and what stood and stands there (None: nothing)."""

    pointer: str
    old: Plain
    new: Plain


def decimal_text(value: Decimal) -> str:
    """The decimal without exponent, idle zeros or a negative zero.

    :raises InvalidValue: not a finite number.
    """
    if not value.is_finite():
        raise InvalidValue(f"{value} is not a finite decimal")
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def to_plain(value: object, pointer: str = "") -> Plain:
    """Dataclasses as objects, tuples as lists, decimals, days, periods and names as strings.

    :raises BadInput: a decimal is not finite; the fault names its place by JSON pointer.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise _bad(pointer, str(value), Text("有限小数", "a finite decimal"))
        return decimal_text(value)
    if isinstance(value, str | Period):
        return str(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [to_plain(member, f"{pointer}/{at}") for at, member in enumerate(value)]
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{type(value).__name__} has no canonical form")
    plain = {field.name: to_plain(getattr(value, field.name), f"{pointer}/{field.name}") for field in fields(value)}
    kind = getattr(value, "kind", None)
    return plain if kind is None else {"kind": str(kind), **plain}


def canonical_text(plain: Plain) -> str:
    """The canonical JSON text of a plain value."""
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def differences(old: Plain, new: Plain, pointer: str = "") -> list[Change]:
    """Every leaf in which two plain values differ, in the order of their JSON pointers' members."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted(old.keys() | new.keys())
        pairs = [(name, old.get(name), new.get(name)) for name in names]
    elif isinstance(old, list) and isinstance(new, list):
        length = max(len(old), len(new))
        pairs = [
            (str(at), old[at] if at < len(old) else None, new[at] if at < len(new) else None) for at in range(length)
        ]
    else:
        return [] if type(old) is type(new) and old == new else [Change(pointer, old, new)]
    return [change for name, was, now in pairs for change in differences(was, now, f"{pointer}/{name}")]


def read_json(text: str | bytes) -> Plain:
    """Plain value of a JSON text in which no object names a member twice and no number has a fraction.

    :raises BadInput: not JSON, or not of that kind.
    """

    def once(pairs: list[tuple[str, Plain]]) -> dict[str, Plain]:
        members = dict(pairs)
        if len(members) != len(pairs):
            names = [name for name, _ in pairs]
            twice = sorted({name for name in names if names.count(name) > 1})
            found = Text(f"同一对象中成员 {twice[0]!r} 出现两次", f"member {twice[0]!r} twice in one object")
            raise _bad("", found, Text("每个成员一次", "every member once"))
        return members

    def no_fraction(number: str) -> Plain:
        raise _bad("", Text(f"数字 {number}", f"the number {number}"), DECIMAL_AS_TEXT)

    try:
        return typing.cast(
            "Plain",
            json.loads(text, object_pairs_hook=once, parse_float=no_fraction, parse_constant=no_fraction),
        )
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        found = Text(f"不是 JSON（{error}）", f"no JSON ({error})")
        raise _bad("", found, Text("一个 UTF-8 的 JSON 对象", "one JSON object in UTF-8")) from None


def from_plain(kind: typing.Any, plain: Plain, pointer: str = "") -> typing.Any:
    """The value of type `kind` that `to_plain` would have written so; every member must be there, none besides.

    :raises BadInput: with one fault per place, `place` being its JSON pointer.
    """
    faults: list[Fault] = []
    value = _read(kind, plain, pointer, faults)
    if faults:
        raise BadInput(faults)
    return value


def _bad(pointer: str, found: str | Text, expected: Text) -> BadInput:
    return BadInput([_fault(pointer, found, expected)])


def _fault(pointer: str, found: str | Text, expected: Text) -> Fault:
    return fault(pointer or "/", found, expected)


def _read(kind: typing.Any, plain: Plain, pointer: str, faults: list[Fault]) -> typing.Any:
    origin = typing.get_origin(kind)
    if origin in {types.UnionType, typing.Union}:
        return _read_union(typing.get_args(kind), plain, pointer, faults)
    if origin is tuple:
        if not isinstance(plain, list):
            faults.append(_fault(pointer, _shown(plain), Text("一个列表", "a list")))
            return _INVALID
        member = typing.get_args(kind)[0]
        return tuple(_read(member, one, f"{pointer}/{at}", faults) for at, one in enumerate(plain))
    if isinstance(kind, type) and is_dataclass(kind) and kind is not Period:
        return _read_object(kind, plain, pointer, faults)
    return _read_leaf(kind, plain, pointer, faults)


def _read_union(kinds: tuple[typing.Any, ...], plain: Plain, pointer: str, faults: list[Fault]) -> typing.Any:
    classes = [kind for kind in kinds if kind is not type(None)]
    if plain is None and len(classes) < len(kinds):
        return None
    if len(classes) == 1:
        return _read(classes[0], plain, pointer, faults)
    by_kind = {kind.kind: kind for kind in classes}
    told = plain.get("kind") if isinstance(plain, dict) else None
    if not isinstance(plain, dict) or not isinstance(told, str) or told not in by_kind:
        faults.append(_fault(f"{pointer}/kind", _shown(told), one_of(by_kind)))
        return _INVALID
    return _read_object(by_kind[told], plain, pointer, faults)


@functools.cache
def _hints(kind: type) -> dict[str, typing.Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _read_object(kind: type, plain: Plain, pointer: str, faults: list[Fault]) -> typing.Any:
    if not isinstance(plain, dict):
        faults.append(_fault(pointer, _shown(plain), Text("一个对象", "an object")))
        return _INVALID
    hints = _hints(kind)
    tag: str | None = getattr(kind, "kind", None)
    known = set(hints) if tag is None else {*hints, "kind"}
    before = len(faults)
    if tag is not None and plain.get("kind") != tag:
        faults.append(_fault(f"{pointer}/kind", _shown(plain.get("kind")), Text(repr(tag), repr(tag))))
    unknown, members = Text("未知成员", "an unknown member"), one_of(sorted(known))
    faults += [_fault(f"{pointer}/{name}", unknown, members) for name in sorted(plain.keys() - known)]
    there = Text("该成员（不适用时为 null）", "the member (null where it does not apply)")
    faults += [_fault(f"{pointer}/{name}", NOTHING, there) for name in sorted(hints.keys() - plain.keys())]
    values = {
        name: _read(hint, plain[name], f"{pointer}/{name}", faults) for name, hint in hints.items() if name in plain
    }
    return _INVALID if len(faults) > before else kind(**values)


def _read_leaf(kind: typing.Any, plain: Plain, pointer: str, faults: list[Fault]) -> typing.Any:
    expected = Text("true 或 false", "true or false")
    if kind is bool:
        if isinstance(plain, bool):
            return plain
    elif kind is int:
        if isinstance(plain, int) and not isinstance(plain, bool) and abs(plain) <= LARGEST_INTEGER:
            return plain
        expected = Text("整数", "a whole number")
    elif isinstance(plain, str):
        try:
            return _from_text(kind, plain)
        except _Unreadable as error:
            expected = error.expected
    else:
        expected = DECIMAL_AS_TEXT if kind is Decimal else Text("字符串", "a string")
    faults.append(_fault(pointer, _shown(plain), expected))
    return _INVALID


class _Unreadable(Exception):
    """A text is not what its place expects."""

    def __init__(self, expected: Text) -> None:
        super().__init__(expected.en)
        self.expected = expected


def _from_text(kind: typing.Any, text: str) -> typing.Any:
    """A string, name, decimal, day or period from its text.

    :raises _Unreadable: another text was expected.
    """
    if kind in _READERS:
        return _READERS[kind](text)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if text not in set(kind):
            raise _Unreadable(one_of(kind))
        return kind(text)
    raise TypeError(f"{kind} has no canonical form")


def _string(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Unreadable(Text("可用 UTF-8 表示的文字", "text that UTF-8 can write")) from None
    return text


def _decimal(text: str) -> Decimal:
    if not _DECIMAL.match(text):
        expected = "a decimal such as 70000 or 0.25, at most 18 digits on either side of the point"
        raise _Unreadable(Text("小数，例如 70000 或 0.25，小数点两侧各至多 18 位", expected))
    return Decimal(text)


def _day(text: str) -> dt.date:
    try:
        return dt.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=dt.UTC).date()
    except ValueError:
        raise _Unreadable(Text("日期，例如 2027-03-31", "a day such as 2027-03-31")) from None


def _period(text: str) -> Period:
    try:
        return Period.parse(text)
    except InvalidValue as error:
        raise _Unreadable(Text("期间，例如 2027、2027-Q1 或 2027-01", str(error))) from None


_READERS: typing.Final[dict[typing.Any, typing.Callable[[str], typing.Any]]] = {
    str: _string,
    Decimal: _decimal,
    dt.date: _day,
    Period: _period,
}


def _shown(plain: Plain) -> str:
    text = canonical_text(plain) if not isinstance(plain, str) else repr(plain)
    return text if len(text) <= 60 else text[:57] + "..."
