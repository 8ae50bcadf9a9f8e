"""How the review of proposals looks in the API: the list's lines, and the sheet with what is sealed."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.api.deal_schemas import DealSchema, FirmNameSchema, StepSchema, shown_deal, shown_firm
from app.api.fields import DecimalText, Text, Timestamp
from app.api.paging import LONGEST_PAGE, PageArguments
from app.models import Bound, Event, OfferKind, ReviewAction, ReviewStep
from app.operations.review import UNDER_REVIEW, Outcome
from app.operations.review_sheet import OfferSide, ReviewLine, ReviewSheet
from contracts.reasons import ReasonGroup, codes_of
from contracts.state import Subject, state_names


class ReviewLineSchema(DealSchema):
    """A proposal in the reviewers' list, without anything sealed. Four eyes count the bundle's whole value."""

    id = ma.fields.UUID(required=True)
    version = ma.fields.Integer(required=True)
    bundle_id = ma.fields.UUID(required=True)
    bundle_size = ma.fields.Integer(required=True)
    bundle_value = DecimalText(required=True)
    round = ma.fields.String(required=True)
    run_id = ma.fields.UUID(required=True)
    index_value = DecimalText(required=True, allow_none=True)
    index_distance = DecimalText(
        required=True, allow_none=True, minimum=None, metadata={"description": "Per cent above the product's index"}
    )
    needs_two = ma.fields.Boolean(required=True)
    recommended = ma.fields.List(ma.fields.Enum(ReviewAction, by_value=True), required=True)
    state = ma.fields.String(required=True)
    created_at = Timestamp(required=True)
    expires_at = Timestamp(required=True, allow_none=True)
    open_moves = ma.fields.List(ma.fields.String(), required=True)


class NextBestSchema(ma.Schema):
    """The next-best counterparty: ex-works price for the seller, delivered for the buyer, at the shadow prices."""

    firm = ma.fields.Nested(FirmNameSchema, required=True)
    price = DecimalText(required=True, minimum=None)


class OfferSideSchema(ma.Schema):
    """A sealed offer, as one side of the proposal. `price` is its mean over the window, in its currency and basis."""

    offer_id = ma.fields.UUID(required=True)
    firm = ma.fields.Nested(FirmNameSchema, required=True)
    kind = ma.fields.Enum(OfferKind, by_value=True, required=True)
    site = ma.fields.String(required=True)
    region = ma.fields.String(required=True)
    revision = ma.fields.Integer(required=True)
    price = DecimalText(required=True)
    currency = ma.fields.String(required=True)
    basis = ma.fields.String(required=True)
    offered = DecimalText(required=True)
    taken = DecimalText(required=True)
    share_taken = DecimalText(required=True, allow_none=True)
    surplus = DecimalText(required=True, minimum=None)
    surplus_share = DecimalText(required=True, allow_none=True, minimum=None)
    next_best = ma.fields.Nested(NextBestSchema, required=True, allow_none=True)
    result = ma.fields.String(required=True, allow_none=True, metadata={"description": "The offer's reason in the run"})
    market_share = DecimalText(required=True, allow_none=True)


class RequirementSchema(ma.Schema):
    attribute = ma.fields.String(required=True)
    unit = ma.fields.String(required=True)
    bound = ma.fields.Enum(Bound, by_value=True, required=True)
    guaranteed = DecimalText(required=True, allow_none=True, minimum=None)
    required = DecimalText(required=True, allow_none=True, minimum=None)


class CertificateEndSchema(ma.Schema):
    kind = ma.fields.String(required=True)
    number = ma.fields.String(required=True)
    valid_to = ma.fields.Date(required=True)
    suspended = ma.fields.Boolean(required=True)
    required = ma.fields.Boolean(required=True)


class CapabilitySchema(ma.Schema):
    """Units a year."""

    promised = DecimalText(required=True)
    built = DecimalText(required=True)
    utilisation = DecimalText(required=True, allow_none=True)
    exceeded = ma.fields.Boolean(required=True)


class DecisionSchema(ma.Schema):
    user_id = ma.fields.UUID(required=True)
    action = ma.fields.Enum(ReviewAction, by_value=True, required=True)
    step = ma.fields.Enum(ReviewStep, by_value=True, required=True)
    reason_code = ma.fields.String(required=True)
    note = ma.fields.String(required=True, allow_none=True)
    decided_at = Timestamp(required=True)


class ReasonCodesSchema(ma.Schema):
    release = ma.fields.List(ma.fields.String(), required=True)
    withhold = ma.fields.List(ma.fields.String(), required=True)


class ReviewSheetSchema(ReviewLineSchema):
    """The full sheet of a proposal. Opening it is a look at both sealed offers, and is logged."""

    sell_side = ma.fields.Nested(OfferSideSchema, required=True)
    buy_side = ma.fields.Nested(OfferSideSchema, required=True)
    specification = ma.fields.List(ma.fields.Nested(RequirementSchema), required=True)
    certificates = ma.fields.List(ma.fields.Nested(CertificateEndSchema), required=True)
    capability = ma.fields.Nested(CapabilitySchema, required=True, allow_none=True)
    decisions = ma.fields.List(ma.fields.Nested(DecisionSchema), required=True)
    steps = ma.fields.List(ma.fields.Nested(StepSchema), required=True)
    bundle = ma.fields.List(ma.fields.Nested(ReviewLineSchema), required=True)
    reason_codes = ma.fields.Nested(ReasonCodesSchema, required=True)


class ReviewArguments(PageArguments):
    """Which proposals; those that wait for a decision unless a state is named."""

    state = ma.fields.String(load_default=None, validate=ma.validate.OneOf(state_names(Subject.PROPOSAL)))
    round = Text(load_default=None, most=100, metadata={"description": "Code of the round"})
    run_id = ma.fields.UUID(load_default=None)
    bundle_id = ma.fields.UUID(load_default=None)
    product = Text(load_default=None, most=100)
    firm_id = ma.fields.UUID(load_default=None)
    least_value = DecimalText(load_default=None, places=2)


class ReleaseSchema(ma.Schema):
    reason_code = ma.fields.String(required=True, validate=ma.validate.OneOf(codes_of(ReasonGroup.RELEASE)))
    note = Text(load_default=None, allow_none=True, most=1000)


class WithholdSchema(ma.Schema):
    reason_code = ma.fields.String(required=True, validate=ma.validate.OneOf(codes_of(ReasonGroup.WITHHOLD)))
    note = Text(load_default=None, allow_none=True, most=1000)


class ReleasedVersionSchema(ma.Schema):
    """A proposal, in the version that the reviewer saw."""

    id = ma.fields.UUID(required=True)
    version = ma.fields.Integer(required=True, validate=ma.validate.Range(1, 2**31 - 1))


class ReleasesSchema(ReleaseSchema):
    proposals = ma.fields.List(
        ma.fields.Nested(ReleasedVersionSchema), required=True, validate=ma.validate.Length(1, LONGEST_PAGE)
    )


class VerdictSchema(ma.Schema):
    proposal_id = ma.fields.UUID(required=True)
    outcome = ma.fields.Enum(Outcome, by_value=True, required=True)
    detail = ma.fields.String(required=True, allow_none=True)


class VerdictsSchema(ma.Schema):
    verdicts = ma.fields.List(ma.fields.Nested(VerdictSchema), required=True)


class DecidedSchema(ma.Schema):
    """What was done: the decision, or a recommendation that waits for another person; the bundle as it is now."""

    step = ma.fields.Enum(ReviewStep, by_value=True, required=True)
    proposals = ma.fields.List(ma.fields.Nested(ReviewLineSchema), required=True)


def wanted_states(state: str | None) -> tuple[str, ...]:
    return UNDER_REVIEW if state is None else (state,)


def shown_line(line: ReviewLine) -> dict[str, Any]:
    own = ReviewLineSchema().fields.keys() - DealSchema().fields.keys() - {"round"}
    return shown_deal(line) | {name: getattr(line, name) for name in own} | {"round": line.round.code}


def shown_sheet(sheet: ReviewSheet) -> dict[str, Any]:
    own = ("specification", "certificates", "capability", "decisions", "reason_codes")
    return (
        shown_line(sheet.line)
        | {name: getattr(sheet, name) for name in own}
        | {
            "sell_side": _side(sheet.seller),
            "buy_side": _side(sheet.buyer),
            "steps": [shown_step(event) for event in sheet.steps],
            "bundle": [shown_line(line) for line in sheet.bundle],
        }
    )


def shown_step(event: Event) -> dict[str, Any]:
    own = StepSchema().fields.keys() - {"subject"}
    return {name: getattr(event, name) for name in own} | {"subject": event.subject_kind.value}


def _side(side: OfferSide) -> dict[str, Any]:
    offer, best = side.offer, side.next_best
    own = ("price", "offered", "taken", "share_taken", "surplus", "surplus_share", "market_share")
    return {name: getattr(side, name) for name in own} | {
        "offer_id": offer.id,
        "firm": shown_firm(offer.firm),
        "kind": offer.kind,
        "site": offer.site.code,
        "region": offer.site.region_code,
        "revision": offer.revision,
        "currency": offer.currency,
        "basis": offer.basis.value,
        "next_best": None if best is None else {"firm": shown_firm(best.firm), "price": best.price},
        "result": None if side.result is None else side.result.reason.value,
    }
