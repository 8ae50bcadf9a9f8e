"""Alerts: each begins with its cause, ends with it, and is told to those whom it concerns; what waits for whom."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.auth.principal import of_user
from app.db import db
from app.models import Certificate, Firm, OfferCertificate, StopReason, User, WebhookEndpoint
from app.operations import waiting
from app.operations.alerts import Alert, AlertKind, open_alerts
from app.operations.waiting import What, Who
from tests import factories as make

from .delivery_market import FIRM, supply
from .settlement_market import fixed, noon
from .web_market import at_noon, proposal_for_review

__all__ = ["at_noon"]
As = Callable[[User], FlaskClient]
NOON = make.NOON


def told(user: User, now: dt.datetime = NOON, **more: Any) -> list[Alert]:
    db.session.flush()
    return open_alerts(db.session(), principal=of_user(user), now=now, **more)


def kinds(user: User, now: dt.datetime = NOON, **more: Any) -> list[AlertKind]:
    return [alert.kind for alert in told(user, now, **more)]


def test_nothing_is_wrong_where_nothing_is(session: Session) -> None:
    proposal_for_review(index_value=Decimal(80))
    assert kinds(make.StaffFactory()) == []


def test_an_overdue_confirmation_is_the_sellers(session: Session) -> None:
    deal = supply()
    call_off = deal.call()
    call_off.state, call_off.confirm_by = "firm", FIRM.date()
    staff = make.StaffFactory()
    assert kinds(staff, FIRM) == []
    late = FIRM + dt.timedelta(days=1)
    (alert,) = told(staff, late)
    assert (alert.kind, alert.firm, alert.subject_id) == (AlertKind.CONFIRMATION, deal.contract.seller, call_off.id)
    assert (alert.urgent, alert.since) == (True, FIRM.date())
    assert kinds(deal.seller, late) == [AlertKind.CONFIRMATION]
    assert kinds(deal.buyer, late) == []
    call_off.state, call_off.confirmed_lots = "confirmed", call_off.nominated_lots
    assert kinds(staff, late) == []


def test_an_invoice_is_told_of_its_payer_until_it_is_paid(session: Session) -> None:
    deal = fixed()
    deal.delivers(10)
    (invoice,) = deal.issue("2025-08-05").invoices
    staff = make.StaffFactory()
    day_after = noon(str(invoice.due_on + dt.timedelta(days=1)))
    assert kinds(staff, noon(str(invoice.due_on))) == []
    (alert,) = told(staff, day_after)
    assert (alert.kind, alert.firm) == (AlertKind.INVOICE, deal.contract.buyer)
    assert alert.facts["unpaid"] == invoice.gross
    assert kinds(deal.seller, day_after) == []
    deal.pays(invoice, "0.01", str(invoice.due_on))
    assert told(staff, day_after)[0].facts["unpaid"] == invoice.gross - Decimal("0.01")
    deal.pays(invoice, invoice.gross - Decimal("0.01"), str(invoice.due_on))
    assert kinds(staff, day_after) == []


def required_certificate(valid_to: dt.date) -> tuple[Certificate, Firm]:
    """A certificate that the buyer of a contract up to the end of 2028 requires of its seller."""
    contract = make.ContractFactory()
    certificate = make.CertificateFactory(firm=contract.seller, valid_to=valid_to)
    buy = contract.proposal.buy_offer
    buy.certificates.append(OfferCertificate(kind_code=certificate.kind_code))
    db.session.flush()
    return certificate, contract.seller


def test_a_required_certificate_must_hold_as_long_as_the_contract(session: Session) -> None:
    staff = make.StaffFactory()
    certificate, seller = required_certificate(dt.date(2028, 12, 31))
    assert kinds(staff) == []
    certificate.valid_to = dt.date(2028, 12, 30)
    (alert,) = told(staff)
    assert (alert.kind, alert.firm, alert.urgent) == (AlertKind.CERTIFICATE, seller, False)
    assert (alert.facts["contracts"], alert.facts["last"]) == (1, dt.date(2028, 12, 31))
    certificate.valid_to = NOON.date() + dt.timedelta(days=90)
    assert told(staff)[0].urgent
    newer = make.CertificateFactory(firm=seller, kind_code=certificate.kind_code, valid_to=dt.date(2029, 1, 1))
    assert kinds(staff) == []
    newer.suspended = True
    assert kinds(staff).count(AlertKind.CERTIFICATE) == 2


def test_a_certificate_that_nobody_requires_or_of_an_ended_contract_is_no_alert(session: Session) -> None:
    contract = make.ContractFactory()
    make.CertificateFactory(firm=contract.seller, valid_to=dt.date(2027, 1, 31))
    assert kinds(make.StaffFactory()) == []
    certificate, seller = required_certificate(dt.date(2027, 1, 31))
    assert kinds(make.StaffFactory(), firms=[contract.seller.id]) == []
    assert kinds(make.StaffFactory(), firms=[seller.id]) == [AlertKind.CERTIFICATE]
    assert kinds(make.StaffFactory(), NOON + dt.timedelta(days=3_000)) == []
    assert certificate.suspended is False


def test_a_site_may_not_offer_more_a_year_than_is_built_there(session: Session) -> None:
    offer = make.OfferFactory(quantity=100)
    built = make.SiteCapabilityFactory(site=offer.site, product_code=offer.product_code, capacity_per_year=Decimal(400))
    staff = make.StaffFactory()
    assert kinds(staff) == []
    built.capacity_per_year = Decimal(399)
    (alert,) = told(staff)
    assert (alert.kind, alert.firm, alert.facts["site"]) == (AlertKind.CAPABILITY, offer.firm, offer.site)
    assert set(alert.facts) == {"site", "product"}  # no figure: what is offered is sealed
    assert kinds(make.UserFactory(firm=offer.firm)) == [AlertKind.CAPABILITY]
    assert kinds(make.UserFactory()) == []
    assert kinds(make.RegulatorFactory()) == []
    assert kinds(make.PlatformAdminFactory()) == []


@pytest.mark.parametrize(("index", "far"), [("100", True), ("90", False), ("65", False), ("60", True), (None, False)])
def test_a_price_is_far_from_its_index_beyond_a_fifth(session: Session, index: str | None, far: bool) -> None:
    proposal = proposal_for_review(
        price_ex_works=Decimal(78),
        price_delivered=Decimal(82),
        freight=Decimal(4),
        index_value=None if index is None else Decimal(index),
    )
    staff = make.StaffFactory()
    assert kinds(staff) == ([AlertKind.PRICE] if far else [])
    assert kinds(staff, firms=[proposal.seller_firm_id]) == kinds(staff)
    assert kinds(staff, firms=[make.FirmFactory().id]) == []
    assert kinds(make.UserFactory(firm=proposal.seller)) == []


def test_a_webhook_that_failed_is_told_and_one_that_was_stopped_by_its_firm_is_not(session: Session) -> None:
    admin = make.FirmAdminFactory()
    endpoint = WebhookEndpoint(
        firm=admin.firm, url="https://example.org/a", description="ERP", topics=["run.done"], secret="x",
        created_by_id=admin.id, stopped_at=NOON, stop_reason=StopReason.FAILING,
    )  # fmt: skip
    session.add(endpoint)
    assert kinds(make.StaffFactory()) == kinds(admin) == [AlertKind.WEBHOOK]
    endpoint.stop_reason = StopReason.BY_FIRM
    assert kinds(admin) == []


def test_the_pages_tell_alerts_in_words(session: Session, client_as: As) -> None:
    offer = make.OfferFactory(quantity=100)
    make.SiteCapabilityFactory(site=offer.site, product_code=offer.product_code, capacity_per_year=Decimal(1))
    proposal = proposal_for_review(index_value=Decimal(200), sell_offer=offer, run=make.RunFactory(round=offer.round))
    _certificate, _firm = required_certificate(dt.date(2026, 12, 31))
    browser = client_as(make.StaffFactory())
    for path in ("/", "/console/alerts"):
        page = browser.get(path).text
        assert "than is registered as built there." in page
        assert "1 proposal of" in page
        assert "ends on 31 Dec 2026; 1 contract that require it run until 31 Dec 2028." in page
    only = browser.get("/console/alerts?kind=price").text
    assert "1 proposal of" in only
    assert "built there" not in only
    sheet = browser.get(f"/console/review/{proposal.id}").text
    assert "than is registered as built there." in sheet
    assert "31 Dec 2026" not in sheet  # of another firm
    assert "than is registered as built there." in client_as(make.UserFactory(firm=offer.firm)).get("/").text
    assert "Alerts" not in client_as(make.UserFactory()).get("/").text
    assert client_as(make.RegulatorFactory()).get("/console/alerts").status_code == 403
    assert "Alerts" not in client_as(make.RegulatorFactory()).get("/").text


def test_what_waits_is_counted_by_whose_step_it_is(session: Session, client_as: As) -> None:
    deal = supply()
    call_off = deal.call()
    call_off.state, call_off.confirm_by = "firm", NOON.date() - dt.timedelta(days=1)
    make.ContractFactory(state="signing")
    proposal_for_review()
    session.flush()
    staff = make.StaffFactory()
    found = {line.what: line for line in waiting.what_waits(session, principal=of_user(staff), now=NOON)}
    assert (found[What.FIRST_WORD].who, found[What.FIRST_WORD].count) == (Who.REVIEWER, 1)
    assert (found[What.CONFIRM].who, found[What.CONFIRM].count, found[What.CONFIRM].late) == (Who.SELLERS, 1, 1)
    assert found[What.SIGN].count == 1
    assert What.PAY not in found
    assert waiting.what_waits(session, principal=of_user(deal.seller), now=NOON) == []
    page = client_as(staff).get("/").text
    assert "1 late" in page
    assert "/call-offs?state=firm" in page


def test_the_home_tells_when_the_night_comes(session: Session, client_as: As) -> None:
    market_round = make.RoundFactory()
    make.OfferFactory(round=market_round)
    session.flush()
    page = client_as(make.StaffFactory()).get("/").text
    assert "The next nightly run starts at 21 Nov 2026, 02:00." in page
    assert "1 offer stands" in page
    seen = client_as(make.RegulatorFactory()).get("/").text
    assert market_round.name_en in seen
    assert "1 offer stands" not in seen
