"""Files that a side puts forward: kept as bytes with their hash, shown to both sides and the platform."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from app.auth import Principal
from app.errors import NotFound, Refused
from app.models import LARGEST_FILE, Evidence, FileKind
from contracts.wording import Text

MOST_FILES = 20
LONGEST_NAME = 200

MEDIA_TYPES: Mapping[FileKind, str] = {
    FileKind.PDF: "application/pdf",
    FileKind.PNG: "image/png",
    FileKind.JPEG: "image/jpeg",
    FileKind.CSV: "text/csv",
    FileKind.TEXT: "text/plain",
    FileKind.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
ENDINGS: Mapping[str, FileKind] = {
    "pdf": FileKind.PDF,
    "png": FileKind.PNG,
    "jpg": FileKind.JPEG,
    "jpeg": FileKind.JPEG,
    "csv": FileKind.CSV,
    "txt": FileKind.TEXT,
    "xlsx": FileKind.XLSX,
}
# What a file of each kind begins with; texts must be UTF-8 instead.
BEGINNINGS: Mapping[FileKind, bytes] = {
    FileKind.PDF: b"%PDF-",
    FileKind.PNG: b"\x89PNG\r\n\x1a\n",
    FileKind.JPEG: b"\xff\xd8\xff",
    FileKind.XLSX: b"PK\x03\x04",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file as it came: its name, and its bytes."""

    name: str
    content: bytes


def add(
    session: Session,
    *,
    principal: Principal,
    side: str,
    file: File,
    now: dt.datetime,
    claim_id: uuid.UUID | None = None,
    force_majeure_id: uuid.UUID | None = None,
) -> Evidence:
    """Keep a file for a claim or an event; the caller has found that this side may add to it, and has locked it.

    :raises Refused: empty, too large, of a kind that is not taken, not what its name says, or one file too many.
    """
    kind = _kind_of(file)
    about = Evidence.claim_id == claim_id if claim_id else Evidence.force_majeure_id == force_majeure_id
    if (session.scalar(sa.select(sa.func.count()).where(about)) or 0) >= MOST_FILES:
        raise Refused(
            Text(f"最多 {MOST_FILES} 个文件", f"there are {MOST_FILES} files already, the most"), field="file"
        )
    found = Evidence(
        claim_id=claim_id,
        force_majeure_id=force_majeure_id,
        side=side,
        filename=file.name,
        kind=kind,
        size=len(file.content),
        sha256=hashlib.sha256(file.content).hexdigest(),
        content=file.content,
        added_by_id=principal.user_id,
        added_at=now,
    )
    session.add(found)
    session.flush()
    return found


def read(session: Session, *, evidence_id: uuid.UUID, among: sa.ColumnElement[bool]) -> Evidence:
    """A file with its bytes, if it is among those that the asker may read.

    :raises NotFound: it is not.
    """
    query = sa.select(Evidence).where(Evidence.id == evidence_id, among).options(undefer(Evidence.content))
    found = session.scalar(query)
    if found is None:
        raise NotFound("no such file")
    return found


def _kind_of(file: File) -> FileKind:
    taken = ", ".join(sorted(ENDINGS))
    kind = ENDINGS.get(file.name.rpartition(".")[2].lower())
    if kind is None or not 0 < len(file.name) <= LONGEST_NAME:
        what = Text(
            f"不支持的文件：{file.name[:80]!r}，须为 {taken}", f"{file.name[:80]!r}; expected a file of {taken}"
        )
        raise Refused(what, field="file")
    if not 0 < len(file.content) <= LARGEST_FILE:
        size, most = len(file.content), LARGEST_FILE // 2**20
        what = Text(f"文件为 {size} 字节，须在 1 字节至 {most} MB 之间", f"{size} bytes; expected 1 byte to {most} MB")
        raise Refused(what, field="file")
    if not _is(kind, file.content):
        what = Text(f"内容不是 {kind} 文件", f"the content is not that of a {kind} file, as its name says")
        raise Refused(what, field="file")
    return kind


def _is(kind: FileKind, content: bytes) -> bool:
    if kind in BEGINNINGS:
        return content.startswith(BEGINNINGS[kind])
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False
