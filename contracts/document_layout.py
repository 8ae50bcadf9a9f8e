"""The printed contract on its pages: Chinese left, English right, tables over the full width, hash on every page."""

from __future__ import annotations

import functools
import importlib.util
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import CondPageBreak, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from .document_parts import Grid, Occasion, Section, day
from .document_supply import BUYER, SELLER
from .terms import Terms
from .wording import Text

FONT = "NotoSansSC"
WIDTH, HEIGHT = A4
MARGIN = 18 * mm
GUTTER = 6 * mm
COLUMN = (WIDTH - 2 * MARGIN - GUTTER) / 2
INK, MUTED, RULE, SHADE = (colors.HexColor(one) for one in ("#16202c", "#5b6775", "#9aa7b4", "#eef2f5"))

SIGNATURE_BOXES = {
    "seller": (MARGIN, 30 * mm, MARGIN + COLUMN, 58 * mm),
    "buyer": (MARGIN + COLUMN + GUTTER, 30 * mm, WIDTH - MARGIN, 58 * mm),
}
"""Where each party signs on the last page: left, bottom, right, top in points."""

_SIGNING_SPACE = 92 * mm
"""The last section with its boxes: not begun on a page with less than this left."""

_SHORT = 8
"""A table of fewer rows stays with the paragraph before it."""

_NOT_FIRST = set("，。；：！？、）》」』】〕％%,.;:!?)]}”’")
_NOT_LAST = set("（《「『【〔([{“‘")
_WIDE = r"\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef“”‘’"
_WORD = re.compile(rf"\n|[{_WIDE}]| |[^\s{_WIDE}]+")


def _style(size: float, leading: float, **more: Any) -> Any:
    return ParagraphStyle(f"{size}", fontName=FONT, fontSize=size, leading=leading, textColor=INK, **more)


ZH = _style(8.8, 13.6)
EN = _style(8.2, 12)
HEADING_ZH = _style(10.6, 15, spaceBefore=2)
HEADING_EN = _style(9.8, 15)
CELL = _style(7.6, 10.4)
CELL_RIGHT = _style(7.6, 10.4, alignment=2)


@functools.cache
def load_font() -> str:
    """Register the Chinese font (Noto Sans SC, SIL Open Font Licence) that the zhplot package carries; its name.

    The package is only looked up, never imported: importing it would start a plotting library.
    """
    found = importlib.util.find_spec("zhplot")
    if found is None or found.origin is None:
        raise FileNotFoundError("no package zhplot, which carries the Chinese font; expected it installed")
    pdfmetrics.registerFont(TTFont(FONT, str(Path(found.origin).parent / "fonts" / "NotoSansSC-Regular.ttf")))
    return FONT


def render(terms: Terms, occasion: Occasion, sections: Sequence[Section], terms_hash: str) -> bytes:
    """The pages as PDF: the same bytes for the same input."""
    load_font()
    held = io.BytesIO()
    document = SimpleDocTemplate(
        held,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=24 * mm,
        bottomMargin=18 * mm,
        invariant=1,
        pageCompression=1,
        initialFontName=FONT,
    )
    story = [*_title(terms, occasion, terms_hash)]
    for number, section in enumerate(sections, 1):
        if number == len(sections):
            story.append(CondPageBreak(_SIGNING_SPACE))
        story += _section(number, section)

    def furnish(canvas: Any, page: int, pages: int) -> None:
        _head_and_foot(canvas, terms, terms_hash, page, pages)
        if page == pages:
            _signature_boxes(canvas, terms)

    document.build(story, canvasmaker=functools.partial(_FurnishedAtTheEnd, furnish=furnish))
    return held.getvalue()


