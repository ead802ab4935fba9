from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError, Problem, SourceLocation
from harness.plugins import hookimpl, registry_of
from harness.records import CheckResult, Outcome, Score
from harness.scorers import settle
from harness.scorers.transforms import Transform

if TYPE_CHECKING:
    from tests.scorers.conftest import Bench

YES = {"scorer": "contains", "argument": "a"}
NO = {"scorer": "contains", "argument": "z"}
OPEN = {"scorer": "ttft", "argument": "1s"}


def outcome(value: float | None, passed: bool | None, **fields: Any) -> CheckResult:
    return CheckResult(**{"scorer": "s", "name": "s", "value": value, "passed": passed, "reason": "why", **fields})


def tree(bench: Bench, node: Any) -> Any:
    """A check from nested data: True, False, None (unscored), ("not", x), ("any_of", [...]), ("all_of", [...])."""
    if not isinstance(node, tuple):
        return bench.spec(**{True: YES, False: NO, None: OPEN}[node])
    word, inner = node
    if word == "not":
        child = tree(bench, inner)
        return replace(child, negate=not child.negate)
    return bench.spec(scorer=word, children=tuple(tree(bench, one) for one in inner))


def truth(node: Any) -> bool | None:
    """The three-valued truth of the same data (Kleene's strong logic)."""
    if not isinstance(node, tuple):
        return node
    word, inner = node
    if word == "not":
        value = truth(inner)
        return None if value is None else not value
    values = [truth(one) for one in inner]
    decisive = word == "any_of"
    return decisive if decisive in values else None if None in values else not decisive


nodes = st.recursive(
    st.sampled_from([True, False, None]),
    lambda inner: (
        st.tuples(st.just("not"), inner)
        | st.tuples(st.sampled_from(["any_of", "all_of"]), st.lists(inner, min_size=1, max_size=3))
    ),
    max_leaves=8,
)


@given(node=nodes)
def test_not_any_of_and_all_of_nest_and_never_decide_what_is_open(texts: Bench, node: Any) -> None:
    (result,) = texts.results(tree(texts, node), transcript=texts.talk("a"))
    assert result.passed is truth(node)
    assert (result.value is None) is (result.passed is None)


@given(node=nodes)
def test_not_not_x_is_x(texts: Bench, node: Any) -> None:
    once, twice = (
        texts.results(tree(texts, one), transcript=texts.talk("a")) for one in (node, ("not", ("not", node)))
    )
    assert [(one.value, one.passed) for one in once] == [(one.value, one.passed) for one in twice]


def test_not_inverts_the_value(texts: Bench) -> None:
    result = texts.check("contains_all", ["a", "b", "c", "d"], "a", negate=True)
    assert (result.value, result.passed, result.name) == (0.75, True, "not contains_all")


def test_a_threshold_decides_by_the_value(texts: Bench) -> None:
    for threshold, passed in ((0.5, True), (0.51, False), (1.0, False)):
        assert texts.passes("contains_all", ["a", "b"], "a", threshold=threshold) is passed
    assert texts.passes("contains_all", ["a", "b", "c"], "a b", threshold=2 / 3) is True
    assert texts.passes("contains_all", ["a", "b"], "a", threshold=0.5, negate=True) is False


def test_groups_have_values_and_thresholds(texts: Bench) -> None:
    children = (texts.spec(**YES, weight=3), texts.spec(**NO), texts.spec(**NO, soft=True, weight=9))
    for scorer, threshold, value, passed in (
        ("all_of", None, 0.75, False),
        ("all_of", 0.75, 0.75, True),
        ("any_of", None, 1.0, True),
    ):
        group = texts.spec(scorer=scorer, threshold=threshold, children=children)
        (result,) = texts.results(group, transcript=texts.talk("a"))
        assert (result.value, result.passed) == (value, passed)
    assert "does not contain 'z'" in result.reason


def test_a_group_with_a_threshold_waits_for_all_its_values(texts: Bench) -> None:
    group = texts.spec(scorer="all_of", threshold=0.5, children=(texts.spec(**NO), texts.spec(**OPEN)))
    (result,) = texts.results(group, transcript=texts.talk("a"))
    assert result.passed is None


