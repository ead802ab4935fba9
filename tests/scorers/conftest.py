"""One way into the scorers for all tests here: a check, a transcript, a result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.errors import SourceLocation
from harness.functions import Place
from harness.plugins import Registry
from harness.records import CheckResult, Transcript, TurnRecord
from harness.scorers import default_registry, evaluate
from harness.suites.checks import CheckSpec


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Evaluates checks in a project folder."""

    registry: Registry
    place: Place

    @staticmethod
    def spec(**fields: Any) -> CheckSpec:
        """A check as suites hand it over."""
        return CheckSpec(**{"where": SourceLocation("suites/s.yaml", 3, 5), **fields})

    @staticmethod
    def talk(*outputs: str, **fields: Any) -> Transcript:
        """A transcript of one turn per output."""
        turns = tuple(TurnRecord(input=("?",), output=output) for output in outputs)
        return Transcript(**{"output": outputs[-1], "turns": turns, **fields})

    def results(
        self,
        *specs: CheckSpec,
        transcript: Transcript,
        case: Mapping[str, Any] | None = None,
        render: Callable[[Any], Any] = lambda value: value,
    ) -> list[CheckResult]:
        return asyncio.run(
            evaluate(
                specs,
                transcript,
                case=case or {"id": "c", "input": "?", "expected": None, "vars": {}, "metadata": {}, "tags": []},
                registry=self.registry,
                place=self.place,
                render=render,
            )
        )

    def check(self, scorer: str, argument: Any, output: str | Transcript, **fields: Any) -> CheckResult:
        transcript = output if isinstance(output, Transcript) else self.talk(output)
        (result,) = self.results(self.spec(scorer=scorer, argument=argument, **fields), transcript=transcript)
        return result

    def passes(self, scorer: str, argument: Any, output: str | Transcript, **fields: Any) -> bool | None:
        return self.check(scorer, argument, output, **fields).passed

    def complaints(self, scorer: str, argument: Any, **fields: Any) -> list[str]:
        return [str(one) for one in self.registry.complaints(scorer, argument, place=self.place, **fields)]

    def write(self, name: str, text: str) -> Path:
        path = self.place.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "project" / "suites"
    folder.mkdir(parents=True)
    return Bench(registry=default_registry(entry_points=False), place=Place(root=folder.parent, folder=folder))


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """For checks that read no files: shared, so that property tests stay quick."""
    folder = tmp_path_factory.mktemp("texts")
    return Bench(registry=default_registry(entry_points=False), place=Place(root=folder, folder=folder))
