"""Names as file names: safe everywhere, readable, and never the same for two names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.suites.names import derived_id, slug


@pytest.mark.parametrize(
    "name", ["faq", "faq@2", "shipping-time", "a.b", "support@1,gpt-4.1-mini", "x" * 60, "0", "a_b".replace("_", ",")]
)
def test_a_safe_name_stays_as_it_is(name: str) -> None:
    assert slug(name) == name


@pytest.mark.parametrize(
    ("name", "start"),
    [("Shipping Time", "shipping-time-"), ("support@git:main", "support@git-main-"), ("openai/gpt-4o", "openai-gpt-4o-"),
     ("../../etc/passwd", "etc-passwd-"), ("..", "x-"), (".", "x-"), ("", "x-"), ("é", "x-"), ("A", "a-"), ("x" * 61, "x" * 60 + "-"),
     ("a\0b", "a-b-"), (".hidden", "hidden-"), ("-rf", "rf-"), ("CON", "con-"), ("con", "con-"), ("nul.x", "nul.x-"), ("a b", "a-b-")],
)  # fmt: skip
def test_a_changed_name_gets_a_hash_of_the_exact_one(name: str, start: str) -> None:
    assert re.fullmatch(re.escape(start) + "[0-9a-f]{8}", slug(name))


def test_two_forms_of_one_letter_are_two_names() -> None:
    assert slug("caf\u00e9") != slug("cafe\u0301")


@given(st.text())
def test_every_name_is_one_plain_file_name(name: str) -> None:
    found = slug(name)
    assert re.fullmatch(r"[a-z0-9@,_][a-z0-9\-@._,]*", found)
    assert len(found) <= 69
    assert Path(found).name == found


@given(st.text(), st.text())
def test_different_names_have_different_files_even_where_case_does_not_count(one: str, other: str) -> None:
    assert (slug(one).lower() == slug(other).lower()) == (one == other)


def test_a_derived_id_shows_the_input_and_changes_with_it() -> None:
    first, second = (
        derived_id("How long does standard shipping take?"),
        derived_id("How long does standard shipping take, then?"),
    )
    assert first.startswith("how-long-does-standard-s-")
    assert first != second
    assert slug(first) == first


@given(st.text(min_size=1))
def test_a_derived_id_is_its_own_file_name(text: str) -> None:
    assert slug(derived_id(text)) == derived_id(text)
