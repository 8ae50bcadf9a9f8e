"""Valid rows by default, in the session of the test. Name in the call what the test is about, and leave the rest out.

`OfferFactory(quantity=100)` is an open offer of 100 lots in every period of its window; a list gives one number each.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import secrets
from decimal import Decimal
from typing import Any

import factory
from factory.alchemy import SQLAlchemyModelFactory

from app import models
from app.auth.passwords import hash_password
from app.db import db
from contracts.state import RULE_VERSION
from market.credit_code import complete
from market.periods import Horizon, Period

NOON = dt.datetime(2026, 11, 20, 4, 0, tzinfo=dt.UTC)
PASSWORD = "nine-mile-harbour"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _password_hash() -> str:
    return hash_password(PASSWORD)


class Row(SQLAlchemyModelFactory):
    """Base of the factories: each row is flushed, so that the database has accepted it."""

    class Meta:
        abstract = True
        sqlalchemy_session = db.session
        sqlalchemy_session_persistence = "flush"


class RegionFactory(Row):
    class Meta:
        model = models.Region

    code = factory.Sequence(lambda n: f"R{n}")
    name_zh = factory.Sequence(lambda n: f"地区{n}")
    name_en = factory.Sequence(lambda n: f"Region {n}")
    country = "CN"
    lat = Decimal("30.5")
    lon = Decimal("114.3")


class ProductFactory(Row):
    class Meta:
        model = models.Product

    code = factory.Sequence(lambda n: f"product_{n}")
    name_zh = factory.Sequence(lambda n: f"产品{n}")
    name_en = factory.Sequence(lambda n: f"Product {n}")
    tier = models.Tier.LITHIUM_SALT
    unit = models.Unit.TONNE
    lot = Decimal(1)


class GradeFactory(Row):
    class Meta:
        model = models.Grade

    product = factory.SubFactory(ProductFactory)
    code = factory.Sequence(lambda n: f"grade_{n}")
    name_zh = factory.Sequence(lambda n: f"等级{n}")
    name_en = factory.Sequence(lambda n: f"Grade {n}")
    rank = 1


class AttributeFactory(Row):
    class Meta:
        model = models.Attribute

    product = factory.SubFactory(ProductFactory)
    code = factory.Sequence(lambda n: f"attribute_{n}")
    name_zh = "主含量"
    name_en = "Assay"
    unit = "%"
    bound = models.Bound.MIN


class BillOfMaterialsFactory(Row):
    class Meta:
        model = models.BillOfMaterials

    class Params:
        output = factory.SubFactory(ProductFactory)
        input = factory.SubFactory(ProductFactory)

    output_product_code = factory.SelfAttribute("output.code")
    input_product_code = factory.SelfAttribute("input.code")
    quantity_per_output = Decimal("0.25")
    source = "test"


class CertificateKindFactory(Row):
    class Meta:
        model = models.CertificateKind

    code = factory.Sequence(lambda n: f"kind_{n}")
    name_zh = "质量管理体系"
    name_en = "Quality management system"


class MarketIndexFactory(Row):
    class Meta:
        model = models.MarketIndex

    class Params:
        product = factory.SubFactory(ProductFactory)

    code = factory.Sequence(lambda n: f"index_{n}")
    product_code = factory.SelfAttribute("product.code")
    name_zh = "碳酸锂指数"
    name_en = "Lithium carbonate index"
    unit = models.Unit.TONNE
    source = "test"


class IndexPriceFactory(Row):
    class Meta:
        model = models.IndexPrice

    class Params:
        index = factory.SubFactory(MarketIndexFactory)

    index_code = factory.SelfAttribute("index.code")
    date = factory.Sequence(lambda n: dt.date(2026, 1, 1) + dt.timedelta(days=n))
    value = Decimal(70_000)
    source = "test"


class IndexFixingFactory(Row):
    """The first row of an index and a day."""

    class Meta:
        model = models.IndexFixing

    class Params:
        index = factory.SubFactory(MarketIndexFactory)

    index_code = factory.SelfAttribute("index.code")
    day = factory.Sequence(lambda n: dt.date(2025, 1, 1) + dt.timedelta(days=n))
    revision = 1
    kind = models.FixingKind.PUBLISHED
    value = Decimal(70_000)
    quoted_tax = Decimal("0.13")
    source = "test"


class FreightFactory(Row):
    class Meta:
        model = models.Freight

    class Params:
        from_region = factory.SubFactory(RegionFactory)
        to_region = factory.SubFactory(RegionFactory)

    from_region_code = factory.SelfAttribute("from_region.code")
    to_region_code = factory.SelfAttribute("to_region.code")
    cost = Decimal(4)
    source = "test"


class FirmFactory(Row):
    class Meta:
        model = models.Firm

    credit_code = factory.Sequence(lambda n: complete(f"91420100{n:08d}"))
    name_zh = factory.Sequence(lambda n: f"第{n}材料有限公司")
    name_en = factory.Sequence(lambda n: f"Materials {n} Co., Ltd.")
    roles = factory.LazyFunction(lambda: [models.FirmRole.LITHIUM_SALT])


class SiteFactory(Row):
    class Meta:
        model = models.Site

    firm = factory.SubFactory(FirmFactory)
    region = factory.SubFactory(RegionFactory)
    code = factory.Sequence(lambda n: f"S{n}")
    name_zh = factory.Sequence(lambda n: f"{n}号工厂")
    name_en = factory.Sequence(lambda n: f"Plant {n}")


class SiteCapabilityFactory(Row):
    class Meta:
        model = models.SiteCapability

    class Params:
        product = factory.SubFactory(ProductFactory)

    site = factory.SubFactory(SiteFactory)
    product_code = factory.SelfAttribute("product.code")
    capacity_per_year = Decimal(20_000)
    utilisation = Decimal("0.8")
    source = "test"


class CertificateFactory(Row):
    class Meta:
        model = models.Certificate

    class Params:
        kind = factory.SubFactory(CertificateKindFactory)

    firm = factory.SubFactory(FirmFactory)
    kind_code = factory.SelfAttribute("kind.code")
    number = factory.Sequence(lambda n: f"C-{n:06d}")
    valid_from = dt.date(2026, 1, 1)
    valid_to = dt.date(2030, 12, 31)


class UserFactory(Row):
    """A trader of a firm; `StaffFactory` and its like have none. All sign in with `PASSWORD`."""

    class Meta:
        model = models.User

    email = factory.Sequence(lambda n: f"person{n}@example.org")
    password_hash = factory.LazyFunction(_password_hash)
    name = factory.Sequence(lambda n: f"Person {n}")
    role = models.UserRole.FIRM_TRADER
    firm = factory.SubFactory(FirmFactory)
    language = models.Language.ENGLISH


class FirmAdminFactory(UserFactory):
    role = models.UserRole.FIRM_ADMIN


class StaffFactory(UserFactory):
    role = models.UserRole.PLATFORM_STAFF
    firm = None


class SeniorStaffFactory(StaffFactory):
    role = models.UserRole.SENIOR_STAFF


class RegulatorFactory(StaffFactory):
    role = models.UserRole.REGULATOR


class PlatformAdminFactory(StaffFactory):
    role = models.UserRole.PLATFORM_ADMIN


class ApiKeyFactory(Row):
    class Meta:
        model = models.ApiKey

    firm = factory.SubFactory(FirmFactory)
    created_by = factory.SubFactory(FirmAdminFactory, firm=factory.SelfAttribute("..firm"))
    public_id = factory.LazyFunction(lambda: secrets.token_hex(6))
    name = factory.Sequence(lambda n: f"ERP {n}")
    secret_hash = factory.LazyFunction(lambda: digest(secrets.token_hex(32)))
    scopes = factory.LazyFunction(lambda: ["offer:read"])


class RoundFactory(Row):
    """An open round of eight quarters from 2027-Q1 on, open around `NOON`."""

    class Meta:
        model = models.Round

    code = factory.Sequence(lambda n: f"N-{n}")
    name_zh = factory.Sequence(lambda n: f"第{n}场")
    name_en = factory.Sequence(lambda n: f"Round {n}")
    kind = models.RoundKind.NIGHTLY
    state = models.RoundState.OPEN
    first_period = "2027-Q1"
    period_count = 8
    opens_at = NOON - dt.timedelta(days=7)
    closes_at = NOON + dt.timedelta(days=7)
    review_threshold = Decimal(10_000_000)

    @factory.lazy_attribute
    def period_kind(self) -> models.PeriodKind:
        return models.PeriodKind(Period.parse(self.first_period).kind)

    @factory.lazy_attribute
    def periods(self) -> list[models.RoundPeriod]:
        horizon = Horizon(Period.parse(self.first_period), self.period_count)
        return [models.RoundPeriod(position=position, period=label) for position, label in enumerate(horizon.labels())]


class CorridorFactory(Row):
    class Meta:
        model = models.Corridor

    class Params:
        round = factory.SubFactory(RoundFactory)
        product = factory.SubFactory(ProductFactory)
        from_region = factory.SubFactory(RegionFactory)
        to_region = factory.SubFactory(RegionFactory)

    round_id = factory.SelfAttribute("round.id")
    product_code = factory.SelfAttribute("product.code")
    from_region_code = factory.SelfAttribute("from_region.code")
    to_region_code = factory.SelfAttribute("to_region.code")
    limit_per_period = 100


class OfferFactory(Row):
    """An open capacity offer over the whole horizon. `quantity` is lots: one number, or one for each period."""

    class Meta:
        model = models.Offer

    class Params:
        quantity: int | list[int] = 100

    round = factory.SubFactory(RoundFactory)
    firm = factory.SubFactory(FirmFactory)
    site = factory.SubFactory(SiteFactory, firm=factory.SelfAttribute("..firm"))
    grade = factory.SubFactory(GradeFactory)
    kind = models.OfferKind.CAPACITY
    state = models.OfferState.OPEN
    first_period = factory.SelfAttribute("round.first_period")
    last_period = factory.LazyAttribute(lambda offer: str(offer.round.horizon.last))
    price = Decimal(70)
    basis = models.Basis.EX_WORKS
    posted_at = factory.LazyAttribute(lambda offer: None if offer.state == models.OfferState.DRAFT else NOON)

    @factory.lazy_attribute
    def periods(self) -> list[models.OfferPeriod]:
        horizon = self.round.horizon
        window = horizon.labels()[horizon.position(self.first_period) : horizon.position(self.last_period) + 1]
        quantities = self.quantity if isinstance(self.quantity, list) else [self.quantity] * len(window)
        return [
            models.OfferPeriod(period=label, quantity=quantity)
            for label, quantity in zip(window, quantities, strict=True)
        ]

    @factory.lazy_attribute
    def revisions(self) -> list[models.OfferRevision]:
        return [] if self.state == models.OfferState.DRAFT else [models.OfferRevision(revision=1, terms={})]


class DemandFactory(OfferFactory):
    kind = models.OfferKind.DEMAND
    price = Decimal(90)
    basis = models.Basis.DELIVERED


class ConversionFactory(OfferFactory):
    """Makes its `grade` of 0.25 units of `input_grade` per unit."""

    class Params:
        input_grade = factory.SubFactory(GradeFactory)

    kind = models.OfferKind.CONVERSION
    price = Decimal(8_000)

    @factory.lazy_attribute
    def inputs(self) -> list[models.ConversionInput]:
        grade = self.input_grade
        return [
            models.ConversionInput(
                product_code=grade.product_code, grade_code=grade.code, quantity_per_output=Decimal("0.25")
            )
        ]


class OfferImportFactory(Row):
    class Meta:
        model = models.OfferImport

    class Params:
        firm = factory.SubFactory(FirmFactory)
        round = factory.SubFactory(RoundFactory)

    firm_id = factory.SelfAttribute("firm.id")
    round_id = factory.SelfAttribute("round.id")
    filename = "offers.xlsx"
    sha256 = digest("offers.xlsx")
    content = b"offers"
    dry_run = False


class RunFactory(Row):
    """A finished, certified run; with `queued=True` one that waits."""

    class Meta:
        model = models.Run

    class Params:
        queued = factory.Trait(
            state=models.RunState.QUEUED,
            snapshot_digest=None,
            snapshot_at=None,
            started_at=None,
            finished_at=None,
            certificate=None,
            headline=None,
            percent=0,
            attempt=0,
        )

    round = factory.SubFactory(RoundFactory)
    state = models.RunState.DONE
    percent = 100
    attempt = 1
    snapshot_digest = digest("snapshot")
    snapshot_at = NOON
    started_at = NOON
    finished_at = NOON + dt.timedelta(seconds=5)
    headline = factory.LazyFunction(dict)
    certificate = factory.LazyFunction(lambda: {"welfare": "0.00", "blocking_pairs": 0, "violations": []})


class RunResultFactory(Row):
    class Meta:
        model = models.RunResult

    run = factory.SubFactory(RunFactory)
    offer = factory.SubFactory(OfferFactory, round=factory.SelfAttribute("..run.round"))
    offer_revision = 1
    reason = models.Reason.MATCHED
    filled = factory.LazyAttribute(lambda result: [10] * result.run.round.period_count)


class BundleFactory(Row):
    class Meta:
        model = models.Bundle

    run = factory.SubFactory(RunFactory)


class ProposalFactory(Row):
    """Two offers of one run's round, ten lots per period over the whole horizon, at 78 ex works and 82 delivered."""

    class Meta:
        model = models.Proposal

    run = factory.SubFactory(RunFactory)
    bundle = factory.SubFactory(BundleFactory, run=factory.SelfAttribute("..run"))
    sell_offer = factory.SubFactory(OfferFactory, round=factory.SelfAttribute("..run.round"))
    buy_offer = factory.SubFactory(
        DemandFactory, round=factory.SelfAttribute("..run.round"), grade=factory.SelfAttribute("..sell_offer.grade")
    )
    round_id = factory.SelfAttribute("run.round_id")
    seller = factory.SelfAttribute("sell_offer.firm")
    buyer = factory.SelfAttribute("buy_offer.firm")
    grade = factory.SelfAttribute("sell_offer.grade")
    first_period = factory.SelfAttribute("sell_offer.first_period")
    last_period = factory.SelfAttribute("sell_offer.last_period")
    rate = 10
    price_ex_works = Decimal(78)
    freight = Decimal(4)
    price_delivered = factory.LazyAttribute(lambda proposal: proposal.price_ex_works + proposal.freight)
    total_value = Decimal(6_560)
    surplus_seller = Decimal(640)
    surplus_buyer = Decimal(640)
    state = "proposed"
    terms: Any = factory.LazyFunction(lambda: {"rate": 10})
    terms_hash = digest("terms")
    expires_at = NOON + dt.timedelta(days=7)


