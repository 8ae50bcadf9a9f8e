"""Firms, people, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from app.models import FirmRole, SignInOutcome, UserRole
from app.permissions import Permission

TABLES: Mapping[str, Mapping[str, LazyString]] = {
    "firm_role": {
        FirmRole.RESOURCE: _("Ore and brine"),
        FirmRole.LITHIUM_SALT: _("Lithium salts"),
        FirmRole.PRECURSOR: _("Precursors"),
        FirmRole.CATHODE: _("Cathode material"),
        FirmRole.ANODE: _("Anode material"),
        FirmRole.SEPARATOR: _("Separator"),
        FirmRole.ELECTROLYTE: _("Electrolyte"),
        FirmRole.CELL: _("Cells"),
        FirmRole.STORAGE: _("Storage systems"),
        FirmRole.CAR: _("Vehicles"),
        FirmRole.PROCESSOR: _("Processor"),
        FirmRole.RECYCLER: _("Recycler"),
        FirmRole.TRADER: _("Trading house"),
    },
    "user_role": {
        UserRole.FIRM_TRADER: _("Trader"),
        UserRole.FIRM_ADMIN: _("Firm administrator"),
        UserRole.PLATFORM_STAFF: _("Reviewer"),
        UserRole.SENIOR_STAFF: _("Senior reviewer"),
        UserRole.REGULATOR: _("Regulator"),
        UserRole.PLATFORM_ADMIN: _("Platform administrator"),
    },
    "sign_in": {
        SignInOutcome.SIGNED_IN: _("Signed in"),
        SignInOutcome.SIGNED_OUT: _("Signed out"),
        SignInOutcome.WRONG_PASSWORD: _("Wrong password"),
        SignInOutcome.UNKNOWN_EMAIL: _("Unknown e-mail"),
        SignInOutcome.LOCKED: _("Account locked"),
        SignInOutcome.INACTIVE: _("Account not active"),
        SignInOutcome.PASSWORD_CHANGED: _("Password changed"),
    },
    "scope": {
        Permission.OFFER_READ: _("Read offers"),
        Permission.OFFER_POST: _("Post, amend and withdraw offers"),
        Permission.OFFER_IMPORT: _("Upload files of offers"),
        Permission.PROPOSAL_READ: _("Read proposals"),
        Permission.PROPOSAL_DECIDE: _("Accept and decline proposals"),
        Permission.CONTRACT_READ: _("Read contracts"),
        Permission.CALL_OFF_MOVE: _("Call off, confirm, ship, receive and assay deliveries"),
        Permission.CONTRACT_SIGN: _("Sign contracts, propose and answer amendments"),
        Permission.CONTRACT_NOTIFY: _("Give notices under contracts and end them"),
        Permission.CLAIM_RAISE: _("Raise claims and answer them"),
        Permission.PAYMENT_RECORD: _("Record payments of invoices"),
        Permission.REFERENCE_READ: _("Read reference data"),
    },
}
