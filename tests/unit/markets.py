"""Small markets, drawn: few firms, few regions, prices that often tie, so that every rule of the clearing bites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from market.periods import Horizon
from matching.snapshot import (
    Bound,
    Ceiling,
    Commitment,
    Conversion,
    ConversionInput,
    Corridor,
    Grade,
    Offer,
    Side,
    Snapshot,
)

REGIONS = ("north", "south")
FIRMS = ("Ada", "Bela", "Caro", "Dora", "Emil", "Fritz")
ASKS = ("0", "30", "40", "50", "50", "52.5", "60")
BIDS = ("40", "50", "50", "52.5", "60", "70", "90.1")
FEES = ("0", "5", "8.4", "20")
COEFFICIENTS = ("0.25", "0.5", "1", "1.3", "2")
DISCOUNTS = ("", "", "", "0.98", "0.7")  # of each period to the one before; mostly none
FREIGHT = ("0", "1", "4", "7.5")
CHAIN = ("ore", "salt", "cell")
# Units of a lot, and how many times the price of ore a product fetches.
LOTS = {"ore": Decimal(1), "salt": Decimal("0.5"), "cell": Decimal(10)}
WORTH = {"ore": 1, "salt": 2, "cell": 4}
ATTRIBUTES = {"assay": Bound.MIN, "moisture": Bound.MAX}
ROUTES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("ore",), "salt"),
    (("salt",), "cell"),
    (("ore", "salt"), "cell"),
    (("cell",), "ore"),
)


def decimals(values: Sequence[str]) -> st.SearchStrategy[Decimal]:
    return st.sampled_from([Decimal(value) for value in values])


def rarely() -> st.SearchStrategy[bool]:
    """True once in four."""
    return st.sampled_from((False, False, False, True))


def horizon(periods: int) -> Horizon:
    """That many quarters from 2027 on."""
    return Horizon.parse([f"{2027 + at // 4}-Q{at % 4 + 1}" for at in range(periods)])


def grades(products: Sequence[str]) -> tuple[Grade, ...]:
    """Two grades of each product, "fine" serving "plain" too."""
    return tuple(
        Grade(product=product, grade=name, rank=rank, lot=LOTS[product], unit="t")
        for product in products
        for name, rank in (("plain", 1), ("fine", 2))
    )


def offer(label: str, side: Side, quantity: Sequence[int], price: Sequence[str] | str | int, **more: Any) -> Offer:
    """An offer of plain ore in the north by a firm of its own, unless told otherwise."""
    prices = [price] * len(quantity) if isinstance(price, str | int) else price
    given = {"firm": f"firm of {label}", "product": "ore", "grade": "plain", "region": "north"} | more
    return Offer(offer=label, side=side, quantity=tuple(quantity), price=tuple(map(Decimal, prices)), **given)


def sell(label: str, quantity: Sequence[int], price: Sequence[str] | str | int, **more: Any) -> Offer:
    return offer(label, Side.SELL, quantity, price, **more)


def buy(label: str, quantity: Sequence[int], price: Sequence[str] | str | int, **more: Any) -> Offer:
    return offer(label, Side.BUY, quantity, price, **more)


def snapshot(*offers: Offer, products: Sequence[str] = CHAIN, **more: Any) -> Snapshot:
    """A market of these offers; freight inside a region only, unless told otherwise."""
    return Snapshot(horizon=horizon(len(offers[0].quantity)), grades=grades(products), offers=offers, **more)


def maker(coefficient: str, capacity: Sequence[int], fee: str, stock: str = "0") -> Conversion:
    """Caro in the north makes plain salt of so much plain ore."""
    need = ConversionInput(
        product="ore", grade="plain", quantity_per_output=Decimal(coefficient), own_stock=Decimal(stock)
    )
    return Conversion(
        conversion="c",
        firm="Caro",
        region="north",
        product="salt",
        grade="plain",
        capacity=tuple(capacity),
        fee=(Decimal(fee),) * len(capacity),
        inputs=(need,),
    )


@st.composite
def _vector(draw: st.DrawFn, one: st.SearchStrategy[Any], periods: int) -> tuple[Any, ...]:
    """The same in every period, or drawn for each."""
    if periods == 1 or draw(st.booleans()):
        return (draw(one),) * periods
    return tuple(draw(one) for _ in range(periods))


@st.composite
def _terms(draw: st.DrawFn, periods: int) -> dict[str, int | None]:
    choices = [(1, None), (1, None), (1, None)]
    if periods > 1:
        choices += [(1, 1), (2, None), (1, 2), (2, 3)]  # type: ignore[list-item]
    least, most = draw(st.sampled_from(choices))
    return {"min_term": least, "max_term": most}


@st.composite
def _offers(draw: st.DrawFn, label: str, side: Side, product: str, *, periods: int, most: int, rules: bool) -> Offer:
    prices = decimals(ASKS if side is Side.SELL else BIDS).map(lambda price: price * WORTH[product])
    better = "fine" if side is Side.SELL else "plain"
    found = Offer(
        offer=label,
        side=side,
        firm=draw(st.sampled_from(FIRMS)),
        product=product,
        grade=draw(st.sampled_from((better, better, better, "plain", "fine"))),
        region=draw(st.sampled_from(REGIONS)),
        quantity=draw(_vector(st.integers(0 if draw(rarely()) else 1, most), periods)),
        price=draw(_vector(prices, periods)),
        **draw(_terms(periods)),  # type: ignore[arg-type]
    )
    return draw(_ruled(found)) if rules else found


@st.composite
def _ruled(draw: st.DrawFn, found: Offer) -> Offer:
    """The same offer with rules of its own: share, specification, certificate, approved list, freight in the price."""
    if found.side is Side.SELL:
        # Most sellers guarantee and hold what some buyers ask for.
        held: list[dict[str, int | None]] = [{"iso": None}, {"iso": None}, {"iso": 0}, {}]
        assay = {"assay": Decimal("99.5"), "moisture": Decimal("0.2")}
        specification = draw(st.sampled_from((assay, assay, {"assay": Decimal("99.2")})))
        included = draw(rarely())
        certificates = draw(st.sampled_from(held))
        return replace(found, certificates=certificates, specification=specification, freight_included=included)
    rule = draw(
        st.sampled_from(("none", "none", "share", "share", "specification", "certificate", "approved", "freight"))
    )
    if rule == "share":
        return replace(found, max_share=draw(decimals(("0.3", "0.5", "0.75", "1"))))
    if rule == "specification":
        wanted = draw(st.sampled_from(({"assay": Decimal("99.5")}, {"moisture": Decimal("0.2")})))
        return replace(found, specification=wanted)
    if rule == "certificate":
        return replace(found, certificates={"iso": None})
    if rule == "approved":
        return replace(found, approved_firms=draw(st.frozensets(st.sampled_from(FIRMS), min_size=2)))
    return replace(found, freight_included=rule == "freight")


@st.composite
def _conversions(
    draw: st.DrawFn, label: str, route: tuple[tuple[str, ...], str], *, periods: int, most: int
) -> Conversion:
    sources, product = route
    return Conversion(
        conversion=label,
        firm=draw(st.sampled_from(FIRMS)),
        region=draw(st.sampled_from(REGIONS)),
        product=product,
        grade=draw(st.sampled_from(("fine", "fine", "plain"))),
        capacity=draw(_vector(st.integers(0 if draw(rarely()) else 1, most), periods)),
        fee=draw(_vector(decimals(FEES), periods)),
        inputs=tuple(
            ConversionInput(
                product=source,
                grade="plain",
                quantity_per_output=draw(decimals(COEFFICIENTS)),
                own_stock=draw(decimals(("0", "0", "0", "1", "2.5"))),
            )
            for source in sources
        ),
        **draw(_terms(periods)),  # type: ignore[arg-type]
    )


@st.composite
def markets(
    draw: st.DrawFn,
    *,
    periods: int = 3,
    chain: bool = False,
    rules: bool = True,
    limits: bool = True,
    most: int = 6,
    offers: int = 4,
) -> Snapshot:
    """A divisible market of up to `periods` periods and `offers` offers a side, each up to `most` lots per period.

    `chain` adds conversions and their products, `rules` terms on pairs, `limits` what binds several pairs.
    """
    count = draw(st.integers(1, periods))
    routes = draw(st.lists(st.sampled_from(ROUTES), min_size=1, max_size=3)) if chain else []
    sources = [source for taken, _ in routes for source in taken] or ["ore"]
    made = [product for _, product in routes] or ["ore"]
    found = []
    for side, letter, products in ((Side.SELL, "s", sources), (Side.BUY, "b", made)):
        for at in range(draw(st.integers(1, offers))):
            product = draw(st.sampled_from(CHAIN if chain and draw(rarely()) else products))
            found.append(draw(_offers(f"{letter}{at}", side, product, periods=count, most=most, rules=rules)))
    # Somebody bids for every product of the chain: one that nobody prices is a case of its own.
    unpriced = sorted({*sources, *made} - {priced.product for priced in found if any(priced.price)})
    found += [draw(_offers(f"b {name}", Side.BUY, name, periods=count, most=most, rules=rules)) for name in unpriced]
    return Snapshot(
        horizon=horizon(count),
        grades=grades(CHAIN if chain else ("ore",)),
        offers=tuple(found),
        conversions=tuple(
            draw(_conversions(f"c{at}", route, periods=count, most=most)) for at, route in enumerate(routes)
        ),
        freight=draw(_freight()),
        attributes=ATTRIBUTES,
        discount=tuple(Decimal(rate) ** at for at in range(count))
        if (rate := draw(st.sampled_from(DISCOUNTS)))
        else (),
        **(draw(_limits(found, periods=count)) if limits else {}),
    )


@st.composite
def _freight(draw: st.DrawFn) -> Mapping[tuple[str, str, str], Decimal]:
    table = {}
    for origin in REGIONS:
        for destination in REGIONS:
            # Inside a region freight is seldom listed, between regions seldom missing.
            if draw(rarely()) == (origin == destination):
                table[draw(st.sampled_from(("*", "ore"))), origin, destination] = draw(decimals(FREIGHT))
    return table


@st.composite
def _limits(draw: st.DrawFn, offers: Sequence[Offer], *, periods: int) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    products = sorted({found.product for found in offers})
    if draw(st.booleans()):
        limits["corridors"] = tuple(
            Corridor(
                product=draw(st.sampled_from(products)),
                origin=draw(st.sampled_from(REGIONS)),
                destination=draw(st.sampled_from(REGIONS)),
                position=draw(st.sampled_from((None, 0))),
                limit=draw(decimals(("1", "2.5", "4", "0"))),
            )
            for _ in range(draw(st.integers(1, 2)))
        )
    if draw(rarely()):
        product, share = draw(st.sampled_from(products)), draw(decimals(("0.2", "0.4", "0.5")))
        limits["ceilings"] = (
            Ceiling(product=product, share=share, firm=draw(st.sampled_from((None, "house", "Caro")))),
        )
    if draw(rarely()):
        limits["exclusions"] = frozenset([draw(st.frozensets(st.sampled_from(FIRMS), min_size=1, max_size=2))])
    if draw(st.booleans()):
        limits["affiliates"] = {"Ada": "house", "Bela": "house"}
    if periods > 1 and draw(rarely()):
        every = [(first, last) for first in range(periods) for last in range(first, periods)]
        limits["windows"] = tuple(draw(st.lists(st.sampled_from(every), min_size=2, unique=True)))
    if draw(rarely()):
        limits["commitments"] = tuple(draw(_commitments(offers)))
    return limits


@st.composite
def _commitments(draw: st.DrawFn, offers: Sequence[Offer]) -> list[Commitment]:
    """What one pair has already promised, if there is a pair."""
    sales = [found for found in offers if found.side is Side.SELL]
    pairs = [(s, b) for s in sales for b in offers if b.side is Side.BUY and b.product == s.product]
    if not pairs:
        return []
    seller, buyer = draw(st.sampled_from(pairs))
    free = [min(both) for both in zip(seller.quantity, buyer.quantity, strict=True)]
    return [Commitment(sell=seller.offer, buy=buyer.offer, quantity=tuple(draw(st.integers(0, one)) for one in free))]
