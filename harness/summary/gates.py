"""Gates: thresholds on a variant, on its cases with a tag, on its difference to the baseline, on one case's repeats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from harness.records import Outcome, Result
from harness.stats.intervals import Interval
from harness.stats.latency import quantile
from harness.stats.repeats import pass_power
from harness.suites.gates import TagGates
from harness.suites.suite import Case, Suite
from harness.summary import phrases, sentences
from harness.summary.measuring import accuracy, graded, mean_score, outcomes_by_case, times, total_cost, unpriced
from harness.summary.view import Comparison, GateResult

#: What a rounding error may make of a number that is exactly the threshold.
_SLACK = 1e-9
#: From here on a gate is about safety: its interval is Clopper and Pearson's, which never covers less than it says.
_SAFETY = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a metric came to: its text, whether that is good enough, a remark, and its interval in words."""

    value: str | None
    passed: bool
    remark: str = ""
    interval: str = ""


#: (metric, target in words, what reads it)
Gate = tuple[str, str, Callable[[Sequence[Result]], Reading]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A variant whose gates are evaluated."""

    suite: Suite
    variant: str
    results: Sequence[Result]
    #: Why its gates cannot be evaluated: "12 of 120"; empty: all of its trials have an outcome, or were spared.
    partial: str = ""
    #: What was measured, where an early stop left trials out: "64 of 100 cases".
    part: str = ""

    def result(self, metric: str, target: str, reading: Reading, *, case: str | None = None) -> GateResult:
        """Put a reading beside its gate."""
        what = f"{metric} of {case}" if case else metric
        value = reading.value if reading.value is None or case or not self.part else f"{reading.value}, {self.part}"
        found = value if value is not None else "not measured"
        remark = f": {reading.remark}" if reading.remark else ""
        return GateResult(
            suite=self.suite.name,
            variant=self.variant,
            metric=metric,
            target=target,
            value=value,
            passed=reading.passed,
            text=f"{self.variant}: {what} {found} ({target}){remark}",
            remark=reading.remark,
            interval=reading.interval,
            case=case,
        )

    def skipped(self, metric: str, target: str, why: str) -> GateResult:
        """Say of a gate that a selection left out part of what it is about."""
        text = f"{self.variant}: {metric} not evaluated ({why})"
        return GateResult(
            suite=self.suite.name,
            variant=self.variant,
            metric=metric,
            target=target,
            value=None,
            passed=None,
            text=text,
            remark=why,
        )


def evaluate(subject: Subject) -> Iterator[GateResult]:
    """Evaluate every gate of a suite on one variant, but for those on its difference to the baseline."""
    gates, clusters = subject.suite.gates, subject.suite.clusters
    yield from _evaluate(subject, thresholds(gates, clusters), subject.results, prefix="")
    for tag, tagged in gates.tags.items():
        chosen = [result for result in subject.results if tag in result.tags]
        yield from _evaluate(subject, thresholds(tagged, clusters), chosen, prefix=f"{tag}: ")


def error_rate_alone(subject: Subject) -> Iterator[GateResult]:
    """Evaluate the suite's `error_rate` gate on a variant that no other gate is about."""
    gates = (gate for gate in thresholds(subject.suite.gates) if gate[0] == "error_rate")
    yield from _evaluate(subject, gates, subject.results, prefix="")


def against_baseline(subject: Subject, comparison: Comparison | None, *, baseline_partial: str) -> Iterator[GateResult]:
    """Evaluate `not_worse_than_baseline` and `better_than_baseline`.

    Args:
        subject: The candidate.
        comparison: With the baseline; None: the baseline has no trials.
        baseline_partial: Why the baseline is not whole ("v1: 12 of 120"); empty: it is.
    """
    suite = subject.suite
    target = f"by {phrases.margin(suite.margin, given=suite.margin_given)}"
    asked = [("not_worse_than_baseline", target)] if suite.gates.not_worse_than_baseline else []
    if suite.gates.better_than_baseline:
        asked.append(("better_than_baseline", "interval above 0"))
    for metric, wanted in asked:
        if subject.partial or baseline_partial:
            yield subject.skipped(metric, wanted, subject.partial or baseline_partial)
        else:
            yield subject.result(metric, wanted, _compared(metric, comparison))


def must_pass(subject: Subject, cases: Sequence[Case]) -> Iterator[GateResult]:
    """Evaluate `must_pass` of cases of a whole variant; a repeat that ended in error has not passed."""
    trials: dict[str, list[Result]] = {case.id: [] for case in cases}
    for result in subject.results:
        if result.case in trials:
            trials[result.case].append(result)
    for case in cases:
        repeats = trials[case.id]
        needed = case.needed(len(repeats))
        if needed is None:
            continue
        passed = sum(result.outcome is Outcome.PASSED for result in repeats)
        errors = len(repeats) - len(graded(repeats))
        remark = f"{phrases.count(errors, 'repeat')} ended in error" if errors and passed < needed else ""
        reading = Reading(value=f"{passed} of {len(repeats)}", passed=passed >= needed, remark=remark)
        yield subject.result("must_pass", f"at least {needed} of {len(repeats)}", reading, case=case.id)


def thresholds(gates: TagGates, clusters: Mapping[str, str] | None = None) -> Iterator[Gate]:
    """Return the gates that are set, each with its target in words and what reads it.

    Args:
        gates: What is asked for.
        clusters: Label of each case that belongs together with others, by id.
    """
    if gates.accuracy is not None:
        yield "accuracy", _at_least(gates.accuracy), _accuracy(gates.accuracy, clusters)
    if gates.accuracy_ci is not None:
        yield "accuracy_ci", _at_least(gates.accuracy_ci), _accuracy_ci(gates.accuracy_ci, clusters)
    if gates.score is not None:
        yield "score", f"at least {gates.score:.3f}", _score(gates.score)
    for k, share in sorted(gates.pass_k.items()):
        yield f"pass^{k}", _at_least(share), _pass_k(k, share)
    if gates.error_rate is not None:
        yield "error_rate", f"at most {phrases.share(gates.error_rate)}", _error_rate(gates.error_rate)
    for metric, limit, q in (
        ("latency_p50", gates.latency_p50, 0.50),
        ("latency_p95", gates.latency_p95, 0.95),
        ("ttft_p50", gates.ttft_p50, 0.50),
        ("ttft_p95", gates.ttft_p95, 0.95),
    ):
        if limit is not None:
            yield metric, f"at most {phrases.seconds(limit)}", _time(metric.startswith("ttft"), q, limit)
    if gates.cost is not None:
        yield "cost", f"at most {phrases.money(gates.cost)}", _cost(gates.cost, each=False)
    if gates.cost_per_trial is not None:
        yield "cost_per_trial", f"at most {phrases.money(gates.cost_per_trial)}", _cost(gates.cost_per_trial, each=True)
    if gates.tokens_per_trial is not None:
        yield "tokens_per_trial", f"at most {gates.tokens_per_trial:,.10g}", _tokens(gates.tokens_per_trial)


def _evaluate(
    subject: Subject, gates: Iterator[Gate], results: Sequence[Result], *, prefix: str
) -> Iterator[GateResult]:
    for metric, target, read in gates:
        if subject.partial:
            yield subject.skipped(prefix + metric, target, subject.partial)
        else:
            yield subject.result(prefix + metric, target, read(results))


def _at_least(share: float) -> str:
    return f"at least {phrases.share(share)}"


def _accuracy(share: float, clusters: Mapping[str, str] | None) -> Callable[[Sequence[Result]], Reading]:
    def read(results: Sequence[Result]) -> Reading:
        found = accuracy(results, clusters, exact=share >= _SAFETY)
        if found is None:
            return _nothing(results)
        rate, interval = found
        return Reading(
            value=phrases.beside(rate, share),
            passed=rate >= share - _SLACK,
            remark=_at_worst(share, interval),
            interval=_between(interval),
        )

    return read


def _accuracy_ci(share: float, clusters: Mapping[str, str] | None) -> Callable[[Sequence[Result]], Reading]:
    def read(results: Sequence[Result]) -> Reading:
        found = accuracy(results, clusters, exact=share >= _SAFETY)
        if found is None:
            return _nothing(results)
        rate, interval = found
        shown = f"{phrases.beside(interval.low, share)}, lower end of {phrases.percent(rate)}"
        return Reading(
            value=shown,
            passed=interval.low >= share - _SLACK,
            remark=_at_worst(share, interval),
            interval=_between(interval),
        )

    return read


def _between(interval: Interval) -> str:
    return f"{phrases.percent(interval.low)} … {phrases.percent(interval.high)}"


def _at_worst(share: float, interval: Interval) -> str:
    """What a gate on safety must not let anybody forget."""
    return f"failure rate could still be {phrases.percent(1 - interval.low)}" if share >= _SAFETY else ""


def _score(share: float) -> Callable[[Sequence[Result]], Reading]:
    def read(results: Sequence[Result]) -> Reading:
        found = mean_score(results)
        if found is None:
            return _nothing(results)
        return Reading(value=f"{found:.3f}", passed=found >= share - _SLACK)

    return read


def _pass_k(k: int, share: float) -> Callable[[Sequence[Result]], Reading]:
    def read(results: Sequence[Result]) -> Reading:
        outcomes = outcomes_by_case(results)
        counts = [(len(one), round(sum(one))) for one in outcomes.values() if len(one) >= k]
        short = len({result.case for result in results}) - len(counts)
        if not counts:
            return Reading(value=None, passed=False, remark=f"no case has {k} graded repeats")
        found = pass_power(counts, k)
        remark = f"left out: {phrases.count(short, 'case')} of fewer than {k} graded repeats" if short else ""
        return Reading(value=phrases.beside(found, share), passed=found >= share - _SLACK, remark=remark)

    return read


def _error_rate(share: float) -> Callable[[Sequence[Result]], Reading]:
    def read(results: Sequence[Result]) -> Reading:
        tried = [result for result in results if result.outcome is not Outcome.SKIPPED]
        if not tried:
            return _nothing(results)
        errors = sum(result.outcome is Outcome.ERROR for result in tried)
        found = errors / len(tried)
        shown = f"{phrases.beside(found, share)}, {errors} of {len(tried)}"
        return Reading(value=shown, passed=found <= share + _SLACK)

    return read


def _time(first_token: bool, q: float, limit: float) -> Callable[[Sequence[Result]], Reading]:
    def read(results: Sequence[Result]) -> Reading:
        values = times(results, lambda result: result.ttft if first_token else result.latency)
        missing = len(graded(results)) - len(values)
        what = "time to first token" if first_token else "latency"
        if not values:
            return Reading(value=None, passed=False, remark=f"no trial has a {what}")
        found = quantile(values, q)
        remark = f"left out: {phrases.count(missing, 'trial')} without a {what}" if missing else ""
        return Reading(value=phrases.seconds(found), passed=found <= limit + _SLACK, remark=remark)

    return read


def _cost(limit: Decimal, *, each: bool) -> Callable[[Sequence[Result]], Reading]:
    def read(results: Sequence[Result]) -> Reading:
        unknown = unpriced(results)
        found = total_cost(results)
        if found is None or unknown:
            why = f"{phrases.count(unknown, 'trial')} unpriced" if unknown else "no trial has a cost"
            return Reading(value=None, passed=False, remark=why)
        amount = found[0] / found[1] if each else found[0]
        return Reading(value=phrases.money(amount), passed=amount <= limit)

    return read


def _tokens(limit: float) -> Callable[[Sequence[Result]], Reading]:
    def read(results: Sequence[Result]) -> Reading:
        totals = [total for result in graded(results) if (total := result.usage.total) is not None]
        if not totals:
            return Reading(value=None, passed=False, remark="no trial has a count of tokens")
        found = sum(totals) / len(totals)
        missing = len(graded(results)) - len(totals)
        remark = f"left out: {phrases.count(missing, 'trial')} without a count of tokens" if missing else ""
        return Reading(value=f"{found:,.1f}", passed=found <= limit + _SLACK, remark=remark)

    return read


def _nothing(results: Sequence[Result]) -> Reading:
    why = "no trial is graded" if results else "there are no such trials"
    return Reading(value=None, passed=False, remark=why)


def _compared(metric: str, comparison: Comparison | None) -> Reading:
    """Read a comparison as a gate: what is not shown has not passed."""
    if comparison is None or comparison.difference is None or comparison.verdict is None:
        return Reading(value=None, passed=False, remark="no case has a graded trial in both variants")
    found, said = comparison.difference, comparison.verdict
    if metric == "better_than_baseline":
        passed = said.kind == "better"
    else:
        # Equivalence was shown at its own level, so it must not fail for want of a 95% interval.
        passed = found.interval.low > -said.margin or said.kind == "equivalent"
    remark = ""
    if not passed:
        shown = "it is worse" if said.kind == "worse" else "not shown"
        remark = f"{shown}; {sentences.missing(found, said, given=comparison.margin_given)}"
    interval = phrases.interval(found.interval)
    return Reading(
        value=f"{phrases.points(found.estimate)} ({interval})", passed=passed, remark=remark, interval=interval
    )
