"""A run as one page of HTML that needs nothing else: no network, no server, no script to be read.

All text of others is escaped by the template engine; the page forbids everything but its own style and script, by hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from importlib import resources

from harness import __version__
from harness.records import Result
from harness.reports import clean, notes, page, tables, words
from harness.summary import RunSummary, SuiteSummary, phrases


def render(summary: RunSummary, read: Callable[[], Iterable[Result]], *, facts: Mapping[str, str] | None = None) -> str:
    """Return a run as a page of HTML.

    Args:
        summary: The run.
        read: Gives the run's results in plan order; called twice, so that they need not be in memory.
        facts: What else to say about how the run was made, such as versions and the commit.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    style, script = _asset("assets", "report.css"), _asset("assets", "report.js")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "line": clean.line,
        "percent": words.percent,
        "seconds": words.seconds,
        "money": words.money,
    }
    cases, limit = page.cases(summary.suites, read)
    return environment.from_string(_asset("templates", "report.html.j2")).render(
        # Ours, and checked by the browser against the hashes in the policy.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        policy=policy(style, script),
        summary=summary,
        title=_title(summary),
        ending=words.ending(summary.exit_code),
        code=int(summary.exit_code),
        started=words.moment(summary.started),
        mode="replayed, nothing was sent" if summary.mode == "none" else f"record mode {summary.mode}",
        cases=cases,
        limit=limit,
        facts={"harness": __version__, **(facts or {})},
        page=page,
        tables=tables,
        words=words,
        phrases=phrases,
        notes=notes,
        made=_made,
    )


def policy(style: str, script: str) -> str:
    """Return a Content-Security-Policy that lets the page run this style and this script, and nothing else."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _asset(folder: str, name: str) -> str:
    return (resources.files("harness.reports") / folder / name).read_text("utf-8")


def _title(summary: RunSummary) -> str:
    """The headline: the verdict where there is exactly one, else what the run came to."""
    candidates = {
        (one.suite, one.name) for suite in summary.suites for one in suite.variants if one.role == "candidate"
    }
    found = [one for suite in summary.suites for one in suite.comparisons if (one.suite, one.candidate) in candidates]
    if len(found) == 1 and found[0].headline:
        return clean.line(found[0].headline)
    return words.ending(summary.exit_code).capitalize()


def _made(suite: SuiteSummary) -> list[tuple[str, str]]:
    """How a suite's numbers were made, as terms and sentences."""
    rows = []
    trials = sum(variant.trials for variant in suite.variants)
    planned = sum(variant.planned for variant in suite.variants)
    selected = f" of {planned:,} planned" if planned != trials else ""
    cases = max((variant.cases for variant in suite.variants), default=0)
    rows.append(("Trials", f"{phrases.count(trials, 'trial')}{selected}, {phrases.count(cases, 'case')} per variant."))
    methods = sorted({variant.interval.method for variant in suite.variants if variant.interval})
    rows.append(
        (
            "Accuracy",
            "Share of passes, averaged over cases. Errors and skipped trials are not in it."
            + (f" 95% interval: {', '.join(methods)}." if methods else ""),
        )
    )
    for one in suite.comparisons:
        if one.difference is None:
            continue
        chosen = "chosen in the suite" if one.margin_given else "the default, nobody chose it"
        text = (
            f"Paired by case ({phrases.count(one.cases, 'case')}). 95% interval: {one.difference.method}. "
            f"Smallest difference that matters: {one.margin * 100:g} pp, {chosen}."
        )
        if one.dropped:
            text += (
                f" Left out: {phrases.count(one.dropped, 'pair')} of which either trial ended in error or was skipped."
            )
        if one.unpaired:
            text += f" Without a counterpart: {phrases.count(one.unpaired, 'trial')}."
        if one.changed:
            text += f" The input differs between both arms in {phrases.count(one.changed, 'case')}."
        rows.append((f"{one.candidate} against {one.baseline}", text))
    times = (
        "As recorded: from the start of a trial to the end of its last model step, tools and retries included. "
        "ttft is the time to the first piece of the answer. p50 and p95 interpolate between trials."
    )
    rows.append(("Times", times))
    return rows + [
        (label.capitalize(), text) for label, _, text in (note.partition(": ") for note in notes.of_suite(suite))
    ]
