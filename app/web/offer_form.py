"""A form with the terms of an offer: read field by field, every fault beside its field, kept as it was typed.

The names of the fields are the places that the checks of an offer name: "periods/2027-Q1/quantity",
"specification/moisture_percent", "inputs/0/product".
"""

from __future__ import annotations

import datetime as dt
import enum
import re
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from werkzeug.datastructures import MultiDict

from app.models import Basis, OfferKind, Product
from app.operations.offer_cells import EXCHANGE_TIME, CellFault, end_of_day, number, share, text, whole_number
from app.operations.offer_faults import OfferFault, expected
from app.operations.offer_terms import IndexFormula, InputTerms, OfferTerms, Statement, document
from app.web.formats import in_words, language
from app.web.texts import _
from market.periods import Horizon

Read = TypeVar("Read")
INPUT_ROWS = 6
FIRM_ROWS = 5


class PriceBy(enum.StrEnum):
    """How the form names the price. What was typed for another way stays in its field and is not read."""

    FLAT = "flat"
    PERIOD = "period"
    FORMULA = "formula"


class OfferForm:
    """What was typed, what it says as far as it can be read, and what is wrong by field."""

    def __init__(self, values: Mapping[str, str], *, horizon: Horizon, product: Product | None) -> None:
        self.values, self.horizon, self.product = dict(values), horizon, product
        self.errors: dict[str, str] = {}
        self.statement: Statement = {}

    @classmethod
    def typed(cls, form: MultiDict[str, str], *, horizon: Horizon, product: Product | None) -> OfferForm:
        """The form as it was sent."""
        values = {name: text(value) for name, value in form.items(multi=False)}
        values |= {f"certificates/{code}": "1" for code in form.getlist("certificates")}
        return cls(values, horizon=horizon, product=product)

    @classmethod
    def of_terms(
        cls, terms: OfferTerms, *, horizon: Horizon, product: Product, numbers: Mapping[uuid.UUID, str]
    ) -> OfferForm:
        """The form that says what the terms say; `numbers` has the register's number of each firm."""
        said = document(terms)
        values = {
            name: "" if value is None else str(value)
            for name, value in said.items()
            if not isinstance(value, list | dict) and name != "formula"
        }
        values["price_by"] = PriceBy.PERIOD if terms.prices else PriceBy.FLAT
        if terms.formula is not None:
            values |= {f"formula/{name}": value or "" for name, value in said["formula"].items()}
            values |= {"price": "", "price_by": PriceBy.FORMULA}
        values["all_or_none"] = "1" if terms.all_or_none else ""
        values["valid_until"] = "" if terms.valid_until is None else _last_day(terms.valid_until)
        if terms.max_share is not None:
            values["max_share"] = f"{(terms.max_share * 100).normalize():f}"
        for line in said["periods"]:
            values[f"periods/{line['period']}/quantity"] = line["quantity"]
            values[f"periods/{line['period']}/price"] = line["price"] or ""
        values |= {f"specification/{code}": value for code, value in said["specification"].items()}
        values |= {f"certificates/{code}": "1" for code in said["certificates"]}
        values |= {field: ", ".join(said[field]) for field in ("accepted_origins", "barred_origins")}
        for at, line in enumerate(said["inputs"]):
            values |= {f"inputs/{at}/{name}": value for name, value in line.items()}
        for field, firms in (("exclusions", terms.exclusions), ("approved_suppliers", terms.approved_suppliers)):
            values |= {f"{field}/{at}": numbers.get(firm, "") for at, firm in enumerate(sorted(firms))}
        return cls(values, horizon=horizon, product=product)

    def read(self, *, kind: OfferKind, firms: Mapping[str, uuid.UUID]) -> None:
        """Read all fields into the statement, as far as they can be read. `firms` has firms by their number."""
        self.statement = Statement(kind=kind)
        self._read_object()
        self._read_periods()
        self._read_terms(kind)
        self._read_quality(kind)
        if kind is OfferKind.CONVERSION:
            self.statement["inputs"] = self._inputs()
        self.statement["exclusions"] = self._firms("exclusions", firms)
        if kind is OfferKind.DEMAND:
            self.statement["approved_suppliers"] = self._firms("approved_suppliers", firms)
            self.statement["accepted_origins"] = self._countries("accepted_origins")
            self.statement["barred_origins"] = self._countries("barred_origins")
        else:
            self.statement["origin"] = self.values.get("origin", "").strip().upper() or None

    @property
    def may_be_checked(self) -> bool:
        """Whether enough could be read for the market's own checks, which then tell more faults at once."""
        amounts = (line["quantity"] for line in self.statement.get("periods", ()))
        return any(amounts) and "site_id" in self.statement

    def tell(self, faults: list[OfferFault]) -> None:
        """Put the faults of the checks beside their fields."""
        for fault in faults:
            found = "" if fault.found == "nothing" else fault.found
            self._say(fault.field, found, fault.code, fault.params)

    def _say(self, field: str, found: str, code: str, params: Mapping[str, str]) -> None:
        needed = expected(code, params, language())
        said = (
            in_words(f"应为：{needed}", f"Expected {needed}")
            if not found
            else _("Found %(found)s; expected %(expected)s", found=found, expected=needed)
        )
        self.errors.setdefault(field, said)

    def _get(self, field: str, reader: Callable[[Any], Read], *, required: bool = False) -> Read | None:
        typed = self.values.get(field, "").strip()
        if not typed:
            if required:
                self._say(field, "", "required", {})
            return None
        try:
            return reader(typed)
        except CellFault as fault:
            self._say(field, typed, fault.code, fault.params)
            return None

    def _read_object(self) -> None:
        said = self.statement
        said["product"] = self.values.get("product", "")
        said["grade"] = self._get("grade", text, required=True) or ""
        try:
            said["site_id"] = uuid.UUID(self.values.get("site_id", ""))
        except ValueError:
            self._say("site_id", "", "own_site", {})

    def _read_periods(self) -> None:
        """The window runs from the first to the last quantity; a gap inside it is a quantity of 0."""
        way = self.values.get("price_by", PriceBy.FLAT)
        quantities: dict[str, Decimal] = {}
        prices: dict[str, Decimal] = {}
        filled = [at for at, label in enumerate(self.horizon.labels()) if self.values.get(f"periods/{label}/quantity")]
        labels = self.horizon.labels()[filled[0] : filled[-1] + 1] if filled else []
        for label in labels:
            amount = self._get(f"periods/{label}/quantity", number)
            quantities[label] = Decimal(0) if amount is None else amount
            if way == PriceBy.PERIOD and (own := self._get(f"periods/{label}/price", number)) is not None:
                prices[label] = own
        if labels:
            self.statement["first_period"], self.statement["last_period"] = labels[0], labels[-1]
            self.statement["periods"] = [
                {"period": label, "quantity": quantities[label], "price": prices.get(label)} for label in labels
            ]
        else:
            self._say("quantity", "", "some_quantity", {})
        self.statement["price"] = Decimal(1)  # until one can be read; then it stands beside a fault and is not posted
        if way == PriceBy.FORMULA:
            if rule := self._formula():
                self.statement["formula"] = rule
            return
        flat = self._get("price", number, required=not prices or len(prices) < len(labels))
        if flat is None and prices:
            flat = prices[labels[0]]
        if flat is not None:
            self.statement["price"] = flat

    def _formula(self) -> IndexFormula | None:
        """A price by formula, if an index is chosen."""
        if not (index := self._get("formula/index", text, required=True)):
            return None
        factor = self._get("formula/factor", number)
        return IndexFormula(
            index=index,
            factor=Decimal(1) if factor is None else factor,
            premium=self._get("formula/premium", number) or Decimal(0),
            floor=self._get("formula/floor", number),
            ceiling=self._get("formula/ceiling", number),
        )

    def _read_terms(self, kind: OfferKind) -> None:
        said = self.statement
        said["currency"] = self.values.get("currency") or "CNY"
        usual = Basis.DELIVERED if kind is OfferKind.DEMAND else Basis.EX_WORKS
        said["basis"] = Basis(self.values["basis"]) if self.values.get("basis") in set(Basis) else usual
        said["min_term"] = self._get("min_term", whole_number) or 1
        said["max_term"] = self._get("max_term", whole_number)
        said["min_rate"] = self._get("min_rate", number) or Decimal(0)
        said["all_or_none"] = bool(self.values.get("all_or_none"))
        said["group"] = self.values.get("group") or None
        said["reference"] = self.values.get("reference") or None
        said["valid_until"] = self._get("valid_until", end_of_day)
        part = self._get("max_share", share) if kind is OfferKind.DEMAND else None
        # 40 and 40 % both mean 0.4 here, because the field shows the sign of per cent.
        said["max_share"] = part / 100 if part is not None and "%" not in self.values["max_share"] else part

    def _read_quality(self, kind: OfferKind) -> None:
        limits = {}
        for attribute in self.product.attributes if self.product else ():
            value = self._get(f"specification/{attribute.code}", number)
            if value is not None:
                limits[attribute.code] = value
        self.statement["specification"] = limits
        prefix = "certificates/"
        self.statement["certificates"] = sorted(
            name.removeprefix(prefix) for name, value in self.values.items() if name.startswith(prefix) and value
        )

    def _inputs(self) -> list[InputTerms]:
        lines = []
        for at in range(INPUT_ROWS):
            here = f"inputs/{at}"
            if not (product := self.values.get(f"{here}/product")):
                continue
            per_output = self._get(f"{here}/quantity_per_output", number, required=True)
            stock = self._get(f"{here}/own_stock_per_period", number)
            lines.append(
                InputTerms(
                    product=product,
                    grade=self._get(f"{here}/grade", text, required=True) or "",
                    quantity_per_output=Decimal(1) if per_output is None else per_output,
                    own_stock_per_period=stock or Decimal(0),
                )
            )
        return lines

    def _countries(self, field: str) -> list[str]:
        """Codes with anything but letters between them."""
        return re.findall(r"[A-Z]+", self.values.get(field, "").upper())

    def _firms(self, field: str, known: Mapping[str, uuid.UUID]) -> list[uuid.UUID]:
        """Firms are typed or picked as "number name"; the number counts."""
        found = []
        for at in range(FIRM_ROWS):
            typed = self.values.get(f"{field}/{at}", "").strip()
            if not typed:
                continue
            firm = next(
                (known[key] for key in (typed, typed.split("  ")[0], typed.split()[0].upper()) if key in known), None
            )
            if firm is None:
                self._say(f"{field}/{at}", typed, "known_firm", {})
            else:
                found.append(firm)
        return found


def _last_day(valid_until: dt.datetime) -> str:
    """The last whole day of the validity in the exchange's time, as a date field shows it."""
    return (valid_until.astimezone(EXCHANGE_TIME) - dt.timedelta(microseconds=1)).date().isoformat()