@pytest.mark.parametrize(
    ("transform", "output", "argument"),
    [
        ("lower", "YES", "yes"),
        ("upper", "yes", "YES"),
        ("strip", " yes ", "yes"),
        ("first_line", "\n\nyes\nno", "yes"),
        ("last_line", "no\n yes \n\n", "yes"),
        ("one_line", "a\n  b", "a b"),
        ("fenced", "So:\n```\nyes\n```", "yes"),
        ("$.answer", '{"answer": "yes"}', "yes"),
        ("$.n", '{"n": 4}', "4"),
        ("./change.py:change", "yes", "[yes]"),
    ],
)
def test_transforms(bench: Bench, transform: str, output: str, argument: str) -> None:
    bench.write("change.py", "def change(text): return f'[{text}]'")
    assert bench.complaints("equals", argument, transform=transform) == []
    assert bench.passes("equals", argument, output, transform=transform) is True


def test_an_answer_that_a_transform_cannot_read_fails_negated_or_not(texts: Bench) -> None:
    for output in ("prose", '{"other": 1}'):
        for negate in (False, True):
            result = texts.check("contains", "x", output, transform="$.answer", negate=negate)
            assert (result.value, result.passed) == (0.0, False)


def test_a_transform_that_breaks_leaves_the_check_open(bench: Bench) -> None:
    bench.write("change.py", "def raises(text): raise ValueError('odd')\ndef number(text): return 3")
    for name, said in (("raises", "odd"), ("number", "returned int")):
        result = bench.check("contains", "x", "x", transform=f"./change.py:{name}")
        assert result.passed is None and said in result.reason


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        ("lowr", "Did you mean 'lower'?"),
        ("$[", "is no JSONPath"),
        ("./gone.py:f", "no file"),
        ("qqq", "Known: strip"),
    ],
)
def test_unknown_transforms_are_found_before_anything_runs(bench: Bench, transform: str, said: str) -> None:
    (complaint,) = bench.complaints("contains", "x", transform=transform)
    assert said in complaint


def test_only_arguments_with_templates_are_rendered(texts: Bench) -> None:
    seen: list[Any] = []

    def render(value: Any) -> Any:
        seen.append(value)
        return 42 if value == "{{ expected }}" else ["a"]

    results = texts.results(
        texts.spec(scorer="contains", argument="plain { text }"),
        texts.spec(scorer="contains", argument="{{ expected }}"),
        texts.spec(scorer="contains_any", argument=["{% if x %}a{% endif %}"]),
        transcript=texts.talk("plain { text } 42 a"),
        render=render,
    )
    assert [result.passed for result in results] == [True, True, True]
    assert seen == ["{{ expected }}", ["{% if x %}a{% endif %}"]]


def test_cells_of_a_dataset_are_no_templates(texts: Bench) -> None:
    spec = texts.spec(scorer="contains", argument="{{ 7*7 }}", literal=True)
    (result,) = texts.results(spec, transcript=texts.talk("{{ 7*7 }}"), render=lambda value: "49")
    assert result.passed is True


def test_what_goes_wrong_with_a_template_leaves_the_check_open(texts: Bench) -> None:
    def render(value: Any) -> Any:
        raise ConfigError(Problem(message="'who' is undefined", location=SourceLocation("suites/s.yaml", 4, 2)))

    (result,) = texts.results(
        texts.spec(scorer="contains", argument="{{ who }}"), transcript=texts.talk("a"), render=render
    )
    assert (result.passed, result.reason) == (None, "'who' is undefined")
    (result,) = texts.results(
        texts.spec(scorer="contains", argument="{{ x }}"), transcript=texts.talk("a"), render=lambda value: ""
    )
    assert result.passed is None and "at least 1 character" in result.reason


def test_turns(texts: Bench) -> None:
    transcript = texts.talk("a", "b")
    assert texts.passes("equals", "a", transcript, turn=1) is True
    assert texts.passes("equals", "b", transcript) is True
    gone = texts.check("equals", "b", transcript, turn=3)
    assert (gone.passed, gone.turn, gone.reason) == (None, 3, "turn 3 did not take place")


def test_results_say_what_was_checked_and_where(texts: Bench) -> None:
    result = texts.check("contains", "a", "a", name="says a", weight=2.0, soft=True, threshold=0.5)
    assert (result.scorer, result.name, result.weight, result.soft) == ("contains", "says a", 2.0, True)
    assert (result.threshold, result.turn, result.where) == (0.5, None, "suites/s.yaml:3:5")


