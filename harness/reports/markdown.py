"""A run for a pull request and for a CI job's step summary: what failed first, then the verdict and the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.records import JSON, CheckResult, Result
from harness.reports import contrast, hints, linediff, notes, tables, words
from harness.reports.findings import ErrorGroup, Findings, gather
from harness.reports.markup import details, escaped, fenced, in_tag, length, table
from harness.suites.names import slug
from harness.summary import Comparison, RunSummary, SuiteSummary, phrases
from harness.summary.facets import Change

#: Bytes: what a comment may hold on the services that show these, less some room for who quotes it.
LIMIT = 64_000
_FAILURES = 100
#: Bytes of reasons for the exit code, and of a table of slices.
_REASONS, _SLICES = 12_000, 16_000
#: Trials of a case that are told with it.
_REPEATS = 3
_OUTPUT = 1_500
_INPUT = 600
_MESSAGE = 2_000
_PROMPT = 6_000
#: Cells of a line that tells of a check, a gate or a setting.
_LINE = 600
#: The same of a verdict, and of what it means.
_SENTENCES = 2_000


def render(
    summary: RunSummary,
    results: Iterable[Result] = (),
    *,
    link: str = "",
    by: Sequence[str] = (),
    slices: Sequence[Mapping[str, JSON]] = (),
    note: str = "",
) -> str:
    """Return a run as GitHub-flavoured Markdown of fewer than 65,000 bytes.

    Args:
        summary: The run.
        results: Its results, or those of them that did not pass; read once.
        link: Where the whole report can be had; empty: nobody knows.
        by: What results were broken down by; empty: they were not.
        slices: The rows of that table; those that do not fit are counted.
        note: What its words rest on.
    """
    broken = {
        (one.suite, one.candidate, flip.case)
        for suite in summary.suites
        for one in suite.comparisons
        for flip in one.flips
        if flip.broken
    }
    # Only so many are kept, and a case that was fine in the baseline says more than one that never was.
    ordered = sorted(results, key=lambda one: (one.suite, one.variant, one.case) not in broken) if broken else results
    found = gather(summary, ordered, limit=_FAILURES)
    head = "\n".join(_head(summary))
    tail = f"\n[The whole report]({link}) is among this run's artifacts.\n" if link else ""
    tail = _sliced(by, slices) + (f"\n{note}\n" if note else "") + tail
    numbers = _cut(
        [block for suite in summary.suites for block in _numbers(suite)], (LIMIT - length(head) - length(tail)) // 2
    )
    room = LIMIT - length(head) - length(numbers) - length(tail) - 200
    cases = [block for suite in summary.suites for block in _troubles(found.get(suite.name, Findings()), broken)]
    return "\n".join([head, *_as_fits(cases, room), numbers]).rstrip() + "\n" + tail


def _head(summary: RunSummary) -> Iterator[str]:
    # An action finds its own comment by these.
    yield "".join(f"<!-- harness:{slug(suite.name).replace('--', '-')} -->" for suite in summary.suites[:20])
    mark = "✅" if summary.passed else "❌"
    yield f"## {mark} {words.ending(summary.exit_code)}"
    yield ""
    room = _REASONS
    for number, reason in enumerate(summary.reasons):
        line = f"- {escaped(reason, 500)}"
        room -= length(line)
        if room < 0:
            yield f"- … and {len(summary.reasons) - number} more"
            break
        yield line
    if summary.reasons:
        yield ""


def _numbers(suite: SuiteSummary) -> Iterator[tuple[int, str]]:
    """Yield what is said of a suite as blocks, each with its place in the order in which they are kept."""
    yield 0, f"### Results of {escaped(suite.name, 100)}\n"
    for one in suite.comparisons:
        yield 0, "\n".join(_comparison(one))
    yield 1, f"{table(tables.variants(suite))}\n"
    if suite.gates:
        yield 1, f"{table(tables.gates(suite))}\n"
    for one in suite.comparisons:
        for block in _parts(one):
            yield 3, block
    told = notes.of_suite(suite)
    if told:
        yield 2, "\n".join(f"- {escaped(note, _LINE)}" for note in told) + "\n"


def _comparison(one: Comparison) -> Iterator[str]:
    text, headline = escaped(one.text, _SENTENCES), escaped(one.headline, _SENTENCES)
    if headline and text.startswith(headline):
        text = f"**{headline}**{text[len(headline) :]}"
    meant = contrast.meaning(one)
    if one.latency_withheld or not one.meaning:
        meant = f"{contrast.speed(one)} {meant}".strip()
    yield " ".join(part for part in (text, escaped(meant, _SENTENCES)) if part)
    yield ""
    advice = [one.confounded, hints.advice(one), one.noise if one.flips else ""]
    cases = [f"**{label}:** {escaped(named)}" for label, named in contrast.flips(one)]
    left = contrast.left_out(one)
    lines = [*cases, f"**left out:** {escaped(left)}" if left else "", *(escaped(text, _LINE) for text in advice)]
    yield "".join(f"- {line}\n" for line in lines if line)


def _parts(one: Comparison) -> Iterator[str]:
    """Yield what is folded away: what differs between the arms, and the difference by tag."""
    arms = f"{in_tag(one.candidate)} against {in_tag(one.baseline)}"
    if one.changes:
        lines = [f"- {escaped(line, _LINE)}" for line in contrast.differs(one)]
        diffs = [block for change in one.changes if (block := _diff(change))]
        yield details(f"What differs: {arms}", "\n".join([*lines, "", *diffs]))
    by_tag = contrast.tags(one)
    if by_tag is not None:
        yield details(f"By tag: {arms}", f"{table(by_tag)}\n\n{escaped(contrast.tags_note(one))}")


def _diff(change: Change) -> str:
    before, after = change.texts
    if before == after:
        return ""
    return fenced(linediff.render(before, after, names=(change.a or "before", change.b or "after")), _PROMPT)


def _cut(blocks: Sequence[tuple[int, str]], room: int) -> str:
    """As many blocks as fit, in their order; those that do not are left out whole, the least important first."""
    kept: set[int] = set()
    for place in sorted(range(len(blocks)), key=lambda place: blocks[place][0]):
        size = length(blocks[place][1]) + 1
        if size <= room:
            room -= size
            kept.add(place)
    shown = [block for place, (_, block) in enumerate(blocks) if place in kept]
    if len(shown) < len(blocks):
        shown.append("… the rest is in the full report.\n")
    return "\n".join(shown)


def _sliced(by: Sequence[str], rows: Sequence[Mapping[str, JSON]]) -> str:
    if not by:
        return ""
    titles = list(rows[0]) if rows else list(by)
    lines = [
        "| " + " | ".join(escaped(title) for title in titles) + " |",
        "| " + " | ".join("---" for _ in titles) + " |",
    ]
    room = _SLICES
    for number, row in enumerate(rows):
        line = "| " + " | ".join(escaped(str(cell), _LINE) for cell in row.values()) + " |"
        room -= length(line)
        if room < 0:
            lines += ["", f"… and {phrases.count(len(rows) - number, 'more row')}."]
            break
        lines.append(line)
    return f"\n### By {escaped(', '.join(by), _LINE)}\n\n" + "\n".join(lines) + "\n"


Key = tuple[str, str, str]


def _troubles(found: Findings, broken: set[Key]) -> Iterator[tuple[str, str]]:
    """Yield what went wrong: what sort of thing it is, and a block of text."""
    for group in found.errors:
        yield "error", _error(group)
    for sort, state in ((found.deciding, "failed"), (found.missed, "failed, does not decide by itself")):
        cases: dict[Key, list[Result]] = {}
        for result in sort:
            cases.setdefault((result.suite, result.variant, result.case), []).append(result)
        for key, trials in cases.items():
            yield "case", _failure(trials, f"broken, {state}" if key in broken else state)
    hidden = found.deciding_count + found.missed_count - len(found.deciding) - len(found.missed)
    if hidden:
        yield "", f"… and {phrases.count(hidden, 'more failing trial')}.\n"


def _as_fits(blocks: Sequence[tuple[str, str]], room: int) -> list[str]:
    shown: list[str] = []
    for number, (_, block) in enumerate(blocks):
        room -= length(block) + 1
        if room < 0:
            sorts = [sort for sort, _ in blocks[number:]]
            left = [phrases.count(sorts.count(sort), sort) for sort in ("error", "case") if sort in sorts]
            return [*shown, f"… {' and '.join(left) or 'more'} omitted: see the full report.\n"]
        shown.append(block)
    return shown


def _error(group: ErrorGroup) -> str:
    place = f", {escaped(group.where, _LINE)}" if group.where else ""
    trial = escaped(group.trial, _LINE)
    title = f"**error** {escaped(group.kind, 100)} ({phrases.count(group.count, 'trial')}): {trial}{place}"
    return f"{title}\n\n{fenced(group.message, _MESSAGE)}\n"


def _failure(trials: Sequence[Result], state: str) -> str:
    """One case of one variant: why each repeat failed, and what was said in the first of them."""
    first = trials[0]
    more = f" and {len(trials) - 1} more" if len(trials) > 1 else ""
    lines: list[str] = []
    for result in trials[:_REPEATS]:
        lines += [f"- {_check(check)}" for check in result.checks if check.passed is not True]
    lines = [*dict.fromkeys(lines), "", "Input", "", fenced(notes.plain(first.input), _INPUT), ""]
    if first.output is not None:
        lines += ["Output", "", fenced(first.output, _OUTPUT), ""]
    return details(f"{state}: {in_tag(first.id)}{more}", "\n".join(lines))


def _check(check: CheckResult) -> str:
    state = "unscored" if check.passed is None else "failed"
    place = f" ({escaped(check.where, _LINE)})" if check.where else ""
    soft = ", soft" if check.soft else ""
    return f"{state}{soft} **{escaped(check.name, 80)}**{place}: {escaped(check.reason, _LINE)}"
