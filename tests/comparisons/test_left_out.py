"""Nothing leaves a denominator silently: errors, skips, trials without a counterpart, and cases that belong together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.comparisons.arms import case, compared, comparisons, suite, summed, table, trials
from tests.projects import harness, write


@pytest.mark.parametrize(
    ("v1", "v2", "bounds", "said"),
    [
        # The pair could be a broken case, or none: A is known to have passed.
        ("pppp", "pppe", (-0.25, 0.0), "1 pair left out (error); had it gone against v2: -25.0 pp."),
        # A failed: B can have done no worse.
        ("pppf", "pppe", (0.0, 0.25), "1 pair left out (error); had it gone against v2: +0.0 pp."),
        ("ppep", "pppe", (-0.25, 0.25), "2 pairs left out (errors); had all of them gone against v2: -25.0 pp."),
        ("pppe", "ppps", (-0.25, 0.25), "1 pair left out (error); had it gone against v2: -25.0 pp."),
        ("pppp", "ppss", (-0.5, 0.0), "2 pairs left out (skipped); had all of them gone against v2: -50.0 pp."),
        ("eppp", "ppps", (-0.25, 0.25), "2 pairs left out (1 error, 1 skipped); had all of them gone against v2: -25.0 pp."),
    ],
)  # fmt: skip
def test_pairs_left_out_are_counted_with_the_worst_that_they_could_have_done(
    v1: str, v2: str, bounds: tuple[float, float], said: str
) -> None:
    one = compared({"v1": v1, "v2": v2})
    assert one.bounds == pytest.approx(bounds)
    assert said in one.text
    assert one.dropped == len(one.dropped_cases) == 4 - one.cases


def test_the_worst_case_counts_repeats_inside_their_case() -> None:
    one = compared({"v1": "pp pp pp pp", "v2": "pp pe pp ee"}, repeats=2)
    assert (one.cases, one.dropped, one.dropped_cases) == (3, 3, ("c001", "c003"))
    # Case means at worst: 0, -1/2, 0, -1.
    assert one.bounds == pytest.approx((-0.375, 0.0))


def test_nothing_left_out_is_not_mentioned() -> None:
    one = compared(table(10, 1, 1, 0))
    assert (one.bounds, one.dropped_cases) == (None, ()) and "left out" not in one.text


def test_trials_without_a_counterpart_name_their_cases() -> None:
    one = compared({"v1": "ppppp", "v2": "pp..."})
    assert (one.unpaired, one.cases) == (3, 2)
    assert one.text.endswith("3 trials left out that have no counterpart (c002, c003, c004).")


def test_cases_that_belong_together_count_as_one_observation() -> None:
    alone = compared(table(60, 24, 6, 10))
    cases = [case(f"c{number:03}", cluster=f"page {number // 10}") for number in range(100)]
    (one,) = comparisons(suite(cases, ("v1", "v2")), table(60, 24, 6, 10)).values()
    assert one.difference is not None and alone.difference is not None
    assert (alone.clusters, one.clusters) == (None, 10)
    assert one.difference.estimate == alone.difference.estimate
    # Fixed cases stand together here, so that they say less.
    assert one.difference.interval.low < alone.difference.interval.low
    assert "24 fixed, 6 broken of 100 in 10 clusters" in one.text and "are few" not in one.text


def test_fewer_than_ten_clusters_are_warned_of_and_the_rest_stand_for_themselves() -> None:
    cases = [case(f"c{number:03}", cluster=f"page {number // 20}") for number in range(100)]
    (one,) = comparisons(suite(cases, ("v1", "v2")), table(60, 24, 6, 10)).values()
    assert "5 clusters are few: below 10, intervals tend to be too narrow." in one.text
    (one,) = comparisons(
        suite([case(f"c{n:03}", cluster="page") for n in range(2)], ("v1", "v2")), table(1, 1, 0, 0)
    ).values()
    assert "1 cluster is few: below 10, " in one.text
    mixed = [case(f"c{number:03}", cluster="a" if number < 2 else None) for number in range(100)]
    (most,) = comparisons(suite(mixed, ("v1", "v2")), table(60, 24, 6, 10)).values()
    assert most.clusters == 99


def test_the_interval_of_one_pass_rate_knows_clusters_too() -> None:
    letters = table(50, 0, 0, 50)
    plain = summed(of := suite(100, ("v1", "v2")), trials(of, letters)).suites[0].variants[0]
    together = suite([case(f"c{n:03}", cluster=str(n // 10)) for n in range(100)], ("v1", "v2"))
    clustered = summed(together, trials(together, letters)).suites[0].variants[0]
    assert plain.accuracy == clustered.accuracy == 0.5
    assert plain.interval is not None and clustered.interval is not None
    assert clustered.interval.low < plain.interval.low - 0.1


SUITE = """\
suite: s
variants:
  v1: {api: python, target: "./agent.py:answer", args: {good: 4}}
  v2: {api: python, target: "./agent.py:answer", args: {good: 9}}
expect: {equals: "yes"}
gates: {accuracy: 0.1}
cases: data/cases.csv
"""
AGENT = "def answer(text, good):\n    return 'yes' if int(text) % 12 < good else 'no'\n"


def test_a_stored_run_is_judged_by_its_own_clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"c{number},{number},page {number // 5}\n" for number in range(60))
    files = {"suites/s.yaml": SUITE, "suites/agent.py": AGENT, "suites/data/cases.csv": f"id,input,cluster\n{rows}"}
    write(tmp_path, files)
    said = harness("run", "--json")
    (one,) = json.loads(said.stdout)["suites"][0]["comparisons"]
    assert one["clusters"] == 12 and " of 60 in 12 clusters" in one["text"]
    (tmp_path / "suites/s.yaml").unlink()
    compared_again = json.loads(harness("compare", "--json").stdout)["comparisons"][0]
    assert compared_again["text"] == one["text"]
