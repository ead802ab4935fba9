"""A project: its settings, and everything that is looked up with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError, NothingSelected, UsageError, did_you_mean
from harness.modes import RecordMode
from harness.plan import Plan, Selection, build_plan
from harness.plugins import Registry
from harness.prompts.files import PromptFiles
from harness.prompts.library import PromptLibrary
from harness.scorers import default_registry
from harness.settings import Settings, load_settings
from harness.suites.loading import load_suites
from harness.suites.rendering import Renderer
from harness.suites.suite import MOST_REPEATS, Suite, is_suite
from harness.suites.written import Written
from harness.templates.engine import Templates

if TYPE_CHECKING:
    from harness.costs import PriceTable


@dataclass(frozen=True, slots=True)
class Project:
    """A project's settings and what is looked up with them."""

    settings: Settings
    registry: Registry
    templates: Templates
    prompts: PromptLibrary

    def prices(self) -> PriceTable:
        """Return the price table with the project's overlay."""
        from harness.costs import PriceTable

        return PriceTable(self.settings.prices)

    def renderer(self) -> Renderer:
        return Renderer(prompts=self.prompts, templates=self.templates)

    def with_mode(self, mode: RecordMode) -> Project:
        """Return the same project in another record mode."""
        return replace(self, settings=self.settings.model_copy(update={"record_mode": mode}))

    def shown(self, path: Path) -> str:
        """Return how messages name a path: relative to the project where it lies inside."""
        try:
            return path.resolve().relative_to(self.settings.root.resolve()).as_posix()
        except ValueError:
            return str(path)


def open_project(start: Path | None = None, **flags: Any) -> Project:
    """Find the project around `start` (default: the working folder) and read its settings.

    Args:
        start: A folder, or a file in one.
        flags: Settings that win over pyproject.toml and HARNESS_* variables; None means not given.

    Raises:
        ConfigError: The settings are wrong.
    """
    settings = load_settings(start, **flags)
    return Project(
        settings=settings,
        registry=default_registry(),
        templates=Templates(),
        prompts=PromptLibrary(PromptFiles(root=settings.root, folder=settings.prompts)),
    )


def find_suites(project: Project, paths: Sequence[Path]) -> list[Path]:
    """Return the suite files that `paths` name: files as they are, folders searched; none given: the suites folder.

    Raises:
        UsageError: A path does not exist.
        NothingSelected: There is no suite there.
    """
    found: list[Path] = []
    for path in paths or [project.settings.suites]:
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml") and p.is_file())
            found.extend(file for file in files if is_suite(file))
        elif path.is_file():
            found.append(path)
        elif paths:
            raise UsageError(f"no such file or folder: {path}")
    if not found:
        where = ", ".join(str(path) for path in paths) or project.shown(project.settings.suites)
        raise NothingSelected(f"no suite in {where}: a suite is a YAML file with a top-level `suite:` key")
    return list(dict.fromkeys(found))


def load(project: Project, sources: Sequence[Path | Written]) -> list[Suite]:
    """Load and check suites: files, or suites that are data already.

    Raises:
        ConfigError: With every problem of every file.
    """
    return load_suites(
        sources,
        root=project.settings.root,
        registry=project.registry,
        prompts=project.prompts,
        templates=project.templates,
    )


def check(project: Project, paths: Sequence[Path]) -> list[Suite]:
    """Load suites, and check prompts: of the whole project where no path is given, whether a suite names them or not.

    Args:
        project: The project.
        paths: Suites and folders of them; the folder of prompts, or a file in it, stands for all prompts.

    Raises:
        ConfigError: With every problem of every file.
        UsageError: A path does not exist.
        NothingSelected: There is neither a suite nor a prompt.
    """
    for path in paths:
        if not path.exists():
            raise UsageError(f"no such file or folder: {path}")
    rest = [path for path in paths if not _of_prompts(project, path)]
    problems = project.prompts.check_all() if len(rest) < len(paths) or not paths else []
    suites: list[Suite] = []
    try:
        if rest or not paths:
            suites = load(project, find_suites(project, rest))
    except ConfigError as error:
        problems += [problem for problem in error.problems if problem not in problems]
    except NothingSelected:
        if not problems and (paths or not project.prompts.names()):
            raise
    if problems:
        raise ConfigError(problems)
    return suites


def _of_prompts(project: Project, path: Path) -> bool:
    """Whether a path is one of the prompts' and cannot hold a suite."""
    place, suites = path.resolve(), project.settings.suites.resolve()
    if path.suffix in (".yaml", ".yml") or suites.is_relative_to(place) or place.is_relative_to(suites):
        return False
    return place.is_relative_to(project.settings.prompts.resolve())


def plan(project: Project, suites: Sequence[Suite], selection: Selection | None = None) -> Plan:
    """Lay out the trials of suites; see `build_plan`."""
    return build_plan(suites, selection=selection or Selection(), cassettes=project.settings.cassettes)


def adjusted(
    suites: Sequence[Suite], *, repeats: int | None, baseline: str | None, stop_early: bool = False
) -> list[Suite]:
    """Return suites with the number of repeats and the baseline that the command line asks for.

    Args:
        suites: As they were loaded.
        repeats: Of every case; None: as the suites say.
        baseline: Variant to compare with; None: as the suites say.
        stop_early: Whether a suite ends as soon as its comparisons are decided.

    Raises:
        UsageError: No suite has a variant of that name, or that many repeats are not possible.
    """
    if repeats is not None and not 1 <= repeats <= MOST_REPEATS:
        raise UsageError(f"{repeats} repeats: from 1 to {MOST_REPEATS:,} are possible")
    names = [variant.name for suite in suites for variant in suite.variants]
    if baseline is not None and baseline not in names:
        hint = did_you_mean(baseline, names) or f"There are: {', '.join(dict.fromkeys(names))}."
        raise UsageError(f"--baseline: no variant is called '{baseline}'. {hint}")
    changed = []
    for suite in suites:
        if repeats is not None:
            suite = replace(suite, repeats=repeats)
        if baseline in suite.by_name and len(suite.variants) > 1:
            suite = replace(suite, baseline=baseline)
        changed.append(replace(suite, stop_early=True) if stop_early else suite)
    return changed
