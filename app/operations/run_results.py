"""The rows that a run leaves for every offer and shadow price."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from app.models import OfferKind, Reason, ShadowPriceKind
from app.operations.drafts import Draft
from app.operations.snapshots import FrozenRound
from matching import answer as told
from matching.answer import Answer, OfferResult

RESULT_COLUMNS = ("run_id", "offer_id", "offer_revision", "reason", "distance", "detail", "filled")
SHADOW_COLUMNS = ("run_id", "subject_kind", "subject", "period", "value")
Outcome = tuple[OfferResult | None, Reason, tuple[int, ...]]  # the matcher's result, the reason, lots per period
VALUE_STEP = Decimal("0.000001")
_KINDS = {
    "offer": ShadowPriceKind.OFFER,
    "hub": ShadowPriceKind.HUB,
    "corridor": ShadowPriceKind.CORRIDOR,
    "share": ShadowPriceKind.SHARE,
    "ceiling": ShadowPriceKind.CEILING,
    "origin": ShadowPriceKind.ORIGIN,
    "conversion": ShadowPriceKind.CONVERSION,
    "output": ShadowPriceKind.CONVERSION,
    "input": ShadowPriceKind.CONVERSION,
}


def reasons(
    frozen: FrozenRound, answer: Answer, drafts: Sequence[Draft], gone: Mapping[uuid.UUID, str]
) -> dict[uuid.UUID, Outcome]:
    """What became of every offer: the matcher's result, the reason to tell, lots filled per period.

    `gone` names the offers that changed while the run worked. An offer matched by the matcher whose bundles were
    dropped says so without telling whose change it was: `limited_by_policy`.
    """
    filled = _filled(drafts, len(frozen.snapshot.horizon))
    free = _free(frozen)
    nothing = (0,) * len(frozen.snapshot.horizon)
    found: dict[uuid.UUID, Outcome] = dict.fromkeys(frozen.invalid, (None, Reason.INVALID, nothing))
    for result in answer.results:
        if result.offer not in free:  # stands in for volume that is promised already
            continue
        offer = uuid.UUID(result.offer)
        lots = filled.get(offer, nothing)
        reason = Reason(result.reason.value)
        if result.reason is told.Reason.MATCHED:
            reason = Reason.MATCHED if lots == free[result.offer] else Reason.PARTLY_MATCHED
            if lots == nothing:
                reason = Reason.WITHDRAWN if gone.get(offer) in {"withdrawn", "expired"} else Reason.LIMITED_BY_POLICY
        found[offer] = result, reason, lots
    return found


def result_rows(
    run_id: uuid.UUID,
    frozen: FrozenRound,
    found: Mapping[uuid.UUID, Outcome],
) -> Iterator[tuple[Any, ...]]:
    """Rows in the order of RESULT_COLUMNS; the detail says where a distance is only the least that is known."""
    for offer, (result, reason, lots) in found.items():
        detail: dict[str, object] | None = {"field": frozen.invalid[offer]} if result is None else None
        if result is not None and result.failed is not None:
            detail = {"failed": str(result.failed)}
        if result is not None and result.distance_at_least:
            detail = {"distance_at_least": True}
        distance = None if result is None else result.distance
        yield run_id, offer, frozen.revisions[offer], reason, distance, detail, list(lots)


def shadow_rows(run_id: uuid.UUID, frozen: FrozenRound, answer: Answer) -> Iterator[tuple[Any, ...]]:
    """Rows in the order of SHADOW_COLUMNS; the inner values of a conversion are subjects below it."""
    labels = frozen.snapshot.horizon.labels()
    known = {str(offer) for offer in frozen.offers}
    for price in answer.prices:
        kind = _KINDS[price.kind]
        if kind in {ShadowPriceKind.OFFER, ShadowPriceKind.SHARE} and price.subject[0] not in known:
            continue
        subject = "/".join(price.subject)
        if price.kind in {"output", "input"}:
            subject = "/".join((price.subject[0], price.kind, *price.subject[1:]))
        yield run_id, kind, subject, labels[price.position], price.value.quantize(VALUE_STEP)


def _filled(drafts: Sequence[Draft], periods: int) -> dict[uuid.UUID, tuple[int, ...]]:
    """Lots per period by offer; a conversion's are those of its output."""
    lots: dict[uuid.UUID, list[int]] = {}
    for draft in drafts:
        for offer in (draft.seller, draft.buyer):
            if offer is draft.seller or offer.kind is not OfferKind.CONVERSION:
                row = lots.setdefault(offer.id, [0] * periods)
                for at in range(draft.contract.first, draft.contract.last + 1):
                    row[at] += draft.contract.rate
    return {offer: tuple(row) for offer, row in lots.items()}


def _free(frozen: FrozenRound) -> dict[str, tuple[int, ...]]:
    """Lots per period that were free for the run, by label of the open offers and conversions."""
    free = {one.conversion: list(one.capacity) for one in frozen.snapshot.conversions}
    known = {str(offer) for offer in frozen.offers}
    free |= {one.offer: list(one.quantity) for one in frozen.snapshot.offers if one.offer in known}
    for commitment in frozen.snapshot.commitments:
        for label in (commitment.sell, commitment.buy):
            if label in free:
                free[label] = [had - gone for had, gone in zip(free[label], commitment.quantity, strict=True)]
    return {label: tuple(row) for label, row in free.items()}
