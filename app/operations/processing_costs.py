"""What a unit costs a processor that sells by a conversion: its fee, and its inputs at what they cost it in the run.

A processor names a fee and no price. What it gains by a proposal is counted against the fee and the mean delivered
price of what its conversion buys in the same run, so a reviewer who is to judge the gain has to see these parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import Offer, OfferKind, Product, Proposal

PRICE_STEP = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputCost:
    """One input: units of it in a unit made, and its mean price delivered; None where the run buys none of it."""

    product: Product
    quantity: Decimal
    price: Decimal | None

    @property
    def cost(self) -> Decimal:
        """In a unit made; what is not bought comes from own stock, which costs nothing here."""
        return (self.quantity * (self.price or Decimal(0))).quantize(PRICE_STEP)


def input_costs(session: Session, *, proposal: Proposal, offer: Offer) -> Sequence[InputCost]:
    """The inputs of a conversion that sells, in the order of its offer; none of any other offer."""
    if offer.kind is not OfferKind.CONVERSION or offer.id != proposal.sell_offer_id:
        return ()
    units = Proposal.total_value / Proposal.price_delivered
    bought = (
        sa.select(Proposal.product_code, sa.func.sum(Proposal.total_value) / sa.func.sum(units))
        .where(Proposal.run_id == proposal.run_id, Proposal.buy_offer_id == offer.id, Proposal.price_delivered > 0)
        .group_by(Proposal.product_code)
    )
    prices = {code: price.quantize(PRICE_STEP) for code, price in session.execute(bought)}
    return [
        InputCost(
            product=session.get_one(Product, need.product_code),
            quantity=need.quantity_per_output,
            price=prices.get(need.product_code),
        )
        for need in offer.inputs
    ]
