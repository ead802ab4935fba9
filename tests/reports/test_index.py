"""The page of all runs: what each came to, and how accuracy, latency and cost went."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from threading import Thread

import pytest
from samples import HOSTILE

from harness.reports import index
from harness.runs.indexing import write_index
from harness.summary.history import History, Point
from tests.loopback import ChatServer
from tests.projects import faq, harness, write


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a recorded suite, and the run that recorded it."""
    monkeypatch.chdir(tmp_path)
    with ChatServer(lambda number, body: "It takes 5 days.") as server:
        write(tmp_path, faq(server.url))
        assert harness("record", "--yes").exit_code == 0
    return tmp_path


def listed(page: str) -> list[str]:
    """The ids of the runs in the list, from its top."""
    return re.findall(r'<span class="remark">(2.*?)</span>', page)


def charts(page: str) -> list[dict[str, object]]:
    return [json.loads(text) for text in re.findall(r'<script type="application/json">(\{.*?)</script>', page)]


def test_three_runs_are_followed_and_the_newest_stands_on_top(project: Path) -> None:
    page = (project / "reports/index.html").read_text("utf-8")
    assert "<h1>1 run</h1>" in page
    assert charts(page) == []
    assert harness("run", "-q").exit_code == 0
    assert harness("run", "-q", "--variant", "v1", "--case", "price").exit_code == 0
    page = (project / "reports/index.html").read_text("utf-8")
    runs = sorted((path.name for path in (project / "reports").glob("2*")), reverse=True)
    assert sorted(listed(page), reverse=True) == runs
    assert len(runs) == 3
    for run in runs:
        assert f'<a href="{run}/report.html">' in page
    accuracy = charts(page)[0]
    assert accuracy["unit"] == "share"
    series = {one["name"]: one["points"] for one in accuracy["series"]}  # type: ignore[attr-defined, index]
    assert [point["y"] for point in series["v1"]] == [1.0, 1.0, 1.0]
    assert [point["part"] for point in series["v1"]] == [False, False, True]
    assert [point["x"] for point in series["v2"]] == [0, 1]
    assert all(0 < point["low"] < point["high"] <= 1 for point in series["v2"])


def test_a_damaged_run_is_named_and_the_others_are_shown(project: Path) -> None:
    assert harness("run", "-q").exit_code == 0
    # Both may have begun in one second: their names do not tell which is the last one.
    first, last = sorted((project / "reports").glob("2*"), key=lambda run: (run / "results.jsonl").stat().st_mtime_ns)
    (first / "run.json").write_text("{", "utf-8")
    (last / "report.html").unlink()
    assert harness("report", "--format", "html").exit_code == 0
    page = (project / "reports/index.html").read_text("utf-8")
    assert sorted(listed(page)) == sorted([first.name, last.name])
    assert "run.json is damaged" in page
    assert f'<a href="{last.name}/report.html">' in page


def test_of_runs_that_began_in_one_second_the_last_stands_on_top(project: Path) -> None:
    source = next((project / "reports").glob("2*"))
    names = ["20261122-100000-ff99", "20261122-100000-aa00"]
    for moment, name in enumerate(names, start=1):
        folder = project / "reports" / name
        folder.mkdir()
        for kept in ("results.jsonl", "run.json"):
            (folder / kept).write_bytes((source / kept).read_bytes())
        os.utime(folder / "results.jsonl", (moment, moment))
    write_index(project / "reports")
    assert listed((project / "reports/index.html").read_text("utf-8"))[:2] == names[::-1]


def test_no_page_where_none_was_wanted(project: Path) -> None:
    path = project / "reports/index.html"
    path.unlink()
    assert harness("run", "-q", "--no-html").exit_code == 0
    assert not path.exists()


def test_a_page_that_cannot_be_written_is_said_and_fails_nothing(project: Path) -> None:
    path = project / "reports/index.html"
    path.unlink()
    path.mkdir()
    result = harness("run", "-q")
    assert result.exit_code == 0
    assert "the page of all runs was not written: " in result.stderr


def test_runs_that_end_at_once_are_all_in_it(project: Path) -> None:
    source = next((project / "reports").glob("2*"))
    names = [f"20261122-1000{number:02d}-ab{number:02d}" for number in range(12)]

    def end(name: str) -> None:
        folder = project / "reports" / name
        folder.mkdir()
        for kept in ("results.jsonl", "run.json"):
            (folder / kept).write_bytes((source / kept).read_bytes())
        write_index(project / "reports")

    threads = [Thread(target=end, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(listed((project / "reports/index.html").read_text("utf-8"))) == sorted([source.name, *names])
    assert list((project / "reports").glob(".*")) == []


def test_what_was_compared_with_another_tree_is_listed_and_not_followed(project: Path) -> None:
    assert harness("compare", "v1", "v2", "--suite", "faq").exit_code == 0
    page = (project / "reports/index.html").read_text("utf-8")
    assert len(listed(page)) == 2
    assert "two arms compared" in page
    assert charts(page) == []


def test_hostile_names_stay_text() -> None:
    points = tuple(
        Point(
            run=f"20261121-10000{number}-ab12",
            started=HOSTILE,
            commit=HOSTILE,
            dirty=True,
            exit_code=99,
            suite=HOSTILE,
            variant=HOSTILE,
            role="candidate",
            accuracy=0.5,
            verdict="better",
            difference=0.1,
            headline=HOSTILE,
        )
        for number in range(3)
    )
    found = History(points=points, damaged=(("20261121-110000-ab12", HOSTILE),), silent=("20261121-120000-ab12",))
    page = index.render(found, links={})
    body = page[page.index("<body>") :]
    assert "<script>alert" not in body
    assert "<svg onload" not in body
    assert "<img" not in body
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page)
    assert len(listed(page)) == 5
    assert "style=" not in re.sub(r"<(style|script)[^>]*>.*?</\1>", "", page, flags=re.S)
