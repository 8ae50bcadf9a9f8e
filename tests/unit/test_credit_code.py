"""The unified social credit code and its two check characters."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from market import credit_code
from market.errors import InvalidValue

DIGITS = "0123456789"
bodies = st.builds(
    "".join,
    st.tuples(
        st.text(credit_code.ALPHABET, min_size=2, max_size=2),
        st.text(DIGITS, min_size=6, max_size=6),
        st.text(credit_code.ALPHABET, min_size=8, max_size=8),
    ),
)


@pytest.mark.parametrize(
    "code",
    [
        "91350100M000100Y43",  # the worked example of GB 32100-2015
        "91110000600037341L",
        "9144030071526726XG",
    ],
)
def test_known_codes_are_good(code: str) -> None:
    assert credit_code.validate(code) == code


def test_small_letters_and_blanks_around_are_taken() -> None:
    assert credit_code.validate("  91350100m000100y43 ") == "91350100M000100Y43"


@given(bodies)
def test_a_completed_body_is_a_good_code(body: str) -> None:
    code = credit_code.complete(body)
    assert code.startswith(body)
    assert credit_code.validate(code) == code


@given(bodies, st.integers(0, 17), st.sampled_from(credit_code.ALPHABET))
def test_any_one_wrong_character_is_found(body: str, position: int, character: str) -> None:
    code = credit_code.complete(body)
    assume(code[position] != character)
    wrong = code[:position] + character + code[position + 1 :]
    with pytest.raises(InvalidValue):
        credit_code.validate(wrong)


@given(bodies, st.integers(0, 15))
def test_two_neighbours_swapped_are_found(body: str, position: int) -> None:
    code = credit_code.complete(body)
    assume(code[position] != code[position + 1])
    swapped = code[:position] + code[position + 1] + code[position] + code[position + 2 :]
    with pytest.raises(InvalidValue):
        credit_code.validate(swapped)


@given(st.text(max_size=30))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    try:
        code = credit_code.validate(text)
    except InvalidValue:
        return
    assert len(code) == credit_code.LENGTH
    assert code[17] == credit_code.check_character(code[:17])


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("91350100M000100Y4", "has 17 characters; expected 18"),
        ("9I350100M000100Y43", "'I' at position 2"),
        ("91A50100M000100Y43", "region 'A50100'; expected six digits"),
        ("91350100M000100X43", "organisation check character"),
        ("91350100M000100Y44", "ends in '4'; its check character would be '3'"),
    ],
)
def test_the_complaint_names_what_is_wrong(code: str, complaint: str) -> None:
    with pytest.raises(InvalidValue, match=complaint):
        credit_code.validate(code)


def test_a_body_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidValue, match="16 characters, not 3"):
        credit_code.complete("913")
