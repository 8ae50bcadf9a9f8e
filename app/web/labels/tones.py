"""How states look on the pages."""

from __future__ import annotations

from collections.abc import Mapping

TONES: Mapping[str, str] = {
    "open": "live",
    "running": "live",
    "queued": "warn",
    "done": "good",
    "failed": "bad",
    "waiting": "warn",
    "doing": "live",
    "sent": "good",
    "unsent": "bad",
    "delivered": "good",
    "matched": "good",
    "partly_matched": "good",
    "out_of_the_money": "warn",
    "paradoxically_rejected": "warn",
    "invalid": "bad",
    "proposed": "warn",
    "under_review": "warn",
    "released": "live",
    "accepted": "live",
    "countered": "warn",
    "agreed": "good",
    "withheld": "bad",
    "declined": "bad",
    "rejected": "bad",
    "signed": "good",
    "effective": "good",
    "suspended": "warn",
    "terminated": "bad",
    "pending": "warn",
    "active": "good",
    "refused": "bad",
    "defended": "warn",
    "upheld": "good",
}


def tone_of(table: str, code: str) -> str:
    """How a state looks: good, live (going on), warn (waits for somebody), bad, or plain."""
    return "live" if (table, code) == ("contract", "agreed") else TONES.get(str(code), "")
