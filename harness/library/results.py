"""A run in Python: its results, frames, comparisons, and what a notebook shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.compare import Arm, compare_pair
from harness.errors import ExitCode, UsageError, did_you_mean
from harness.records import Outcome, Result
from harness.runs.loaded import StoredRun, read_run
from harness.stats.verdicts import VerdictKind
from harness.store import RunFolder
from harness.suites.suite import Suite
from harness.summary import Comparison as Found

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One variant against another, paired by case."""

    #: What `harness compare` prints.
    text: str
    #: The sentence that says it all: which is better, by how much, how sure that is, and what it would take to know.
    verdict: str
    #: The rule that holds: better, worse, equivalent, not_worse, no_evidence, not_enough_data; None: nothing to compare.
    kind: VerdictKind | None
    #: Difference in accuracy, a fraction; None: nothing to compare.
    difference: float | None
    #: Its 95 percent interval.
    interval: tuple[float, float] | None
    #: The cases that were paired.
    cases: int

    def __str__(self) -> str:
        return self.text


class Run:
    """A run whose results are stored; it is read from its folder when it is first asked for something.

    Everything raises StorageError where the folder holds damaged files; the message names the file and the line.
    """

    def __init__(self, folder: RunFolder, stored: StoredRun | None = None) -> None:
        self._folder = folder
        if stored is not None:
            vars(self)["_stored"] = stored

    @cached_property
    def _stored(self) -> StoredRun:
        return read_run(self._folder, counted=True)

    @property
    def id(self) -> str:
        return self._folder.run

    @property
    def folder(self) -> Path:
        """Where run.json, results.jsonl and the reports lie."""
        return self._folder.path

    @property
    def report(self) -> Path | None:
        """The page of HTML, else the Markdown; None: neither was written."""
        found = (self.folder / name for name in ("report.html", "summary.md"))
        return next((path for path in found if path.is_file()), None)

    @property
    def exit_code(self) -> int:
        """What `harness run` would have ended with; 0: all that was asked for holds."""
        return int(self._stored.summary.exit_code)

    @property
    def passed(self) -> bool:
        """Whether all that was asked for holds: gates, required cases, trials of the candidates."""
        return self._stored.summary.exit_code is ExitCode.PASSED

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What run.json holds."""
        return self._stored.manifest

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """One result per trial, in plan order."""
        return tuple(self._stored.read())

    def summary(self) -> str:
        """Return what `harness run` printed: tables, verdicts, gates, failing trials."""
        from harness.reports import text

        summary = self._stored.summary
        return text.render(summary, [one for one in self._stored.results if one.outcome is not Outcome.PASSED])

    def plain(self) -> dict[str, Any]:
        """Return the summary as plain data, as `harness run --json` prints it."""
        from harness.reports.export import summary_data

        return summary_data(self._stored.summary)

    def frame(self) -> DataFrame:
        """Return the results as a pandas DataFrame, one row per trial in plan order.

        Columns:
            run, suite, case, variant: names. `repeat`: from 1. `tags`: lists (`.explode("tags")`).
            outcome: passed, failed, error or skipped. `passed`: nullable boolean, NA where nothing was graded.
            score: weighted mean of the checks, 0 to 1.
            latency, ttft: seconds, as recorded. `model_time`, `tool_time`, `retry_time`: what the latency is made of.
            `cost`, `judge_cost`: US dollars. All float64, NaN where not known.
            input_tokens, output_tokens, cached_input_tokens, reasoning_tokens, attempts: Int64, NA where not known.
            model, prompt, prompt_hash, finish_reason: what answered, what it was told, why it ended.
            error, error_message: of trials that ended in error. `recorded_at`: time in UTC. `cassette`: path.
            input, output: text. Then `metadata.<name>` for each fact of the cases: boolean, Int64 or float64 where all
            its values are, else text.

        Raises:
            UsageError: pandas is not installed.
        """
        from harness.library import frames

        return frames.of_results(self.results)

    def breakdown(self, *by: str) -> DataFrame:
        """Return accuracy with its 95 percent interval, latency, cost and the difference to the baseline by slices.

        Each variant stands on its own; columns are in docs/how-to/python.md.

        Args:
            by: `tag`, `case`, `variant`, `model`, `prompt`, `api`, `cluster`, `finish_reason`, `error` or
                `metadata.<name>`; several are crossed. A trial with several tags counts under each of them.

        Raises:
            UsageError: There is no such key, or pandas is not installed.
        """
        from harness.library import frames

        if not all(isinstance(key, str) for key in by):
            raise UsageError(f"breakdown takes keys one by one, as in breakdown('tag', 'metadata.lang'), not {by!r}")
        return frames.of_slices(self._stored.results, by, self._stored.suites)

    def compare(self, a: str | None = None, b: str | None = None) -> Comparison:
        """Compare variant `b` with variant `a`, case by case.

        Args:
            a: A variant, or `SUITE:VARIANT` where several suites have one of that name; default: the suite's baseline.
            b: The other one; default: the only other variant.

        Raises:
            UsageError: There is no such variant, or several; or both are the same.
        """
        from harness.comparing.stored import joined
        from harness.reports import text

        arms = self._arms()
        suites = {suite.name: suite for suite in self._stored.suites}
        other = _named(arms, b) if b is not None else None
        first = _named(arms, a) if a is not None else _baseline(arms, other, suites)
        if other is None:
            rest = [arm for arm in arms if arm.suite == first.suite and arm != first]
            if len(rest) != 1:
                names = ", ".join(arm.name for arm in rest) or "none"
                raise UsageError(f"name the variant to compare with {first.name}; there are: {names}")
            other = rest[0]
        compared = compare_pair(first, other, suites=suites)
        both = joined(compared, suites_of=lambda run: self._stored.suites, counted=False)
        return _comparison(text.render(both.summary, failures=0), both.compared.comparisons[0])

    def _arms(self) -> list[Arm]:
        found: dict[tuple[str, str], list[Result]] = {}
        for result in self._stored.results:
            found.setdefault((result.suite, result.variant), []).append(result)
        return [
            Arm(run=self.id, suite=suite, variant=variant, results=tuple(results), path=self.folder)
            for (suite, variant), results in found.items()
        ]

    def __repr__(self) -> str:
        return f"<harness.Run {self.id}>"

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        from harness.library.notebook import fragment

        return fragment(self._stored.summary)


def _comparison(text: str, found: Found) -> Comparison:
    difference = found.difference
    return Comparison(
        text=text,
        verdict=found.text,
        kind=found.verdict.kind if found.verdict else None,
        difference=difference.estimate if difference else None,
        interval=(difference.interval.low, difference.interval.high) if difference else None,
        cases=found.cases,
    )


def _named(arms: list[Arm], word: str) -> Arm:
    found = [arm for arm in arms if word in (arm.name, arm.variant)]
    if len(found) == 1:
        return found[0]
    names = [arm.name for arm in arms]
    if found:
        raise UsageError(f"'{word}' could be any of {', '.join(arm.name for arm in found)}")
    hint = did_you_mean(word, [*(arm.variant for arm in arms), *names]) or f"There are: {', '.join(names)}."
    raise UsageError(f"no variant of this run is called '{word}'. {hint}")


def _baseline(arms: list[Arm], other: Arm | None, suites: Mapping[str, Suite]) -> Arm:
    names = list(dict.fromkeys(arm.suite for arm in arms))
    if not names:
        raise UsageError("the run holds no trials, so there is nothing to compare")
    if other is None and len(names) != 1:
        raise UsageError(f"the run holds several suites ({', '.join(names)}): name two variants")
    suite = other.suite if other else names[0]
    against = suites[suite].against
    baseline = (against.pairs.get(other.variant) if against and other else None) or suites[suite].baseline
    found = next((arm for arm in arms if arm.suite == suite and arm.variant == baseline), None)
    if found is None:
        raise UsageError(f"the baseline of suite '{suite}' is not in this run: name two variants")
    return found
