"""All recordings looked at: each by itself, and whether a trial would replay it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.costs import PriceTable
from harness.errors import ConfigError
from harness.hygiene.belonging import Belonging, belonging
from harness.hygiene.inspecting import Finding, Inspector, Subject
from harness.hygiene.places import leftovers, recordings
from harness.plan import Trial
from harness.project.project import Project
from harness.records import JSON
from harness.runs.ageing import case_hash, definition_hash
from harness.runs.opening import assistants_of, named_secrets, redactor_of
from harness.settings import Settings
from harness.summary import phrases

#: Files that are looked at in one process before starting others is worth their while.
_ALONE = 600
_CHUNK = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was found."""

    files: int
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        return sum(one.level == "error" for one in self.findings)

    @property
    def warnings(self) -> int:
        return len(self.findings) - self.errors

    def plain(self) -> dict[str, JSON]:
        return {
            "files": self.files,
            "errors": self.errors,
            "warnings": self.warnings,
            "findings": [one.plain() for one in self.findings],
        }


def verify(project: Project, paths: Sequence[Path] = ()) -> Verified:
    """Look at recordings, offline.

    Args:
        project: The project whose suites they should belong to.
        paths: Files and folders; none: all of the project's.

    Raises:
        UsageError: A path does not exist.
    """
    folder = project.settings.cassettes
    files = recordings(paths, folder)
    known: Belonging | None = None
    remarks: list[Finding] = []
    try:
        known = belonging(project)
    except ConfigError as error:
        first = str(error).splitlines()[0]
        message = f"its suites do not load, so nobody knows what belongs to them: {first}"
        remarks.append(Finding(path=project.shown(folder), level="warning", kind="suites", message=message))
    specs = assistants_of(known.trials.values()) if known is not None else []
    look = _Subjects(project, known)
    subjects = [look.of(path) for path in files]
    for findings in _inspected(subjects, project.settings, named_secrets(specs)):
        remarks += findings
    remarks = _gathered(remarks)
    if known is not None:
        remarks += _orphans(project, files, known)
    if not paths:
        for path in leftovers(folder):
            message = "a process died while it wrote this; `harness cassettes prune --write`"
            remarks.append(Finding(path=project.shown(path), level="warning", kind="leftover", message=message))
    return Verified(files=len(files), findings=tuple(sorted(remarks, key=lambda one: (one.level, one.path))))


def _gathered(found: Sequence[Finding]) -> list[Finding]:
    """Say of a folder once how many of its recordings are old: they are as a rule made, and grow old, together."""
    kept = [one for one in found if one.kind != "age"]
    old = Counter((one.path.rpartition("/")[0] or ".", one.message) for one in found if one.kind == "age")
    return kept + [
        Finding(path=folder, level="warning", kind="age", message=f"{phrases.count(number, 'recording')}: {message}")
        for (folder, message), number in old.items()
    ]


class _Subjects:
    """What is known of files beside what stands in them."""

    def __init__(self, project: Project, known: Belonging | None) -> None:
        self._project = project
        self._known = known
        self._root = f"{project.settings.root}{os.sep}"
        self._renderer = project.renderer()
        self._definitions: dict[int, str] = {}
        self._said: dict[tuple[str, str, str], str | None] = {}

    def of(self, path: Path) -> Subject:
        text = str(path)
        # Links to the project are looked up only where a path does not show that it lies inside: there may be thousands.
        inside = text.startswith(self._root)
        shown = text[len(self._root) :].replace(os.sep, "/") if inside else self._project.shown(path)
        trial = self._known.trials.get(path) if self._known is not None else None
        if trial is None or trial.variant.assistant.api == "outputs":
            return Subject(path=path, shown=shown)
        spec = trial.variant.assistant
        return Subject(
            path=path,
            shown=shown,
            model=spec.model,
            # Only what a suite points at in the answers of a service of one's own is known to be its tokens.
            priced=spec.api not in ("http", "python"),
            case_hash=self._case_hash(trial),
            definition=self._definition(trial),
        )

    def _definition(self, trial: Trial) -> str:
        # Variants live as long as their suites, which the trials hold.
        if id(trial.variant) not in self._definitions:
            self._definitions[id(trial.variant)] = definition_hash(trial.variant.assistant)
        return self._definitions[id(trial.variant)]

    def _case_hash(self, trial: Trial) -> str | None:
        """Return the hash of what a trial says; None where that depends on what it is answered."""
        suite, case, variant = trial.suite, trial.case, trial.variant
        # A conversation of several turns may have ended before its last one.
        if len(case.turns) != 1:
            return None
        key = (suite.name, case.id, variant.name)
        if key not in self._said:
            try:
                self._said[key] = case_hash(self._renderer.turns(suite, case, variant)[0])
            except ConfigError:
                self._said[key] = None
        return self._said[key]


def _orphans(project: Project, files: Iterable[Path], known: Belonging) -> Iterator[Finding]:
    for path in files:
        why = known.orphaned(path)
        if why is not None:
            yield Finding(
                path=project.shown(path), level="warning", kind="orphan", message=f"no trial replays it: {why}"
            )


def _inspected(subjects: Sequence[Subject], settings: Settings, named: Sequence[str]) -> Iterator[list[Finding]]:
    cores = min(os.cpu_count() or 1, 8)
    if len(subjects) < _ALONE or cores < 2:
        yield _inspect(subjects, settings, named)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    chunks = [subjects[at : at + _CHUNK] for at in range(0, len(subjects), _CHUNK)]
    count = len(chunks)
    # A fork would take over the locks of threads that are no more.
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_inspect, chunks, [settings] * count, [named] * count)


def _inspect(subjects: Sequence[Subject], settings: Settings, named: Sequence[str]) -> list[Finding]:
    redactor = redactor_of(settings)
    redactor.learn(named)
    inspector = Inspector(redactor=redactor, prices=PriceTable(settings.prices), max_age=settings.cassette_max_age)
    return [finding for subject in subjects for finding in inspector.inspect(subject)]
