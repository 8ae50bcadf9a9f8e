"""Who may do what: roles, permissions, and the one table that grants them. What is not granted here is refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from app.models import UserRole

FIRM_ROLES = frozenset({UserRole.FIRM_TRADER, UserRole.FIRM_ADMIN})


class Permission(StrEnum):
    """One kind of act. Firm roles have theirs only over their own firm's records."""

    OFFER_READ = "offer:read"
    OFFER_POST = "offer:post"
    OFFER_IMPORT = "offer:import"
    PROPOSAL_READ = "proposal:read"
    PROPOSAL_DECIDE = "proposal:decide"  # a party accepts or declines
    CONTRACT_READ = "contract:read"
    CALL_OFF_MOVE = "call_off:move"  # a party nominates, confirms, ships, receives, records its assay
    ASSAY_UMPIRE = "assay:umpire"  # record the result of the laboratory that decides between two assays
    CONTRACT_SIGN = "contract:sign"  # a party signs, proposes amendments and answers them
    CONTRACT_NOTIFY = "contract:notify"  # a party tells of force majeure, ends a contract, reopens its price
    CONTRACT_SUSPEND = "contract:suspend"  # the platform suspends and resumes, finds a cause established
    CLAIM_RAISE = "claim:raise"  # a party claims, answers and concedes
    CLAIM_DECIDE = "claim:decide"
    PAYMENT_RECORD = "payment:record"  # a party or the platform records what was paid of an invoice
    SETTLEMENT_RUN = "settlement:run"  # issue what is due now, replay what was issued
    FIXING_LOAD = "fixing:load"
    FIXING_DECIDE = "fixing:decide"  # correct a fixing, or determine it where a contract's rule leaves it to staff
    REVIEW_READ = "review:read"
    REVIEW_DECIDE = "review:decide"  # release or withhold a proposal
    REVIEW_SECOND = "review:second"  # the second pair of eyes
    SEALED_READ = "sealed:read"  # see the sealed offers behind a proposal; each look is logged
    RUN_READ = "run:read"
    RUN_START = "run:start"
    WHAT_IF_RUN = "what_if:run"  # ask of a copy of a round, made of sealed offers; each look at an answer is logged
    ROUND_MANAGE = "round:manage"
    REFERENCE_READ = "reference:read"
    REFERENCE_MANAGE = "reference:manage"
    FIRM_MANAGE = "firm:manage"
    USER_MANAGE = "user:manage"
    API_KEY_MANAGE = "api_key:manage"
    AUDIT_READ = "audit:read"  # all steps, and everybody's looks at what is sealed
    LOOK_READ = "look:read"  # the access log; without AUDIT_READ one's own looks
    SIGN_IN_READ = "sign_in:read"
    JOB_READ = "job:read"  # the queue of jobs
    JOB_MANAGE = "job:manage"  # start a failed job again, take a waiting one out
    STATISTICS_READ = "statistics:read"
    NOTICE_READ = "notice:read"  # one's own notifications, and how one gets them
    WEBHOOK_MANAGE = "webhook:manage"
    MAIL_READ = "mail:read"  # the e-mails of everybody, and what became of them


_P = Permission
_TRADER = frozenset(
    {
        _P.OFFER_READ,
        _P.OFFER_POST,
        _P.OFFER_IMPORT,
        _P.PROPOSAL_READ,
        _P.PROPOSAL_DECIDE,
        _P.CONTRACT_READ,
        _P.CALL_OFF_MOVE,
        _P.CONTRACT_SIGN,
        _P.CONTRACT_NOTIFY,
        _P.CLAIM_RAISE,
        _P.PAYMENT_RECORD,
        _P.REFERENCE_READ,
    }
)
_STAFF = frozenset(
    {
        _P.CONTRACT_READ,
        _P.CONTRACT_SUSPEND,
        _P.CLAIM_DECIDE,
        _P.ASSAY_UMPIRE,
        _P.PAYMENT_RECORD,
        _P.SETTLEMENT_RUN,
        _P.FIXING_LOAD,
        _P.REVIEW_READ,
        _P.REVIEW_DECIDE,
        _P.SEALED_READ,
        _P.RUN_READ,
        _P.RUN_START,
        _P.WHAT_IF_RUN,
        _P.ROUND_MANAGE,
        _P.REFERENCE_READ,
        _P.STATISTICS_READ,
        _P.NOTICE_READ,
        _P.LOOK_READ,
        _P.JOB_READ,
    }
)

GRANTS: Mapping[UserRole, frozenset[Permission]] = MappingProxyType(
    {
        UserRole.FIRM_TRADER: _TRADER | {_P.NOTICE_READ},
        UserRole.FIRM_ADMIN: _TRADER | {_P.NOTICE_READ, _P.USER_MANAGE, _P.API_KEY_MANAGE, _P.WEBHOOK_MANAGE},
        UserRole.PLATFORM_STAFF: _STAFF,
        UserRole.SENIOR_STAFF: _STAFF
        | {
            _P.REVIEW_SECOND,
            _P.REFERENCE_MANAGE,
            _P.FIRM_MANAGE,
            _P.FIXING_DECIDE,
            _P.AUDIT_READ,
            _P.JOB_MANAGE,
        },
        UserRole.REGULATOR: frozenset(
            {
                _P.CONTRACT_READ,
                _P.RUN_READ,
                _P.REFERENCE_READ,
                _P.STATISTICS_READ,
                _P.AUDIT_READ,
                _P.LOOK_READ,
                _P.SIGN_IN_READ,
                _P.NOTICE_READ,
            }
        ),
        # Runs the platform, does not trade or review on it: no sealed offers, no decisions.
        UserRole.PLATFORM_ADMIN: frozenset(
            {
                _P.RUN_READ,
                _P.REFERENCE_READ,
                _P.REFERENCE_MANAGE,
                _P.FIRM_MANAGE,
                _P.USER_MANAGE,
                _P.API_KEY_MANAGE,
                _P.AUDIT_READ,
                _P.LOOK_READ,
                _P.SIGN_IN_READ,
                _P.JOB_READ,
                _P.JOB_MANAGE,
                _P.STATISTICS_READ,
                _P.NOTICE_READ,
                _P.MAIL_READ,
            }
        ),
    }
)

# What a firm's ERP system may be trusted with: the trade, not the people and not other keys.
KEY_SCOPES = _TRADER
