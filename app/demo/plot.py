"""What happens to one contract in the demo, as data: the days of a played clock, and what each delivery month brings.

All of it is invented but for the index, which is real and told two years later (see `replay`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from app.clock import EXCHANGE
from contracts.clauses import Better, QualityTerm, SpecificationLimit
from contracts.wording import Text
from market.periods import Period

PRODUCT, GRADE, ATTRIBUTE = "lithium_carbonate", "battery", "assay_percent"
FIRST_MONTH, LAST_MONTH = Period.parse("2027-01"), Period.parse("2027-06")

TAKEN_UP = dt.date(2026, 1, 12)
RELEASED = dt.date(2026, 1, 13)
COUNTERED = dt.date(2026, 1, 15)
COUNTER_TAKEN = dt.date(2026, 1, 16)
AGREED = dt.date(2026, 1, 19)
SELLER_SIGNS = dt.date(2026, 1, 21)
BUYER_SIGNS = dt.date(2026, 1, 22)
EFFECTIVE = dt.date(2026, 1, 23)
AMENDMENT_PROPOSED = dt.date(2026, 2, 2)
AMENDMENT_SIGNED = dt.date(2026, 2, 4)
AMENDED_FROM = dt.date(2027, 1, 2)
"""The day after the first version comes into force: goods of January are delivered without quality terms."""
CURTAIN = dt.date(2027, 7, 9)
"""The last day played."""

INDEX_WEIGHT = Decimal("0.5")
COLLAR = Decimal("0.025")
"""Floor and ceiling, as a share of the locked price below and above it; each side's own limit goes before."""

CENT = Decimal("0.01")
USUAL_MONTHS = 12
COUNTER_MESSAGE = (
    "请改为一半随指数：近十二个月均价时即为贵方锁定价，上下限各 2.5 %。"
    " Half of the price to follow the index: the locked price at the mean of the last twelve months, 2.5 % either way."
)
DEMONSTRATION = Text(
    "本文件为演示：数量据公开产能推得，价格、条款、证书、签名及履行均为虚构，所列企业从未作出任何报价、承诺或签署。",
    "This document is a demonstration: volumes rest on published capacities; prices, terms, certificates, signatures "
    "and performance are invented, and no firm named has offered, promised or signed anything.",
)

NOMINATED_AHEAD = 50
CONFIRMED_AHEAD = 26
PAID_BEFORE_DUE = 2
PAID_LATE = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The assays of a consignment, in points of per cent above what the seller guarantees; an umpire's where the two
    lie too far apart."""

    seller: Decimal
    buyer: Decimal
    umpire: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """A consignment: the share of what is confirmed that goes, the days, and the assays; none without quality terms."""

    share: Decimal
    shipped_on: dt.date
    received_on: dt.date
    assay: Result | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A delivery month: the share of the quarter's lots that the buyer calls, and the shipments."""

    month: Period
    share: Decimal
    shipments: tuple[Shipment, ...]
    pays_late: bool = False


def _day(month: int, day: int) -> dt.date:
    return dt.date(2027, month, day)


def _assay(seller: str, buyer: str, umpire: str | None = None) -> Result:
    return Result(seller=Decimal(seller), buyer=Decimal(buyer), umpire=None if umpire is None else Decimal(umpire))


def _month(label: str, share: str, *shipments: Shipment, pays_late: bool = False) -> Month:
    return Month(month=Period.parse(label), share=Decimal(share), shipments=shipments, pays_late=pays_late)


def _shipment(shipped: tuple[int, int], received: tuple[int, int], assay: Result | None, share: str = "1") -> Shipment:
    return Shipment(share=Decimal(share), shipped_on=_day(*shipped), received_on=_day(*received), assay=assay)


MONTHS = (
    _month("2027-01", "0.34", _shipment((1, 12), (1, 15), None)),
    # The bad one: the two results are further apart than the splitting limit, so the umpire speaks.
    _month("2027-02", "0.33", _shipment((2, 17), (2, 22), _assay("-0.19", "-0.45", "-0.38")), pays_late=True),
    _month("2027-03", "0.33", _shipment((3, 11), (3, 16), _assay("0.07", "0.05"))),
    # A flood holds back half of April; the rest comes in May, late beyond what the event excuses.
    _month(
        "2027-04",
        "0.34",
        _shipment((4, 19), (4, 23), _assay("0.06", "0.02"), share="0.55"),
        _shipment((5, 6), (5, 10), _assay("0.08", "0.10")),
    ),
    _month("2027-05", "0.33", _shipment((5, 18), (5, 21), _assay("0.16", "0.12"))),
    _month("2027-06", "0.22", _shipment((6, 9), (6, 14), _assay("0.09", "0.07"))),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """The force majeure: when it was, when it was told and said to be over, and the share it held back."""

    began_on: dt.date
    told_on: dt.date
    ended_on: dt.date
    over_told_on: dt.date
    affected: Decimal
    description: str


FLOOD = Flood(
    began_on=_day(4, 8),
    told_on=_day(4, 10),
    ended_on=_day(4, 27),
    over_told_on=_day(4, 28),
    affected=Decimal("0.5"),
    description="演示：卖方厂区遭洪水，产量减半。 Demonstration: flood at the seller's works, half of output lost.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """The buyer's claim for the bad assay: an amount per tonne of the consignment, and the part that is awarded."""

    breach_on: dt.date
    filed_on: dt.date
    defended_on: dt.date
    decided_on: dt.date
    per_tonne: Decimal
    awarded: Decimal
    statement: str
    defence: str
    ruling: str


COMPLAINT = Complaint(
    breach_on=_day(2, 22),
    filed_on=_day(3, 8),
    defended_on=_day(3, 18),
    decided_on=_day(4, 1),
    per_tonne=Decimal(250),
    awarded=Decimal("0.4"),
    statement="演示：该批须再提纯。 Demonstration: the consignment had to be purified again before use.",
    defence="演示：合同扣款已反映质量差异。 Demonstration: the contract's penalty already pays for the difference.",
    ruling="演示：仅认可再提纯加工费。 Demonstration: the tolling fee of the purification alone is found.",
)


def quality_of(guaranteed: SpecificationLimit) -> QualityTerm:
    """A penalty below what the seller guarantees, no bonus, rejection a point of per cent lower."""
    reference = (guaranteed.minimum or Decimal(0)).quantize(CENT, ROUND_DOWN)
    return QualityTerm(
        attribute=guaranteed.attribute,
        unit=guaranteed.unit,
        better=Better.HIGHER,
        reference=reference,
        step=Decimal("0.1"),
        bonus=Decimal(0),
        bonus_cap=Decimal(0),
        penalty=Decimal(100),
        penalty_cap=Decimal(600),
        splitting_limit=Decimal("0.1"),
        rejection=reference - 1,
    )


def moment(day: dt.date, hour: int = 10) -> dt.datetime:
    """An hour of a played day, by the exchange's time."""
    return dt.datetime.combine(day, dt.time(hour), EXCHANGE).astimezone(dt.UTC)
