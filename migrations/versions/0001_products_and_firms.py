"""Products, places, prices, firms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "certificate_kind",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_certificate_kind")),
    )
    op.create_table(
        "firm",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("credit_code", sa.String(length=18), nullable=True),
        sa.Column("country", sa.String(length=2), server_default="CN", nullable=False),
        sa.Column("registration_number", sa.Text(), nullable=True),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.String(length=40)), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name=op.f("ck_firm_country")),
        sa.CheckConstraint(
            "credit_code ~ '^[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}$'", name=op.f("ck_firm_credit_code")
        ),
        sa.CheckConstraint(
            "roles <@ ARRAY['resource', 'lithium_salt', 'precursor', 'cathode', 'anode', 'separator', 'electrolyte', 'cell', 'storage', 'car', 'processor', 'recycler', 'trader']::varchar[] AND cardinality(roles) > 0",
            name=op.f("ck_firm_roles"),
        ),
        sa.CheckConstraint(
            "credit_code IS NOT NULL OR registration_number IS NOT NULL", name=op.f("ck_firm_identified")
        ),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_firm_not_its_own_parent")),
        sa.ForeignKeyConstraint(["parent_id"], ["firm.id"], name=op.f("fk_firm_parent_id_firm"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_firm")),
        sa.UniqueConstraint("country", "registration_number", name=op.f("uq_firm_country_registration_number")),
        sa.UniqueConstraint("credit_code", name=op.f("uq_firm_credit_code")),
    )
    op.create_index(op.f("ix_firm_parent_id"), "firm", ["parent_id"], unique=False)
    op.create_table(
        "product",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("tier", sa.String(length=40), nullable=False),
        sa.Column("unit", sa.String(length=40), nullable=False),
        sa.Column("lot", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.CheckConstraint(
            "tier IN ('resource', 'lithium_salt', 'precursor', 'cathode', 'anode', 'separator', 'electrolyte', 'cell', 'storage', 'car', 'recycling')",
            name=op.f("ck_product_tier"),
        ),
        sa.CheckConstraint("unit IN ('t', 'kg', 'm2', 'kWh', 'MWh', 'piece')", name=op.f("ck_product_unit")),
        sa.CheckConstraint("lot > 0", name=op.f("ck_product_lot_positive")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_product")),
    )
    op.create_table(
        "region",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("lat", sa.Numeric(precision=8, scale=5), nullable=False),
        sa.Column("lon", sa.Numeric(precision=8, scale=5), nullable=False),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name=op.f("ck_region_country")),
        sa.CheckConstraint("lat BETWEEN -90 AND 90", name=op.f("ck_region_lat")),
        sa.CheckConstraint("lon BETWEEN -180 AND 180", name=op.f("ck_region_lon")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_region")),
    )
    op.create_table(
        "attribute",
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("bound", sa.String(length=40), nullable=False),
        sa.Column("decimals", sa.SmallInteger(), server_default="2", nullable=False),
        sa.CheckConstraint("bound IN ('min', 'max')", name=op.f("ck_attribute_bound")),
        sa.CheckConstraint("decimals BETWEEN 0 AND 9", name=op.f("ck_attribute_decimals")),
        sa.ForeignKeyConstraint(
            ["product_code"], ["product.code"], name=op.f("fk_attribute_product_code_product"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("product_code", "code", name=op.f("pk_attribute")),
    )
    op.create_table(
        "firm_exclusion",
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("excluded_firm_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("firm_id <> excluded_firm_id", name=op.f("ck_firm_exclusion_two_firms")),
        sa.ForeignKeyConstraint(
            ["excluded_firm_id"], ["firm.id"], name=op.f("fk_firm_exclusion_excluded_firm_id_firm"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["firm_id"], ["firm.id"], name=op.f("fk_firm_exclusion_firm_id_firm"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("firm_id", "excluded_firm_id", name=op.f("pk_firm_exclusion")),
    )
    op.create_index(op.f("ix_firm_exclusion_excluded_firm_id"), "firm_exclusion", ["excluded_firm_id"], unique=False)
    op.create_table(
        "freight",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=True),
        sa.Column("from_region_code", sa.Text(), nullable=False),
        sa.Column("to_region_code", sa.Text(), nullable=False),
        sa.Column("cost", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("distance_km", sa.Numeric(precision=18, scale=6), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("estimated", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("cost >= 0", name=op.f("ck_freight_cost_not_negative")),
        sa.CheckConstraint("distance_km >= 0", name=op.f("ck_freight_distance_not_negative")),
        sa.ForeignKeyConstraint(
            ["from_region_code"], ["region.code"], name=op.f("fk_freight_from_region_code_region"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["product_code"], ["product.code"], name=op.f("fk_freight_product_code_product"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["to_region_code"], ["region.code"], name=op.f("fk_freight_to_region_code_region"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_freight")),
        sa.UniqueConstraint(
            "product_code",
            "from_region_code",
            "to_region_code",
            name="uq_freight_line",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "grade",
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["product_code"], ["product.code"], name=op.f("fk_grade_product_code_product"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("product_code", "code", name=op.f("pk_grade")),
    )
    op.create_table(
        "market_index",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("unit", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=3), server_default="CNY", nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_market_index_currency")),
        sa.CheckConstraint("unit IN ('t', 'kg', 'm2', 'kWh', 'MWh', 'piece')", name=op.f("ck_market_index_unit")),
        sa.ForeignKeyConstraint(
            ["product_code"], ["product.code"], name=op.f("fk_market_index_product_code_product"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_market_index")),
    )
    op.create_index(op.f("ix_market_index_product_code"), "market_index", ["product_code"], unique=False)
    op.create_table(
        "site",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("region_code", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["firm_id"], ["firm.id"], name=op.f("fk_site_firm_id_firm"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["region_code"], ["region.code"], name=op.f("fk_site_region_code_region"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
        sa.UniqueConstraint("firm_id", "code", name=op.f("uq_site_firm_id_code")),
        sa.UniqueConstraint("id", "firm_id", name=op.f("uq_site_id_firm_id")),
    )
    op.create_index(op.f("ix_site_region_code"), "site", ["region_code"], unique=False)
    op.create_table(
        "bill_of_materials",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("output_product_code", sa.Text(), nullable=False),
        sa.Column("output_grade_code", sa.Text(), nullable=True),
        sa.Column("input_product_code", sa.Text(), nullable=False),
        sa.Column("input_grade_code", sa.Text(), nullable=True),
        sa.Column("quantity_per_output", sa.Numeric(precision=18, scale=9), nullable=False),
        sa.Column("method", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("estimated", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("quantity_per_output > 0", name=op.f("ck_bill_of_materials_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["input_product_code", "input_grade_code"],
            ["grade.product_code", "grade.code"],
            name=op.f("fk_bill_of_materials_input_product_code_input_grade_code_grade"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["input_product_code"],
            ["product.code"],
            name=op.f("fk_bill_of_materials_input_product_code_product"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["output_product_code", "output_grade_code"],
            ["grade.product_code", "grade.code"],
            name=op.f("fk_bill_of_materials_output_product_code_output_grade_code_grade"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["output_product_code"],
            ["product.code"],
            name=op.f("fk_bill_of_materials_output_product_code_product"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bill_of_materials")),
        sa.UniqueConstraint(
            "output_product_code",
            "output_grade_code",
            "input_product_code",
            "input_grade_code",
            name="uq_bill_of_materials_line",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "certificate",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=True),
        sa.Column("kind_code", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("suspended", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("valid_from <= valid_to", name=op.f("ck_certificate_validity_ordered")),
        sa.ForeignKeyConstraint(
            ["firm_id"], ["firm.id"], name=op.f("fk_certificate_firm_id_firm"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["kind_code"],
            ["certificate_kind.code"],
            name=op.f("fk_certificate_kind_code_certificate_kind"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["site_id", "firm_id"],
            ["site.id", "site.firm_id"],
            name=op.f("fk_certificate_site_id_firm_id_site"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate")),
        sa.UniqueConstraint("kind_code", "number", name=op.f("uq_certificate_kind_code_number")),
    )
    op.create_index(op.f("ix_certificate_firm_id_kind_code"), "certificate", ["firm_id", "kind_code"], unique=False)
    op.create_table(
        "grade_specification",
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("grade_code", sa.Text(), nullable=False),
        sa.Column("attribute_code", sa.Text(), nullable=False),
        sa.Column("value", sa.Numeric(precision=18, scale=9), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_code", "attribute_code"],
            ["attribute.product_code", "attribute.code"],
            name=op.f("fk_grade_specification_product_code_attribute_code_attribute"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["product_code", "grade_code"],
            ["grade.product_code", "grade.code"],
            name=op.f("fk_grade_specification_product_code_grade_code_grade"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_code", "grade_code", "attribute_code", name=op.f("pk_grade_specification")),
    )
    op.create_table(
        "index_price",
        sa.Column("index_code", sa.Text(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("value", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("estimated", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("value > 0", name=op.f("ck_index_price_value_positive")),
        sa.ForeignKeyConstraint(
            ["index_code"],
            ["market_index.code"],
            name=op.f("fk_index_price_index_code_market_index"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("index_code", "date", name=op.f("pk_index_price")),
    )
    op.create_table(
        "site_capability",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("grade_code", sa.Text(), nullable=True),
        sa.Column("capacity_per_year", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.Column("utilisation", sa.Numeric(precision=7, scale=6), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("estimated", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("capacity_per_year > 0", name=op.f("ck_site_capability_capacity_positive")),
        sa.CheckConstraint("utilisation BETWEEN 0 AND 1", name=op.f("ck_site_capability_utilisation")),
        sa.ForeignKeyConstraint(
            ["product_code", "grade_code"],
            ["grade.product_code", "grade.code"],
            name=op.f("fk_site_capability_product_code_grade_code_grade"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["product_code"],
            ["product.code"],
            name=op.f("fk_site_capability_product_code_product"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["site.id"], name=op.f("fk_site_capability_site_id_site"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_capability")),
        sa.UniqueConstraint(
            "site_id",
            "product_code",
            "grade_code",
            name=op.f("uq_site_capability_site_id_product_code_grade_code"),
            postgresql_nulls_not_distinct=True,
        ),
    )


def downgrade() -> None:
    op.drop_table("site_capability")
    op.drop_table("index_price")
    op.drop_table("grade_specification")
    op.drop_table("certificate")
    op.drop_table("bill_of_materials")
    op.drop_table("site")
    op.drop_table("market_index")
    op.drop_table("grade")
    op.drop_table("freight")
    op.drop_table("firm_exclusion")
    op.drop_table("attribute")
    op.drop_table("region")
    op.drop_table("product")
    op.drop_table("firm")
    op.drop_table("certificate_kind")
