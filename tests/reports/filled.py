"""The sample run with everything told of it that a summary can hold: tags, flips, times, money, tools, what differs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from samples import HOSTILE, Sample, make_sample, trial, with_suite

from harness.records import Outcome
from harness.stats.intervals import Interval
from harness.stats.paired import Difference
from harness.summary import Comparison
from harness.summary.facets import (
    Change,
    CostPart,
    FailureGroup,
    Flip,
    FrontPoint,
    Look,
    Repeats,
    Stopping,
    TagContrast,
    TimeParts,
    ToolUse,
)

TAGS = ("policy", "orders", "refunds", "small talk", HOSTILE)


def _tag(at: int, tag: str) -> TagContrast:
    estimate = (0.42, 0.1, -0.21, 0.0, 0.05)[at]
    half = (0.2, 0.14, 0.15, 0.6, 0.3)[at]
    wide = Interval(low=estimate - half, high=estimate + half, method="Tango", level=0.99)
    return TagContrast(
        tag=tag,
        cases=(40, 52, 33, 4, 12)[at],
        fixed=(20, 9, 1, 0, 2)[at],
        unchanged=(17, 39, 24, 4, 9)[at],
        broken=(3, 4, 8, 0, 1)[at],
        difference=Difference(
            estimate=estimate,
            interval=wide,
            interval90=wide,
            sd=0.5,
            cases=(40, 52, 33, 4, 12)[at],
            pairs=(40, 52, 33, 4, 12)[at],
            fixed=(20, 9, 1, 0, 2)[at],
            broken=(3, 4, 8, 0, 1)[at],
            method="Tango",
        ),
        interval=wide,
        p=(0.0002, 0.31, 0.012, None, 1.0)[at],
        word=("better", "none", "worse", "few", "none")[at],  # type: ignore[arg-type]
    )


def filled_comparison(one: Comparison) -> Comparison:
    """The same comparison with everything told of it."""
    old = "Answer from the policy. Thank the customer, then answer the question at length."
    new = "Answer from the policy only. Answer the question in one sentence."
    flips = (
        Flip(case="order-change-1", a=(1, 1), b=(0, 1), trials=("faq/order-change-1/faq@1/1",)),
        *(
            Flip(case=case, a=(0, 1), b=(1, 1), trials=())
            for case in ("shipping-time", "refund-method", "business-hours", "return-window-1")
        ),
    )
    return replace(
        one,
        tags=tuple(_tag(at, tag) for at, tag in enumerate(TAGS)),
        flips=flips,
        noise="With no change at all, about 8 of 100 cases would be fixed and about 8 broken: these repeats disagree "
        "that often.",
        changes=(
            Change(
                kind="prompt",
                name="prompt",
                a="faq@1",
                b="faq@2",
                texts=(old, new),
                tokens=-7,
                money=Decimal("-0.0007"),
            ),
            Change(kind="setting", name="temperature", a="0.7", b="0.2"),
            Change(kind="tool", name="tool find_order", a="", b="one parameter more: region"),
            Change(kind="recording", name="recorded", a="2026-11-20", b=HOSTILE),
        ),
        confounded="Temperature differs too, so the difference cannot be put down to the prompt alone.",
        bounds=(0.24, 0.38),
        dropped_cases=("express-cost-1",),
        meaning=("Of 1,000 answers about 310 more are right.", "1,000 answers cost $0.0041 more and take as long."),
        advice=("Look at the one broken case, order-change-1, before you switch.", "harness record --only-stale faq"),
        latency_withheld="the arms were recorded on different days (2026-11-20, 2026-11-21)",
        stopping=Stopping(
            planned=30,
            used=24,
            looks=tuple(
                Look(
                    cases=cases,
                    estimate=estimate,
                    interval=Interval(low=estimate - half, high=estimate + half, method="O'Brien-Fleming"),
                )
                for cases, estimate, half in ((8, 0.2, 0.9), (16, 0.28, 0.42), (24, 0.31, 0.22))
            ),
            reason="difference",
        ),
    )


def _costs(scale: float) -> tuple[CostPart, ...]:
    return (
        CostPart(kind="input", tokens=412_000.0, money=Decimal("0.0412")),
        CostPart(kind="cached_input", tokens=100_000.0, money=Decimal("0.002")),
        CostPart(kind="output", tokens=38_000.0 * scale, money=Decimal(f"{0.0152 * scale:.4f}")),
        CostPart(kind="judge", tokens=None, money=Decimal("0.021")),
    )


def filled_sample() -> Sample:
    """The sample run with every field filled."""
    sample = make_sample()
    suite = sample.summary.suites[0]
    variants = tuple(
        replace(
            one,
            latency_p50_interval=Interval(low=1.1, high=1.4, method="Woodruff"),
            latency_p95_interval=Interval(low=1.9, high=2.9, method="Woodruff"),
            ttft_p95=0.71,
            time=TimeParts(model=0.9 + at / 10, tools=0.3, retries=0.05, trials=30),
            costs=_costs(1 + at / 2),
            tools=(
                ToolUse(name="find_order", calls=60, errors=3, trials=28, p50=0.11, p95=0.35),
                ToolUse(name=HOSTILE, calls=4, errors=4, trials=4),
            ),
            repeats=Repeats(at={1: 0.8, 3: 0.95}, hat={1: 0.8, 3: 0.61}, flaky=(("warranty", 1, 3), (HOSTILE, 2, 3))),
        )
        for at, one in enumerate(suite.variants)
    )
    failures = (
        FailureGroup(by="check", name="icontains", counts={"faq@1": (10, 30), "faq@2": (2, 29), "nano": (6, 30)}),
        FailureGroup(by="tag", name="policy", counts={"faq@1": (10, 30), "faq@2": (2, 29), "nano": (6, 30)}),
        FailureGroup(by="tag", name=HOSTILE, counts={"faq@1": (1, 1), "faq@2": (1, 1)}),
        FailureGroup(by="metadata", name="lang = de", counts={"faq@1": (4, 9), "faq@2": (2, 9), "nano": (3, 9)}),
    )
    front = (
        FrontPoint(
            variant="faq@1",
            accuracy=0.667,
            interval=Interval(low=0.488, high=0.808, method="Wilson"),
            money=Decimal("0.05"),
            dominated=True,
        ),
        FrontPoint(
            variant="nano",
            accuracy=0.8,
            interval=Interval(low=0.627, high=0.905, method="Wilson"),
            money=Decimal("0.02"),
            dominated=False,
        ),
        FrontPoint(
            variant="faq@2",
            accuracy=0.931,
            interval=Interval(low=0.78, high=0.981, method="Wilson"),
            money=Decimal("0.054"),
            dominated=False,
        ),
    )
    results = [
        replace(one, latency=0.5 + (at * 37 % 97) / 40 + (0.2 if one.variant == "faq@1" else 0))
        for at, one in enumerate(sample.results)
    ]
    summary = with_suite(
        sample.summary,
        variants=variants,
        comparisons=tuple(filled_comparison(one) for one in suite.comparisons),
        failures=failures,
        front=front,
    )
    return Sample(summary, tuple(results))


def repeated_case(case: str) -> list[object]:
    """Three repeats of a case in both arms, of which the candidate's second and third fail."""
    return [
        trial(case, variant, Outcome.FAILED if variant == "faq@2" and repeat > 1 else Outcome.PASSED, repeat=repeat)
        for repeat in (1, 2, 3)
        for variant in ("faq@1", "faq@2")
    ]
