"""What keeps a document from being signed, in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from app.errors import Conflict, Refused
from contracts.document_check import Finding
from contracts.wording import Text


class Flaw(StrEnum):
    """Why a signature was not made or not taken."""

    NO_ROOTS = "no_roots"
    SIGNED_BEFORE = "signed_before"
    TOO_LATE = "too_late"
    OTHER_SIDE_MEANWHILE = "other_side_meanwhile"
    BAD_ARCHIVE = "bad_archive"
    TOO_LARGE = "too_large"
    NOT_THE_DOCUMENT = "not_the_document"
    NO_SIGNATURE = "no_signature"
    OTHER_FIELD = "other_field"
    BROKEN = "broken"
    NOT_TRUSTED = "not_trusted"
    MORE_ADDED = "more_added"
    OTHER_PARTY = "other_party"


FLAW_TEXTS = {
    Flaw.NO_ROOTS: Text(
        "平台尚未配置受信任的签名根证书", "The platform has no trusted roots for signatures yet: nobody can sign"
    ),
    Flaw.SIGNED_BEFORE: Text("贵方已签署", "Your side has signed already"),
    Flaw.TOO_LATE: Text("签署期限已过", "The time for signing is over"),
    Flaw.OTHER_SIDE_MEANWHILE: Text(
        "对方已先行签署，请重新下载文件后再签署",
        "The other side has signed meanwhile: fetch the document again and sign that one",
    ),
    Flaw.BAD_ARCHIVE: Text(
        "证书文件无法打开：应为 PKCS #12 文件及其口令",
        "The certificate file cannot be opened; expected PKCS #12 and its passphrase",
    ),
    Flaw.TOO_LARGE: Text("文件过大", "The file is too large"),
    Flaw.NOT_THE_DOCUMENT: Text("文件与登记的合同文件不符", "The file is not the document on record"),
    Flaw.NO_SIGNATURE: Text("文件上没有新的签名", "There is no new signature on the file"),
    Flaw.OTHER_FIELD: Text("签名不在贵方的签名域内", "The signature is not in your side's field"),
    Flaw.BROKEN: Text("签名与所签字节不符", "The signature does not fit the bytes it is over"),
    Flaw.NOT_TRUSTED: Text(
        "签名证书不可追溯至受信任的根证书", "The signer's certificate does not lead to a trusted root"
    ),
    Flaw.MORE_ADDED: Text("除签名外还添加了其他内容", "More than one signature was added"),
    Flaw.OTHER_PARTY: Text("签名证书不属于贵方", "The certificate is not your firm's"),
}


class SignatureRefused(Refused):
    """A key or a signature that is not taken; `findings` name the places where a document was changed."""

    def __init__(self, flaw: Flaw, *, found: str | None = None, findings: Sequence[Finding] = ()) -> None:
        self.flaw, self.findings = flaw, tuple(findings)
        told = FLAW_TEXTS[flaw]
        text = Text(f"{told.zh}：{found}", f"{told.en}: {found}") if found else told
        super().__init__(text, field="file", further=[Refused(_said(one), field="file") for one in findings])


class NotSignable(Conflict):
    """The document is not to be signed now, by this side, as it was fetched."""

    def __init__(self, flaw: Flaw) -> None:
        self.flaw = flaw
        super().__init__(FLAW_TEXTS[flaw])


def _said(one: Finding) -> Text:
    return Text(
        f"{one.place}：{one.text.zh}：{one.found}；应为 {one.expected}",
        f"{one.place}: {one.text.en}: {one.found}; expected {one.expected}",
    )
