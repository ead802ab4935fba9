"""The tables of a suite as rows of text; the terminal and Markdown render the same ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    streamed = any(variant.ttft_p50 is not None for variant in suite.variants)
    headers = ["variant", "n", "passed", *(["errors"] if troubled else []), "accuracy [95% CI]"]
    accuracy = len(headers) - 1
    headers += ["p50", "p95", *(["ttft"] if streamed else []), "cost", *(["vs baseline"] if compared else [])]
    rows = [
        _variant(variant, comparison(suite, variant), troubled=troubled, streamed=streamed, compared=compared)
        for variant in suite.variants
    ]
    return Table(
        headers=tuple(headers),
        rows=tuple(rows),
        align=("left", *["right"] * (2 + troubled), "left", *["right"] * (3 + streamed), *["left"] * compared),
        flexible=(0, accuracy, len(headers) - 1) if compared else (0, accuracy),
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


def listing(rows: Sequence[Mapping[str, JSON]], *, width: int = 100) -> str:
    """Return plain rows as a table for the terminal; their keys are the columns, lists are joined by commas."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    kinds = [[row[column] for row in rows if row.get(column) is not None] for column in columns]
    numeric = [all(isinstance(value, int | float) and not isinstance(value, bool) for value in kind) for kind in kinds]
    table = Table(
        headers=tuple(columns),
        rows=tuple(tuple(_cell(row.get(column)) for column in columns) for row in rows),
        align=tuple("right" if number and kind else "left" for number, kind in zip(numeric, kinds, strict=True)),
        flexible=tuple(position for position, number in enumerate(numeric) if not number),
    )
    return "\n".join(drawn(table, width=width))


def drawn(
    table: Table, *, width: int, headers: bool = True, paint: Callable[[str], str] = lambda cell: cell
) -> list[str]:
    """Return a table as lines for the terminal.

    Args:
        table: What to draw; its text is cleaned here.
        width: Columns of the terminal to fit into, by breaking the cells of flexible columns.
        headers: Whether to draw the headers and a rule.
        paint: Sets a piece of a cell in colour.
    """
    from tabulate import tabulate

    cells = [[clean.line(cell) for cell in row] for row in ([table.headers, *table.rows] if headers else table.rows)]
    if not cells:
        return []
    widths = _widths(table, cells, width)
    rows = [
        ["\n".join(paint(piece) for piece in clean.wrap(*cell)) for cell in zip(row, widths, strict=True)]
        for row in cells
    ]
    if headers:
        rows.insert(1, ["-" * width for width in widths])
    text = tabulate(rows, tablefmt="plain", colalign=table.align, disable_numparse=True)
    return [line.rstrip() for line in text.splitlines()]


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
    streamed: bool,
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
        *([words.seconds(variant.ttft_p50)] if streamed else []),
        words.cost(variant.cost, variant.unpriced),
    ]
    if compared:
        row.append("baseline" if variant.role == "baseline" else _against(variant, comparison))
    return tuple(row)


def _against(variant: VariantSummary, comparison: Comparison | None) -> str:
    return ", ".join(part for part in (words.against_baseline(comparison), words.role(variant)) if part)


def _widths(table: Table, cells: list[list[str]], width: int) -> list[int]:
    """The width of each column, those that may be broken made narrow enough for the table to fit."""
    widths = [max(clean.cells(row[column]) for row in cells) for column in range(len(table.headers))]
    excess = sum(widths) + 2 * (len(widths) - 1) - width
    for _ in range(max(excess, 0)):
        # Names can be broken anywhere, words in other columns should not be.
        loose = [column for column in table.flexible if widths[column] > (8 if column else 6)]
        if not loose:
            break
        widths[max(loose, key=lambda column: widths[column])] -= 1
    return widths


def _cell(value: JSON) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return str(value)
