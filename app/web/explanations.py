"""What a run made of an offer, in a sentence that the firm can act on."""

from __future__ import annotations

from flask import Flask

from app.models import Offer, OfferKind, Reason, RunResult
from app.web.formats import price, quantity
from app.web.labels import label_of
from app.web.texts import _


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(explained=explained, missed_by=missed_by)


def explained(result: RunResult, offer: Offer) -> str:
    """The reason in plain words, with the volume or the distance that belongs to it."""
    unit, detail = offer.product.unit, result.detail or {}
    filled = quantity(sum(result.filled) * offer.product.lot, unit)
    match result.reason:
        case Reason.MATCHED:
            text = _("All that was free is matched: %(amount)s.", amount=filled)
        case Reason.PARTLY_MATCHED:
            text = _(
                "%(amount)s are matched. The rest found nobody who would gain by it at these prices.", amount=filled
            )
        case Reason.OUT_OF_THE_MONEY if result.distance is not None:
            told = _least_distance if detail.get("distance_at_least") else _distance
            text = told(offer.kind, price(result.distance, unit))
        case Reason.NO_ELIGIBLE_LANE if "failed" in detail:
            what = label_of("requirement", detail["failed"])
            text = _("No counterparty was eligible. What most of them failed on: %(what)s.", what=what)
        case Reason.INPUT_NOT_AVAILABLE if offer.kind is OfferKind.DEMAND:
            text = _("All who make it for you lack an input that nobody can bring them now.")
        case Reason.INVALID:
            text = _("The run could not take the offer: %(field)s.", field=detail.get("field", "–"))
        case reason:
            text = _plainly(reason)
    return text


def missed_by(result: RunResult, offer: Offer) -> str:
    """How far the price was from one that would have been taken, in short; empty where that is not known."""
    if result.reason is not Reason.OUT_OF_THE_MONEY or result.distance is None:
        return ""
    distance = price(result.distance, offer.product.unit)
    if (result.detail or {}).get("distance_at_least"):
        return _("by at least %(distance)s", distance=distance)
    return _("by %(distance)s", distance=distance)


def _distance(kind: OfferKind, distance: str) -> str:
    if kind is OfferKind.DEMAND:
        return _("Your bid is %(distance)s below the price at which you would have been supplied.", distance=distance)
    if kind is OfferKind.CONVERSION:
        return _("Your fee is %(distance)s above what the chain would have paid.", distance=distance)
    return _("Your ask is %(distance)s above the price at which you would have been taken.", distance=distance)


def _least_distance(kind: OfferKind, distance: str) -> str:
    """The same where block terms or the size of the market leave no more to be told."""
    if kind is OfferKind.DEMAND:
        return _(
            "Your bid is at least %(distance)s below the price at which you would have been supplied.",
            distance=distance,
        )
    if kind is OfferKind.CONVERSION:
        return _("Your fee is at least %(distance)s above what the chain would have paid.", distance=distance)
    return _("Your ask is at least %(distance)s above the price at which you would have been taken.", distance=distance)


def _plainly(reason: Reason) -> str:
    sentences = {
        Reason.NO_ELIGIBLE_LANE: _(
            "No counterparty was eligible: nobody wants or has this product in this grade and region now."
        ),
        Reason.OUT_OF_THE_MONEY: _("The price did not meet the market in this run."),
        Reason.CAPACITY_EXHAUSTED_PRO_RATA: _(
            "The other side was exhausted. What there was has been shared out among equal offers in equal parts."
        ),
        Reason.LIMITED_BY_SHARE: _("The buyers you fit do not take more than a certain share from one supplier."),
        Reason.LIMITED_BY_CORRIDOR: _("A quota on the way between the regions is used up."),
        Reason.LIMITED_BY_POLICY: _("A rule of the round, or a change while the run worked, held it back this time."),
        Reason.INPUT_NOT_AVAILABLE: _("Not enough of your inputs could be had at a price that leaves your fee."),
        Reason.PARADOXICALLY_REJECTED: _(
            "Your price was good, but your conditions (all or none, least rate, group) fitted into no better whole."
        ),
        Reason.WITHDRAWN: _("It was withdrawn or ran out before the run had ended."),
    }
    return str(sentences.get(reason, ""))
