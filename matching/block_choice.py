"""The choice among offers with block terms.

1. A heuristic: from the divisible optimum on, what breaks its terms is left out or raised until nothing is broken. It
   always ends in an answer.
2. What was left out although it would gain, and what was raised at a cost, is decided anew: all of it once, then some
   of it, drawn, again and again.
3. A mixed-integer programme over the candidates that a better answer may have, beginning at that answer, says what it
   would take; who would be matched at a loss at the prices of that is left out and the rest solved again.
4. What has been left out is let in again, the most tempting first, wherever that gains.

The best answer of all stays.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .block_holding import Holder
from .block_program import BlockProgram, Chosen
from .block_rest import Kept, LeftOut, union
from .block_search import SAME, Search
from .block_terms import BlockTerms, Breach, Trade
from .engine import Point
from .pricing import TIE, Duals
from .rounds import Cleared
from .sides import Bools, Floats, Ints

DRAWN = 0.3  # part of what is decided anew at a time
SEED = 20_27  # which part is drawn, but always the same


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchLimits:
    """What the search may take beyond its first step.

    Seconds; times that part of an answer is decided anew; solutions of the mixed-integer programme, nodes of branch
    and bound in each, candidates that it sees; things let in again. The seconds are a safety net: an answer that they
    cut short depends on the machine.
    """

    seconds: float = 30.0
    renewals: int = 20
    nodes: int = 2_000
    rounds: int = 4
    tries: int = 100
    candidates: int = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockBound:
    """What is known of every answer that keeps the block terms, CNY: its welfare is at most `most`, even if someone
    may be matched at a loss; `found` is the best found on those terms, `proved` tells that there is none better."""

    most: float
    found: float
    proved: bool


class Choice:
    """The best answer found for a market with block terms, from its divisible optimum on."""

    def __init__(self, start: Cleared, terms: BlockTerms, limits: SearchLimits) -> None:
        self.start, self.terms, self.limits = start, terms, limits
        self.until = time.monotonic() + limits.seconds
        self.rest = Search(start, terms)
        self.idle = LeftOut(parties=frozenset(np.flatnonzero(terms.idle).tolist()))
        self.barred = self.idle  # what is never let in again
        self.possible, cut = self.rest.possible(self.idle, start.point.duals, limits.candidates)
        self.kept = self._ended(self.idle)
        value, most = start.program.value, self.possible.value
        self.bound = BlockBound(
            most=most * value, found=self.kept.point.value * value, proved=not self._better(self.possible)
        )
        if not self.bound.proved and limits.seconds > 0:
            self._renew()
            self.bound = self._by_integers(cut)
            self._let_in()

    def _ended(self, left_out: LeftOut, raised: frozenset[int] = frozenset()) -> Kept:
        kept = self.rest.without_breach(left_out, raised=raised)
        if kept is None:
            raise AssertionError("without a floor there is always an answer: the one with everything left out")
        return kept

    def _better(self, point: Point | Chosen) -> bool:
        return point.value > self.kept.point.value + SAME * abs(self.kept.point.value)

    def _renew(self) -> None:
        """Decide part of the answer anew, again and again, for a third of the time at most."""
        drawn, until = np.random.default_rng(SEED), self.until - 2 / 3 * self.limits.seconds
        for turn in range(self.limits.renewals):
            if time.monotonic() > until or not self._better(self.possible):
                return
            share = DRAWN if turn else 1.0
            tempting, costly = self._tempting(), self.rest.costly(self.kept)
            left_out = union([one for one in tempting if drawn.random() < share])
            raised = {key for key in costly if drawn.random() < share}
            answer = self.rest.without_breach(
                self.kept.left_out - left_out, self.kept.point.value, self.kept.raised - raised
            )
            self.kept = answer or self.kept

    def _by_integers(self, cut: float) -> BlockBound:
        """The mixed-integer programme, solved again without whom its prices would give a loss.

        `cut` is the reduced cost, at the prices of the possible optimum, of the best candidate it does not see."""
        rest, bound, lost = self.rest, self.bound, self.idle
        blocks = BlockProgram(rest.program, self.terms, rest.rooms, self._worth_seeing())
        for _ in range(self.limits.rounds):
            seconds = (self.until - time.monotonic()) / 2
            known = self.kept.point.variables
            chosen = blocks.solve(rest.allowed(lost), known, seconds=seconds, nodes=self.limits.nodes)
            if chosen is not None and lost == self.idle:
                bound = self._bounded(chosen, cut)
            if chosen is None or not self._better(chosen):
                break
            trade = Trade.of_point(rest.program, chosen.variables)
            taken = lost | rest.beside(trade)
            answer = self._ended(taken, rest.at_minimum(trade))
            if self._better(answer.point):
                self.kept = answer
            if answer.left_out == taken:
                break
            lost |= answer.left_out - taken
        return bound

    def _worth_seeing(self) -> Bools:
        """[candidates of the programme] those of which the least that a contract may have does not lose more, at the
        prices of the possible optimum, than the answer falls short of it: no better answer has another."""
        rest, program = self.rest, self.rest.program
        gap = max(self.possible.value - self.kept.point.value, 0.0) + SAME * abs(self.possible.value)
        return np.asarray(rest.reduced(self.possible)[program.fixed :] * rest.least_rates() >= -gap)

    def _bounded(self, chosen: Chosen, cut: float) -> BlockBound:
        """The bound that the programme gives, if a lot of a candidate that it did not see costs more than the gap."""
        program, divisible = self.rest.program, self.possible.value
        lot = float(program.level.min()) / program.value
        seen = divisible + cut * lot <= chosen.value
        most = min(divisible, max(chosen.bound, chosen.value)) if seen else divisible
        return BlockBound(most=most * program.value, found=chosen.value * program.value, proved=seen and chosen.optimal)

    def _let_in(self) -> None:
        """Let in again what is left out, the most tempting first, until nothing gains or the limits are reached."""
        tries = self.limits.tries
        waiting = self._tempting()
        while waiting and tries > 0 and time.monotonic() < self.until:
            tries -= 1
            left_out = self.kept.left_out - waiting.pop(0)
            floor, raised = self.kept.point.value, self.kept.raised
            answer = self.rest.without_breach(left_out, floor, raised)
            if answer is not None:
                self.kept = answer
                waiting = [one for one in waiting if (one - self.kept.left_out) == LeftOut()]

    def _tempting(self) -> list[LeftOut]:
        """What is left out although it would gain at the shadow prices of the answer, most gain first."""
        gain = self._gains(self.kept.left_out)
        return [one for one, most in sorted(gain, key=lambda pair: -pair[1]) if most > 0]

    def _gains(self, left_out: LeftOut) -> list[tuple[LeftOut, float]]:
        """The largest gain that each thing left out could bring at the answer's shadow prices, in typical values.

        A contract that is left out by name gains by itself only, never the offers at its ends; one that is only not
        raised may trade as it is."""
        rest, sells = self.rest, len(self.rest.market.sellers)
        named = np.array(sorted(left_out.candidates), dtype=np.int64)
        gain, of_name = self._gains_of_lanes(named[rest.least[named // len(rest.market.windows)] > 1])
        of_party = np.zeros(len(self.terms.whole))
        np.maximum.at(of_party, rest.lanes.seller, gain)
        np.maximum.at(of_party, sells + rest.lanes.buyer, gain)
        found = []
        for one in left_out.each():
            if one.parties:
                found.append((one, float(max(of_party[party] for party in one.parties))))
            elif one.firms:
                found.append((one, float(gain[rest.shut(one)].max(initial=0.0))))
            else:
                found.append((one, float(max(of_name.get(key, 0.0) for key in one.candidates))))
        return [pair for pair in found if pair[0] - self.barred != LeftOut()]

    def _gains_of_lanes(self, named: Ints) -> tuple[Floats, dict[int, float]]:
        """[L] what a contract of each lane could gain at most, at the answer's shadow prices and in a window with room
        for its minimum; 0 where an offer trades with nobody. Contracts `named` by key are told apart, by key."""
        rest, market, windows = self.rest, self.rest.market, len(self.rest.market.windows)
        values = rest.values(rest.lanes, rest.program.duals(self.kept.point.duals))
        worth = market.level[market.sellers.product[rest.lanes.seller]] / rest.program.value
        idle, every = rest.shut(self.idle), np.arange(len(rest.lanes))
        most, of_name = np.zeros(len(every)), dict[int, float]()
        for at in range(windows):
            reduced = np.concatenate([np.zeros(0), *(values.reduced(block, at) for block in values.blocks())])
            room = rest.rooms.of(every, np.full(len(every), at))
            gains = (reduced > TIE) & (room >= rest.least) & ~idle
            gain = np.where(gains, np.maximum(reduced, 0.0) * room * worth, 0.0)
            here = named[named % windows == at]
            of_name |= dict(zip(here.tolist(), gain[here // windows].tolist(), strict=True))
            gain[here // windows] = 0.0
            most = np.maximum(most, gain)
        return most, of_name

    def leave_out(self, broken: Sequence[Breach], trade: Trade) -> None:
        """Go on without what whole lots broke, for good: let in at the margin it would break them again."""
        self.barred |= self.rest.furthest(broken, trade)
        self.kept = self._ended(self.kept.left_out | self.barred)

    def regrets(self, prices: Duals) -> bool:
        """Go on without raised contracts whose buyers would pay more than their bids at these prices, which are not
        those of the search; were there any?"""
        losing = self.rest.losing(self.kept.raised, prices)
        if losing:
            self.kept = self._ended(self.kept.left_out | LeftOut(candidates=losing), self.kept.raised - losing)
        return bool(losing)

    def cleared(self) -> Cleared:
        """The answer as a clearing of the divisible rest. What is left out but would gain nothing at its shadow
        prices is let in, so that prices are asked to keep it out."""
        kept_out = self.barred | union([one for one, gain in self._gains(self.kept.left_out) if gain > 0])
        return self.rest.reduced_program(replace(self.kept, left_out=kept_out))

    @property
    def holder(self) -> Holder:
        """What keeps the answer's terms in any programme that has its candidates."""
        trade = Trade.of_point(self.rest.program, self.kept.point.variables)
        return Holder(self.terms, trade, self.rest.raised_lots(self.kept.raised))
