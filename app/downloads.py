"""Files to take away."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import IO

from flask import Response, send_file

from app.models import ContractDocument, Evidence
from app.operations import documents
from app.operations.evidence import MEDIA_TYPES
from app.operations.exports import Exported

PIECE = 64 * 1024


def pdf_download(document: ContractDocument) -> Response:
    """A contract's document with all signatures that stand on it so far, named by contract and version."""
    return send_file(
        BytesIO(documents.content_of(document)),
        mimetype="application/pdf",
        as_attachment=True,
        download_name=f"{document.contract.number}-v{document.number}.pdf",
    )


def evidence_download(found: Evidence) -> Response:
    """A file of a party as it came, never shown by the browser itself."""
    return send_file(
        BytesIO(found.content), mimetype=MEDIA_TYPES[found.kind], as_attachment=True, download_name=found.filename
    )


def export_download(exported: Exported) -> Response:
    """What was exported, a piece at a time; the file is closed when it was sent, or when nobody wants it any more."""
    response = Response(_pieces(exported.file), content_type=exported.media_type)
    response.content_length = exported.size
    response.call_on_close(exported.file.close)  # whoever asked may go away before the first piece
    response.headers.set("Content-Disposition", "attachment", filename=exported.name)
    return response


def xml_download(document: str, name: str) -> Response:
    """An XML document under a name."""
    response = Response(document, content_type="application/xml")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece
