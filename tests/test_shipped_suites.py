"""The suites that ship, replayed: what they say is recomputed here from their rows, by other means."""

from __future__ import annotations

import json
import math
import random
import shutil
import statistics
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

from tests.projects import harness

ROOT = Path(__file__).parent.parent


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's own suites with their recordings, somewhere else and without an endpoint or key."""
    for name in ("suites", "prompts", "cassettes"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def replayed(root: Path, suite: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    ran = harness("run", f"suites/{suite}.yaml", "--json")
    assert ran.exit_code == 0, ran.output
    summary = json.loads(ran.stdout)
    rows = (root / summary["report"]).with_name("results.jsonl").read_text().splitlines()
    return summary["suites"][0], [json.loads(row) for row in rows]


def by_case(rows: list[dict[str, Any]]) -> dict[str, dict[str, list[int]]]:
    found: dict[str, dict[str, list[int]]] = {}
    for row in rows:
        assert row["outcome"] in ("passed", "failed")
        found.setdefault(row["case"], {}).setdefault(row["variant"], []).append(int(row["outcome"] == "passed"))
    return found


def test_the_comparison_of_triage_agrees_with_a_recomputation_from_its_rows(copy: Path) -> None:
    suite, rows = replayed(copy, "triage")
    cases = by_case(rows)
    assert len(cases) >= 40
    assert all(len(one["v1"]) == len(one["v2"]) == 2 for one in cases.values())
    changes = [statistics.mean(one["v2"]) - statistics.mean(one["v1"]) for one in cases.values()]
    (compared,) = suite["comparisons"]
    difference = compared["difference"]
    assert difference["estimate"] == pytest.approx(statistics.mean(changes))
    assert (difference["cases"], difference["pairs"]) == (len(cases), len(rows) / 2)
    assert difference["fixed"] == sum(change > 0 for change in changes)
    assert difference["broken"] == sum(change < 0 for change in changes)

    # Student's t over the cases, with one more at +1/sqrt(2 repeats) and one at -1/sqrt(2), variances over n + 2.
    adjusted = [*changes, math.sqrt(0.5), -math.sqrt(0.5)]
    error = statistics.pstdev(adjusted) / math.sqrt(len(adjusted))
    for name, level in (("interval", 0.95), ("interval90", 0.90)):
        reach = scipy.stats.t.ppf((1 + level) / 2, len(changes) - 1) * error
        assert difference[name]["low"] == pytest.approx(max(statistics.mean(adjusted) - reach, -1))
        assert difference[name]["high"] == pytest.approx(min(statistics.mean(adjusted) + reach, 1))

    # And a bootstrap over whole cases, which knows nothing of any formula, comes to much the same.
    chance = random.Random(1)
    means = sorted(statistics.mean(chance.choices(changes, k=len(changes))) for _ in range(4000))
    assert difference["interval"]["low"] == pytest.approx(means[100], abs=0.04)
    assert difference["interval"]["high"] == pytest.approx(means[3900], abs=0.04)


def test_compare_says_of_triage_what_its_run_says(copy: Path) -> None:
    suite, _ = replayed(copy, "triage")
    compared = harness("compare", "triage:v1", "triage:v2")
    (said,) = suite["comparisons"]
    assert " ".join(said["text"].split()) in " ".join(compared.output.split())


def test_compare_decides_as_the_run_did_whatever_the_suites_say_today(copy: Path) -> None:
    ran = harness("run", "suites/triage.yaml", "--baseline", "v2", "--json")
    (said,) = json.loads(ran.stdout)["suites"][0]["comparisons"]
    assert said["text"].startswith("v1 is worse")
    (copy / "suites/broken.yaml").write_text("suite: [\n")
    compared = harness("compare")
    assert compared.exit_code == ran.exit_code == 1, compared.output
    assert " ".join(said["text"].split()) in " ".join(compared.output.split())


@pytest.mark.parametrize("name", ["faq", "migration", "triage"])
def test_accuracies_are_shares_of_passes_averaged_over_cases(copy: Path, name: str) -> None:
    suite, rows = replayed(copy, name)
    cases = by_case(rows)
    for variant in suite["variants"]:
        shares = [statistics.mean(one[variant["name"]]) for one in cases.values()]
        assert variant["accuracy"] == pytest.approx(statistics.mean(shares))
        own = [row for row in rows if row["variant"] == variant["name"]]
        assert variant["latency_p50"] == pytest.approx(statistics.median(row["latency"] for row in own))
        assert float(variant["cost"]) == pytest.approx(sum(float(row["cost"]) for row in own))


def test_the_port_to_responses_is_shown_not_worse_by_a_margin_that_the_suite_gives(copy: Path) -> None:
    suite, rows = replayed(copy, "migration")
    cases = by_case(rows)
    changes = [one["responses"][0] - one["threads"][0] for one in cases.values()]
    (compared,) = suite["comparisons"]
    assert compared["difference"]["estimate"] == pytest.approx(statistics.mean(changes))
    assert compared["difference"]["fixed"] == changes.count(1)
    assert compared["difference"]["broken"] == changes.count(-1)
    assert (compared["verdict"]["kind"], compared["margin"], compared["margin_given"]) == ("not_worse", 0.15, True)
    assert compared["difference"]["interval"]["low"] > -0.15
    said = " ".join(harness("compare", "migration:threads", "migration:responses").output.split())
    assert "responses is not worse than threads by more than 15.0 pp" in said


def test_recordings_of_threads_and_of_their_port_give_the_same_kind_of_transcript(copy: Path) -> None:
    _, rows = replayed(copy, "migration")
    of = {(row["variant"], row["case"]): row for row in rows}
    cases = {row["case"] for row in rows if len(row["turns"]) < 2}
    assert len(cases) == 20
    for case in cases:
        old, port = of["threads", case], of["responses", case]
        assert list(old) == list(port)
        assert [one["role"] for one in old["messages"]] == [one["role"] for one in port["messages"]]
        for name in ("name", "arguments", "output", "error"):
            assert [one[name] for one in old["tool_calls"]] == [one[name] for one in port["tool_calls"]]
        assert all(row["usage"]["output"] > 0 and row["ttft"] > 0 for row in (old, port))


def test_what_was_recorded_on_threads_says_so_and_is_not_recorded_over(copy: Path) -> None:
    ran = harness("run", "suites/migration.yaml")
    told = " ".join(ran.output.split())
    assert "through a simulated protocol in 22 trials, from recordings that cannot be made again in 22 trials" in told
    before = {path: path.read_bytes() for path in (copy / "cassettes/migration").rglob("*.yaml")}
    refused = harness("record", "suites/migration.yaml", "--rewrite", "--yes")
    assert refused.exit_code == 2
    assert "cannot be made again" in refused.output
    assert {path: path.read_bytes() for path in (copy / "cassettes/migration").rglob("*.yaml")} == before
