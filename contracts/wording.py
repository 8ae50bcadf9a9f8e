"""Words in the two languages every document and page of the exchange speaks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence or name in Chinese and in English."""

    zh: str
    en: str

    def in_language(self, language: str) -> str:
        """The Chinese text for any language code that begins with "zh", otherwise the English one."""
        return self.zh if language.startswith("zh") else self.en
