"""From rows to the matcher's words: prices, basis, specification, certificates, firms, limits, what is promised."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from app.models import (
    FirmExclusion,
    GradeSpecification,
    Offer,
    OfferApprovedSupplier,
    OfferCertificate,
    OfferExclusion,
    OfferSpecification,
    OfferState,
    RoundWindow,
    WindowRule,
)
from app.operations.commitments import UNTOUCHED
from app.operations.snapshots import FrozenRound, freeze
from matching import snapshot as frozen
from matching.building import build
from matching.lanes import find_lanes
from matching.run import run
from matching.snapshot import Bound, Side
from tests import factories as make

from .night_market import Town, chain

pytestmark = pytest.mark.usefixtures("session")


def snapshot_of(session: Session, town: Town) -> frozen.Snapshot:
    return frozen_round(session, town).snapshot


def frozen_round(session: Session, town: Town) -> FrozenRound:
    session.flush()
    session.expire_all()
    return freeze(session, round_id=town.round.id, now=make.NOON)


def lanes(snapshot: frozen.Snapshot) -> set[tuple[str, str]]:
    """The pairs of labels that may trade."""
    market = build(snapshot)
    found = find_lanes(market)
    return {
        (market.sellers.label[seller], market.buyers.label[buyer])
        for seller, buyer in zip(found.seller, found.buyer, strict=True)
    }


def offer(snapshot: frozen.Snapshot, row: Offer) -> frozen.Offer:
    (found,) = [one for one in snapshot.offers if one.offer == str(row.id)]
    return found


def test_quantities_and_prices_by_period_in_yuan(session: Session) -> None:
    town = Town(round=make.RoundFactory(period_count=4, currency_rates={"USD": "7.1"}))
    row = town.sells(quantity=[5, 6], first_period="2027-Q2", last_period="2027-Q3", price=100, currency="USD")
    row.periods[1].price = Decimal(200)
    found = offer(snapshot_of(session, town), row)
    assert found.quantity == (0, 5, 6, 0)
    assert found.price == (Decimal(710), Decimal(710), Decimal(1420), Decimal(710))
    assert (found.side, found.firm, found.region) == (Side.SELL, str(row.firm_id), row.site.region_code)


@pytest.mark.parametrize(("basis", "sells", "buys"), [("ex_works", False, True), ("delivered", True, False)])
def test_who_bears_the_freight(session: Session, basis: str, sells: bool, buys: bool) -> None:
    town = Town()
    sell, buy = town.sells(basis=basis), town.buys(basis=basis)
    found = snapshot_of(session, town)
    assert offer(found, sell).freight_included is sells
    assert offer(found, buy).freight_included is buys


def test_only_open_valid_offers_of_active_firms(session: Session) -> None:
    town = Town()
    good = town.sells()
    town.sells(state="draft")
    town.sells(state="withdrawn")
    town.sells(valid_until=make.NOON)
    gone, closed = town.sells(firm=make.FirmFactory(active=False)), town.buys()
    closed.site.active = False
    found = frozen_round(session, town)
    assert [one.offer for one in found.snapshot.offers] == [str(good.id)]
    assert found.invalid == {gone.id: "firm", closed.id: "site"}


def test_a_seller_promises_his_grade_unless_he_says_otherwise(session: Session) -> None:
    town = Town()
    attribute = make.AttributeFactory(product=town.grade.product, code="moisture", bound=Bound.MAX)
    promise = {"product_code": attribute.product_code, "attribute_code": "moisture"}
    session.add(GradeSpecification(grade_code=town.grade.code, value=Decimal("0.5"), **promise))
    usual, better, buyer = town.sells(), town.sells(), town.buys()
    for row, value in ((better, "0.2"), (buyer, "0.3")):
        row.specifications = [OfferSpecification(attribute_code="moisture", value=Decimal(value))]
    found = snapshot_of(session, town)
    name = f"{town.grade.product_code}/moisture"
    assert offer(found, usual).specification == {name: Decimal("0.5")}
    assert found.attributes == {name: Bound.MAX}
    assert lanes(found) == {(str(better.id), str(buyer.id))}


@pytest.mark.parametrize(
    ("validities", "last"),
    [
        ([("2026-01-01", "2030-12-31")], None),
        ([("2026-01-01", "2027-06-30")], 1),
        ([("2026-01-01", "2027-07-01")], 2),
        ([("2026-01-01", "2027-03-31"), ("2027-04-01", "2028-12-31")], None),
        ([("2026-01-01", "2027-03-31"), ("2027-07-01", "2028-12-31")], 0),
    ],
)
def test_a_certificate_holds_to_the_last_period_it_sees_begin(
    session: Session, validities: list[tuple[str, str]], last: int | None
) -> None:
    town, kind = Town(), make.CertificateKindFactory()
    sell, buy = town.sells(), town.buys()
    buy.certificates = [OfferCertificate(kind_code=kind.code)]
    for start, end in validities:
        days = {"valid_from": dt.date.fromisoformat(start), "valid_to": dt.date.fromisoformat(end)}
        make.CertificateFactory(firm=sell.firm, kind=kind, **days)
    found = snapshot_of(session, town)
    assert offer(found, sell).certificates == {kind.code: last}
    assert offer(found, buy).certificates == {kind.code: None}


def test_a_certificate_counts_neither_suspended_nor_late_nor_of_another_site(session: Session) -> None:
    town, kind = Town(), make.CertificateKindFactory()
    sellers = [town.sells() for _ in range(4)]
    town.buys().certificates = [OfferCertificate(kind_code=kind.code)]
    make.CertificateFactory(firm=sellers[0].firm, kind=kind, suspended=True)
    make.CertificateFactory(firm=sellers[1].firm, kind=kind, valid_from=dt.date(2027, 1, 2))
    make.CertificateFactory(firm=sellers[2].firm, kind=kind, site_id=make.SiteFactory(firm=sellers[2].firm).id)
    make.CertificateFactory(firm=sellers[3].firm, kind=kind, site_id=sellers[3].site_id)
    found = snapshot_of(session, town)
    assert [offer(found, row).certificates for row in sellers] == [{}, {}, {}, {kind.code: None}]


def test_who_never_meets_whom(session: Session) -> None:
    town = Town()
    both = make.FirmFactory()
    own, other, third = town.sells(firm=both), town.sells(), town.sells()
    mine, buyer, choosy = town.buys(firm=both), town.buys(), town.buys()
    session.add(FirmExclusion(firm_id=buyer.firm_id, excluded_firm_id=third.firm_id))
    choosy.approved_suppliers = [OfferApprovedSupplier(firm_id=third.firm_id)]
    assert lanes(snapshot_of(session, town)) == {
        (str(own.id), str(buyer.id)),
        (str(other.id), str(mine.id)),
        (str(other.id), str(buyer.id)),
        (str(third.id), str(mine.id)),
        (str(third.id), str(choosy.id)),
    }


def test_an_offers_own_exclusion_binds_that_offer_alone(session: Session) -> None:
    town = Town()
    seller = make.FirmFactory()
    free, bound, mine = town.sells(firm=seller), town.sells(firm=seller), town.buys(firm=seller)
    buyer, choosy = town.buys(), town.buys()
    bound.exclusions = [OfferExclusion(firm_id=buyer.firm_id)]
    choosy.approved_suppliers = [OfferApprovedSupplier(firm_id=seller.id)]
    found = snapshot_of(session, town)
    assert lanes(found) == {
        (str(free.id), str(buyer.id)),
        (str(free.id), str(choosy.id)),
        (str(bound.id), str(choosy.id)),
    }, "and the firm still does not sell to itself"
    market = build(found)
    assert len(set(market.sellers.supplier.tolist())) == 1, "for shares it is one supplier"
    assert offer(found, mine).firm == str(seller.id)


def test_whom_somebody_excludes_is_no_partner_under_an_affiliate_s_name_either(session: Session) -> None:
    town = Town()
    parent = make.FirmFactory()
    daughter, sister = (make.FirmFactory(parent_id=parent.id) for _ in range(2))
    sold = {firm.id: town.sells(firm=firm) for firm in (parent, daughter, sister)}
    choosy, picky, open_to_all, mother = town.buys(), town.buys(), town.buys(), town.buys(firm=parent)
    session.add(FirmExclusion(firm_id=choosy.firm_id, excluded_firm_id=daughter.id))
    session.add(FirmExclusion(firm_id=parent.id, excluded_firm_id=sister.id))
    picky.exclusions = [OfferExclusion(firm_id=sister.id)]
    found = lanes(snapshot_of(session, town))
    buyers = {offer.id: {seller for seller, buyer in found if buyer == str(offer.id)} for offer in (choosy, picky)}
    assert buyers == {choosy.id: set(), picky.id: set()}
    assert {buyer for _, buyer in found} == {str(open_to_all.id), str(mother.id)}
    inside = {seller for seller, buyer in found if buyer == str(mother.id)}
    assert inside == {str(sold[daughter.id].id)}, "of one's own group only the one that is named"


def test_the_round_s_rate_discounts_later_periods(session: Session) -> None:
    town = Town()
    town.sells()
    assert snapshot_of(session, town).discount == ()
    town.round.discount_rate = Decimal("0.21")
    found = snapshot_of(session, town).discount
    assert [found[0], found[2]] == [1, (1 / Decimal("1.21").sqrt()).quantize(Decimal("1e-12"))]
    assert list(found) == sorted(found, reverse=True)


def test_offers_of_an_exclusive_group_bear_one_name(session: Session) -> None:
    town = Town()
    seller = make.FirmFactory()
    one, other = (town.sells(firm=seller, group_label="either") for _ in range(2))
    one.exclusions = [OfferExclusion(firm_id=town.buys().firm_id)]
    found = snapshot_of(session, town)
    assert offer(found, one).firm == offer(found, other).firm


def test_affiliates_are_one_supplier(session: Session) -> None:
    town = Town()
    parent = make.FirmFactory()
    one, other = (town.sells(firm=make.FirmFactory(parent_id=parent.id)) for _ in range(2))
    stranger = town.sells()
    market = build(snapshot_of(session, town))
    group = dict(zip(market.sellers.label, market.sellers.supplier.tolist(), strict=True))
    assert group[str(one.id)] == group[str(other.id)] != group[str(stranger.id)]


def test_windows_corridors_and_lots(session: Session) -> None:
    town = Town(grade=make.GradeFactory(product=make.ProductFactory(lot=Decimal("0.1"))))
    town.sells()
    places = {"from_region": town.origin, "to_region": town.destination, "product": town.grade.product}
    make.CorridorFactory(round=town.round, limit_per_period=50, **places)
    make.CorridorFactory(round=town.round, limit_per_period=20, period="2027-Q2", **places)
    assert snapshot_of(session, town).windows is None
    town.round.windows = WindowRule.LADDER
    town.round.ladder = [RoundWindow(first_period="2027-Q1", last_period="2027-Q2")]
    found = snapshot_of(session, town)
    assert found.windows == ((0, 1),)
    assert {(one.position, one.limit) for one in found.corridors} == {(None, Decimal(5)), (1, Decimal(2))}
    assert found.lot(town.grade.product_code) == Decimal("0.1")


def test_what_is_promised_is_not_for_sale_again(session: Session) -> None:
    town = Town()
    sell, buy = town.sells(quantity=30), town.buys(quantity=30)
    promised(session, town, sell, buy, rate=10)
    market = build(snapshot_of(session, town))
    assert [side.quantity[0].tolist() for side in (market.sellers, market.buyers)] == [[20] * 4] * 2


def test_an_untouched_proposal_of_an_earlier_run_promises_nothing(session: Session) -> None:
    town = Town()
    sell, buy = town.sells(quantity=30), town.buys(quantity=30)
    proposal = promised(session, town, sell, buy, rate=10, state=UNTOUCHED)
    found = frozen_round(session, town)
    assert found.superseding == {proposal}
    assert found.snapshot.commitments == ()


def test_volume_promised_by_an_offer_that_is_gone_still_counts_for_the_share(session: Session) -> None:
    town = Town()
    seller = make.FirmFactory()
    gone, still = town.sells(quantity=10, firm=seller), town.sells(quantity=30, firm=seller)
    buy = town.buys(quantity=30, max_share=Decimal("0.5"))
    promised(session, town, gone, buy, rate=10)
    gone.state = OfferState.WITHDRAWN
    market = build(snapshot_of(session, town))
    found = find_lanes(market)
    assert [market.sellers.label[at] for at in found.seller] == [str(still.id)]
    (family,) = found.families
    assert family.limit.tolist() == [5] * 4, "half of 30, less 10 already promised"


def test_of_a_group_one_is_taken_even_when_it_is_gone(session: Session) -> None:
    town = Town()
    seller = make.FirmFactory()
    gone, still = (town.sells(firm=seller, group_label="either") for _ in range(2))
    buy = town.buys(quantity=20)
    promised(session, town, gone, buy, rate=10)
    gone.state = OfferState.WITHDRAWN
    answer = run(snapshot_of(session, town))
    assert answer.contracts == ()
    assert {result.offer: result.filled for result in answer.results}[str(still.id)] == (0, 0, 0, 0)


def test_a_conversion_has_left_what_it_has_not_promised(session: Session) -> None:
    town, carbonate, converter, buyer = chain()
    carbonate.periods[0].quantity = converter.periods[0].quantity = buyer.periods[0].quantity = 50
    converter.inputs[0].own_stock_per_period = 4
    promised(session, town, carbonate, converter, rate=5)
    promised(session, town, converter, buyer, rate=24)
    session.flush()
    (found,) = snapshot_of(session, town).conversions
    assert found.capacity == (26, 16, 16, 16)
    # 4 of its own and 5 bought, less a quarter of 24.
    assert found.inputs[0].own_stock == Decimal(3)
    market = build(snapshot_of(session, town))
    free = dict(zip(market.sellers.label, market.sellers.quantity.tolist(), strict=True))
    assert free[str(carbonate.id)] == [45, 5, 5, 5]


def promised(session: Session, town: Town, sell: Offer, buy: Offer, *, rate: int, state: str = "released") -> object:
    """A proposal between two offers over the whole horizon, and what it reserves."""
    proposal = make.ProposalFactory(
        run__round=town.round,
        sell_offer=sell,
        buy_offer=buy,
        rate=rate,
        state=state,
        grade=sell.grade,
    )
    for row in (sell, buy):
        if row is sell or row.kind != "conversion":
            for period in town.round.horizon.labels():
                make.ReservationFactory(proposal=proposal, offer_id=row.id, period=period, quantity=rate)
    session.flush()
    return proposal.id