class _FurnishedAtTheEnd(Canvas):  # type: ignore[misc]
    """A canvas that holds its pages back until all are there, since each says how many there are."""

    def __init__(self, *args: Any, furnish: Callable[[Any, int, int], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._furnish = furnish
        self._held: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - the name is reportlab's
        self._held.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        held = self._held
        for number, page in enumerate(held, 1):
            self.__dict__.update(page)
            self._furnish(self, number, len(held))
            super().showPage()
        super().save()


def _head_and_foot(canvas: Any, terms: Terms, terms_hash: str, page: int, pages: int) -> None:
    canvas.saveState()
    canvas.setFont(FONT, 7)
    canvas.setFillColor(MUTED)
    top = HEIGHT - 13 * mm
    canvas.drawString(MARGIN, top, f"合同 Contract {terms.number}　版本 Version {terms.version}")
    canvas.drawRightString(WIDTH - MARGIN, top, f"第 {page} 页，共 {pages} 页　Page {page} of {pages}")
    canvas.setFont(FONT, 6.2)
    canvas.drawString(MARGIN, top - 9, f"SHA-256 {terms_hash}")
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(0.5)
    canvas.line(MARGIN, top - 14, WIDTH - MARGIN, top - 14)
    canvas.drawString(MARGIN, 10 * mm, f"{terms.seller.name.zh} — {terms.buyer.name.zh}")
    canvas.restoreState()


def _signature_boxes(canvas: Any, terms: Terms) -> None:
    canvas.saveState()
    for side, title, party in (("seller", SELLER, terms.seller), ("buyer", BUYER, terms.buyer)):
        left, bottom, right, top = SIGNATURE_BOXES[side]
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.6)
        canvas.rect(left, bottom, right - left, top - bottom)
        canvas.setFillColor(INK)
        canvas.setFont(FONT, 8.4)
        canvas.drawString(left, top + 24, _clipped(f"{title.zh} {title.en}：{party.name.zh}", 8.4))
        canvas.setFont(FONT, 7.6)
        canvas.drawString(left, top + 14, _clipped(party.name.en, 7.6))
        canvas.drawString(left, top + 4, f"签署人 Signatory：{party.signatory or '________________'}")
        canvas.setFillColor(MUTED)
        canvas.setFont(FONT, 6.6)
        canvas.drawString(left + 4, bottom + 5, "签名、盖章与日期　Signature, seal and date")
    canvas.restoreState()


def _clipped(text: str, size: float) -> str:
    """As much of a name as one line of a column holds; section 1 has all of it."""
    return lines_of(text, size, COLUMN)[0]


def _title(terms: Terms, occasion: Occasion, terms_hash: str) -> list[Any]:
    big = _style(19, 26, alignment=1)
    second = _style(12.5, 18, alignment=1)
    small = _style(8.6, 13, alignment=1)
    product = occasion.name(terms.product)
    made = day(occasion.dated)
    number = f"编号 Number {terms.number}　·　第 {terms.version} 版 Version {terms.version}"
    return [
        Paragraph(escape(f"{product.zh}长期供货合同"), big),
        Paragraph(escape(f"Long-term supply contract: {product.en}"), second),
        Spacer(1, 5),
        Paragraph(escape(f"{number}　·　{made.zh} {made.en}"), small),
        Paragraph(escape(f"条款哈希 Hash of the terms (SHA-256)：{terms_hash}"), _style(7, 12, alignment=1)),
        Spacer(1, 6),
    ]


def _section(number: int, section: Section) -> list[Any]:
    """Heading and parts; the heading stays with the first part, a short table with what stands before it.

    A clause goes to the next page rather than being cut, unless it is longer than one.
    """
    heading = _side_by_side(
        Text(f"第{number}条　{section.title.zh}", f"{number}.  {section.title.en}"), HEADING_ZH, HEADING_EN
    )
    heading.setStyle([("LINEBELOW", (0, 0), (-1, -1), 0.6, RULE), ("TOPPADDING", (0, 0), (-1, -1), 9)])
    groups: list[list[Any]] = [[heading, Spacer(1, 2)]]
    paragraph = 0
    for at, part in enumerate(section.parts):
        if isinstance(part, Grid):
            flowables = [Spacer(1, 3), _grid(part), Spacer(1, 4)]
            stays = len(part.rows) < _SHORT
        else:
            paragraph += 1
            mark = f"{number}.{paragraph} "
            flowables = [_side_by_side(Text(mark + part.zh, mark + part.en), ZH, EN)]
            stays = at == 0
        if stays:
            groups[-1] += flowables
        else:
            groups.append(flowables)
    return [KeepTogether(group) for group in groups]


def _side_by_side(text: Text, zh: Any, en: Any) -> Any:
    cells = [_paragraph(text.zh, zh, COLUMN), "", _paragraph(text.en, en, COLUMN)]
    return Table(
        [cells],
        colWidths=[COLUMN, GUTTER, COLUMN],
        splitInRow=1,
        style=[
            ("FONTNAME", (0, 0), (-1, -1), FONT),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ],
    )


def _grid(grid: Grid) -> Any:
    """A table whose head comes again on every page it flows over."""
    whole = WIDTH - 2 * MARGIN
    widths = [whole * share / sum(grid.widths) for share in grid.widths]
    styles = [CELL_RIGHT if at in grid.figures else CELL for at in range(len(widths))]

    def row(cells: Iterable[str | Text]) -> list[Any]:
        texts = (cell if isinstance(cell, str) else _stacked(cell) for cell in cells)
        return [_paragraph(text, style, width - 8) for text, style, width in zip(texts, styles, widths, strict=True)]

    return Table(
        [row(grid.head), *map(row, grid.rows)],
        colWidths=widths,
        repeatRows=1,
        style=[
            ("FONTNAME", (0, 0), (-1, -1), FONT),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("BACKGROUND", (0, 0), (-1, 0), SHADE),
            ("GRID", (0, 0), (-1, -1), 0.4, RULE),
            ("LEFTPADDING", (0, 0), (-1, -1), 4),
            ("RIGHTPADDING", (0, 0), (-1, -1), 4),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ],
    )


def _stacked(text: Text) -> str:
    return text.zh if text.zh == text.en else f"{text.zh}\n{text.en}"


def _paragraph(text: str, style: Any, width: float) -> Any:
    lines = lines_of(text, style.fontSize, width)
    return Paragraph("<br/>".join(escape(line) for line in lines), style)


def lines_of(text: str, size: float, width: float) -> list[str]:
    """The text broken into lines of at most `width` points.

    Breaks between Chinese characters and at spaces, never inside a word or figure that fits a line, never before
    closing nor after opening punctuation.
    """
    lines: list[str] = []
    line = ""
    for piece in _pieces(text, size, width - 1):
        if piece == "\n":
            lines.append(line.rstrip())
            line = ""
        elif not line or _measure(line + piece.rstrip(), size) <= width - 1:
            line = line + piece if line else piece.lstrip()
        else:
            lines.append(line.rstrip())
            line = piece.lstrip()
    return [*lines, line.rstrip()]


def _measure(text: str, size: float) -> float:
    return float(pdfmetrics.stringWidth(text, load_font(), size))


def _pieces(text: str, size: float, width: float) -> list[str]:
    """What may not be broken: words, or Chinese characters with the punctuation that belongs to them."""
    pieces: list[str] = []
    for found in _WORD.findall(text):
        before = pieces[-1] if pieces else "\n"
        glued = found[0] in _NOT_FIRST or before[-1] in _NOT_LAST
        if found != "\n" and before != "\n" and (found == " " or glued):
            pieces[-1] += found
        else:
            pieces.append(found)
    return [part for piece in pieces for part in _cut(piece, size, width)]


def _cut(piece: str, size: float, width: float) -> list[str]:
    """A piece wider than a line in parts that fit."""
    parts = [""]
    for character in piece:
        if parts[-1] and _measure((parts[-1] + character).rstrip(), size) > width:
            parts.append("")
        parts[-1] += character
    return parts
