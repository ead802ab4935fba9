"""The parts that a comparison and a variant are shown in: tags, flips, times, money, tools, what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from harness.stats.intervals import Interval
from harness.stats.paired import Difference

#: What ended a run early: the arms differ; a gate that asks for no more is passed; going on was hopeless.
StopReason = Literal["difference", "not_worse", "futility"]

ChangeKind = Literal[
    "prompt", "model", "api", "setting", "tool", "check", "recording", "service", "cases", "code", "prices", "harness"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagContrast:
    """The difference between two arms over the cases with one tag."""

    tag: str
    cases: int
    fixed: int
    unchanged: int
    broken: int
    #: None: no case with this tag has a graded pair.
    difference: Difference | None
    #: At level 1 - 0.05 / number of tags (Bonferroni), so that all of them hold together; None: as above.
    interval: Interval | None
    #: Adjusted for the number of tags (Holm 1979); None: no test was possible.
    p: float | None
    #: What the adjusted p allows to say; "few": too few cases for any verdict.
    word: Literal["better", "worse", "none", "few"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A case that does not pass as often in B as in A."""

    case: str
    #: Passed and graded trials of each arm.
    a: tuple[int, int]
    b: tuple[int, int]
    #: Ids of all its trials, A's first.
    trials: tuple[str, ...]
    #: Whether its input is not the same in both arms.
    changed: bool = False

    @property
    def broken(self) -> bool:
        """B passes less often than A."""
        return self.b[0] * self.a[1] < self.a[0] * self.b[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is not the same in both arms."""

    kind: ChangeKind
    #: What it is, in the words of the suite: "prompt", "temperature", "tool check_order_status", "recorded".
    name: str
    #: As it is in A and in B, short enough for one line; empty: not there.
    a: str
    b: str
    #: Whole texts where they are worth a difference (prompts); empty: `a` and `b` say it all.
    texts: tuple[str, str] = ("", "")
    #: Tokens of B's text minus A's; None: not counted.
    tokens: int | None = None
    #: What they cost per 1,000 requests, USD; None: no price.
    money: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One planned look at a run that may stop early."""

    #: Cases that were complete.
    cases: int
    estimate: float
    #: Holds at all looks together.
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """How a comparison was stopped early, or could have been."""

    #: Cases.
    planned: int
    used: int
    looks: tuple[Look, ...]
    #: None: it went on to the end.
    reason: StopReason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeParts:
    """Where the time of a trial goes, seconds on average over the trials for which it is known."""

    model: float
    tools: float
    retries: float
    trials: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPart:
    """What one kind of token costs."""

    kind: Literal["input", "cached_input", "output", "reasoning", "judge", "unexplained"]
    #: Tokens per 1,000 requests; None: not counted (judges).
    tokens: float | None
    #: USD per 1,000 requests; None: no price.
    money: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """One tool over all trials of a variant."""

    name: str
    calls: int
    errors: int
    #: Trials that called it.
    trials: int
    #: Seconds; None: not known.
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Failing trials that have something in common: a check, a tag, a fact of the case."""

    by: Literal["check", "tag", "metadata"]
    #: The check's name, the tag, or "lang = de".
    name: str
    #: Per variant: failing and graded trials (of a check: how often it failed, how often it was asked).
    counts: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontPoint:
    """A variant's place between accuracy and cost."""

    variant: str
    accuracy: float
    interval: Interval
    #: USD per 1,000 requests.
    money: Decimal
    #: Another variant is at least as accurate and as cheap, and better in one of both.
    dominated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """What repeats say about one variant; empty with one repeat."""

    #: k -> probability that at least one of k attempts passes (Chen et al. 2021), and that all k pass.
    at: Mapping[int, float] = field(default_factory=dict)
    hat: Mapping[int, float] = field(default_factory=dict)
    #: Cases that both passed and failed: id, passed, graded; the most undecided first.
    flaky: tuple[tuple[str, int, int], ...] = ()
