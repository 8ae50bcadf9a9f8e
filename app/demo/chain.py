"""The flows of a run as a picture's nodes and links: firms by what they do in the chain, and a hub for each product.

A link's weight is contract value (CNY, delivered): the one measure that tonnes, square metres and kilowatt-hours share.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.operations.flows import Flow, Party


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """How a product is drawn: its column, its names, its colour."""

    column: int
    zh: str
    en: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A step of the chain that firms take: its column, and what the firms beyond the largest are called."""

    column: int
    zh: str
    en: str


# In the order in which the hubs of a column stand.
HUBS: Mapping[str, Hub] = {
    "spodumene_concentrate": Hub(column=1, zh="锂辉石精矿", en="Spodumene", colour="#94826b"),
    "lithium_carbonate": Hub(column=3, zh="碳酸锂", en="Lithium carbonate", colour="#2f7fb5"),
    "lithium_hydroxide": Hub(column=5, zh="氢氧化锂", en="Lithium hydroxide", colour="#6cb2d6"),
    "precursor_NCM811": Hub(column=5, zh="前驱体811", en="NCM811 precursor", colour="#b78cc4"),
    "precursor_NCM523": Hub(column=5, zh="前驱体523", en="NCM523 precursor", colour="#8d6aa8"),
    "iron_phosphate": Hub(column=5, zh="磷酸铁", en="Iron phosphate", colour="#d09a3e"),
    "LiPF6": Hub(column=5, zh="六氟磷酸锂", en="LiPF6", colour="#7f9f4a"),
    "cathode_NCM811": Hub(column=7, zh="高镍三元", en="NCM811 cathode", colour="#a66bb8"),
    "cathode_NCM523": Hub(column=7, zh="三元523", en="NCM523 cathode", colour="#76539a"),
    "cathode_LFP": Hub(column=7, zh="磷酸铁锂", en="LFP cathode", colour="#1f857a"),
    "electrolyte": Hub(column=7, zh="电解液", en="Electrolyte", colour="#9db53f"),
    "separator": Hub(column=7, zh="隔膜", en="Separator", colour="#e0a458"),
    "anode_graphite": Hub(column=7, zh="石墨负极", en="Graphite anode", colour="#6b737c"),
    "cell_LFP": Hub(column=9, zh="磷酸铁锂电芯", en="LFP cells", colour="#d4573b"),
}
STAGES: Mapping[str, Stage] = {
    "ore": Stage(column=0, zh="锂矿", en="miners"),
    "salt": Stage(column=2, zh="锂盐企业", en="salt makers"),
    "hydroxide": Stage(column=4, zh="苛化企业", en="hydroxide makers"),
    "precursor": Stage(column=4, zh="前驱体企业", en="precursor makers"),
    "fluorine": Stage(column=4, zh="六氟企业", en="LiPF6 makers"),
    "cathode": Stage(column=6, zh="正极企业", en="cathode makers"),
    "electrolyte": Stage(column=6, zh="电解液企业", en="electrolyte makers"),
    "separator": Stage(column=6, zh="隔膜企业", en="separator makers"),
    "anode": Stage(column=6, zh="负极企业", en="anode makers"),
    "cell": Stage(column=8, zh="电芯企业", en="cell makers"),
    "user": Stage(column=10, zh="用户", en="users of cells"),
}
HEADINGS = (
    (0, "锂矿", "Ore"),
    (2, "锂盐", "Lithium salts"),
    (4, "前驱体与六氟", "Precursors, LiPF6"),
    (6, "材料", "Materials"),
    (8, "电芯", "Cells"),
    (10, "整车", "Vehicles"),
)
_MAKER = {
    "spodumene_concentrate": "ore",
    "lithium_carbonate": "salt",
    "lithium_hydroxide": "salt",
    "precursor_NCM811": "precursor",
    "precursor_NCM523": "precursor",
    "iron_phosphate": "precursor",
    "LiPF6": "fluorine",
    "cathode_NCM811": "cathode",
    "cathode_NCM523": "cathode",
    "cathode_LFP": "cathode",
    "electrolyte": "electrolyte",
    "separator": "separator",
    "anode_graphite": "anode",
    "cell_LFP": "cell",
}
_BUYER = {"spodumene_concentrate": "salt", "lithium_hydroxide": "cathode", "LiPF6": "electrolyte", "cell_LFP": "user"}
_BUYER |= dict.fromkeys(("precursor_NCM811", "precursor_NCM523", "iron_phosphate", "lithium_carbonate"), "cathode")
_CARBONATE_BY_ROLE = {"cathode": "cathode", "electrolyte": "fluorine", "lithium_salt": "hydroxide"}


@dataclass(slots=True, kw_only=True)
class Node:
    """A firm at a stage, the smaller firms of a stage together, or the hub of a product."""

    key: str
    column: int
    order: tuple[float, ...]
    zh: str
    en: str
    colour: str | None = None
    value_in: Decimal = Decimal(0)
    value_out: Decimal = Decimal(0)

    @property
    def value(self) -> Decimal:
        return max(self.value_in, self.value_out)


