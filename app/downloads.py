"""Files to take away."""

from __future__ import annotations

from io import BytesIO

from flask import Response, send_file

from app.models import ContractDocument
from app.operations import documents


def pdf_download(document: ContractDocument) -> Response:
    """A contract's document with all signatures that stand on it so far, named by contract and version."""
    return send_file(
        BytesIO(documents.content_of(document)),
        mimetype="application/pdf",
        as_attachment=True,
        download_name=f"{document.contract.number}-v{document.number}.pdf",
    )
