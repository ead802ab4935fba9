"""To which trial a recording belongs, or why to none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.errors import NothingSelected
from harness.hygiene.elsewhere import suites_elsewhere
from harness.hygiene.places import Place, place_of
from harness.plan import Selection, Trial, build_plan
from harness.project.project import Project, find_suites, load
from harness.settings import Settings
from harness.suites.suite import Suite, slug
from harness.summary import phrases


@dataclass(frozen=True, kw_only=True)
class Belonging:
    """Every trial of a project's suites, by the place of its recording."""

    settings: Settings
    suites: Sequence[Suite]
    trials: Mapping[Path, Trial]

    @property
    def folder(self) -> Path:
        """Where recordings lie."""
        return self.settings.cassettes

    def trial(self, path: Path) -> Trial | None:
        """Return the trial that a recording belongs to, its scorers' one too."""
        place = place_of(path, self.folder)
        if place is not None and place.judge:
            path = path.with_name(f"{place.case}.{place.repeat}.yaml")
        trial = self.trials.get(path)
        return None if trial is None or trial.variant.assistant.api == "outputs" else trial

    def orphaned(self, path: Path) -> str | None:
        """Return why no trial would ever replay a file; None where one would, or where no trial's file lies."""
        place = place_of(path, self.folder)
        return None if place is None or self.trial(path) is not None else self._why(place)

    @cached_property
    def _elsewhere(self) -> frozenset[str]:
        return suites_elsewhere(self.settings)

    def _why(self, place: Place) -> str | None:
        suite = next((one for one in self.suites if slug(one.name) == place.suite), None)
        if suite is None and place.suite in self._elsewhere:
            return None
        if suite is None:
            return f"there is no suite '{place.suite}'"
        variant = next((one for one in suite.variants if slug(one.name) == place.variant), None)
        if variant is None:
            return f"suite '{suite.name}' has no variant '{place.variant}'"
        if variant.assistant.api == "outputs":
            return f"the answers of variant '{variant.name}' come from a file"
        if all(slug(case.id) != place.case for case in suite.cases):
            return f"suite '{suite.name}' has no case '{place.case}'"
        return f"suite '{suite.name}' has {phrases.count(suite.repeats, 'repeat')}"


def belonging(project: Project) -> Belonging:
    """Load all suites of a project and lay out their trials.

    Raises:
        ConfigError: A suite cannot be loaded, so that nobody knows what belongs to it.
    """
    folder = project.settings.cassettes
    try:
        suites = load(project, find_suites(project, []))
        trials = build_plan(suites, selection=Selection(), cassettes=folder).trials
    except NothingSelected:
        suites, trials = [], ()
    return Belonging(settings=project.settings, suites=suites, trials={trial.cassette: trial for trial in trials})
