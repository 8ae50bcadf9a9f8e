"""Welfare: where the clearing of a market begins, and its optimum over all candidates of all lanes.

There are very many candidates and few rows, so candidates are generated (see `rounds`). A good start saves most of the
work. It comes from simpler markets (see `guides`): the hubs of a market with many offers, the average market of one
with few, the market of each segment, and the market in which whoever asks for a long term has to have it. They decide
where the clearing begins, never where it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from . import guides
from .engine import Engine
from .guides import Guide
from .hub_programme import AtHubs, HubProgramme
from .hub_trades import stand_at_hubs
from .hubs import hubs_of, ruled
from .ladder import Ladder, ladder_of, of_one_window
from .lanes import Lanes
from .lifting import NO_WINDOW, Stand, begin, stand
from .pricing import Candidates, Duals, Values, admitted, best_candidates, zero_duals
from .program import Program
from .rounds import Begun, Cleared, Course, Heard, ceiling, solved
from .segments import Segments, between_boundaries
from .sides import Market

WHOLE = 5_000  # candidates; a market with no more is written out with all of them
THICK = 700  # offers of a market that are too many to begin without its hubs
# Offers at each hub, and the part of the buyers whom rules about pairs concern, with which a ladder is cleared at hubs.
# Against segments that takes an eighth of the time with 3.2 offers a hub and conversions, two thirds without, and a
# third more with 1.2 offers a hub; with rules for one buyer in twenty a sixth to a quarter less, for one in eight a
# sixth more.
SEVERAL, RULED = 2.0, 0.05
AROUND = 0.02  # of the typical price, per period: a lane that loses more at the prices of a guide is not begun with,
NEARLY = 0.005  # or this where lanes are many
ASIDE = 0.01  # the same for a programme that begins from nothing; an interior solve takes little longer with more
PLENTY = 16  # candidates for each row that a start from other prices has at most
OWN = 8  # lanes of each position that are there even if they lose: who has too few leads the prices astray
AT_HUB = 2  # the same for a start from hubs, whose trades are there besides
ANY = 1e9  # typical prices: no lane loses as much


def clear(
    market: Market, lanes: Lanes, engine: type[Engine], progress: Heard | None = None, *, in_parts: bool = True
) -> Cleared:
    """The welfare optimum over all candidates of all lanes.

    `progress` is called with (round, largest reduced cost) after each pass. Long windows are traded in their parts,
    which have the same optimum, unless that is not wanted: who asks for block terms counts contracts.
    :raises engine.SolverFailed: the solver found no optimum of a restricted programme.
    """
    course = Course(progress)
    if len(lanes) * len(market.windows) <= WHOLE:
        program = Program(market, lanes, engine, in_parts=in_parts)
        program.add(Values(market, lanes, zero_duals(market, lanes)).within(-ANY))
        return solved(Begun(program=program), course)
    if (market.windows == [0, market.periods - 1]).all():
        return solved(_of_one_window(Guide(market=market, lanes=lanes), engine), course)
    return solved(_of_windows(market, lanes, engine, course, in_parts=in_parts), course)


def _of_one_window(guide: Guide, engine: type[Engine]) -> Begun:
    """The start of a market of one window: at its hubs where it has many offers, else from what would gain most if
    nothing were scarce."""
    market, lanes = guide.market, guide.lanes
    program = Program(market, lanes, engine)
    if _crowded(market):
        return _from_hubs(program, _hubs_of_one_window(program, engine))
    program.add(best_candidates(lanes, Values(market, lanes, zero_duals(market, lanes)).best()))
    return Begun(program=program)


def _crowded(market: Market) -> bool:
    """Has a market too many offers to begin without its hubs?"""
    return _offers(market) > THICK


def _offers(market: Market) -> int:
    return market.sellers.offers + market.buyers.offers


def alike(market: Market) -> bool:
    """Do several offers share each hub, without rules that set them apart? Then windows are cleared at hubs, too; else
    segments and their pairs are the better guide."""
    return _offers(market) >= SEVERAL * len(hubs_of(market)) and ruled(market) <= RULED


def _hubs_of_one_window(program: Program, engine: type[Engine]) -> HubProgramme:
    return HubProgramme(program, of_one_window(program.market), engine)


def _from_hubs(program: Program, programme: HubProgramme) -> Begun:
    """The start of a market whose hubs are cleared, where what flows is cut into pairs."""
    at_hubs = programme.clear(program)
    duals = program.duals(at_hubs.duals)
    values = Values(program.market, program.lanes, duals)
    ended = stand_at_hubs(program, programme, at_hubs, values)
    del programme, at_hubs  # large, and candidates need the room
    program.add(best_candidates(program.lanes, values.best(), least=-AROUND * program.market.periods, each=AT_HUB))
    if ended is not None:
        program.add(ended.basic)
        begin(program, [ended])
    return _below(program, duals)


def _likely(program: Program, duals: Duals, loss: float) -> Candidates:
    """The candidates that lose little at the prices of a guide, and the best of each position."""
    values, least = Values(program.market, program.lanes, duals), -AROUND * program.market.periods
    near = values.nearest(loss, PLENTY * len(program.limits))
    return near.followed_by(best_candidates(program.lanes, values.best(), least=least, each=OWN).without(near))


def _below(program: Program, duals: Duals) -> Begun:
    """A programme with its first candidates, values inside the chain looked for near those of a guide."""
    return Begun(program=program, ceiling=ceiling(program, program.row_duals(duals)))


def _of_windows(market: Market, lanes: Lanes, engine: type[Engine], course: Course, *, in_parts: bool) -> Begun:
    """The start of a market of several windows: the markets of its segments side by side, then with the terms that are
    asked for."""
    segments = between_boundaries(market.windows, market.periods)
    ladder = ladder_of(market, segments)
    if ladder is not None and _crowded(market) and alike(market):
        program = Program(market, lanes, engine, in_parts=in_parts)
        return _from_hubs(program, _hubs_of_ladder(program, ladder, engine))
    each = (guides.of_segment(market, lanes, segments, at) for at in range(len(segments)))
    if _crowded(market):
        left = list(_at_hubs(each, engine, course))
    else:
        left = list(_in_turn(guides.average(market, lanes), each, engine, course))
    stands = [one.stand.over(_window_of(market, segments, at)) for at, one in enumerate(left) if one.stand is not None]
    program = Program(market, lanes, engine, in_parts=in_parts)
    return _with_terms(program, guides.by_segment([one.duals for one in left], segments), stands)


def _hubs_of_ladder(program: Program, ladder: Ladder, engine: type[Engine]) -> HubProgramme:
    """The hubs of a market of a ladder of windows, which begin where those of each segment end."""
    segments: HubProgramme | None = None
    ended: list[AtHubs] = []
    for at in range(len(program.segments)):
        guide = guides.of_segment(program.market, program.lanes, program.segments, at)
        alone = Program(guide.market, guide.lanes, engine)
        segments = segments or _hubs_of_one_window(alone, engine)
        ended.append(segments.clear(alone))
    programme = HubProgramme(program, ladder, engine)
    if segments is not None:
        programme.begin(program, segments, ended)
    return programme


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """What a market that guides leaves; its programme is let go, as there is not room for all of them."""

    duals: Duals
    stand: Stand | None


def _at_hubs(each: Iterable[Guide], engine: type[Engine], course: Course) -> Iterator[_Left]:
    """What the markets of segments leave that begin at their hubs, each hub where it was left in the segment before."""
    programme = None
    for guide in each:
        program = Program(guide.market, guide.lanes, engine)
        programme = programme or _hubs_of_one_window(program, engine)
        yield _left_by(_from_hubs(program, programme), course)


def _in_turn(first: Guide, each: Iterable[Guide], engine: type[Engine], course: Course) -> Iterator[_Left]:
    """What the markets of segments leave that begin each where the one before ended."""
    before = _left_by(_of_one_window(first, engine), course)
    for guide in each:
        before = _left_by(_after(before, guide, engine), course)
        yield before


def _left_by(guide: Begun, course: Course) -> _Left:
    cleared = solved(guide, course, roughly=True)
    return _Left(duals=cleared.duals, stand=stand(cleared))


def _after(before: _Left, guide: Guide, engine: type[Engine]) -> Begun:
    """The start of a market of one window where another such market ended."""
    program, ended = Program(guide.market, guide.lanes, engine), before.stand
    likely = _likely(program, before.duals, NEARLY)
    program.add(likely if ended is None else likely.followed_by(ended.basic))
    begin(program, [ended] if ended is not None else [])
    return _below(program, before.duals)


def _with_terms(program: Program, duals: Duals, ended: Sequence[Stand]) -> Begun:
    """The start of a market of several windows where those of its segments ended: what they trade is closed where a
    longer term is asked for.

    A tangled programme begins from nothing: so much of what segments trade would be closed that the way back is
    longer."""
    program.add(_likely(program, duals, ASIDE if program.tangled else NEARLY))
    if not program.tangled:
        for one in ended:
            program.add(one.basic)
        program.close(~admitted(program.market, program.lanes, program.candidates))
        begin(program, ended)
    return _below(program, duals)


def _window_of(market: Market, segments: Segments, at: int) -> int:
    """The window that is one segment, NO_WINDOW where none is."""
    first, last = segments.first[at], segments.first[at] + segments.length[at] - 1
    found = np.flatnonzero((market.windows == [first, last]).all(axis=1))
    return int(found[0]) if len(found) else NO_WINDOW
