"""A run as one page of HTML that needs nothing else: no network, no server, no script to be read.

All text of others is escaped by the template engine; the page forbids everything but its own style and script, by hash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from harness import __version__
from harness.records import Result
from harness.reports import clean, evidence, gathering, method, notes, sections, vendored, words
from harness.reports.policy import policy
from harness.reports.templating import environment, joined
from harness.summary import Comparison, RunSummary, phrases

_STYLES = ("theme.css", "page.css", "sections.css", "cases.css", "drawer.css", "narrow.css", "forced.css", "print.css")
_SCRIPTS = (
    "loader.js",
    "showing.js",
    "data.js",
    "words.js",
    "table.js",
    "drawer.js",
    "page.js",
    "charts.js",
)
#: The parts of a page that are its own, and what it carries packed: to change them would break it.
OURS = re.compile(
    r"(<meta http-equiv[^>]*>|<style>.*?</style>|<script>.*?</script>|"
    r'<script type="application/json" id="page:packed:[^>]*>"[^"]*"</script>)',
    re.DOTALL,
)
_LIBRARIES = ("plot", "tabulator")


def render(summary: RunSummary, read: Callable[[], Iterable[Result]], *, facts: Mapping[str, str] | None = None) -> str:
    """Return a run as a page of HTML.

    Args:
        summary: The run.
        read: Gives the run's results in plan order; called once; they need not be in memory.
        facts: What else to say about how the run was made, such as versions and the commit.
    """
    from markupsafe import Markup

    style, script = joined(_STYLES), joined(_SCRIPTS)
    carried = vendored.libraries(_LIBRARIES)
    seen = evidence.gathered(summary.suites)
    found = gathering.gathered(summary.suites, read(), seen=seen)
    views = found.suites
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            # Ours, and checked by the browser against the hashes in the policy.
            style=Markup(style),  # noqa: S704 (our own file)
            script=Markup(script),  # noqa: S704 (our own file)
            policy=policy(styles=[style], scripts=[script], libraries=carried),
            libraries=carried,
            summary=summary,
            title=_title(summary),
            ending=words.ending(summary.exit_code),
            code=int(summary.exit_code),
            started=words.moment(summary.started),
            mode="replayed, nothing was sent" if summary.mode == "none" else f"record mode {summary.mode}",
            views=views,
            packed_data=found.packed,
            several=len(summary.suites) > 1,
            facts={"harness": __version__, **(facts or {})},
            found=sections.sections(summary.suites, seen, {name: view.anchor for name, view in views.items()}),
            sources={suite.name: notes.answers(suite) for suite in summary.suites},
            method=method,
            lede=_lede,
        )
    )


def _title(summary: RunSummary) -> str:
    """The headline: the verdict where there is exactly one, else what the run came to."""
    candidates = {
        (one.suite, one.name) for suite in summary.suites for one in suite.variants if one.role == "candidate"
    }
    found = [one for suite in summary.suites for one in suite.comparisons if (one.suite, one.candidate) in candidates]
    if len(summary.suites) == len(found) == 1 and found[0].verdict and found[0].headline:
        return clean.line(found[0].headline)
    ending = words.ending(summary.exit_code).capitalize()
    return f"{ending}: {phrases.count(len(summary.suites), 'suite')}" if len(summary.suites) > 1 else ending


def _lede(comparison: Comparison, title: str) -> str:
    """What a comparison found, without what the headline says already."""
    text = clean.line(comparison.text)
    return text.removeprefix(f"{title}: ")
