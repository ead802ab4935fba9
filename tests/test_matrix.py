"""Variants from a matrix of settings, instructions in the suite, and settings at its top level."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.project.project import load, open_project
from harness.suites.suite import Suite
from tests.loopback import ChatServer
from tests.projects import harness, write

CASES = "cases: [{id: a, input: Hi}]\n"
HEAD = f"suite: s\n{CASES}"

Load = Callable[[str], Suite]
Problems = Callable[[str], list[str]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    files = {"prompts/faq/1.j2": "Answer briefly.\n", "prompts/faq/2.j2": "Answer in one sentence.\n"}
    return write(tmp_path, files)


@pytest.fixture
def load_suite(project: Path) -> Load:
    def read(text: str) -> Suite:
        (suite,) = load(open_project(project), [write(project, {"suites/s.yaml": text}) / "suites/s.yaml"])
        return suite

    return read


@pytest.fixture
def problems(project: Path) -> Problems:
    def read(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(open_project(project), [write(project, {"suites/s.yaml": text}) / "suites/s.yaml"])
        return [str(problem).splitlines()[0].removeprefix("suites/") for problem in caught.value.problems]

    return read


# -- what a matrix means


def test_every_combination_is_a_variant_and_the_first_is_the_baseline(load_suite: Load) -> None:
    suite = load_suite(HEAD + "matrix: {prompt: [faq@1, faq@2], model: [big, small]}\n")
    assert [(one.name, one.prompt, one.assistant.model) for one in suite.variants] == [
        ("faq@1,big", "faq@1", "big"),
        ("faq@1,small", "faq@1", "small"),
        ("faq@2,big", "faq@2", "big"),
        ("faq@2,small", "faq@2", "small"),
    ]
    assert suite.baseline == "faq@1,big"


def test_a_matrix_comes_after_the_variants_and_either_may_be_the_baseline(load_suite: Load) -> None:
    text = HEAD + "model: m\nvariants: {plain: {system: Be kind.}}\nmatrix: {prompt: [faq@1, faq@2]}\n"
    suite = load_suite(text)
    assert ([one.name for one in suite.variants], suite.baseline) == (["plain", "faq@1", "faq@2"], "plain")
    assert load_suite(text + "baseline: faq@2\n").baseline == "faq@2"


def test_settings_of_the_suite_stand_behind_those_of_a_matrix(load_suite: Load) -> None:
    suite = load_suite(
        HEAD + "assistant: {api: chat, model: m, temperature: 0.5, system: Hi}\n"
        "matrix: {temperature: [0, 1.5], stream: [true, false], prompt: [faq@2]}\n"
    )
    first, *_, last = suite.variants
    assert (first.name, first.prompt, first.system, first.assistant.temperature, first.assistant.stream) == (
        "0,true,faq@2",
        "faq@2",
        None,
        0.0,
        True,
    )
    assert (last.name, last.assistant.api, last.assistant.model, last.assistant.temperature) == (
        "1.5,false,faq@2",
        "chat",
        "m",
        1.5,
    )


def test_a_mapping_names_values_that_have_no_short_name(load_suite: Load) -> None:
    suite = load_suite(
        HEAD + "model: m\nmatrix:\n"
        "  request: {low: {reasoning: {effort: low}}, high: {reasoning: {effort: high}}}\n"
        "  system: {kind: Be kind. Be very kind., curt: Be curt.}\n"
    )
    assert [(one.name, one.system, dict(one.assistant.request)) for one in suite.variants] == [
        ("low,kind", "Be kind. Be very kind.", {"reasoning": {"effort": "low"}}),
        ("low,curt", "Be curt.", {"reasoning": {"effort": "low"}}),
        ("high,kind", "Be kind. Be very kind.", {"reasoning": {"effort": "high"}}),
        ("high,curt", "Be curt.", {"reasoning": {"effort": "high"}}),
    ]


def test_variables_of_the_prompt_can_be_varied(load_suite: Load) -> None:
    suite = load_suite(HEAD + "model: m\nsystem: Be {{ tone }}.\nmatrix: {vars: {a: {tone: kind}, b: {tone: curt}}}\n")
    assert [(one.name, one.vars) for one in suite.variants] == [("a", {"tone": "kind"}), ("b", {"tone": "curt"})]


def test_sixty_four_variants_are_the_most(load_suite: Load, problems: Problems) -> None:
    def text(count: int) -> str:
        return HEAD + f"matrix: {{model: [{', '.join(f'm{n}' for n in range(count))}], prompt: [faq@1, faq@2]}}\n"

    assert len(load_suite(text(32)).variants) == 64
    assert problems(text(33)) == [
        "s.yaml:3:1: this matrix makes 66 variants; 64 is the most. Take values out, or write `variants:`."
    ]
    assert problems(text(65)) == [
        "s.yaml:3:10: `model:` has 65 values; a matrix makes 64 variants at most. Take values out, or write `variants:`."
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("matrix: {promt: [faq@1]}\n", "s.yaml:4:10: unknown setting 'promt'. Did you mean 'prompt'?"),
        ("matrix: {prompt: []}\n", "s.yaml:4:10: `prompt:` has no values. Give it some, or take it out."),
        ("matrix: {prompt: {}}\n", "s.yaml:4:10: `prompt:` has no values. Give it some, or take it out."),
        ("matrix: {prompt: faq@1}\n", "s.yaml:4:10: `prompt:` is a list of values here, or a mapping of names to values."),
        ("matrix: {prompt: [faq@1, faq@2]}\nbaseline: faq@9\n", "s.yaml:5:11: no variant is called 'faq@9'. Did you mean 'faq@2'?"),
        ("matrix: {prompt: [faq@1, null]}\nbaseline: x\n", "s.yaml:4:26: this value is empty. Take it out, or quote it."),
        ("matrix: {prompt: [faq@1, faq@2, faq@1]}\n", "s.yaml:4:33: this value of `prompt:` stands in line 4 already. Remove one."),
        ("matrix:\n  temperature:\n    low: 0\n    none: 0.0\n",
         "s.yaml:7:5: this value of `temperature:` stands in line 6 already. Remove one."),
        ("matrix: {temperature: [0, warm]}\n", 's.yaml:4:27: `temperature:` should be a number, not "warm".'),
        ("matrix: {temperature: {low: 0, high: 7}}\n",
         "s.yaml:4:38: `temperature:` should be less than or equal to 2, not 7."),
        ("matrix: {stop: [[a, b]]}\n", "s.yaml:4:17: a value that is a list needs a name. Name the values: {low: ..., high: ...}."),
        ("matrix: {request: [{a: 1}]}\n", "s.yaml:4:20: a value that is a mapping needs a name. Name the values: {low: ..., high: ...}."),
        ('matrix: {system: ["a\\nb"]}\n', "s.yaml:4:19: this cannot be part of a variant's name. Name the values: {low: ..., high: ...}."),
        ("matrix: {prompt: [faq@1, faq@7]}\n", "s.yaml:4:26: prompt 'faq' has no version 7. There are: 1, 2."),
        ("matrix: {prompt: [faq@1], system: [Hi, Ho]}\n", "s.yaml:4:27: there is `prompt:` and `system:`; choose one."),
        ("matrix: {temperature: [0, 1], seed: [1]}\n",
         "s.yaml:4:38: `seed:` cannot be used here. Responses has no such setting: leave it out, or use `api: chat`."),
        ("matrix: [faq@1]\n",
         "s.yaml:4:1: `matrix:` is a mapping of settings to values, such as `matrix: {prompt: [faq@1, faq@2], temperature: [0, 1]}`."),
        ("matrix: {}\n",
         "s.yaml:4:1: `matrix:` is a mapping of settings to values, such as `matrix: {prompt: [faq@1, faq@2], temperature: [0, 1]}`."),
        ("matrix:\nbaseline: x\ngates: {not_worse_than_baseline: true}\n",
         "s.yaml:4:1: `matrix:` is a mapping of settings to values, such as `matrix: {prompt: [faq@1, faq@2], temperature: [0, 1]}`."),
        ("variants: [faq@1]\nmatrix: {prompt: [faq@1, faq@2]}\n", "s.yaml:5:1: a variant 'faq@1' stands in line 4 already. Change or remove one."),
        ("variants:\n  faq@1: {system: Hi}\nmatrix: {prompt: [faq@1, faq@2]}\n",
         "s.yaml:6:1: a variant 'faq@1' stands in line 5 already. Name the values of the matrix."),
        ("variants:\n  old: {prompt: faq@1}\nmatrix: {prompt: [faq@1, faq@2]}\n",
         "s.yaml:6:1: the variants 'old' (line 5) and 'faq@1' are the same. Change or remove one."),
        ("matrix: {prompt: [faq@2, faq]}\n", "s.yaml:4:1: the variants 'faq@2' (line 4) and 'faq' are the same. Change or remove one."),
        ("matrix: {prompt: [faq@1]}\ngates: {not_worse_than_baseline: true}\n",
         "s.yaml:5:9: `not_worse_than_baseline:` needs a second variant to compare with."),
    ],
)  # fmt: skip
def test_what_is_said_about_a_matrix(problems: Problems, text: str, expected: str) -> None:
    assert problems(f"{HEAD}model: m\n{text}") == [expected]


# -- settings at the top level, instructions in the suite


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("assistant: {temperature: 0, model: n}\n", "s.yaml:4:29: `model:` stands at the top level already, in line 3. Remove one."),
        ("prompt: faq\nassistant: {system: Hi}\n", "s.yaml:5:13: `prompt:` stands at the top level already, in line 4. Choose one."),
        ("variants: {a: {prompt: faq, system: Hi}}\n", "s.yaml:4:29: there is `prompt:` and `system:`; choose one."),
    ],
)  # fmt: skip
def test_what_is_written_twice_is_said_with_both_places(problems: Problems, text: str, expected: str) -> None:
    assert problems(f"{HEAD}model: m\n{text}") == [expected]


def test_a_reference_that_is_a_whole_variant_is_named_at_its_own_place(problems: Problems) -> None:
    assert problems(HEAD + "model: m\nprompt: faq@1\nvariants: [faq@8, {model: n}]\n") == [
        "s.yaml:5:12: prompt 'faq' has no version 8. There are: 1, 2."
    ]


def test_instructions_in_the_suite_are_templates_and_have_a_hash_in_the_results(project: Path) -> None:
    with ChatServer(lambda number, body: str(body["messages"][0]["content"])) as server:
        write(
            project,
            {
                "suites/s.yaml": f"suite: s\napi: chat\nmodel: m\nbase_url: {server.url}\nvars: {{shop: Fernwood}}\n"
                "variants:\n  told: {system: 'You answer for {{ shop }}: {{ input }}'}\n  none: {}\n"
                "cases: [{id: a, input: Hi, expect: {contains: Hi}}]\n"
            },
        )
        assert harness("record", "--yes", "--no-html").exit_code == 0
    (path,) = project.glob("reports/*/results.jsonl")
    told, none = (json.loads(line) for line in path.read_text().splitlines())
    assert (told["output"], told["prompt"]["ref"]) == ("You answer for Fernwood: Hi", "inline")
    assert (none["output"], none["prompt"]["ref"]) == ("Hi", None)
    assert len({told["prompt"]["hash"], none["prompt"]["hash"]}) == 2
