"""Suites as people write them: what they mean when loaded, and what is said about what is wrong with them."""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError, Problem
from harness.project.project import load, open_project
from harness.suites.suite import Case, Suite, is_suite


@dataclass(frozen=True)
class Bench:
    """A project in a folder of its own."""

    root: Path

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def load(self, text: str, **more: str) -> Suite:
        """Load one suite; `more` are further files, by name."""
        (suite,) = load(open_project(self.root), [self.write("suites/s.yaml", text)])
        return suite

    def problems(self, *texts: str) -> list[str]:
        """The first line of every problem of the given suites, without the folder."""
        paths = [self.write(f"suites/{name}.yaml", text) for name, text in zip("stuv", texts, strict=False)]
        with pytest.raises(ConfigError) as caught:
            load(open_project(self.root), paths)
        assert all(problem.location is not None for problem in caught.value.problems)
        return [str(problem).splitlines()[0].removeprefix("suites/") for problem in caught.value.problems]

    def case(self, text: str) -> Case:
        """The only case of a suite that has `text` as its case."""
        body = textwrap.indent(textwrap.dedent(text).strip(), "    ").replace("    ", "  - ", 1)
        (case,) = self.load(f"suite: s\nmodel: m\ncases:\n{body}\n").cases
        return case


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    found = Bench(tmp_path)
    found.write("pyproject.toml", "[tool.harness]\n")
    found.write("prompts/faq/1.j2", "Answer briefly.\n")
    found.write("prompts/faq/2.j2", "Answer in one sentence.\n")
    found.write(
        "prompts/tone/1.j2",
        "---\nvariables:\n  company: {type: string}\n  tone: {enum: [plain, warm], default: plain}\n"
        "defaults: {temperature: 0.2, models: {big: {max_tokens: 300}}}\n---\n{{ company }}: {{ tone }}\n",
    )
    found.write("suites/data/faq.csv", "id,input,expected\nship,How long?,3 days\nback,Can I return it?,30 days\n")
    return found


HEAD = "suite: s\nmodel: m\n"
ONE = HEAD + "cases: [{id: a, input: Hi}]\n"

# -- what suites mean


def test_the_smallest_form(bench: Bench) -> None:
    suite = bench.load(
        """\
        suite: faq
        model: small
        variants: [faq@1, faq@2]
        expect: {icontains: "{{ expected }}"}
        cases: data/faq.csv
        """
    )
    assert (suite.name, suite.shown, suite.repeats, suite.margin, suite.margin_given) == (
        "faq",
        "suites/s.yaml",
        1,
        0.05,
        False,
    )
    assert [(one.name, one.prompt, one.assistant.api, one.assistant.model) for one in suite.variants] == [
        ("faq@1", "faq@1", "responses", "small"),
        ("faq@2", "faq@2", "responses", "small"),
    ]
    assert suite.baseline == "faq@1"
    assert [(case.id, case.input, case.expected, case.literal) for case in suite.cases] == [
        ("ship", "How long?", "3 days", True),
        ("back", "Can I return it?", "30 days", True),
    ]
    (check,) = suite.cases[0].checks
    assert (check.scorer, check.argument, str(check.where)) == ("icontains", "{{ expected }}", "suites/s.yaml:4:10")
    assert str(suite.cases[1].where) == "suites/data/faq.csv:3:1"


def test_a_suite_without_variants_has_one_and_no_baseline(bench: Bench) -> None:
    suite = bench.load(ONE)
    (variant,) = suite.variants
    assert (variant.prompt, variant.system, variant.assistant.model, suite.baseline) == (None, None, "m", None)


def test_variants_as_a_mapping_inherit_the_settings_of_the_suite(bench: Bench) -> None:
    suite = bench.load(
        """\
        suite: s
        assistant: {model: m, temperature: 0.5, max_tokens: 100, stream: true, timeout: 1m, request: {cache_prompt: false}}
        variants:
          v1: {prompt: faq@1}
          v2: {prompt: faq@2, temperature: 0, base_url: "http://127.0.0.1:1/v1", api_key_env: KEY}
          inline: {api: chat, system: Be kind., model: n, report_only: true, vars: {x: 1}, stop: [a, b], seed: 7}
        baseline: v2
        gate_baseline: true
        cases: [{id: a, input: Hi}]
        """
    )
    v1, v2, inline = suite.variants
    assert (v1.assistant.temperature, v1.assistant.max_tokens, v1.assistant.stream, v1.assistant.timeout) == (
        0.5,
        100,
        True,
        60.0,
    )
    assert v1.assistant.request == {"cache_prompt": False}
    assert (v2.assistant.temperature, v2.assistant.base_url, v2.assistant.api_key_env) == (
        0.0,
        "http://127.0.0.1:1/v1",
        "KEY",
    )
    assert (inline.system, inline.prompt, inline.assistant.model, inline.report_only, inline.vars) == (
        "Be kind.",
        None,
        "n",
        True,
        {"x": 1},
    )
    assert (inline.assistant.stop, inline.assistant.seed) == (("a", "b"), 7)
    assert (suite.baseline, suite.gate_baseline) == ("v2", True)
    assert suite.by_name["inline"] is inline


