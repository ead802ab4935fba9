"""Reports of a stored run, made again from what its folder holds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.errors import SourceLocation, UsageError, did_you_mean
from harness.records import JSON, Outcome, Result
from harness.reports import export, sliced, tables, text
from harness.store import RunFolder, encode, write_file
from harness.store.rows import plain
from harness.suites.suite import Suite
from harness.summary import RunSummary
from harness.summary.breakdown import Slice, breakdown

#: The formats of a report, and the file of each in the run's folder.
FORMATS: Mapping[str, str] = {
    "html": "report.html",
    "md": "summary.md",
    "junit": "junit.xml",
    "csv": "results.csv",
    "json": "report.json",
    "parquet": "results.parquet",
}
#: What a run writes by itself.
DEFAULTS = ("html", "md", "junit")
_SUFFIXES = {
    ".html": "html",
    ".md": "md",
    ".xml": "junit",
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".parquet": "parquet",
}


class Reported(Protocol):
    """What can be reported: a stored run, or stored arms side by side."""

    @property
    def folder(self) -> RunFolder: ...

    @property
    def results(self) -> Sequence[Result]: ...

    @property
    def summary(self) -> RunSummary: ...

    def read(self) -> Iterator[Result]: ...

    @property
    def suites(self) -> Sequence[Suite]: ...

    @property
    def places(self) -> Mapping[tuple[str, str], SourceLocation]: ...

    def facts(self) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """What is reported, and what its reports are to show."""

    run: Reported
    #: Keys to break results down by, all at once.
    by: tuple[str, ...] = ()
    #: Whether to show what the assistant said.
    outputs: bool = True

    @property
    def summary(self) -> RunSummary:
        """The run's summary, as far as it is to be shown."""
        return self.run.summary if self.outputs else export.summary_without_outputs(self.run.summary)

    def text(self, *, color: bool = False, width: int = 100) -> str:
        """Return what the run printed, and the breakdown below it.

        Raises:
            UsageError: There is no such key to break down by.
        """
        shown = [one for one in self._shown(self.run.results) if one.outcome is not Outcome.PASSED]
        parts = [text.render(self.summary, shown, color=color, width=width)]
        if self.by:
            parts.append(self.broken_down(width=width))
        return "\n".join(parts)

    def broken_down(self, *, width: int = 100) -> str:
        """Return the breakdown as a table."""
        slices = self.slices()
        told = f"by {', '.join(self.by)}\n\n{tables.listing(sliced.table(slices, self.by), width=width)}"
        note = sliced.footnote(slices)
        return f"{told}\n{note}\n" if note else told

    def plain(self, *, trials: bool = False) -> dict[str, JSON]:
        """Return the summary as plain data, as `harness run --json` prints it.

        Args:
            trials: Whether to add one flat row per trial.
        """
        found = export.summary_data(self.summary)
        if self.by:
            found["breakdown"] = {"by": list(self.by), "rows": sliced.rows(self.slices(), self.by)}
        if trials:
            found["trials"] = plain([export.flat(result) for result in self._read()])
        return found

    def slices(self) -> tuple[Slice, ...]:
        """Return the run's results, broken down."""
        return breakdown(self.run.results, self.by, self.run.suites)

    def write(self, formats: Sequence[str], outputs: Sequence[Path] = ()) -> list[Path]:
        """Write reports and return their paths. A CSV holds the breakdown, where there is one, instead of the trials.

        Args:
            formats: Some of `FORMATS`, for the run's folder.
            outputs: Other files, each in the format that its suffix names.

        Raises:
            UsageError: A format or suffix is not known, or needs what is not installed.
            StorageError: A file could not be written, or the run not be read.
        """
        wanted = [(known_format(name), self.run.folder.path / self._file(name)) for name in formats]
        wanted += [(format_of(path), path) for path in outputs]
        made: dict[str, str | bytes] = {}
        for name, _ in wanted:
            if name not in made:
                made[name] = self._made(name)
        return [write_file(path, made[name]) for name, path in wanted]

    def _file(self, name: str) -> str:
        return "breakdown.csv" if name == "csv" and self.by else FORMATS[name]

    def _made(self, name: str) -> str | bytes:
        from harness.reports import html, junit, parquet

        summary = self.summary
        makers: dict[str, Callable[[], str | bytes]] = {
            "html": lambda: html.render(summary, self._read, facts=self.run.facts()),
            "md": self._markdown,
            "junit": lambda: junit.render(summary, self._read(), places=self.run.places),
            "csv": self._csv,
            "jsonl": lambda: "".join(f"{encode(result)}\n" for result in self._read()),
            "json": lambda: json.dumps(self.plain(trials=True), indent=2, ensure_ascii=False) + "\n",
            "parquet": lambda: parquet.render(self._read()),
        }
        return makers[name]()

    def _csv(self) -> str:
        if self.by:
            return export.csv_text(sliced.rows(self.slices(), self.by), ())
        return export.csv_text([export.flat(result) for result in self._read()])

    def _markdown(self) -> str:
        from harness.reports import github, markdown

        slices = self.slices() if self.by else ()
        rows, note = sliced.table(slices, self.by), sliced.footnote(slices)
        link = github.artifacts(os.environ)
        shown = self._shown(self.run.results)
        return markdown.render(self.summary, shown, link=link, by=self.by, slices=rows, note=note)

    def _read(self) -> Iterator[Result]:
        return iter(self._shown(self.run.read()))

    def _shown(self, results: Iterable[Result]) -> Iterable[Result]:
        return results if self.outputs else export.without_outputs(results)


def known_format(name: str) -> str:
    """Return the name of a format.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in FORMATS:
        hint = did_you_mean(name, list(FORMATS)) or f"There are: {', '.join(FORMATS)}."
        raise UsageError(f"--format: '{name}' is no format. {hint}")
    _check_installed(name)
    return name


def format_of(path: Path) -> str:
    """Return the format that a file's suffix names.

    Raises:
        UsageError: It names none, or the folder is not there.
    """
    if path.suffix not in _SUFFIXES:
        raise UsageError(f"-o {path}: the suffix says what to write; known are {', '.join(_SUFFIXES)}")
    if not path.parent.is_dir():
        raise UsageError(f"-o {path}: there is no folder {path.parent}")
    _check_installed(_SUFFIXES[path.suffix])
    return _SUFFIXES[path.suffix]


def _check_installed(name: str) -> None:
    """See before anything is run or paid for that a format can be written.

    Raises:
        UsageError: It needs what is not installed.
    """
    if name == "parquet":
        from harness.reports import parquet

        parquet.check_installed()
