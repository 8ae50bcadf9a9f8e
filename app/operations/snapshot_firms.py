"""Firms as a snapshot names them: who counts as one supplier, who never meets whom, whose certificates hold until when.

The matcher knows exclusions between firms only. An offer that excludes firms of its own therefore bears a name of its
own for its firm, affiliated with the firm's other names, so that its exclusions bind it alone.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement, product

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import Certificate, FirmExclusion, Offer, OfferExclusion
from app.operations.affiliates import topmost_parents
from market.periods import Horizon

OfferFirms = Mapping[uuid.UUID, tuple[uuid.UUID, str | None]]  # offer -> its firm, its exclusive group


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmNames:
    """The names that firms bear in one snapshot, and what follows from who they are."""

    of_offer: Mapping[uuid.UUID, str]
    of_firm: Mapping[uuid.UUID, frozenset[str]]
    affiliates: Mapping[str, str]
    exclusions: frozenset[frozenset[str]]


def firm_names(session: Session, *, round_id: uuid.UUID, offers: OfferFirms) -> FirmNames:
    """Names for the firms of some offers of a round. A firm is excluded from itself, its affiliates are not.

    Whom a firm or an offer excludes goes with all its affiliates, or they would be a way around; only who excludes one
    of its own group means that firm alone."""
    excluded = _own_exclusions(session, round_id, offers)
    of_offer = {offer: _name(offers[offer][0], excluded.get(offer, frozenset())) for offer in offers}
    of_firm: dict[uuid.UUID, set[str]] = defaultdict(set)
    for offer, name in of_offer.items():
        of_firm[offers[offer][0]].add(name)
    pairs: set[frozenset[str]] = set()
    for names in of_firm.values():
        pairs |= set(map(frozenset, combinations_with_replacement(sorted(names), 2)))
    root = topmost_parents(session)
    of_group: dict[uuid.UUID, set[str]] = defaultdict(set)
    for firm, names in of_firm.items():
        of_group[root[firm]] |= names

    def reached(firm: uuid.UUID, other: uuid.UUID) -> Collection[str]:
        return of_firm.get(other, ()) if root[firm] == root[other] else of_group.get(root[other], ())

    for firm, other in session.execute(sa.select(FirmExclusion.firm_id, FirmExclusion.excluded_firm_id)):
        pairs |= set(map(frozenset, product(of_firm.get(firm, ()), reached(firm, other))))
    for offer, firms in excluded.items():
        mine = offers[offer][0]
        pairs |= {frozenset({of_offer[offer], name}) for firm in firms for name in reached(mine, firm)}
    return FirmNames(
        of_offer=of_offer,
        of_firm={firm: frozenset(names) for firm, names in of_firm.items()},
        affiliates={
            name: str(root[firm]) for firm, names in of_firm.items() for name in names if name != str(root[firm])
        },
        exclusions=frozenset(pairs),
    )


def _own_exclusions(session: Session, round_id: uuid.UUID, offers: OfferFirms) -> dict[uuid.UUID, frozenset[uuid.UUID]]:
    """Firms that an offer itself excludes. Offers of one exclusive group must bear one name, so they share theirs."""
    query = (
        sa.select(OfferExclusion.offer_id, OfferExclusion.firm_id)
        .join(Offer, Offer.id == OfferExclusion.offer_id)
        .where(Offer.round_id == round_id)
    )
    own: dict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
    of_group: dict[tuple[uuid.UUID, str], set[uuid.UUID]] = defaultdict(set)
    for offer, firm in session.execute(query):
        if offer in offers:
            own[offer].add(firm)
            owner, group = offers[offer]
            if group:
                of_group[owner, group].add(firm)
    for offer, (owner, group) in offers.items():
        if group and (owner, group) in of_group:
            own[offer] = of_group[owner, group]
    return {offer: frozenset(firms) for offer, firms in own.items()}


def _name(firm: uuid.UUID, excluded: frozenset[uuid.UUID]) -> str:
    if not excluded:
        return str(firm)
    digest = hashlib.sha256(" ".join(sorted(map(str, excluded))).encode()).hexdigest()
    return f"{firm}/{digest[:16]}"


Validity = tuple[uuid.UUID | None, dt.date, dt.date]  # site or the whole firm, first day, last day


class CertificateRegister:
    """The certificates of a round's firms that are not suspended, as far as some kinds matter."""

    def __init__(self, session: Session, *, horizon: Horizon, kinds: Iterable[str]) -> None:
        self._days = [period.first_day for period in horizon]
        self._held: dict[uuid.UUID, dict[str, list[Validity]]] = defaultdict(lambda: defaultdict(list))
        query = sa.select(
            Certificate.firm_id,
            Certificate.kind_code,
            Certificate.site_id,
            Certificate.valid_from,
            Certificate.valid_to,
        ).where(Certificate.kind_code.in_(sorted(kinds)), ~Certificate.suspended)
        for firm, kind, site, first, last in session.execute(query):
            self._held[firm][kind].append((site, first, last))

    def of(self, firm: uuid.UUID, site: uuid.UUID, start: int) -> dict[str, int | None]:
        """What the firm holds for a site at the beginning of position `start`, with the last position at whose
        beginning it is still valid without a break; None to the end of the horizon."""
        found: dict[str, int | None] = {}
        for kind, validities in self._held.get(firm, {}).items():
            mine = [(first, last) for where, first, last in validities if where is None or where == site]
            end = start
            while end < len(self._days) and any(first <= self._days[end] <= last for first, last in mine):
                end += 1
            if end > start:
                found[kind] = None if end == len(self._days) else end - 1
        return found