def test_settings_that_a_prompt_was_tuned_with_give_way_to_those_of_the_suite(bench: Bench) -> None:
    text = "suite: s\nvars: {company: Acme}\nvariants:\n  a: {prompt: tone, model: big}\n  b: {prompt: tone@1, model: big, temperature: 1}\n"
    a, b = bench.load(text + "cases: [{id: a, input: Hi}]\n").variants
    assert (a.assistant.temperature, a.assistant.max_tokens) == (0.2, 300)
    assert (b.assistant.temperature, b.assistant.max_tokens) == (1.0, 300)


def test_one_prompt_for_all_variants_and_a_suite_that_names_one(bench: Bench) -> None:
    suite = bench.load(
        "suite: s\nprompt: faq@2\nvariants:\n  a: {model: m}\n  b: {model: n, system: Hi}\ncases: [{id: a, input: Hi}]\n"
    )
    assert [(one.prompt, one.system) for one in suite.variants] == [("faq@2", None), (None, "Hi")]


def test_python_as_the_assistant(bench: Bench) -> None:
    bench.write("suites/agent.py", "def answer(text, greeting='x'):\n    return greeting\n")
    suite = bench.load(
        "suite: s\napi: python\ntarget: ./agent.py:answer\nargs: {greeting: hi}\ncases: [{id: a, input: Hi}]\n"
    )
    (variant,) = suite.variants
    assert (variant.assistant.api, variant.assistant.target, variant.assistant.args) == (
        "python",
        "./agent.py:answer",
        {"greeting": "hi"},
    )


def test_structured_output_from_a_file(bench: Bench) -> None:
    bench.write("suites/data/answer.schema.json", '{"type": "object"}')
    suite = bench.load(HEAD + "response_format: {schema: data/answer.schema.json}\ncases: [{id: a, input: Hi}]\n")
    assert suite.variants[0].assistant.response_format == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
    }


def test_gates(bench: Bench) -> None:
    suite = bench.load(
        """\
        suite: s
        model: m
        repeats: 3
        margin: 0.03
        variants: [faq@1, faq@2]
        gates:
          accuracy: 0.9
          accuracy_ci: 0.8
          pass^3: 0.75
          latency_p50: 800ms
          latency_p95: 4s
          ttft_p50: 0.5
          ttft_p95: 2m
          cost_per_trial: $0.002
          cost: 1.5
          error_rate: 0
          not_worse_than_baseline: true
          better_than_baseline: false
          tags: {safety: {accuracy: 1.0, pass^2: 0.5}}
        cases: [{id: a, input: Hi, tags: [safety]}]
        """
    )
    gates = suite.gates
    assert (gates.accuracy, gates.accuracy_ci, gates.pass_k, gates.error_rate) == (0.9, 0.8, {3: 0.75}, 0.0)
    assert (gates.latency_p50, gates.latency_p95, gates.ttft_p50, gates.ttft_p95) == (0.8, 4.0, 0.5, 120.0)
    assert (gates.cost_per_trial, gates.cost) == (Decimal("0.002"), Decimal("1.5"))
    assert (gates.not_worse_than_baseline, gates.better_than_baseline) == (True, False)
    assert (gates.tags["safety"].accuracy, gates.tags["safety"].pass_k) == (1.0, {2: 0.5})
    assert (suite.repeats, suite.margin, suite.margin_given) == (3, 0.03, True)


def test_a_case_in_full(bench: Bench) -> None:
    case = bench.case(
        """\
        id: shipping-time
        tags: [policy, policy, fast]
        metadata: {lang: en, prio: 1}
        vars: {days: 3}
        input: "Within {{ days }} days?"
        expected: 3-5 business days
        required: true
        must_pass: 2/3
        pass_score: 0.8
        history: [{user: Hi}, {assistant: "Hello, how can I help?"}]
        expect:
          - contains: "{{ expected }}"
          - {latency: 5s, soft: true}
        """
    )
    assert (case.id, case.tags, case.metadata, case.vars) == (
        "shipping-time",
        ("policy", "fast"),
        {"lang": "en", "prio": 1},
        {"days": 3},
    )
    assert (case.input, case.expected, case.literal, case.unnamed) == (
        "Within {{ days }} days?",
        "3-5 business days",
        False,
        False,
    )
    assert (case.required, case.must_pass, case.pass_score) == (True, Fraction(2, 3), 0.8)
    assert [(one.role, one.content) for one in case.history] == [
        ("user", "Hi"),
        ("assistant", "Hello, how can I help?"),
    ]
    assert [(one.scorer, one.soft) for one in case.checks] == [("contains", False), ("latency", True)]


