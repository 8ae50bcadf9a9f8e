"""What a message says to a person, in the person's language: its title, and the e-mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.models import Language
from app.operations.topics import TOPICS
from contracts.wording import Text

NAMED_BY = ("contract", "round", "endpoint", "name")  # the first of these in the payload names what it is about
LINK = Text("详情请登录平台查看：", "Read it on the exchange:")
WHERE = Text("详情请登录平台查看。", "Sign in to the exchange to read it.")
CHOICE = Text(
    "可在平台的通知设置中选择接收哪些邮件。", "Choose on the page of your notifications which e-mails you get."
)
MARKET = Text("长单", "Changdan")


def title_of(topic: str, payload: Mapping[str, Any], language: Language) -> str:
    """What has happened, and to what: "The contract is made: CD-9F3A61C0B2E4"."""
    text = TOPICS[topic].text.in_language(language) if topic in TOPICS else topic
    name = next((str(payload[key]) for key in NAMED_BY if payload.get(key)), None)
    return text if name is None else f"{text}{'：' if language is Language.CHINESE else ': '}{name}"


def subject_of(title: str, language: Language) -> str:
    """The subject line of an e-mail: one line, whatever the names in it hold."""
    return f"[{MARKET.in_language(language)}] {' '.join(title.split())}"


def body_of(title: str, language: Language, *, site: str | None) -> str:
    """The text of an e-mail; `site` is the address of the exchange, if it is known."""
    where = f"{LINK.in_language(language)} {site}/notifications" if site else WHERE.in_language(language)
    return f"{title}\n\n{where}\n\n{CHOICE.in_language(language)}\n"
