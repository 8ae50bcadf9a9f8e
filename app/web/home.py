"""The first page after signing in."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.auth import current_principal, public

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
@public
def show() -> ResponseReturnValue:
    """What a signed-in person can go to; everybody else signs in first."""
    if current_principal() is None:
        return redirect(url_for("sign_in.form"))
    return render_template("home.html")
