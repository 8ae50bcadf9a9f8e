"""The two sides of a market as arrays, in an order fixed by content and never by input.

On the selling side stand sell offers, then the outputs of conversions; on the buying side buy offers, then the
inputs of conversions, one for each input product. Arrays are aligned by position on a side; `label` names it.
Prices are CNY per lot here (price per unit x lot size), in money of the first period; quantities are lots.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from .snapshot import Conversion, Snapshot

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSide:
    """Everyone who sells, or everyone who buys; n positions, T periods, K attributes, C certificates.

    `offers` counts the leading positions that are firms' offers; from there on they belong to conversions, and
    `conversion` gives which (-1 for offers). `windows` in which a position may contract are those inside its open
    periods with `min_term` <= length <= `max_term`.
    """

    label: tuple[str, ...]
    content: tuple[str, ...]  # [n] what is offered, whoever offers it
    offers: int
    conversion: Ints  # [n]
    firm: Ints  # [n] index into Market.firms
    supplier: Ints  # [n] firm group, affiliates merged
    product: Ints  # [n]
    rank: Ints  # [n] rank of the grade offered or required
    region: Ints  # [n]
    quantity: Ints  # [n, T] lots free for contracts, commitments taken off; 0 for conversion inputs
    open: Bools  # [n, T]
    price: Floats  # [n, T] CNY per lot; 0 for conversions
    min_term: Ints  # [n]
    max_term: Ints  # [n]
    attributes: Floats  # [n, K] NaN where nothing is guaranteed or required
    certificates: Ints  # [n, C] sellers: last valid position; buyers: >= 0 where required; -1 for none
    freight_included: Bools  # [n]
    max_share: tuple[Decimal | None, ...]  # [n] largest share one supplier may have of a demand
    approved: tuple[frozenset[int] | None, ...]  # [n] firms a buyer accepts; None accepts all
    origin: Ints  # [n] index into Market.origins: where a seller's material comes from
    barred: Bools  # [n, O] origins that a buyer, or a rule for its region, does not admit

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """A snapshot, or one sub-market of it, as arrays.

    The clearing counts in values at `level`, so that a square metre and a tonne compare, and one tolerance means the
    same relative price everywhere. `freight[p, a, b]` is CNY per lot, NaN where there is no lane. `coefficient[k]` is
    lots of input per lot of output for the k-th conversion input, which is buying position `buyers.offers + k`;
    `own_stock[k]` is lots per period, possibly with a fraction.
    """

    snapshot: Snapshot
    products: tuple[str, ...]
    regions: tuple[str, ...]
    firms: tuple[str, ...]
    origins: tuple[str, ...]
    attribute_sign: Floats  # [K] +1 for at-least, -1 for at-most
    lot: tuple[Decimal, ...]  # [P] units of the product
    sellers: MarketSide
    buyers: MarketSide
    conversions: tuple[Conversion, ...]
    capacity: Ints  # [M, T] lots of output
    fee: Floats  # [M, T] CNY per lot of output
    worth: Floats  # [T] what one yuan of each period is worth in the first
    coefficient: tuple[Fraction, ...]  # [K_in]
    own_stock: tuple[Fraction, ...]  # [K_in] lots per period
    freight: Floats  # [P, R, R]
    excluded: frozenset[tuple[int, int]]  # ordered pairs of firm indices, both ways round
    windows: Ints  # [W, 2] admissible first and last positions
    level: Floats  # [P] typical price of each product, CNY per lot

    @property
    def periods(self) -> int:
        return len(self.snapshot.horizon)

    @property
    def lengths(self) -> Floats:
        """[W] periods of each admissible window, later ones counted at what their money is worth in the first."""
        sums = np.concatenate([[0.0], np.cumsum(self.worth)])
        return np.asarray(sums[self.windows[:, 1] + 1] - sums[self.windows[:, 0]])
