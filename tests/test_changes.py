"""What differs between two arms is said, and what of it keeps a difference from being put down to the prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import harness as harness_api
from tests.projects import harness, write

ROWS = "".join(json.dumps({"id": name, "output": "yes"}) + "\n" for name in "ab")
SUITE = """\
suite: s
model: gpt-4.1-mini
temperature: 0
variants:
{variants}
expect: {{contains: yes}}
cases: [{{id: a, input: One}}, {{id: b, input: Two}}]
"""
PROMPTS = {
    "prompts/p/1.j2": "---\nvariables: {tone: {type: string, default: plain}}\n---\nAnswer in a {{ tone }} tone.",
    "prompts/p/2.j2": "Answer in one word.",
}
TOOLS = {
    "suites/t.py": 'def look(key: str) -> str:\n    """Look."""\n    return key\n',
    "suites/u.py": 'def look(key: str) -> str:\n    """Look."""\n    return key * 2\n',
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compared(root: Path, a: str, b: str) -> dict[str, Any]:
    """The comparison of two variants as a run that replays nothing has it, read back from its folder."""
    variants = f"  v1: {a}\n  v2: {b}"
    write(root, {"suites/s.yaml": SUITE.format(variants=variants), **PROMPTS, **TOOLS})
    assert harness("run", "-q").exit_code == 3
    folder = next((root / "reports").glob("2*"))
    plain = json.loads((folder / "run.json").read_text())
    assert plain["suites"][0]["variants"][0]["definition"] is not None
    (found,) = harness_api.load().plain()["suites"][0]["comparisons"]
    told: dict[str, Any] = found
    return told


def names(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["name"], one["a"], one["b"]) for one in found["changes"]]


def test_a_prompt_is_told_with_its_text_its_tokens_and_what_they_cost(project: Path) -> None:
    found = compared(project, "{prompt: p@1}", "{prompt: p@2}")
    (told,) = found["changes"]
    assert (told["kind"], told["a"], told["b"]) == ("prompt", "p@1", "p@2")
    assert told["texts"] == ["Answer in a {{ tone }} tone.", "Answer in one word."]
    assert told["tokens"] == -3
    assert told["money"] == "-0.0012"
    assert found["confounded"] == ""


def test_what_changes_with_the_prompt_is_said(project: Path) -> None:
    found = compared(project, "{prompt: p@1}", "{prompt: p@2, model: gpt-4.1-nano, temperature: 0.7, stream: true}")
    assert names(found)[1:] == [
        ("model", "gpt-4.1-mini", "gpt-4.1-nano"),
        ("stream", "", "true"),
        ("temperature", "0", "0.7"),
    ]
    assert found["confounded"] == (
        "v2 also changes the model (gpt-4.1-mini -> gpt-4.1-nano) and temperature (0 -> 0.7): the difference cannot be "
        "put down to the prompt alone."
    )


def test_one_thing_alone_confounds_nothing_and_two_do(project: Path) -> None:
    assert compared(project, "{prompt: p@1}", "{prompt: p@1, model: gpt-4.1-nano}")["confounded"] == ""


def test_two_things_without_a_prompt(project: Path) -> None:
    found = compared(project, "{prompt: p@1}", "{prompt: p@1, model: gpt-4.1-nano, max_tokens: 5, api: chat}")
    assert found["confounded"] == (
        "v2 changes the api (responses -> chat), the model (gpt-4.1-mini -> gpt-4.1-nano) and max_tokens "
        "(not set -> 5): the difference cannot be put down to one of them alone."
    )


def test_tools_are_told_by_their_code_and_by_what_the_model_is_told(project: Path) -> None:
    a, b = "{tools: [./t.py:look]}", "{tools: [./u.py:look, {name: ask, description: Ask, parameters: {type: object}}]}"
    found = compared(project, a, b)
    assert [one[0] for one in names(found)] == ["code of tool look", "tool ask"]
    assert found["confounded"].startswith("v2 changes code of tool look (changed) and tool ask (new)")


def test_variables_of_the_suite_are_part_of_the_prompt(project: Path) -> None:
    found = compared(project, "{prompt: p@1}", "{prompt: p@1, vars: {tone: warm}}")
    assert names(found) == [("variable tone", "plain", "warm")]
    assert found["confounded"] == ""


def test_a_prompt_edited_in_place_has_the_same_name(project: Path) -> None:
    write(project, {"suites/s.yaml": SUITE.format(variants="  v1: {prompt: p@1}\n  v2: {prompt: p@2}"), **PROMPTS})
    harness("run", "-q", "--no-html", "--variant", "v1")
    write(project, {"prompts/p/1.j2": "Answer."})
    harness("run", "-q", "--no-html", "--variant", "v1")
    first, second = sorted((project / "reports").glob("2*"), key=lambda run: (run / "run.json").stat().st_mtime_ns)
    plain = json.loads(harness("compare", str(first), str(second), "--json", "--no-html").stdout)
    assert names(plain["comparisons"][0]) == [("prompt", "p@1", "p@1, edited")]


def test_checks_that_changed_between_two_runs_are_named_by_their_cases(project: Path) -> None:
    listed = "".join(f"  - {{id: c{n}, input: Question {n}, expected: yes}}\n" for n in range(4))
    text = f"suite: s\napi: outputs\noutputs: a.jsonl\nvars: {{tone: dry}}\nexpect: [{{contains: '{{{{ expected }}}}'}}]\ncases:\n{listed}"
    answers = "".join(json.dumps({"id": f"c{n}", "output": "yes"}) + "\n" for n in range(5))
    write(project, {"suites/s.yaml": text, "suites/a.jsonl": answers})
    harness("run", "-q", "--no-html")
    # A case that only one of them has is no change of checks; what a case expects is one.
    new = (
        text.replace("Question 2, expected: yes", "Question 2, expected: no") + "  - {id: c4, input: Q, expected: no}\n"
    )
    write(project, {"suites/s.yaml": new.replace("tone: dry", "tone: warm")})
    harness("run", "-q", "--no-html")
    runs = sorted((project / "reports").glob("2*"), key=lambda run: (run / "run.json").stat().st_mtime_ns)
    words = [str(run) for run in runs]
    found = json.loads(harness("compare", *words, "--json", "--no-html").stdout)["comparisons"][0]
    found = json.loads(harness("compare", *words, "--json", "--no-html").stdout)["comparisons"][0]
    assert names(found) == [("variable tone", "dry", "warm"), ("checks", "", "c2")]
    assert found["confounded"].endswith(
        "also changes checks (c2): the difference cannot be put down to the prompt alone."
    )
    harness("compare", *words, "--no-html")
    assert "checks" in (page := (runs[1] / "compare.md").read_text()) and "c2" in page
    # A run from before checks were told apart says nothing of them.
    manifest = json.loads((runs[0] / "run.json").read_text())
    del manifest["suites"][0]["checks"]
    (runs[0] / "run.json").write_text(json.dumps(manifest))
    assert names(json.loads(harness("compare", *words, "--json", "--no-html").stdout)["comparisons"][0]) == [
        ("variable tone", "dry", "warm")
    ]


def test_another_target_has_other_code_and_that_is_one_thing(project: Path) -> None:
    two = "def first(text):\n    return 'yes'\n\n\ndef second(text):\n    return 'yes!'\n"
    variants = "\n".join(f"  {name}: {{api: python, target: ./two.py:{name}}}" for name in ("first", "second"))
    suite = f"suite: s\nvariants:\n{variants}\nexpect: {{contains: yes}}\ncases: [{{id: a, input: One}}]\n"
    write(project, {"suites/s.yaml": suite, "suites/two.py": two})
    assert harness("run", "-q").exit_code == 0
    found = harness_api.load().plain()["suites"][0]["comparisons"][0]
    assert [name for name, _, _ in names(found)] == ["target", "code of the target"]
    assert found["confounded"] == ""
