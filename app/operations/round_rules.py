"""What makes a round sound: its hours, its rates of exchange, the windows of its contracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from app.errors import Refused
from app.models import Round, RoundWindow
from contracts.wording import Text
from market.errors import InvalidValue
from market.periods import Horizon


def check_hours(market_round: Round) -> None:
    """Refuse an end before the begin."""
    if market_round.closes_at <= market_round.opens_at:
        raise Refused(
            Text("场次截止早于开放；应为更晚的截止时间", "the round closes before it opens; expected a later end"),
            field="closes_at",
        )


def stored_rates(rates: Mapping[str, Decimal]) -> dict[str, str]:
    """CNY per unit of other currencies as they are stored."""
    for currency, rate in rates.items():
        if not (len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()):
            raise Refused(
                Text(
                    f"{currency!r} 不是货币；应为代码，例如 USD",
                    f"{currency!r} is no currency; expected a code such as USD",
                ),
                field="currency_rates",
            )
        if currency == "CNY" or rate <= 0:
            raise Refused(
                Text(
                    f"{currency} 汇率 {rate} 无效；应为每单位人民币数，大于 0",
                    f"{currency} at {rate} is no rate; expected CNY per unit, above 0",
                ),
                field="currency_rates",
            )
    return {currency: f"{rate:f}" for currency, rate in sorted(rates.items())}


def ladder(horizon: Horizon, windows: Sequence[tuple[str, str]]) -> list[RoundWindow]:
    """The windows that contracts of a round may have, each once."""
    found = {}
    for number, (first, last) in enumerate(windows):
        here = f"windows/{number}"
        if position_of(horizon, first, field=here) > position_of(horizon, last, field=here):
            raise Refused(
                Text(f"期间 {first} 至 {last} 顺序颠倒", f"the window {first} to {last} runs backwards"), field=here
            )
        found[first, last] = RoundWindow(first_period=first, last_period=last)
    return list(found.values())


def position_of(horizon: Horizon, period: str, *, field: str) -> int:
    """Where a period stands in the horizon."""
    try:
        return horizon.position(period)
    except InvalidValue as error:
        raise Refused(Text(f"期间 {period} 不在场次范围内", str(error)), field=field) from error
