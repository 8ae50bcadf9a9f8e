"""Firms and what is theirs: sites, what is built there, certificates, and whom they refuse.

The register of firms is open to all who are signed in, because offers name counterparties. Sites, capabilities,
certificates and exclusions are a firm's own and the platform's; the platform keeps sites and certificates, because it
has checked them, and each firm keeps its exclusions.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypedDict, Unpack

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.auth import Principal
from app.errors import Conflict, NotFound, Refused
from app.models import Certificate, CertificateKind, Firm, FirmExclusion, FirmRole, Grade, Region, Site, SiteCapability
from app.operations.reference_data import Outcome, put
from contracts.wording import Text
from market import credit_code
from market.errors import InvalidValue


class FirmValues(TypedDict, total=False):
    """What is known of a firm; a Chinese one has a credit code, a foreign one its register's number."""

    credit_code: str | None
    country: str
    registration_number: str | None
    name_zh: str
    name_en: str
    roles: Sequence[FirmRole]
    parent_id: uuid.UUID | None
    active: bool
    source: str | None


def visible_firms(principal: Principal) -> sa.Select[Firm]:
    """The register: active firms and the asker's own for firms, all for the platform."""
    select = sa.select(Firm)
    if principal.firm_id is None:
        return select
    return select.where(Firm.active | (Firm.id == principal.firm_id))


def visible_sites(principal: Principal) -> sa.Select[Site]:
    """A firm's own sites; all for the platform."""
    select = sa.select(Site)
    return select if principal.firm_id is None else select.where(Site.firm_id == principal.firm_id)


def visible_certificates(principal: Principal) -> sa.Select[Certificate]:
    """A firm's own certificates; all for the platform."""
    select = sa.select(Certificate)
    return select if principal.firm_id is None else select.where(Certificate.firm_id == principal.firm_id)


def visible_exclusions(principal: Principal) -> sa.Select[FirmExclusion]:
    """Whom the asker's own firm refuses. Nobody is told who refuses him; the platform sees exclusions in review."""
    return sa.select(FirmExclusion).where(FirmExclusion.firm_id == principal.firm_id)


def find_firm(session: Session, *, principal: Principal, firm_id: uuid.UUID, lock: bool = False) -> Firm:
    """:raises NotFound: there is no such firm for the asker."""
    select = visible_firms(principal).where(Firm.id == firm_id)
    found = session.scalar(select.with_for_update() if lock else select)
    if found is None:
        raise NotFound("no such firm")
    return found


def find_site(session: Session, *, principal: Principal, site_id: uuid.UUID) -> Site:
    """:raises NotFound: there is no such site for the asker."""
    found = session.scalar(visible_sites(principal).where(Site.id == site_id))
    if found is None:
        raise NotFound("no such site")
    return found


def find_certificate(session: Session, *, principal: Principal, certificate_id: uuid.UUID) -> Certificate:
    """:raises NotFound: there is no such certificate for the asker."""
    found = session.scalar(visible_certificates(principal).where(Certificate.id == certificate_id))
    if found is None:
        raise NotFound("no such certificate")
    return found


def register(session: Session, *, now: dt.datetime, **values: Unpack[FirmValues]) -> Firm:
    """Enter a firm into the register.

    :raises Refused: the credit code is none, neither number is given, a role is missing, or the parent is unknown.
    :raises Conflict: a firm with this number is registered.
    """
    firm = Firm(created_at=now, **_checked(session, dict(values), firm=None))
    session.add(firm)
    session.flush()
    return firm


def change_firm(session: Session, *, principal: Principal, firm_id: uuid.UUID, **values: Unpack[FirmValues]) -> Firm:
    """Change what is named.

    :raises NotFound: there is no such firm.
    :raises Refused, Conflict: as `register`; or the parent would be the firm itself or one below it.
    """
    firm = find_firm(session, principal=principal, firm_id=firm_id, lock=True)
    for name, value in _checked(session, dict(values), firm=firm).items():
        setattr(firm, name, value)
    session.flush()
    return firm


