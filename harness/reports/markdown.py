"""A run for a CI job's step summary: what failed first, then the numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from harness.records import CheckResult, Result
from harness.reports import clean, notes, tables, words
from harness.reports.findings import ErrorGroup, Findings, gather
from harness.reports.tables import Table
from harness.summary import Comparison, RunSummary, SuiteSummary, phrases

#: What a comment may hold on the services that show these, less some room for who quotes it.
LIMIT = 64_000
_FAILURES = 100
_OUTPUT = 1_500
_INPUT = 600
_MESSAGE = 2_000
_PUNCTUATION = re.compile(r"([\\`*_{}\[\]<>#!|~&$])")
#: What would start a list or a heading, were it to stand first on a line.
_LEADING = re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[-+=]))")
#: The same inside a tag.
_MARKUP = frozenset("&<>\"'*_`[]!~$|\\")
_FENCES = re.compile(r"`{3,}")
_ADDRESS = re.compile(r"(\bwww(?=\.)|:(?=//)|@|#(?=\d))", re.IGNORECASE)
#: Keeps the reader's service from making a mention or a link: it has no width.
_BREAK = "\u200b"


def render(summary: RunSummary, results: Iterable[Result] = ()) -> str:
    """Return a run as GitHub-flavoured Markdown of fewer than 65,000 characters.

    Args:
        summary: The run.
        results: Its results, or those of them that did not pass; read once.
    """
    found = gather(summary, results, limit=_FAILURES)
    head = "\n".join(_head(summary))
    numbers = "\n".join(line for suite in summary.suites for line in _numbers(suite, several=len(summary.suites) > 1))
    room = LIMIT - len(head)
    if len(numbers) > room // 2:
        numbers = numbers[: room // 2].rpartition("\n")[0] + "\n\n… the rest is in the full report."
    blocks = [block for suite in summary.suites for block in _troubles(found.get(suite.name, Findings()))]
    return "\n".join([head, *_as_fits(blocks, room - len(numbers) - 200), numbers]).rstrip() + "\n"


def escaped(text: str) -> str:
    """Text of others as one line that Markdown shows as it is: no markup, no mention, no image, no link."""
    quoted = _PUNCTUATION.sub(r"\\\1", clean.line(text))
    return _ADDRESS.sub(rf"\1{_BREAK}", _LEADING.sub(r"\1\\", quoted))


def fenced(text: str, limit: int) -> str:
    """Text of others as a block of code that it cannot end, cut to `limit` characters with a note."""
    shown = clean.block(text).strip("\n")
    note = ""
    if len(shown) > limit:
        note = f"\n… {len(shown) - limit:,} more characters"
        shown = shown[:limit]
    longest = max((len(run) for run in _FENCES.findall(shown)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}text\n{shown}{note}\n{fence}"


def _head(summary: RunSummary) -> Iterator[str]:
    mark = "✅" if summary.passed else "❌"
    yield f"## {mark} {words.ending(summary.exit_code)}"
    yield ""
    for reason in summary.reasons:
        yield f"- {escaped(clean.line(reason, 500))}"
    if summary.reasons:
        yield ""


def _numbers(suite: SuiteSummary, *, several: bool) -> Iterator[str]:
    yield f"### {escaped(suite.name)}" if several else f"### Results of {escaped(suite.name)}"
    yield ""
    yield _table(tables.variants(suite))
    yield ""
    for comparison in suite.comparisons:
        yield _comparison(comparison)
        yield ""
    if suite.gates:
        yield _table(tables.gates(suite))
        yield ""
    for note in notes.of_suite(suite):
        yield f"- {escaped(note)}"
    yield ""


def _table(table: Table) -> str:
    from tabulate import tabulate

    return tabulate(
        [[escaped(cell) for cell in row] for row in table.rows],
        headers=[escaped(head) for head in table.headers],
        tablefmt="pipe",
        colalign=table.align if table.rows else None,
        disable_numparse=True,
    )


def _comparison(comparison: Comparison) -> str:
    text = escaped(comparison.text)
    headline = escaped(comparison.headline)
    if headline and text.startswith(headline):
        text = f"**{headline}**{text[len(headline) :]}"
    return " ".join([text, *(escaped(more) for more in (comparison.latency_text, comparison.cost_text) if more)])


def _troubles(found: Findings) -> Iterator[str]:
    for group in found.errors:
        yield _error(group)
    for result in found.deciding:
        yield _failure(result, "failed")
    for result in found.missed:
        yield _failure(result, "failed, does not decide by itself")
    hidden = found.deciding_count + found.missed_count - len(found.deciding) - len(found.missed)
    if hidden:
        yield f"… and {phrases.count(hidden, 'more failing trial')}.\n"


def _as_fits(blocks: list[str], room: int) -> list[str]:
    shown: list[str] = []
    for number, block in enumerate(blocks):
        room -= len(block) + 1
        if room < 0:
            return [*shown, f"… {phrases.count(len(blocks) - number, 'more problem')}: see the full report.\n"]
        shown.append(block)
    return shown


def _error(group: ErrorGroup) -> str:
    place = f", {escaped(group.where)}" if group.where else ""
    title = f"**error** {escaped(group.kind)} ({phrases.count(group.count, 'trial')}): {escaped(group.trial)}{place}"
    return f"{title}\n\n{fenced(group.message, _MESSAGE)}\n"


def _failure(result: Result, state: str) -> str:
    lines = [f"<details><summary>{state}: {_summary(result.id)}</summary>", ""]
    lines += [f"- {_check(check)}" for check in result.checks if check.passed is not True]
    lines += ["", "Input", "", fenced(notes.plain(result.input), _INPUT), ""]
    if result.output is not None:
        lines += ["Output", "", fenced(result.output, _OUTPUT), ""]
    return "\n".join([*lines, "</details>", ""])


def _summary(text: str) -> str:
    """Text inside an HTML tag, where backslashes would be seen."""
    flat = _ADDRESS.sub(rf"\1{_BREAK}", clean.line(text, 300))
    return "".join(f"&#{ord(character)};" if character in _MARKUP else character for character in flat)


def _check(check: CheckResult) -> str:
    state = "unscored" if check.passed is None else "failed"
    place = f" ({escaped(check.where)})" if check.where else ""
    soft = ", soft" if check.soft else ""
    return f"{state}{soft} **{escaped(clean.line(check.name, 80))}**{place}: {escaped(clean.line(check.reason, 600))}"