@pytest.mark.parametrize(
    ("written", "repeats", "needed"),
    [
        ("2/3", 5, 4),
        ("2/3", 3, 2),
        ("1/2", 1, 1),
        ("0.5", 3, 2),
        ("2", 3, 2),
        ("5", 3, 3),
        ("1.0", 4, 4),
        ("2 / 3", 6, 4),
    ],
)
def test_must_pass_is_a_number_or_a_share_rounded_up(bench: Bench, written: str, repeats: int, needed: int) -> None:
    assert bench.case(f"id: a\ninput: Hi\nmust_pass: {written}").needed(repeats) == needed
    assert bench.case("id: a\ninput: Hi").needed(repeats) is None


def test_turns_with_several_messages_and_their_own_checks(bench: Bench) -> None:
    case = bench.case(
        """\
        id: order
        turns:
          - input: Where is my order?
            expect: [{regex: "order (id|number)"}]
          - input: [It is 4711., "Sorry, 4712."]
          - {input: 12, expect: {contains: a, not: {contains: b}}}
        expect: [{contains: c, scope: all}]
        """
    )
    assert [turn.inputs for turn in case.turns] == [("Where is my order?",), ("It is 4711.", "Sorry, 4712."), ("12",)]
    assert [(one.scorer, one.turn, one.negate, one.scope) for one in case.checks] == [
        ("contains", None, False, "all"),
        ("regex", 1, False, "last"),
        ("contains", 3, False, "last"),
        ("contains", 3, True, "last"),
    ]


def test_checks_of_the_suite_come_first(bench: Bench) -> None:
    suite = bench.load(
        HEAD
        + "expect: [{not: {contains: as an AI}}]\ncases: [{id: a, input: Hi, expect: {contains: x, ends_with: y}}]\n"
    )
    assert [(one.scorer, one.negate) for one in suite.cases[0].checks] == [
        ("contains", True),
        ("contains", False),
        ("ends_with", False),
    ]


def test_a_check_with_siblings_is_one_check(bench: Bench) -> None:
    (check,) = bench.case(
        "id: a\ninput: Hi\nexpect: {contains: b, name: n, weight: 2, threshold: 0.7, soft: true, transform: lower, scope: all}"
    ).checks
    assert (check.name, check.weight, check.threshold, check.soft, check.transform, check.scope) == (
        "n",
        2.0,
        0.7,
        True,
        "lower",
        "all",
    )


def test_groups_and_negation_nest(bench: Bench) -> None:
    (check,) = bench.case(
        """\
        id: a
        input: Hi
        expect:
          - not:
              any_of:
                - contains: a
                - all_of: [{contains: b}, {not: {contains: c}, weight: 3}]
            name: neither
        """
    ).checks
    assert (check.scorer, check.negate, check.name) == ("any_of", True, "neither")
    inner = check.children[1]
    assert (check.children[0].argument, inner.scorer, inner.children[1].negate, inner.children[1].weight) == (
        "a",
        "all_of",
        True,
        3.0,
    )


def test_not_not_is_the_check_itself(bench: Bench) -> None:
    (check,) = bench.case("id: a\ninput: Hi\nexpect: {not: {not: {contains: a}}}").checks
    assert check.negate is False


def test_a_python_check_with_args(bench: Bench) -> None:
    bench.write("suites/checks.py", "def no_refund(output, limit):\n    return True\n")
    (check,) = bench.case("id: a\ninput: Hi\nexpect: {python: ./checks.py:no_refund, args: {limit: 0}}").checks
    assert check.args == {"limit": 0}


def test_ids_are_made_from_the_input_where_there_is_none(bench: Bench) -> None:
    suite = bench.load(HEAD + "cases: [{input: How long does it take?}, {input: 'How long does it take, then?'}]\n")
    first, second = suite.cases
    assert first.id.startswith("how-long-does-it-take-")
    assert first.id != second.id
    assert first.unnamed


def test_datasets_and_cases_stand_in_one_list(bench: Bench) -> None:
    bench.write(
        "suites/data/more.jsonl",
        '{"question": "What {{ now }}?", "answer": 4, "topic": "x"}\n{"question": "b", "answer": 5, "topic": "y"}\n',
    )
    suite = bench.load(
        """\
        suite: s
        model: m
        cases:
          - {id: a, input: Hi}
          - {file: data/more.jsonl, map: {input: question, expected: answer}, limit: 1, tags: [bulk], expect: {contains: "{{ topic }}"}}
          - {file: data/faq.csv, limit: 1}
        """
    )
    assert [case.id for case in suite.cases[::2]] == ["a", "ship"]
    row = suite.cases[1]
    assert (row.input, row.expected, row.tags, row.literal, row.columns) == (
        "What {{ now }}?",
        4,
        ("bulk",),
        True,
        {"topic": "x"},
    )
    assert row.checks[0].argument == "{{ topic }}"


