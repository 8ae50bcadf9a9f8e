"""A contract as a bilingual PDF that carries its own terms, their hash and a seal over its bytes.

The canonical JSON of the terms is attached; its SHA-256 stands on every page and in the metadata. Each page's text
has its hash in the metadata. The seal is a comment with the SHA-256 of the whole file, in which its own digits count
as zeros. Signatures come after it, so that the sealed part of a signed file stays as it was made.
"""

from __future__ import annotations

import hashlib
import io
import re

from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    NumberObject,
    TextStringObject,
)

from .document_duties import (
    commitments_section,
    ending_section,
    force_majeure_section,
    payment_section,
    provenance_section,
    quality_section,
    recorded_section,
    signing_section,
)
from .document_layout import SIGNATURE_BOXES, render
from .document_parts import Occasion, Section
from .document_price import price_section
from .document_supply import (
    definitions_section,
    delivery_section,
    nomination_section,
    parties_section,
    product_section,
    schedule_section,
)
from .terms import Terms, canonical_json, terms_hash, validate

ATTACHMENT = "terms.json"
NUMBER_KEY, TERMS_KEY, PAGES_KEY = "/ContractNumber", "/TermsSHA256", "/PagesSHA256"
SEAL = re.compile(rb"%changdan-seal-sha256 ([0-9a-f]{64})\n")
NO_SEAL = b"0" * 64


def contract_pdf(terms: Terms, occasion: Occasion) -> bytes:
    """The contract as PDF: the same bytes for the same terms and occasion.

    It has an empty signature field for each party ("seller", "buyer") on its last page.

    :raises BadInput: the terms are not sound.
    :raises IndexMissing: the occasion's fixings do not suffice for the price example.
    """
    validate(terms)
    digest = terms_hash(terms)
    pages = render(terms, occasion, sections(terms, occasion), digest)
    writer = PdfWriter(clone_from=io.BytesIO(pages))
    writer.pdf_header = "%PDF-1.7"
    _attach(writer, canonical_json(terms).encode())
    _signature_fields(writer)
    _describe(writer, terms, occasion, digest)
    held = io.BytesIO()
    writer.write(held)
    return _sealed(held.getvalue())


def sections(terms: Terms, occasion: Occasion) -> tuple[Section, ...]:
    """The sections of the printed contract in their order."""
    return (
        parties_section(terms),
        definitions_section(terms),
        product_section(terms, occasion),
        schedule_section(terms),
        price_section(terms, occasion),
        delivery_section(terms),
        nomination_section(terms),
        commitments_section(terms),
        quality_section(terms, occasion),
        payment_section(terms),
        provenance_section(terms),
        force_majeure_section(terms),
        ending_section(terms),
        recorded_section(terms),
        signing_section(terms, terms_hash(terms)),
    )


def page_hash(page: PageObject) -> str:
    """SHA-256 of what a page draws, uncompressed; annotations such as signatures are no part of it."""
    contents = page.get_contents()
    return hashlib.sha256(b"" if contents is None else contents.get_data()).hexdigest()


def seal_of(pdf: bytes) -> str | None:
    """The seal written in a document, 64 hexadecimal digits; None where there is none."""
    found = SEAL.search(pdf)
    return None if found is None else found[1].decode()


def computed_seal(sealed: bytes) -> str:
    """The seal that the sealed part of a document should have."""
    return hashlib.sha256(SEAL.sub(b"%changdan-seal-sha256 " + NO_SEAL + b"\n", sealed, count=1)).hexdigest()


def sealed_part(pdf: bytes) -> bytes:
    """The document up to the end of what was sealed, without what came after; all of it where no seal is found."""
    found = SEAL.search(pdf)
    end = -1 if found is None else pdf.find(b"%%EOF\n", found.end())
    return pdf if end < 0 else pdf[: end + len(b"%%EOF\n")]


def _sealed(pdf: bytes) -> bytes:
    body, start, rest = pdf.rpartition(b"startxref")
    unsealed = body + b"%changdan-seal-sha256 " + NO_SEAL + b"\n" + start + rest.rstrip() + b"\n"
    return unsealed.replace(b"-sha256 " + NO_SEAL, b"-sha256 " + computed_seal(unsealed).encode())


def _attach(writer: PdfWriter, text: bytes) -> None:
    """The terms as an embedded file that the catalogue names as the document's data (PDF 2.0, 14.13)."""
    stream = DecodedStreamObject()
    stream.set_data(text)
    stream[NameObject("/Type")] = NameObject("/EmbeddedFile")
    stream[NameObject("/Subtype")] = NameObject("/application#2Fjson")
    stream[NameObject("/Params")] = DictionaryObject({NameObject("/Size"): NumberObject(len(text))})
    held = writer._add_object(stream)
    name = TextStringObject(ATTACHMENT)
    specification = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Filespec"),
            NameObject("/F"): name,
            NameObject("/UF"): name,
            NameObject("/AFRelationship"): NameObject("/Data"),
            NameObject("/EF"): DictionaryObject({NameObject("/F"): held, NameObject("/UF"): held}),
        }
    )
    file = writer._add_object(specification)
    root = writer.root_object
    tree = DictionaryObject({NameObject("/Names"): ArrayObject([name, file])})
    root[NameObject("/Names")] = DictionaryObject({NameObject("/EmbeddedFiles"): tree})
    root[NameObject("/AF")] = ArrayObject([file])


def _signature_fields(writer: PdfWriter) -> None:
    """An empty signature field for each party over its box on the last page."""
    page = writer.pages[-1]
    fields = ArrayObject()
    for side, box in SIGNATURE_BOXES.items():
        field = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Annot"),
                NameObject("/Subtype"): NameObject("/Widget"),
                NameObject("/FT"): NameObject("/Sig"),
                NameObject("/T"): TextStringObject(side),
                NameObject("/F"): NumberObject(4),
                NameObject("/Rect"): ArrayObject([FloatObject(round(at, 2)) for at in box]),
                NameObject("/P"): page.indirect_reference,
            }
        )
        fields.append(writer._add_object(field))
    page[NameObject("/Annots")] = ArrayObject(fields)
    writer.root_object[NameObject("/AcroForm")] = DictionaryObject({NameObject("/Fields"): fields})


def _describe(writer: PdfWriter, terms: Terms, occasion: Occasion, digest: str) -> None:
    root = writer.root_object
    root[NameObject("/Lang")] = TextStringObject("zh-CN")
    root[NameObject("/ViewerPreferences")] = DictionaryObject({NameObject("/DisplayDocTitle"): NameObject("/true")})
    made = f"D:{occasion.dated:%Y%m%d}000000Z"
    writer.metadata = {
        "/Title": f"{terms.number} v{terms.version}: {terms.seller.name.zh} — {terms.buyer.name.zh}",
        "/Creator": "changdan",
        "/Producer": "changdan",
        "/CreationDate": made,
        "/ModDate": made,
        NUMBER_KEY: terms.number,
        TERMS_KEY: digest,
        PAGES_KEY: " ".join(map(page_hash, PdfReader(_copy(writer)).pages)),
    }


def _copy(writer: PdfWriter) -> io.BytesIO:
    held = io.BytesIO()
    writer.write(held)
    held.seek(0)
    return held
