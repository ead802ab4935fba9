"""`harness validate --explain`: a suite with everything written out is the same suite, and says where things come from."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import SourceLocation
from harness.located import parse_yaml
from harness.project.project import load, open_project
from harness.suites.suite import Suite
from harness.suites.yamltext import Entry
from harness.suites.yamltext import write as yaml_text
from tests.projects import harness, write

FILES = {
    "prompts/faq/1.j2": "Answer briefly.\n",
    "prompts/faq/2.j2": "---\ndefaults: {temperature: 0.2, models: {big: {max_tokens: 300}}}\n---\nAnswer in one sentence.\n",
    "suites/data/faq.csv": "id,input,expected\nship,How long?,3 days\nback,Can I return it?,30 days\n",
    "suites/data/answer.schema.json": '{"type": "object"}',
    "suites/agent.py": "def answer(text, greeting='x'):\n    return greeting\n",
}

FULL = """\
suite: support
description: "Policy: questions, and more"
model: big
max_tokens: 100
timeout: 1m
request: {reasoning: {effort: low}}
variants:
  tuned: {prompt: faq}
  told:
    system: |
      Be kind.

        Be "brief": {{ tone }}.
    temperature: 1
    report_only: true
    vars: {tone: "#1 \\u2028 choice\\n", "odd: key": [null, yes, "null", "12", 1.50, -0.0, 1e400]}
matrix: {prompt: [faq@1], temperature: {cold: 0, "1": 1.5}}
repeats: 2
margin: 0.03
gates: {accuracy: 0.9, pass^2: 0.5, latency_p95: 4s, cost: $1.5, not_worse_than_baseline: true, tags: {t: {accuracy: 1}}}
vars: {tone: plain}
expect: {not: {contains: as an AI}}
cases:
  - id: a
    tags: [t]
    cluster: handbook
    input: "How long?\\nReally?"
    expected: {days: 3}
    expect:
      - {contains: "{{ expected.days }}", soft: true}
      - any_of: [{regex: "(?i)^no\\\\b"}, {icontains: "a text that is long enough to be put into a line of its own, as texts are"}]
  - input: {{no id}}
  - turns: [{input: [x, 2], expect: {one_of: [a, "", 3]}}]
    history: [{user: Hi}]
  - {file: data/faq.csv, map: {expected: expected}, limit: 1}