def test_cases_that_belong_together(bench: Bench) -> None:
    bench.write("suites/data/more.csv", "id,input,source\nc,Bye,12\nd,Ciao,\n")
    suite = bench.load(
        "suite: s\nmodel: m\ncases:\n"
        "  - {id: a, input: Hi, cluster: handbook}\n  - {id: b, input: Ho, cluster: 12}\n"
        "  - {file: data/more.csv, map: {cluster: source}}\n"
    )
    assert suite.clusters == {"a": "handbook", "b": "12", "c": "12"}


def test_the_hash_covers_the_datasets(bench: Bench) -> None:
    text = HEAD + "cases: data/faq.csv\n"
    before = bench.load(text).hash
    assert bench.load(text).hash == before
    bench.write("suites/data/faq.csv", "id,input\na,b\n")
    assert bench.load(text).hash != before


def test_a_suite_is_yaml_with_a_suite_key_on_top(bench: Bench) -> None:
    assert is_suite(bench.write("a.yaml", "# x\nsuite: s\n"))
    assert is_suite(bench.write("b.yml", '"suite" : s\n'))
    assert not is_suite(bench.write("c.yaml", "name: x\nnested:\n  suite: s\n"))
    assert not is_suite(bench.write("d.txt", "suite: s\n"))
    assert not is_suite(bench.root / "none.yaml")


# -- what is wrong with them


def test_everything_wrong_in_several_files_is_said_in_one_go(bench: Bench) -> None:
    found = bench.problems(
        """\
        suite: one
        model: m
        repeat: 3
        vars: {known: 1}
        variants: [faq@1, faq@9]
        cases:
          - id: a
            input: "Is {{ unknown }} there?"
          - id: a
            input: Again
            expect:
              - contians: x
          - id: b
            input: Who is
            expect:
              - contains: #1 choice
              - {contains: yes, but}
          - file: data/none.csv
        """,
        "suite: two\nmodel: m\nvariants: {t: {prompt: tone}}\ncases: [{id: a, input: Hi, tag: [x]}]\n",
    )
    assert found == [
        "s.yaml:3:1: unknown key 'repeat'. Did you mean 'repeats'?",
        "s.yaml:5:19: prompt 'faq' has no version 9. There are: 1, 2.",
        "s.yaml:8:12: `unknown` is not defined. Did you mean 'known'?",
        "s.yaml:9:5: the id 'a' stands in line 7 already. Ids are unique in a suite.",
        "s.yaml:12:9: unknown scorer 'contians'. Did you mean 'contains'?",
        "s.yaml:16:9: `contains:` has no argument. Quote it, if it starts with # or is meant to be empty.",
        "s.yaml:17:25: 'but' stands where a scorer should. Quote the text before it if it holds a comma.",
        "s.yaml:18:11: no file 'data/none.csv' in suites.",
        "t.yaml:4:9: prompt tone@1 needs `company` (prompts/tone/1.j2:3:3). Set it under `vars:`, or give it a default.",
        "t.yaml:4:28: unknown key 'tag'. Did you mean 'tags'?",
    ]


