"""What an entry of the table of faults says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import Result

from harness.simulator.front import Front


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A run of the harness against a fault."""

    root: Path
    result: Result
    #: The trials' results, as in results.jsonl.
    rows: Sequence[Mapping[str, Any]]
    server: Front


@dataclass(frozen=True, kw_only=True)
class Ends:
    """How every trial ends, and the run with them."""

    #: `passed`, `failed`, `error` or `skipped`.
    outcome: str = ""
    #: Kind of the error; None where there is none.
    kind: str | None = None
    #: HTTP requests of each trial.
    attempts: int = 1
    #: Exit code; None: 0 where trials pass, 3 where they are errors.
    exit: int | None = None
    #: Requests that arrive at the service, as (fewest, most), where that is not trials x attempts.
    requests: tuple[int, int] | None = None
    #: Whether recordings are kept, so that the next run replays this end for nothing; else it tries again.
    kept: bool = True
    #: Texts that the error's message must hold.
    says: Sequence[str] = ()
    #: What else must hold.
    also: Callable[[Ran], None] | None = None
    #: What else the table says.
    words: str = ""

    @property
    def code(self) -> int:
        return (3 if self.outcome == "error" else 0) if self.exit is None else self.exit


@dataclass(frozen=True, kw_only=True)
class Bare:
    """What the SDK does by itself, with its own retries but without their waits."""

    attempts: int = 1
    #: Name of the exception that it raises.
    raises: str | None = None
    #: What it returns instead, in words, and a check of that.
    returns: str = ""
    check: Callable[[Any], bool] | None = None
    #: Seconds that it may wait for bytes.
    timeout: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that can go wrong."""

    #: Such as F12; several of one number are told apart by a letter.
    id: str
    #: The fault in words.
    what: str
    harness: Ends
    bare: Bare | None = None
    #: How it is made to happen: rules of `harness simulate --faults`.
    rules: Sequence[Mapping[str, Any]] = ()
    #: What the simulator answers.
    script: Sequence[Mapping[str, Any]] = ({"chunks": ["Hello ", "there"]},)
    api: str = "chat"
    stream: bool = False
    #: Further files of the project, such as tools.
    files: Mapping[str, str] = field(default_factory=dict)
    #: Further keys of the suite.
    suite: Mapping[str, Any] = field(default_factory=dict)
    #: The check of every case.
    expect: Any = field(default_factory=lambda: {"contains": "Hello"})
    #: Further lines of [tool.harness] and of [tool.harness.retry].
    settings: Mapping[str, Any] = field(default_factory=dict)
    retry: Mapping[str, Any] = field(default_factory=dict)
    #: Further arguments of `harness record`.
    flags: Sequence[str] = ()
    cases: int = 1
    #: The test that shows it, as `path::name`, where the fault cannot be injected by rules. It checks `bare` as well,
    #: and the table shows of `harness` only the outcome, the exit code and the words; without an outcome, the words.
    held_by: str = ""
    slow: bool = False
