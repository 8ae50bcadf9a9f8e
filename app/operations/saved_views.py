"""Choices of a list kept under a name: filters and order, a person's own."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Conflict, Forbidden, NotFound, Refused
from app.models import ListName, SavedView
from contracts.wording import Text

MOST_VIEWS = 30  # of one person and list: what does not fit on a line is looked for, not clicked
LONGEST_NAME = 60
LONGEST_ARGUMENT = 200
# What an address may say of a list; anything else is not kept.
ARGUMENTS: Mapping[ListName, frozenset[str]] = {
    ListName.REVIEW: frozenset({"state", "product", "firm", "run", "bundle", "least", "sort"}),
}


def visible_views(principal: Principal) -> sa.Select[SavedView]:
    """The asker's own views; nobody else's."""
    return sa.select(SavedView).where(SavedView.user_id == principal.user_id)


def views_of(session: Session, *, principal: Principal, list_name: ListName) -> Sequence[SavedView]:
    """The asker's views of a list, by name."""
    query = visible_views(principal).where(SavedView.list_name == list_name)
    return session.scalars(query.order_by(SavedView.name, SavedView.id)).all()


def keep(
    session: Session,
    *,
    principal: Principal,
    list_name: ListName,
    name: str,
    arguments: Mapping[str, str],
    now: dt.datetime,
) -> SavedView:
    """Keep a choice under a name; the same name again keeps the new choice instead.

    :raises Forbidden: the asker is no person.
    :raises Refused: the name is empty or too long, or the choice has nothing to keep.
    :raises Conflict: there are as many views as one can have.
    """
    if principal.user_id is None:
        raise Forbidden(Text("只有个人可以保存视图", "views are kept by people"))
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        told = Text(f"应为 1 至 {LONGEST_NAME} 个可见字符的名称", f"expected a name of 1 to {LONGEST_NAME} characters")
        raise Refused(told, field="name")
    wanted = {
        key: value.strip()[:LONGEST_ARGUMENT]
        for key, value in sorted(arguments.items())
        if key in ARGUMENTS[list_name] and value.strip()
    }
    if not wanted:
        raise Refused(Text("请先选择筛选或排序", "nothing is chosen; expected a filter or an order"), field="name")
    # Two windows of one person at once: the second waits here and then finds what the first has kept.
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"view {principal.user_id}", 0))))
    present = views_of(session, principal=principal, list_name=list_name)
    found = next((view for view in present if view.name == name), None)
    if found is not None:
        found.arguments = wanted
    elif len(present) >= MOST_VIEWS:
        raise Conflict(
            Text(
                f"最多保存 {MOST_VIEWS} 个视图，请先删除一个", f"there are {MOST_VIEWS} views; remove one of them first"
            )
        )
    else:
        found = SavedView(user_id=principal.user_id, list_name=list_name, name=name, arguments=wanted, created_at=now)
        session.add(found)
    session.flush()
    return found


def remove(session: Session, *, principal: Principal, view_id: uuid.UUID) -> None:
    """Forget a view.

    :raises NotFound: the asker has no such view.
    """
    found = session.scalar(visible_views(principal).where(SavedView.id == view_id))
    if found is None:
        raise NotFound("no such view")
    session.delete(found)
    session.flush()