@dataclass(slots=True, kw_only=True)
class Link:
    """What goes from a firm to a product's hub, or from the hub to a firm: CNY, units, number of contracts."""

    source: Node
    target: Node
    product: str
    unit: str
    value: Decimal = Decimal(0)
    units: Decimal = Decimal(0)
    contracts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The picture's content; links in and out of a hub have the value of the product's contracts each."""

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    value: Decimal
    contracts: int


def chain_of(flows: Sequence[Flow], *, firms_per_stage: int = 8, least_share: Decimal = Decimal("0.004")) -> Chain:
    """Nodes and links of some flows.

    Of each stage the largest firms are shown, at most `firms_per_stage`, and none with less than `least_share` of the
    whole value; the others are one node.

    :raises KeyError: a flow of a product that has no hub.
    """
    total = sum((flow.value for flow in flows), Decimal(0))
    causticisers = {flow.buyer.id for flow in flows if _buyer_stage(flow) == "hydroxide"}
    sides = [(_seller_stage(flow, causticisers), _buyer_stage(flow), flow) for flow in flows]
    shown = _shown(sides, firms_per_stage, total * least_share)
    nodes: dict[str, Node] = {}
    links: dict[tuple[str, str], Link] = {}
    for sell_stage, buy_stage, flow in sides:
        hub = _hub_node(nodes, flow.product)
        seller = _firm_node(nodes, sell_stage, flow.seller, shown)
        buyer = _firm_node(nodes, buy_stage, flow.buyer, shown)
        for source, target in ((seller, hub), (hub, buyer)):
            link = links.setdefault(
                (source.key, target.key), Link(source=source, target=target, product=flow.product, unit=flow.unit)
            )
            link.value += flow.value
            link.units += flow.units
            link.contracts += flow.contracts
            source.value_out += flow.value
            target.value_in += flow.value
    _put_in_order(nodes.values(), links.values())
    return Chain(
        nodes=tuple(sorted(nodes.values(), key=lambda node: (node.column, node.order))),
        links=tuple(sorted(links.values(), key=lambda link: (link.source.order, link.target.order, link.product))),
        value=total,
        contracts=sum(flow.contracts for flow in flows),
    )


def _seller_stage(flow: Flow, causticisers: set[uuid.UUID]) -> str:
    if flow.product == "lithium_hydroxide" and flow.seller.id in causticisers:
        return "hydroxide"
    return _MAKER[flow.product]


def _buyer_stage(flow: Flow) -> str:
    """What a firm buys for: the stage that makes what it converts to, or else what its roles tell."""
    if flow.product == "lithium_carbonate":
        if flow.made_into is not None:
            return "hydroxide" if flow.made_into == "lithium_hydroxide" else _MAKER[flow.made_into]
        return next((_CARBONATE_BY_ROLE[role] for role in _CARBONATE_BY_ROLE if role in flow.buyer.roles), "cathode")
    return _BUYER.get(flow.product, "cell")


def _shown(sides: Iterable[tuple[str, str, Flow]], most: int, least: Decimal) -> set[tuple[str, uuid.UUID]]:
    """Stage and firm of those that get a node of their own."""
    value: dict[tuple[str, uuid.UUID], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for sell_stage, buy_stage, flow in sides:
        value[sell_stage, flow.seller.id][1] += flow.value
        value[buy_stage, flow.buyer.id][0] += flow.value
    by_stage: dict[str, list[tuple[Decimal, uuid.UUID]]] = defaultdict(list)
    for (stage, firm), both in value.items():
        if max(both) >= least:
            by_stage[stage].append((max(both), firm))
    return {
        (stage, firm)
        for stage, firms in by_stage.items()
        for _, firm in sorted(firms, key=lambda one: (-one[0], one[1]))[:most]
    }


def _hub_node(nodes: dict[str, Node], product: str) -> Node:
    if product not in nodes:
        hub = HUBS[product]
        place = list(HUBS).index(product)
        nodes[product] = Node(key=product, column=hub.column, order=(place,), zh=hub.zh, en=hub.en, colour=hub.colour)
    return nodes[product]


def _firm_node(nodes: dict[str, Node], stage: str, firm: Party, shown: set[tuple[str, uuid.UUID]]) -> Node:
    own = (stage, firm.id) in shown
    key = f"{stage}:{firm.id if own else 'others'}"
    if key not in nodes:
        zh, en = (firm.name_zh, firm.name_en) if own else (f"其他{STAGES[stage].zh}", f"Other {STAGES[stage].en}")
        nodes[key] = Node(key=key, column=STAGES[stage].column, order=(), zh=zh, en=en)
    return nodes[key]


def _put_in_order(nodes: Iterable[Node], links: Iterable[Link]) -> None:
    """Firms of a column stand by stage, then by the product that they mostly trade, then by size; others last."""
    main: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for link in links:
        firm = link.target if link.source.key in HUBS else link.source
        main[firm.key][link.product] += link.value * (1 if firm is link.target else 2)  # what it sells counts more
    for node in nodes:
        if node.key not in HUBS:
            stage = node.key.partition(":")[0]
            traded = main[node.key]
            product = max(traded, key=lambda name: (traded[name], name))
            node.order = (
                list(STAGES).index(stage),
                list(HUBS).index(product),
                node.key.endswith(":others"),
                -float(node.value),
            )
