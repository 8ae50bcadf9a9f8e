"""The form of a round: read field by field, what is wrong beside its field, kept as it was typed."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from app.models import Round, RoundKind, RoundState, WindowRule
from app.operations.offer_cells import EXCHANGE_TIME, CellFault, number
from app.operations.offer_faults import expected
from app.operations.rounds import CHANGES_WHILE_OPEN
from app.web.formats import language
from app.web.texts import _
from market.errors import InvalidValue
from market.periods import Horizon, Period

Read = TypeVar("Read")
MOST_PERIODS = 120
LONGEST_NAME = 200
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_BETWEEN = re.compile(r"\s*(?:–|—|\.\.|~|\bto\b|至|\s)\s*")
# How the windows are chosen: any run of periods, a ladder of whole lengths, or a ladder of one's own.
ALL, STANDARD, OWN = "all", "standard", "own"


class RoundForm:
    """What was typed, what it says as far as it can be read, and what is wrong by field."""

    def __init__(self, values: Mapping[str, str], *, present: Round | None = None) -> None:
        self.values, self.present = {name: text.strip() for name, text in values.items()}, present
        self.errors: dict[str, str] = {}

    @classmethod
    def of_round(cls, market_round: Round) -> RoundForm:
        """The form that says what the round is."""
        ladder = [(window.first_period, window.last_period) for window in market_round.ladder]
        is_standard = set(ladder) == set(standard_ladder(market_round.horizon))
        values = {name: str(getattr(market_round, name) or "") for name in ("code", "name_zh", "name_en")}
        values |= {
            "kind": market_round.kind.value,
            "first_period": market_round.first_period,
            "period_count": str(market_round.period_count),
            "opens_at": _typed_time(market_round.opens_at),
            "closes_at": _typed_time(market_round.closes_at),
            "proposal_days": str(market_round.proposal_days),
            "review_threshold": f"{market_round.review_threshold:f}",
            "rates": "\n".join(f"{code} {rate}" for code, rate in market_round.currency_rates.items()),
            "windows": ALL if market_round.windows is WindowRule.ALL else STANDARD if is_standard else OWN,
            "ladder": "\n".join(f"{first} – {last}" for first, last in ladder),
        }
        return cls(values, present=market_round)

    def read(self) -> dict[str, Any]:
        """What the operation takes; not to be used while there are errors."""
        said: dict[str, Any] = {name: self._name(name) for name in ("name_zh", "name_en")}
        said["closes_at"] = self._get("closes_at", _time)
        if self.present is not None and self.present.state is not RoundState.DRAFT:
            return {name: value for name, value in said.items() if name in CHANGES_WHILE_OPEN}
        said["opens_at"] = self._get("opens_at", _time)
        said["proposal_days"] = self._whole("proposal_days", 1, 90)
        said["review_threshold"] = self._get("review_threshold", number)
        said["currency_rates"] = self._rates()
        horizon = self.present.horizon if self.present is not None else self._new(said)
        said["windows"] = self._windows(horizon) if horizon is not None else ()
        return said

    def _new(self, said: dict[str, Any]) -> Horizon | None:
        """What only a new round says; its horizon, if that can be read."""
        said["code"] = self.values.get("code", "")
        if not _CODE.fullmatch(said["code"]):
            self.errors["code"] = _("Letters, digits, dots, - and _ are expected, at most 60.")
        kind = self.values.get("kind")
        said["kind"] = RoundKind(kind) if kind in set(RoundKind) else RoundKind.NIGHTLY
        said["first_period"] = self.values.get("first_period", "").upper()
        said["period_count"] = self._whole("period_count", 1, MOST_PERIODS)
        try:
            return Horizon(Period.parse(said["first_period"]), said["period_count"] or 1)
        except InvalidValue:
            self.errors["first_period"] = _("A year, quarter or month is expected: 2027, 2027-Q1, 2027-01.")
            return None

    def _windows(self, horizon: Horizon) -> list[tuple[str, str]]:
        chosen = self.values.get("windows", ALL)
        if chosen == STANDARD:
            return standard_ladder(horizon)
        if chosen != OWN:
            return []
        lines = [line.strip() for line in self.values.get("ladder", "").splitlines() if line.strip()]
        found = []
        for line in lines:
            first, *rest = _BETWEEN.split(line.upper().replace("TO", "to"))
            found.append((first, rest[-1] if rest else first))
        if not found:
            self.errors["ladder"] = _("Write one window on a line, such as 2027-Q1 – 2027-Q4.")
        return found

    def _rates(self) -> dict[str, Decimal]:
        rates = {}
        for line in self.values.get("rates", "").splitlines():
            code, _sep, typed = line.strip().partition(" ")
            if not code:
                continue
            try:
                rates[code.upper()] = Decimal(typed.strip())
            except InvalidOperation:
                self.errors["rates"] = _("Write one currency on a line, such as USD 7.1.")
        return rates

    def _name(self, name: str) -> str:
        text = self.values.get(name, "")
        if not 1 <= len(text) <= LONGEST_NAME:
            self.errors[name] = _("A name of at most %(most)s characters is expected.", most=LONGEST_NAME)
        return text

    def _whole(self, name: str, least: int, most: int) -> int:
        text = self.values.get(name, "")
        if not text.isascii() or not text.isdigit() or not least <= int(text[:9]) <= most:
            self.errors[name] = _("A whole number from %(least)s to %(most)s is expected.", least=least, most=most)
            return 0
        return int(text)

    def _get(self, name: str, reader: Callable[[Any], Read]) -> Read | None:
        try:
            return reader(self.values.get(name, ""))
        except CellFault as fault:
            self.errors[name] = expected(fault.code, fault.params, language())
        except ValueError:
            self.errors[name] = _("A day and an hour are expected.")
        return None


def standard_ladder(horizon: Horizon) -> list[tuple[str, str]]:
    """Windows of 1, 2, 4, 8 ... periods that begin at multiples of their length, and the whole horizon."""
    labels, found, length = horizon.labels(), [], 1
    while length <= len(labels):
        starts = range(0, len(labels) - length + 1, length)
        found += [(labels[start], labels[start + length - 1]) for start in starts]
        length *= 2
    whole = (labels[0], labels[-1])
    return found if whole in found else [*found, whole]


def _time(typed: str) -> dt.datetime:
    """A day and an hour as browsers send them, in the exchange's time.

    :raises ValueError: it is none.
    """
    return dt.datetime.fromisoformat(typed).replace(tzinfo=EXCHANGE_TIME)


def _typed_time(moment: dt.datetime) -> str:
    return moment.astimezone(EXCHANGE_TIME).strftime("%Y-%m-%dT%H:%M")
