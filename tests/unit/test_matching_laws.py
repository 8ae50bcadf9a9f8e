"""Laws of the clearing, on markets drawn at random and against a second opinion that writes every candidate out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from matching import certificate, clearing
from matching.answer import PRICE_STEP, Answer, Contract, Reason
from matching.run import run
from matching.snapshot import Commitment, Side, Snapshot

from .market_changes import MANY, mixed, renamed, scaled
from .market_checks import faults, fees_short, filled_lots, welfare_of
from .market_oracle import SAME, Oracle, free_quantity
from .markets import FIRMS, REGIONS, markets

CENT = 0.01  # welfare is told in whole cents, bound and loss too

laws = settings(max_examples=40, derandomize=True)
few = settings(max_examples=20, derandomize=True)


@pytest.fixture(scope="module", params=["with all candidates", "at hubs"], autouse=True)
def beginning(request: pytest.FixtureRequest) -> Iterator[None]:
    """Laws hold wherever a clearing begins: drawn markets are too small to begin at their hubs, unless they have to."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "at hubs":
            patch.setattr(clearing, "SEVERAL", 0.0)
            patch.setattr(clearing, "RULED", 1.0)
            patch.setattr(clearing, "WHOLE", -1)
            patch.setattr(clearing, "THICK", -1)
        yield


def any_market() -> st.SearchStrategy[Snapshot]:
    return st.one_of(markets(), markets(chain=True))


def close(one: float, other: float) -> bool:
    return one == pytest.approx(other, rel=SAME, abs=2 * CENT)


def fills(answer: Answer) -> dict[str, tuple[int, ...]]:
    return {result.offer: result.filled for result in answer.results}


def unchanged_prices(one: Answer, other: Answer, renamed: Callable[[str], str] = str) -> None:
    """Equal locked prices of what both answers contract; where nothing but offers meet in a single period equal
    shadow prices, too.

    Over several periods only means over windows are determined, not how they spread over the periods.
    """

    def locked(answer: Answer, name: Callable[[str], str]) -> dict[object, float]:
        found = {(name(c.seller), name(c.buyer), c.first, c.last): c for c in answer.contracts}
        return {key: float(contract.price_ex_works) for key, contract in found.items()}

    def shadow(answer: Answer, name: Callable[[str], str]) -> dict[object, float]:
        return {(price.kind, tuple(map(name, price.subject))): float(price.value) for price in answer.prices}

    before, after = locked(one, renamed), locked(other, str)
    for key in before.keys() & after.keys():
        assert after[key] == pytest.approx(before[key], rel=1e-6, abs=float(PRICE_STEP)), key
    kinds = {price.kind for price in one.prices + other.prices}
    if max(len(result.filled) for result in one.results) == 1 and kinds <= {"offer", "hub"}:
        before, after = shadow(one, renamed), shadow(other, str)
        for key in before | after:
            assert after.get(key, 0.0) == pytest.approx(before.get(key, 0.0), rel=1e-6, abs=float(PRICE_STEP)), key


# What an answer must be, whatever the market


@laws
@given(any_market())
def test_welfare_and_rounding_loss_are_the_optimum_over_all_candidates(market: Snapshot) -> None:
    answer = run(market).certificate
    assert close(float(answer.welfare + answer.rounding_loss), Oracle(market).welfare)
    assert answer.rounding_loss >= -Decimal("0.02")


@laws
@given(any_market())
def test_no_rule_is_broken_and_the_welfare_told_is_the_contracts(market: Snapshot) -> None:
    answer = run(market)
    assert faults(market, answer.contracts) == []
    assert close(float(answer.certificate.welfare), float(welfare_of(market, answer.contracts)))


@laws
@given(any_market())
def test_certificate_holds_and_can_be_worked_out_again_from_the_answer(market: Snapshot) -> None:
    answer = run(market)
    proof = answer.certificate
    assert (proof.violations, proof.blocking_pairs) == ((), 0)
    again = certificate.check(market, answer.contracts, answer.prices)
    assert (again.violations, again.blocking_pairs) == ((), 0)
    assert (again.welfare, again.lanes, again.candidates) == (proof.welfare, proof.lanes, proof.candidates)
    assert close(float(again.dual_bound), float(proof.dual_bound))


@laws
@given(any_market())
def test_the_dual_bound_is_the_optimum(market: Snapshot) -> None:
    proof = run(market).certificate
    assert close(float(proof.dual_bound), Oracle(market).welfare)
    assert close(float(proof.gap), float(proof.dual_bound - proof.welfare))


