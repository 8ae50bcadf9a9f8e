"""Anybody's page: is this file a contract as it was made and signed? What was uploaded is forgotten."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from app.auth import public
from app.clock import clock
from app.config import settings
from app.db import session
from app.operations import verification
from app.operations.signing import LARGEST_DOCUMENT
from app.trust import trusted_roots
from app.web.texts import _

blueprint = Blueprint("verify", __name__)
MEGABYTE = 1024 * 1024


@blueprint.get("/verify")
@public
def form() -> ResponseReturnValue:
    """Where to put the file."""
    return _page()


@blueprint.post("/verify")
@public
def check() -> ResponseReturnValue:
    """What the file is, and every place in which it was changed."""
    sent = request.files.get("file")
    content = sent.read(LARGEST_DOCUMENT + 1) if sent is not None else b""
    if not content:
        return _page(error=_("Choose a file first.")), 422
    if len(content) > LARGEST_DOCUMENT:
        return _page(error=_("The file is too large; expected at most %(most)s MB.", most=_MOST)), 422
    roots = trusted_roots(settings(), now=clock())
    return _page(found=verification.verify(session(), content=content, roots=roots, now=clock()))


_MOST = LARGEST_DOCUMENT // MEGABYTE


def _page(*, found: verification.Verified | None = None, error: str | None = None) -> str:
    return render_template("verify.html", found=found, error=error, most=_MOST)
