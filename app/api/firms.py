"""The register of firms, their sites, what is built there, certificates and exclusions."""

from __future__ import annotations

import uuid
from typing import Any

import marshmallow as ma

from app.api.conventions import ApiBlueprint
from app.api.fields import DecimalText, Text, Timestamp
from app.api.idempotency import idempotent
from app.api.paging import Page, PageArguments, page, page_of
from app.api.reference_schemas import Code
from app.api.refusals import refuses
from app.api.versions import changes_version, expect_version, show_version
from app.auth import principal, requires
from app.clock import clock
from app.db import session
from app.models import Certificate, Firm, FirmExclusion, FirmRole, Site, SiteCapability
from app.operations import firms
from app.permissions import Permission

blueprint = ApiBlueprint("firms", __name__, path="/firms", description="The register of firms")
sites = ApiBlueprint("sites", __name__, path="/sites", description="Plants: your own, or all for the platform")
certificates = ApiBlueprint("certificates", __name__, path="/certificates", description="Of firms and sites")
exclusions = ApiBlueprint("exclusions", __name__, path="/exclusions", description="Whom your firm refuses")
COUNTRY = ma.validate.Regexp(r"^[A-Z]{2}$(?!\n)", error="expected a code such as CN")
CREDIT_CODE = {"description": "Unified social credit code, 18 characters with its check characters (GB 32100-2015)"}


class FirmSchema(ma.Schema):
    """A firm as everybody sees it."""

    id = ma.fields.UUID(required=True)
    credit_code = ma.fields.String(required=True, allow_none=True)
    country = ma.fields.String(required=True)
    registration_number = ma.fields.String(required=True, allow_none=True)
    name_zh = ma.fields.String(required=True)
    name_en = ma.fields.String(required=True)
    roles = ma.fields.List(ma.fields.Enum(FirmRole, by_value=True), required=True)
    parent_id = ma.fields.UUID(required=True, allow_none=True)
    active = ma.fields.Boolean(required=True)


class FirmChangeSchema(ma.Schema):
    """What is to change of a firm."""

    credit_code = Text(allow_none=True, most=40, metadata=CREDIT_CODE)
    country = Text(validate=COUNTRY)
    registration_number = Text(allow_none=True, most=60)
    name_zh = Text(most=200)
    name_en = Text(most=200)
    roles = ma.fields.List(ma.fields.Enum(FirmRole, by_value=True), validate=ma.validate.Length(1, 20))
    parent_id = ma.fields.UUID(allow_none=True, metadata={"description": "Ties affiliates: one supplier in shares"})
    active = ma.fields.Boolean()
    source = Text(allow_none=True, most=1000)


class NewFirmSchema(FirmChangeSchema):
    """A firm to be registered: a Chinese one with its credit code, a foreign one with its register's number."""

    country = Text(load_default="CN", validate=COUNTRY)
    name_zh = Text(required=True, most=200)
    name_en = Text(required=True, most=200)
    roles = ma.fields.List(ma.fields.Enum(FirmRole, by_value=True), required=True, validate=ma.validate.Length(1, 20))


class SiteCapabilitySchema(ma.Schema):
    """What a site is built to make in a year, in product units."""

    product = Code(required=True, attribute="product_code")
    grade = Code(load_default=None, allow_none=True, attribute="grade_code")
    capacity_per_year = DecimalText(required=True)
    utilisation = DecimalText(load_default=None, allow_none=True, maximum=1)
    source = Text(required=True, most=1000)
    estimated = ma.fields.Boolean(load_default=False)


class SiteSchema(ma.Schema):
    """A plant; its region decides the freight."""

    id = ma.fields.UUID(required=True)
    firm_id = ma.fields.UUID(required=True)
    code = ma.fields.String(required=True)
    name_zh = ma.fields.String(required=True)
    name_en = ma.fields.String(required=True)
    region = ma.fields.String(required=True, attribute="region_code")
    active = ma.fields.Boolean(required=True)
    capabilities = ma.fields.List(ma.fields.Nested(SiteCapabilitySchema), required=True)


class SiteValuesSchema(ma.Schema):
    """What a site of a firm is to be."""

    name_zh = Text(required=True, most=200)
    name_en = Text(required=True, most=200)
    region = Code(required=True, attribute="region_code")
    active = ma.fields.Boolean(load_default=True)
    source = Text(load_default=None, allow_none=True, most=1000)


