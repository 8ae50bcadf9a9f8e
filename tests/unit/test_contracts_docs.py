"""The worked examples of docs/contracts are computed by the code, and the page of states is the table."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from contracts.state_table import as_markdown

DOCS = Path(__file__).parents[2] / "docs" / "contracts"
EXAMPLE = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: Path) -> str:
    """The examples of a page alone, each on its line of the page."""
    text = page.read_text("utf-8")
    lines = [""] * text.count("\n")
    for found in EXAMPLE.finditer(text):
        first = text.count("\n", 0, found.start(1))
        body = found[1].splitlines()
        lines[first : first + len(body)] = body
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", ["terms", "price", "schedule", "settlement"])
def test_the_examples_print_what_the_code_says(name: str) -> None:
    page = DOCS / f"{name}.md"
    test = doctest.DocTestParser().get_doctest(examples(page), {}, name, str(page), 0)
    assert len(test.examples) > 8
    told: list[str] = []
    runner = doctest.DocTestRunner()
    failed = runner.run(test, out=told.append).failed
    assert not failed, "".join(told)


def test_the_page_of_states_is_the_table() -> None:
    assert (DOCS / "states.md").read_text("utf-8") == as_markdown()
