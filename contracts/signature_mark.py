"""What a signature looks like in its box on the printed contract: who, when, and by which certificate.

The mark is for the eye. What counts is the signature under it, which any reader of PDF checks.
"""

from __future__ import annotations

import datetime as dt
import io
from zoneinfo import ZoneInfo

from pyhanko.pdf_utils.content import PdfContent
from pyhanko.pdf_utils.layout import AxisAlignment, BoxConstraints, Margins, SimpleBoxLayoutRule
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.stamp import StaticStampStyle
from reportlab.lib import colors
from reportlab.pdfgen.canvas import Canvas

from .document_layout import INK, MUTED, SIGNATURE_BOXES, lines_of, load_font

BEIJING = ZoneInfo("Asia/Shanghai")
SEAL_RED = colors.HexColor("#a12a23")
INSET = 11.0
_LEFT, _BOTTOM, _RIGHT, _TOP = SIGNATURE_BOXES["seller"]
WIDTH, HEIGHT = _RIGHT - _LEFT, _TOP - _BOTTOM


def mark_style(signer: str, fingerprint: str, *, now: dt.datetime) -> StaticStampStyle:
    """The look of one signature in a box of its size; `fingerprint` is the certificate's SHA-256."""
    whole = SimpleBoxLayoutRule(
        x_align=AxisAlignment.ALIGN_MID, y_align=AxisAlignment.ALIGN_MID, margins=Margins(0, 0, 0, 0)
    )
    drawn = _Drawn(_drawing(signer, fingerprint, now.astimezone(BEIJING)))
    return StaticStampStyle(background=drawn, background_opacity=1, background_layout=whole, border_width=0)


def _drawing(signer: str, fingerprint: str, at: dt.datetime) -> bytes:
    """A page of the box's size; its lower edge stays free for what is printed there."""
    font = load_font()
    held = io.BytesIO()
    canvas = Canvas(held, pagesize=(WIDTH, HEIGHT), invariant=1, initialFontName=font)
    canvas.setFillColor(SEAL_RED)
    canvas.rect(0, 15, 2.2, HEIGHT - 19, stroke=0, fill=1)
    canvas.setFont(font, 7)
    canvas.drawString(INSET, HEIGHT - 13, "已电子签名（PAdES）　Signed electronically (PAdES)")
    canvas.setFillColor(INK)
    canvas.setFont(font, 11)
    canvas.drawString(INSET, HEIGHT - 28, lines_of(signer, 11, WIDTH - 2 * INSET)[0])
    canvas.setFont(font, 7.6)
    canvas.drawString(INSET, HEIGHT - 40, f"{at:%Y-%m-%d %H:%M:%S} 北京时间 Beijing time")
    canvas.setFillColor(MUTED)
    canvas.setFont(font, 5.6)
    canvas.drawString(INSET, HEIGHT - 50, f"证书 Certificate (SHA-256)　{fingerprint[:32]}")
    indent = canvas.stringWidth("证书 Certificate (SHA-256)　", font, 5.6)
    canvas.drawString(INSET + indent, HEIGHT - 57, fingerprint[32:])
    canvas.showPage()
    canvas.save()
    return held.getvalue()


class _Drawn(PdfContent):
    """A drawn page as the content of a signature's appearance."""

    def __init__(self, page: bytes) -> None:
        super().__init__(box=BoxConstraints(width=WIDTH, height=HEIGHT))
        self._page = page

    def render(self) -> bytes:
        page = self._ensure_writer.import_page_as_xobject(PdfFileReader(io.BytesIO(self._page)))
        self.resources.xobject["/Mark"] = page
        return b"/Mark Do"
