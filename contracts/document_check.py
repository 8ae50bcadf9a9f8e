"""Is this document the one that was made, and does it say the terms that stand? Names each place that was changed."""

from __future__ import annotations

import functools
import hashlib
import io
import re
from dataclasses import dataclass, replace
from enum import StrEnum

from pypdf import PdfReader

from market.errors import BadInput

from .canonical import Plain, canonical_text, differences, read_json, to_plain
from .document import ATTACHMENT, PAGES_KEY, SEAL, TERMS_KEY, computed_seal, page_hash, seal_of, sealed_part
from .terms import Terms, canonical_json, terms_from_json, terms_hash
from .wording import Text

KEPT_IN_MIND = 4
"""How many documents, of a few hundred kilobytes each, are not read again when they are checked again."""


class Damage(StrEnum):
    """What is wrong with a place of a document."""

    UNREADABLE = "unreadable"
    SEAL_MISSING = "seal_missing"
    SEAL_BROKEN = "seal_broken"
    ANOTHER_SEAL = "another_seal"
    APPENDED = "appended"
    NOT_ON_RECORD = "not_on_record"
    ATTACHMENT_MISSING = "attachment_missing"
    ATTACHMENT_CHANGED = "attachment_changed"
    TERMS_UNSOUND = "terms_unsound"
    TERMS_DIFFER = "terms_differ"
    HASH_CHANGED = "hash_changed"
    PRINTED_HASH = "printed_hash"
    PAGE_CHANGED = "page_changed"
    PAGES_MISSING = "pages_missing"


