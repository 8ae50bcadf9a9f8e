"""`python -m benchmarks.enumeration`: random tiny markets, every whole-lot allocation tried, against the clearing.

One product, one period: there the divisible optimum is whole lots, so trying all allocations gives the same welfare
to the last cent, and the greatest volume among the best.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from random import Random

from market.periods import Horizon
from matching.run import run
from matching.snapshot import Grade, Offer, Side, Snapshot

REGIONS = ("east", "west")
MOST = 3  # offers a side, and lots of each


def tiny_market(seed: int) -> Snapshot:
    """One to three sellers and buyers of one to three lots, two grades, two regions of which some may not trade."""
    rng = Random(seed)
    offers = [
        _tiny_offer(rng, side, f"{letter}{at}")
        for side, letter in ((Side.SELL, "s"), (Side.BUY, "b"))
        for at in range(rng.randint(1, MOST))
    ]
    freight = {
        ("*", origin, destination): Decimal(rng.randint(0, 3))
        for origin in REGIONS
        for destination in REGIONS
        if origin != destination and rng.random() < 0.7
    }
    grades = tuple(
        Grade(product="ore", grade=name, rank=rank, lot=Decimal(1), unit="t")
        for name, rank in (("plain", 1), ("fine", 2))
    )
    return Snapshot(horizon=Horizon.parse(["2027"]), grades=grades, offers=tuple(offers), freight=freight)


def _tiny_offer(rng: Random, side: Side, label: str) -> Offer:
    """Few prices, so that ties are common."""
    return Offer(
        offer=label,
        side=side,
        firm=f"firm {label}",
        product="ore",
        grade=rng.choice(("plain", "fine")),
        region=rng.choice(REGIONS),
        quantity=(rng.randint(1, MOST),),
        price=(Decimal(rng.randint(1, 6)) + (2 if side is Side.BUY else 0),),
    )


def best_of_all(snapshot: Snapshot) -> tuple[Decimal, int]:
    """The greatest welfare over all allocations, CNY, and the greatest volume in lots that reaches it."""
    sellers = [offer for offer in snapshot.offers if offer.side is Side.SELL]
    buyers = [offer for offer in snapshot.offers if offer.side is Side.BUY]
    pairs = [(i, j) for i in range(len(sellers)) for j in range(len(buyers))]
    gain = {(i, j): _gain(snapshot, sellers[i], buyers[j]) for i, j in pairs}

    @cache
    def best(at: int, left: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[Decimal, int]:
        if at == len(pairs):
            return Decimal(0), 0
        i, j = pairs[at]
        each = gain[i, j]
        found = []
        for lots in range(1 + (0 if each is None else min(left[i], wanted[j]))):
            after = best(at + 1, _less(left, i, lots), _less(wanted, j, lots))
            found.append((after[0] + lots * (each or Decimal(0)), after[1] + lots))
        return max(found)

    return best(0, tuple(o.quantity[0] for o in sellers), tuple(o.quantity[0] for o in buyers))


def _gain(snapshot: Snapshot, seller: Offer, buyer: Offer) -> Decimal | None:
    """CNY per lot, None where the two may not trade."""
    rank = {grade.grade: grade.rank for grade in snapshot.grades}
    same = seller.region == buyer.region
    cost = Decimal(0) if same else snapshot.freight.get(("*", seller.region, buyer.region))
    if cost is None or rank[seller.grade] < rank[buyer.grade]:
        return None
    return buyer.price[0] - seller.price[0] - cost


def _less(lots: tuple[int, ...], at: int, taken: int) -> tuple[int, ...]:
    return (*lots[:at], lots[at] - taken, *lots[at + 1 :])


def difference(seed: int) -> str:
    """What the clearing of a market gets wrong, in words; nothing when it is right."""
    snapshot = tiny_market(seed)
    answer = run(snapshot)
    welfare, volume = best_of_all(snapshot)
    traded = sum(contract.rate for contract in answer.contracts)
    if answer.certificate.welfare != welfare or traded != volume or not answer.certificate.holds:
        return f"market {seed}: welfare {answer.certificate.welfare}, {traded} lots; best {welfare}, {volume} lots"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every market is cleared as enumeration does, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.enumeration", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    asked = parser.parse_args(arguments)
    wrong = [words for words in map(difference, range(asked.count)) if words]
    print("\n".join([*wrong, f"{asked.count} markets, {len(wrong)} differ"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
