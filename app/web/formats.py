"""Numbers, money, quantities, periods and times as people read them, in the language of the page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from babel import numbers
from flask import Flask
from flask_babel import format_date, format_datetime, get_locale
from jinja2 import pass_context
from jinja2.runtime import Context

from app.models import Language, Unit
from app.web.texts import _
from market.periods import Period

UNITS: Mapping[Unit, tuple[str, str]] = {
    Unit.TONNE: ("吨", "t"),
    Unit.KILOGRAM: ("千克", "kg"),
    Unit.SQUARE_METRE: ("平方米", "m²"),
    Unit.KILOWATT_HOUR: ("千瓦时", "kWh"),
    Unit.MEGAWATT_HOUR: ("兆瓦时", "MWh"),
    Unit.PIECE: ("件", "pcs"),
}
CURRENCIES = {"CNY": ("元", "CNY")}
Number = Decimal | int | float | str


class Named(Protocol):
    """Whatever has a name in both languages."""

    name_zh: Any
    name_en: Any


def language() -> Language:
    """The language of the page that is being written."""
    locale = get_locale()
    return Language.CHINESE if locale is None or locale.language == "zh" else Language.ENGLISH


def in_words(chinese: str, english: str) -> str:
    """One of two wordings."""
    return chinese if language() is Language.CHINESE else english


def named(thing: Named | None) -> str:
    """The name of a firm, product, site ... in the language of the page."""
    return "" if thing is None else in_words(str(thing.name_zh), str(thing.name_en))


def exact(value: Number | None) -> Decimal:
    """A number that came as a decimal, a whole number or text, exactly."""
    return Decimal(str(value or 0))


def number(value: Number | None, places: int = 0) -> str:
    """A number with at most `places` decimals and the locale's separators; a dash where there is none."""
    if value is None:
        return "–"
    return str(numbers.format_decimal(exact(value), format="#,##0." + "#" * places, locale=get_locale()))


def unit_name(unit: Unit | str) -> str:
    return in_words(*UNITS[Unit(unit)])


def currency_name(code: str = "CNY") -> str:
    return in_words(*CURRENCIES.get(code, (code, code)))


def quantity(value: Number | None, unit: Unit | str) -> str:
    """ "1,200 t"; up to six decimals, as lots may have."""
    return "–" if value is None else f"{number(value, 6)} {unit_name(unit)}"


def about(value: Number | None, unit: Unit | str) -> str:
    """A quantity that is an estimate: whole units where they are many."""
    return "–" if value is None else f"{number(value, 0 if abs(exact(value)) >= 100 else 2)} {unit_name(unit)}"


def money(value: Number | None, currency: str = "CNY") -> str:
    """An amount in full: "CNY 1,234,567" or "1,234,567 元"."""
    if value is None:
        return "–"
    amount = number(value, 2 if abs(exact(value)) < 10_000 else 0)
    return in_words(f"{amount} {currency_name(currency)}", f"{currency_name(currency)} {amount}")


def cents(value: Number | None) -> str:
    """An amount to the cent, as invoices have it: "1,234,567.80"."""
    return "–" if value is None else str(numbers.format_decimal(exact(value), format="#,##0.00", locale=get_locale()))


def money_short(value: Number | None, currency: str = "CNY") -> str:
    """An amount to read at a glance: "CNY 1.23B" or "12.3 亿元"."""
    if value is None:
        return "–"
    amount = numbers.format_compact_decimal(
        exact(value),
        format_type="short",
        locale=get_locale(),
        fraction_digits=1 if language() is Language.CHINESE else 2,
    )
    name = currency_name(currency)
    return in_words(f"{amount}{name}" if name == "元" else f"{amount} {name}", f"{name} {amount}")


def price(value: Number | None, unit: Unit | str | None = None, currency: str = "CNY") -> str:
    """A price per unit; four decimals below 100, two above."""
    if value is None:
        return "–"
    amount = number(value, 4 if abs(exact(value)) < 100 else 2)
    return amount if unit is None else f"{amount} {currency_name(currency)}/{unit_name(unit)}"


