"""Names in the documentation the ways in which a view refuses, beyond what holds for every view."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from app.api.conventions import ApiBlueprint

View = TypeVar("View", bound=Callable[..., Any])


def refuses(blueprint: ApiBlueprint, *statuses: int) -> Callable[[View], View]:
    """Document the statuses, each with the problem document that comes with it."""

    def document(view: View) -> View:
        for status in statuses:
            view = blueprint.alt_response(status, HTTPStatus(status).name)(view)
        return view

    return document