@laws
@given(markets(periods=1, rules=False, limits=False, most=3, offers=2))
def test_without_limits_nothing_is_lost_to_whole_lots(market: Snapshot) -> None:
    answer = run(market).certificate
    assert answer.rounding_loss == 0
    assert close(float(answer.welfare), Oracle(market).best_in_whole_lots())


@few
@given(markets(periods=2, most=2, offers=2), markets(periods=1, chain=True, most=2, offers=1))
def test_whole_lots_are_no_better_than_the_best_found_by_trying_all(one: Snapshot, two: Snapshot) -> None:
    for market in (one, two):
        assume(len(Oracle(market).candidates) <= 6)
        best = Oracle(market).best_in_whole_lots()
        answer = run(market).certificate
        assert float(answer.welfare) <= best + CENT
        assert best <= float(answer.dual_bound) + CENT


@laws
@given(markets(chain=True))
def test_a_conversion_earns_its_fee_or_more(market: Snapshot) -> None:
    assert fees_short(market, run(market).contracts) == {}


@laws
@given(any_market())
def test_every_offer_and_conversion_has_one_result_that_its_contracts_bear_out(market: Snapshot) -> None:
    answer = run(market)
    labels = [offer.offer for offer in market.offers] + [c.conversion for c in market.conversions]
    assert sorted(labels) == [result.offer for result in answer.results]
    for result in answer.results:
        assert list(result.filled) == filled_lots(answer.contracts, result.offer, len(market.horizon))
        assert (result.reason is Reason.MATCHED) == any(result.filled)
        assert (result.distance is not None) == (result.reason is Reason.OUT_OF_THE_MONEY)


@laws
@given(any_market())
def test_no_lane_is_the_reason_exactly_where_there_is_none(market: Snapshot) -> None:
    oracle, reasons = Oracle(market), {r.offer: r.reason for r in run(market).results}
    sides = {c.seller for c in oracle.candidates} | {c.buyer for c in oracle.candidates}
    for offer in market.offers:
        assert (reasons[offer.offer] is Reason.NO_ELIGIBLE_LANE) == (offer.offer not in sides)


# What must not matter


def shares_alike(market: Snapshot, one: Mapping[str, Sequence[int]], other: Mapping[str, Sequence[int]]) -> None:
    """Equal filled shares of the horizon, as near as whole lots allow."""
    near = 0.02 if market.conversions else (len(market.offers) * len(market.horizon)) / MANY
    for offer in market.offers:
        offered = sum(free_quantity(market, offer))
        if offered:
            shares = sum(one[offer.offer]) / offered, sum(other[offer.offer]) / offered
            assert shares[0] == pytest.approx(shares[1], abs=near), offer.offer