def share(value: Number | None, places: int = 1) -> str:
    """A part of one as a percentage."""
    if value is None:
        return "–"
    return str(numbers.format_percent(exact(value), format="#,##0." + "#" * places + "%", locale=get_locale()))


def signed_percent(value: Number | None) -> str:
    """A number of percent with its sign, as in "+2.4 %"."""
    if value is None:
        return "–"
    said = exact(value)
    sign = "+" if said > 0 else "−" if said < 0 else "±"
    return f"{sign}{number(abs(said), 2)} %"


def period(label: str) -> str:
    """ "2027-Q1" as "2027 Q1" or "2027年第1季度"."""
    found = Period.parse(label)
    if found.kind == "year":
        return in_words(f"{found.first_day.year}年", str(found.first_day.year))
    if found.kind == "month":
        day = found.first_day
        return in_words(f"{day.year}年{day.month}月", str(format_date(day, "MMM y")))
    quarter = (found.first_day.month + 2) // 3
    return in_words(f"{found.first_day.year}年第{quarter}季度", f"{found.first_day.year} Q{quarter}")


def period_short(label: str) -> str:
    """A period for the head of a narrow column: "27 Q1", "27年1季"."""
    found = Period.parse(label)
    if found.kind == "quarter":
        year, quarter = found.first_day.year % 100, (found.first_day.month + 2) // 3
        return in_words(f"{year}年{quarter}季", f"{year} Q{quarter}")
    return period(label)


def window(first: str, last: str) -> str:
    """A window by its first and last period."""
    if first == last:
        return period(first)
    return in_words(f"{period(first)}至{period(last)}", f"{period(first)} – {period(last)}")


def period_count(first: str, last: str) -> str:
    """How long a window is, in its own periods."""
    start, end = Period.parse(first), Period.parse(last)
    count = (end.start - start.start) // start.months + 1
    if start.kind == "year":
        return str(_("%(count)s years", count=count))
    return str(_("%(count)s months", count=count) if start.kind == "month" else _("%(count)s quarters", count=count))


def when(moment: dt.datetime | None) -> str:
    """An instant in the exchange's time zone, to the minute."""
    return "–" if moment is None else str(format_datetime(moment, in_words("y年M月d日 HH:mm", "d MMM y, HH:mm")))


def day(date: dt.date | None) -> str:
    return "–" if date is None else str(format_date(date, in_words("y年M月d日", "d MMM y")))


def short_hash(digest: str | None) -> str:
    """The first and last characters of a digest: enough to compare by eye."""
    return "–" if not digest else f"{digest[:8]}…{digest[-6:]}"


FILTERS = (
    named,
    number,
    unit_name,
    currency_name,
    quantity,
    about,
    money,
    cents,
    money_short,
    price,
    share,
    signed_percent,
    period,
    period_short,
    when,
    day,
    short_hash,
)


def scaled(lots: int, lot: str) -> Decimal:
    """Whole lots in units of the product."""
    return lots * Decimal(lot)


def example_of(terms: Mapping[str, Any]) -> Decimal:
    """What the first period of a contract's terms costs, delivered and without tax."""
    lots, lot = terms["schedule"][0]["lots"], terms["lot"]["size"]
    return scaled(lots, lot) * (exact(terms["price"]["amount"]) + exact(terms["delivery"]["freight"]))


def total_of(terms: Mapping[str, Any]) -> Decimal:
    """The volume of an offer's kept version, in units."""
    return sum((exact(line["quantity"]) for line in terms["periods"]), Decimal(0))


def _of_this_page(function: Callable[..., str]) -> Callable[..., str]:
    """The filter as one that needs the page: Jinja would work out `"CNY"|currency_name` once, when it compiles the
    template, and tell every later reader in the language of the first."""

    @pass_context
    def filtered(_page: Context, *values: object, **named_values: object) -> str:
        return function(*values, **named_values)

    return filtered


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update({function.__name__: _of_this_page(function) for function in FILTERS})
    app.jinja_env.globals.update(scaled=scaled, example_of=example_of, total_of=total_of, day_of=dt.date.fromisoformat)
    app.jinja_env.globals.update(window_of=window, period_count=period_count, in_words=in_words)