def test_messages_show_the_line(bench: Bench) -> None:
    path = bench.write("suites/s.yaml", ONE + "expect:\n  - {contains: yes, but}\n")
    with pytest.raises(ConfigError) as caught:
        load(open_project(bench.root), [path])
    assert str(caught.value).splitlines()[1:] == ["      - {contains: yes, but}", "                        ^"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "s.yaml:1:1: the file is empty."),
        ("- a\n", "s.yaml:1:1: a suite is a mapping with the key `suite:`."),
        ("suite: s\nmodel: m\n", "s.yaml:1:1: `cases:` is missing here."),
        ("suite: s\ncases: [{id: a, input: Hi}]\n", "s.yaml:1:1: no `model:` is set for this variant."),
        (ONE + "repeats: three\n", 's.yaml:4:10: `repeats:` should be a whole number, not "three".'),
        (ONE + "repeats: true\n", "s.yaml:4:10: `repeats:` should be a whole number, not true."),
        (ONE + "repeats: 0\n", "s.yaml:4:10: `repeats:` should be greater than or equal to 1, not 0."),
        (ONE + "stream: yes\n", 's.yaml:4:9: `stream:` should be true or false, not "yes".'),
        (ONE + "temperature: '1'\n", 's.yaml:4:14: `temperature:` should be a number, not "1".'),
        (ONE + "api: thread\n", "s.yaml:4:6: `api:` should be `responses`, `chat`, `threads`, `python`, `http` or `outputs`, not \"thread\". Did you mean 'threads'?"),
        (ONE + "seed: 7\n", "s.yaml:4:1: `seed:` cannot be used here. Responses has no such setting: leave it out, or use `api: chat`."),
        (ONE + "seed: 0\n", "s.yaml:4:1: `seed:` cannot be used here. Responses has no such setting: leave it out, or use `api: chat`."),
        (ONE + "chain: response\nrequest: {store: false}\n",
         "s.yaml:5:11: `request: store:` cannot be used here. `chain: response` needs what the service keeps."),
        (ONE + "request: {background: true}\n",
         "s.yaml:4:11: `request: background:` cannot be used here. An answer that is fetched later cannot be timed."),
        (ONE + "api: chat\nchain: response\n", "s.yaml:5:1: `chain:` cannot be used here. It belongs to `api: responses`."),
        (ONE + "xyzzy: {model: x}\n", "s.yaml:4:1: unknown key 'xyzzy'."),
        (ONE + "tools: [5]\n", ("s.yaml:4:9: this is no tool. Write ./tools.py:function, env:METHOD, a tool of the service such as file_search, "
         "or a mapping with `function:`, `env:`, `mcp:`, `assistant:`, or `name:` and `parameters:`.")),
        (ONE + "timeout: soon\n", "s.yaml:4:10: 'soon' is no duration; write 250ms, 4s or 2m."),
        (ONE + "base_url: example.org\n", "s.yaml:4:11: 'example.org' is no address; it starts with http:// or https://."),
        (ONE + "system: Hi\nprompt: faq\n", "s.yaml:4:1: there is `prompt:` and `system:`; choose one."),
        (ONE + "target: ./a.py:b\n", "s.yaml:4:1: `target:` cannot be used here. It belongs to `api: python`."),
        (ONE + "api: python\n", "s.yaml:4:1: `api: python` needs `target: ./agent.py:answer`."),
        (ONE + "baseline: x\nvariants: [faq@1, faq@2]\n", "s.yaml:4:11: no variant is called 'x'. There are: faq@1, faq@2."),
        (ONE + "variants: [faq@1, faq@1]\n", "s.yaml:4:19: a variant 'faq@1' stands in line 4 already. Change or remove one."),
        (ONE + "variants:\n  a: {prompt: faq@1}\n  b: {prompt: faq@1}\n",
         "s.yaml:6:3: the variants 'a' (line 5) and 'b' are the same. Change or remove one."),
        (ONE + "variants: [faq@1, faqq@2]\n", "s.yaml:4:19: no prompt 'faqq' in prompts/. Did you mean 'faq'?"),
        (ONE + "variants: {a: {promt: faq@1}}\n", "s.yaml:4:16: unknown key 'promt'. Did you mean 'prompt'?"),
        (ONE + "variants: 3\n", "s.yaml:4:1: `variants:` is a list or a mapping of variants."),
        (ONE + "variants: []\n", "s.yaml:4:1: `variants:` is a list or a mapping of variants."),
        (ONE + "gates: {acuracy: 0.9}\n", "s.yaml:4:9: unknown key 'acuracy'. Did you mean 'accuracy'?"),
        (ONE + "gates: {accuracy: 90}\n", "s.yaml:4:19: `accuracy:` should be less than or equal to 1, not 90."),
        (ONE + "gates: {pass^3: 2}\n", "s.yaml:4:17: pass^3 is a share from 0 to 1, not 2."),
        (ONE + "gates: {pass^0: 0.5}\n", "s.yaml:4:9: unknown key 'pass^0'. Did you mean 'pass^k'?"),
        (ONE + "gates: {cost: cheap}\n", "s.yaml:4:15: 'cheap' is no amount of money; write $0.002."),
        (ONE + "gates: {tags: {safty: {accuracy: 1}}}\n", "s.yaml:4:16: no case has the tag 'safty'."),
        (ONE + "gates: {not_worse_than_baseline: true}\n",
         "s.yaml:4:9: `not_worse_than_baseline:` needs a second variant to compare with."),
        (ONE + "margin: 0\n", "s.yaml:4:9: `margin:` should be greater than 0, not 0."),
        (ONE + "vars: [a]\n", "s.yaml:4:7: `vars:` should be a mapping, not a list."),
        (HEAD + "cases: ''\n", "s.yaml:3:1: `cases:` is a list of cases, or the path of a dataset."),
        (HEAD + "cases: []\n", "s.yaml:3:1: `cases:` is a list of cases, or the path of a dataset."),
        (HEAD + "cases: {id: a}\n", "s.yaml:3:1: `cases:` is a list of cases, or the path of a dataset."),
        (HEAD + "cases: [Hi]\n", "s.yaml:3:9: a case is a mapping with `input:`, or `{file: cases.csv}`."),
        (HEAD + "cases: [{id: a}]\n", "s.yaml:3:9: this case has no `input:`."),
        (HEAD + "cases: [{id: a, input: }]\n", "s.yaml:3:17: `input:` is empty. Quote it, if it starts with # or holds a comma."),
        (HEAD + "cases: [{id: a, input: Hi, world}]\n",
         "s.yaml:3:28: unknown key 'world'. Quote the text before it, if it holds a comma."),
        (HEAD + "cases: [{id: a, input: Hi, turns: [{input: b}]}]\n",
         "s.yaml:3:9: this case has both `input:` and `turns:`; choose one."),
        (HEAD + "cases: [{id: 4711, input: Hi}]\n", "s.yaml:3:14: `id:` should be a text, not 4711. Quote it."),
        (HEAD + "cases: [{id: a, input: true}]\n", "s.yaml:3:24: an input is a text, or a list of texts; quote it."),
        (HEAD + "cases: [{id: a, input: Hi, tags: [skip]}]\n",
         "s.yaml:3:34: the tag 'skip' is the name of a marker of pytest's own; choose another."),
        (HEAD + "cases: [{id: a, input: Hi, must_pass: 4/3}]\n",
         "s.yaml:3:39: '4/3' is no share of repeats; write 2/3, or a whole number."),
        (HEAD + "cases: [{id: a, input: Hi, must_pass: 0}]\n",
         "s.yaml:3:39: 0 is no share of repeats; write 2/3, or a whole number."),
        (HEAD + "cases: [{id: a, input: Hi, history: [{bot: x}]}]\n",
         "s.yaml:3:38: each message of `history:` is {user: ...} or {assistant: ...}."),
        (HEAD + "cases: [{input: Hi}, {input: Hi}]\n",
         "s.yaml:3:22: the same input stands in line 3 already. Give both an `id:`, or remove one."),
        (HEAD + "cases: ../../secrets.csv\n", "s.yaml:3:8: '../../secrets.csv' is outside the project."),
        (HEAD + "cases: data/fak.csv\n", "s.yaml:3:8: no file 'data/fak.csv' in suites; did you mean 'faq.csv'?"),
        (HEAD + "cases: [{file: data/faq.csv, lmit: 3}]\n", "s.yaml:3:30: unknown key 'lmit'. Did you mean 'limit'?"),
    ],
)  # fmt: skip
def test_what_is_said(bench: Bench, text: str, expected: str) -> None:
    assert bench.problems(text) == [expected]


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("contains: x", "s.yaml:3:9: checks are a mapping or a list of mappings, such as `contains: 30 days`."),
        ("{contains: }", "`contains:` has no argument. Quote it, if it starts with # or is meant to be empty."),
        ("[contains]", "'contains' is no check; a check is a mapping such as `contains: 30 days`."),
        ("{weight: 2}", "this check names no scorer. `harness list scorers` shows all."),
        ("{contains: a, icontains: b, soft: true}", "`soft` makes this one check, and it names 'contains', 'icontains'. Write two checks."),
        ("{contains: a, b, soft: true}",
         "`soft` makes this one check, and it names 'contains', 'b'. Quote the text if it holds a comma: 'b' has no value."),
        ("{contains: a, weight: heavy}", "`weight:` should be a number."),
        ("{contains: a, weight: -1}", "`weight:` cannot be negative (-1)."),
        ("{contains: a, threshold: 7}", "`threshold:` is a score from 0 to 1, not 7."),
        ("{contains: a, soft: yes}", "`soft:` should be true or false."),
        ("{contains: a, scope: first}", "`scope:` is `last` or `all`, not 'first'."),
        ("{contains: a, transform: lowr}", "unknown transform 'lowr'. Did you mean 'lower'?"),
        ("{contains: a, args: {b: 1}}", "'contains' takes no args."),
        ("{not: x}", "`not:` wraps one check, such as `not: {contains: sorry}`."),
        ("{not: {contains: a, regex: b}}", "`not:` wraps one check, and there are 2. Write `not:` for each."),
        ("{any_of: {contains: a}}", "`any_of:` holds a list of checks."),
        ("{any_of: []}", "`any_of:` holds a list of checks."),
        ("{any_of: [{contans: a}]}", "unknown scorer 'contans'. Did you mean 'contains'?"),
        ("{latency: soon}", "latency: 'soon' is no duration; write 250ms, 4s or 2m"),
        ("{contains: '{{ nope }}'}", "`nope` is not defined."),
        ("{contains: '{{ input'}", "the template cannot be read"),
        ("{python: ./none.py:f}", "no file './none.py' in suites"),
    ],
)  # fmt: skip
def test_what_is_said_about_checks(bench: Bench, check: str, expected: str) -> None:
    (found,) = bench.problems(
        f"suite: s\nmodel: m\nexpect: {check if check[0] in '[{' else repr(check)}\ncases: [{{id: a, input: Hi}}]\n"
    )
    assert found.startswith("s.yaml:3:")
    assert expected in found


