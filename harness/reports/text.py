"""What `harness run` and pytest print: tables, verdicts, gates, and the trials that decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.records import CheckResult, Outcome, Result
from harness.reports import clean, hints, notes, tables, telling, words
from harness.reports.findings import ErrorGroup, Findings, gather
from harness.reports.pen import Pen
from harness.summary import RunSummary, SuiteSummary, phrases

#: Lines of an answer, and different messages per kind of error, that are printed.
_OUTPUT_LINES = 6
_ERROR_LINES = 12
_MESSAGES_PER_KIND = 3


def render(
    summary: RunSummary,
    results: Iterable[Result] = (),
    *,
    color: bool = False,
    width: int = 100,
    failures: int = 10,
    quiet: bool = False,
) -> str:
    """Return a run as text for a terminal or a log; it holds no control characters but colours, where asked for.

    Args:
        summary: The run.
        results: Its results, or those of them that did not pass; read once.
        color: Whether to set bold, green and red.
        width: Columns to fit into, 60 or more.
        failures: Failing trials to show per suite; 0 leaves them and the errors out.
        quiet: Whether to say nothing but the verdicts and what the run came to.
    """
    pen = Pen(color=color, width=width)
    if quiet:
        verdicts = [line for suite in summary.suites for one in suite.comparisons for line in telling.verdict(one, pen)]
        return clean.inert("\n".join([*verdicts, _end(summary, pen)])) + "\n"
    found = gather(summary, results, limit=failures) if failures else {}
    parts = [_suite(suite, found.get(suite.name, Findings()), pen) for suite in summary.suites]
    told = [group.message for one in found.values() for group in one.errors]
    hint = hints.next_command(summary, told)
    parts.append("\n".join([_end(summary, pen), *(pen.labelled("next", hint, "  ") if hint else [])]))
    return clean.inert("\n\n".join(part for part in parts if part)) + "\n"


def render_trial(result: Result, *, color: bool = False, width: int = 100, transcript: bool = True) -> str:
    """Return one trial as text: what failed and where, and what was said.

    Args:
        result: The trial.
        color: Whether to set bold, green and red.
        width: Columns to fit into.
        transcript: Whether to show the conversation before the answer.
    """
    pen = Pen(color=color, width=width)
    return clean.inert("\n".join(_trial(result, pen, transcript=transcript)))


def _suite(suite: SuiteSummary, found: Findings, pen: Pen) -> str:
    name = clean.line(suite.name, pen.width // 2)
    head = f"{pen.bold(name)}  {clean.line(suite.shown, pen.width - clean.cells(name) - 2)}".rstrip()
    only = _nothing_recorded(suite, found)
    if only is not None:
        return "\n".join([head, *_message(only.message, pen, "  ")])
    blocks = [
        [head],
        pen.table(tables.variants(suite)),
        *(list(telling.comparison(one, pen)) for one in suite.comparisons),
        [pen.bold("  gates"), *pen.table(tables.gates(suite), headers=False)] if suite.gates else [],
        list(_failures(found, pen)),
        list(_errors(found, pen)),
        [line for note in notes.of_suite(suite) for line in pen.paragraph(note, "  ")],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _nothing_recorded(suite: SuiteSummary, found: Findings) -> ErrorGroup | None:
    """The one error that all trials of a suite share because there is no recording at all."""
    trials = sum(variant.trials for variant in suite.variants)
    if len(found.errors) == 1 and found.errors[0].count == trials and found.errors[0].kind == "cassette_miss":
        return found.errors[0]
    return None


def _failures(found: Findings, pen: Pen) -> Iterator[str]:
    sorts = (
        ("failing trials that decide", found.deciding, found.deciding_count),
        (
            "failing trials that do not decide by themselves",
            found.missed,
            found.missed_count,
        ),
    )
    for title, shown, count in sorts:
        if not shown:
            continue
        if title == sorts[1][0] and found.deciding:
            yield ""
        yield pen.bold(f"  {title}") + (f" ({len(shown)} of {count} shown)" if len(shown) < count else f" ({count})")
        for result in shown:
            yield from ("    " + line for line in _trial(result, pen.narrower(4)))


def _errors(found: Findings, pen: Pen) -> Iterator[str]:
    kinds: dict[str, list[ErrorGroup]] = {}
    for group in found.errors:
        kinds.setdefault(group.kind, []).append(group)
    for kind, groups in kinds.items():
        trials = sum(group.count for group in groups)
        aside = "" if any(group.decides for group in groups) else ", does not decide"
        yield f"  {pen.bold(pen.red('error'))} {clean.line(kind, 40)} ({phrases.count(trials, 'trial')}{aside})"
        # Every miss has the same cause more often than not, and ends with the same command.
        shown = groups[: 1 if kind == "cassette_miss" else _MESSAGES_PER_KIND]
        for group in shown:
            place = f"{group.trial}  {group.where}" if group.where else group.trial
            yield from pen.paragraph(
                place + (f" and {group.count - 1} more" if group.count > 1 else ""),
                "    ",
            )
            yield from _message(group.message, pen, "      ")
        rest = sum(group.count for group in groups[len(shown) :])
        if rest:
            yield f"    and {phrases.count(rest, 'more trial')} with other messages of this kind"


def _trial(result: Result, pen: Pen, *, transcript: bool = False) -> Iterator[str]:
    yield from pen.paragraph(result.id, "")
    if transcript:
        yield from _transcript(result, pen)
    else:
        text = notes.plain(result.input)
        yield from _labelled("input", text, pen, lines=2)
        if result.output is not None:
            yield from _labelled("output", result.output, pen, lines=_OUTPUT_LINES)
    for check in result.checks:
        if check.passed is not True:
            yield from _check(check, pen)
    if result.error is not None:
        place = f"  {clean.line(result.error.where)}" if result.error.where else ""
        yield f"  {pen.red('error')} {clean.line(result.error.kind, 40)}{place}"
        yield from _message(result.error.message, pen, "    ")


def _check(check: CheckResult, pen: Pen) -> Iterator[str]:
    state = "unscored" if check.passed is None else "failed"
    name = clean.line(
        check.name if check.name == check.scorer else f"{check.name} ({check.scorer})",
        60,
    )
    aside = (f", turn {check.turn}" if check.turn else "") + (", soft" if check.soft else "")
    place = f"  {clean.line(check.where)}" if check.where else ""
    yield f"  {state if check.soft else pen.red(state)} {name}{aside}{place}"
    yield from _message(check.reason, pen, "    ")


def _transcript(result: Result, pen: Pen) -> Iterator[str]:
    for message in result.messages:
        yield from _labelled(message.role, message.content, pen, lines=_OUTPUT_LINES)
        for call in message.tool_calls:
            yield from _labelled("tool call", f"{call.name} {notes.plain(call.arguments)}", pen, lines=2)
    said = result.messages[-1].content if result.messages and result.messages[-1].role == "assistant" else None
    if not result.messages:
        yield from _labelled("input", notes.plain(result.input), pen, lines=_OUTPUT_LINES)
    if result.output is not None and result.output != said:
        yield from _labelled("output", result.output, pen, lines=_OUTPUT_LINES)
    yield from pen.paragraph(notes.of_trial(result), "  ")


def _labelled(label: str, text: str, pen: Pen, *, lines: int) -> Iterator[str]:
    """Text of others, marked on every line as a quotation."""
    rows = [line.rstrip() for line in clean.block(text).expandtabs(4).split("\n") if line.strip()]
    wrapped = [piece for line in rows for piece in clean.wrap(line, pen.width - 14)]
    shown = wrapped if len(wrapped) <= lines else wrapped[: lines - 1]
    for number, line in enumerate(shown):
        yield f"  {label if not number else '':<9} | {line}".rstrip()
    if len(shown) < len(wrapped):
        yield f"  {'':<9} | … ({phrases.count(len(wrapped) - len(shown), 'more line')})"


def _message(text: str, pen: Pen, indent: str) -> Iterator[str]:
    """A message's own lines, wrapped, but for a command that somebody will want to copy."""
    lines = [line.rstrip() for line in clean.block(text).expandtabs(4).strip("\n").split("\n")]
    for line in lines[:_ERROR_LINES]:
        own = indent + " " * min(len(line) - len(line.lstrip()), 8)
        if line.lstrip().startswith("harness "):
            yield own + line.lstrip()
        elif line:
            yield from (own + piece for piece in clean.wrap(line.lstrip(), pen.width - len(own)))
    if len(lines) > _ERROR_LINES:
        yield f"{indent}… ({phrases.count(len(lines) - _ERROR_LINES, 'more line')})"


def _end(summary: RunSummary, pen: Pen) -> str:
    outcomes = [
        (word, _total(summary, word)) for word in (Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED)
    ]
    counts = ", ".join(f"{number} {word.value}" for word, number in outcomes if number)
    spent = notes.of_spending(summary)
    head = f"{counts or 'no trials'}, run {clean.line(summary.run, 60)}{f', {clean.line(spent)}' if spent else ''}"
    if summary.passed:
        return pen.bold(pen.green(words.ending(summary.exit_code))) + f"  {head}"
    word = f"{words.ending(summary.exit_code)} (exit {int(summary.exit_code)})"
    reasons = [line for reason in summary.reasons for line in pen.paragraph(reason, "  ")]
    return "\n".join([pen.bold(pen.red(word)) + f"  {head}", *reasons])


def _total(summary: RunSummary, outcome: Outcome) -> int:
    total = 0
    for suite in summary.suites:
        for variant in suite.variants:
            match outcome:
                case Outcome.PASSED:
                    total += variant.passed
                case Outcome.FAILED:
                    total += variant.failed
                case Outcome.ERROR:
                    total += variant.errors
                case Outcome.SKIPPED:
                    total += variant.skipped
    return total
