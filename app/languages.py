"""The two languages of the pages: Chinese, unless the person or the browser chose English."""

from __future__ import annotations

from babel import Locale
from flask import Flask, has_request_context, request, session
from flask_babel import Babel, get_locale

from app.models import Language

LOCALES = {Language.CHINESE: "zh_Hans_CN", Language.ENGLISH: "en"}
_BROWSER_TAGS = {"zh": Language.CHINESE, "en": Language.ENGLISH}


def current_language() -> Language:
    """What was chosen at sign-in or by the switch, else what the browser asks for, else Chinese."""
    if not has_request_context():
        return Language.CHINESE
    if (chosen := session.get("language")) in set(Language):
        return Language(chosen)
    for tag, _ in request.accept_languages:
        if language := _BROWSER_TAGS.get(tag.lower().partition("-")[0]):
            return language
    return Language.CHINESE


def init_app(app: Flask) -> None:
    Babel(app, default_translation_directories="translations", locale_selector=_locale)
    app.jinja_env.globals["html_language"] = _html_language


def _locale() -> Locale:
    return Locale.parse(LOCALES[current_language()])


def _html_language() -> str:
    return "-".join(filter(None, (get_locale().language, get_locale().territory)))
