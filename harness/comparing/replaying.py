"""The suites of another tree replayed, in a process of their own: its Python code never meets that of the project.

`replay` starts the process and reads what it left; `main` is the process. Nothing is sent, and nothing is written but
into a temporary folder. The checks of that tree are not applied: its transcripts are all that is wanted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.comparing.said import mocked_in, said_in
from harness.comparing.trees import Tree
from harness.errors import ConfigError, HarnessError, NothingSelected, UsageError
from harness.project.project import Project, find_suites, load, open_project, plan
from harness.records import JSON, Result
from harness.runs.outline import read_outline
from harness.store import RunFolder
from harness.suites.suite import Suite

_RUN = "base"
_TOLD = "told.json"
#: Settings whose variables name folders, which are looked for in the tree.
_FOLDERS = ("HARNESS_SUITES", "HARNESS_PROMPTS", "HARNESS_CASSETTES", "HARNESS_REPORTS", "HARNESS_RECORD_MODE")
#: The step of a CI job is told of what the project comes to.
_DROPPED = (*_FOLDERS, "GITHUB_STEP_SUMMARY")
# The project's own package must not be taken for that of the tree, should this be harness's own repository.
_START = """\
import sys
sys.path.insert(0, sys.argv[1])
import harness.comparing.replaying as replaying
sys.path.remove(sys.argv[1])
replaying.main(sys.argv[2])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseSuite:
    """A suite of another tree, as far as it is compared: its variants are known, and what its cases say."""

    suite: Suite
    #: Hashes of what is said, and of mocked results, by case.
    said: Mapping[str, str]
    mocks: Mapping[str, str]
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What another tree holds."""

    suites: Mapping[str, BaseSuite]
    #: What is wrong with its suites, by their paths in the project; the places named are that tree's.
    broken: Mapping[str, str]


def replay(project: Project, tree: Tree, *, names: Collection[str], paths: Collection[str], code: bool) -> Base:
    """Replay suites of a tree.

    Args:
        project: The project, whose prices are used.
        tree: Where the suites are.
        names: The suites that are wanted, by name.
        paths: Where they are now: one that is broken there has no name.
        code: Whether Python code of the tree may be run.

    Raises:
        UsageError: It needs Python code, and may not run it; or its process died.
    """
    with tempfile.TemporaryDirectory(prefix="harness-base-") as folder:
        job = {
            "root": str(tree.root.resolve()),
            "out": folder,
            "names": sorted(names),
            "code": code,
            "prices": {name: one.model_dump(mode="json") for name, one in project.settings.prices.items()},
        }
        file = Path(folder) / "job.json"
        file.write_text(json.dumps(job), "utf-8")
        done = _run(project, tree, file)
        told = _told(Path(folder) / _TOLD)
        if told is None:
            lines = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
            last = f": {lines[-1].strip()[:200]}" if lines else ""
            raise UsageError(f"{tree.ref} cannot be replayed: its process ended with code {done.returncode}{last}")
        if "error" in told:
            raise UsageError(f"{tree.ref} cannot be replayed: {tree.ref}:{told['error']}")
        return _base(tree, Path(folder), told, names=names, paths=paths)


def _run(project: Project, tree: Tree, job: Path) -> subprocess.CompletedProcess[bytes]:
    import harness

    package = str(Path(harness.__file__).resolve().parent.parent)
    environ = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    environ["PYTHONPATH"] = os.pathsep.join(_path(project.settings.root, tree.root))
    environ["PYTHONDONTWRITEBYTECODE"] = "1"
    return subprocess.run(
        [sys.executable, "-P", "-c", _START, package, str(job)],
        cwd=tree.root,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )


def _path(root: Path, tree: Path) -> list[str]:
    """Where modules are looked for: what lies in the project is looked for in the tree first."""
    root, tree = root.resolve(), tree.resolve()
    found: list[str] = []
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    installed = [entry for entry in sys.path if entry and Path(entry).resolve().is_relative_to(root)]
    for entry in (*installed, *given):
        path = Path(entry).resolve()
        inside = path.is_relative_to(root) and not path.is_relative_to(tree) and "site-packages" not in path.parts
        if inside:
            found.append(str(tree / path.relative_to(root)))
        elif entry in given:
            found.append(str(path))
    return list(dict.fromkeys(found))


def _told(file: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _base(tree: Tree, folder: Path, told: dict[str, Any], *, names: Collection[str], paths: Collection[str]) -> Base:
    refused = [text for text in told["broken"].values() if _NO_CODE in text]
    if refused:
        first = refused[0].splitlines()[0]
        raise UsageError(f"{tree.ref}:{first}")
    run = RunFolder(folder, _RUN)
    outlines = {one["name"]: read_outline(one).suite for one in run.read_manifest().get("suites", ())}
    results: dict[str, list[Result]] = {}
    for result in run.read() if run.results.is_file() else ():
        results.setdefault(result.suite, []).append(result)
    suites = {
        name: BaseSuite(
            suite=outlines[name],
            said=about["said"],
            mocks=about["mocks"],
            results=tuple(results.get(name, ())),
        )
        for name, about in told["suites"].items()
        if name in outlines
    }
    missing = set(names) - set(suites)
    broken = {path: text for path, text in told["broken"].items() if path in paths and missing}
    return Base(suites=suites, broken=broken)


# -- the process

_NO_CODE = "--no-code forbids to run it"


def main(file: str) -> None:
    """Replay what a job asks for, and leave in its folder what came of it, or why nothing did."""
    job = json.loads(Path(file).read_text("utf-8"))
    folder = Path(job["out"])
    try:
        told = _answered(job, folder)
    except HarnessError as error:
        told = {"error": str(error)}
    (folder / _TOLD).write_text(json.dumps(told), "utf-8")


def _answered(job: dict[str, Any], folder: Path) -> dict[str, JSON]:
    project = open_project(
        Path(job["root"]),
        root=Path(job["root"]),
        record_mode="none",
        reports=str(folder),
        prices=job["prices"],
        strict=False,
        otel=False,
    )
    if not job["code"]:
        project.registry.functions.refuse(_NO_CODE)
    suites, broken = _loaded(project, job["names"])
    if suites:
        _replayed(project, list(suites))
    renderer = project.renderer()
    return {
        "suites": {
            suite.name: {
                "said": {case.id: said_in(suite, case, renderer) for case in suite.cases},
                "mocks": {case.id: mocked_in(case) for case in suite.cases},
            }
            for suite in suites
        },
        "broken": broken,
    }


def _loaded(project: Project, names: Sequence[str]) -> tuple[list[Suite], dict[str, JSON]]:
    """The suites that are wanted, and what is wrong with those that cannot be loaded, by their paths."""
    found: list[Suite] = []
    broken: dict[str, JSON] = {}
    try:
        paths = find_suites(project, [])
    except NothingSelected:
        return [], {}
    for path in paths:
        try:
            found += [suite for suite in load(project, [path]) if suite.name in names]
        except ConfigError as error:
            broken[project.shown(path)] = str(error)
    return found, broken


def _replayed(project: Project, suites: Sequence[Suite]) -> None:
    from harness.runs.job import Job

    bare = [replace(suite, cases=tuple(replace(case, checks=()) for case in suite.cases)) for suite in suites]
    conclusion = Job(project=project, plan=plan(project, bare), run=_RUN, html=False).execute()
    if conclusion.trouble is not None:
        raise HarnessError(str(conclusion.trouble))