def test_two_suites_of_one_name(bench: Bench) -> None:
    assert bench.problems(ONE, ONE) == [
        "t.yaml:1:8: the suite's name 's' is also that of suites/s.yaml. Its recordings would lie in the same folder."
    ]


def test_a_suite_outside_the_project_is_refused(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "o.yaml").write_text(ONE)
    (bench.root / "suites" / "link.yaml").symlink_to(outside / "o.yaml")
    with pytest.raises(ConfigError, match="outside the project"):
        load(open_project(bench.root), [bench.root / "suites" / "link.yaml"])


def test_a_dataset_behind_a_link_out_of_the_project_is_refused(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "d.csv").write_text("input\nHi\n")
    (bench.root / "suites" / "data" / "link.csv").symlink_to(outside / "d.csv")
    assert bench.problems(HEAD + "cases: data/link.csv\n") == ["s.yaml:3:8: 'data/link.csv' is outside the project."]


# -- templates: text of the suite is one, data is not


def test_a_missing_variable_of_a_check_in_any_row_is_found_before_anything_runs(bench: Bench) -> None:
    rows = [f'{{"id": "r{n}", "input": "Hi", "topic": "x"}}' for n in range(1200)]
    rows[1100] = '{"id": "r1100", "input": "Hi"}'
    bench.write("suites/data/many.jsonl", "\n".join(rows))
    found = bench.problems(HEAD + "expect: {contains: '{{ topic }}'}\ncases: data/many.jsonl\n")
    assert len(found) == 1
    assert "`topic` is not defined" in found[0]
    assert "data/many.jsonl:1101" in found[0]


