"""The files of a snapshot folder and their columns; docs/matching-files.md tells what each means."""

from __future__ import annotations

from .csv_tables import Table

PERIODS = Table(
    file="periods.csv",
    columns=("period", "months", "discount"),
    defaults=frozenset({"months", "discount"}),
    needed=True,
)
GRADES = Table(file="grades.csv", columns=("product", "grade", "rank", "lot", "unit"), needed=True)
# fmt: off
OFFERS = Table(
    file="offers.csv",
    columns=(
        "offer", "side", "firm", "product", "grade", "region", "first_period", "last_period", "quantity", "price",
        "min_term", "max_term", "min_rate", "all_or_none", "max_share", "group", "origin",
        "most_contracts", "only_with",
    ),
    defaults=frozenset({
        "first_period", "last_period", "min_term", "max_term", "min_rate", "all_or_none", "max_share", "group",
        "origin", "most_contracts", "only_with",
    }),
    needed=True,
)
CONVERSIONS = Table(
    file="conversions.csv",
    columns=(
        "conversion", "firm", "region", "output_product", "output_grade", "first_period", "last_period", "capacity",
        "fee", "min_term", "max_term", "origin",
    ),
    defaults=frozenset({"first_period", "last_period", "min_term", "max_term", "origin"}),
)
# fmt: on
CONVERSION_INPUTS = Table(
    file="conversion_inputs.csv",
    columns=("conversion", "product", "grade", "quantity_per_output", "own_stock_per_period"),
    defaults=frozenset({"own_stock_per_period"}),
)
PROFILES = Table(
    file="profiles.csv", columns=("offer", "period", "quantity", "price"), defaults=frozenset({"quantity", "price"})
)
FREIGHT = Table(file="freight.csv", columns=("product", "from_region", "to_region", "cost"), needed=True)
CORRIDORS = Table(file="corridors.csv", columns=("product", "from_region", "to_region", "period", "limit"))
CEILINGS = Table(file="ceilings.csv", columns=("product", "share", "firm"), defaults=frozenset({"firm"}))
EXCLUSIONS = Table(file="exclusions.csv", columns=("firm_a", "firm_b"))
WINDOWS = Table(file="windows.csv", columns=("first_period", "last_period"))
SPECIFICATIONS = Table(
    file="specifications.csv",
    columns=("offer", "attribute", "bound", "value"),
    defaults=frozenset({"offer", "value"}),
)
CERTIFICATES = Table(
    file="certificates.csv", columns=("offer", "certificate", "valid_to"), defaults=frozenset({"valid_to"})
)
AFFILIATES = Table(file="affiliates.csv", columns=("firm", "group"))
COMMITMENTS = Table(file="commitments.csv", columns=("sell", "buy", "period", "quantity"))
DELIVERY = Table(file="delivery.csv", columns=("offer", "freight_included"))
APPROVED = Table(file="approved.csv", columns=("offer", "firm", "product"), defaults=frozenset({"firm", "product"}))
ORIGINS = Table(file="origins.csv", columns=("offer", "origin", "accepted"), defaults=frozenset({"origin"}))
ORIGIN_RULES = Table(file="origin_rules.csv", columns=("product", "origin", "to_region", "period", "limit"))

TABLES = (
    PERIODS,
    GRADES,
    OFFERS,
    CONVERSIONS,
    CONVERSION_INPUTS,
    PROFILES,
    FREIGHT,
    CORRIDORS,
    CEILINGS,
    EXCLUSIONS,
    WINDOWS,
    SPECIFICATIONS,
    CERTIFICATES,
    AFFILIATES,
    COMMITMENTS,
    DELIVERY,
    APPROVED,
    ORIGINS,
    ORIGIN_RULES,
)