""".replace("input: {{no id}}", "input: '{% raw %}{{no id}}{% endraw %}'")

SUITES = {
    "full": FULL,
    "smallest": "suite: s\nmodel: m\ncases: data/faq.csv\n",
    "list": "suite: s\nmodel: m\nvariants: [faq@1, {name: two, prompt: faq@2, stream: true}]\nbaseline: two\ncases: data/faq.csv\n",
    "matrix": "suite: s\nmatrix: {model: [a, b], prompt: [faq@1, faq@2]}\nmargin: 0.05\ngate_baseline: true\ncases: data/faq.csv\n",
    "chat": "suite: s\napi: chat\nmodel: m\nseed: 7\nstop: [a, 'b: c']\nbase_url: http://127.0.0.1:1/v1\napi_key_env: K\n"
    "response_format: {schema: data/answer.schema.json}\ntimeout: 1.2345678901\ncases: {file: data/faq.csv}\n",
    "responses": "suite: s\nassistant: {model: m, chain: conversation, top_p: 0.5, response_format: json}\ncases: [{input: Hi}]\n",
    "python": "suite: s\napi: python\ntarget: ./agent.py:answer\nargs: {greeting: hi}\nexpect: []\ncases: [{id: 'null', input: 5}]\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write(tmp_path, FILES)


def explained(project: Path, text: str) -> str:
    write(project, {"suites/s.yaml": text})
    result = harness("validate", "--explain", "suites/s.yaml")
    assert result.exit_code == 0, result.output
    return result.stdout


def meaning(value: Any) -> Any:
    """What a suite comes to, without the places where things were written."""
    if isinstance(value, Suite):
        return meaning({one.name: getattr(value, one.name) for one in dataclasses.fields(value) if one.name != "hash"})
    if isinstance(value, SourceLocation):
        return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = {one.name: getattr(value, one.name) for one in dataclasses.fields(value) if one.name != "origins"}
        return (type(value).__name__, meaning(found))
    if isinstance(value, dict):
        return {key: meaning(one) for key, one in value.items()}
    return [meaning(one) for one in value] if isinstance(value, (list, tuple)) else (type(value).__name__, repr(value))


def loaded(project: Path, text: str) -> Any:
    (suite,) = load(open_project(project), [write(project, {"suites/s.yaml": text}) / "suites/s.yaml"])
    return meaning(suite)


@pytest.mark.parametrize("text", SUITES.values(), ids=SUITES)
def test_the_full_form_is_the_same_suite_and_its_own_full_form(project: Path, text: str) -> None:
    full = explained(project, text)
    assert loaded(project, full) == loaded(project, text)
    again = explained(project, full)
    assert parse_yaml(again, shown="again").value == parse_yaml(full, shown="full").value


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=9), PLAIN, max_size=4))
@settings(deadline=None)
def test_what_is_printed_reads_as_what_was_meant(value: dict[str, Any]) -> None:
    text = yaml_text([Entry(key, one, "a remark") for key, one in value.items()])
    read = parse_yaml(text, shown="text")
    assert not read.problems
    assert meaning(read.value or {}) == meaning(value)


@given(
    vars=st.dictionaries(st.text(max_size=9), PLAIN, max_size=2),
    value=PLAIN,
    seconds=st.floats(0, 1e6),
    warmth=st.floats(0, 2),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_full_form_of_any_suite_is_the_same_suite(
    project: Path, vars: dict[str, Any], value: Any, seconds: float, warmth: float
) -> None:
    document = copy.deepcopy(parse_yaml(FULL, shown="full").value)
    document["vars"] = vars | {"tone": "x"}
    document["variants"]["told"]["vars"]["tone"] = value
    document["request"] = {"x": value}
    document["cases"][0]["metadata"] = {"x": value}
    document |= {"timeout": seconds, "temperature": warmth}
    text = yaml_text([Entry(key, one) for key, one in document.items()])
    before = loaded(project, text)
    assert loaded(project, explained(project, text)) == before


def test_every_setting_says_where_it_comes_from(project: Path) -> None:
    text = (
        "suite: s\n"
        "assistant:\n"
        "  model: big\n"
        "variants:\n"
        "  v1: {prompt: faq@1, temperature: 0}\n"
        "  v2:\n"
        "    prompt: faq\n"
        "gates: {error_rate: 0}\n"
        "cases:\n"
        "  - {input: Hi}\n"
    )
    assert explained(project, text).splitlines() == [
        "# suites/s.yaml with every setting; `line` is a line of that file.",
        "suite: s  # line 1",
        "variants:",
        "  v1:  # line 5",
        "    prompt: faq@1  # line 5",
        "    api: responses  # default",
        "    model: big  # line 3",
        "    temperature: 0  # line 5",
        "    stream: false  # default",
        "    report_only: false  # default",
        "    # timeout: 120s (default of the project)",
        "    # chain: input (default)",
        "    # the service's own: base_url, top_p, max_tokens, response_format, request",
        "  v2:  # line 6",
        "    prompt: faq  # line 7; now faq@2",
        "    api: responses  # default",
        "    model: big  # line 3",
        "    temperature: 0.2  # front matter of prompts/faq/2.j2",
        "    max_tokens: 300  # front matter of prompts/faq/2.j2",
        "    stream: false  # default",
        "    report_only: false  # default",
        "    # timeout: 120s (default of the project)",
        "    # chain: input (default)",
        "    # the service's own: base_url, top_p, response_format, request",
        "baseline: v1  # default: the first",
        "gate_baseline: false  # default",
        "repeats: 1  # default",
        "# margin: 0.05 (default)",
        "# budget: none (default)",
        "gates:",
        "  error_rate: 0  # line 8",
        "vars: {}  # default",
        "cases:  # 1 in all",
        "  - {input: Hi}  # line 10; id, made from the input: hi-3639efcd",
    ]


def test_several_suites_are_several_documents_and_messages_stay_off_stdout(project: Path) -> None:
    write(
        project,
        {"suites/a.yaml": SUITES["smallest"], "suites/b.yaml": SUITES["matrix"].replace("suite: s", "suite: t")},
    )
    result = harness("validate", "--explain")
    assert [one["suite"] for one in yaml.safe_load_all(result.stdout)] == ["s", "t"]


def test_a_broken_suite_is_not_explained(project: Path) -> None:
    write(project, {"suites/s.yaml": SUITES["smallest"] + "repeat: 3\n"})
    result = harness("validate", "--explain")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "suites/s.yaml:4:1: unknown key 'repeat'. Did you mean 'repeats'?" in result.stderr


def test_yaml_or_json(project: Path) -> None:
    write(project, {"suites/s.yaml": SUITES["smallest"]})
    result = harness("validate", "--explain", "--json")
    assert result.exit_code == 2
    assert "choose one" in result.stderr
