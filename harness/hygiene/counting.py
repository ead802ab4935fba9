"""How much there is: files, calls, bytes, tokens, money, by suite, variant or model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from harness.assistants.usage import paid
from harness.errors import CassetteDamaged
from harness.hygiene.places import place_of, recordings
from harness.project.project import Project
from harness.recording import Cassette
from harness.recording.read import parse_cassette
from harness.records import JSON
from harness.runs.facts import renewable


@dataclass(slots=True, kw_only=True)
class Count:
    """What a group of recordings comes to."""

    files: int = 0
    damaged: int = 0
    calls: int = 0
    size: int = 0
    input: int = 0
    output: int = 0
    cost: Decimal = Decimal(0)
    unpriced: int = 0
    simulated: int = 0
    unrenewable: int = 0
    moments: list[str] = field(default_factory=list)

    def add(self, cassette: Cassette | None, *, size: int) -> None:
        self.files += 1
        self.size += size
        if cassette is None:
            self.damaged += 1
            return
        facts = cassette.facts
        self.calls += len(cassette.interactions)
        for call in paid(cassette.interactions):
            self.input += call.usage.input or 0
            self.output += call.usage.output or 0
        self.cost += facts.cost or 0
        self.unpriced += facts.cost is None
        self.simulated += bool(facts.source.get("simulated"))
        self.unrenewable += not renewable(facts)
        self.moments.append(facts.recorded_at)

    def plain(self) -> dict[str, JSON]:
        return {
            "files": self.files,
            "damaged": self.damaged,
            "calls": self.calls,
            "bytes": self.size,
            "input tokens": self.input,
            "output tokens": self.output,
            "cost": f"{self.cost:f}",
            "unpriced": self.unpriced,
            "oldest": min(self.moments, default=None),
            "newest": max(self.moments, default=None),
            "simulated": self.simulated,
            "unrenewable": self.unrenewable,
        }


def counted(project: Project, paths: Sequence[Path], *, by: str | None) -> list[dict[str, JSON]]:
    """Return one row per group, sorted, or a single row.

    Args:
        project: Whose recordings are counted.
        paths: Files and folders; none: all of them.
        by: `suite`, `variant` or `model`; None: all together.

    Raises:
        UsageError: A path does not exist.
    """
    folder = project.settings.cassettes
    keys = _KEYS[by]
    groups: dict[tuple[str, ...], Count] = {}
    for path, size, cassette in _read(recordings(paths, folder)):
        groups.setdefault(keys(path, folder, cassette), Count()).add(cassette, size=size)
    names = _COLUMNS[by]
    if not names and not groups:
        groups[()] = Count()
    return [{**dict(zip(names, key, strict=True)), **groups[key].plain()} for key in sorted(groups)]


def _read(paths: Iterable[Path]) -> Iterator[tuple[Path, int, Cassette | None]]:
    for path in paths:
        try:
            raw = path.read_bytes()
        except OSError:
            yield path, 0, None
            continue
        try:
            yield path, len(raw), parse_cassette(raw, shown=path.name)
        except CassetteDamaged:
            yield path, len(raw), None


_Key = Callable[[Path, Path, Cassette | None], tuple[str, ...]]


def _suite(path: Path, folder: Path, cassette: Cassette | None) -> tuple[str, ...]:
    place = place_of(path, folder)
    return (place.suite if place else "(none)",)


def _variant(path: Path, folder: Path, cassette: Cassette | None) -> tuple[str, ...]:
    place = place_of(path, folder)
    return (place.suite, place.variant) if place else ("(none)", "(none)")


def _model(path: Path, folder: Path, cassette: Cassette | None) -> tuple[str, ...]:
    return (str(cassette.facts.source.get("model", "(none)")) if cassette else "(damaged)",)


_KEYS: Mapping[str | None, _Key] = {None: lambda *_: (), "suite": _suite, "variant": _variant, "model": _model}
_COLUMNS: Mapping[str | None, tuple[str, ...]] = {
    None: (),
    "suite": ("suite",),
    "variant": ("suite", "variant"),
    "model": ("model",),
}