def test_cells_are_data(bench: Bench) -> None:
    bench.write("suites/data/d.csv", 'id,input,expected,expect.contains\na,{{ nothing }},{{ nothing }},"{% raw"\n')
    suite = bench.load(HEAD + "expect: {icontains: '{{ expected }}'}\ncases: data/d.csv\n")
    assert [check.literal for check in suite.cases[0].checks] == [False, True]


def test_a_lone_template_keeps_its_type_when_the_argument_is_checked(bench: Bench) -> None:
    bench.write("suites/data/d.jsonl", '{"input": "a", "expected": ["x", "y"]}\n')
    bench.load(HEAD + "expect: {contains_any: '{{ expected }}'}\ncases: data/d.jsonl\n")
    bench.write("suites/data/d.jsonl", '{"input": "a", "expected": {"x": "y"}}\n')
    (found,) = bench.problems(HEAD + "expect: {contains_any: '{{ expected }}'}\ncases: data/d.jsonl\n")
    assert found.startswith("s.yaml:3:10: contains_any: ")


def test_an_expected_answer_that_a_row_lacks_is_no_empty_text(bench: Bench) -> None:
    bench.write("suites/data/d.csv", "id,input,expected\na,Hi,x\nb,Ho,\n")
    (found,) = bench.problems(HEAD + "expect: {contains: '{{ expected }}'}\ncases: data/d.csv\n")
    assert "data/d.csv:3" in found


@pytest.mark.parametrize("names", [{}, {"company": "Acme", "tone": "loud"}])
def test_variables_of_prompts_are_checked(bench: Bench, names: Mapping[str, str]) -> None:
    lines = "".join(f"  {key}: {value}\n" for key, value in names.items())
    (found,) = bench.problems(
        f"suite: s\nmodel: m\nprompt: tone\nvars:{' {}' if not lines else ''}\n{lines}cases: [{{id: a, input: Hi}}]\n"
    )
    assert ("needs `company`" if not names else 'one of "plain", "warm", not "loud"') in found


# -- whatever stands in a file, it is a suite or a list of problems with places

_FULL: dict[str, Any] = {
    "suite": "s",
    "description": "d",
    "assistant": {"api": "chat", "model": "m", "temperature": 0.2, "stop": ["a"], "request": {"x": 1}, "timeout": "5s"},
    "variants": {"a": {"prompt": "faq@1"}, "b": {"prompt": "tone", "vars": {"company": "x"}, "report_only": True}, "c": {"system": "{{ y }}"}},
    "baseline": "a",
    "repeats": 2,
    "margin": 0.1,
    "gates": {"accuracy": 0.5, "pass^2": 0.1, "latency_p95": "4s", "cost": "$1", "tags": {"t": {"accuracy": 1}}},
    "vars": {"y": 1},
    "expect": [{"not": {"contains": "z"}}, {"any_of": [{"contains": "a"}, {"equals": "{{ expected }}"}], "weight": 2}],
    "cases": [
        {"id": "a", "tags": ["t"], "input": "{{ y }}", "expected": "q", "expect": {"regex": "a+", "soft": True}, "must_pass": "1/2"},
        {"id": "b", "turns": [{"input": ["x", 2], "expect": {"one_of": ["a"]}}], "history": [{"user": "u"}], "expected": 3},
        {"file": "data/faq.csv", "map": {"expected": "expected"}, "limit": 1, "tags": "t"},
    ],
}  # fmt: skip

