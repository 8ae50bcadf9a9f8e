"""The catalogues of the pages' texts, read as they stand in version control: nothing has to be compiled first.

The texts in code and templates are English; a catalogue holds another language for each of them.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask
from flask_babel import Domain, get_babel, get_locale

FOLDER = Path(__file__).parent


def catalogue_path(locale: str) -> Path:
    """Where the catalogue of a locale stands, whether there is one or not."""
    return FOLDER / locale / "LC_MESSAGES" / "messages.po"


@cache
def translations(locale: str) -> NullTranslations:
    """The texts of a locale; those of the code where it has no catalogue. Read once per process."""
    path = catalogue_path(locale)
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as source:
        catalogue = read_po(source, locale=locale)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


class Catalogues(Domain):  # type: ignore[misc]
    """Looks texts up in the catalogues of this folder."""

    def get_translations(self) -> NullTranslations:
        return translations(str(get_locale()))


def init_app(app: Flask) -> None:
    """Let the languages of the app speak from these catalogues."""
    get_babel(app).instance.domain_instance = Catalogues()
