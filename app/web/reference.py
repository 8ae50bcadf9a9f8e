"""Reference data: lists to search, forms to edit, and who changed what. What a form asks follows from the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import NotFound

from app.auth import principal, requires
from app.clock import clock
from app.db import Model, session
from app.models import MarketIndex, Product, ReferenceChange, Region
from app.operations import pages
from app.operations.reference_data import Author, Outcome, changes_of, one, put, visible
from app.permissions import Permission
from app.web.formats import named
from app.web.paging import page_of
from app.web.reference_form import SUBJECTS, ReferenceForm, Subject, field_name
from app.web.texts import _

POINTED_AT = {"product", "region", "market_index"}
blueprint = Blueprint("reference", __name__, url_prefix="/console/reference")


@blueprint.get("")
@requires(Permission.REFERENCE_READ)
def subjects() -> ResponseReturnValue:
    """The subjects, and how many facts there are of each."""
    counts = {
        subject.name: session().scalar(sa.select(sa.func.count()).select_from(subject.model)) for subject in SUBJECTS
    }
    return render_template("reference_subjects.html", subjects=SUBJECTS, counts=counts)


@blueprint.get("/<name>")
@requires(Permission.REFERENCE_READ)
def listing(name: str) -> ResponseReturnValue:
    """The facts of one subject by their key, found by any part of a code, name or source."""
    subject = _subject(name)
    select = visible(subject.model)
    if wanted := request.args.get("q", "").strip()[:100]:
        pattern = f"%{wanted.replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"
        texts = [field.column for field in subject.fields if isinstance(field.column.type, sa.Text | sa.String)]
        select = select.where(sa.or_(*(column.ilike(pattern, escape="!") for column in texts)))
    columns = [getattr(subject.model, column) for column in subject.order]
    return render_template(
        "reference_list.html",
        subject=subject,
        page=page_of(session(), select, order=columns, descending=subject.newest_first),
        may_edit=_may_edit(subject),
        key_of=lambda row: _key_of(subject, row),
        field_name=field_name,
    )


@blueprint.get("/<name>/row")
@requires(Permission.REFERENCE_READ)
def show(name: str) -> ResponseReturnValue:
    """One fact with its history; a form for those who keep it."""
    subject = _subject(name)
    row = _row(subject)
    return _page(subject, ReferenceForm.of_row(subject, row), row)


@blueprint.get("/<name>/new")
@requires(Permission.REFERENCE_MANAGE)
def new(name: str) -> ResponseReturnValue:
    """The form of a new fact."""
    subject = _editable(name)
    return _page(subject, ReferenceForm(subject, {}), None)


@blueprint.post("/<name>/new")
@requires(Permission.REFERENCE_MANAGE)
def create(name: str) -> ResponseReturnValue:
    """Enter a fact; one with this key must not be there yet."""
    subject = _editable(name)
    form = ReferenceForm(subject, request.form)
    key, values = form.read_key(), form.read()
    if not form.errors and session().scalar(sa.select(subject.model).filter_by(**key)) is not None:
        form.errors[subject.key[0]] = _("This is there already. Look for it in the list and change it.")
    return _page(subject, form, None, 422) if form.errors else _keep(subject, form, key, values, None)


@blueprint.post("/<name>/row")
@requires(Permission.REFERENCE_MANAGE)
def change(name: str) -> ResponseReturnValue:
    """Change a fact; the key stays."""
    subject = _editable(name)
    row = _row(subject)
    form = ReferenceForm(subject, request.form)
    values = form.read()
    if form.errors:
        return _page(subject, form, row, 422)
    return _keep(subject, form, {column: getattr(row, column) for column in subject.key}, values, row)


def _keep(
    subject: Subject, form: ReferenceForm, key: Mapping[str, Any], values: Mapping[str, Any], row: Model | None
) -> ResponseReturnValue:
    user_id = principal().user_id
    if user_id is None:
        raise LookupError("pages are for people")
    author = Author(user_id=user_id, at=clock())
    try:
        with session().begin_nested():
            kept, outcome = put(session(), subject.model, key=key, values=values, author=author)
    except IntegrityError as error:
        rule = getattr(getattr(error.orig, "diag", None), "constraint_name", None) or "?"
        form.errors[""] = _("This breaks the rule %(rule)s of the data; nothing was changed.", rule=rule)
        return _page(subject, form, row, 422)
    told = {
        Outcome.CREATED: _("Entered."),
        Outcome.CHANGED: _("Changed. What was there before stays in the history."),
        Outcome.UNCHANGED: _("Nothing was different."),
    }
    flash(told[outcome], "success")
    return redirect(url_for("reference.show", name=subject.name, **_key_of(subject, kept)), 303)


def _page(subject: Subject, form: ReferenceForm, row: Model | None, status: int = 200) -> ResponseReturnValue:
    history: Sequence[ReferenceChange] = ()
    if row is not None:
        key = [getattr(row, column) for column in subject.key]
        history = changes_of(session(), principal=principal(), model=subject.model, key=key)
    text = render_template(
        "reference_row.html",
        subject=subject,
        form=form,
        row=row,
        may_edit=_may_edit(subject),
        choices=_choices(subject),
        history=[(one, list(_differences(one))) for one in history],
        names=pages.names_of_people(session(), (one.user_id for one in history)),
        field_name=field_name,
    )
    return text, status


def _differences(change: ReferenceChange) -> list[tuple[str, str, str]]:
    """Column, before, after of what a change changed."""
    before = change.before or {}
    return [
        (column, before.get(column) or "–", value or "–")
        for column, value in change.after.items()
        if before.get(column) != value and column != "id"
    ]


def _choices(subject: Subject) -> dict[str, list[tuple[str, str]]]:
    """Codes with names for the columns that point at products, regions and indices."""
    found: dict[str, list[tuple[str, str]]] = {}
    for field in subject.fields:
        rows: Sequence[Product | Region | MarketIndex] = ()
        if field.points_at == "product":
            rows = session().scalars(sa.select(Product).order_by(Product.code)).all()
        elif field.points_at == "region":
            rows = session().scalars(sa.select(Region).order_by(Region.code)).all()
        elif field.points_at == "market_index":
            rows = session().scalars(sa.select(MarketIndex).order_by(MarketIndex.code)).all()
        if field.points_at in POINTED_AT:
            found[field.name] = [(row.code, f"{named(row)} ({row.code})") for row in rows]
        elif field.codes:
            found[field.name] = [(code, code) for code in field.codes]
    return found


def _row(subject: Subject) -> Model:
    """The row that the address names by its key.

    :raises NotFound: there is none, or the key cannot be one.
    """
    form = ReferenceForm(subject, request.args)
    key = form.read_key()
    if form.errors:
        raise NotFound
    return one(session(), subject.model, **key)


def _key_of(subject: Subject, row: Model) -> dict[str, Any]:
    return {column: str(value) for column in subject.key if (value := getattr(row, column)) is not None}


def _subject(name: str) -> Subject:
    found = next((subject for subject in SUBJECTS if subject.name == name), None)
    if found is None:
        raise NotFound
    return found


def _editable(name: str) -> Subject:
    subject = _subject(name)
    if not subject.editable:
        raise NotFound
    return subject


def _may_edit(subject: Subject) -> bool:
    return subject.editable and principal().may(Permission.REFERENCE_MANAGE)