_VALUES = st.recursive(
    st.sampled_from(
        [
            None,
            True,
            0,
            -1,
            0.5,
            10**30,
            "",
            "x",
            "{{ y }}",
            "{{ z }}",
            "{{",
            "{% for %}",
            "faq@1",
            "../..",
            "data/faq.csv",
            "4s",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["input", "prompt", "contains", "x", "file"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def _places(value: Any, loc: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [loc, *(place for key, one in inner for place in _places(one, (*loc, key)))]


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_change_of_a_suite_gives_a_suite_or_problems_with_places(bench: Bench, data: st.DataObject) -> None:
    document = copy.deepcopy(_FULL)
    for _ in range(data.draw(st.integers(0, 3))):
        *way, last = data.draw(st.sampled_from(_places(document)[1:] or [("suite",)]))
        place: Any = document
        for step in way:
            place = place[step]
        change = data.draw(st.sampled_from(["replace", "remove", "rename"]))
        if change == "replace" or not isinstance(place, dict):
            place[last] = data.draw(_VALUES)
        else:
            removed = place.pop(last, None)
            if change == "rename":
                place[f"{last}x"] = removed
    path = bench.write("suites/s.yaml", yaml.safe_dump(document, sort_keys=False))
    found: list[Suite] = []
    said: list[Problem] = []
    try:
        found = load(open_project(bench.root), [path])
    except ConfigError as error:
        said = list(error.problems)
    assert bool(found) != bool(said)
    assert all(suite.cases and suite.variants for suite in found)
    assert all(problem.location is not None for problem in said)


def test_the_suite_that_is_changed_above_is_right(bench: Bench) -> None:
    suite = bench.load(yaml.safe_dump(_FULL))
    assert (len(suite.cases), len(suite.variants)) == (3, 3)


@pytest.mark.parametrize("one, other", [("1", "true"), ("1", "1.0"), ("0", "false"), ("'1'", "1")])
def test_values_of_different_types_make_different_variants(bench: Bench, one: str, other: str) -> None:
    suite = bench.load(
        f"""\
        suite: s
        model: m
        system: "{{{{ x }}}}"
        variants: {{a: {{vars: {{x: {one}}}}}, b: {{vars: {{x: {other}}}}}}}
        cases: [{{id: a, input: Hi}}]
        """
    )
    assert [variant.name for variant in suite.variants] == ["a", "b"]


def test_what_follows_from_a_mistake_is_not_said_too(bench: Bench) -> None:
    assert bench.problems(
        """\
        suite: s
        model: m
        variants: [faq@1, faq@7]
        baseline: faq@7
        gates: {not_worse_than_baseline: true, tags: {bulk: {accuracy: 1}}}
        cases: [{id: a, input: Hi}, {file: data/none.csv, tags: [bulk]}]
        """
    ) == [
        "s.yaml:3:19: prompt 'faq' has no version 7. There are: 1, 2.",
        "s.yaml:6:36: no file 'data/none.csv' in suites.",
    ]


def test_variants_that_differ_in_their_model_are_named_by_it(bench: Bench) -> None:
    suite = bench.load(
        "suite: s\nvariants: [{model: big}, {model: small}]\ngates: {better_than_baseline: true}\ncases: [{id: a, input: Hi}]\n"
    )
    assert [variant.name for variant in suite.variants] == ["big", "small"]
    (found,) = bench.problems(
        "suite: s\nprompt: faq\nvariants: [{prompt: faq@1, model: big}, {prompt: faq@1, model: small}]\ncases: [{id: a, input: Hi}]\n"
    )
    assert found == "s.yaml:3:41: a variant 'faq@1' stands in line 3 already. Give each a `name:`."


def test_two_names_of_one_prompt_are_one_variant(bench: Bench) -> None:
    (found,) = bench.problems(ONE + "variants: {a: faq, b: faq@2}\n")
    assert found == "s.yaml:4:20: the variants 'a' (line 4) and 'b' are the same. Change or remove one."


@pytest.mark.parametrize("name", ['"a\\nb"', '" "', '"\\e[31m"'])
def test_names_that_no_terminal_shows_as_they_are(bench: Bench, name: str) -> None:
    texts = [
        f"suite: {name}\nmodel: m\ncases: [{{id: a, input: Hi}}]\n",
        HEAD + f"cases: [{{id: {name}, input: Hi}}]\n",
        ONE + f"variants: {{{name}: faq}}\n",
    ]
    for text in texts:
        (found,) = bench.problems(text)
        assert "control characters" in found or "blank" in found


def test_structured_output_that_is_no_schema(bench: Bench) -> None:
    bench.write("suites/data/broken.json", "{")
    bench.write("suites/data/deep.json", "[" * 100_000)
    for name in ("broken", "deep", "none"):
        (found,) = bench.problems(ONE + f"response_format: {{schema: data/{name}.json}}\n")
        assert found.startswith("s.yaml:4:27: ")
    assert bench.problems(ONE + "response_format: xml\n")[0].startswith("s.yaml:4:18: `response_format:` is `json`")