def _checked(session: Session, values: dict[str, Any], *, firm: Firm | None) -> dict[str, Any]:
    """The values as they are stored, once they hold together with what is stored already."""
    if values.get("credit_code") is not None:
        try:
            values["credit_code"] = credit_code.validate(values["credit_code"])
        except InvalidValue as error:
            told = Text(f"{values['credit_code']} 不是统一社会信用代码", str(error))
            raise Refused(told, field="credit_code") from error
    after = {
        name: values.get(name, getattr(firm, name, None))
        for name in ("credit_code", "country", "registration_number", "roles")
    }
    if after["credit_code"] is None and not after["registration_number"]:
        raise Refused(
            Text(
                "既没有信用代码也没有注册号；应有其一",
                "neither a credit code nor a registration number is given; expected one",
            ),
            field="credit_code",
        )
    if (after["country"] or "CN") == "CN" and after["credit_code"] is None:
        raise Refused(
            Text(
                "没有统一社会信用代码；中国企业应填写",
                "no unified social credit code is given; expected one for a firm of China",
            ),
            field="credit_code",
        )
    if not after["roles"]:
        raise Refused(Text("没有角色；应至少一个", "no role is given; expected at least one"), field="roles")
    _refuse_known_number(session, after, firm)
    if values.get("parent_id") is not None:
        _check_parent(session, values["parent_id"], firm)
    return values


def _refuse_known_number(session: Session, after: dict[str, Any], firm: Firm | None) -> None:
    same = sa.false()
    if after["credit_code"] is not None:
        same |= Firm.credit_code == after["credit_code"]
    if after["registration_number"] is not None:
        same |= (Firm.country == (after["country"] or "CN")) & (
            Firm.registration_number == after["registration_number"]
        )
    known = sa.select(Firm.id).where(same)
    if firm is not None:
        known = known.where(Firm.id != firm.id)
    if session.scalar(known.limit(1)) is not None:
        raise Conflict(
            Text("该信用代码或注册号的企业已登记", "a firm with this credit code or registration number is registered")
        )


def _check_parent(session: Session, parent_id: uuid.UUID, firm: Firm | None) -> None:
    parent = session.get(Firm, parent_id)
    if parent is None:
        raise Refused(
            Text(f"没有企业 {parent_id}；应为已登记的企业", f"there is no firm {parent_id}; expected a registered one"),
            field="parent_id",
        )
    while parent is not None and firm is not None:
        if parent.id == firm.id:
            raise Refused(
                Text(
                    "上级是企业自身或其下级；应为上级企业",
                    "the parent is the firm itself or one below it; expected one above",
                ),
                field="parent_id",
            )
        parent = parent.parent


def affiliates(session: Session, *, firm: Firm) -> list[Firm]:
    """All firms under the same topmost parent, the firm itself included, by name and key."""
    top = firm
    while top.parent is not None:
        top = top.parent
    tree = sa.select(Firm.id).where(Firm.id == top.id).cte(recursive=True)
    tree = tree.union(sa.select(Firm.id).join(tree, Firm.parent_id == tree.c.id))
    return list(
        session.scalars(sa.select(Firm).where(Firm.id.in_(sa.select(tree.c.id))).order_by(Firm.name_en, Firm.id))
    )


def put_site(
    session: Session, *, principal: Principal, firm_id: uuid.UUID, code: str, **values: Any
) -> tuple[Site, Outcome]:
    """Make the firm's site of this code have these values: name_zh, name_en, region_code, active, source.

    :raises NotFound: there is no such firm.
    :raises Refused: the region is unknown.
    """
    firm = find_firm(session, principal=principal, firm_id=firm_id)
    if session.get(Region, values["region_code"]) is None:
        raise Refused(
            Text(
                f"没有地区 {values['region_code']!r}；应为列表中的代码",
                f"there is no region {values['region_code']!r}; expected a code of the list",
            ),
            field="region",
        )
    return put(session, Site, key={"firm_id": firm.id, "code": code}, values=values)


def put_capability(
    session: Session,
    *,
    principal: Principal,
    site_id: uuid.UUID,
    product_code: str,
    grade_code: str | None,
    capacity_per_year: Decimal,
    utilisation: Decimal | None,
    source: str,
    estimated: bool,
) -> tuple[SiteCapability, Outcome]:
    """Say what a site is built to make in a year, in product units; any grade where none is named.

    :raises NotFound: there is no such site.
    :raises Refused: the product or the grade is unknown.
    """
    site = find_site(session, principal=principal, site_id=site_id)
    grades = session.scalars(sa.select(Grade.code).where(Grade.product_code == product_code)).all()
    if not grades:
        raise Refused(
            Text(f"没有带等级的产品 {product_code!r}", f"there is no product {product_code!r} with grades"),
            field="product",
        )
    if grade_code is not None and grade_code not in grades:
        raise Refused(
            Text(
                f"{product_code} 没有等级 {grade_code!r}；应为 {', '.join(sorted(grades))}",
                f"{product_code} has no grade {grade_code!r}; expected {', '.join(sorted(grades))}",
            ),
            field="grade",
        )
    return put(
        session,
        SiteCapability,
        key={"site_id": site.id, "product_code": product_code, "grade_code": grade_code},
        values={
            "capacity_per_year": capacity_per_year,
            "utilisation": utilisation,
            "source": source,
            "estimated": estimated,
        },
    )


