"""All runs of a project as one page: what each came to, and how accuracy, latency and cost went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.errors import ExitCode
from harness.reports import clean, words
from harness.reports.figures import Figure, trend
from harness.reports.policy import policy
from harness.reports.templating import environment, joined
from harness.reports.vendored import libraries
from harness.summary import phrases
from harness.summary.history import History, Point

_STYLES = ("theme.css", "page.css", "sections.css", "index.css", "forced.css", "print.css")
_SCRIPTS = ("loader.js", "charts.js")
_WORDS = {
    "better": "better",
    "worse": "worse",
    "equivalent": "equivalent",
    "not_worse": "not worse",
    "no_evidence": "no evidence",
    "not_enough_data": "not enough data",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a run says of one variant of a suite."""

    variant: str
    accuracy: str
    #: "better, +11.0 pp"; empty: it was compared with nothing.
    verdict: str
    kind: str
    headline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run in the list of runs."""

    run: str
    #: Where its page is, relative to the list; empty: it has none.
    link: str
    when: str
    commit: str
    #: What it was compared with by `harness compare`; empty: it is a run.
    compared: str
    ending: str
    code: int | None
    #: By suite.
    suites: tuple[tuple[str, tuple[Told, ...]], ...]
    #: Why there are no numbers; empty: there are.
    trouble: str = ""


def render(history: History, *, links: Mapping[str, str]) -> str:
    """Return all runs as a page of HTML that needs nothing else.

    Args:
        history: The runs, the oldest first.
        links: By the id of a run, where its page is, relative to this one.
    """
    from markupsafe import Markup

    style, script = joined(_STYLES), joined(_SCRIPTS)
    followed = _followed(history)
    carried = libraries(("plot",) if any(figures for _, figures in followed) else ())
    rows = _rows(history, links)
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            style=Markup(style),  # noqa: S704 (our own file)
            script=Markup(script),  # noqa: S704 (our own file)
            policy=policy(styles=[style], scripts=[script], libraries=carried),
            libraries=carried,
            title=phrases.count(len(rows), "run"),
            rows=rows,
            trends=followed,
        )
    )


def _rows(history: History, links: Mapping[str, str]) -> list[Row]:
    """All runs, the newest first; those without numbers in their places."""
    by_run: dict[str, list[Point]] = {}
    for point in history.points:
        by_run.setdefault(point.run, []).append(point)
    rows = {run: _row(run, points, links.get(run, "")) for run, points in by_run.items()}
    troubles = {**dict(history.damaged), **dict.fromkeys(history.silent, "was cut off, or keeps no numbers")}
    for run, why in troubles.items():
        rows[run] = Row(
            run=clean.line(run),
            link=links.get(run, ""),
            when=_begun(run),
            commit="",
            compared="",
            ending="damaged" if run in dict(history.damaged) else "no numbers",
            code=None,
            suites=(),
            trouble=clean.line(why),
        )
    # Runs that began in one second have ids that do not tell which was first.
    order = {run: at for at, run in enumerate(history.runs)}
    newest = sorted(rows, key=lambda run: (run.rpartition("-")[0], order.get(run, -1), run), reverse=True)
    return [rows[run] for run in newest]


def _row(run: str, points: list[Point], link: str) -> Row:
    first = points[0]
    suites: dict[str, list[Told]] = {}
    for point in points:
        suites.setdefault(point.suite, []).append(_told(point))
    return Row(
        run=clean.line(run),
        link=link,
        when=clean.line(words.moment(first.started)),
        commit=clean.line(first.commit)[:8] + ("+" if first.commit and first.dirty else ""),
        compared=clean.line(first.compared, 40),
        ending=_ending(first.exit_code),
        code=first.exit_code,
        suites=tuple((clean.line(name), tuple(told)) for name, told in suites.items()),
    )


def _ending(code: int | None) -> str:
    known = {one.value: words.ending(one) for one in ExitCode}
    return "not known" if code is None else known.get(code, "not known")


def _told(point: Point) -> Told:
    verdict = _WORDS.get(point.verdict, "")
    size = f", {phrases.points(point.difference)}" if verdict and point.difference is not None else ""
    return Told(
        variant=clean.line(point.variant),
        accuracy=words.percent(point.accuracy),
        verdict=verdict + size,
        kind=point.verdict if verdict else "",
        headline=clean.line(point.headline),
    )


def _followed(history: History) -> list[tuple[str, tuple[Figure, ...]]]:
    suites: dict[str, list[Point]] = {}
    for point in history.points:
        # Arms of another tree are no part of how the project went.
        if not point.compared:
            suites.setdefault(point.suite, []).append(point)
    found = ((clean.line(name), trend.trends(points)) for name, points in suites.items())
    return [(name, figures) for name, figures in found if figures]


def _begun(run: str) -> str:
    """When a run began, as its id says."""
    day, _, rest = run.partition("-")
    time = rest.partition("-")[0]
    if not (len(day) == 8 and day.isdecimal() and len(time) == 6 and time.isdecimal()):
        return ""
    return f"{day[:4]}-{day[4:6]}-{day[6:]} {time[:2]}:{time[2:4]} UTC"
