"""Rules that no single row can show: frozen rows, windows, the ledger of reserved volume."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Refuses the change under the trigger's own name, as a violated constraint would.
REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused by %', TG_OP, TG_TABLE_NAME, TG_NAME
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
END $$
"""

APPEND_ONLY = ("sign_in_event", "access_log", "event", "offer_revision")

# What a row is about stays; (table, trigger, columns).
FROZEN = (
    (
        "contract",
        "contract_frozen",
        "number, proposal_id, seller_firm_id, buyer_firm_id, terms, terms_hash, rule_version",
    ),
    ("offer", "offer_identity_frozen", "kind, round_id, firm_id"),
    ("offer_period", "offer_period_key_frozen", "offer_id, period"),
    ("reservation", "reservation_key_frozen", "proposal_id, offer_id, period"),
)

LOT_FROZEN = """
CREATE FUNCTION keep_lot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM offer WHERE product_code = NEW.code)
       OR EXISTS (SELECT FROM conversion_input WHERE product_code = NEW.code)
       OR EXISTS (SELECT FROM corridor WHERE product_code = NEW.code) THEN
        RAISE EXCEPTION 'quantities of % are counted in lots of %', NEW.code, OLD.lot
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'product_lot_frozen', TABLE = 'product';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER product_lot_frozen BEFORE UPDATE OF lot ON product
    FOR EACH ROW WHEN (NEW.lot <> OLD.lot) EXECUTE FUNCTION keep_lot()
"""

# A period may be added only inside the window, and a window may not leave a period outside. The second is checked at
# the end of the transaction: an amendment first shortens the window and then removes the periods. The lock on the
# offer keeps the two from passing each other.
PERIOD_INSIDE_WINDOW = """
CREATE FUNCTION keep_periods_inside_window() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM offer WHERE id IN (SELECT offer_id FROM added) ORDER BY id FOR SHARE;
    IF EXISTS (
        SELECT FROM added JOIN offer ON offer.id = added.offer_id
        WHERE added.period < offer.first_period OR added.period > offer.last_period
    ) THEN
        RAISE EXCEPTION 'a period lies outside the window of its offer' USING
            ERRCODE = 'check_violation', CONSTRAINT = 'ck_offer_period_inside_window', TABLE = 'offer_period';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER offer_period_inside_window AFTER INSERT ON offer_period
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION keep_periods_inside_window();
CREATE FUNCTION keep_window_around_periods() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM offer_period JOIN offer ON offer.id = offer_period.offer_id
        WHERE offer.id = NEW.id AND (period < offer.first_period OR period > offer.last_period)
    ) THEN
        RAISE EXCEPTION 'the window of offer % leaves a period outside', NEW.id USING
            ERRCODE = 'check_violation', CONSTRAINT = 'ck_offer_period_inside_window', TABLE = 'offer';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER offer_window_around_periods AFTER UPDATE OF first_period, last_period ON offer
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_window_around_periods()
"""

INPUT_OF_CONVERSION = """
CREATE FUNCTION keep_inputs_to_conversions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM offer WHERE id = NEW.offer_id AND kind = 'conversion') THEN
        RAISE EXCEPTION 'offer % is no conversion and takes no input', NEW.offer_id USING
            ERRCODE = 'check_violation', CONSTRAINT = 'ck_conversion_input_of_conversion', TABLE = 'conversion_input';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER conversion_input_of_conversion BEFORE INSERT OR UPDATE OF offer_id ON conversion_input
    FOR EACH ROW EXECUTE FUNCTION keep_inputs_to_conversions()
"""

CURRENCY_HAS_RATE = """
CREATE FUNCTION keep_currency_with_rate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM round WHERE id = NEW.round_id AND currency_rates ? NEW.currency) THEN
        RAISE EXCEPTION 'the round has no rate for %', NEW.currency USING
            ERRCODE = 'check_violation', CONSTRAINT = 'ck_offer_currency_has_rate', TABLE = 'offer';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER offer_currency_has_rate BEFORE INSERT OR UPDATE OF currency ON offer
    FOR EACH ROW WHEN (NEW.currency <> 'CNY') EXECUTE FUNCTION keep_currency_with_rate()
"""