DAMAGE_TEXTS = {
    Damage.UNREADABLE: Text("文件无法读取", "The document cannot be read"),
    Damage.SEAL_MISSING: Text("没有完整性封印", "There is no seal"),
    Damage.SEAL_BROKEN: Text("文件字节与封印不符", "The bytes are not those that were sealed"),
    Damage.ANOTHER_SEAL: Text("封印不是登记的封印", "The seal is not the one on record"),
    Damage.APPENDED: Text("封印之后附加了内容", "Something was added after the seal"),
    Damage.NOT_ON_RECORD: Text("与登记文件的字节不同", "The bytes are not those on record"),
    Damage.ATTACHMENT_MISSING: Text("缺少条款附件", "The attached terms are missing"),
    Damage.ATTACHMENT_CHANGED: Text("条款附件被改动", "The attached terms were changed"),
    Damage.TERMS_UNSOUND: Text("附件条款不成立", "The attached terms are not sound"),
    Damage.TERMS_DIFFER: Text("附件条款与登记条款不同", "The attached terms differ from those on record"),
    Damage.HASH_CHANGED: Text("元数据中的条款哈希被改动", "The hash in the metadata was changed"),
    Damage.PRINTED_HASH: Text("页面印刷的哈希与条款不符", "The printed hash is not that of the terms"),
    Damage.PAGE_CHANGED: Text("页面内容被改动", "What the page draws was changed"),
    Damage.PAGES_MISSING: Text("页数被改动", "The number of pages was changed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong: its place ("page 3", "terms.json", a JSON pointer in the terms), what is there and should be."""

    damage: Damage
    place: str
    found: str
    expected: str

    @property
    def text(self) -> Text:
        return DAMAGE_TEXTS[self.damage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a document says and what is wrong with it; `findings` empty means it is as it was made.

    `terms` is None unless the attached terms could be read, `terms_hash` is that of the attached bytes, `told_hash`
    the one in the metadata. `appended` counts the bytes after the sealed part, which hold signatures.
    """

    findings: tuple[Finding, ...]
    terms: Terms | None
    terms_hash: str | None
    told_hash: str | None
    seal: str | None
    appended: int


def verify_document(pdf: bytes, *, stored: Terms | None = None, seal: str | None = None) -> Checked:
    """Check a document against itself and, where given, against the terms and the seal on record.

    Without the seal on record a forger who makes all hashes anew is not found here, but by the signatures. What was
    added after the seal is only told apart from signatures by those, too.
    """
    sealed = sealed_part(pdf)
    content = _read(sealed)
    found = _seal_findings(pdf, sealed, seal)
    if content.readable:
        found += _terms_findings(content, stored)
    found += content.findings
    if [one.damage for one in found] == [Damage.SEAL_BROKEN]:
        found = [replace(found[0], place="fonts, structure or metadata")]
    return Checked(
        findings=tuple(found),
        terms=_terms_in(content.attached),
        terms_hash=None if content.attached is None else hashlib.sha256(content.attached).hexdigest(),
        told_hash=content.told_hash or None,
        seal=seal_of(pdf),
        appended=len(pdf) - len(sealed),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What the sealed part of a document holds, and what is wrong with it whatever stands on record."""

    readable: bool
    told_hash: str
    attached: bytes | None
    findings: tuple[Finding, ...]


@functools.lru_cache(maxsize=KEPT_IN_MIND)
def _read(sealed: bytes) -> _Content:
    """Read every page. Kept for the last documents: each step of a signature asks again, for the same sealed bytes."""
    readable, told_hash, attached, found = False, "", None, []
    try:
        reader = PdfReader(io.BytesIO(sealed))
        told_hash, attached = _written(reader, TERMS_KEY), _attached(reader)
        readable = True
        found += _page_findings(reader, attached)
    except Exception as error:
        found.append(_finding(Damage.UNREADABLE, "file", f"{type(error).__name__}: {error}", "a PDF as it was made"))
    return _Content(readable=readable, told_hash=told_hash, attached=attached, findings=tuple(found))


def _finding(damage: Damage, place: str, found: str, expected: str) -> Finding:
    return Finding(damage=damage, place=place, found=found, expected=expected)


def _seal_findings(pdf: bytes, sealed: bytes, on_record: str | None) -> list[Finding]:
    written = seal_of(pdf)
    if written is None:
        return [_finding(Damage.SEAL_MISSING, "file", "no seal", f"a line like {SEAL.pattern.decode()[:24]}...")]
    found = []
    computed = computed_seal(sealed)
    if computed != written:
        found.append(_finding(Damage.SEAL_BROKEN, "file", computed, written))
    if on_record is not None and written != on_record:
        found.append(_finding(Damage.ANOTHER_SEAL, "file", written, on_record))
    appended = pdf[len(sealed) :]
    if appended and b"/ByteRange" not in appended:
        found.append(
            _finding(Damage.APPENDED, "file", f"{len(appended)} bytes after the seal", "signatures or nothing")
        )
    return found


def _written(reader: PdfReader, key: str) -> str:
    """What the metadata says under a key of ours; empty where it says nothing."""
    metadata = reader.metadata
    return "" if metadata is None or key not in metadata else str(metadata[key])


def _attached(reader: PdfReader) -> bytes | None:
    for one in reader.attachment_list:
        if one.name == ATTACHMENT:
            return one.content
    return None


def _terms_findings(content: _Content, stored: Terms | None) -> list[Finding]:
    """Attachment against the hash in the metadata and against the terms on record, member by member."""
    attached, written = content.attached, content.told_hash
    if attached is None:
        return [_finding(Damage.ATTACHMENT_MISSING, ATTACHMENT, "nothing", "the terms as canonical JSON")]
    found = []
    digest = hashlib.sha256(attached).hexdigest()
    if written != digest:
        at_fault = Damage.ATTACHMENT_CHANGED
        if stored is not None and digest == terms_hash(stored):
            at_fault = Damage.HASH_CHANGED
        found.append(_finding(at_fault, ATTACHMENT, digest, written))
    try:
        plain = read_json(attached)
        terms_from_json(attached)
    except BadInput as error:
        found += [_finding(Damage.TERMS_UNSOUND, fault.place, fault.found, fault.expected) for fault in error.faults]
        return found
    if stored is not None and digest != terms_hash(stored):
        found += _differences(plain, stored, attached)
    return found


def _differences(plain: Plain, stored: Terms, attached: bytes) -> list[Finding]:
    changes = differences(to_plain(stored), plain)
    found = [
        _finding(Damage.TERMS_DIFFER, change.pointer or "/", canonical_text(change.new), canonical_text(change.old))
        for change in changes
    ]
    if not found and attached != canonical_json(stored).encode():
        found.append(_finding(Damage.TERMS_DIFFER, "/", "the same values written otherwise", "the canonical text"))
    return found


def _page_findings(reader: PdfReader, attached: bytes | None) -> list[Finding]:
    """What each page draws against its hash in the metadata, and the hash it prints against the attached terms."""
    written = _written(reader, PAGES_KEY).split()
    found = []
    if len(written) != len(reader.pages):
        found.append(_finding(Damage.PAGES_MISSING, "file", f"{len(reader.pages)} pages", f"{len(written)} pages"))
    digest = None if attached is None else hashlib.sha256(attached).hexdigest()
    for number, page in enumerate(reader.pages, 1):
        place = f"page {number}"
        try:
            drawn = page_hash(page)
            printed = re.sub(r"\s", "", page.extract_text())
        except Exception as error:
            found.append(_finding(Damage.PAGE_CHANGED, place, f"{type(error).__name__}: {error}", "a page as made"))
            continue
        if number <= len(written) and drawn != written[number - 1]:
            found.append(_finding(Damage.PAGE_CHANGED, place, drawn, written[number - 1]))
        if digest is not None and digest not in printed:
            found.append(_finding(Damage.PRINTED_HASH, place, "another hash or none", digest))
    return found


def _terms_in(attached: bytes | None) -> Terms | None:
    if attached is None:
        return None
    try:
        return terms_from_json(attached)
    except BadInput:
        return None
