"""The unit price of a delivery month by the contract's own rule, from the fixings known on a day."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

from sqlalchemy.orm import Session

from app.models import Contract, ContractVersion
from app.operations import fixings
from app.operations.contract_terms import frozen_terms
from app.operations.terms_in_force import version_in_force
from contracts.fixings import IndexMissing
from contracts.settlement_inputs import MonthInputs, days_needed, indices_of, month_price
from contracts.working import Working
from market.periods import Period

NOTHING = Decimal("0.00")


def month_account(
    session: Session, *, contract: Contract, month: Period, on: dt.date
) -> tuple[ContractVersion, MonthInputs]:
    """The account of a month without goods: the terms in force on the month's first day, and the fixings that price it.

    `priced` says whether its quotation period is over by `on`.

    :raises InvalidValue: a fixing holds another rate of tax than the contract takes out.
    """
    version = version_in_force(session, contract=contract, on=month.first_day)
    terms = frozen_terms(version.terms)
    _, last = days_needed(terms, month)
    account = MonthInputs(
        terms=terms,
        month=month,
        on=on,
        priced=not indices_of(terms) or last < on,
        consignments=(),
        fixings=fixings.used_for(session, terms=terms, month=month, on=on),
        said=(),
        vat_said=NOTHING,
    )
    return version, account


def missing_of(account: MonthInputs) -> IndexMissing | None:
    """What the contract's rule finds no stand-in for, of a month that is `priced`; None if nothing is missing."""
    try:
        month_price(replace(account, priced=True))
    except IndexMissing as missing:
        return missing
    return None


def final_price(session: Session, *, contract: Contract, month: Period, on: dt.date) -> Working:
    """The month's unit price ex works, with its working.

    :raises IndexMissing: its quotation period is not over, or has a gap that the rule does not close.
    :raises InvalidValue: as `month_account`.
    """
    _, account = month_account(session, contract=contract, month=month, on=on)
    if not account.priced:
        _, last = days_needed(account.terms, month)
        raise IndexMissing(", ".join(indices_of(account.terms)), (last,))
    return month_price(account)
