"""Checks of an answer's contracts in exact arithmetic, from the records of the snapshot alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from matching.answer import PRICE_STEP, Contract
from matching.snapshot import Offer, Side, Snapshot

from .market_oracle import Oracle

HALF_STEP = Fraction(PRICE_STEP) / 2


def faults(snapshot: Snapshot, contracts: Sequence[Contract]) -> list[str]:
    """Every rule of the market that the contracts break, in words."""
    oracle = Oracle(snapshot)
    allowed = {(c.seller, c.buyer, c.product, c.first, c.last) for c in oracle.candidates}
    found = []
    for c in contracts:
        if (c.seller, c.buyer, c.product, c.first, c.last) not in allowed:
            found.append(f"{c} is no candidate")
        elif c.rate < 1:
            found.append(f"{c} has no rate")
        else:
            found += _price_faults(oracle, c)
    for t in oracle.periods:
        found += _quantity_faults(oracle, contracts, t)
    return found


def _price_faults(oracle: Oracle, c: Contract) -> Iterator[str]:
    seller, buyer = oracle.party(c.seller), oracle.party(c.buyer)
    length = sum(oracle.worth[c.first : c.last + 1])
    if c.freight != oracle.freight(seller, buyer) or c.price_delivered != c.price_ex_works + c.freight:
        yield f"{c}: freight or delivered price is wrong"
    if isinstance(seller, Offer):
        ask = oracle.total(seller.price, c.first, c.last) / length
        if Fraction(c.price_ex_works) < ask - HALF_STEP:
            yield f"{c} is below the ask {float(ask)}"
    if isinstance(buyer, Offer):
        bid = oracle.total(buyer.price, c.first, c.last) / length
        if Fraction(c.price_delivered) > bid + HALF_STEP:
            yield f"{c} is above the bid {float(bid)}"


def _quantity_faults(oracle: Oracle, contracts: Sequence[Contract], t: int) -> Iterator[str]:
    used: dict[object, int] = defaultdict(int)
    for c in contracts:
        if c.first <= t <= c.last:
            used[c.seller] += c.rate
            used[c.buyer, c.product] += c.rate
            used["share", c.buyer, oracle.supplier_of(c.seller)] += c.rate
            used["ceiling", c.product, oracle.supplier_of(c.seller)] += c.rate
            used["corridor", c.product, *oracle.regions_of(c.seller, c.buyer)] += c.rate
    limits: dict[object, int] = {}
    for name, offer in oracle.offers.items():
        limits[name if offer.side is Side.SELL else (name, offer.product)] = oracle.free[name][t]
    limits |= {("share", *key): cap for key, cap in oracle.share_caps(t).items()}
    limits |= {("corridor", *key): cap for key, cap in oracle.corridor_caps(t).items()}
    limits |= {("ceiling", *key): cap for key, cap in oracle.ceiling_caps(t).items()}
    limits |= {name: conversion.capacity[t] for name, conversion in oracle.conversions.items()}
    for key, limit in limits.items():
        if used[key] > limit:
            yield f"{key} in {t}: {used[key]} lots, limit {limit}"
    for name, conversion in oracle.conversions.items():
        for need in conversion.inputs:
            wanted = used[name] * oracle.lot[conversion.product] * Fraction(need.quantity_per_output)
            at_hand = Fraction(need.own_stock) + used[name, need.product] * oracle.lot[need.product]
            if wanted > at_hand:
                yield f"{name} in {t}: needs {wanted} of {need.product}, has {at_hand}"


def fees_short(snapshot: Snapshot, contracts: Sequence[Contract]) -> Mapping[str, Fraction]:
    """By how much each conversion earns less than its fee over the horizon, CNY, beyond what whole lots explain.

    Inputs are bought in whole lots: less than one lot of each contract for inputs may lie unprocessed in a period.
    """
    oracle = Oracle(snapshot)
    short = {}
    for name, conversion in oracle.conversions.items():
        earned = Fraction(0)
        for c in contracts:
            length = sum(oracle.worth[c.first : c.last + 1])
            amount = length * oracle.lot[c.product]
            if c.seller == name:
                fee = oracle.total(conversion.fee, c.first, c.last) / length
                earned += c.rate * amount * (Fraction(c.price_ex_works) - fee + HALF_STEP)
            if c.buyer == name:
                earned -= c.rate * amount * (Fraction(c.price_delivered) - HALF_STEP)
                earned += amount * Fraction(c.price_delivered)
        if earned < 0:
            short[name] = -earned
    return short


def welfare_of(snapshot: Snapshot, contracts: Sequence[Contract]) -> Fraction:
    """Bids less asks, freight and fees, CNY over the horizon in money of the first period, exact."""
    oracle = Oracle(snapshot)
    total = Fraction(0)
    for c in contracts:
        seller, buyer = oracle.party(c.seller), oracle.party(c.buyer)
        for t in range(c.first, c.last + 1):
            worth = -Fraction(c.freight)
            worth += Fraction(buyer.price[t]) if isinstance(buyer, Offer) else Fraction(0)
            worth -= Fraction(seller.price[t]) if isinstance(seller, Offer) else Fraction(seller.fee[t])
            total += worth * c.rate * oracle.lot[c.product] * oracle.worth[t]
    return total


def filled_lots(contracts: Sequence[Contract], name: str, periods: int) -> list[int]:
    """Lots per period of an offer, or of a conversion's output."""
    sells = any(c.seller == name for c in contracts)
    mine = [c for c in contracts if (c.seller if sells else c.buyer) == name]
    return [sum(c.rate for c in mine if c.first <= t <= c.last) for t in range(periods)]
