"""What a run answers: contracts, one result for every offer, shadow prices, a certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from .lanes import Requirement

PRICE_STEP = Decimal("0.0001")  # CNY per unit: a square metre of separator costs about one yuan


class Reason(StrEnum):
    """Why an offer ended as it did; matched in full or in part, or the one reason it was not."""

    MATCHED = "matched"
    OUT_OF_THE_MONEY = "out_of_the_money"
    NO_ELIGIBLE_LANE = "no_eligible_lane"
    CAPACITY_EXHAUSTED_PRO_RATA = "capacity_exhausted_pro_rata"
    LIMITED_BY_SHARE = "limited_by_share"
    LIMITED_BY_CORRIDOR = "limited_by_corridor"
    LIMITED_BY_POLICY = "limited_by_policy"
    INPUT_NOT_AVAILABLE = "input_not_available"
    PARADOXICALLY_REJECTED = "paradoxically_rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A pair, a window, a rate and a locked price.

    `seller` and `buyer` are labels of offers or conversions; positions are of the horizon, last included; `rate` is
    lots per period; prices and freight are CNY per unit. Contracts of one `bundle` become effective together.
    """

    seller: str
    buyer: str
    product: str
    first: int
    last: int
    rate: int
    price_ex_works: Decimal
    freight: Decimal
    price_delivered: Decimal
    bundle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferResult:
    """What became of one offer or conversion.

    `filled` is lots per period. `distance` is CNY per unit by which the price stood off being taken: better by more
    than that in every period, and it is taken; `distance_at_least` where only so much is known, and it may take more.
    `failed` is the requirement that most counterparts failed, for `no_eligible_lane`.
    """

    offer: str
    filled: tuple[int, ...]
    reason: Reason
    distance: Decimal | None = None
    distance_at_least: bool = False
    failed: Requirement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowPrice:
    """The value of one more unit at a position in a period, CNY per unit.

    `kind` and `subject`: "offer" (offer); "output" (conversion), the internal value of what it makes; "input"
    (conversion, product), the internal value of what it takes; "conversion" (conversion), the rent of its capacity;
    "share" (offer, supplier); "corridor" (product, from, to); "ceiling" (product, supplier);
    "origin" (product, origin, to); "hub" (product, grade,
    region), the ex-works price at which one more lot would be taken there.
    """

    kind: str
    subject: tuple[str, ...]
    position: int
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The proof of a run, re-checkable without a solver.

    Welfare and bound in CNY over the horizon. `blocking_pairs` counts lanes whose two sides would both gain by
    contracting with each other at some price; `violations` names each broken limit, term or price; `uncertified`
    lists offers with block terms, for which no absence of blocking pairs is claimed. `rounding_loss` is what whole
    lots cost against the divisible optimum. `seconds` by phase, `peak_memory` in MB.
    """

    welfare: Decimal
    dual_bound: Decimal
    gap: Decimal
    rounding_loss: Decimal
    lanes: int
    candidates: int
    rounds: int
    blocking_pairs: int
    violations: tuple[str, ...] = ()
    uncertified: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    peak_memory: float = 0.0

    @property
    def holds(self) -> bool:
        return not self.violations and not self.blocking_pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Everything a run returns; contracts, results and prices are ordered by label."""

    contracts: tuple[Contract, ...]
    results: tuple[OfferResult, ...]
    prices: tuple[ShadowPrice, ...]
    certificate: Certificate
