"""The tables of a suite as rows of text; the terminal and Markdown render the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.records import JSON
from harness.reports import clean, words
from harness.summary import Comparison, GateResult, SuiteSummary, VariantSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Headers, rows as wide as the headers, and for each column `left` or `right`."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: tuple[str, ...]
    #: Columns that may be broken into several lines where room is short.
    flexible: tuple[int, ...] = ()


def variants(suite: SuiteSummary) -> Table:
    """One row per variant: how many trials, how good, how fast, how dear, and against the baseline."""
    troubled = any(variant.errors or variant.skipped for variant in suite.variants)
    compared = len(suite.variants) > 1
    headers = [
        "variant",
        "n",
        "passed",
        *(["errors"] if troubled else []),
        "accuracy [95% CI]",
    ]
    headers += ["p50", "p95", "ttft", "cost", *(["vs baseline"] if compared else [])]
    return Table(
        headers=tuple(headers),
        rows=tuple(
            _variant(
                variant,
                comparison(suite, variant),
                troubled=troubled,
                compared=compared,
            )
            for variant in suite.variants
        ),
        align=(
            "left",
            *["right"] * (3 if troubled else 2),
            "left",
            *["right"] * 4,
            *["left"] * compared,
        ),
    )


def gates(suite: SuiteSummary) -> Table:
    """One row per gate: whether it holds, of what, what was asked for and what was found."""
    return Table(
        headers=("gate", "variant", "metric", "target", "value"),
        rows=tuple(
            (
                gate_word(gate),
                gate.variant,
                gate_metric(gate),
                gate.target,
                gate.value or words.NOTHING,
            )
            for gate in suite.gates
        ),
        align=("left", "left", "left", "left", "left"),
        flexible=(1, 2, 3, 4),
    )


def listing(rows: Sequence[Mapping[str, JSON]]) -> str:
    """Return plain rows as a table for the terminal; their keys are the columns, lists are joined by commas."""
    from tabulate import tabulate

    columns = list(dict.fromkeys(key for row in rows for key in row))
    kinds = [[row.get(column) for row in rows] for column in columns]
    numeric = [
        all(isinstance(value, int | float | None) and not isinstance(value, bool) for value in kind) for kind in kinds
    ]
    return tabulate(
        [[clean.line(_cell(row.get(column))) for column in columns] for row in rows],
        headers=[clean.line(column) for column in columns],
        tablefmt="simple",
        colalign=["right" if number else "left" for number in numeric] if rows else None,
        disable_numparse=True,
    )


def gate_word(gate: GateResult) -> str:
    """Whether a gate holds, in words."""
    return "not evaluated" if gate.passed is None else "pass" if gate.passed else "FAIL"


def gate_metric(gate: GateResult) -> str:
    """What a gate is about; a case's own gate names the case."""
    return f"{gate.metric} of {gate.case}" if gate.case else gate.metric


def comparison(suite: SuiteSummary, variant: VariantSummary) -> Comparison | None:
    """The comparison of a variant with the suite's baseline, if there is one."""
    return next((found for found in suite.comparisons if found.candidate == variant.name), None)


def _variant(
    variant: VariantSummary,
    comparison: Comparison | None,
    *,
    troubled: bool,
    compared: bool,
) -> tuple[str, ...]:
    row = [
        variant.name,
        str(variant.trials) if variant.trials >= variant.planned else f"{variant.trials}/{variant.planned}",
        str(variant.passed),
    ]
    if troubled:
        row.append(str(variant.errors) + (f"+{variant.skipped} skipped" if variant.skipped else ""))
    row += [
        words.accuracy(variant.accuracy, variant.interval),
        words.seconds(variant.latency_p50),
        words.seconds(variant.latency_p95),
        words.seconds(variant.ttft_p50),
        words.cost(variant.cost, variant.unpriced),
    ]
    if compared:
        row.append("baseline" if variant.role == "baseline" else _against(variant, comparison))
    return tuple(row)


def _against(variant: VariantSummary, comparison: Comparison | None) -> str:
    return ", ".join(part for part in (words.against_baseline(comparison), words.role(variant)) if part)


def _cell(value: JSON) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return str(value)
