"""Arms of stored runs as one run, so that they are shown on the page that every run has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.compare import Arm, Compared, Pair
from harness.errors import SourceLocation
from harness.records import Result
from harness.runs.loaded import quoted, read_run
from harness.runs.reporting import Reporting, known_format
from harness.store import RunFolder, read_results
from harness.suites.suite import Against, Suite, Variant
from harness.summary import RunSummary, summarise

#: The files of a comparison in the later run's folder, by format.
FILES: Mapping[str, str] = {
    "html": "compare.html",
    "md": "compare.md",
    "junit": "compare.xml",
    "csv": "compare.csv",
    "json": "compare.json",
    "parquet": "compare.parquet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A comparison of stored arms as a summary with its results."""

    summary: RunSummary
    #: What was compared, adjusted for all that was compared at once, as the summary says it.
    compared: Compared
    suites: tuple[Suite, ...]
    #: The folder of the later run.
    folder: RunFolder
    #: What each arm is called here, by its run, suite and variant: suite and variant.
    labels: Mapping[tuple[str, str, str], tuple[str, str]]
    #: Folders of all runs that are read.
    runs: Mapping[str, Path]

    @property
    def results(self) -> Sequence[Result]:
        """All results."""
        return tuple(self.read())

    @property
    def places(self) -> Mapping[tuple[str, str], SourceLocation]:
        """Where the cases of the later run stood."""
        return read_run(self.folder).places

    def facts(self) -> dict[str, str]:
        """Return what the page says of how the later run was made."""
        return read_run(self.folder).facts()

    def read(self) -> Iterator[Result]:
        """Yield the whole results from disk, under the names they have here.

        Raises:
            StorageError: A row is damaged.
        """
        for run, path in self.runs.items():
            for result in read_results(path):
                label = self.labels.get((run, result.suite, result.variant))
                if label is not None:
                    yield replace(result, suite=label[0], variant=label[1])


def joined(found: Compared, *, suites_of: Callable[[RunFolder], Sequence[Suite]], counted: bool = True) -> Joined:
    """Return what was compared as one run; there is at least one pair.

    Args:
        found: The arms.
        suites_of: Gives the suites of a run, as far as they decide it.
        counted: Whether to count the tokens by which prompts differ.

    Raises:
        StorageError: A run is damaged.
    """
    known = {arm.run: arm.path for pair in found.pairs for arm in (pair.a, pair.b) if arm.path is not None}
    outlines = {
        run: {suite.name: suite for suite in suites_of(RunFolder(path.parent, path.name))}
        for run, path in known.items()
    }
    by_suite: dict[str, list[Pair]] = {}
    for pair in found.pairs:
        by_suite.setdefault(pair.b.suite, []).append(pair)
    labels: dict[tuple[str, str, str], tuple[str, str]] = {}
    results: list[Result] = []
    suites = []
    planned: dict[tuple[str, str], int] = {}
    for name, pairs in by_suite.items():
        arms = {pair.names[0]: pair.a for pair in pairs} | {pair.names[1]: pair.b for pair in pairs}
        for label, arm in arms.items():
            labels[arm.run, arm.suite, arm.variant] = name, label
            planned[name, label] = len(arm.results)
            results += [replace(one, suite=name, variant=label) for one in arm.results]
        suites.append(_suite(name, pairs, arms, outlines))
    later = found.pairs[-1].b.run
    folder = RunFolder(known[later].parent, later)
    summary = summarise(
        " and ".join(known),
        suites,
        results,
        planned=planned,
        prices=quoted(folder.read_manifest()),
        mode="none",
        counted=counted,
        # One verdict: what was found is what is shown, with all that it allows for.
        compared={name: [pair.comparison for pair in pairs] for name, pairs in by_suite.items()},
    )
    told = {(suite.name, one.candidate): one for suite in summary.suites for one in suite.comparisons}
    compared = replace(
        found,
        pairs=tuple(
            replace(pair, comparison=told.get((pair.b.suite, pair.names[1]), pair.comparison)) for pair in found.pairs
        ),
    )
    return Joined(summary=summary, compared=compared, suites=tuple(suites), folder=folder, labels=labels, runs=known)


def _suite(
    name: str, pairs: Sequence[Pair], arms: Mapping[str, Arm], outlines: Mapping[str, Mapping[str, Suite]]
) -> Suite:
    last = outlines[pairs[-1].b.run][name]
    before = outlines[pairs[0].a.run].get(pairs[0].a.suite)
    variants = []
    for label, arm in arms.items():
        suite = outlines[arm.run].get(arm.suite)
        found = suite.by_name.get(arm.variant) if suite is not None else None
        variants.append(
            replace(found, name=label) if found is not None else Variant(name=label, where=SourceLocation(last.shown))
        )
    against = Against(
        source=pairs[0].a.run,
        pairs={pair.names[1]: pair.names[0] for pair in pairs},
        others=tuple(dict.fromkeys(pair.names[0] for pair in pairs)),
        gates=False,
        checks=before.checked if before is not None and before is not last else {},
    )
    if last.against is not None and all(pair.a.run == pair.b.run for pair in pairs):
        # What the run itself set side by side: it also knows what was left out of it.
        against = replace(last.against, pairs=against.pairs, others=against.others, gates=False)
    return replace(last, variants=tuple(variants), baseline=None, against=against)


def write(both: Joined, formats: Sequence[str], outputs: Sequence[Path] = ()) -> list[Path]:
    """Write the reports of a comparison, in the later run's folder and elsewhere; return their paths.

    Raises:
        UsageError: A format or suffix is not known.
        StorageError: A file could not be written.
    """
    paths = [both.folder.path / FILES[known_format(name)] for name in dict.fromkeys(formats)]
    return Reporting(run=both).write((), [*paths, *outputs])