def test_a_plugin_that_misbehaves_is_a_recorded_reason(bench: Bench) -> None:
    class Odd:
        name = "odd"
        summary = "gives back what it is told"
        Argument = Any

        def score(self, context: Any, argument: Any) -> Any:
            return argument() if callable(argument) else argument

    class Plugin:
        @hookimpl
        def harness_scorers(self) -> list[Any]:
            return [Odd()]

    registry = registry_of([Plugin()], transform=Transform, entry_points=False)
    odd = type(bench)(registry=registry, place=bench.place)
    for given_back in (
        Score(value=float("nan"), passed=True),
        Score(value=float("inf"), passed=True),
        Score(value=1.5, passed=True),
        Score(value=-0.1, passed=False),
        Score(value=None, passed=True),
        Score(value="1", passed=True),  # type: ignore[arg-type]
        "text",
        None,
        lambda: 1 / 0,
    ):
        for negate in (False, True):
            result = odd.check("odd", given_back, "x", negate=negate)
            assert (result.value, result.passed) == (None, None), given_back
    assert odd.check("odd", Score(value=0.5, passed=None), "x").passed is True


def test_an_unknown_scorer_leaves_the_check_open(texts: Bench) -> None:
    assert texts.check("contians", "a", "a").passed is None


weights = st.floats(0, 10)
shares = st.floats(0, 1)


@given(checks=st.lists(st.tuples(shares, st.booleans(), weights, st.booleans()), max_size=6), limit=st.none() | shares)
def test_settling(checks: list[tuple[float, bool, float, bool]], limit: float | None) -> None:
    results = [outcome(value, passed, weight=weight, soft=soft) for value, passed, weight, soft in checks]
    settled, score, failure = settle(results, pass_score=limit)
    deciding = [result for result in results if not result.soft]
    assert failure is None and score is not None and -1e-9 <= score <= 1 + 1e-9
    total = sum(result.weight for result in deciding)
    if total > 1e-6:
        assert score == pytest.approx(sum(one.weight * (one.value or 0) for one in deciding) / total)
    holds = all(result.passed for result in deciding) if limit is None else score >= limit - 1e-9
    assert settled is (Outcome.PASSED if holds else Outcome.FAILED)
    # Soft checks are reported and change nothing.
    assert settle(deciding, pass_score=limit) == (settled, score, failure)


def test_a_trial_without_deciding_checks_passes() -> None:
    assert settle([]) == (Outcome.PASSED, 1.0, None)
    assert settle([outcome(0.0, False, soft=True)]) == (Outcome.PASSED, 1.0, None)


def test_an_open_check_is_an_error_unless_it_is_soft() -> None:
    good, bad, open_one = outcome(1.0, True), outcome(0.0, False), outcome(None, None, name="judge", where="s.yaml:3:1")
    for results in ([good, open_one], [bad, open_one], [open_one]):
        for pass_score in (None, 0.1):
            settled, score, failure = settle(results, pass_score=pass_score)
            assert (settled, score) == (Outcome.ERROR, None)
            assert failure is not None
            assert (failure.kind, failure.message, failure.where) == ("ungraded", "judge: why", "s.yaml:3:1")
    assert settle([good, outcome(None, None, soft=True)])[0] is Outcome.PASSED


def test_pass_score_asks_for_the_mean() -> None:
    results = [outcome(1.0, True, weight=2), outcome(0.0, False)]
    assert settle(results)[0] is Outcome.FAILED
    assert settle(results, pass_score=0.66)[0] is Outcome.PASSED
    assert settle(results, pass_score=2 / 3)[0] is Outcome.PASSED
    assert settle(results, pass_score=0.67)[0] is Outcome.FAILED


def test_two_text_checks_cost_next_to_nothing(texts: Bench) -> None:
    """No timed assertion but against a wrong order of growth: the arguments must be prepared once."""
    specs = [texts.spec(scorer="regex", argument="a{1,500}b{1,500}"), texts.spec(scorer="icontains", argument="x")]
    texts.results(*specs, transcript=texts.talk("a"))
    started = time.process_time()
    for _ in range(200):
        texts.results(*specs, transcript=texts.talk("a"))
    assert time.process_time() - started < 2