@few
@given(any_market(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(market: Snapshot, random: Random) -> None:
    other = replace(
        market,
        grades=mixed(market.grades, random),
        offers=mixed(market.offers, random),
        conversions=mixed(tuple(replace(c, inputs=mixed(c.inputs, random)) for c in market.conversions), random),
        corridors=mixed(market.corridors, random),
        ceilings=mixed(market.ceilings, random),
        windows=None if market.windows is None else mixed(market.windows, random),
        freight=dict(mixed(tuple(market.freight.items()), random)),
    )
    assert market.digest() == other.digest()
    one, two = run(market), run(other)
    assert (one.contracts, one.results, one.prices) == (two.contracts, two.results, two.prices)
    assert replace(one.certificate, seconds={}, peak_memory=0) == replace(two.certificate, seconds={}, peak_memory=0)


@few
@given(any_market().map(scaled), st.randoms(use_true_random=False))
def test_other_names_change_no_price_and_no_filled_share(market: Snapshot, random: Random) -> None:
    # What is free and fed into a chain is a case of its own.
    assume(not market.conversions or all(all(offer.price) for offer in market.offers))
    names = {
        *(o.offer for o in market.offers),
        *(c.conversion for c in market.conversions),
        *(o.firm for o in market.offers),
        *(c.firm for c in market.conversions),
        *market.affiliates.values(),
        *FIRMS,
        *REGIONS,
    }
    order = random.sample(sorted(names), len(names))
    new = {name: f"{at:02d} {name}" for at, name in enumerate(order)}
    one, two = run(market), run(renamed(market, lambda name: new.get(name, name)))
    unchanged_prices(one, two, lambda name: new.get(name, name))
    after = fills(two)
    shares_alike(market, fills(one), {name: after[new[name]] for name in fills(one)})
    for before, now in zip(one.results, sorted(two.results, key=lambda r: r.offer[3:]), strict=True):
        assert (before.reason, before.failed) == (now.reason, now.failed)


@few
@given(any_market().map(scaled), st.data())
def test_offers_that_only_differ_by_firm_are_filled_alike(market: Snapshot, data: st.DataObject) -> None:
    market = replace(market, exclusions=frozenset(), commitments=(), affiliates={}, ceilings=())
    market = replace(market, offers=tuple(replace(o, approved_firms=None) for o in market.offers))
    one_of = data.draw(st.sampled_from(market.offers))
    assume(all(one_of.price))
    # Each of a firm that has nothing else to sell: a largest share tells firms apart.
    twins = replace(one_of, firm="Yan"), replace(one_of, offer="0 twin", firm="Zoe")
    others = tuple(offer for offer in market.offers if offer.offer != one_of.offer)
    answer = run(replace(market, offers=(*others, *twins)))
    one, two = sum(fills(answer)[one_of.offer]), sum(fills(answer)["0 twin"])
    contracts = sum({c.seller, c.buyer} & {one_of.offer, "0 twin"} != set() for c in answer.contracts)
    assert abs(one - two) <= (contracts + 1) * len(market.horizon) * (20 if market.conversions else 1)


@laws
@given(markets(periods=1, rules=False, offers=3, most=40), st.data())
def test_whole_lots_part_what_the_market_cannot_tell_apart_by_one_lot_at_most(
    market: Snapshot, data: st.DataObject
) -> None:
    """In one period, where no firm meets a rule of its own, two offers alike end within a lot of each other."""
    market = replace(market, exclusions=frozenset(), commitments=(), affiliates={}, ceilings=())
    one_of = data.draw(st.sampled_from(market.offers))
    twins = replace(one_of, firm="Yan"), replace(one_of, offer="0 twin", firm="Zoe")
    others = tuple(offer for offer in market.offers if offer.offer != one_of.offer)
    filled = fills(run(replace(market, offers=(*others, *twins))))
    assert abs(filled[one_of.offer][0] - filled["0 twin"][0]) <= 1


@few
@given(any_market().map(scaled), st.data())
def test_splitting_an_offer_changes_neither_welfare_nor_fill_nor_prices(market: Snapshot, data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from(market.offers))
    assume(all(whole.price) and not any(whole.offer in (c.sell, c.buy) for c in market.commitments))
    half = replace(whole, quantity=tuple(q // 2 for q in whole.quantity))
    halves = (half, replace(half, offer="0 half"))
    others = tuple(o for o in market.offers if o.offer != whole.offer)
    one, two = run(market), run(replace(market, offers=(*others, *halves)))
    assert close(
        float(one.certificate.welfare + one.certificate.rounding_loss),
        float(two.certificate.welfare + two.certificate.rounding_loss),
    )
    after = dict(fills(two))
    after[whole.offer] = tuple(a + b for a, b in zip(after[whole.offer], after.pop("0 half"), strict=True))
    shares_alike(market, fills(one), after)
    kept = tuple(price for price in two.prices if price.subject[0] != "0 half")
    unchanged_prices(one, replace(two, prices=kept))


@few
@given(markets(limits=False), markets(limits=False, chain=True))
def test_markets_of_different_products_do_not_touch_each_other(one: Snapshot, two: Snapshot) -> None:
    assume(len(one.horizon) == len(two.horizon))
    _independent(one, renamed(replace(two, discount=one.discount), "other {}".format))


def _independent(one: Snapshot, two: Snapshot) -> None:
    both = replace(
        one,
        grades=one.grades + two.grades,
        offers=one.offers + two.offers,
        conversions=one.conversions + two.conversions,
        freight={**one.freight, **two.freight},
    )
    joint, apart = run(both), (run(one), run(two))

    def unbundled(contracts: Sequence[Contract]) -> set[Contract]:
        return {replace(contract, bundle="") for contract in contracts}

    assert unbundled(joint.contracts) == unbundled([c for answer in apart for c in answer.contracts])
    assert set(joint.results) == {r for answer in apart for r in answer.results}
    assert set(joint.prices) == {p for answer in apart for p in answer.prices}
    assert close(float(joint.certificate.welfare), float(sum(answer.certificate.welfare for answer in apart)))


@few
@given(markets(limits=False).map(scaled), markets(limits=False).map(scaled))
def test_regions_without_freight_between_them_do_not_touch_each_other(one: Snapshot, two: Snapshot) -> None:
    assume(len(one.horizon) == len(two.horizon))
    far = renamed(replace(two, discount=one.discount), lambda name: name if name == "ore" else f"far {name}")
    both = replace(one, offers=one.offers + far.offers, freight={**one.freight, **far.freight})
    joint, apart = run(both), (run(one), run(far))
    assert close(
        float(joint.certificate.welfare + joint.certificate.rounding_loss),
        float(sum(answer.certificate.welfare + answer.certificate.rounding_loss for answer in apart)),
    )
    shares_alike(both, fills(joint), fills(apart[0]) | fills(apart[1]))
    unchanged_prices(_together(*apart), joint)


def _together(one: Answer, two: Answer) -> Answer:
    return replace(
        one, contracts=one.contracts + two.contracts, results=one.results + two.results, prices=one.prices + two.prices
    )


@few
@given(markets(limits=False).map(scaled), st.data())
def test_what_is_promised_already_is_not_for_sale(market: Snapshot, data: st.DataObject) -> None:
    market = replace(market, offers=tuple(replace(o, max_share=None) for o in market.offers))
    seller = data.draw(st.sampled_from([o for o in market.offers if o.side is Side.SELL]))
    buyer = data.draw(st.sampled_from([o for o in market.offers if o.side is Side.BUY]))
    most = [min(pair) for pair in zip(seller.quantity, buyer.quantity, strict=True)]
    taken = tuple(data.draw(st.sampled_from((0, one // 2, one))) for one in most)
    left = {
        o.offer: tuple(q - t for q, t in zip(o.quantity, taken, strict=True)) if o in (seller, buyer) else o.quantity
        for o in market.offers
    }
    one = run(replace(market, commitments=(Commitment(sell=seller.offer, buy=buyer.offer, quantity=taken),)))
    smaller = replace(market, offers=tuple(replace(o, quantity=left[o.offer]) for o in market.offers))
    two = run(smaller)
    assert close(
        float(one.certificate.welfare + one.certificate.rounding_loss),
        float(two.certificate.welfare + two.certificate.rounding_loss),
    )
    shares_alike(smaller, fills(one), fills(two))
    unchanged_prices(one, two)


# Fairness, prices and reasons, against the second opinion


@laws
@given(st.one_of(markets(periods=1, offers=5), markets(periods=2, limits=False)).map(scaled))
def test_filled_shares_are_max_min_among_the_greatest_volumes(market: Snapshot) -> None:
    answer = run(market)
    fair = Oracle(market).max_min_fills()
    partners: dict[str, int] = defaultdict(int)
    for contract in answer.contracts:
        partners[contract.seller] += 1
        partners[contract.buyer] += 1
    for offer in market.offers:
        if offer.offer in fair:
            offered = sum(free_quantity(market, offer))
            near = (partners[offer.offer] + 2) * len(market.horizon) / offered + 1e-3
            assert sum(fills(answer)[offer.offer]) / offered == pytest.approx(fair[offer.offer], abs=near), offer.offer


@laws
@given(markets(periods=1, limits=False, offers=5))
def test_the_locked_price_is_the_middle_of_the_clearing_prices(market: Snapshot) -> None:
    market = replace(market, offers=tuple(replace(offer, max_share=None) for offer in market.offers))
    oracle = Oracle(market)
    for contract in run(market).contracts:
        low, high = oracle.seller_price_range(contract.seller)
        assert float(contract.price_ex_works) == pytest.approx((low + high) / 2, abs=float(PRICE_STEP))


def distances(market: Snapshot) -> dict[str, Decimal]:
    """How far the offers that got nothing are told to be off; nothing for those at the margin."""
    off = {result.offer: result.distance for result in run(market).results if not any(result.filled)}
    lanes = {label for c in Oracle(market).candidates for label in (c.seller, c.buyer)}
    return {label: distance or Decimal(0) for label, distance in off.items() if label in lanes}


@laws
@given(markets(periods=1, limits=False, offers=5).map(scaled))
def test_an_offer_enters_once_its_price_is_better_by_its_distance(market: Snapshot) -> None:
    market = replace(market, offers=tuple(replace(offer, max_share=None) for offer in market.offers))
    for label, distance in distances(market).items():
        assert any(_moved(market, label, distance + Decimal("0.01")))
        assert not any(_moved(market, label, distance - Decimal("0.01")))


@few
@given(markets(periods=3).map(scaled))
def test_no_offer_enters_before_its_distance(market: Snapshot) -> None:
    """Several periods and limits leave more than one set of prices; the distance is told at one of them."""
    for label, distance in distances(market).items():
        assert not any(_moved(market, label, distance - Decimal("0.01")))


def _moved(market: Snapshot, label: str, by: Decimal) -> tuple[int, ...]:
    """What an offer is filled once its price is better by so much."""
    offer = next(offer for offer in market.offers if offer.offer == label)
    better = -by if offer.side is Side.SELL else by
    moved = replace(offer, price=tuple(price + better for price in offer.price))
    others = tuple(other for other in market.offers if other.offer != label)
    return fills(run(replace(market, offers=(*others, moved))))[label]