# offer_period.reserved is the sum of what is held; its CHECK against the quantity is the guarantee. The rows are locked
# in one order, so that transactions which reserve the same offers at once wait for each other instead of deadlocking.
RESERVATION_LEDGER = """
CREATE FUNCTION keep_reserved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM FROM offer_period WHERE (offer_id, period) IN (SELECT offer_id, period FROM removed)
            ORDER BY offer_id, period FOR NO KEY UPDATE;
        UPDATE offer_period SET reserved = reserved - held.lots
            FROM (SELECT offer_id, period, sum(quantity) AS lots FROM removed WHERE released_at IS NULL
                  GROUP BY offer_id, period) AS held
            WHERE offer_period.offer_id = held.offer_id AND offer_period.period = held.period;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        IF EXISTS (
            SELECT FROM added JOIN proposal ON proposal.id = added.proposal_id
            WHERE added.offer_id NOT IN (proposal.sell_offer_id, proposal.buy_offer_id)
        ) THEN
            RAISE EXCEPTION 'a proposal reserves volume of its own two offers only' USING
                ERRCODE = 'check_violation', CONSTRAINT = 'ck_reservation_offer_of_proposal', TABLE = 'reservation';
        END IF;
        PERFORM FROM offer_period WHERE (offer_id, period) IN (SELECT offer_id, period FROM added)
            ORDER BY offer_id, period FOR NO KEY UPDATE;
        UPDATE offer_period SET reserved = reserved + held.lots
            FROM (SELECT offer_id, period, sum(quantity) AS lots FROM added WHERE released_at IS NULL
                  GROUP BY offer_id, period) AS held
            WHERE offer_period.offer_id = held.offer_id AND offer_period.period = held.period;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER reservation_added AFTER INSERT ON reservation
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION keep_reserved();
CREATE TRIGGER reservation_changed AFTER UPDATE ON reservation
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION keep_reserved();
CREATE TRIGGER reservation_removed AFTER DELETE ON reservation
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION keep_reserved();
CREATE TRIGGER reservation_kept BEFORE TRUNCATE ON reservation FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER offer_period_reserved_by_ledger BEFORE INSERT ON offer_period
    FOR EACH ROW WHEN (NEW.reserved <> 0) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER offer_period_reserved_kept_by_ledger BEFORE UPDATE OF reserved ON offer_period
    FOR EACH ROW WHEN (NEW.reserved <> OLD.reserved AND pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change()
"""

FUNCTIONS = (
    "keep_reserved",
    "keep_currency_with_rate",
    "keep_inputs_to_conversions",
    "keep_window_around_periods",
    "keep_periods_inside_window",
    "keep_lot",
    "refuse_change",
)


def upgrade() -> None:
    def run(script: str) -> None:
        # Sent as it is: without parameters a per cent sign is one, and a script may hold several statements.
        op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})

    run(REFUSE_CHANGE)
    for table in APPEND_ONLY:
        run(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table, name, columns in FROZEN:
        listed = columns.split(", ")
        before, after = (", ".join(f"{row}.{column}" for column in listed) for row in ("OLD", "NEW"))
        run(
            f"CREATE TRIGGER {name} BEFORE UPDATE OF {columns} ON {table} FOR EACH ROW"
            f" WHEN (({before}) IS DISTINCT FROM ({after})) EXECUTE FUNCTION refuse_change()"
        )
    run("CREATE TRIGGER contract_kept BEFORE DELETE OR TRUNCATE ON contract EXECUTE FUNCTION refuse_change()")
    for script in (LOT_FROZEN, PERIOD_INSIDE_WINDOW, INPUT_OF_CONVERSION, CURRENCY_HAS_RATE, RESERVATION_LEDGER):
        run(script)


def downgrade() -> None:
    for function in FUNCTIONS:  # each takes its triggers along
        op.execute(f"DROP FUNCTION {function}() CASCADE")
