"""The comparisons of the shipped suites, recomputed from results.jsonl alone with scipy and statsmodels."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import normal_sample_size_one_tail
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from tests.projects import harness

ROOT = Path(__file__).parent.parent
#: The baseline and the margin of each suite, as its file gives them; 0.05 is the documented default.
SUITES = {"faq": ("v1", 0.05), "triage": ("v1", 0.05), "migration": ("threads", 0.15), "streaming": ("chat", 0.05)}
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Shipped:
    run: Mapping[str, Any]
    compared: Sequence[Mapping[str, Any]]
    rows: Sequence[Row]

    def arms(self, suite: str, candidate: str) -> list[list[tuple[Row, Row]]]:
        """Pairs of trials of the baseline and a candidate, case by case."""
        cases: dict[str, dict[tuple[str, int], Row]] = {}
        for row in self.rows:
            if row["suite"] == suite:
                cases.setdefault(row["case"], {})[row["variant"], row["repeat"]] = row
        baseline = SUITES[suite][0]
        return [
            [(found[baseline, n], row) for (variant, n), row in found.items() if variant == candidate]
            for found in cases.values()
        ]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    """All shipped suites, replayed once, and what `harness compare` says of that run."""
    root = tmp_path_factory.mktemp("shipped")
    for name in ("suites", "prompts", "cassettes"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "pyproject.toml", root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        run = harness("run", *(f"suites/{name}.yaml" for name in SUITES), "--json")
        assert run.exit_code == 0, run.output
        compared = harness("compare", "--json")
        assert compared.exit_code == 0, compared.output
    summary = json.loads(run.stdout)
    lines = (root / summary["report"]).with_name("results.jsonl").read_text("utf-8").splitlines()
    return Shipped(summary, json.loads(compared.stdout)["comparisons"], [json.loads(line) for line in lines])


def passed(row: Row) -> int:
    assert row["outcome"] in ("passed", "failed")
    return int(row["outcome"] == "passed")


def case_means(cases: list[list[tuple[Row, Row]]], read: Callable[[Row], float]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([np.mean([read(x) for x, _ in pairs]) for pairs in cases]),
        np.array([np.mean([read(y) for _, y in pairs]) for pairs in cases]),
    )


def score_z(n: int, fixed: int, broken: int, delta: float) -> float:
    """Tango's score statistic; the nuisance parameter is found by maximising the likelihood, not by his formula."""

    def likelihood(q: float) -> float:
        # Shares of broken, fixed and unchanged cases when the difference is delta.
        shares = (q, q + delta, 1 - 2 * q - delta)
        counts = (broken, fixed, n - fixed - broken)
        return -sum(count * math.log(max(share, 1e-300)) for count, share in zip(counts, shares, strict=True) if count)

    low, high = max(0.0, -delta), (1 - delta) / 2
    q = optimize.minimize_scalar(likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    return (fixed - broken - n * delta) / math.sqrt(n * (2 * q + delta - delta**2))


def score_interval(n: int, fixed: int, broken: int, level: float) -> tuple[float, float]:
    reach, centre = stats.norm.ppf((1 + level) / 2), (fixed - broken) / n
    edges = [(-1 + 1e-9, centre - 1e-6, reach), (centre + 1e-6, 1 - 1e-9, -reach)]
    low, high = (optimize.brentq(lambda at, z=z: score_z(n, fixed, broken, at) - z, a, b) for a, b, z in edges)
    return low, high


@dataclass(frozen=True)
class Recomputed:
    """The difference of one candidate, by means of its own."""

    changes: np.ndarray
    repeats: int

    @property
    def adjusted(self) -> np.ndarray:
        """With one more case at +1/sqrt(R), and one at -1/sqrt(R)."""
        return np.append(self.changes, [self.repeats**-0.5, -(self.repeats**-0.5)])

    @property
    def counts(self) -> tuple[int, int, int]:
        return len(self.changes), int((self.changes > 0).sum()), int((self.changes < 0).sum())

    @property
    def p(self) -> float:
        n, fixed, broken = self.counts
        if self.repeats == 1:
            if not fixed + broken:
                return 1.0
            return float(mcnemar([[n - fixed - broken, fixed], [broken, 0]], exact=False, correction=False).pvalue)
        z = self.adjusted.mean() / (self.adjusted.std() / math.sqrt(n + 2))
        return float(2 * stats.t.sf(abs(z), n - 1))

    def interval(self, level: float) -> tuple[float, float]:
        n, fixed, broken = self.counts
        if self.repeats == 1:
            return score_interval(n, fixed, broken, level)
        error = self.adjusted.std() / math.sqrt(n + 2)
        low, high = stats.t.interval(level, n - 1, self.adjusted.mean(), error)
        return float(low), float(high)

    def kind(self, level: float, margin: float) -> str:
        """The first row of the documented table that holds."""
        low, high = self.interval(level)
        low90, high90 = self.interval(2 * level - 1)
        n = len(self.changes)
        needed = normal_sample_size_one_tail(margin, 0.8, (1 - level) / 2, self.adjusted.std())
        rows = {
            "better": low > 0,
            "worse": high < 0,
            "equivalent": -margin < low90 and high90 < margin,
            "not_worse": low > -margin,
            "no_evidence": n >= needed,
            "not_enough_data": True,
        }
        return next(kind for kind, holds in rows.items() if holds)


def recomputed(shipped: Shipped, suite: str) -> dict[str, tuple[Recomputed, float]]:
    """Every candidate of a suite and the level of its interval, by Holm's procedure."""
    names = dict.fromkeys(row["variant"] for row in shipped.rows if row["suite"] == suite)
    found = {}
    for name in names:
        if name != SUITES[suite][0]:
            a, b = case_means(arms := shipped.arms(suite, name), passed)
            found[name] = Recomputed(b - a, len(arms[0]))
    rejected, _, _, _ = multipletests([one.p for one in found.values()], alpha=0.05, method="holm")
    left = len(found) - int(rejected.sum())
    order = sorted(found, key=lambda name: found[name].p)
    tests = {name: max(len(found) - place, left, 1) for place, name in enumerate(order)}
    return {name: (one, 1 - 0.05 / tests[name]) for name, one in found.items()}


@pytest.mark.parametrize("suite", SUITES)
def test_difference_interval_and_verdict(shipped: Shipped, suite: str) -> None:
    margin = SUITES[suite][1]
    said = {one["candidate"]: one for one in shipped.compared if one["suite"] == suite}
    in_run = next(one for one in shipped.run["suites"] if one["name"] == suite)["comparisons"]
    assert {one["candidate"]: one["text"] for one in in_run} == {name: one["text"] for name, one in said.items()}
    found = recomputed(shipped, suite)
    assert found.keys() == said.keys()
    for name, (one, level) in found.items():
        difference, verdict = said[name]["difference"], said[name]["verdict"]
        n, fixed, broken = one.counts
        assert difference["estimate"] == pytest.approx(one.changes.mean())
        assert (difference["cases"], difference["fixed"], difference["broken"]) == (n, fixed, broken)
        assert difference["interval"]["level"] == pytest.approx(level)
        low, high = one.interval(level)
        assert (difference["interval"]["low"], difference["interval"]["high"]) == pytest.approx((low, high), abs=1e-5)
        low, high = one.interval(2 * level - 1)
        assert (difference["interval90"]["low"], difference["interval90"]["high"]) == pytest.approx(
            (low, high), abs=1e-5
        )
        assert (difference["interval"]["low"] > 0 or difference["interval"]["high"] < 0) == (one.p < 1 - level)
        assert (verdict["kind"], verdict["margin"]) == (one.kind(level, margin), margin)
        if verdict["kind"] == "not_enough_data":
            needed = normal_sample_size_one_tail(margin, 0.8, (1 - level) / 2, one.adjusted.std())
            assert verdict["needed"] == max(math.ceil(needed) - n, 1)


@pytest.mark.parametrize("suite", SUITES)
def test_tags(shipped: Shipped, suite: str) -> None:
    for said in (one for one in shipped.compared if one["suite"] == suite):
        tags: dict[str, list[list[tuple[Row, Row]]]] = {}
        for pairs in shipped.arms(suite, said["candidate"]):
            for tag in pairs[0][1]["tags"]:
                tags.setdefault(tag, []).append(pairs)
        found = {}
        for tag in sorted(tags):
            a, b = case_means(tags[tag], passed)
            found[tag] = Recomputed(b - a, len(tags[tag][0]))
        assert [one["tag"] for one in said["tags"]] == list(found)
        if not found:
            continue
        _, adjusted, _, _ = multipletests([one.p for one in found.values()], method="holm")
        assert [one["p"] for one in said["tags"]] == pytest.approx(list(adjusted), abs=1e-6)
        for one, mine in zip(said["tags"], found.values(), strict=True):
            low, high = mine.interval(1 - 0.05 / len(found))
            if low > -1 and high < 1:
                bounds = (max(low, -1), min(high, 1))
                assert (one["interval"]["low"], one["interval"]["high"]) == pytest.approx(bounds, abs=1e-4)


@pytest.mark.parametrize("suite", SUITES)
def test_costs_tokens_and_times(shipped: Shipped, suite: str) -> None:
    for said in (one for one in shipped.compared if one["suite"] == suite):
        cases = shipped.arms(suite, said["candidate"])
        for key, read in (
            ("cost", lambda row: float(row["cost"])),
            ("input_tokens", lambda row: row["usage"]["input"]),
            ("output_tokens", lambda row: row["usage"]["output"]),
        ):
            a, b = case_means(cases, read)
            low, high = DescrStatsW(b - a).tconfint_mean(0.05)
            assert said[key]["estimate"] == pytest.approx((b - a).mean())
            assert (said[key]["interval"]["low"], said[key]["interval"]["high"]) == pytest.approx((low, high))
        if said["latency_withheld"]:
            # Threads are recorded through a simulated protocol.
            assert "threads" in (said["baseline"], said["candidate"]) and said["latency"] is None
            continue
        for key in ("latency", "ttft"):
            a, b = case_means(cases, lambda row, key=key: math.log(row[key]))
            low, high = np.exp(stats.ttest_1samp(b - a, 0).confidence_interval(0.95))
            assert said[key]["estimate"] == pytest.approx(math.exp((b - a).mean()))
            assert (said[key]["interval"]["low"], said[key]["interval"]["high"]) == pytest.approx((low, high))


@pytest.mark.parametrize("suite", SUITES)
def test_accuracies(shipped: Shipped, suite: str) -> None:
    for variant in next(one for one in shipped.run["suites"] if one["name"] == suite)["variants"]:
        cases: dict[str, list[int]] = {}
        for row in shipped.rows:
            if (row["suite"], row["variant"]) == (suite, variant["name"]):
                cases.setdefault(row["case"], []).append(passed(row))
        means = np.array([np.mean(found) for found in cases.values()])
        rate, n, runs = means.mean(), len(means), sum(map(len, cases.values()))
        assert variant["accuracy"] == pytest.approx(rate)
        if runs == n:
            low, high = proportion_confint(int(means.sum()), n, method="wilson")
        else:
            effective = np.clip(rate * (1 - rate) / (means.var(ddof=1) / n), n, runs)
            reach = stats.t.ppf(0.975, n - 1)
            edge = lambda p: (rate - p) ** 2 - reach**2 * p * (1 - p) / effective  # noqa: E731 (Wilson's definition)
            low, high = optimize.brentq(edge, 0, rate), optimize.brentq(edge, rate, 1)
        assert (variant["interval"]["low"], variant["interval"]["high"]) == pytest.approx((low, high))