class AgreedProposalFactory(ProposalFactory):
    state = "agreed"
    seller_accepted_at = NOON
    buyer_accepted_at = NOON


class ReviewDecisionFactory(Row):
    class Meta:
        model = models.ReviewDecision

    proposal = factory.SubFactory(ProposalFactory)
    user = factory.SubFactory(StaffFactory)
    action = models.ReviewAction.RELEASE
    step = models.ReviewStep.DECISION
    reason_code = "in_order"


class ReservationFactory(Row):
    """The seller's volume in the first period."""

    class Meta:
        model = models.Reservation

    proposal = factory.SubFactory(ProposalFactory)
    offer_id = factory.SelfAttribute("proposal.sell_offer_id")
    period = factory.SelfAttribute("proposal.first_period")
    quantity = factory.SelfAttribute("proposal.rate")


class ContractFactory(Row):
    class Meta:
        model = models.Contract

    proposal = factory.SubFactory(AgreedProposalFactory)
    seller = factory.SelfAttribute("proposal.seller")
    buyer = factory.SelfAttribute("proposal.buyer")
    number = factory.LazyFunction(lambda: f"CD-{secrets.token_hex(6).upper()}")
    terms: Any = factory.LazyFunction(lambda: {"rate": 10})
    terms_hash = factory.SelfAttribute("proposal.terms_hash")
    rule_version = RULE_VERSION
    effective_from = dt.date(2027, 1, 1)
    effective_to = dt.date(2028, 12, 31)


class EventFactory(Row):
    class Meta:
        model = models.Event

    subject_kind = models.SubjectKind.PROPOSAL
    subject_id = factory.LazyFunction(lambda: ProposalFactory().id)
    name = "proposal.propose"
    actor_kind = models.ActorKind.SYSTEM
    to_state = "proposed"
