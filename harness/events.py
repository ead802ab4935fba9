"""What a run tells while it runs, and who listens.

Subscribers are plain callables handed to the runner; they are called on its event loop, in order, and must not block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from harness.records import Result, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    run: str
    trials: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStarted:
    trial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted:
    trial: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCompleted:
    trial: str
    model: str
    usage: Usage
    #: Seconds, recorded ones on replay.
    latency: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFailed:
    trial: str
    model: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFinished:
    """Sent in the order in which trials finish; the results of a run are in plan order."""

    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    run: str
    interrupted: bool


Event: TypeAlias = RunStarted | TrialStarted | CallStarted | CallCompleted | CallFailed | TrialFinished | RunFinished
Subscriber: TypeAlias = Callable[[Event], None]
