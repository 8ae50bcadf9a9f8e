"""When a price has moved so far from the market that a reopener is triggered: arithmetic on monthly means.

The terms hold a reopener as text. Where that text is one of the platform's own, the numbers it speaks of stand here; a
text that the parties wrote themselves is for them to invoke.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from market.periods import Period

from .clauses import Reopener
from .defaults import REOPENERS
from .wording import Text
from .working import percent, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceDrift:
    """The index's monthly mean stays more than `share` from the contract's price for `months` months running."""

    share: Decimal
    months: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A reopener that was triggered by the last of these months, with the working."""

    month: Period
    steps: tuple[Text, ...]


MEASURES: Mapping[Text, PriceDrift] = {REOPENERS[0].trigger: PriceDrift(share=Decimal("0.3"), months=3)}


def measure_of(reopener: Reopener) -> PriceDrift | None:
    """The numbers behind a reopener's text; None for a text that no table knows."""
    return MEASURES.get(reopener.trigger)


def triggered(
    measure: PriceDrift, prices: Mapping[Period, Decimal], means: Mapping[Period, Decimal], *, last: Period
) -> Trigger | None:
    """Whether the months up to `last` are all too far from the price, on either side and by more than the share.

    `prices` are the contract's and `means` the index's, by month, in the same money and unit. A month that lacks either
    is not far.
    """
    steps: list[Text] = []
    for back in range(measure.months - 1, -1, -1):
        month = last + -back
        price, mean = prices.get(month), means.get(month)
        if not price or mean is None:
            return None
        drift = Fraction(mean) / Fraction(price) - 1
        if abs(drift) <= Fraction(measure.share):
            return None
        by = f"{'+' if drift > 0 else '-'}{percent(round(abs(drift), 4))}"
        steps.append(
            Text(
                f"{month}：指数均价 {shown(mean)}，合同价 {shown(price)}，偏离 {by}",
                f"{month}: index mean {shown(mean)}, contract price {shown(price)}, off by {by}",
            )
        )
    limit = Text(
        f"连续 {measure.months} 个月偏离超过 {percent(measure.share)}",
        f"off by more than {percent(measure.share)} for {measure.months} months running",
    )
    return Trigger(month=last, steps=(*steps, limit))
