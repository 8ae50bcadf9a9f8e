"""The database refuses what must not be: each rule is broken once on purpose, and the refusal names the rule."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

import app.models  # noqa: F401 - fills the metadata
from app import models
from app.db import Base, db
from contracts.state import Subject, state_names
from tests import factories as make
from tests.functional.refusals import violates
from tests.functional.rows import (
    ONE_OF,
    added,
    amendment,
    contract_document,
    document_signature,
    pending_amendment,
    proposal_version,
)

TABLES = Base.metadata.tables
UNKNOWN_ID = uuid.UUID(int=0)
EMPTY = hashlib.sha256(b"").hexdigest()


def overwrite(session: Session, table: str, **values: Any) -> None:
    """Make a valid row and write into it what the models would not let through; rows that are kept open up for it."""
    row = ONE_OF[table]()
    session.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))  # a table whose checks are put off cannot be altered
    session.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    keys = TABLES[table].primary_key.columns.keys()
    plain = sa.table(table, *map(sa.column, {*keys, *values}))  # without types, which would refuse before the database
    this_row = (plain.c[key] == getattr(row, key) for key in keys)
    session.execute(sa.update(plain).where(*this_row).values(values))


# A formula of an index that is not there: foreign keys speak after the checks.
FORMULA = {"index_code": "nothing", "index_factor": 1, "index_premium": 0}
# Table, what is wrong, and the rest of the constraint's name ck_<table>_<rest>.
CHECKS: list[tuple[str, str, dict[str, Any]]] = [
    ("ceiling", "share", {"share": 2}),
    ("ceiling", "end_ordered", {"ended_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}),
    ("ceiling", "end_has_time", {"ended_by_id": UNKNOWN_ID}),
    ("offer", "origin_country", {"origin_country": "cl"}),
    ("offer", "origin_of_supply", {"origin_country": "CL", "kind": "demand"}),
    ("offer_origin", "country", {"country": "cl"}),
    ("origin_rule", "origin_country", {"origin_country": "cl"}),
    ("origin_rule", "limit_not_negative", {"limit_per_period": -1}),
    ("origin_rule", "end_ordered", {"ended_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}),
    ("origin_rule", "end_has_time", {"ended_by_id": UNKNOWN_ID}),
    ("price_publication", "end_ordered", {"withdrawn_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}),
    ("price_publication", "end_has_time", {"withdrawn_by_id": UNKNOWN_ID}),
    ("published_price", "price_not_negative", {"price": -1}),
    ("published_price", "enough_firms", {"firms": 4}),
    ("supplier_approval", "end_ordered", {"ended_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}),
    ("supplier_approval", "end_has_time", {"ended_by_id": UNKNOWN_ID}),
    ("supplier_approval", "two_firms", {"buyer_firm_id": UNKNOWN_ID, "supplier_firm_id": UNKNOWN_ID}),
    ("forward_price", "value_positive", {"value": 0}),
    ("offer", "collar_ordered", FORMULA | {"price_floor": 9, "price_ceiling": 8}),
    ("offer", "formula_in_cny", FORMULA | {"currency": "USD"}),
    ("offer", "formula_whole", {"index_factor": 1}),
    ("offer", "index_factor_positive", FORMULA | {"index_factor": 0}),
    ("offer_import", "attempt_not_negative", {"attempt": -1}),
    ("offer_import", "checked_count_not_negative", {"checked_count": -1}),
    ("offer_import", "failed_says_why", {"state": "failed", "finished_at": make.NOON}),
    ("offer_import", "open_has_content", {"content": None}),
    ("reference_change", "after", {"after": sa.text("'[]'::jsonb")}),
    ("reference_change", "before", {"before": sa.text("'[]'::jsonb")}),
    ("saved_view", "arguments", {"arguments": sa.text("'[]'::jsonb")}),
    ("saved_view", "name_length", {"name": ""}),
    ("what_if", "attempt_not_negative", {"attempt": -1}),
    ("what_if", "changes", {"changes": sa.text("'{}'::jsonb")}),
    ("what_if", "done_has_result", {"result": sa.text("'{}'::jsonb")}),
    ("what_if", "failed_says_why", {"state": "failed", "finished_at": make.NOON}),
    ("what_if", "finished_has_time", {"finished_at": make.NOON}),
    ("what_if", "not_cancelled", {"state": "cancelled"}),
    ("what_if", "percent", {"percent": 101}),
    ("what_if", "running_has_time", {"state": "running"}),
    ("what_if", "scenario_has_changes", {"changes": sa.text("'[]'::jsonb")}),
    ("access_log", "one_viewer", {"user_id": None}),
    ("api_key", "has_scopes", {"scopes": []}),
    ("assay_result", "value_not_negative", {"value": -1}),
    ("attribute", "decimals", {"decimals": 10}),
    ("bill_of_materials", "quantity_positive", {"quantity_per_output": 0}),
    ("call_off", "firm_has_deadline", {"state": "firm"}),
    ("call_off", "lots_of_state", {"state": "confirmed"}),
    ("call_off", "lots_ordered", {"confirmed_lots": 11}),
    ("call_off", "lots_positive", {"forecast_lots": 0}),
    ("call_off", "month_in_period", {"month": "2027-04"}),
    ("call_off", "month_in_period", {"month": "2027-13"}),
    ("call_off", "number_positive", {"number": 0}),
    ("call_off", "wanted_in_month", {"wanted_on": dt.date(2027, 3, 1)}),
    ("call_off_ledger", "called_not_negative", {"called": -1}),
    ("call_off_ledger", "limits_not_negative", {"maximum": -1}),
    ("certificate", "validity_ordered", {"valid_to": dt.date(2020, 1, 1)}),
    ("consignment", "received_after_shipped", {"received_on": dt.date(2020, 1, 1)}),
    ("amendment", "number_after_first", {"number": 1}),
    ("amendment", "proposed_has_times", {"state": "pending"}),
    ("amendment", "terms", {"terms": sa.text("'[]'::jsonb")}),
    ("amendment", "terms_hash", {"terms_hash": "none"}),
    ("contract_document", "later_by_amendment", {"amendment_id": None}),
    ("contract_document", "number_positive", {"number": 0}),
    ("contract_document", "seal", {"seal": "none"}),
    ("contract_document", "sha256", {"sha256": "0" * 64}),
    ("contract_document", "terms_hash", {"terms_hash": "none"}),
    ("contract_version", "later_by_amendment", {"number": 2}),
    ("contract_version", "number_positive", {"number": 0, "amendment_id": UNKNOWN_ID}),
    ("contract_version", "terms", {"terms": sa.text("'[]'::jsonb")}),
    ("contract_version", "terms_hash", {"terms_hash": "none"}),
    ("document_signature", "certificate", {"certificate": "none"}),
    ("document_signature", "one_actor", {"user_id": None}),
    ("document_signature", "position", {"position": 3}),
    ("document_signature", "sha256", {"sha256": "0" * 64}),
    ("contract", "effect_ordered", {"effective_to": dt.date(2020, 1, 1)}),
    ("contract", "terms", {"terms": sa.text("'[]'::jsonb")}),
    ("contract", "terms_hash", {"terms_hash": "none"}),
    ("claim", "amount_positive", {"amount_claimed": 0}),
    ("claim", "awarded_within_claimed", {"state": "upheld", "decided_at": make.NOON, "amount_awarded": 101}),
    ("claim", "days_ordered", {"file_by": dt.date(2027, 1, 1)}),
    ("claim", "decided_has_time", {"decided_at": make.NOON}),
    ("claim", "defence_has_time", {"defence": "No"}),
    ("claim", "defended_has_defence", {"state": "defended", "filed_at": make.NOON, "answer_by": dt.date(2027, 3, 1)}),
    ("claim", "filed_has_answer_day", {"filed_at": make.NOON}),
    ("claim", "filed_has_time", {"state": "pending"}),
    ("claim", "penalty_has_working", {"penalty": "late_damages"}),
    ("claim", "upheld_has_amount", {"amount_awarded": 5}),
    ("conversion_input", "own_stock_not_negative", {"own_stock_per_period": -1}),
    ("conversion_input", "quantity_positive", {"quantity_per_output": 0}),
    ("corridor", "limit_not_negative", {"limit_per_period": -1}),
    ("event", "actor", {"actor_kind": "user"}),
    ("evidence", "one_purpose", {"claim_id": None}),
    ("evidence", "sha256", {"sha256": "0" * 64}),
    ("evidence", "size", {"size": 9}),
    ("evidence", "size_within_limit", {"size": 0, "content": b"", "sha256": EMPTY}),
    ("excused_volume", "excused_within_promised", {"excused": 11}),
    ("firm", "country", {"country": "cn"}),
    ("firm", "credit_code", {"credit_code": "91420100O00000000X"}),
    ("firm", "identified", {"credit_code": None}),
    ("firm", "roles", {"roles": sa.text("ARRAY['bank']::varchar[]")}),
    ("firm", "roles", {"roles": sa.text("ARRAY[]::varchar[]")}),
    ("force_majeure", "affected", {"affected": 0}),
    ("force_majeure", "days_ordered", {"ended_on": dt.date(2027, 1, 1)}),
    ("force_majeure_allocation", "available_not_negative", {"available": -1}),
    ("freight", "cost_not_negative", {"cost": -1}),
    ("freight", "distance_not_negative", {"distance_km": -1}),
    ("idempotency_key", "done_has_status", {"state": "done"}),
    ("idempotency_key", "key_length", {"key": "k" * 256}),
    ("index_fixing", "decision_has_reason", {"kind": "determined"}),
    ("index_fixing", "quoted_tax", {"quoted_tax": 1}),
    ("index_fixing", "revision_positive", {"revision": 0, "reason": "r"}),
    ("index_fixing", "value_of_kind", {"value": None}),
    ("index_fixing", "value_positive", {"value": 0}),
    ("index_price", "value_positive", {"value": 0}),
    ("invoice", "due_after_issued", {"due_on": dt.date(2020, 1, 1)}),
    ("invoice", "gross_is_sum", {"gross": 0}),
    ("invoice", "inputs", {"inputs": sa.text("'[]'::jsonb")}),
    ("invoice", "inputs_hash", {"inputs_hash": "none"}),
    ("invoice", "claim_is_named", {"kind": "claim"}),
    ("invoice", "interest_is_about", {"kind": "interest"}),
    ("invoice", "number_positive", {"number": 0}),
    ("invoice", "terms_hash", {"terms_hash": "none"}),
    ("invoice_consignment", "lots_positive", {"lots": 0}),
    ("invoice_consignment", "price_not_negative", {"price": -1}),
    ("invoice_line", "lots_not_negative", {"lots": -1}),
    ("invoice_line", "net_is_difference", {"net": 1}),
    ("invoice_line", "position_positive", {"position": 0}),
    ("invoice_line", "steps", {"steps": sa.text("'{}'::jsonb")}),
    ("payment", "amount_not_zero", {"amount": 0}),
    ("payment", "negative_reverses", {"amount": -1}),
    ("payment", "one_recorder", {"api_key_id": UNKNOWN_ID}),
    ("payment", "reversal_has_reason", {"amount": -1, "reverses_id": UNKNOWN_ID}),
    ("year_statement", "inputs", {"inputs": sa.text("'[]'::jsonb")}),
    ("year_statement", "inputs_hash", {"inputs_hash": "none"}),
    ("year_statement", "outcome", {"outcome": sa.text("'[]'::jsonb")}),
    ("year_statement", "revision_positive", {"revision": 0}),
    ("year_statement", "terms_hash", {"terms_hash": "none"}),
    ("mail", "failed_says_why", {"state": "failed", "due_at": None}),
    ("mail", "sent_has_time", {"state": "sent", "due_at": None}),
    ("mail", "tries_not_negative", {"tries": -1}),
    ("mail", "waiting_is_due", {"due_at": None}),
    ("market_index", "currency", {"currency": "cny"}),
    ("offer", "conversion_ex_works", {"kind": "conversion", "basis": "delivered"}),
    ("offer", "currency", {"currency": "usd"}),
    ("offer", "max_share", {"kind": "demand", "max_share": 0}),
    ("offer", "max_share", {"kind": "demand", "max_share": 1.5}),
    ("offer", "max_share_of_demand", {"max_share": 0.5}),
    ("offer", "min_rate_not_negative", {"min_rate": -1}),
    ("offer", "min_term_positive", {"min_term": 0}),
    ("offer", "posted_has_time", {"posted_at": None}),
    ("offer", "price_not_negative", {"price": -1}),
    ("offer", "revision_positive", {"revision": 0}),
    ("offer", "terms_ordered", {"min_term": 3, "max_term": 2}),
    ("offer", "window_ordered", {"first_period": "2028-Q4", "last_period": "2028-Q3"}),
    ("offer_import", "accepted_count_not_negative", {"accepted_count": -1}),
    ("offer_import", "finished_has_time", {"state": "done"}),
    ("offer_import", "rejected_count_not_negative", {"rejected_count": -1}),
    ("offer_import", "row_count_not_negative", {"row_count": -1}),
    ("offer_import", "sha256", {"sha256": "none"}),
    ("offer_import", "totals", {"row_count": 1, "accepted_count": 1, "rejected_count": 1}),
    ("offer_import_row", "rejected_says_why", {"expected": None}),
    ("offer_import_row", "row_positive", {"row": 0}),
    ("offer_period", "price_not_negative", {"price": -1}),
    ("offer_period", "quantity_not_negative", {"quantity": -1, "reserved": -1}),
    ("offer_period", "reserved_not_negative", {"reserved": -1}),
    ("offer_period", "reserved_within_quantity", {"reserved": 101}),
    ("offer_revision", "revision_positive", {"revision": 0}),
    ("product", "lot_positive", {"lot": 0}),
    ("proposal", "agreed_by_both", {"state": "agreed", "seller_accepted_at": make.NOON}),
    ("proposal", "countered_by_a_side", {"countered_by": "seller"}),
    ("proposal", "freight_not_negative", {"freight": -1, "price_delivered": 77}),
    ("proposal", "price_delivered", {"price_delivered": 83}),
    ("proposal", "price_not_negative", {"price_ex_works": -1, "price_delivered": 3}),
    ("proposal", "rate_positive", {"rate": 0}),
    ("proposal", "released_has_expiry", {"state": "released", "expires_at": None}),
    ("proposal", "released_has_terms", {"state": "released", "terms": None}),
    ("proposal", "terms_hash", {"terms_hash": "none"}),
    ("proposal", "total_value_not_negative", {"total_value": -1}),
    ("proposal", "window_ordered", {"first_period": "2028-Q4", "last_period": "2028-Q3"}),
    ("proposal_message", "body_length", {"body": "x" * 2001}),
    ("proposal_message", "number_positive", {"number": 0}),
    ("proposal_message", "one_author", {"author_id": None}),
    ("proposal_version", "answered_has_time", {"state": "rejected"}),
    ("proposal_version", "counter_has_expiry", {"expires_at": None}),
    ("proposal_version", "counter_has_side", {"proposed_by_side": None, "proposed_by_id": None}),
    ("proposal_version", "expiry_after_creation", {"expires_at": make.NOON}),
    ("proposal_version", "message_length", {"message": ""}),
    ("proposal_version", "number_positive", {"number": 0, "state": "rejected", "answered_at": make.NOON}),
    ("proposal_version", "one_author", {"proposed_by_id": None}),
    ("proposal_version", "terms", {"terms": sa.text("'[]'::jsonb")}),
    ("proposal_version", "terms_hash", {"terms_hash": "none"}),
    ("region", "country", {"country": "1"}),
    ("region", "lat", {"lat": 91}),
    ("region", "lon", {"lon": 181}),
    ("reopening", "clause_not_negative", {"clause": -1}),
    ("reopening", "closed_has_outcome", {"closed_at": make.NOON}),
    ("reservation", "quantity_positive", {"quantity": 0}),
    ("returned_volume", "lots_positive", {"lots": 0}),
    ("round", "currency_rates", {"currency_rates": sa.text("'[]'::jsonb")}),
    ("round", "discount_rate", {"discount_rate": -0.1}),
    ("round", "first_period", {"first_period": "2027-01"}),
    ("round", "opening_ordered", {"closes_at": make.NOON - dt.timedelta(days=8)}),
    ("round", "period_count", {"period_count": 0}),
    ("round", "proposal_days", {"proposal_days": 0}),
    ("round", "review_threshold_not_negative", {"review_threshold": -1}),
    ("round_period", "period", {"period": "2027-Q5"}),
    ("round_period", "position_not_negative", {"position": -1}),
    ("round_window", "window_ordered", {"first_period": "2028-Q4"}),
    ("run", "attempt_not_negative", {"attempt": -1}),
    ("run", "done_is_certified", {"certificate": None}),
    ("run", "failed_says_why", {"state": "failed"}),
    ("run", "finished_has_time", {"finished_at": None}),
    ("run", "percent", {"percent": 101}),
    ("run", "running_has_time", {"state": "running", "started_at": None, "finished_at": None}),
    ("run", "snapshot_digest", {"snapshot_digest": "none"}),
    ("run", "snapshot_has_time", {"snapshot_at": None}),
    ("run", "solver_rounds_not_negative", {"solver_rounds": -1}),
    ("run_result", "distance_not_negative", {"distance": -1}),
    ("run_result", "filled_not_negative", {"filled": sa.text("ARRAY[1, -1]::bigint[]")}),
    ("site_capability", "capacity_positive", {"capacity_per_year": 0}),
    ("site_capability", "utilisation", {"utilisation": 1.1}),
    ("suspension", "one_cause", {"notice_id": None}),
    ("suspension", "resumed_has_reason", {"resumed_at": make.NOON}),
    (
        "suspension",
        "times_ordered",
        {"resumed_at": make.NOON - dt.timedelta(days=1), "resume_reason": "force_majeure_ended"},
    ),
    ("termination", "cause_has_cure", {"ground": "cause"}),
    ("termination", "one_outcome", {"withdrawn_at": make.NOON, "done_at": make.NOON}),
    ("termination", "only_of_cause", {"established_at": make.NOON}),
    ("user_account", "email", {"email": "nobody"}),
    ("user_account", "failed_attempts_not_negative", {"failed_attempts": -1}),
    ("user_account", "firm_fits_role", {"firm_id": None}),
    ("user_account", "firm_fits_role", {"role": "regulator"}),
    ("webhook_attempt", "answer_length", {"answer": "x" * 1025}),
    ("webhook_attempt", "answer_or_error", {"status": None}),
    ("webhook_attempt", "milliseconds_not_negative", {"milliseconds": -1}),
    ("webhook_attempt", "number_positive", {"number": 0}),
    ("webhook_endpoint", "has_topics", {"topics": sa.text("ARRAY[]::text[]")}),
    ("webhook_endpoint", "older_secret_ends", {"older_secret": "sealed"}),
    ("webhook_endpoint", "stopped_says_why", {"stopped_at": make.NOON}),
    ("webhook_endpoint", "url", {"url": "ftp://example.org/"}),
    ("webhook_message", "delivered_has_time", {"state": "delivered", "due_at": None}),
    ("webhook_message", "tries", {"round_tries": 1}),
    ("webhook_message", "waiting_is_due", {"due_at": None}),
]


@pytest.mark.parametrize(("table", "rule", "values"), CHECKS, ids=[f"{case[0]}-{case[1]}" for case in CHECKS])
def test_check(session: Session, table: str, rule: str, values: dict[str, Any]) -> None:
    with violates(f"ck_{table}_{rule}"):
        overwrite(session, table, **values)


def same_person_for_both_sides() -> object:
    person = make.UserFactory().id
    return make.ProposalFactory(seller_accepted_by_id=person)


def one_firm_on_both_sides() -> object:
    run = make.RunFactory()
    sell = make.OfferFactory(round=run.round)
    return make.ProposalFactory(run=run, sell_offer=sell, buy_offer__firm=sell.firm)


def own_parent() -> object:
    firm = make.FirmFactory()
    firm.parent_id = firm.id
    return added(firm)


def self_exclusion() -> object:
    firm = make.FirmFactory()
    return added(models.FirmExclusion(firm_id=firm.id, excluded_firm_id=firm.id))


def two_authors() -> object:
    key = make.ApiKeyFactory()
    terms = {"revision": 2, "terms": {}, "changed_by_id": key.created_by_id, "changed_by_key_id": key.id}
    return added(models.OfferRevision(offer_id=make.OfferFactory().id, **terms))


def rejected_row_with_offer() -> object:
    row = ONE_OF["offer_import_row"]()
    assert isinstance(row, models.OfferImportRow)
    row.offer_id = make.OfferFactory().id
    return added(row)


def twice(factory: Callable[..., Any], *names: str, **values: Any) -> Callable[[], object]:
    """Two rows that agree in the named attributes."""

    def breach() -> object:
        first = factory(**values)
        return factory(**values, **{name: getattr(first, name) for name in names})

    return breach


def of_new(factory: Callable[..., Any], **parents: Callable[[], Any]) -> Callable[[], object]:
    """Two rows with the same parents, otherwise as the factory makes them."""
    return lambda: [factory(**made) for made in [{name: parent() for name, parent in parents.items()}] for _ in (1, 2)]


def two_import_rows() -> object:
    file = make.OfferImportFactory()
    return [
        added(models.OfferImportRow(import_id=file.id, sheet="s", row=2, outcome=models.RowOutcome.ACCEPTED))
        for _ in (1, 2)
    ]


def two_shadow_prices() -> object:
    run = make.RunFactory()
    kind = models.ShadowPriceKind.SHARE
    return [added(models.ShadowPrice(run_id=run.id, subject_kind=kind, subject="s", value=1)) for _ in (1, 2)]


def two_round_positions() -> object:
    return added(models.RoundPeriod(round_id=make.RoundFactory().id, position=0, period="2031-Q1"))


def same_lane_and_window() -> object:
    first = make.ProposalFactory()
    shared = {name: getattr(first, name) for name in ("run", "sell_offer", "buy_offer")}
    return make.ProposalFactory(**shared)


def run_of_another_round() -> object:
    offer = make.OfferFactory()
    return make.ProposalFactory(sell_offer=offer, buy_offer__round=offer.round, round_id=offer.round_id)


def bills_without_grades() -> object:
    products = {"output": make.ProductFactory(), "input": make.ProductFactory()}
    return [make.BillOfMaterialsFactory(**products) for _ in (1, 2)]


def first_version_that_waits() -> object:
    return proposal_version(number=1, proposed_by_side=None, proposed_by_id=None, expires_at=None)


def two_versions(state: models.VersionState) -> Callable[[], object]:
    """Two versions of one proposal in a state that only one may have."""
    answered = None if state is models.VersionState.OPEN else make.NOON

    def breach() -> object:
        first = proposal_version(state=state, answered_at=answered)
        return proposal_version(proposal_id=first.proposal_id, number=3, state=state, answered_at=answered)

    return breach


def one_number_twice() -> object:
    ended = {"state": models.VersionState.REJECTED, "answered_at": make.NOON}
    return proposal_version(proposal_id=proposal_version(**ended).proposal_id, **ended)


def again(table: str) -> Callable[[], object]:
    """A second row that agrees with a valid one in all but its key."""

    def breach() -> object:
        row = ONE_OF[table]()
        keys = TABLES[table].primary_key.columns.keys()
        values = {column.key: getattr(row, column.key) for column in TABLES[table].columns if column.key not in keys}
        return added(type(row)(**values))

    return breach


def copied(table: str) -> Callable[[], object]:
    """A row and another like it in all but the primary key."""

    def breach() -> object:
        row = ONE_OF[table]()
        columns = [column.key for column in TABLES[table].columns if not column.primary_key]
        return added(type(row)(**{name: getattr(row, name) for name in columns}))

    return breach


def alike(table: str, **changes: Any) -> Callable[[], object]:
    """A row and another that differs in its key and the changes only; triggers, which would speak first, are off."""

    def breach() -> object:
        row = ONE_OF[table]()
        db.session.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        columns = [column.key for column in TABLES[table].columns if not column.primary_key]
        return added(type(row)(**{name: getattr(row, name) for name in columns} | changes))

    return breach


def one_line_twice() -> object:
    row = ONE_OF["invoice_line"]()
    columns = [column.key for column in TABLES["invoice_line"].columns]
    return added(models.InvoiceLine(**{name: getattr(row, name) for name in columns} | {"position": 9}))


def taken_back_twice() -> object:
    db.session.execute(sa.text("ALTER TABLE payment DISABLE TRIGGER USER"))
    row = ONE_OF["payment"]()
    assert isinstance(row, models.Payment)
    back = {"invoice_id": row.invoice_id, "reverses_id": row.id, "amount": -row.amount, "paid_on": row.paid_on}
    return [added(models.Payment(**back, reason="twice", recorded_by="buyer")) for _ in (1, 2)]


def awarded_twice() -> object:
    """The triggers, which would speak first, are off."""
    claim = ONE_OF["claim"]()
    assert isinstance(claim, models.Claim)
    db.session.execute(sa.text("ALTER TABLE invoice DISABLE TRIGGER USER"))
    row = ONE_OF["invoice"]()
    columns = [column.key for column in TABLES["invoice"].columns if not column.primary_key]
    both = {name: getattr(row, name) for name in columns} | {"kind": "claim", "claim_id": claim.id}
    return [added(models.Invoice(**both | {"number": number, "inputs_hash": f"{number}" * 64})) for number in (8, 9)]


def two_pending_amendments() -> object:
    first = pending_amendment()
    times = {"proposed_at": first.proposed_at, "expires_at": first.expires_at}
    return amendment(contract_id=first.contract_id, state="pending", **times)


def version_twice_of_one_amendment() -> object:
    """The triggers, which would speak first, are off."""
    db.session.execute(sa.text("ALTER TABLE contract_version DISABLE TRIGGER USER"))
    found = amendment()
    fields = {"contract_id": found.contract_id, "terms": found.terms, "terms_hash": found.terms_hash}
    return [
        added(
            models.ContractVersion(
                **fields, number=number, amendment_id=found.id, in_force_from=dt.date(2027, number, 1)
            )
        )
        for number in (2, 3)
    ]


def two_documents_of_a_first_version() -> object:
    contract = make.ContractFactory()
    first = {"contract_id": contract.id, "number": 1, "amendment_id": None, "terms_hash": contract.terms_hash}
    return [contract_document(**first) for _ in (1, 2)]


def two_signatures_of_a_side() -> object:
    db.session.execute(sa.text("ALTER TABLE document_signature DISABLE TRIGGER USER"))
    first = document_signature()
    columns = [column.key for column in TABLES["document_signature"].columns]
    return added(models.DocumentSignature(**{name: getattr(first, name) for name in columns} | {"position": 2}))


def signature_of_other_terms() -> object:
    first = document_signature()
    columns = [column.key for column in TABLES["document_signature"].columns]
    other = {"position": 2, "side": "buyer", "terms_hash": make.digest("other")}
    return added(models.DocumentSignature(**{name: getattr(first, name) for name in columns} | other))


def ended_twice() -> object:
    first = ONE_OF["termination"]()
    assert isinstance(first, models.Termination)
    first.done_at = make.NOON
    db.session.flush()
    again = {name: getattr(first, name) for name in ("contract_id", "ground", "reason_code", "statement", "done_at")}
    return added(models.Termination(side="seller", **again))


BREACHES: list[tuple[str, Callable[[], object]]] = [
    ("uq_force_majeure_allocation_one", alike("force_majeure_allocation")),
    ("uq_force_majeure_notice_force_majeure_id_contract_id", alike("force_majeure_notice")),
    ("uq_reopening_contract_id_clause_triggered_on", alike("reopening", closed_at=make.NOON, outcome="kept")),
    ("uq_reopening_one_open", alike("reopening", triggered_on=dt.date(2027, 6, 30))),
    ("uq_suspension_one_open", alike("suspension")),
    ("uq_termination_one_done", ended_twice),
    ("uq_termination_one_open", alike("termination")),
    ("uq_ceiling_one_that_holds", copied("ceiling")),
    ("uq_origin_rule_one_that_holds", copied("origin_rule")),
    ("uq_supplier_approval_one_that_holds", copied("supplier_approval")),
    ("uq_price_publication_one_per_round", copied("price_publication")),
    ("uq_saved_view_user_id_list_name_name", copied("saved_view")),
    ("uq_published_price_line", copied("published_price")),
    ("uq_amendment_one_pending", two_pending_amendments),
    ("uq_contract_document_amendment_id_terms_hash", copied("contract_document")),
    ("uq_contract_document_first", two_documents_of_a_first_version),
    ("uq_contract_version_amendment_id", version_twice_of_one_amendment),
    ("uq_document_signature_document_id_side", two_signatures_of_a_side),
    ("fk_document_signature_document_id_terms_hash_contract_document", signature_of_other_terms),
    ("ck_proposal_seller_acceptance_has_time", same_person_for_both_sides),
    (
        "ck_proposal_buyer_acceptance_has_time",
        lambda: make.ProposalFactory(buyer_accepted_by_id=make.UserFactory().id),
    ),
    ("ck_proposal_two_firms", one_firm_on_both_sides),
    ("ck_firm_not_its_own_parent", own_parent),
    ("ck_firm_exclusion_two_firms", self_exclusion),
    ("ck_offer_revision_one_author", two_authors),
    ("ck_offer_import_row_offer_of_accepted", rejected_row_with_offer),
    ("uq_assay_result_consignment_id_attribute_side", again("assay_result")),
    ("uq_call_off_contract_id_number", again("call_off")),
    ("uq_consignment_call_off_id", again("consignment")),
    ("uq_api_key_firm_id_name", twice(make.ApiKeyFactory, "firm", "name")),
    ("uq_api_key_public_id", twice(make.ApiKeyFactory, "public_id")),
    ("uq_bill_of_materials_line", bills_without_grades),
    ("uq_certificate_kind_code_number", twice(make.CertificateFactory, "kind_code", "number")),
    ("uq_contract_number", twice(make.ContractFactory, "number")),
    ("uq_contract_proposal_id", twice(make.ContractFactory, "proposal")),
    (
        "uq_corridor_line",
        of_new(
            make.CorridorFactory,
            round=make.RoundFactory,
            product=make.ProductFactory,
            from_region=make.RegionFactory,
            to_region=make.RegionFactory,
        ),
    ),
    ("uq_firm_country_registration_number", twice(make.FirmFactory, country="DE", registration_number="HRB 1")),
    ("uq_firm_credit_code", twice(make.FirmFactory, "credit_code")),
    ("uq_freight_line", of_new(make.FreightFactory, from_region=make.RegionFactory, to_region=make.RegionFactory)),
    ("uq_mail_outbox_id_user_id", copied("mail")),
    ("uq_notification_outbox_id_user_id", copied("notification")),
    ("uq_webhook_attempt_message_id_number", copied("webhook_attempt")),
    ("uq_webhook_endpoint_firm_id_url", copied("webhook_endpoint")),
    ("uq_webhook_message_outbox_id_endpoint_id", copied("webhook_message")),
    ("uq_offer_firm_id_round_id_reference", twice(make.OfferFactory, "firm", "round", reference="PO-1")),
    ("uq_offer_import_row_import_id_sheet_row_column", two_import_rows),
    ("uq_index_fixing_index_code_day_revision", alike("index_fixing")),
    ("uq_invoice_contract_id_number", alike("invoice", inputs_hash="0" * 64)),
    ("uq_invoice_contract_id_kind_inputs_hash", alike("invoice", number=9)),
    ("uq_invoice_claim_id", awarded_twice),
    ("uq_invoice_line_invoice_id_name", one_line_twice),
    ("uq_payment_reverses_id", taken_back_twice),
    ("uq_year_statement_contract_id_year_revision", alike("year_statement")),
    ("uq_proposal_lane_and_window", same_lane_and_window),
    ("ck_proposal_version_first_is_no_counter", first_version_that_waits),
    ("uq_proposal_version_one_on_offer", two_versions(models.VersionState.ON_OFFER)),
    ("uq_proposal_version_one_open", two_versions(models.VersionState.OPEN)),
    ("uq_proposal_version_proposal_id_number", one_number_twice),
    ("uq_review_decision_proposal_id_user_id_action", twice(make.ReviewDecisionFactory, "proposal", "user")),
    ("uq_round_code", twice(make.RoundFactory, "code")),
    ("uq_round_period_round_id_position", two_round_positions),
    ("uq_run_one_open_per_round", twice(make.RunFactory, "round", queued=True)),
    ("uq_shadow_price_run_id_subject_kind_subject_period", two_shadow_prices),
    ("uq_site_firm_id_code", twice(make.SiteFactory, "firm", "code")),
    (
        "uq_site_capability_site_id_product_code_grade_code",
        of_new(make.SiteCapabilityFactory, site=make.SiteFactory, product=make.ProductFactory),
    ),
    ("uq_user_account_email_lower", lambda: [make.UserFactory(email=name) for name in ("a@b.cn", "A@B.cn")]),
    ("uq_user_account_session_token", twice(make.UserFactory, "session_token")),
    ("fk_offer_round_id_first_period_round_period", lambda: make.OfferFactory(first_period="2026-Q4", periods=[])),
    ("fk_offer_round_id_last_period_round_period", lambda: make.OfferFactory(last_period="2029-Q1", periods=[])),
    ("fk_offer_site_id_firm_id_site", lambda: make.OfferFactory(site=make.SiteFactory())),
    ("fk_certificate_site_id_firm_id_site", lambda: make.CertificateFactory(site_id=make.SiteFactory().id)),
    ("fk_proposal_round_id_last_period_round_period", lambda: make.ProposalFactory(last_period="2029-Q1")),
    (
        "fk_proposal_sell_offer_id_round_id_seller_firm_id_offer",
        lambda: make.ProposalFactory(seller=make.FirmFactory()),
    ),
    ("fk_proposal_buy_offer_id_round_id_buyer_firm_id_offer", lambda: make.ProposalFactory(buyer=make.FirmFactory())),
    ("fk_proposal_run_id_round_id_run", run_of_another_round),
    ("fk_proposal_bundle_id_run_id_bundle", lambda: make.ProposalFactory(bundle=make.BundleFactory())),
    (
        "fk_contract_proposal_id_seller_firm_id_buyer_firm_id_proposal",
        lambda: make.ContractFactory(buyer=make.FirmFactory()),
    ),
    ("fk_reservation_offer_id_period_offer_period", lambda: make.ReservationFactory(period="2029-Q1")),
    ("fk_run_result_offer_id_offer_revision_offer_revision", lambda: make.RunResultFactory(offer_revision=2)),
]


@pytest.mark.parametrize(("name", "breach"), BREACHES, ids=[case[0] for case in BREACHES])
def test_breach(session: Session, name: str, breach: Callable[[], object]) -> None:
    with violates(name):
        breach()


def test_a_proposal_needs_a_run(session: Session) -> None:
    with pytest.raises(DBAPIError, match='null value in column "run_id"'):
        overwrite(session, "proposal", run_id=None)


# What else must be written so that the rule in question is the only one broken.
TOGETHER: dict[tuple[str, str], dict[str, Any]] = {
    ("offer", "index_code"): {"index_factor": 1, "index_premium": 0},
    ("ceiling", "ended_by_id"): {"ended_at": make.NOON},
    ("origin_rule", "ended_by_id"): {"ended_at": make.NOON},
    ("supplier_approval", "ended_by_id"): {"ended_at": make.NOON},
    ("price_publication", "withdrawn_by_id"): {"withdrawn_at": make.NOON},
    ("amendment", "state"): {"proposed_at": make.NOON, "expires_at": make.NOON},
    ("contract_version", "amendment_id"): {"number": 2},
    ("document_signature", "api_key_id"): {"user_id": None},
    ("access_log", "api_key_id"): {"user_id": None},
    ("event", "api_key_id"): {"actor_kind": "api_key"},
    ("event", "user_id"): {"actor_kind": "user"},
    ("evidence", "force_majeure_id"): {"claim_id": None},
    ("suspension", "certificate_id"): {"notice_id": None},
    ("termination", "claim_id"): {"ground": "cause", "cure_until": dt.date(2027, 3, 1)},
    ("reopening", "outcome"): {"closed_at": make.NOON},
    ("index_fixing", "kind"): {"reason": "r", "value": None},
    ("invoice", "about_id"): {"kind": "interest"},
    ("invoice", "claim_id"): {"kind": "claim"},
    ("payment", "api_key_id"): {"user_id": None},
    ("payment", "reverses_id"): {"amount": -1, "reason": "r"},
    ("offer_import_row", "offer_id"): {"outcome": "accepted"},
    ("proposal", "countered_by"): {"state": "countered"},
    ("proposal_message", "author_key_id"): {"author_id": None},
    ("proposal_version", "state"): {"answered_at": make.NOON},
    ("proposal_version", "proposed_by_key_id"): {"proposed_by_id": None},
    ("proposal", "buyer_accepted_by_id"): {"buyer_accepted_at": make.NOON},
    ("proposal", "seller_accepted_by_id"): {"seller_accepted_at": make.NOON},
    ("round", "period_kind"): {"first_period": "2027"},
    ("run", "state"): {"finished_at": None},
    ("user_account", "role"): {"firm_id": None},
}
CHOICES = [
    (table.name, column.name, str(column.type.name))
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, sa.Enum)
]


@pytest.mark.parametrize(("table", "column", "rule"), CHOICES, ids=[f"{case[0]}-{case[1]}" for case in CHOICES])
def test_choice(session: Session, table: str, column: str, rule: str) -> None:
    with violates(f"ck_{table}_{rule}"):
        overwrite(session, table, **{column: "nonsense"}, **TOGETHER.get((table, column), {}))


POINTERS = [
    (table.name, constraint.column_keys[0], str(constraint.name))
    for table in Base.metadata.sorted_tables
    for constraint in sorted(table.foreign_key_constraints, key=lambda found: str(found.name))
    if len(constraint.elements) == 1
]


@pytest.mark.parametrize(("table", "column", "name"), POINTERS, ids=[case[2] for case in POINTERS])
def test_pointer_to_nothing(session: Session, table: str, column: str, name: str) -> None:
    """A composite key over the same column may speak first; both are keys of that column."""
    kind = TABLES[table].columns[column].type
    nothing = UNKNOWN_ID if isinstance(kind, sa.Uuid) else 0 if isinstance(kind, sa.Integer) else "nothing"
    with pytest.raises(DBAPIError) as caught:
        overwrite(session, table, **{column: nothing}, **TOGETHER.get((table, column), {}))
    assert isinstance(caught.value.orig, psycopg.errors.ForeignKeyViolation)
    speaking = {
        str(constraint.name) for constraint in TABLES[table].foreign_key_constraints if column in constraint.column_keys
    }
    assert name in speaking
    assert caught.value.orig.diag.constraint_name in speaking


def test_every_rule_is_broken_above() -> None:
    """A new constraint without a case fails here. Keys that hold a primary key exist to be pointed at only."""
    broken = {f"ck_{table}_{rule}" for table, rule, _ in CHECKS} | {name for name, _ in BREACHES}
    broken |= {f"ck_{table}_{rule}" for table, _, rule in CHOICES}
    named = set()
    for table in Base.metadata.sorted_tables:
        rules = [c for c in table.constraints if isinstance(c, sa.CheckConstraint | sa.UniqueConstraint)]
        key = set(table.primary_key.columns.keys())
        named |= {
            str(rule.name)
            for rule in [*rules, *(index for index in table.indexes if index.unique)]
            if isinstance(rule, sa.CheckConstraint) or not key <= set(rule.columns.keys())
        }
    assert named - broken == set()


def test_every_table_has_a_row_above() -> None:
    assert set(TABLES) - set(ONE_OF) <= {"rate_limit"}


@pytest.mark.parametrize(
    ("model", "subject"),
    [
        (models.Proposal, Subject.PROPOSAL),
        (models.Contract, Subject.CONTRACT),
        (models.Amendment, Subject.AMENDMENT),
        (models.CallOff, Subject.CALL_OFF),
    ],
)
def test_states_of_the_table_are_the_states_of_the_contract_rules(
    session: Session, model: type[Any], subject: Subject
) -> None:
    """The CHECK was written down by a migration; the rules may have moved on since."""
    definition = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    text = str(session.scalar(definition, {"name": f"ck_{model.__tablename__}_state"}))
    assert {state for state in state_names(subject) if f"'{state}'" in text} == set(state_names(subject))
    assert text.count("::character varying") == len(state_names(subject))
