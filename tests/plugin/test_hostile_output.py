"""Hostile text of others in a suite that pytest runs: names, tags and answers command neither terminal nor CI."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.projects import write

SUITE = """\
suite: "::error::evil"
variants: {"@org ![x](http://evil)": {outputs: data/answers.jsonl}}
expect: [{regex: "^never$", name: "<script>::error::"}]
cases: data/cases.jsonl
"""
FORBIDDEN = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]|^\s*::|##[a-z]*\[", re.M
)


def texts() -> list[str]:
    """Every fifth text, and those that speak to CI services; names may not hold what cannot be printed."""
    path = Path(__file__).parent.parent / "data" / "hostile.txt"
    found = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    return [one for at, one in enumerate(found) if at % 5 == 0 or "::" in one or "##" in one]


def test_pytest_prints_and_writes_no_command(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OUTPUT", "ENV", "STEP_SUMMARY"):
        monkeypatch.setenv(f"GITHUB_{name}", str(pytester.path / name))
    cases, answers = [], []
    for at, text in enumerate(texts()):
        name = text if text.isprintable() else f"case {at}"
        cases.append({"id": name, "tags": [name], "metadata": {text: text}, "input": text})
        answers.append({"id": name, "output": text})
    write(
        pytester.path,
        {
            "suites/evil.yaml": SUITE,
            "suites/data/cases.jsonl": "".join(json.dumps(case) + "\n" for case in cases),
            "suites/data/answers.jsonl": "".join(json.dumps(answer) + "\n" for answer in answers),
        },
    )
    result = pytester.runpytest("suites", "-rA", "-v", "--junitxml=out.xml", "-W", "error")
    result.assert_outcomes(failed=len(cases))
    printed = result.stdout.str() + result.stderr.str()
    # Ours, not theirs: what separates the parts of a node id.
    assert not FORBIDDEN.search(printed.replace("suites/evil.yaml::", "evil "))
    ElementTree.parse(pytester.path / "out.xml")
    summary = (pytester.path / "STEP_SUMMARY").read_text()
    assert not FORBIDDEN.search(summary.replace("\t", " "))
    assert "@org" not in summary
    assert not (pytester.path / "OUTPUT").exists()
    assert not (pytester.path / "ENV").exists()
    page = (pytester.path / "reports" / "index.html").read_text()
    assert "<script>alert" not in page
    assert "![x](http://evil)" in page
