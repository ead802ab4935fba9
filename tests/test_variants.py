"""What a run says of each variant: times with intervals, money by kind of token, tools, repeats, what failures share."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy
import pytest

import harness
from tests.projects import write

#: USD per million tokens.
PRICES = """\
[tool.harness.prices.m]
input = 2
cached_input = 0.5
output = 8
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def told(
    variants: Mapping[str, Iterable[Mapping[str, Any]]], cases: str, *, prices: str = PRICES, top: str = ""
) -> dict[str, Any]:
    """What a run of answers that exist already says of its suite. An answer passes where it says yes."""
    files = {
        f"suites/{name}.jsonl": "".join(json.dumps({"output": "yes", "model": "m", **row}) + "\n" for row in rows)
        for name, rows in variants.items()
    }
    named = ", ".join(f"{name}: {{outputs: {name}.jsonl, model: m}}" for name in variants)
    suite = f"suite: s\n{top}variants: {{{named}}}\nexpect: {{equals: 'yes'}}\ncases:\n{cases}"
    write(Path(), {"pyproject.toml": "[tool.harness]\n" + prices, "suites/s.yaml": suite, **files})
    found: dict[str, Any] = harness.run().plain()["suites"][0]
    # A stored run says the same.
    assert harness.load().plain()["suites"][0] == json.loads(json.dumps(found))
    return found


def plain(count: int) -> str:
    return "".join(f"  - {{id: c{number}, input: Ask}}\n" for number in range(count))


def test_quantiles_of_the_latency_have_intervals_where_calls_are_enough() -> None:
    latencies = [round(math.exp(number / 40), 6) for number in range(80)]
    rows = [{"id": f"c{number}", "latency": value, "ttft": value / 2} for number, value in enumerate(latencies)]
    [v] = told({"v": rows}, plain(80))["variants"]
    assert v["latency_p50"] == pytest.approx(numpy.quantile(latencies, 0.5))
    assert v["ttft_p95"] == pytest.approx(numpy.quantile(latencies, 0.95) / 2)
    for name in ("latency_p50", "latency_p95"):
        found = v[f"{name}_interval"]
        assert found["low"] < v[name] < found["high"]
        assert found["method"] == "Woodruff"
    [few] = told({"v": rows[:40]}, plain(40))["variants"]
    # The number stands, and nobody says how sure it is.
    assert few["latency_p95"] is not None
    assert (few["latency_p95_interval"], few["latency_p50_interval"] is None) == (None, False)


def test_money_is_told_by_kind_of_token_and_adds_up_to_what_was_recorded() -> None:
    usage = {"input": 1000, "output": 300, "cached_input": 400, "reasoning": 100}
    rows = [
        {"id": "c0", "usage": usage, "cost": "0.0038"},
        # Something else was paid for here, too.
        {"id": "c1", "usage": usage, "cost": "0.0048"},
    ]
    [v] = told({"v": rows}, plain(2))["variants"]
    parts = {one["kind"]: (one["tokens"], Decimal(one["money"])) for one in v["costs"]}
    assert parts == {
        "input": (600_000, Decimal("1.2")),
        "cached_input": (400_000, Decimal("0.2")),
        "output": (200_000, Decimal("1.6")),
        "reasoning": (100_000, Decimal("0.8")),
        "unexplained": (None, Decimal("0.5")),
    }
    assert sum(money for _, money in parts.values()) == 1000 * Decimal(v["cost_per_trial"])


@pytest.mark.parametrize(
    ("cost", "prices", "expected"),
    [
        # Recorded at lower prices than today's: today's explain nothing of it.
        ("0.0001", PRICES, {"input": None, "output": None, "unexplained": "0.1"}),
        ("0.01", "", {"input": None, "output": None, "unexplained": "10"}),
        (None, "", {"input": None, "output": None}),
    ],
)
def test_prices_that_do_not_explain_a_cost_are_not_shown_beside_it(
    cost: str | None, prices: str, expected: dict[str, str | None]
) -> None:
    row = {"id": "c0", "usage": {"input": 1000, "output": 100}, **({} if cost is None else {"cost": cost})}
    [v] = told({"v": [row]}, plain(1), prices=prices)["variants"]
    found = {one["kind"]: one["money"] and f"{Decimal(one['money']).normalize():f}" for one in v["costs"]}
    assert found == expected


