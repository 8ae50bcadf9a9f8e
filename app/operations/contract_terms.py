"""The terms that a proposal becomes when it is released: what the run found, in the platform's standard terms."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from app.models import Attribute, Basis, Bound, Firm, Grade, Offer, OfferKind, Product, Proposal, Site
from app.operations.affiliates import topmost_parents
from contracts.clauses import DeliveryBasis, Lot, Party, SpecificationLimit
from contracts.defaults import standard_terms
from contracts.price_formula import FixedPrice
from contracts.terms import Terms, canonical_json, terms_from_json, terms_hash, validate
from contracts.wording import Text
from market.periods import Horizon, Period

# What the terms are written from, read together for all proposals of a bundle.
PARTS: tuple[ORMOption, ...] = (
    selectinload(Proposal.seller),
    selectinload(Proposal.buyer),
    selectinload(Proposal.grade).options(
        selectinload(Grade.specifications), selectinload(Grade.product).selectinload(Product.attributes)
    ),
    selectinload(Proposal.sell_offer).options(selectinload(Offer.site), selectinload(Offer.specifications)),
    selectinload(Proposal.buy_offer).options(selectinload(Offer.site)),
)


def contract_number(proposal_id: uuid.UUID) -> str:
    """The number of the contract that a proposal may become; random as the proposal's id, so it tells no count."""
    return f"CD-{proposal_id.hex[:12].upper()}"


def freeze_terms(proposal: Proposal, *, affiliates: Mapping[uuid.UUID, tuple[str, ...]]) -> None:
    """Write the contract's first version into a proposal, with its hash.

    :raises market.errors.BadInput: the terms are not sound; the faults name the place.
    """
    terms = terms_of(proposal, affiliates=affiliates)
    proposal.terms, proposal.terms_hash = json.loads(canonical_json(terms)), terms_hash(terms)


def frozen_terms(document: dict[str, Any]) -> Terms:
    """The terms that a stored document tells; their hash is the stored one, whatever the database did to the order."""
    return terms_from_json(json.dumps(document))


def terms_of(proposal: Proposal, *, affiliates: Mapping[uuid.UUID, tuple[str, ...]]) -> Terms:
    """The terms of a proposal by its present rows: fixed at the locked price, one rate over the window."""
    product = proposal.grade.product
    first, last = Period.parse(proposal.first_period), Period.parse(proposal.last_period)
    window = Horizon(first, (last.start - first.start) // first.months + 1)
    collected = _is_collected(proposal)
    site = (proposal.sell_offer if collected else proposal.buy_offer).site
    terms = standard_terms(
        number=contract_number(proposal.id),
        seller=_party(proposal.seller, affiliates),
        buyer=_party(proposal.buyer, affiliates),
        product=product.code,
        grade=proposal.grade_code,
        lot=Lot(size=product.lot.normalize(), unit=product.unit.value),
        lots=dict.fromkeys(window, proposal.rate),
        price=FixedPrice(amount=proposal.price_ex_works),
        freight=proposal.freight,
        place=place_of(site),
        specification=_specification(proposal),
    )
    # Without freight the standard is ex works; a delivered price that contains the freight is delivered all the same.
    basis = DeliveryBasis.EXW if collected else DeliveryBasis.DAP
    terms = replace(terms, delivery=replace(terms.delivery, basis=basis))
    validate(terms)
    return terms


def place_of(site: Site) -> str:
    """What the terms call a site where goods are handed over."""
    names = " ".join(dict.fromkeys((site.name_zh, site.name_en)))
    return f"{names}, {site.region_code}"


def _is_collected(proposal: Proposal) -> bool:
    """Whether the buyer fetches the goods at the seller's gate: only if he bid so, and the seller asked so."""
    sell, buy = proposal.sell_offer, proposal.buy_offer
    return buy.kind is OfferKind.DEMAND and buy.basis is Basis.EX_WORKS and sell.basis is Basis.EX_WORKS


def _party(firm: Firm, affiliates: Mapping[uuid.UUID, tuple[str, ...]]) -> Party:
    return Party(
        credit_code=code_of(firm),
        name=Text(firm.name_zh, firm.name_en),
        address=None,
        signatory=None,
        affiliates=affiliates.get(firm.id, ()),
    )


def code_of(firm: Firm) -> str:
    """A firm's credit code; of a foreign one, its country and its number in the register there."""
    return firm.credit_code or f"{firm.country}:{firm.registration_number}"


def affiliates_of(session: Session) -> dict[uuid.UUID, tuple[str, ...]]:
    """The codes of each firm's affiliates: all other firms under the same topmost parent."""
    firms = {firm.id: firm for firm in session.scalars(sa.select(Firm).order_by(Firm.id))}
    groups: dict[uuid.UUID, list[Firm]] = defaultdict(list)
    for firm, top in topmost_parents(session).items():
        groups[top].append(firms[firm])
    return {
        firm.id: tuple(sorted(code_of(other) for other in members if other is not firm))
        for members in groups.values()
        for firm in members
        if len(members) > 1
    }


def _specification(proposal: Proposal) -> tuple[SpecificationLimit, ...]:
    """What the seller guarantees: the grade's promise, and the offer's where it says otherwise."""
    promised: dict[str, Decimal] = {line.attribute_code: line.value for line in proposal.grade.specifications}
    promised |= {line.attribute_code: line.value for line in proposal.sell_offer.specifications}
    attributes = {attribute.code: attribute for attribute in proposal.grade.product.attributes}
    return tuple(_limit(attributes[code], value.normalize()) for code, value in sorted(promised.items()))


def _limit(attribute: Attribute, value: Decimal) -> SpecificationLimit:
    least = attribute.bound is Bound.MIN
    return SpecificationLimit(
        attribute=attribute.code,
        unit=attribute.unit,
        minimum=value if least else None,
        maximum=None if least else value,
    )
