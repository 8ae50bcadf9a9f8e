"""Files to take away."""

from __future__ import annotations

from io import BytesIO

from flask import Response, send_file

from app.models import ContractDocument, Evidence
from app.operations import documents
from app.operations.evidence import MEDIA_TYPES


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
