"""The view model of a run: what every report shows, and what decides its exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from harness.errors import ExitCode
from harness.records import Usage
from harness.stats.intervals import Interval
from harness.stats.latency import Ratio
from harness.stats.paired import Difference, MeanDifference
from harness.stats.verdicts import Verdict
from harness.summary.facets import (
    Change,
    CostPart,
    FailureGroup,
    Flip,
    FrontPoint,
    Repeats,
    Stopping,
    TagContrast,
    TimeParts,
    ToolUse,
)

VariantRole = Literal["baseline", "candidate", "report_only"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantSummary:
    """One row of the summary: a variant of a suite over all its trials."""

    suite: str
    name: str
    role: VariantRole
    #: Trials that have a result, skipped ones too.
    trials: int
    #: Trials that the whole variant has: cases x repeats, before any selection.
    planned: int
    cases: int
    passed: int
    failed: int
    errors: int
    skipped: int
    #: The skipped trials that were not started because all comparisons of the suite were decided (`--stop-early`).
    stopped: int = 0
    #: Share of passes, averaged over cases; errors and skipped trials are not in it. None: nothing was graded.
    accuracy: float | None
    #: 95 percent, of the accuracy; allows for repeats and clusters.
    interval: Interval | None
    #: Mean score of graded trials, 0..1.
    score: float | None
    #: Seconds, over graded trials that have one; None: none has.
    latency_p50: float | None
    latency_p95: float | None
    ttft_p50: float | None
    #: Graded trials that have a latency, and a time to first token.
    timed: int
    streamed: int
    #: USD over all priced trials; None: none is priced.
    cost: Decimal | None
    cost_per_trial: Decimal | None
    #: Graded trials that called a model whose price is unknown.
    unpriced: int
    #: Trials of which a call's tokens are not known, so that its worst case stands for its cost.
    estimated: int = 0
    #: Trials in which a script answered, and no model.
    simulated: int = 0
    #: Trials that a model answered through a simulated protocol.
    staged: int = 0
    #: Trials whose recordings cannot be made again.
    unrenewable: int = 0
    #: Trials with an answer that ended at the longest length that was allowed.
    truncated: int = 0
    #: Trials whose recordings were found only once ids and the like were left out of account.
    normalised: int = 0
    #: Trials whose recordings were made in this run and are large.
    large: int = 0
    usage: Usage
    #: First and last time of recording, as in the cassettes; None: nothing was replayed or recorded.
    recorded: tuple[str, str] | None
    #: The models that answered, as the service names them.
    models: tuple[str, ...]
    #: What the price table says about these models' prices ("example rate"); empty: nothing.
    price_note: str = ""
    #: What has to be said of its recordings; one line each.
    remarks: tuple[str, ...] = ()
    #: Trials that were compared with their recordings, and those that differ: id, and how.
    verified: int = 0
    differing: tuple[tuple[str, tuple[str, ...]], ...] = ()
    #: 95 percent, seconds; None: too few trials for one.
    latency_p50_interval: Interval | None = None
    latency_p95_interval: Interval | None = None
    ttft_p95: float | None = None
    #: None: not known of any trial.
    time: TimeParts | None = None
    #: Empty: not asked for, or nothing has tokens.
    costs: tuple[CostPart, ...] = ()
    #: By the number of calls.
    tools: tuple[ToolUse, ...] = ()
    repeats: Repeats = field(default_factory=Repeats)

    @property
    def graded(self) -> int:
        """Trials that passed or failed."""
        return self.passed + self.failed

    @property
    def complete(self) -> bool:
        """Every trial of the variant has an outcome of its own, but for those that an early stop spared."""
        return self.graded + self.errors + self.stopped >= self.planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A candidate against a baseline, or any B against any A, paired by case."""

    suite: str
    baseline: str
    candidate: str
    #: At 95 percent; several candidates: at the level of its step in Holm's procedure. None: no graded pair of trials.
    difference: Difference | None
    verdict: Verdict | None
    #: The start of `text` that reports set in bold: "v2 is better".
    headline: str
    #: The whole sentence, without markup.
    text: str
    #: The smallest difference in accuracy that matters, a fraction.
    margin: float
    #: False: nobody chose it, it is the default.
    margin_given: bool
    #: What interval and verdict are adjusted for (Holm 1979): "3 candidates"; empty: nothing, it stands alone.
    adjusted: str = ""
    #: Cases with at least one graded pair.
    cases: int
    #: Pairs of trials left out because either ended in error or was skipped.
    dropped: int
    #: Trials without a counterpart in the other arm.
    unpaired: int = 0
    #: Paired cases whose input is not the same in both arms.
    changed: int = 0
    #: Candidate's latency divided by the baseline's.
    latency: Ratio | None = None
    #: Candidate's cost per trial minus the baseline's, USD.
    cost: MeanDifference | None = None
    latency_text: str = ""
    cost_text: str = ""
    #: Difference of mean scores, where checks give more than 0 and 1; None: they do not.
    score: Difference | None = None
    #: Candidate's time to first token divided by the baseline's.
    ttft: Ratio | None = None
    #: Candidate's p50 and p95 minus the baseline's, seconds; None: too few trials.
    latency_p50: MeanDifference | None = None
    latency_p95: MeanDifference | None = None
    #: Why nothing is said about latency although both arms have it: other days, hosts, concurrency. Empty: it is.
    latency_withheld: str = ""
    #: Candidate's cost divided by the baseline's in the typical case.
    cost_ratio: Ratio | None = None
    #: Tokens per trial, the candidate's minus the baseline's.
    input_tokens: MeanDifference | None = None
    output_tokens: MeanDifference | None = None
    #: By tag, in alphabetical order.
    tags: tuple[TagContrast, ...] = ()
    #: Broken cases first, the largest change first.
    flips: tuple[Flip, ...] = ()
    #: Everything that differs between the arms.
    changes: tuple[Change, ...] = ()
    #: Why a difference cannot be put down to the prompt alone; empty: it can.
    confounded: str = ""
    #: The difference if every pair left out had gone as far as it can against B, and for B; None: nothing was left out.
    bounds: tuple[float, float] | None = None
    #: Cases of which a pair was left out.
    dropped_cases: tuple[str, ...] = ()
    #: Groups of cases that belong together (`cluster:`); None: every case stands for itself.
    clusters: int | None = None
    #: What it means in money and time, a sentence each.
    meaning: tuple[str, ...] = ()
    #: What to do next, a sentence each.
    advice: tuple[str, ...] = ()
    #: How many cases change sides when nothing changes at all; empty: not known.
    noise: str = ""
    stopping: Stopping | None = None
    #: Both arms replay the same recordings with the same outcomes: there is nothing to tell apart, and no verdict.
    same: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """A threshold on a variant, or on the repeats of one case (`must_pass`), and whether it holds."""

    suite: str
    variant: str
    #: accuracy, pass^3, latency_p95, not_worse_than_baseline, must_pass, ...; of a tag: "safety: accuracy".
    metric: str
    #: What was asked for: "at least 90.0%", "at most 4s".
    target: str
    #: What was found; None: nothing could be measured.
    value: str | None
    #: None: not evaluated, because a selection left out part of what it is about.
    passed: bool | None
    #: One line that says all of it.
    text: str
    #: What else it says: why nothing was found, what was left out; empty: nothing.
    remark: str = ""
    #: Of what was found, as the gate reads it: "78.7% … 98.2%", "95% CI +3.9…+18.2"; empty: it has none.
    interval: str = ""
    #: The case, where the gate is a case's `must_pass`.
    case: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSummary:
    """One suite of a run."""

    name: str
    #: Path of the suite's file, as shown to users.
    shown: str
    variants: tuple[VariantSummary, ...]
    comparisons: tuple[Comparison, ...]
    gates: tuple[GateResult, ...]
    #: Ids of failed trials that make the run fail by themselves.
    deciding_failures: tuple[str, ...]
    #: Ids of trials that ended in error and make the run end with 3.
    deciding_errors: tuple[str, ...]
    #: First words of the verdicts that make a comparison with variants from elsewhere fail by themselves.
    deciding_verdicts: tuple[str, ...] = ()
    #: The largest first, of each kind.
    failures: tuple[FailureGroup, ...] = ()
    #: For three or more variants with a price, by cost; else empty.
    front: tuple[FrontPoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What was spent on live requests, USD."""

    amount: Decimal
    #: The part that was only assumed, at the worst case: nobody knows what those requests cost.
    estimated: Decimal = Decimal(0)
    #: What might have been spent; None: no limit was set.
    budget: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpend(Spend):
    """What a run spent, and each of its suites."""

    suites: Mapping[str, Spend] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run: text and exit code come from this one value."""

    run: str
    suites: tuple[SuiteSummary, ...]
    exit_code: ExitCode
    #: Why the exit code is not 0, one line each; empty when it is.
    reasons: tuple[str, ...]
    #: When the run started, ISO 8601 in UTC; empty: not known.
    started: str = ""
    #: Record mode.
    mode: str = ""
    #: Id of the price table.
    prices: str = ""
    #: What it spent; None: not known.
    spend: RunSpend | None = None

    @property
    def passed(self) -> bool:
        """Whether the exit code is 0."""
        return self.exit_code is ExitCode.PASSED