def test_repeats_give_the_chance_that_any_and_that_all_of_them_pass() -> None:
    said = {"c0": "yes yes no no", "c1": "yes yes yes yes", "c2": "yes no no no", "c3": "no no no no"}
    rows = [{"id": case, "output": word} for case, words in said.items() for word in words.split()]
    [v] = told({"v": rows}, plain(4), top="repeats: 4\n")["variants"]
    found = v["repeats"]
    # By hand: 1 - C(n - c, 2)/C(n, 2) is 5/6, 1, 1/2, 0; C(c, 2)/C(n, 2) is 1/6, 1, 0, 0.
    assert found["at"]["2"] == pytest.approx((5 / 6 + 1 + 1 / 2) / 4)
    assert found["hat"]["2"] == pytest.approx((1 / 6 + 1) / 4)
    assert found["at"]["1"] == found["hat"]["1"] == v["accuracy"]
    assert list(found["at"]) == list(found["hat"]) == ["1", "2", "3", "4"]
    assert found["flaky"] == [["c0", 2, 4], ["c2", 1, 4]]
    assert told({"v": rows[::4]}, plain(4))["variants"][0]["repeats"] == {"at": {}, "hat": {}, "flaky": []}


def test_tools_are_counted_over_all_trials() -> None:
    call = {"name": "search", "arguments": {}, "output": "x"}
    rows = [
        {"id": "c0", "tool_calls": [call, call, {"name": "close", "arguments": {}, "error": "no"}]},
        {"id": "c1", "output": "no", "tool_calls": [call]},
        {"id": "c2"},
    ]
    [v] = told({"v": rows}, plain(3))["variants"]
    assert [(one["name"], one["calls"], one["errors"], one["trials"]) for one in v["tools"]] == [
        ("search", 3, 0, 2),
        ("close", 1, 1, 1),
    ]
    assert v["tools"][0]["p95"] is None


CASES = """\
  - {id: c0, tags: [a], metadata: {lang: de, nr: 1, all: x}, input: Ask}
  - {id: c1, tags: [a, b], metadata: {lang: de, nr: 2, all: x}, input: Ask}
  - {id: c2, tags: [b], metadata: {lang: en, nr: 3, all: x}, input: Ask, expect: [{contains: e, name: has e}, {contains: z, soft: true}]}
  - {id: c3, input: Ask, metadata: {nr: 4, all: x}}
"""


def test_failing_trials_are_grouped_by_what_they_share() -> None:
    variants = {
        "v1": [{"id": f"c{n}"} for n in range(4)],
        "v2": [{"id": f"c{n}", "output": "no" if n != 3 else "yes"} for n in range(4)],
    }
    found = [(one["by"], one["name"], one["counts"]) for one in told(variants, CASES)["failures"]]
    assert found == [
        ("check", "equals", {"v1": [0, 4], "v2": [3, 4]}),
        ("check", "has e", {"v1": [0, 1], "v2": [1, 1]}),
        ("tag", "a", {"v1": [0, 2], "v2": [2, 2]}),
        ("tag", "b", {"v1": [0, 2], "v2": [2, 2]}),
        # That all cases share a fact, or none does, is no reason.
        ("metadata", "lang = de", {"v1": [0, 2], "v2": [2, 2]}),
        ("metadata", "lang = en", {"v1": [0, 1], "v2": [1, 1]}),
    ]


def test_three_variants_are_set_between_accuracy_and_cost() -> None:
    def arm(passes: int, cost: str) -> list[dict[str, Any]]:
        return [{"id": f"c{n}", "output": "yes" if n < passes else "no", "cost": cost} for n in range(4)]

    arms = {"dear": arm(4, "0.004"), "cheap": arm(2, "0.001"), "poor": arm(1, "0.001"), "same": arm(2, "0.001")}
    front = told(arms, plain(4))["front"]
    assert [(one["variant"], one["accuracy"], float(one["money"]), one["dominated"]) for one in front] == [
        ("cheap", 0.5, 1, False),
        # As good and as cheap as another: neither is worse.
        ("same", 0.5, 1, False),
        ("poor", 0.25, 1, True),
        ("dear", 1.0, 4, False),
    ]
    assert told({name: arms[name] for name in ("dear", "cheap")}, plain(4))["front"] == []
