"""Synthetic terms of the scenario's offers: prices round a reference, lengths, specifications, certificates.

Every draw has its own generator, keyed by the seed and what is drawn, so neither the order of rows nor an offer more
or less changes another offer's terms.
"""

from __future__ import annotations

import random
from decimal import ROUND_HALF_EVEN, Decimal

from . import rows as r
from .offers import CertificateTerm, Side, SpecificationLimit

PERIODS = 8
FULL_SHARE = Decimal(1)
DOWNSTREAM = frozenset({"cathode", "anode", "separator", "electrolyte", "precursor", "cell"})
CARBON_FOOTPRINT_COUNTRIES = frozenset({"DE", "HU"})
MAIN_INPUTS = frozenset({"cathode_LFP", "cathode_NCM523", "cathode_NCM811", "separator", "electrolyte"})
YEARLY_STEP = {"lithium_carbonate", "lithium_hydroxide", "spodumene_concentrate"}


def draw(seed: int, *key: str) -> random.Random:
    """The generator of one draw."""
    return random.Random(f"{seed}|{'|'.join(key)}")  # noqa: S311 - a repeatable scenario, nothing secret


def price_factor(seed: int, offer: str, side: Side, spread: r.Spread, fee: r.Spread) -> Decimal:
    """Factor on the reference price, or on the reference fee of a conversion; four decimals."""
    if side == "buy":
        low, high = spread.bid_low, spread.bid_high
    else:
        chosen = fee if side == "conversion" else spread
        low, high = chosen.ask_low, chosen.ask_high
    return _between(draw(seed, "price", offer), low, high)


def yearly_step(seed: int, offer: str, product: str) -> Decimal:
    """Factor on the price from the second year on: half of the offers of worked goods step down 2 %."""
    if product in YEARLY_STEP or draw(seed, "step", offer).random() < 0.5:
        return Decimal(1)
    return Decimal("0.98")


def window(seed: int, offer: str) -> tuple[int, int]:
    """First and last position of the offer in the horizon: mostly all of it."""
    chance = draw(seed, "window", offer).random()
    if chance < 0.80:
        return 0, PERIODS - 1
    return (2, PERIODS - 1) if chance < 0.90 else (0, 5)


def lengths(seed: int, offer: str, tranche: str, available: int) -> tuple[int, int]:
    """Least and greatest term in periods: long-term tranches 2 to 4 at least, flexible ones 1 or 2."""
    choice = draw(seed, "length", offer)
    least = choice.choice((2, 4, 4) if tranche == "term" else (1, 2))
    greatest = available if tranche == "term" else choice.choice((4, available))
    return min(least, available), min(greatest, available)


def ramp(seed: int, offer: str, side: Side) -> tuple[Decimal, ...]:
    """Share of the yearly volume available in each period of the horizon, rising to at most one."""
    if side == "conversion":
        return (Decimal(1),) * PERIODS
    start = _between(draw(seed, "ramp", offer), Decimal("0.94"), Decimal(1))
    return tuple(start + (1 - start) * position / (PERIODS - 1) for position in range(PERIODS))


def largest_share(seed: int, offer: str, product: str, cell_gwh: Decimal) -> Decimal:
    """Share of one supplier that a cell maker of 50 GWh or more accepts: 0.3, 0.4 or 0.5 on its main materials."""
    if cell_gwh < 50 or product not in MAIN_INPUTS:
        return FULL_SHARE
    return Decimal(draw(seed, "share", offer).choice(("0.3", "0.4", "0.5")))


def specification(seed: int, offer: str, side: Side, limits: list[r.Attribute]) -> tuple[SpecificationLimit, ...]:
    """A seller guarantees the grade's limit or better; one buyer in four asks for somewhat better than the grade."""
    choice = draw(seed, "specification", offer)
    strict = side != "buy" or choice.random() < 0.25
    found = []
    for limit in limits:
        reach = Decimal("0.6") if side != "buy" else Decimal("0.3")
        better = _between(choice, Decimal(0), reach) if strict else Decimal(0)
        found.append(
            SpecificationLimit(
                attribute=limit.attribute,
                bound="min" if limit.bound == "min" else "max",
                value=_improved(limit, better),
            )
        )
    return tuple(found)


def held(seed: int, firm: r.Firm, tiers: frozenset[str], periods: list[str]) -> tuple[CertificateTerm, ...]:
    """Certificates a firm holds; some run out inside the horizon."""
    chances = {
        "ISO9001": 1.0,
        "ISO14001": 0.85,
        "IATF16949": 0.85 if tiers & DOWNSTREAM else 0.4,
        "EU-CFB": 0.6 if tiers & DOWNSTREAM else 0.2,
    }
    found = []
    for certificate, chance in sorted(chances.items()):
        choice = draw(seed, "certificate", firm.firm, certificate)
        if choice.random() < chance:
            runs_out = choice.random() < 0.1
            found.append(
                CertificateTerm(certificate=certificate, valid_to=choice.choice(periods[3:]) if runs_out else None)
            )
    return tuple(found)


def required(seed: int, offer: str, product: str, tier: str, country: str) -> tuple[CertificateTerm, ...]:
    """Certificates a buyer asks for: quality management always, automotive quality for most worked materials."""
    wanted = ["ISO9001"]
    if tier in DOWNSTREAM and product in MAIN_INPUTS and draw(seed, "requires", offer).random() < 0.5:
        wanted.append("IATF16949")
    if country in CARBON_FOOTPRINT_COUNTRIES and product in MAIN_INPUTS:
        wanted.append("EU-CFB")
    return tuple(CertificateTerm(certificate=name, valid_to=None) for name in sorted(wanted))


def _between(choice: random.Random, low: Decimal, high: Decimal) -> Decimal:
    share = Decimal(repr(choice.random()))
    return (low + (high - low) * share).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)


def _improved(limit: r.Attribute, better: Decimal) -> Decimal:
    """A limit moved by the share `better` of what can be gained: to 100 % for purity, by a twentieth otherwise."""
    if limit.bound == "max":
        value = limit.value * (1 - better / 2)
    elif limit.unit == "%" and limit.value > 90:
        value = limit.value + (100 - limit.value) * better
    else:
        value = limit.value * (1 + better / 20)
    return value.quantize(Decimal("0.0001"), ROUND_HALF_EVEN).normalize()
