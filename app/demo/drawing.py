"""Draws a chain as one self-contained SVG: no script, no fonts or pictures from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal
from xml.sax.saxutils import escape

from app.demo.chain import HEADINGS, HUBS, Chain, Link, Node
from app.demo.layout import Box, Strand, lay_out
from app.demo.terminal import cell

Language = Literal["zh", "en"]
WIDTH, HEIGHT = 1720, 960
TOP, BOTTOM = 96, 52
# Where the columns of boxes begin; firms have a wide space for their names to the right, hubs a narrow one.
COLUMNS = (28, 164, 274, 432, 570, 724, 872, 1048, 1190, 1362, 1482)
FIRM_WIDTH, HUB_WIDTH = 9, 14
GAP = 11.0
LETTER = 5.9  # mean width of a western letter in a firm's name; a Chinese one has two
INK, PALE, FIRM = "#1d2733", "#66717d", "#33414f"
STYLE = """
text{font-family:"Inter","Segoe UI","Noto Sans","Noto Sans CJK SC","PingFang SC","Microsoft YaHei","WenQuanYi Zen Hei",
sans-serif;fill:#1d2733}
.l path{fill-opacity:.42}
.l path:hover{fill-opacity:.8}
.n{font-size:11.5px;paint-order:stroke;stroke:#fff;stroke-opacity:.75;stroke-width:3px;stroke-linejoin:round}
.h{font-size:13px;font-weight:600;paint-order:stroke;stroke:#fff;stroke-opacity:.85;stroke-width:3.5px;stroke-linejoin:round}
.v{font-weight:400;fill:#4a5661}
.c{font-size:12px;fill:#66717d;letter-spacing:.06em}
"""
TEXTS = {
    "zh": {
        "title": "长单 · 一夜撮合后的电池产业链",
        "measure": "带宽为合同金额（含运费，不含税，{periods}），共 {value} 亿元，{contracts} 份合同",
        "notice": "具名企业的数量依据公开产能并逐条注明出处；价格、条款均为合成，与所示企业无关。"
        "碳酸锂指数取自 2025 年 6 月。",
        "contracts": "份合同",
    },
    "en": {
        "title": "Changdan · the battery chain after one night",
        "measure": "Width is contract value (delivered, without tax, {periods}): {value} bn CNY, {contracts} contracts",
        "notice": "Volumes of the firms named rest on published, cited capacities; prices and terms are synthetic, not "
        "theirs. The carbonate index is of June 2025.",
        "contracts": "contracts",
    },
}


def draw(chain: Chain, *, language: Language, periods: str) -> str:
    """The picture of a chain; `periods` is the horizon as people write it."""
    layout = lay_out(chain, height=HEIGHT - TOP - BOTTOM, gap=GAP)
    numbers = {key: number for number, key in enumerate(layout.boxes)}
    texts = TEXTS[language]
    measure = texts["measure"].format(
        periods=periods, value=_amount(chain.value, language), contracts=f"{chain.contracts:,}"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" lang="{language}">',
        f"<title>{escape(texts['title'])}</title>",
        f"<style>{STYLE.strip()}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{COLUMNS[0]}" y="36" font-size="22" font-weight="700">{escape(texts["title"])}</text>',
        f'<text x="{WIDTH - COLUMNS[0]}" y="36" font-size="13" text-anchor="end">{escape(measure)}</text>',
        *_headings(language),
        f'<g transform="translate(0 {TOP})">',
        '<g class="l">',
        *(_ribbon(link, strands, numbers, language) for link, strands in layout.routes),
        "</g>",
        *(_box(box, numbers, language) for box in layout.boxes.values()),
        *(_label(box, language) for box in layout.boxes.values()),
        "</g>",
        f'<text x="{COLUMNS[0]}" y="{HEIGHT - 16}" font-size="12" fill="{PALE}">{escape(texts["notice"])}</text>',
        "</svg>",
    ]
    return "\n".join(parts)


def _headings(language: Language) -> list[str]:
    names = {"zh": 1, "en": 2}
    return [
        f'<text class="c" x="{COLUMNS[row[0]]}" y="72">{escape(str(row[names[language]]))}</text>' for row in HEADINGS
    ]


def _ribbon(link: Link, strands: Sequence[Strand], numbers: Mapping[str, int], language: Language) -> str:
    """One outline along the upper ends to the right and along the lower ends back."""
    there, back = [], []
    for strand in strands:
        x0, x1 = _right_edge(strand.source), float(COLUMNS[strand.target.column])
        bend = (x0 + x1) / 2
        there.append(
            f"L{_n(x0)},{_n(strand.y0)}C{_n(bend)},{_n(strand.y0)} {_n(bend)},{_n(strand.y1)} {_n(x1)},{_n(strand.y1)}"
        )
        low0, low1 = strand.y0 + strand.height, strand.y1 + strand.height
        back.append(f"L{_n(x1)},{_n(low1)}C{_n(bend)},{_n(low1)} {_n(bend)},{_n(low0)} {_n(x0)},{_n(low0)}")
    outline = "M" + "".join(there)[1:] + "".join(reversed(back)) + "Z"
    colour = HUBS[link.product].colour
    ends = f"{numbers[link.source.key]} {numbers[link.target.key]}"
    title = escape(_told(link, language))
    return f'<path d="{outline}" fill="{colour}" data-ends="{ends}"><title>{title}</title></path>'


def _told(link: Link, language: Language) -> str:
    source, target = (_whole_name(node, language) for node in (link.source, link.target))
    units = f"{link.units:,.0f} {link.unit}"
    contracts = f"{link.contracts} {TEXTS[language]['contracts']}"
    return f"{source} → {target}\n{_money(link.value, language)} · {units} · {contracts}"


def _box(box: Box, numbers: Mapping[str, int], language: Language) -> str:
    node = _node(box)
    width = HUB_WIDTH if node.key in HUBS else FIRM_WIDTH
    title = f"{_whole_name(node, language)}\n{_money(node.value, language)}"
    return (
        f'<rect x="{COLUMNS[box.column]}" y="{_n(box.y)}" width="{width}" height="{_n(box.height)}" rx="1.5"'
        f' fill="{node.colour or FIRM}" data-box="{numbers[node.key]}"><title>{escape(title)}</title></rect>'
    )


def _label(box: Box, language: Language) -> str:
    node = _node(box)
    x, y = _right_edge(box) + 5, box.middle
    if node.key in HUBS:
        return (
            f'<text class="h" x="{_n(x)}" y="{_n(y + 4.5)}">{escape(_name(node, language))}'
            f'<tspan class="v" dx="5" font-size="11">{_amount(node.value, language)}</tspan></text>'
        )
    return f'<text class="n" x="{_n(x)}" y="{_n(y + 4)}">{escape(_name(node, language))}</text>'


def _node(box: Box) -> Node:
    if box.node is None:
        raise TypeError("a lane is not drawn")
    return box.node


def _right_edge(box: Box) -> float:
    """Lanes have no width but that of what they pass, so that a ribbon runs straight through the column."""
    if box.node is None:
        return float(COLUMNS[box.column] + FIRM_WIDTH)
    return float(COLUMNS[box.column] + (HUB_WIDTH if box.node.key in HUBS else FIRM_WIDTH))


def _whole_name(node: Node, language: Language) -> str:
    return node.zh if language == "zh" else node.en


def _name(node: Node, language: Language) -> str:
    """Without what stands in brackets or after a stroke, and not longer than there is room for."""
    name = re.sub(r"\s*[（(].*?[)）]|\s+/.*", "", _whole_name(node, language))
    end = COLUMNS[node.column + 1] if node.column + 1 < len(COLUMNS) else WIDTH - COLUMNS[0]
    room = end - COLUMNS[node.column] - FIRM_WIDTH - 8
    return cell(name, int(room / LETTER)).rstrip()


def _amount(value: Decimal, language: Language) -> str:
    """Hundred millions in Chinese, billions in English."""
    number = value / (Decimal(10) ** (8 if language == "zh" else 9))
    return f"{number:,.0f}" if number >= 100 else f"{number:,.1f}"


def _money(value: Decimal, language: Language) -> str:
    return f"{_amount(value, language)} 亿元" if language == "zh" else f"{_amount(value, language)} bn CNY"


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
