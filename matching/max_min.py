"""The max-min point of a face: its vector of measures lexicographically largest, sorted upwards.

It is found by levels: raise the smallest open measure as far as it goes, hold whoever cannot rise further (a positive
dual says so), go on with the rest. It is unique in the measures, so it depends on no order.
Source of the method: Nace and Pioro, "Max-min fairness and its applications to routing and load-balancing", 2008.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from .engine import AT_LOWER, BASIC, INFINITY, Basis, Face
from .pieces import connected
from .pricing import TIE
from .sides import Bools, Floats, Ints

HELD = 1e-9  # slack with which a reached measure is held, so that rounding cannot empty the face
OPEN = 1e-7  # a measure that can move by more than this is not settled
ASK_AGAIN = 10  # levels between two looks at what is still open
SEED = 20_27  # the direction that tells whether a measure is still open is drawn, but always the same


def max_min(face: Face, measures: sparse.csr_array) -> Floats:
    """[measures] what has to be held for the max-min point, and where; NaN for a measure that is the same all over the
    face, or will be once the others are held.

    Parts of the face that share no row and no open measure are independent: each has a floor of its own, and all floors
    rise in one programme.
    """
    levels = np.full(measures.shape[0], np.nan)
    asked = np.flatnonzero(_open(face, measures)[0])
    if not len(asked):  # as in most large markets; asked before the face is made larger
        return levels
    first, count = len(face.lower), len(asked)  # the first measure among the variables to come
    part, unsettled = _parts(face, measures[asked]), np.ones(count, dtype=bool)
    wide = _with_measures(face, measures[asked], part)
    while unsettled.any():
        for _ in range(ASK_AGAIN):
            reached, level = _raised(wide, first, part, unsettled)
            levels[asked[reached]] = level[reached]
            unsettled &= ~reached
            if not unsettled.any():
                return levels
            wide = _held_at(wide, first, reached, level)
        unsettled &= _open(wide, _variables(wide, first, count))[0]  # holding one may settle the rest of its part
    return levels


def constant(face: Face, count: int) -> Floats:
    """[count] the first variables of a face where they are the same all over it; NaN for the others."""
    open_, values = _open(face, _variables(face, 0, count))
    return np.where(open_, np.nan, values)


def held(face: Face, measures: sparse.csr_array, levels: Floats) -> Face:
    """The part of a face with measures at their levels, where they are to be held; see `max_min`. It has an engine of
    its own, with one row more for each of them."""
    which = np.flatnonzero(np.isfinite(levels))
    if not len(which):
        return face
    engine = type(face.engine)(len(face.row_lower) + len(which))
    engine.add_columns(sparse.csc_array(sparse.vstack([face.engine.matrix, measures[which]], format="csc")))
    stood = face.engine.basis()
    if stood is not None:
        engine.begin(replace(stood, rows=np.concatenate([stood.rows, np.full(len(which), BASIC)])))
    return replace(
        face,
        engine=engine,
        row_lower=np.concatenate([face.row_lower, levels[which] - HELD]),
        row_upper=np.concatenate([face.row_upper, levels[which] + HELD]),
    )


def _raised(wide: Face, first: int, part: Ints, unsettled: Bools) -> tuple[Bools, Floats]:
    """The smallest unsettled measures of each part as large as they can be: which of them cannot rise further, and the
    level that the part of each measure has reached. Measures begin after `first` variables; see `_with_measures`."""
    count = len(part)
    rising = np.zeros(len(wide.lower))
    rising[first + count + np.unique(part[unsettled])] = 1.0
    floored = replace(
        wide,
        row_lower=np.concatenate([wide.row_lower[:-count], np.where(unsettled, 0.0, -INFINITY)]),
        upper=np.where(rising > 0, INFINITY, wide.upper),
    )
    best = floored.maximise(rising, near=True)
    return unsettled & (best.duals[-count:] < -TIE), best.variables[first + count :][part]


def _held_at(wide: Face, first: int, reached: Bools, level: Floats) -> Face:
    """The part of a wide face where some measures are at a level."""
    lower, upper = wide.lower.copy(), wide.upper.copy()
    at = first + np.flatnonzero(reached)
    lower[at], upper[at] = level[reached] - HELD, level[reached] + HELD
    return replace(wide, lower=lower, upper=upper)


def _parts(face: Face, measures: sparse.csr_array) -> Ints:
    """Which independent part of the face each measure belongs to, counted from 0."""
    free = np.flatnonzero(face.upper > face.lower)
    table = sparse.vstack([face.engine.matrix, measures], format="csc")
    of_row, _ = connected(sparse.csc_array(table[:, free]))
    rows = face.engine.matrix.shape[0]
    _, numbered = np.unique(of_row[rows:], return_inverse=True)
    return np.asarray(numbered, dtype=np.int64)


def _with_measures(face: Face, measures: sparse.csr_array, part: Ints) -> Face:
    """The face with a variable for each measure and a floor, at rest, for each part; rows say what a measure is and
    that it stands above its floor."""
    rows, count, parts = face.engine.matrix.shape[0], measures.shape[0], int(part.max(initial=-1)) + 1
    engine = type(face.engine)(rows + 2 * count)
    none = sparse.csc_array((count, len(face.lower)))
    engine.add_columns(sparse.csc_array(sparse.vstack([face.engine.matrix, measures, none], format="csc")))
    same = sparse.eye_array(count, format="csc")
    above = sparse.csc_array((rows, count))
    engine.add_columns(sparse.csc_array(sparse.vstack([above, -same, same], format="csc")))
    under = sparse.csc_array(
        (-np.ones(count), (rows + count + np.arange(count), part)), shape=(rows + 2 * count, parts)
    )
    engine.add_columns(under)
    stood = face.engine.basis()
    if stood is not None:  # each measure follows what it measures, floors rest, so nothing has to move
        variables = [stood.variables, np.full(count, BASIC), np.full(parts, AT_LOWER)]
        standing = [stood.rows, np.full(count, AT_LOWER), np.full(count, BASIC)]
        engine.begin(Basis(variables=np.concatenate(variables), rows=np.concatenate(standing)))
    none_yet = np.full(count, INFINITY)
    return Face(
        engine=engine,
        row_lower=np.concatenate([face.row_lower, np.zeros(count), -none_yet]),
        row_upper=np.concatenate([face.row_upper, np.zeros(count), none_yet]),
        lower=np.concatenate([face.lower, -none_yet, np.zeros(parts)]),
        upper=np.concatenate([face.upper, none_yet, np.zeros(parts)]),
    )


def _variables(face: Face, first: int, count: int) -> sparse.csr_array:
    """Some variables of a face as measures."""
    where = np.arange(count), first + np.arange(count)
    return sparse.csr_array((np.ones(count), where), shape=(count, len(face.lower)))


def _open(face: Face, measures: sparse.csr_array) -> tuple[Bools, Floats]:
    """Measures that are not the same all over the face; and all of them at one point of it.

    If a face allows two vectors of measures, a drawn direction tells them apart with probability one; those it did not
    are asked once more, by themselves.
    """
    weights = np.random.default_rng(SEED).uniform(0.5, 1.5, measures.shape[0])
    found = np.zeros(len(weights), dtype=bool)
    while True:
        direction = measures.T @ np.where(found, 0.0, weights)
        low, high = (measures @ face.maximise(sign * direction, near=True).variables for sign in (-1.0, 1.0))
        differing = (np.abs(high - low) > OPEN) & ~found
        if not differing.any():
            return found, high
        found |= differing
