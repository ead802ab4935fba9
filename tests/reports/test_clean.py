"""Text of others before anybody sees it."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.reports import clean


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]52;c;ZXZpbA==\x07clip", "clip"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jx\x9d0;title\x9cy", "xy"),
        ("\x1bPq#0\x1b\\dcs", "dcs"),
        ("\x1b]0;never ends", "0;never ends"),
        ("a\rb\r\nc", "a\nb\nc"),
        ("a\bb\x00c\x7fd\x85e", "abcd\ne"),
        ("\u202eevil\u202c \u2066x\u2069 \u200bz\ufeff", "evil x z"),
        ("x\u2028y", "x\ny"),
        ("\ud800", "\\ud800"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("naïve 日本語 👩\u200d💻 e\u0301", "naïve 日本語 👩\u200d💻 e\u0301"),
    ],
)
def test_what_a_terminal_would_obey_is_gone(text: str, shown: str) -> None:
    assert clean.block(text) == shown


@given(st.text(st.characters()))
@example("\x1b\x1b[[")
@example("\x9d" * 50)
def test_nothing_but_visible_text_is_left(text: str) -> None:
    shown = clean.block(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert not any(unicodedata.category(character) == "Cs" for character in shown)
    assert "\n" not in clean.line(text)


def test_long_hostile_text_takes_no_time() -> None:
    for start in ("\x9d", "\x1b]", "\x1b[0", "\x90x"):
        clean.block(start * 20_000)


@given(st.text(), st.integers(1, 30))
def test_cut_text_fits(text: str, limit: int) -> None:
    shown = clean.line(text, limit)
    assert clean.cells(shown) <= max(limit, 1)
    if clean.cells(clean.line(text)) <= limit:
        assert shown == clean.line(text)


@given(st.text(alphabet="ab 日\u0301"), st.integers(2, 20))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    lines = clean.wrap(text, width)
    assert all(clean.cells(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
