"""Words in the two languages every document and page of the exchange speaks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from market.errors import Fault


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence or name in Chinese and in English."""

    zh: str
    en: str

    def in_language(self, language: str) -> str:
        """The Chinese text for any language code that begins with "zh", otherwise the English one."""
        return self.zh if language.startswith("zh") else self.en


def fault(place: str, found: str | Text, expected: Text) -> Fault:
    """What is wrong at a place, in both languages; `found` may be a value, which needs no words."""
    said = found if isinstance(found, Text) else Text(found, found)
    return Fault(
        place=place,
        row=None,
        column=None,
        found=said.en,
        expected=expected.en,
        found_zh=said.zh,
        expected_zh=expected.zh,
    )


def as_said(words: str) -> Text:
    """Words that are in the reader's language already, or need none."""
    return Text(words, words)


def one_of(names: Iterable[str]) -> Text:
    """Some names to choose from."""
    listed = list(names)
    return Text("下列之一：" + "、".join(listed), "one of " + ", ".join(listed))