def add_certificate(
    session: Session,
    *,
    principal: Principal,
    firm_id: uuid.UUID,
    site_id: uuid.UUID | None,
    kind_code: str,
    number: str,
    valid_from: dt.date,
    valid_to: dt.date,
    now: dt.datetime,
) -> Certificate:
    """Enter a certificate of a firm, or of one of its sites.

    :raises NotFound: there is no such firm.
    :raises Refused: the kind or the site is unknown, or the days are in the wrong order.
    :raises Conflict: the number is known.
    """
    firm = find_firm(session, principal=principal, firm_id=firm_id)
    if session.get(CertificateKind, kind_code) is None:
        raise Refused(
            Text(
                f"没有证书种类 {kind_code!r}；应为列表中的代码",
                f"there is no kind of certificate {kind_code!r}; expected a code of the list",
            ),
            field="kind",
        )
    if site_id is not None and session.scalar(sa.select(Site.firm_id).where(Site.id == site_id)) != firm.id:
        raise Refused(Text(f"{site_id} 不是该企业的工厂", f"{site_id} is no site of this firm"), field="site_id")
    _check_days(valid_from, valid_to)
    known = sa.select(Certificate.id).where(Certificate.kind_code == kind_code, Certificate.number == number)
    if session.scalar(known) is not None:
        raise Conflict(
            Text(
                f"证书 {kind_code} 编号 {number!r} 已登记",
                f"a certificate {kind_code} with the number {number!r} is registered",
            )
        )
    certificate = Certificate(
        firm_id=firm.id,
        site_id=site_id,
        kind_code=kind_code,
        number=number,
        valid_from=valid_from,
        valid_to=valid_to,
        created_at=now,
    )
    session.add(certificate)
    session.flush()
    return certificate


def change_certificate(
    session: Session,
    *,
    principal: Principal,
    certificate_id: uuid.UUID,
    valid_to: dt.date | None = None,
    suspended: bool | None = None,
) -> Certificate:
    """Prolong, shorten, suspend or reinstate a certificate.

    :raises NotFound: there is no such certificate.
    :raises Refused: it would end before it begins.
    """
    certificate = find_certificate(session, principal=principal, certificate_id=certificate_id)
    if valid_to is not None:
        _check_days(certificate.valid_from, valid_to)
        certificate.valid_to = valid_to
    if suspended is not None:
        certificate.suspended = suspended
    session.flush()
    return certificate


def exclude(
    session: Session, *, principal: Principal, firm_id: uuid.UUID, now: dt.datetime
) -> tuple[FirmExclusion, Outcome]:
    """The asker's own firm refuses to trade with another, in both directions; doing it again changes nothing.

    :raises NotFound: there is no such firm.
    :raises Refused: the asker has no firm, or it is the firm itself.
    """
    own, other = _own(principal), find_firm(session, principal=principal, firm_id=firm_id)
    if own == other.id:
        raise Refused(
            Text("企业不能排除自己；应为另一家企业", "a firm does not refuse itself; expected another firm"),
            field="firm_id",
        )
    present = session.get(FirmExclusion, (own, other.id))
    if present is not None:
        return present, Outcome.UNCHANGED
    exclusion = FirmExclusion(firm_id=own, excluded_firm_id=other.id, created_at=now)
    session.add(exclusion)
    session.flush()
    return exclusion, Outcome.CREATED


def include(session: Session, *, principal: Principal, firm_id: uuid.UUID) -> Outcome:
    """Take an exclusion back; doing it again changes nothing."""
    present = session.get(FirmExclusion, (_own(principal), firm_id))
    if present is None:
        return Outcome.UNCHANGED
    session.delete(present)
    session.flush()
    return Outcome.CHANGED


def _own(principal: Principal) -> uuid.UUID:
    if principal.firm_id is None:
        raise Refused(
            Text("只有企业才有排除名单；应为企业人员", "only a firm has exclusions; expected someone of a firm")
        )
    return principal.firm_id


def _check_days(valid_from: dt.date, valid_to: dt.date) -> None:
    if valid_to < valid_from:
        raise Refused(
            Text(
                f"{valid_to} 早于首日 {valid_from}；应为该日或更晚",
                f"{valid_to} is before the first day {valid_from}; expected that day or later",
            ),
            field="valid_to",
        )
