"""`harness schema`: editors and the reader agree on what is a suite, a prompt's front matter, and settings."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from harness.errors import ConfigError
from harness.located import parse_yaml, read_yaml
from harness.plugins import hookimpl, registry_of
from harness.project.project import load, open_project
from harness.prompts import frontmatter
from harness.scorers import default_registry
from harness.scorers.transforms import Transform
from harness.settings import load_settings
from harness.suites.checks import SIBLINGS
from harness.suites.schema import KINDS, Kind, schema
from tests import test_explain
from tests.projects import harness, write

ROOT = Path(__file__).parent.parent
REGISTRY = default_registry(entry_points=False)
VALIDATORS = {kind: Draft202012Validator(schema(kind, REGISTRY)) for kind in KINDS}

HEAD = "suite: s\nmodel: m\n"
CASES = "cases: [{id: a, input: Hi, tags: [t]}]\n"
ONE = HEAD + CASES


def complaints(kind: Kind, value: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATORS[kind].iter_errors(value)]


def suite_complaints(text: str) -> list[str]:
    return complaints("suite", parse_yaml(text, shown="s.yaml").value)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write(tmp_path, {**test_explain.FILES, "suites/checks.py": "def check(output, limit=0):\n    return True\n"})


def is_read(project: Path, text: str) -> bool:
    try:
        load(open_project(project), [write(project, {"suites/s.yaml": text}) / "suites/s.yaml"])
    except ConfigError:
        return False
    return True


# -- the schemas themselves


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one(kind: Kind) -> None:
    Draft202012Validator.check_schema(schema(kind, REGISTRY))
    assert schema(kind, REGISTRY)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("kind", KINDS)
def test_every_reference_leads_somewhere_and_every_key_says_what_it_is_for(kind: Kind) -> None:
    whole = schema(kind, REGISTRY)
    for ref in set(re.findall(r'"\$ref": "#/([^"]*)"', json.dumps(whole))):
        place: Any = whole
        for step in ref.split("/"):
            place = place[step]
    for name, model in {"top": whole, **whole["$defs"]}.items():
        for key, one in model.get("properties", {}).items():
            assert one.get("description"), f"{name}.{key}"


def test_the_command_prints_the_schema_asked_for(project: Path) -> None:
    for arguments, kind in (((), "suite"), (("suite",), "suite"), (("prompt",), "prompt"), (("settings",), "settings")):
        result = harness("schema", *arguments)
        assert result.exit_code == 0
        assert json.loads(result.stdout)["title"] == schema(kind, REGISTRY)["title"]


def test_the_command_writes_files_for_editors(project: Path) -> None:
    result = harness("schema", "--write", ".harness/schemas")
    assert (result.exit_code, result.stdout) == (0, "")
    assert sorted(path.name for path in (project / ".harness/schemas").iterdir()) == [
        "prompt.schema.json",
        "settings.schema.json",
        "suite.schema.json",
    ]
    harness("schema", "suite", "--write", "own")
    (path,) = (project / "own").iterdir()
    assert json.loads(path.read_text()) == json.loads(harness("schema").stdout)
    # The line by which an editor finds it is a comment to the reader.
    assert is_read(project, "# yaml-language-server: $schema=../own/suite.schema.json\n" + ONE)


def test_a_folder_that_cannot_be_made_is_said(project: Path) -> None:
    write(project, {"taken": ""})
    result = harness("schema", "--write", "taken/here")
    assert result.exit_code == 6
    assert "cannot write taken/here/suite.schema.json" in result.stderr


def test_scorers_of_plugins_are_in_the_schema_even_where_their_argument_has_none() -> None:
    class Odd:
        """An odd scorer."""

        name = "odd"
        summary = "it is odd"
        Argument = type("Unknown", (), {"__get_pydantic_core_schema__": classmethod(_unknown)})

        def score(self, context: Any, argument: Any) -> Any:
            raise NotImplementedError

    class Plugin:
        @hookimpl
        def harness_scorers(self) -> list[Any]:
            return [Odd()]

    found = schema("suite", registry_of([Plugin()], transform=Transform, entry_points=False))
    check = found["$defs"]["check"]["properties"]
    assert check["odd"]["description"] == "An odd scorer."
    document = parse_yaml(ONE + "expect: {odd: [anything]}\n", shown="s").value
    assert Draft202012Validator(found).is_valid(document)
    assert "contains" not in check


def _unknown(cls: type, source: Any, handler: Any) -> Any:
    from pydantic_core import core_schema

    return core_schema.is_instance_schema(cls)


def test_all_keys_of_a_check_are_there() -> None:
    check = schema("suite", REGISTRY)["$defs"]["check"]["properties"]
    assert set(check) == {*REGISTRY.names(), *SIBLINGS, "not", "any_of", "all_of"}


# -- suites: what is read conforms


SHIPPED = [*sorted((ROOT / "suites").glob("*.yaml")), *sorted((ROOT / "harness/starter").rglob("suites/*.yaml"))]
IN_DOCS = [
    (path.name, block)
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    for block in re.findall(r"```yaml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    if re.search(r"^suite:", block, re.MULTILINE) and re.search(r"^cases:", block, re.MULTILINE)
]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_suites_conform(path: Path) -> None:
    assert complaints("suite", read_yaml(path).value) == []


@pytest.mark.parametrize(("name", "text"), IN_DOCS)
def test_suites_in_the_docs_conform(name: str, text: str) -> None:
    assert suite_complaints(text) == []


@pytest.mark.parametrize("text", test_explain.SUITES.values(), ids=test_explain.SUITES)
def test_suites_and_their_full_forms_conform(project: Path, text: str) -> None:
    assert suite_complaints(text) == []
    assert suite_complaints(test_explain.explained(project, text)) == []


VALID = [
    "description: d\nrepeats: 3\nmargin: 0.1\ngate_baseline: true\n",
    "variants: [faq@1, {prompt: faq@2, report_only: true}]\nbaseline: faq@2\n",
    "variants: {a: faq@1, b: , c: {system: Hi}}\n",
    "matrix: {prompt: [faq@1, faq@2], temperature: {low: 0, high: 1.5}, vars: {x: {y: 1}}}\n",
    "matrix: {stop: {one: [a], two: b}}\napi: chat\n",
    "timeout: 250ms\n",
    "timeout: 2 m\n",
    "timeout: 1.5\n",
    "gates: {pass^3: 0.5, latency_p50: 4s, ttft_p95: 0.2, cost: $1.50, cost_per_trial: 0.002, tags: {t: {pass^2: 1, score: 0.5}}}\n",
    "gates: {cost: $.5, tokens_per_trial: 100}\n",
    "expect: []\n",
    "expect: {contains: 42, icontains: true, equals: {a: [1, null]}, regex: '^a', starts_with: a, ends_with: b}\n",
    "expect: [{contains_any: [a, 2]}, {contains_all: [a]}, {one_of: [1, a]}, {word_count: 40}, {word_count: {min: 1, max: 2}}]\n",
    "expect: [{numeric: 42}, {numeric: '$1,234'}, {numeric: {value: 42, tolerance: 1%, pick: only}}, {numeric: {min: 1}}]\n",
    "expect: [{is_json: true}, {is_json: {fenced: true}}, {json_path: $.a}, {json_path: {path: $.a, count: 1, one_of: [1]}}]\n",
    "expect: [{json_schema: {type: object}}, {json_schema: data/answer.schema.json}]\n",
    "expect: [{latency: 5s}, {ttft: 0.8}, {tokens: 500}, {tokens: {input: 3}}, {cost: $0.01}, {refused: false}, {finish_reason: [stop]}]\n",
    "expect: [{finish_reason: stop, scope: all}, {python: './checks.py:check', args: {limit: 3}}]\n",
    "expect: {contains: a, weight: 2, threshold: 0.5, soft: true, name: n, transform: fenced}\n",
    "expect: [{contains: a, transform: $.a}, {contains: a, transform: last_line}]\n",
    "expect: {not: {not: {contains: a, transform: lower}}, any_of: [{contains: a}, {all_of: [{equals: b}]}]}\n",
    "expect: {not: {python: './checks.py:check'}, soft: true}\n",
    "vars: {n: 5}\nexpect: [{tokens: '{{ n }}'}, {word_count: {max: '{{ n }}'}}, {latency: '{{ n }}s'}, {contains_any: '{{ [n] }}'}]\n",
    "vars: {yes_: true}\nexpect: [{refused: '{{ yes_ }}'}, {json_path: {path: $.a, match: '{% if yes_ %}any{% endif %}'}}]\n",
]  # fmt: skip


@pytest.mark.parametrize("text", VALID)
def test_what_the_reader_takes_conforms(project: Path, text: str) -> None:
    assert is_read(project, ONE + text)
    assert suite_complaints(ONE + text) == []


VALID_CASES = [
    "data/faq.csv",
    "{file: data/faq.csv, limit: 1, tags: x}",
    "[{input: 5}, {input: [a, 2.5], id: x, must_pass: 2/3}, {file: data/faq.csv, expect: {contains: a}}]",
    "[{turns: [{input: Hi, expect: {contains: a}}, {input: [a, b]}], history: [{user: a}, {assistant: b}], required: true}]",
    "[{turns: [{input: Hi}], input: null, must_pass: null, pass_score: null}]",
    "[{input: Hi, cluster: handbook}, {input: Ho, cluster: 12}, {input: He, cluster: null}]",
    "[{input: Hi, turns: [], tags: t, must_pass: 0.5, pass_score: 0.5, expected: null, metadata: {a: [1]}, vars: {b: 1}}]",
]


@pytest.mark.parametrize("cases", VALID_CASES)
def test_cases_that_the_reader_takes_conform(project: Path, cases: str) -> None:
    assert is_read(project, f"{HEAD}cases: {cases}\n")
    assert suite_complaints(f"{HEAD}cases: {cases}\n") == []


# -- suites: mistakes are refused by both


MISTAKES = [
    "repeat: 3\n",
    "repeats: three\n",
    "repeats: 0\n",
    "repeats: 1001\n",
    "margin: 1\n",
    "api: thread\n",
    "chain: all\n",
    "stream: yes\n",
    "temperature: '1'\n",
    "temperature: 3\n",
    "max_tokens: 0\n",
    "timeout: soon\n",
    "timeout: -1\n",
    "timeout: 4 sec\n",
    "base_url: example.org\n",
    "tools: [5]\n",
    "vars: [a]\n",
    "request: high\n",
    "prompt: faq\nsystem: Hi\n",
    "assistant: {promt: faq}\n",
    "assistant: {prompt: faq, system: Hi}\n",
    "variants: 3\n",
    "variants: []\n",
    "variants: {}\n",
    "variants:\n",
    "variants: [3]\n",
    "variants: {a: {promt: faq@1}}\n",
    "variants: {a: {prompt: faq, system: Hi}}\n",
    "variants: [{prompt: faq@1, report_only: 1}]\n",
    "matrix:\n",
    "matrix: {}\n",
    "matrix: [faq@1]\n",
    "matrix: {promt: [faq@1]}\n",
    "matrix: {prompt: faq@1}\n",
    "matrix: {prompt: []}\n",
    "matrix: {prompt: {}}\n",
    "matrix: {prompt: [faq@1, faq@1]}\n",
    "matrix: {prompt: [faq@1, null]}\n",
    "matrix: {prompt: {a: }}\n",
    "matrix: {temperature: [0, warm]}\n",
    "matrix: {temperature: {a: 7}}\n",
    "matrix: {request: [{a: 1}]}\n",
    "matrix: {prompt: [faq@1], system: [Hi]}\n",
    "gates: 0.9\n",
    "gates: {acuracy: 0.9}\n",
    "gates: {accuracy: 90}\n",
    "gates: {accuracy: 90%}\n",
    "gates: {pass^3: 2}\n",
    "gates: {pass^0: 0.5}\n",
    "gates: {pass^x: 0.5}\n",
    "gates: {cost: cheap}\n",
    "gates: {cost: -1}\n",
    "gates: {latency_p95: fast}\n",
    "gates: {latency_p99: 4s}\n",
    "gates: {tags: {t: {acuracy: 1}}}\n",
    "gates: {tags: {t: {better_than_baseline: true}}}\n",
    "expect:\n",
    "expect: hello\n",
    "expect: [contains]\n",
    "expect: {}\n",
    "expect: {contians: a}\n",
    "expect: {contains: }\n",
    "expect: {contains: ''}\n",
    "expect: {contains: [a]}\n",
    "expect: {contains_any: a}\n",
    "expect: {contains_any: []}\n",
    "expect: {weight: 2}\n",
    "expect: {contains: a, icontains: b, soft: true}\n",
    "expect: {contains: a, b, soft: true}\n",
    "expect: {contains: yes, but}\n",
    "expect: {contains: a, weight: heavy}\n",
    "expect: {contains: a, weight: -1}\n",
    "expect: {contains: a, threshold: 7}\n",
    "expect: {contains: a, soft: yes}\n",
    "expect: {contains: a, scope: first}\n",
    "expect: {contains: a, transform: lowr}\n",
    "expect: {contains: a, args: {b: 1}}\n",
    "expect: {python: './checks.py:check', args: 3}\n",
    "expect: {not: x}\n",
    "expect: {not: {}}\n",
    "expect: {not: {contains: a, regex: b}}\n",
    "expect: {any_of: {contains: a}}\n",
    "expect: {any_of: []}\n",
    "expect: {any_of: [{contans: a}]}\n",
    "expect: {latency: soon}\n",
    "expect: {cost: cheap}\n",
    "expect: {tokens: many}\n",
    "expect: {tokens: {maximum: 3}}\n",
    "expect: {tokens: -1}\n",
    "expect: {word_count: {min: -1}}\n",
    "expect: {is_json: {fence: true}}\n",
    "expect: {json_path: {equals: 1}}\n",
    "expect: {json_path: {path: $.a, match: every}}\n",
    "expect: {json_schema: [a]}\n",
    "expect: {numeric: {pick: middle, value: 1}}\n",
    "expect: {refused: maybe}\n",
    "expect: {one_of: a}\n",
    "expect: {python: 3}\n",
]

MISTAKEN_CASES = [
    "",
    "''",
    "[]",
    "{id: a}",
    "[Hi]",
    "[{id: a}]",
    "[{id: a, input: }]",
    "[{id: a, input: Hi, turns: [{input: b}]}]",
    "[{id: a, turns: []}]",
    "[{id: a, turns: [{expect: {contains: a}}]}]",
    "[{id: a, turns: [{input: Hi, id: b}]}]",
    "[{id: a, turns: [{input: }]}]",
    "[{id: a, turns: [{input: []}]}]",
    "[{id: 4711, input: Hi}]",
    "[{id: a, input: true}]",
    "[{id: a, input: {a: b}}]",
    "[{id: a, input: Hi, tag: [x]}]",
    "[{id: a, input: Hi, tags: 3}]",
    "[{id: a, input: Hi, expct: {contains: a}}]",
    "[{id: a, input: Hi, expect: {contians: a}}]",
    "[{id: a, input: Hi, expect: }]",
    "[{id: a, input: Hi, required: yes}]",
    "[{id: a, input: Hi, must_pass: half}]",
    "[{id: a, input: Hi, must_pass: 0}]",
    "[{id: a, input: Hi, cluster: [a, b]}]",
    "[{id: a, input: Hi, cluster: true}]",
    "[{id: a, input: Hi, pass_score: 2}]",
    "[{id: a, input: Hi, history: [{bot: x}]}]",
    "[{id: a, input: Hi, history: [{user: x, assistant: y}]}]",
    "[{id: a, input: Hi, history: [{}]}]",
    "[{file: data/faq.csv, lmit: 3}]",
    "[{file: data/faq.csv, limit: 0}]",
    "[{file: data/faq.csv, expect: {contians: a}}]",
    "[{file: ''}]",
    "{file: data/faq.csv, lmit: 3}",
]


@pytest.mark.parametrize(
    "text", [*(ONE + one for one in MISTAKES), *(f"{HEAD}cases: {one}\n" for one in MISTAKEN_CASES)]
)
def test_mistakes_are_refused_by_editor_and_reader(project: Path, text: str) -> None:
    assert not is_read(project, text)
    assert suite_complaints(text)


def test_what_is_missing_is_missed_by_both(project: Path) -> None:
    assert not is_read(project, HEAD)
    assert not is_read(project, "model: m\n" + CASES)
    assert suite_complaints(HEAD) == ["$: 'cases' is a required property"]
    assert suite_complaints("model: m\n" + CASES) == ["$: 'suite' is a required property"]


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_editor_never_refuses_what_the_reader_takes(project: Path, data: st.DataObject) -> None:
    document = copy.deepcopy(parse_yaml(test_explain.FULL, shown="full").value)
    values = st.sampled_from([None, True, 0, -1, 0.5, 3, "", "x", "4s", "{{ tone }}", "faq@1", "data/faq.csv", [], {}, ["a"], [1], {"contains": "a"}, {"input": "a"}])  # fmt: skip
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(_places(document)))
        place: Any = document
        for step in way:
            place = place[step]
        if data.draw(st.booleans()) or not isinstance(place, dict):
            place[last] = data.draw(values)
        else:
            place.pop(last)
    # JSON is YAML.
    if is_read(project, json.dumps(document)):
        assert complaints("suite", document) == []


def _places(value: Any, loc: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, one in inner for place in ((*loc, key), *_places(one, (*loc, key)))]


# -- front matter and settings


@pytest.mark.parametrize(
    "path", sorted((ROOT / "prompts").rglob("*.j2")), ids=lambda path: f"{path.parent.name}@{path.stem}"
)
def test_front_matter_of_shipped_prompts_conforms(path: Path) -> None:
    _, document = frontmatter.read(path.read_text(encoding="utf-8"), shown=path.name)
    assert complaints("prompt", document.value) == []


FRONT = [
    ("description: d\nparent: 1\nencoding: o200k_base\n", True),
    ("parent: 1.0.0\nvariables: {a: {type: integer, default: 3, enum: [3, 4]}, b: {}}\n", True),
    ("defaults: {temperature: 0.2, stop: [a], models: {big: {max_tokens: 300}}}\n", True),
    ("descripton: d\n", False),
    ("description:\n", False),
    ("encoding: gpt\n", False),
    ("variables: [a]\n", False),
    ("variables: {a: {typ: string}}\n", False),
    ("variables: {a: {type: text}}\n", False),
    ("variables: {a: {enum: []}}\n", False),
    ("defaults: {temprature: 0.2}\n", False),
    ("defaults: {max_tokens: 0}\n", False),
    ("defaults: {models: {big: {models: {}}}}\n", False),
]


@pytest.mark.parametrize(("text", "right"), FRONT)
def test_editor_and_reader_agree_on_front_matter(text: str, right: bool) -> None:
    try:
        frontmatter.read(f"---\n{text}---\nHi\n", shown="p")
        read = True
    except ConfigError:
        read = False
    assert (read, complaints("prompt", parse_yaml(text, shown="p").value) == []) == (right, right)


SETTINGS = [
    ('suites = "tests"\nrecord_mode = "once"\nconcurrency = 4\ntimeout = "2m"\n', True),
    ('[tool.harness.retry]\nattempts = 1\nbackoff = "250ms"\n', True),
    ('[tool.harness.prices."m"]\ninput = "$0.10"\noutput = 1\nnote = "n"\n', True),
    ('root = "x"\n', False),
    ('suits = "x"\n', False),
    ('record_mode = "twice"\n', False),
    ("concurrency = 0\n", False),
    ('timeout = "soon"\n', False),
    ("[tool.harness.retry]\nattempts = 0\n", False),
    ("[tool.harness.retry]\ntries = 1\n", False),
    ('[tool.harness.prices."m"]\ninput = "$0.10"\n', False),
    ('[tool.harness.prices."m"]\ninput = "cheap"\noutput = 1\n', False),
]


@pytest.mark.parametrize(("text", "right"), SETTINGS)
def test_editor_and_reader_agree_on_settings(tmp_path: Path, text: str, right: bool) -> None:
    path = write(tmp_path, {"pyproject.toml": f"[tool.harness]\n{text}"}) / "pyproject.toml"
    try:
        load_settings(tmp_path, environ={})
        read = True
    except ConfigError:
        read = False
    table = tomllib.loads(path.read_text())["tool"]["harness"]
    assert (read, complaints("settings", table) == []) == (right, right)