class FirmCertificateSchema(ma.Schema):
    """A certificate, valid from and to the days named, both included."""

    id = ma.fields.UUID(dump_only=True)
    firm_id = ma.fields.UUID(required=True)
    site_id = ma.fields.UUID(load_default=None, allow_none=True, metadata={"description": "null: all of its sites"})
    kind = Code(required=True, attribute="kind_code")
    number = Text(required=True, most=100)
    valid_from = ma.fields.Date(required=True)
    valid_to = ma.fields.Date(required=True)
    suspended = ma.fields.Boolean(dump_only=True)


class FirmCertificateChangeSchema(ma.Schema):
    """What is to change of a certificate."""

    valid_to = ma.fields.Date()
    suspended = ma.fields.Boolean()


class ExclusionSchema(ma.Schema):
    """A firm that yours never trades with, in either direction. The other is not told."""

    firm_id = ma.fields.UUID(required=True, attribute="excluded_firm_id")
    created_at = Timestamp(required=True)


@blueprint.get("")
@requires(Permission.REFERENCE_READ)
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, page_of(FirmSchema))
def list_firms(arguments: dict[str, Any]) -> Page[Firm]:
    """The register, by name."""
    return page(session(), firms.visible_firms(principal()), order=(Firm.name_en, Firm.id), **arguments)


@blueprint.post("")
@requires(Permission.FIRM_MANAGE)
@idempotent
@blueprint.arguments(NewFirmSchema)
@refuses(blueprint, 409, 422)
@blueprint.response(201, FirmSchema)
def register_firm(values: dict[str, Any]) -> Firm:
    """Register a firm; a credit code that is none is refused with what is wrong with it."""
    firm = firms.register(session(), now=clock(), **values)
    show_version("firm", firm.id, firm.version)
    return firm


@blueprint.get("/<uuid:firm_id>")
@requires(Permission.REFERENCE_READ)
@refuses(blueprint, 404)
@blueprint.response(200, FirmSchema)
def get_firm(firm_id: uuid.UUID) -> Firm:
    """One firm."""
    firm = firms.find_firm(session(), principal=principal(), firm_id=firm_id)
    show_version("firm", firm.id, firm.version)
    return firm


@blueprint.patch("/<uuid:firm_id>")
@requires(Permission.FIRM_MANAGE)
@changes_version
@blueprint.arguments(FirmChangeSchema)
@refuses(blueprint, 404, 409, 412, 422, 428)
@blueprint.response(200, FirmSchema)
def change_firm(values: dict[str, Any], firm_id: uuid.UUID) -> Firm:
    """Change a firm: names, roles, parent, whether it is active."""
    firm = firms.find_firm(session(), principal=principal(), firm_id=firm_id, lock=True)
    expect_version("firm", firm.id, firm.version)
    firm = firms.change_firm(session(), principal=principal(), firm_id=firm_id, **values)
    show_version("firm", firm.id, firm.version)
    return firm


@blueprint.get("/<uuid:firm_id>/affiliates")
@requires(Permission.REFERENCE_READ)
@refuses(blueprint, 404)
@blueprint.response(200, FirmSchema(many=True))
def list_affiliates(firm_id: uuid.UUID) -> list[Firm]:
    """All firms under the same topmost parent, this one included: shares count them as one supplier."""
    firm = firms.find_firm(session(), principal=principal(), firm_id=firm_id)
    return firms.affiliates(session(), firm=firm)


@blueprint.put("/<uuid:firm_id>/sites/<string:code>")
@requires(Permission.FIRM_MANAGE)
@blueprint.arguments(SiteValuesSchema)
@refuses(blueprint, 404, 422)
@blueprint.response(200, SiteSchema)
def put_site(values: dict[str, Any], firm_id: uuid.UUID, code: str) -> Site:
    """Make a firm's site of this code be this; the same again changes nothing."""
    site, _ = firms.put_site(session(), principal=principal(), firm_id=firm_id, code=code, **values)
    return site


@sites.get("")
@requires(Permission.REFERENCE_READ)
@sites.arguments(PageArguments, location="query")
@sites.response(200, page_of(SiteSchema))
def list_sites(arguments: dict[str, Any]) -> Page[Site]:
    """Sites by their code."""
    return page(session(), firms.visible_sites(principal()), order=(Site.code, Site.id), **arguments)


