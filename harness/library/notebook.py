"""What a notebook shows of a run: verdicts and the table of variants, as a fragment of HTML that needs nothing else."""

from __future__ import annotations

from html import escape

from harness.reports import clean, tables, words
from harness.reports.tables import Table
from harness.summary import Comparison, RunSummary, SuiteSummary


def fragment(summary: RunSummary) -> str:
    """Return a run as a fragment of HTML; names and everything else that others wrote is escaped."""
    ending = words.ending(summary.exit_code)
    head = f"<p><strong>{_text(ending)}</strong> run {_text(summary.run)}</p>"
    reasons = "".join(f"<li>{_text(reason)}</li>" for reason in summary.reasons)
    suites = "".join(_suite(suite) for suite in summary.suites)
    return f'<div class="harness-run">{head}{f"<ul>{reasons}</ul>" if reasons else ""}{suites}</div>'


def _suite(suite: SuiteSummary) -> str:
    verdicts = "".join(_verdict(one) for one in suite.comparisons)
    gates = _table(tables.gates(suite)) if suite.gates else ""
    return f"<h4>{_text(suite.name)}</h4>{verdicts}{_table(tables.variants(suite))}{gates}"


def _verdict(comparison: Comparison) -> str:
    headline, rest = comparison.headline, comparison.text.removeprefix(comparison.headline)
    return f"<p><strong>{_text(headline)}</strong>{escape(clean.block(rest))}</p>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{_text(header)}</th>" for header in table.headers)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align: {align}">{_text(cell)}</td>' for cell, align in zip(row, table.align, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    return escape(clean.line(text))
