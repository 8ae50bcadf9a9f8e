"""What the database says when it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError


@contextmanager
def violates(name: str) -> Iterator[None]:
    """The block is refused, and the refusal names this constraint or trigger."""
    with pytest.raises(DBAPIError) as caught:
        yield
    assert isinstance(caught.value.orig, psycopg.Error)
    assert caught.value.orig.diag.constraint_name == name
