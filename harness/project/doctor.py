"""Is everything here that a run needs? Each finding says what to do about it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import __version__
from harness.errors import HarnessError
from harness.records import JSON

if TYPE_CHECKING:
    from harness.project.inventory import Readiness
    from harness.project.project import Project

_PACKAGES = ("openai", "httpx2", "pytest", "pydantic", "jinja2", "genai-prices", "numpy", "scipy")
_KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: str
    ok: bool = True
    #: The command or step that mends it; empty: nothing to do.
    mend: str = ""

    def plain(self) -> dict[str, JSON]:
        return {"": "ok" if self.ok else "MISSING", "what": self.what, "state": self.state, "do": self.mend}


def examine(project: Project, *, load: Callable[[], int], ready: Callable[[], Readiness]) -> list[Finding]:
    """Look at versions, folders, keys (never their values) and recordings.

    Args:
        project: The project to look at.
        load: Loads every suite and returns their number.
        ready: Counts the trials that would run offline.
    """
    return [*_versions(), *_folders(project), *_suites(load, ready), *_keys()]


def _versions() -> Iterator[Finding]:
    yield Finding(what="harness", state=f"{__version__} on Python {platform.python_version()}")
    for name in _PACKAGES:
        try:
            yield Finding(what=name, state=importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(what=name, state="not installed", ok=False, mend=f"pip install {name}")


def _folders(project: Project) -> Iterator[Finding]:
    settings = project.settings
    yield Finding(what="project", state=str(settings.root))
    for what, path in (("suites", settings.suites), ("prompts", settings.prompts), ("cassettes", settings.cassettes)):
        there = path.is_dir()
        yield Finding(what=what, state=_inside(path, settings.root) if there else f"no folder {path}")
    writable = os.access(_existing(settings.reports), os.W_OK)
    yield Finding(
        what="reports",
        state=_inside(settings.reports, settings.root) if writable else "not writable",
        ok=writable,
        mend="" if writable else f"make {settings.reports} writable",
    )


def _suites(load: Callable[[], int], ready: Callable[[], Readiness]) -> Iterator[Finding]:
    try:
        count = load()
    except HarnessError as error:
        first = str(error).splitlines()[0]
        yield Finding(what="suites load", state=first, ok=False, mend="harness validate")
        return
    yield Finding(what="suites load", state=f"{count} without a problem")
    yield _offline(ready())


def _offline(ready: Readiness) -> Finding:
    needed = ready.trials - ready.silent
    complete = ready.answered == needed
    parts = [f"{ready.answered} of {needed} trials are recorded"] if needed else []
    if ready.silent:
        count = f"{ready.silent} trial{'s' if ready.silent != 1 else ''} of Python targets"
        parts.append(f"{count} left no recording, and need none unless they call a model (`harness run` says)")
    return Finding(
        what="offline",
        state="; ".join(parts) or "there are no trials",
        ok=complete,
        mend="" if complete else "harness record",
    )


def _keys() -> Iterator[Finding]:
    for name in _KEYS:
        yield Finding(what=name, state="set" if os.environ.get(name) else "not set (replay needs none)")


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _inside(path: Path, root: Path) -> str:
    try:
        return f"{path.relative_to(root)}/"
    except ValueError:
        return str(path)
