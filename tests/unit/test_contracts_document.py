"""The printed contract: what it says, what it carries, and that any change to it is found and named."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import io
import json
import re
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject

from contracts.defaults import standard_schedule
from contracts.document import TERMS_KEY, contract_pdf, seal_of
from contracts.document_check import Damage, verify_document
from contracts.document_layout import lines_of
from contracts.document_parts import Example, Occasion
from contracts.fixings import Fixings
from contracts.price_formula import EscalatedPrice, EscalationBasis, FixedPrice, price_for
from contracts.terms import canonical_json, terms_from_json, terms_hash
from contracts.wording import Text
from market.errors import BadInput
from market.periods import Period

from .test_contracts_terms import BUYER, FORMULA, SELLER, terms

NAMES = {
    "lithium-carbonate": Text("碳酸锂", "Lithium carbonate"),
    "battery": Text("电池级", "Battery grade"),
    "lithium-carbonate-battery": Text("电池级碳酸锂指数", "Battery-grade lithium carbonate index"),
}
OCCASION = Occasion(dated=dt.date(2026, 11, 20), names=NAMES)


@cache
def made() -> bytes:
    return contract_pdf(terms(), OCCASION)


def text_of(pdf: bytes) -> str:
    """All text of the pages without white space, which the lines break at will."""
    return squeezed("".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages))


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def forged(pdf: bytes, change: Any) -> bytes:
    """The document written anew after a change to its objects."""
    writer = PdfWriter(clone_from=io.BytesIO(pdf))
    change(writer)
    held = io.BytesIO()
    writer.write(held)
    return held.getvalue()


def damages(pdf: bytes, **on_record: Any) -> set[tuple[Damage, str]]:
    return {(one.damage, one.place) for one in verify_document(pdf, **on_record).findings}


@pytest.mark.parametrize(
    "fact",
    [
        "碳酸锂长期供货合同",
        "Long-term supply contract: Lithium carbonate",
        "C-2027-0001",
        "2026年11月20日",
        "20 November 2026",
        SELLER.name.zh,
        SELLER.name.en,
        BUYER.name.zh,
        BUYER.name.en,
        f"统一社会信用代码 {SELLER.credit_code}",
        f"Unified social credit code {BUYER.credit_code}",
        "Delivery runs from 1 January 2027 to 31 December 2028",
        "供货期自2027年1月1日至2028年12月31日",
        "+5 % and −5 % of the schedule's sum so far",
        "DAP 江苏省常州市（目的地交货",
        "Take-or-pay: in each calendar year the buyer takes 90 %",
        "照付不议：买方每一日历年提取当年计划批数（扣除免除批数）的 90 %",
        "VAT of 13 % is added",
        "另加增值税 13 %",
        "中国国际经济贸易仲裁委员会",
        "China International Economic and Trade Arbitration Commission",
        "17 November 2026",
        "99.5 %",
        "第 1 页",
        "签名、盖章与日期",
    ],
)
def test_both_languages_say_the_facts(fact: str) -> None:
    assert squeezed(fact) in text_of(made())


def test_every_page_says_its_number_the_contract_and_the_hash() -> None:
    reader = PdfReader(io.BytesIO(made()))
    count = len(reader.pages)
    for number, page in enumerate(reader.pages, 1):
        text = squeezed(page.extract_text())
        assert f"Page{number}of{count}" in text
        assert "C-2027-0001" in text
        assert terms_hash(terms()) in text


def test_a_foreign_party_stands_with_its_register() -> None:
    abroad = dataclasses.replace(SELLER, credit_code="CL:96.529.340-1")
    text = text_of(contract_pdf(terms(seller=abroad), OCCASION))
    assert "Foreignregister,CL:96.529.340-1" in text
    assert "境外登记CL：96.529.340-1" in text


def test_every_font_is_embedded() -> None:
    fonts = {
        name: font.get_object()
        for page in PdfReader(io.BytesIO(made())).pages
        for name, font in page["/Resources"]["/Font"].items()  # type: ignore[index]
    }
    assert fonts
    for font in fonts.values():
        assert "NotoSansSC" in font["/BaseFont"]
        assert len(font["/FontDescriptor"]["/FontFile2"].get_data()) > 1000


def test_the_attachment_is_the_terms_and_its_hash_is_told() -> None:
    reader = PdfReader(io.BytesIO(made()))
    (attached,) = reader.attachments["terms.json"]
    assert attached.decode() == canonical_json(terms())
    assert terms_from_json(attached) == terms()
    assert reader.metadata is not None
    assert str(reader.metadata[TERMS_KEY]) == hashlib.sha256(attached).hexdigest() == terms_hash(terms())


def test_the_same_terms_make_the_same_bytes_and_others_make_others() -> None:
    assert contract_pdf(terms(), OCCASION) == made()
    assert contract_pdf(terms(number="C-2027-0002"), OCCASION) != made()


def test_unsound_terms_are_not_printed() -> None:
    with pytest.raises(BadInput):
        contract_pdf(terms(number=""), OCCASION)


def test_both_sign_on_the_last_page_and_nowhere_else() -> None:
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(made())).pages]
    assert [page.count("Signature, seal and date") for page in pages] == [*(0 for _ in pages[1:]), 2]


def test_a_long_schedule_flows_over_pages_under_its_head() -> None:
    first = Period.parse("2027-01")
    schedule = standard_schedule({first + step: 100 + step for step in range(60)})
    long = terms(schedule=schedule, long_stop=dt.date(2032, 3, 31))
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(contract_pdf(long, OCCASION))).pages]
    with_head = [page for page in pages if "Lots so far" in page]
    assert len(with_head) >= 2
    assert all(any(str(line.period) in page for page in with_head) for line in schedule)
    assert "Fewest" in with_head[-1]


def test_a_clause_longer_than_a_page_flows_on() -> None:
    law, *others = terms().clauses
    text = Text("甲" * 3600 + "中文完。", "The parties agree as follows. " * 200 + "The end of it.")
    pdf = contract_pdf(terms(clauses=(dataclasses.replace(law, text=text), *others)), OCCASION)
    printed = text_of(pdf)
    assert printed.count("甲") == 3600
    assert "中文完。" in printed
    assert "Theendofit." in printed


def test_a_formula_shows_its_example_as_the_code_computes_it() -> None:
    month = Period.parse("2027-02")
    days = [dt.date(2027, 1, 1) + dt.timedelta(days=step) for step in range(31)]
    published = {day: Decimal(79100) + day.day for day in days if day.weekday() < 5}
    fixings = Fixings(published={"lithium-carbonate-battery": published})
    text = text_of(
        contract_pdf(
            terms(), dataclasses.replace(OCCASION, example=Example(month=month, fixings=fixings, assumed=False))
        )
    )
    working = price_for(FORMULA, month, first_month=Period.parse("2027-01"), fixings=fixings)
    for language in ("zh", "en"):
        assert squeezed(working.told(language)) in text
    assert "算例：2027-02交付" in text
    assert "assumedfixings" not in text
    assert "assumedfixings" in text_of(made())


@pytest.mark.parametrize(
    ("price", "told"),
    [
        (FixedPrice(amount=Decimal("71234.5")), "Fixed price: 71,234.5 CNY/t for every delivery."),
        (
            EscalatedPrice(
                amount=Decimal(70000), rate=Decimal("0.03"), every_months=12, basis=EscalationBasis.PRICE_BEFORE
            ),
            "after 1 steps = 72,100",
        ),
    ],
)
def test_other_prices_are_told(price: FixedPrice | EscalatedPrice, told: str) -> None:
    assert squeezed(told) in text_of(contract_pdf(terms(price=price), OCCASION))


@pytest.mark.parametrize("nothing", ["take_or_pay", "supply_or_pay", "late_damages"])
def test_what_is_not_agreed_is_said_not_to_be(nothing: str) -> None:
    told = {
        "take_or_pay": "不适用照付不议",
        "supply_or_pay": "There is no supply-or-pay",
        "late_damages": "There are no agreed damages",
    }[nothing]
    assert squeezed(told) not in text_of(made())
    assert squeezed(told) in text_of(contract_pdf(terms(**{nothing: None}), OCCASION))


def test_a_document_as_made_has_no_findings() -> None:
    checked = verify_document(made(), stored=terms(), seal=seal_of(made()))
    assert checked.findings == ()
    assert checked.terms == terms()
    assert checked.terms_hash == terms_hash(terms())
    assert checked.appended == 0


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    changed = bytearray(made())
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    assert verify_document(bytes(changed)).findings


def test_a_changed_title_is_placed_beside_text_and_terms() -> None:
    title = b"/Title "
    at = made().index(title) + len(title) + 6
    changed = made()[:at] + bytes([made()[at] ^ 1]) + made()[at + 1 :]
    assert damages(changed) == {(Damage.SEAL_BROKEN, "fonts, structure or metadata")}


def test_a_changed_page_is_named() -> None:
    def change(writer: PdfWriter) -> None:
        page = writer.pages[1]
        contents = page.get_contents()
        assert contents is not None
        contents.set_data(contents.get_data() + b"\n0 0 10 10 re f\n")
        page[NameObject("/Contents")] = writer._add_object(contents)

    found = damages(forged(made(), change))
    assert (Damage.PAGE_CHANGED, "page 2") in found
    assert {place for damage, place in found if damage is Damage.PAGE_CHANGED} == {"page 2"}


def attachment(text: str) -> Any:
    def change(writer: PdfWriter) -> None:
        names = writer.root_object["/Names"]["/EmbeddedFiles"]["/Names"]  # type: ignore[index]
        names[1].get_object()["/EF"]["/F"].get_object().set_data(text.encode())

    return change


def test_changed_terms_are_named_by_their_places() -> None:
    tampered = canonical_json(terms()).replace('"due_days":30', '"due_days":90')
    pdf = forged(made(), attachment(tampered))
    found = damages(pdf, stored=terms())
    assert (Damage.TERMS_DIFFER, "/payment/due_days") in found
    assert (Damage.ATTACHMENT_CHANGED, "terms.json") in found
    assert (Damage.PRINTED_HASH, "page 1") in found
    assert (Damage.ATTACHMENT_CHANGED, "terms.json") in damages(pdf)
    (one,) = [x for x in verify_document(pdf, stored=terms()).findings if x.damage is Damage.TERMS_DIFFER]
    assert (one.found, one.expected) == ("90", "30")
    assert "登记" in one.text.zh


def test_terms_that_are_none_and_terms_written_otherwise_are_named() -> None:
    assert (Damage.TERMS_UNSOUND, "/version") in damages(
        forged(made(), attachment(canonical_json(terms()).replace('"version":1', '"version":0')))
    )
    spaced = forged(made(), attachment(json.dumps(json.loads(canonical_json(terms())), sort_keys=True)))
    assert (Damage.TERMS_DIFFER, "/") in damages(spaced, stored=terms())


def test_a_changed_hash_in_the_metadata_is_told_from_changed_terms() -> None:
    def change(writer: PdfWriter) -> None:
        writer.add_metadata({TERMS_KEY: "0" * 64})

    found = damages(forged(made(), change), stored=terms())
    assert (Damage.HASH_CHANGED, "terms.json") in found
    assert not [place for damage, place in found if damage in {Damage.PAGE_CHANGED, Damage.TERMS_DIFFER}]


def test_lost_parts_are_named() -> None:
    def no_attachment(writer: PdfWriter) -> None:
        del writer.root_object["/Names"]
        del writer.root_object["/AF"]

    assert (Damage.ATTACHMENT_MISSING, "terms.json") in damages(forged(made(), no_attachment))
    assert (Damage.PAGES_MISSING, "file") in damages(forged(made(), lambda writer: writer.remove_page(2)))
    assert damages(made() + b"more") == {(Damage.APPENDED, "file")}
    assert damages(b"not a PDF") == {(Damage.SEAL_MISSING, "file"), (Damage.UNREADABLE, "file")}


def test_a_document_forged_as_a_whole_differs_from_the_record() -> None:
    other = contract_pdf(terms(number="C-2027-0002"), OCCASION)
    assert damages(other) == set()
    assert damages(other, stored=terms(), seal=seal_of(made())) == {
        (Damage.ANOTHER_SEAL, "file"),
        (Damage.TERMS_DIFFER, "/number"),
    }


def test_lines_fit_keep_figures_whole_and_punctuation_in_its_place() -> None:
    text = "自2027-01-01起每期交付不少于1,234,567吨，（以较晚者为准）；超出的部分按约定付款。" * 3
    lines = lines_of(text, 9, 120)
    assert "".join(lines) == text
    assert len(lines) > 5
    assert all(line[0] not in "，）；。" and line[-1] != "（" for line in lines)
    assert sum(line.count("1,234,567") for line in lines) == 3
    assert lines_of("x" * 200, 9, 120)[0] != ""
    assert "".join(lines_of("x" * 200, 9, 120)) == "x" * 200
