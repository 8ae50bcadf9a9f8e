"""Nothing on the pages is left in the wrong language: every text has a Chinese one, every code a name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from flask_babel import force_locale

import app as application
from app import models
from app.jobs.queue import KEEPING, SENDING, SOLVING
from app.jobs.tasks import tasks
from app.models import UserRole
from app.operations.jobs_overview import JobState
from app.operations.waiting import What, Who
from app.permissions import KEY_SCOPES
from app.transaction import Application
from app.translations import catalogue_path, translations
from app.web.labels import TABLES, label_of, tone_of
from contracts.reasons import REASONS
from contracts.state import MOVE_TEXTS, STATES, TRANSITIONS, Subject
from matching.lanes import Requirement
from matching.run import PHASES

SOURCES = Path(application.__file__).parent
CHINESE, ENGLISH = "zh_Hans_CN", "en"
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "lazy_gettext": None}
SAME_IN_BOTH: set[str] = set()
HAN = re.compile(r"[一-鿿]")
NAMES = re.compile(r"%\((\w+)\)[sd]")


def said() -> Iterator[tuple[str, str]]:
    """Every text of code and templates, with the file it stands in; of one with a plural, both."""
    for name, _line, message, _comments, _context in extract_from_dir(SOURCES, METHODS, keywords=KEYWORDS):
        for text in message if isinstance(message, tuple) else (message,):
            yield text, name


def catalogue() -> dict[str, str]:
    with catalogue_path(CHINESE).open("rb") as source:
        found = read_po(source, locale=CHINESE)
    texts: dict[str, str] = {}
    for message in found:
        if message.id and not message.fuzzy:
            ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
            strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
            texts |= dict.fromkeys(ids, str(strings[0] or ""))
    return texts


def test_every_text_has_a_chinese_one() -> None:
    known = catalogue()
    missing = sorted({f"{name}: {text}" for text, name in said() if not known.get(text)})
    assert not missing, f"without a Chinese text in {catalogue_path(CHINESE).name}: {missing}"


def test_the_catalogue_holds_nothing_that_nobody_says() -> None:
    assert not catalogue().keys() - {text for text, _name in said()}


def test_a_chinese_text_is_chinese_and_has_the_same_places_for_values() -> None:
    for english, chinese in catalogue().items():
        assert set(NAMES.findall(english)) == set(NAMES.findall(chinese)), english
        assert re.search(r"[一-鿿]", chinese) or english in SAME_IN_BOTH, english
        assert "%" not in re.sub(r"%\(\w+\)[sd]|%%", "", chinese), chinese


def test_a_percent_sign_in_a_template_is_doubled() -> None:
    """Templates always format their texts: a single sign would end the page with an error."""
    for text, name in said():
        if name.endswith(".html"):
            assert "%" not in re.sub(r"%\(\w+\)[sd]|%%", "", text), f"{name}: {text}"


CODES: dict[str, Iterable[str]] = {
    "offer_kind": models.OfferKind,
    "offer": models.OfferState,
    "basis": models.Basis,
    "bound": models.Bound,
    "round": models.RoundState,
    "round_kind": models.RoundKind,
    "period_kind": models.PeriodKind,
    "windows": models.WindowRule,
    "run": models.RunState,
    "import": models.ImportState,
    "row": models.RowOutcome,
    "result": models.Reason,
    "requirement": Requirement,
    "review_action": models.ReviewAction,
    "review_step": models.ReviewStep,
    "penalty": models.Penalty,
    "termination_ground": models.TerminationGround,
    "return_cause": models.ReturnCause,
    "reopening": models.ReopeningOutcome,
    "tier": models.Tier,
    "firm_role": models.FirmRole,
    "user_role": UserRole,
    "sign_in": models.SignInOutcome,
    "scope": KEY_SCOPES,
    "mail": models.MailState,
    "webhook_message": models.MessageState,
    "webhook_stop": models.StopReason,
    "invoice_kind": models.InvoiceKind,
    "invoice_line": models.LineName,
    "fixing": models.FixingKind,
    "subject": {*models.SubjectKind, "what_if", "curves", "supply_graph", "proposal_thread"},  # of steps, and of looks
    "waits_for": Who,
    "waiting": What,
    "job": JobState,
    "queue": (SOLVING, KEEPING, SENDING),
    "task": [task.rpartition(":")[2] for task in tasks.tasks],
    "version": models.VersionState,
    "phase": ("snapshot", *PHASES, "alternatives", "writing"),
}


@pytest.mark.parametrize("table", CODES)
def test_every_code_has_a_name(table: str) -> None:
    assert {str(code) for code in CODES[table]} == {str(code) for code in TABLES[table]}


def test_every_table_of_codes_is_checked() -> None:
    unchecked = {"dropped", "actor", "event"}  # words of operations, checked below
    assert set(TABLES) == CODES.keys() | unchecked


@pytest.mark.parametrize("locale", [CHINESE, ENGLISH])
def test_names_of_codes_come_in_the_language_of_the_page(app: Application, locale: str) -> None:
    with app.test_request_context(), force_locale(locale):
        named = [label_of(table, code) for table, codes in TABLES.items() for code in codes]
        named += [label_of(subject.value, state.name) for subject in Subject for state in STATES[subject]]
        named += [label_of("event", row.event) for row in TRANSITIONS]
        named += [label_of("actor", actor) for row in TRANSITIONS for actor in row.actors if actor in TABLES["actor"]]
    is_chinese = [bool(re.search(r"[一-鿿]", name)) for name in named]
    assert all(is_chinese) if locale == CHINESE else not any(is_chinese)


def test_who_moves_a_proposal_or_contract_has_a_name() -> None:
    wanted = {Subject.PROPOSAL, Subject.CONTRACT}
    assert {str(actor) for row in TRANSITIONS if row.subject in wanted for actor in row.actors} <= set(TABLES["actor"])


def test_every_event_that_operations_record_has_a_name() -> None:
    written = set()
    for path in (SOURCES / "operations").glob("*.py"):
        written |= set(re.findall(r'"((?:offer|round)\.[a-z_]+)"', path.read_text()))
        written |= set(re.findall(r'_record\(session, endpoint, "([a-z_.]+)"', path.read_text()))
        written |= {f"run.{move}" for move in re.findall(r'_record\(session, \w+, run, "(\w+)"', path.read_text())}
    assert written, "no event was found: the search has gone blind"
    assert {name for name in written if name.partition(".")[2] not in MOVE_TEXTS} <= set(TABLES["event"])


def test_every_cause_of_a_dropped_bundle_has_a_name() -> None:
    text = (SOURCES / "operations" / "still_good.py").read_text()
    states = {state.value for state in models.OfferState if state is not models.OfferState.OPEN}
    named = set(re.findall(r'= "(amended|reserved)"', text)) | states - {"draft"}
    assert named <= set(TABLES["dropped"])


def test_every_state_has_a_look() -> None:
    looks = {"", "good", "warn", "bad", "live"}
    for subject in (Subject.PROPOSAL, Subject.CONTRACT):
        assert {tone_of(subject.value, state.name) for state in STATES[subject]} <= looks


def test_reasons_carry_both_languages() -> None:
    for group in REASONS.values():
        for reason in group:
            assert reason.text.zh != reason.text.en


def texts_in_code() -> Iterator[tuple[str, str]]:
    """The Chinese of every `Text` that code writes out, with its place."""
    for folder in (SOURCES, SOURCES.parent / "contracts"):
        for path in sorted(folder.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Text":
                    words = node.args[0] if node.args else None
                    if isinstance(words, ast.Constant | ast.JoinedStr):
                        parts = words.values if isinstance(words, ast.JoinedStr) else [words]
                        literal = [str(one.value) for one in parts if isinstance(one, ast.Constant)]
                        yield "".join(literal), f"{path.name}:{node.lineno}"


def test_refusals_and_other_texts_of_the_domain_are_chinese() -> None:
    """A refusal takes a `Text` and nothing else, which the types see to."""
    found = list(texts_in_code())
    assert len(found) > 400
    english = [f"{place}: {text}" for text, place in found if re.search(r"[a-z]{3}", text) and not HAN.search(text)]
    assert not english, english


def test_a_locale_without_a_catalogue_speaks_as_the_code_does() -> None:
    assert translations("fr").gettext("Home") == "Home"
    assert translations(CHINESE).gettext("Home") == "首页"


def literal(node: ast.expr) -> str | None:
    """What a string of the code says, without its values; None where it is no string that stands there."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def said_in_one_language(source: str) -> list[int]:
    """Lines on which people would be told something in one language only: a refusal that is a plain string, a Chinese
    wording without a Chinese word, an English one with some."""
    tree, found = ast.parse(source), []
    imports = [one for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)]
    of_http = {name.name for one in imports if one.module == "werkzeug.exceptions" for name in one.names}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        name, words = node.func.id, [literal(one) for one in node.args]
        if name in {"Refused", "Conflict", "Forbidden", "Told"} - of_http and words[0] is not None:
            found.append(node.lineno)
        if name == "Text" and len(words) == 2:
            chinese, english = words
            speaks = chinese is not None and re.search(r"\w", chinese) and not HAN.search(chinese)
            if speaks or (english is not None and HAN.search(english)):
                found.append(node.lineno)
    return found


def test_what_operations_say_is_said_in_both_languages() -> None:
    found = {str(path): said_in_one_language(path.read_text()) for path in SOURCES.rglob("*.py")}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ('raise Refused("no such offer")', True),
        ('raise Conflict(f"it is {state} now", open_moves=())', True),
        ('raise Refused(Text("no such offer", "no such offer"))', True),
        ('raise Refused(Text("没有该报价", "没有该报价"))', True),
        ('raise Refused(Text("没有该报价", f"no offer {number}"))', False),
        ('from werkzeug.exceptions import Forbidden\nraise Forbidden("closed")', False),
    ],
)
def test_a_refusal_in_one_language_is_found(source: str, is_found: bool) -> None:
    assert bool(said_in_one_language(source)) is is_found
