"""The parts a contract's terms are made of. Shares and rates are decimals (0.1 is 10 %), quantities are whole lots."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from market.periods import Period

from .wording import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A legal entity: unified social credit code, registered name and address, who signs, affiliates' codes.

    A foreign entity's code is its country and the number in that country's register, as in "CL:96.529.340-1".
    """

    credit_code: str
    name: Text
    address: str | None
    signatory: str | None
    affiliates: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecificationLimit:
    """What an attribute of every lot must keep: at least `minimum`, at most `maximum`, in `unit`."""

    attribute: str
    unit: str
    minimum: Decimal | None
    maximum: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """One lot is `size` of `unit` (0.1 t, say)."""

    size: Decimal
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleLine:
    """The lots of one period, and the fewest and most that may be called in it."""

    period: Period
    lots: int
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far the lots called since the start may be over or under the schedule's sum so far, as shares of it."""

    over: Decimal
    under: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """An option to go on for `periods` more periods, told at least `notice_days` before the end."""

    periods: int
    notice_days: int


class DeliveryBasis(StrEnum):
    """Delivery terms, by the three-letter rules of Incoterms 2020."""

    EXW = "EXW"
    FCA = "FCA"
    CPT = "CPT"
    CIP = "CIP"
    DAP = "DAP"
    DPU = "DPU"
    DDP = "DDP"
    FAS = "FAS"
    FOB = "FOB"
    CFR = "CFR"
    CIF = "CIF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Basis and named place, when title passes, how the goods are packed. Freight is per unit, on top of the price."""

    basis: DeliveryBasis
    place: str
    freight: Decimal
    title: Text
    packing: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Currency (ISO 4217), VAT, the provisional invoice's share, days until an invoice is due, interest when late.

    Interest is simple: amount x interest x days / `year_days`.
    """

    currency: str
    vat: Decimal
    provisional_share: Decimal
    due_days: int
    interest: Decimal
    year_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOrPay:
    """The buyer takes `share` of each calendar year's schedule or pays `payment_share` of the price of what lacks.

    Lots paid for but not taken may be taken within the next `make_up_years` years beyond those years' obligations.
    Lots taken beyond a year's whole schedule lower the obligations of the next `carry_forward_years` years, by at
    most `carry_forward_share` of each year's schedule.
    """

    share: Decimal
    payment_share: Decimal
    make_up_years: int
    carry_forward_share: Decimal
    carry_forward_years: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyOrPay:
    """The seller delivers `share` of each calendar year's firm call-offs or pays `payment_share` of the price."""

    share: Decimal
    payment_share: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LateDamages:
    """After `grace_days`, `per_day` of the late lots' value for each day more, at most `cap` of that value."""

    grace_days: int
    per_day: Decimal
    cap: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class NominationCalendar:
    """How a call-off hardens, in days before its period begins.

    Forecasts bind nobody and reach `forecast_months` ahead. A nomination is due `nominate_days` before the period;
    until `firm_days` before it, it may be revised by at most `revision_share` of its lots; then it is firm. The
    seller confirms within `confirm_days` after that.
    """

    forecast_months: int
    nominate_days: int
    revision_share: Decimal
    firm_days: int
    confirm_days: int


class Better(StrEnum):
    """Which way an attribute is worth more."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityTerm:
    """Bonus and penalty of one attribute against its reference, fractions of a step pro rata.

    `bonus` and `penalty` are money per unit of product per `step`, each held by its cap (money per unit). Two assays
    no further apart than `splitting_limit` are averaged, else the umpire decides. Beyond `rejection` the buyer may
    reject the goods.
    """

    attribute: str
    unit: str
    better: Better
    reference: Decimal
    step: Decimal
    bonus: Decimal
    bonus_cap: Decimal
    penalty: Decimal
    penalty_cap: Decimal
    splitting_limit: Decimal
    rejection: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assaying:
    """How samples are drawn, who is umpire, within how many days the results are exchanged."""

    sampling: Text
    umpire: str
    exchange_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceMajeure:
    """Notice within `notice_days`; what is left is shared pro rata; the term is extended by the days lost, at most
    `longest_extension_days`; after `exit_days` without a break either side may terminate."""

    notice_days: int
    longest_extension_days: int
    exit_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopener:
    """When the parties must talk again; the outcome is an amendment that both sign, never an automatic change."""

    trigger: Text
    notice_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Certificates that must be valid, countries of origin admitted (empty: all), least recycled share."""

    certificates: tuple[str, ...]
    origins: tuple[str, ...]
    recycled_share: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Days to sign the contract, to answer an amendment, to raise a claim, to defend it, to cure a breach."""

    signing_days: int
    amendment_days: int
    claim_days: int
    defence_days: int
    cure_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A clause that is text only: recorded and printed, not computed."""

    name: str
    title: Text
    text: Text