@sites.get("/<uuid:site_id>")
@requires(Permission.REFERENCE_READ)
@refuses(sites, 404)
@sites.response(200, SiteSchema)
def get_site(site_id: uuid.UUID) -> Site:
    """One site."""
    return firms.find_site(session(), principal=principal(), site_id=site_id)


@sites.put("/<uuid:site_id>/capabilities")
@requires(Permission.FIRM_MANAGE)
@sites.arguments(SiteCapabilitySchema)
@refuses(sites, 404, 422)
@sites.response(200, SiteCapabilitySchema)
def put_capability(values: dict[str, Any], site_id: uuid.UUID) -> SiteCapability:
    """Say what the site is built to make of a product; the same again changes nothing."""
    capability, _ = firms.put_capability(session(), principal=principal(), site_id=site_id, **values)
    return capability


@certificates.get("")
@requires(Permission.REFERENCE_READ)
@certificates.arguments(PageArguments, location="query")
@certificates.response(200, page_of(FirmCertificateSchema))
def list_certificates(arguments: dict[str, Any]) -> Page[Certificate]:
    """Certificates: your own, or all for the platform; those that end first come first."""
    order = (Certificate.valid_to, Certificate.id)
    return page(session(), firms.visible_certificates(principal()), order=order, **arguments)


@certificates.post("")
@requires(Permission.FIRM_MANAGE)
@idempotent
@certificates.arguments(FirmCertificateSchema)
@refuses(certificates, 404, 409, 422)
@certificates.response(201, FirmCertificateSchema)
def add_certificate(values: dict[str, Any]) -> Certificate:
    """Enter a certificate that the platform has seen."""
    certificate = firms.add_certificate(session(), principal=principal(), now=clock(), **values)
    show_version("certificate", certificate.id, certificate.version)
    return certificate


@certificates.get("/<uuid:certificate_id>")
@requires(Permission.REFERENCE_READ)
@refuses(certificates, 404)
@certificates.response(200, FirmCertificateSchema)
def get_certificate(certificate_id: uuid.UUID) -> Certificate:
    """One certificate."""
    found = firms.find_certificate(session(), principal=principal(), certificate_id=certificate_id)
    show_version("certificate", found.id, found.version)
    return found


@certificates.patch("/<uuid:certificate_id>")
@requires(Permission.FIRM_MANAGE)
@changes_version
@certificates.arguments(FirmCertificateChangeSchema)
@refuses(certificates, 404, 412, 422, 428)
@certificates.response(200, FirmCertificateSchema)
def change_certificate(values: dict[str, Any], certificate_id: uuid.UUID) -> Certificate:
    """Prolong, shorten, suspend or reinstate a certificate."""
    found = firms.find_certificate(session(), principal=principal(), certificate_id=certificate_id)
    expect_version("certificate", found.id, found.version)
    found = firms.change_certificate(session(), principal=principal(), certificate_id=certificate_id, **values)
    show_version("certificate", found.id, found.version)
    return found


@exclusions.get("")
@requires(Permission.OFFER_READ)
@exclusions.arguments(PageArguments, location="query")
@exclusions.response(200, page_of(ExclusionSchema))
def list_exclusions(arguments: dict[str, Any]) -> Page[FirmExclusion]:
    """Whom your firm refuses."""
    select = firms.visible_exclusions(principal())
    return page(session(), select, order=(FirmExclusion.excluded_firm_id,), **arguments)


@exclusions.put("/<uuid:firm_id>")
@requires(Permission.OFFER_POST)
@refuses(exclusions, 404, 422)
@exclusions.response(200, ExclusionSchema)
def exclude(firm_id: uuid.UUID) -> FirmExclusion:
    """Refuse a firm from now on; contracts in force stay. The same again changes nothing."""
    exclusion, _ = firms.exclude(session(), principal=principal(), firm_id=firm_id, now=clock())
    return exclusion


@exclusions.delete("/<uuid:firm_id>")
@requires(Permission.OFFER_POST)
@exclusions.response(204)
def include(firm_id: uuid.UUID) -> None:
    """Take an exclusion back; the same again changes nothing."""
    firms.include(session(), principal=principal(), firm_id=firm_id)


BLUEPRINTS = (blueprint, sites, certificates, exclusions)
