"""One request, one transaction. Nothing else in the app commits, except jobs and commands at their own edge."""

from __future__ import annotations

from flask import Flask, g
from flask.typing import ResponseReturnValue

from app.db import db


class Application(Flask):
    """Flask, with the transaction drawn around the view.

    What the view did is committed when its answer is below 400 and undone otherwise. The commit comes before the
    answer leaves, so that a constraint checked at the end still becomes an error answer.
    """

    def dispatch_request(self) -> ResponseReturnValue:
        try:
            response = self.make_response(super().dispatch_request())
            _end(commit=response.status_code < 400)
        except Exception:
            _end(commit=False)
            raise
        return response


def keep_on_refusal() -> None:
    """What this request has recorded stays even if it is refused: a failed sign-in, a look that was logged."""
    g.keep_on_refusal = True


def _end(*, commit: bool) -> None:
    if not db.session.registry.has():
        return
    if commit or (g.pop("keep_on_refusal", False) and db.session().is_active):
        db.session.commit()
    else:
        db.session.rollback()
