"""The register of firms: looked through and kept by staff; a firm's sites, what they are built for, certificates."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import principal, requires
from app.clock import clock, today
from app.db import session
from app.errors import Conflict, Refused
from app.models import Certificate, CertificateKind, Firm, FirmRole, Region, Site, SiteCapability
from app.operations import firms
from app.permissions import Permission
from app.web.form_fields import FormFields
from app.web.formats import language, named
from app.web.labels import options
from app.web.paging import page_of
from app.web.texts import _

blueprint = Blueprint("firms", __name__, url_prefix="/console/firms")
LONGEST_NAME, LONGEST_SOURCE = 200, 1000
MOST_FIRMS = 2_000
NAMES = ("name_zh", "name_en")
TEXTS = (*NAMES, "credit_code", "country", "registration_number", "source")


@blueprint.get("")
@requires(Permission.FIRM_MANAGE)
def listing() -> ResponseReturnValue:
    """All firms by name, found by any part of a name or number."""
    select = firms.visible_firms(principal())
    if wanted := request.args.get("q", "").strip()[:100]:
        pattern = f"%{wanted.replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"
        texts = (Firm.name_zh, Firm.name_en, Firm.credit_code, Firm.registration_number)
        select = select.where(sa.or_(*(column.ilike(pattern, escape="!") for column in texts)))
    if (role := request.args.get("role")) in set(FirmRole):
        select = select.where(Firm.roles.contains([role]))
    return render_template(
        "firms.html",
        page=page_of(session(), select, order=(Firm.name_en, Firm.id), descending=False),
        roles=options("firm_role", list(FirmRole)),
    )


@blueprint.get("/new")
@requires(Permission.FIRM_MANAGE)
def new() -> ResponseReturnValue:
    """The form of a new firm."""
    return _form(None, {"country": "CN", "active": "1"}, {})


@blueprint.post("/new")
@requires(Permission.FIRM_MANAGE)
def register() -> ResponseReturnValue:
    """Enter a firm into the register."""
    return _keep(None)


@blueprint.get("/<uuid:firm_id>")
@requires(Permission.FIRM_MANAGE)
def show(firm_id: uuid.UUID) -> ResponseReturnValue:
    """One firm with its sites, what they are built for, and its certificates."""
    return _sheet(_firm(firm_id), {}, {})


@blueprint.get("/<uuid:firm_id>/edit")
@requires(Permission.FIRM_MANAGE)
def edit(firm_id: uuid.UUID) -> ResponseReturnValue:
    """What is known of a firm, to change."""
    firm = _firm(firm_id)
    values = {name: getattr(firm, name) or "" for name in TEXTS}
    values |= {f"roles/{role}": "1" for role in firm.roles}
    return _form(firm, values | {"active": "1" if firm.active else "", "parent_id": str(firm.parent_id or "")}, {})


@blueprint.post("/<uuid:firm_id>/edit")
@requires(Permission.FIRM_MANAGE)
def change(firm_id: uuid.UUID) -> ResponseReturnValue:
    """Change what is known of a firm."""
    return _keep(_firm(firm_id))


@blueprint.post("/<uuid:firm_id>/sites")
@requires(Permission.FIRM_MANAGE)
def put_site(firm_id: uuid.UUID) -> ResponseReturnValue:
    """Enter or change a site, by its code."""
    firm = _firm(firm_id)
    fields = FormFields(request.form)
    code = fields.text("code", most=60, required=True)
    values: dict[str, Any] = {name: fields.text(name, most=LONGEST_NAME, required=True) for name in NAMES}
    values["region_code"] = fields.text("region_code", most=60, required=True)
    values |= {"active": bool(request.form.get("active")), "source": fields.text("source", most=LONGEST_SOURCE)}
    if fields.errors:
        return _sheet(firm, request.form, {f"site/{name}": text for name, text in fields.errors.items()}), 422
    try:
        with session().begin_nested():
            firms.put_site(session(), principal=principal(), firm_id=firm_id, code=str(code), **values)
    except Refused as refusal:
        return _sheet(firm, request.form, {"site/region_code": refusal.text.in_language(language())}), 422
    flash(_("The site is kept."), "success")
    return redirect(url_for("firms.show", firm_id=firm_id), 303)


@blueprint.post("/<uuid:firm_id>/certificates")
@requires(Permission.FIRM_MANAGE)
def add_certificate(firm_id: uuid.UUID) -> ResponseReturnValue:
    """Enter a certificate of the firm or of one of its sites."""
    firm = _firm(firm_id)
    fields = FormFields(request.form)
    number = fields.text("number", most=LONGEST_NAME, required=True)
    first, last = fields.day("valid_from", required=True), fields.day("valid_to", required=True)
    if fields.errors or first is None or last is None:
        return _sheet(firm, request.form, {f"certificate/{name}": text for name, text in fields.errors.items()}), 422
    try:
        with session().begin_nested():
            firms.add_certificate(
                session(),
                principal=principal(),
                firm_id=firm_id,
                site_id=request.form.get("site_id", type=uuid.UUID),
                kind_code=request.form.get("kind_code", ""),
                number=str(number),
                valid_from=first,
                valid_to=last,
                now=clock(),
            )
    except (Refused, Conflict) as refusal:
        named_field = getattr(refusal, "field", None) or "number"
        field = "kind_code" if named_field == "kind" else named_field
        return _sheet(firm, request.form, {f"certificate/{field}": refusal.text.in_language(language())}), 422
    flash(_("The certificate is entered."), "success")
    return redirect(url_for("firms.show", firm_id=firm_id), 303)


@blueprint.post("/certificates/<uuid:certificate_id>/<any(suspend, reinstate, prolong):move>")
@requires(Permission.FIRM_MANAGE)
def change_certificate(certificate_id: uuid.UUID, move: str) -> ResponseReturnValue:
    """Suspend or reinstate a certificate, or give it another last day."""
    found = firms.find_certificate(session(), principal=principal(), certificate_id=certificate_id)
    last = _day(request.form.get("valid_to", "")) if move == "prolong" else None
    if move == "prolong" and last is None:
        flash(_("A day is expected."), "danger")
    else:
        suspended = {"suspend": True, "reinstate": False}.get(move)
        try:
            with session().begin_nested():
                firms.change_certificate(
                    session(), principal=principal(), certificate_id=found.id, valid_to=last, suspended=suspended
                )
        except Refused as refusal:
            flash(refusal.text.in_language(language()), "danger")
        else:
            flash(_("The certificate is changed."), "success")
    return redirect(url_for("firms.show", firm_id=found.firm_id), 303)


def _keep(firm: Firm | None) -> ResponseReturnValue:
    """Register a firm or change it by the form."""
    form = request.form
    values: dict[str, Any] = {name: form.get(name, "").strip()[:LONGEST_SOURCE] or None for name in TEXTS}
    values["country"] = (values["country"] or "CN").upper()
    values["roles"] = [role for role in FirmRole if form.get(f"roles/{role}")]
    values["parent_id"] = form.get("parent_id", type=uuid.UUID)
    values["active"] = bool(form.get("active"))
    errors = {name: _("This is needed.") for name in NAMES if not values[name]}
    if not (len(values["country"]) == 2 and values["country"].isascii() and values["country"].isalpha()):
        errors["country"] = _("A country code such as CN is expected.")
    if errors:
        return _form(firm, form, errors), 422
    try:
        with session().begin_nested():
            if firm is None:
                firm = firms.register(session(), now=clock(), **values)
            else:
                firms.change_firm(session(), principal=principal(), firm_id=firm.id, **values)
    except (Refused, Conflict) as refusal:
        field = getattr(refusal, "field", None) or "credit_code"
        return _form(firm, form, {field: refusal.text.in_language(language())}), 422
    flash(_("The register is changed."), "success")
    return redirect(url_for("firms.show", firm_id=firm.id), 303)


def _form(firm: Firm | None, values: Mapping[str, str], errors: Mapping[str, str]) -> str:
    others = firms.visible_firms(principal()).order_by(Firm.name_en, Firm.id).limit(MOST_FIRMS)
    return render_template(
        "firm_form.html",
        firm=firm,
        values=values,
        errors=errors,
        roles=options("firm_role", list(FirmRole)),
        parents=[(str(one.id), named(one)) for one in session().scalars(others) if firm is None or one.id != firm.id],
    )


def _sheet(firm: Firm, typed: Mapping[str, str], errors: Mapping[str, str]) -> str:
    sites = session().scalars(sa.select(Site).where(Site.firm_id == firm.id).order_by(Site.code, Site.id)).all()
    built = (
        sa.select(SiteCapability)
        .where(SiteCapability.site_id.in_([site.id for site in sites]))
        .order_by(SiteCapability.product_code, SiteCapability.id)
    )
    papers = firms.visible_certificates(principal()).where(Certificate.firm_id == firm.id)
    return render_template(
        "firm.html",
        firm=firm,
        affiliates=[one for one in firms.affiliates(session(), firm=firm) if one.id != firm.id],
        sites=sites,
        built=session().scalars(built).all(),
        certificates=session().scalars(papers.order_by(Certificate.valid_to, Certificate.id)).all(),
        regions=[(one.code, named(one)) for one in session().scalars(sa.select(Region).order_by(Region.code))],
        kinds=[(one.code, named(one)) for one in session().scalars(sa.select(CertificateKind).order_by("code"))],
        values=typed,
        errors=errors,
        today=today(),
    )


def _firm(firm_id: uuid.UUID) -> Firm:
    return firms.find_firm(session(), principal=principal(), firm_id=firm_id)


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError:
        return None
