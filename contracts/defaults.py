"""The platform's standard terms, all in this one place: what a contract says where the parties said nothing.

Texts are the platform's model wording; parties replace them in their counter-offers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from market.periods import Period

from .clauses import (
    Assaying,
    Clause,
    Deadlines,
    Delivery,
    DeliveryBasis,
    ForceMajeure,
    LateDamages,
    Lot,
    NominationCalendar,
    Party,
    Payment,
    Provenance,
    QualityTerm,
    Reopener,
    ScheduleLine,
    SpecificationLimit,
    SupplyOrPay,
    TakeOrPay,
    Tolerance,
)
from .fixings import IndexFailure
from .price_formula import Price
from .terms import Terms, validate
from .transitions import RULE_VERSION
from .wording import Text

STANDARD = "changdan-2026"
"""The name of this set; a changed default gets a new name, and contracts keep the one they started from."""

TOLERANCE = Tolerance(over=Decimal("0.05"), under=Decimal("0.05"))
PERIOD_SWING = Decimal("0.10")
"""By how much one period's call-offs may be over or under that period's lots."""

LONG_STOP_DAYS = 90
PAYMENT = Payment(
    currency="CNY",
    vat=Decimal("0.13"),
    provisional_share=Decimal("0.9"),
    due_days=30,
    interest=Decimal("0.06"),
    year_days=365,
)
TAKE_OR_PAY = TakeOrPay(
    share=Decimal("0.9"),
    payment_share=Decimal(1),
    make_up_years=2,
    carry_forward_share=Decimal("0.1"),
    carry_forward_years=2,
)
SUPPLY_OR_PAY = SupplyOrPay(share=Decimal("0.95"), payment_share=Decimal("0.2"))
LATE_DAMAGES = LateDamages(grace_days=3, per_day=Decimal("0.0005"), cap=Decimal("0.05"))
NOMINATION = NominationCalendar(
    forecast_months=12, nominate_days=45, revision_share=Decimal("0.1"), firm_days=30, confirm_days=5
)
INDEX_FAILURE = IndexFailure(carry_days=5, substitute=None, substitute_factor=Decimal(1))
ASSAYING = Assaying(
    sampling=Text(
        "发运时由双方共同取样，每批一式四份：卖方、买方、仲裁方各一份，一份留存六个月。",
        "Drawn jointly at loading, four sealed samples a lot: seller, buyer, umpire, and one kept for six months.",
    ),
    umpire="an accredited laboratory (ISO/IEC 17025) named by the platform",
    exchange_days=15,
)
FORCE_MAJEURE = ForceMajeure(notice_days=5, longest_extension_days=180, exit_days=180)
REOPENERS = (
    Reopener(
        trigger=Text(
            "市场指数月均价连续三个月偏离合同价格百分之三十以上",
            "The monthly mean of the market index is more than 30 % from the contract price for three months running",
        ),
        notice_days=30,
    ),
)
PROVENANCE = Provenance(certificates=(), origins=(), recycled_share=None)
DEADLINES = Deadlines(signing_days=14, amendment_days=14, claim_days=60, defence_days=20, cure_days=30)
TITLE = Text(
    "货物所有权自货款付清时转移，风险按交货条件转移。", "Title passes on payment in full, risk by the delivery term."
)
PACKING = Text(
    "按产品标准包装，标明批号与净重。", "As the product's standard says, marked with lot number and net weight."
)
CLAUSES = (
    Clause(
        name="law",
        title=Text("适用法律", "Governing law"),
        text=Text(
            "本合同适用中华人民共和国法律。",
            "This contract is governed by the law of the People's Republic of China.",
        ),
    ),
    Clause(
        name="arbitration",
        title=Text("争议解决", "Arbitration"),
        text=Text(
            "争议先行协商；三十日内未能解决的，提交中国国际经济贸易仲裁委员会按申请时有效的规则仲裁，裁决为终局。",
            "Disputes are first negotiated; what is not settled within thirty days goes to the China International "
            "Economic and Trade Arbitration Commission under its rules then in force, whose award is final.",
        ),
    ),
    Clause(
        name="confidentiality",
        title=Text("保密", "Confidentiality"),
        text=Text(
            "双方对本合同的价格与数量保密至合同终止后三年，法律要求披露的除外。",
            "Price and quantity are kept secret until three years after the end, save where the law demands them.",
        ),
    ),
    Clause(
        name="liability",
        title=Text("责任限制", "Liability"),
        text=Text(
            "除故意或重大过失外，任何一方每一日历年的赔偿总额不超过该年合同金额的百分之二十，且不赔偿间接损失。",
            "Save for intent and gross negligence, a side's damages in a calendar year are held to 20 % of that year's "
            "contract value; indirect loss is not made good.",
        ),
    ),
)


def standard_schedule(lots: Mapping[Period, int], swing: Decimal = PERIOD_SWING) -> tuple[ScheduleLine, ...]:
    """Schedule lines in the order of periods; each period may be called up to `swing` over or under its lots."""
    return tuple(
        ScheduleLine(
            period=period,
            lots=count,
            minimum=int((count * (1 - swing)).to_integral_value(ROUND_CEILING)),
            maximum=int((count * (1 + swing)).to_integral_value(ROUND_FLOOR)),
        )
        for period, count in sorted(lots.items())
    )


def standard_terms(
    *,
    number: str,
    seller: Party,
    buyer: Party,
    product: str,
    grade: str,
    lot: Lot,
    lots: Mapping[Period, int],
    price: Price,
    freight: Decimal,
    place: str,
    specification: tuple[SpecificationLimit, ...] = (),
    quality: tuple[QualityTerm, ...] = (),
) -> Terms:
    """The first version of a contract: what the run found, and the standard terms for all the rest.

    `lots` is the quantity of each period in whole lots, `price` ex works per unit and `freight` per unit, tax
    excluded. Without freight the goods are delivered ex works at `place`, with freight at place (DAP).

    :raises BadInput: the terms are not sound; the faults name the place.
    """
    schedule = standard_schedule(lots)
    end = schedule[-1].period.last_day if schedule else dt.date.min
    terms = Terms(
        number=number,
        version=1,
        rule_version=RULE_VERSION,
        standard=STANDARD,
        seller=seller,
        buyer=buyer,
        product=product,
        grade=grade,
        specification=specification,
        lot=lot,
        schedule=schedule,
        tolerance=TOLERANCE,
        long_stop=end + dt.timedelta(days=LONG_STOP_DAYS),
        renewal=None,
        price=price,
        delivery=Delivery(
            basis=DeliveryBasis.DAP if freight else DeliveryBasis.EXW,
            place=place,
            freight=freight,
            title=TITLE,
            packing=PACKING,
        ),
        payment=PAYMENT,
        take_or_pay=TAKE_OR_PAY,
        supply_or_pay=SUPPLY_OR_PAY,
        late_damages=LATE_DAMAGES,
        nomination=NOMINATION,
        quality=quality,
        assaying=ASSAYING,
        force_majeure=FORCE_MAJEURE,
        reopeners=REOPENERS,
        provenance=PROVENANCE,
        deadlines=DEADLINES,
        clauses=CLAUSES,
    )
    validate(terms)
    return terms
