"""Answers that others published: transport, assignment and flow optima, double auctions, and plain enumeration.

A transport problem is a market of one product: sources sell at 0, sinks bid a price above every cost, costs are
freight. A flow problem has a product for each node and a conversion for each arc. Only numbers come from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from random import Random

import pytest

from benchmarks.enumeration import difference
from matching import clearing
from matching.answer import Answer
from matching.run import run
from matching.snapshot import Conversion, ConversionInput, Grade, Offer, Side, Snapshot

from .markets import buy, horizon, sell, snapshot

# Where from, supplies, demands, costs from each source to each sink, the published optimum.
TRANSPORT = [
    # Dantzig, Linear Programming and Extensions (1963), 3.3: canneries to markets; 90 a case and 1 000 miles.
    ("Dantzig 1963", (350, 600), (325, 300, 275), ("225 153 162", "225 162 126"), 153675),
    # Fourer, Gay and Kernighan, A Modeling Language for Mathematical Programming (1990): three mills, seven plants.
    (
        "Fourer, Gay and Kernighan 1990",
        (1400, 2600, 2900),
        (900, 1200, 600, 400, 1700, 1100, 1000),
        ("39 14 11 14 16 82 8", "27 9 12 9 26 95 17", "24 14 17 13 28 99 20"),
        196200,
    ),
    # Hillier and Lieberman, Introduction to Operations Research, ch. on transportation: P & T Company.
    (
        "Hillier and Lieberman, P & T",
        (75, 125, 100),
        (80, 65, 70, 85),
        ("464 513 654 867", "352 416 690 791", "995 682 388 685"),
        152535,
    ),
    # Winston, Operations Research, ch. 7: Powerco.
    ("Winston, Powerco", (35, 50, 40), (45, 20, 30, 30), ("8 6 10 9", "9 12 13 7", "14 9 16 5"), 1020),
    # OR-Tools guide, "Solving an assignment problem": five workers, four tasks.
    (
        "OR-Tools guide, assignment",
        (1, 1, 1, 1, 1),
        (1, 1, 1, 1),
        ("90 80 75 70", "35 85 55 65", "125 95 90 95", "45 110 95 115", "50 100 90 100"),
        265,
    ),
    # SciPy reference, linear_sum_assignment.
    ("SciPy reference, assignment", (1, 1, 1), (1, 1, 1), ("4 1 3", "2 0 5", "3 2 2"), 5),
]

# 40 sources of 1 000; 29 sinks of 1 333 and one of 1 343; published optimum 42 667. transport_40x30.min among the
# minimum-cost flow problems of pdegenhardt/MinCostFlow on GitHub. One digit a cost, A for 10.
TRANSPORT_40X30 = [
    "72262386283364436196421896182A",
    "762146916984211872383721761587",
    "31431815185651911171AA54714258",
    "653A6819A482254822366A87836A71",
    "4A13313651A22448911993A9367723",
    "213AA82923668264954A56A92212A8",
    "5652AA92467A983469397233971599",
    "8AA59A2637682946836862A1134233",
    "954587A4942A674A1594A991361957",
    "7A3A8147176443777471293A416422",
    "72A27277947552866757A734697468",
    "5A691552651A545851285AA63A9779",
    "6412A7A6242421713A994628361171",
    "6868A7945989A9718A928A995A2394",
    "6AA194942A296A167422822546A83A",
    "576139A9A435991959893927758573",
    "42225645727849A4335622A4875A59",
    "2537A138465A273564732512233849",
    "151912679916A912A3231232775168",
    "964561A362A9593762113A71992935",
    "8522A5354127814375A113155AA377",
    "9112457498529195368628A2455871",
    "6A8822767A647279516A8461512A9A",
    "AA79355198A7A81928651528325741",
    "1888A689A25439115817A444969A62",
    "188883A38624941733728778274595",
    "783927661922A6575A324735442161",
    "96449411341829A671353427215958",
    "66A1A79772758A2755597192854828",
    "A37596829481519963667156157835",
    "316A348316936127784AA226299144",
    "9194176695132A8454559954629A84",
    "689878431522A9971398556A616699",
    "8785A3444AA34147A75A2711913A27",
    "3842765596379983267A1A2981687A",
    "153782924835898683379733647646",
    "A79A6853265A39772423446A152A15",
    "649896794A161739557A3442372991",
    "6527122512A3A2283982A84133A852",
    "481347446281451A42A65317292259",
]


def transported(supply: Sequence[int], demand: Sequence[int], costs: Sequence[Sequence[int]]) -> tuple[Answer, int]:
    """The market of a transport problem, and what its contracts cost to carry; every sink must be served."""
    above = 10 * max(max(row) for row in costs) + 10
    offers = [sell(f"s{i}", [lots], 0, region=f"from{i}") for i, lots in enumerate(supply)]
    offers += [buy(f"b{j}", [lots], above, region=f"to{j}") for j, lots in enumerate(demand)]
    freight = {("*", f"from{i}", f"to{j}"): Decimal(cost) for i, row in enumerate(costs) for j, cost in enumerate(row)}
    answer = run(snapshot(*offers, products=("ore",), freight=freight))
    assert answer.certificate.holds
    assert sum(contract.rate for contract in answer.contracts) == sum(demand)
    cost = above * sum(demand) - answer.certificate.welfare
    assert cost == sum(contract.rate * contract.freight for contract in answer.contracts)
    return answer, int(cost)


@pytest.mark.parametrize(("supply", "demand", "costs", "optimum"), [pytest.param(*t[1:], id=t[0]) for t in TRANSPORT])
def test_published_transport_and_assignment(
    supply: Sequence[int], demand: Sequence[int], costs: Sequence[str], optimum: int
) -> None:
    _, cost = transported(supply, demand, [list(map(int, row.split())) for row in costs])
    assert cost == optimum


def test_published_transport_of_forty_sources_and_thirty_sinks() -> None:
    costs = [[int(digit, 11) for digit in row] for row in TRANSPORT_40X30]
    _, cost = transported([1000] * 40, [1333] * 29 + [1343], costs)
    assert cost == 42667


# Where from; supply (+) and demand (-) by node; arcs as tail, head, capacity, cost; the published optimum.
FLOWS = [
    # OR-Tools guide, "Minimum cost flows".
    (
        "OR-Tools guide",
        {0: 20, 3: -5, 4: -15},
        "0 1 15 4, 0 2 8 4, 1 2 20 2, 1 3 4 2, 1 4 10 6, 2 3 15 1, 2 4 4 3, 3 4 20 2, 4 2 5 3",
        150,
    ),
    # NetworkX reference, min_cost_flow.
    ("NetworkX reference", {0: 5, 3: -5}, "0 1 4 3, 0 2 10 6, 1 3 9 1, 2 3 5 2", 24),
    # The sample of the DIMACS format for minimum-cost flows (First DIMACS Challenge, 1990).
    ("DIMACS sample", {1: 4, 4: -4}, "1 2 4 2, 1 3 2 2, 2 3 2 1, 2 4 3 3, 3 4 5 1", 14),
]


@pytest.mark.parametrize(("nodes", "arcs", "optimum"), [pytest.param(*flow[1:], id=flow[0]) for flow in FLOWS])
def test_published_flows_as_chains_of_conversions(nodes: dict[int, int], arcs: str, optimum: int) -> None:
    listed = [tuple(map(int, arc.split())) for arc in arcs.split(",")]
    above, wanted = 1000, sum(-lots for lots in nodes.values() if lots < 0)
    market = Snapshot(
        horizon=horizon(1),
        grades=tuple(
            Grade(product=f"node {node}", grade="plain", rank=1, lot=Decimal(1), unit="t")
            for node in sorted({end for arc in listed for end in arc[:2]})
        ),
        offers=tuple(
            Offer(
                offer=f"at {node}",
                side=Side.SELL if lots > 0 else Side.BUY,
                firm=f"firm {node}",
                product=f"node {node}",
                grade="plain",
                region="north",
                quantity=(abs(lots),),
                price=(Decimal(0 if lots > 0 else above),),
            )
            for node, lots in nodes.items()
        ),
        conversions=tuple(
            Conversion(
                conversion=f"{tail} to {head}",
                firm=f"carrier {tail} {head}",
                region="north",
                product=f"node {head}",
                grade="plain",
                capacity=(capacity,),
                fee=(Decimal(cost),),
                inputs=(ConversionInput(product=f"node {tail}", grade="plain", quantity_per_output=Decimal(1)),),
            )
            for tail, head, capacity, cost in listed
        ),
    )
    answer = run(market)
    assert answer.certificate.holds
    assert above * wanted - answer.certificate.welfare == optimum


def test_the_pool_of_a_textbook_on_power_markets() -> None:
    """Kirschen and Strbac, Fundamentals of Power System Economics (2004), example 3.2: 450 MWh at 16."""
    offered = {"red": ((200, 12), (50, 15), (150, 20)), "green": ((150, 16), (50, 17)), "blue": ((100, 13), (50, 18))}
    wanted = {"yellow": ((50, 13), (100, 23)), "purple": ((50, 11), (150, 22)), "orange": ((50, 10), (200, 25))}
    offers = [sell(f"{firm} {price}", [lots], price) for firm, steps in offered.items() for lots, price in steps]
    offers += [buy(f"{firm} {price}", [lots], price) for firm, steps in wanted.items() for lots, price in steps]
    answer = run(snapshot(*offers, products=("ore",)))
    sold: dict[str, int] = dict.fromkeys(offered, 0)
    for contract in answer.contracts:
        assert contract.price_ex_works == 16
        sold[contract.seller.split()[0]] += contract.rate
    assert sold == {"red": 250, "green": 100, "blue": 100}
    assert answer.certificate.holds


def test_the_first_market_of_experimental_economics() -> None:
    """Smith, An Experimental Study of Competitive Market Behavior (1962), test 1: six units at 2.00."""
    steps = [Decimal("0.75") + Decimal("0.25") * at for at in range(11)]
    offers = [sell(f"s{at}", [1], str(price)) for at, price in enumerate(steps)]
    offers += [buy(f"b{at}", [1], str(price)) for at, price in enumerate(steps)]
    answer = run(snapshot(*offers, products=("ore",)))
    assert {contract.price_ex_works for contract in answer.contracts} == {Decimal(2)}
    assert sum(contract.rate for contract in answer.contracts) == 6


def test_the_documented_example_of_an_average_mechanism() -> None:
    """kchristidis/dauction on GitHub, README: of bids 2 x 6.5 and 2 x 10, asks 2 x 6.5 and 2 x 11, 2 units at 8.25."""
    offers = [sell("s low", [2], "6.5"), sell("s high", [2], "11"), buy("b low", [2], "6.5"), buy("b high", [2], "10")]
    (contract,) = run(snapshot(*offers, products=("ore",))).contracts
    assert (contract.seller, contract.buyer, contract.rate) == ("s low", "b high", 2)
    assert contract.price_ex_works == Decimal("8.25")


def test_the_documented_example_of_a_uniform_price_auction() -> None:
    """Metaplex's documentation of uniform price auctions: a million units for bids of 500 000 at 0.001, 300 000 at
    0.0008 and 400 000 at 0.0006 go at 0.0006, and the last bidder gets 200 000."""
    bids = {"A": (500_000, "0.001"), "B": (300_000, "0.0008"), "C": (400_000, "0.0006")}
    offers = [buy(name, [lots], price) for name, (lots, price) in bids.items()]
    answer = run(snapshot(sell("issuer", [1_000_000], 0), *offers, products=("ore",)))
    assert {c.buyer: c.rate for c in answer.contracts} == {"A": 500_000, "B": 300_000, "C": 200_000}
    assert {c.price_ex_works for c in answer.contracts} == {Decimal("0.0006")}
    assert answer.certificate.holds


@pytest.mark.parametrize("seed", range(40))
def test_the_price_is_between_the_mth_and_the_next(seed: int) -> None:
    """With single lots and m sellers, every price from the (m+1)st to the m-th highest of all asks and bids clears
    (Wurman, Walsh and Wellman, Flexible double auctions for electronic commerce, 1998, of McAfee 1992's market); the
    k-double auction at k = 1/2 takes the middle (Chatterjee and Samuelson 1983)."""
    rng = Random(seed)
    asks = [rng.randint(10, 40) for _ in range(rng.randint(1, 6))]
    bids = [rng.randint(10, 40) for _ in range(rng.randint(1, 6))]
    offers = [sell(f"s{at}", [1], ask) for at, ask in enumerate(asks)]
    offers += [buy(f"b{at}", [1], bid) for at, bid in enumerate(bids)]
    answer = run(snapshot(*offers, products=("ore",)))
    ranked = sorted(asks + bids, reverse=True)
    middle = Decimal(ranked[len(asks) - 1] + ranked[len(asks)]) / 2
    assert {contract.price_ex_works for contract in answer.contracts} <= {middle}
    gains = [bid - ask for bid, ask in zip(sorted(bids, reverse=True), sorted(asks), strict=False)]
    assert len(answer.contracts) == sum(gain >= 0 for gain in gains)
    assert answer.certificate.welfare == sum(gain for gain in gains if gain > 0)


def test_where_every_allocation_is_as_good_the_most_is_traded() -> None:
    """Wholly degenerate: one price for all, as many lots as the shorter side has."""
    offers = [sell(f"s{at}", [2], 50) for at in range(5)] + [buy(f"b{at}", [3], 50) for at in range(5)]
    answer = run(snapshot(*offers, products=("ore",)))
    assert sum(contract.rate for contract in answer.contracts) == 10
    assert {contract.price_ex_works for contract in answer.contracts} == {Decimal(50)}
    assert answer.certificate.welfare == 0
    assert answer.certificate.holds


@pytest.mark.parametrize("seeds", [range(start, start + 50) for start in range(20_000, 20_300, 50)], ids=str)
def test_tiny_markets_against_every_allocation(seeds: Sequence[int]) -> None:
    """`python -m benchmarks.enumeration` tries 10 000 others."""
    assert [words for words in map(difference, seeds) if words] == []


def test_tiny_markets_that_begin_at_their_hubs_against_every_allocation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where hardly anyone stands at a hub and no pair is a lane."""
    monkeypatch.setattr(clearing, "WHOLE", -1)
    monkeypatch.setattr(clearing, "THICK", 0)
    assert [words for words in map(difference, range(30_000, 30_100)) if words] == []


@pytest.mark.parametrize("seed", [1937, 2631, 2817, 4686])
def test_tiny_markets_whose_odd_lots_must_fit_together(seed: int) -> None:
    """The fair point halves lots between pairs; lots drawn pair by pair would leave a better seller or buyer out."""
    assert difference(seed) == ""
