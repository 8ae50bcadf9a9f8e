"""Why a run proposes a contract, and what speaks against it, in sentences for the reviewer."""

from __future__ import annotations

from decimal import Decimal

from flask import Flask

from app.models import Basis, OfferKind
from app.operations.review_sheet import NextBest, OfferSide, ReviewSheet
from app.web.formats import money_short, named, price, share
from app.web.texts import _, ngettext


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(proposal_in_words=proposal_in_words, doubts_in_words=doubts_in_words)


def proposal_in_words(sheet: ReviewSheet) -> list[str]:
    """What each side wants, what both gain, what they would do without it, and what else hangs on it."""
    line = sheet.line
    said = [f"{_seller(sheet)} {_buyer(sheet)}", _gain(sheet)]
    said += [_without(sheet.seller, line.price_ex_works, sheet), _without(sheet.buyer, line.price_delivered, sheet)]
    said.append(_against_index(sheet))
    if sheet.bundle:
        said.append(
            _(
                "A conversion ties it to others: all %(count)s contracts, %(value)s together, come into force or none.",
                count=line.bundle_size,
                value=money_short(line.bundle_value),
            )
        )
    return said


def doubts_in_words(sheet: ReviewSheet) -> list[str]:
    """What the checks found against it; empty where they found nothing."""
    doubts = []
    if unmet := sum(1 for one in sheet.specification if not one.met):
        doubts.append(
            ngettext(
                "%(num)d attribute of the specification is not met.",
                "%(num)d attributes of the specification are not met.",
                unmet,
            )
        )
    if sheet.capability is None:
        doubts.append(_("Nobody can say whether the seller can make it: no built capacity is registered."))
    elif sheet.capability.exceeded:
        doubts.append(_("The seller’s site has promised more than is built there."))
    if ending := sum(1 for one in sheet.certificates if one.required or one.suspended):
        doubts.append(
            ngettext(
                "%(num)d certificate that matters ends inside the window, or is suspended.",
                "%(num)d certificates that matter end inside the window, or are suspended.",
                ending,
            )
        )
    return doubts


def _seller(sheet: ReviewSheet) -> str:
    side, unit = sheet.seller, sheet.line.product.unit
    if side.offer.kind is OfferKind.CONVERSION:
        told = _(
            "%(firm)s makes it for a fee of %(price)s.", firm=named(side.offer.firm), price=price(side.price, unit)
        )
    elif side.offer.basis is Basis.DELIVERED:
        told = _("%(firm)s asks %(price)s delivered.", firm=named(side.offer.firm), price=price(side.price, unit))
    else:
        told = _("%(firm)s asks %(price)s ex works.", firm=named(side.offer.firm), price=price(side.price, unit))
    return str(told)


def _buyer(sheet: ReviewSheet) -> str:
    side, line = sheet.buyer, sheet.line
    unit = line.product.unit
    if side.offer.kind is OfferKind.CONVERSION:
        told = _(
            "%(firm)s takes it to make %(product)s of it.",
            firm=named(side.offer.firm),
            product=named(side.offer.product),
        )
    elif side.offer.basis is Basis.EX_WORKS:
        told = _("%(firm)s bids %(price)s ex works.", firm=named(side.offer.firm), price=price(side.price, unit))
    elif not line.freight:
        told = _(
            "%(firm)s bids %(price)s delivered, without freight between them.",
            firm=named(side.offer.firm),
            price=price(side.price, unit),
        )
    else:
        told = _(
            "%(firm)s bids %(price)s delivered; the freight to it is %(freight)s.",
            firm=named(side.offer.firm),
            price=price(side.price, unit),
            freight=price(line.freight, unit),
        )
    return str(told)


def _gain(sheet: ReviewSheet) -> str:
    """What one unit is worth to each side at the locked price."""
    line, unit = sheet.line, sheet.line.product.unit
    seller, buyer = (_each(side.surplus, line.units) for side in (sheet.seller, sheet.buyer))
    if not seller + buyer:
        return _("Neither side gains: the prices meet exactly, and the volume is what counts.")
    return _(
        "At the locked price of %(price)s ex works the seller gains %(seller)s and the buyer %(buyer)s.",
        price=price(line.price_ex_works, unit),
        seller=price(seller, unit),
        buyer=price(buyer, unit),
    )


def _each(surplus: Decimal, units: Decimal) -> Decimal:
    return (surplus / units).quantize(Decimal("0.01")) if units else Decimal(0)


def _without(side: OfferSide, locked: Decimal, sheet: ReviewSheet) -> str:
    """Where a side would go instead, and what it would lose by that."""
    firm, unit, selling = named(side.offer.firm), sheet.line.product.unit, side is sheet.seller
    other: NextBest | None = side.next_best
    if other is None:
        return _("%(firm)s has nobody else to go to over this window.", firm=firm)
    worse = locked - other.price if selling else other.price - locked
    if worse <= 0:
        return _("%(firm)s could do as well with %(other)s.", firm=firm, other=named(other.firm))
    return _(
        "%(firm)s would do worse by %(distance)s with the next best, %(other)s.",
        firm=firm,
        distance=price(worse, unit),
        other=named(other.firm),
    )


def _against_index(sheet: ReviewSheet) -> str:
    distance = sheet.line.index_distance
    if distance is None:
        return _("No index is published for it, so the price stands by itself.")
    part = share(abs(distance) / 100)
    if distance > 0:
        return _("The price ex works is %(part)s above the market index.", part=part)
    if distance < 0:
        return _("The price ex works is %(part)s below the market index.", part=part)
    return _("The price ex works is that of the market index.")
