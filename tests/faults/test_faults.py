"""Every entry of the table of faults holds."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path
from typing import Any

import pytest

from tests.faults.entries import Fault
from tests.faults.live import asked, bare, met
from tests.faults.rows import ROWS
from tests.projects import harness
from tests.recorded_twice import lasting, rows

_ROOT = Path(__file__).parents[2]


def _each(*faults: Fault) -> list[Any]:
    return [pytest.param(one, id=one.id, marks=[pytest.mark.slow] if one.slow else []) for one in faults]


@pytest.mark.parametrize("fault", _each(*(one for one in ROWS if not one.held_by)))
def test_the_harness_does_what_the_table_says(fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = met(fault, tmp_path)
    ends = fault.harness
    assert len(ran.rows) == fault.cases
    for row in ran.rows:
        error = row["error"] or {"kind": None, "message": ""}
        assert (row["outcome"], error["kind"]) == (ends.outcome, ends.kind), error["message"]
        assert ends.requests is not None or row["attempts"] == ends.attempts
        for text in ends.says:
            assert text in error["message"]
    fewest, most = ends.requests or (fault.cases * ends.attempts,) * 2
    assert fewest <= asked(ran.server) <= most
    assert ran.result.exit_code == ends.code
    assert "Traceback" not in ran.result.output
    if ends.also is not None:
        ends.also(ran)
    # What is kept can be trusted: the next run, with nobody at the other end, comes to the same.
    assert len(list(tmp_path.glob("cassettes/**/*.yaml"))) == (fault.cases if ends.kept else 0)
    if ends.kept:
        harness("run", "--no-html")
        assert list(map(lasting, rows(tmp_path))) == list(map(lasting, ran.rows))


@pytest.mark.parametrize("fault", _each(*(one for one in ROWS if one.bare is not None and not one.held_by)))
def test_the_bare_sdk_does_what_the_table_says(fault: Fault) -> None:
    assert fault.bare is not None
    attempts, got = bare(fault)
    assert attempts == fault.bare.attempts
    if fault.bare.raises is not None:
        assert type(got).__name__ == fault.bare.raises, repr(got)
    else:
        assert not isinstance(got, Exception), repr(got)
        assert fault.bare.check is not None
        assert fault.bare.check(got), repr(got)


def test_ids_are_unique() -> None:
    ids = [one.id for one in ROWS]
    assert len(set(ids)) == len(ids)


def test_no_fault_is_left_out() -> None:
    # Judges, which F54 is about, are not there yet.
    assert {int(one.id[1:].rstrip(string.ascii_lowercase)) for one in ROWS} == {*range(1, 56)} - {54}


@pytest.mark.parametrize("fault", _each(*(one for one in ROWS if one.held_by)))
def test_faults_that_other_tests_inject_name_a_test_that_runs(fault: Fault) -> None:
    path, _, name = fault.held_by.partition("::")
    tree = ast.parse((_ROOT / path).read_text(encoding="utf-8"))
    [test] = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name]
    marks = [ast.unparse(one) for one in test.decorator_list]
    # One that is skipped where something is not there says so with a condition.
    assert not [one for one in marks if re.match(r"pytest\.mark\.(skip|xfail)\b", one)]
