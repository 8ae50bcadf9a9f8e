"""How the market will read the terms of an offer, before they are posted."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from app.auth import Principal
from app.models import Product, Site
from app.operations.offer_checks import admission, check, priced
from app.operations.offer_faults import OfferFault
from app.operations.offer_terms import OfferTerms, Statement, stated, terms_of
from app.operations.offers import find_offer, own_firm
from app.operations.rounds import find_round


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One period as the market takes it: product units, and the offer's currency per unit."""

    period: str
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The whole terms, what they come to period by period, and every fault; no lines while there are faults."""

    terms: OfferTerms
    product: Product | None
    site: Site | None
    faults: Sequence[OfferFault]
    lines: Sequence[Line]

    @property
    def total(self) -> Decimal:
        return sum((line.quantity for line in self.lines), Decimal(0))

    @property
    def value(self) -> Decimal:
        """The sum of quantity and price over the periods."""
        return sum((line.quantity * line.price for line in self.lines), Decimal(0))

    @property
    def prices(self) -> list[Decimal]:
        """The different prices, lowest first."""
        return sorted({line.price for line in self.lines})


def preview(
    session: Session,
    *,
    principal: Principal,
    round_id: uuid.UUID,
    statement: Statement,
    offer_id: uuid.UUID | None = None,
    now: dt.datetime,
) -> Preview:
    """Read and check a statement; `offer_id` is the offer that it would amend.

    :raises NotFound: no such round or offer for the asker.
    :raises Forbidden: the asker acts for no firm.
    """
    firm_id = own_firm(principal)
    market_round = find_round(session, principal=principal, round_id=round_id)
    base = None
    if offer_id is not None:
        base = terms_of(session, find_offer(session, principal=principal, offer_id=offer_id))
    admitted = admission(session, firm_id=firm_id, market_round=market_round, now=now)
    terms = stated(statement, horizon=market_round.horizon, base=base)
    faults = check(terms, admitted=admitted, now=now, offer_id=offer_id)
    return Preview(
        terms=terms if faults else priced(terms, admitted=admitted),
        product=admitted.products.get(terms.product),
        site=admitted.sites.get(terms.site_id),
        faults=faults,
        lines=() if faults else _lines(terms, admitted.curves),
    )


def _lines(terms: OfferTerms, curves: Mapping[str, Mapping[str, Decimal]]) -> list[Line]:
    def price_in(label: str) -> Decimal:
        if terms.formula is not None:
            return terms.formula.price_at(curves[terms.formula.index][label])
        return terms.prices.get(label, terms.price)

    return [Line(period=label, quantity=amount, price=price_in(label)) for label, amount in terms.quantities.items()]
