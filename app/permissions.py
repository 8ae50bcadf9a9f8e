"""Who may do what: roles, permissions, and the one table that grants them. What is not granted here is refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What a user or an API key acts as. Exactly one each."""

    FIRM_TRADER = "firm_trader"
    FIRM_ADMIN = "firm_admin"
    PLATFORM_STAFF = "platform_staff"
    SENIOR_STAFF = "senior_staff"
    REGULATOR = "regulator"
    PLATFORM_ADMIN = "platform_admin"


FIRM_ROLES = frozenset({Role.FIRM_TRADER, Role.FIRM_ADMIN})


class Permission(StrEnum):
    """One kind of act. Firm roles have theirs only over their own firm's records."""

    OFFER_READ = "offer:read"
    OFFER_POST = "offer:post"
    OFFER_IMPORT = "offer:import"
    PROPOSAL_READ = "proposal:read"
    PROPOSAL_DECIDE = "proposal:decide"  # a party accepts or declines
    CONTRACT_READ = "contract:read"
    REVIEW_READ = "review:read"
    REVIEW_DECIDE = "review:decide"  # release or withhold a proposal
    REVIEW_SECOND = "review:second"  # the second pair of eyes
    SEALED_READ = "sealed:read"  # see the sealed offers behind a proposal; each look is logged
    RUN_READ = "run:read"
    RUN_START = "run:start"
    ROUND_MANAGE = "round:manage"
    REFERENCE_READ = "reference:read"
    REFERENCE_MANAGE = "reference:manage"
    FIRM_MANAGE = "firm:manage"
    USER_MANAGE = "user:manage"
    API_KEY_MANAGE = "api_key:manage"
    AUDIT_READ = "audit:read"
    STATISTICS_READ = "statistics:read"


_P = Permission
_TRADER = frozenset(
    {
        _P.OFFER_READ,
        _P.OFFER_POST,
        _P.OFFER_IMPORT,
        _P.PROPOSAL_READ,
        _P.PROPOSAL_DECIDE,
        _P.CONTRACT_READ,
        _P.REFERENCE_READ,
    }
)
_STAFF = frozenset(
    {
        _P.CONTRACT_READ,
        _P.REVIEW_READ,
        _P.REVIEW_DECIDE,
        _P.SEALED_READ,
        _P.RUN_READ,
        _P.RUN_START,
        _P.ROUND_MANAGE,
        _P.REFERENCE_READ,
        _P.STATISTICS_READ,
    }
)

GRANTS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.FIRM_TRADER: _TRADER,
        Role.FIRM_ADMIN: _TRADER | {_P.USER_MANAGE, _P.API_KEY_MANAGE},
        Role.PLATFORM_STAFF: _STAFF,
        Role.SENIOR_STAFF: _STAFF | {_P.REVIEW_SECOND, _P.REFERENCE_MANAGE, _P.FIRM_MANAGE},
        Role.REGULATOR: frozenset(
            {_P.CONTRACT_READ, _P.RUN_READ, _P.REFERENCE_READ, _P.STATISTICS_READ, _P.AUDIT_READ}
        ),
        # Runs the platform, does not trade or review on it: no sealed offers, no decisions.
        Role.PLATFORM_ADMIN: frozenset(
            {
                _P.RUN_READ,
                _P.REFERENCE_READ,
                _P.REFERENCE_MANAGE,
                _P.FIRM_MANAGE,
                _P.USER_MANAGE,
                _P.API_KEY_MANAGE,
                _P.AUDIT_READ,
                _P.STATISTICS_READ,
            }
        ),
    }
)
