"""Runs over time, in Python: all trials in one frame, and how each variant went."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest

import harness
from harness.library.frames import TREND
from tests.loopback import ChatServer
from tests.projects import faq, write
from tests.projects import harness as command
from tests.test_library import CASES, answer


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with three runs of one suite, recorded once."""
    root = tmp_path_factory.mktemp("three")
    with pytest.MonkeyPatch.context() as patch, ChatServer(answer) as server:
        patch.chdir(root)
        write(root, faq(server.url, cases=CASES % {"lang": "metadata: {lang: en}"}))
        assert command("record", "--yes").exit_code == 0
        harness.run(html=False)
        harness.run(html=False, cases=["price"])
    return root


@pytest.fixture
def runs(three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sequence[harness.Run]:
    shutil.copytree(three, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return harness.load_all()


def test_all_trials_of_all_runs_are_in_one_frame(runs: Sequence[harness.Run]) -> None:
    frame = harness.load_all().frame()
    assert frame.groupby("run").size().to_dict() == {runs[0].id: 4, runs[1].id: 4, runs[2].id: 2}
    assert list(frame.columns) == list(runs[1].frame().columns)


def test_a_trend_has_the_numbers_that_each_run_told(runs: Sequence[harness.Run]) -> None:
    trend = harness.load_all().trend()
    assert {name: str(kind) for name, kind in trend.dtypes.items()} == {name: kind for name, (kind, _) in TREND.items()}
    assert list(zip(trend.run, trend.variant, strict=True)) == [(run.id, name) for run in runs for name in ("v1", "v2")]
    told = runs[1].plain()["suites"][0]
    row = trend[(trend.run == runs[1].id) & (trend.variant == "v2")].iloc[0]
    (v2,) = (one for one in told["variants"] if one["name"] == "v2")
    assert (row.role, row.prompt, row.passed, row.planned) == ("candidate", "faq@2", 2, 2)
    assert (row.accuracy, row.accuracy_low, row.accuracy_high) == (
        v2["accuracy"],
        v2["interval"]["low"],
        v2["interval"]["high"],
    )
    assert row.latency_p95 == v2["latency_p95"]
    assert row.difference == told["comparisons"][0]["difference"]["estimate"] == 0.5
    assert row.verdict == runs[1].compare("v1", "v2").kind
    partial = trend[trend.run == runs[2].id]
    assert partial.trials.tolist() == [1, 1]
    assert partial.planned.tolist() == [2, 2]


def test_a_trend_needs_no_rows(runs: Sequence[harness.Run]) -> None:
    (runs[1].folder / "results.jsonl").write_text("nonsense\n")
    assert len(harness.load_all().trend()) == 6


def test_a_run_that_was_made_before_such_numbers_were_kept_is_counted_from_its_rows(
    runs: Sequence[harness.Run],
) -> None:
    before = harness.load_all().trend()
    file = runs[1].folder / "run.json"
    manifest = json.loads(file.read_text())
    for variant in manifest["suites"][0]["variants"]:
        del variant["summary"]
    file.write_text(json.dumps(manifest))
    (runs[2].folder / "run.json").unlink()
    after = harness.load_all().trend()
    told = ["run", "variant", "accuracy", "accuracy_low", "latency_p50", "difference", "verdict", "started"]
    assert after[:4][told].equals(before[:4][told])
    # A run that was cut off tells no more than its rows.
    assert after[4:].accuracy.tolist() == before[4:].accuracy.tolist()
    assert str(after.started.iloc[5]).startswith(f"{runs[2].id[:4]}-")


@pytest.mark.parametrize(
    ("file", "text"),
    [("run.json", "{"), ("run.json", '{"suites": [{"name": "faq", "variants": [{"name": "v1", "summary": {}}]}]}')],
)
def test_a_damaged_run_is_named_and_left_out(runs: Sequence[harness.Run], file: str, text: str) -> None:
    (runs[1].folder / file).write_text(text)
    with pytest.warns(UserWarning, match=rf"a run is left out: .*{runs[1].id}/run.json:1: run.json is damaged"):
        trend = harness.load_all().trend()
    assert set(trend.run) == {runs[0].id, runs[2].id}


def test_a_damaged_row_leaves_its_run_out_of_the_frame_aloud(runs: Sequence[harness.Run]) -> None:
    (runs[1].folder / "results.jsonl").write_text("nonsense\n")
    with pytest.warns(UserWarning, match=r"results\.jsonl:1: damaged row"):
        frame = harness.load_all().frame()
    assert set(frame.run) == {runs[0].id, runs[2].id}


def test_where_there_is_no_run_there_are_empty_frames(tmp_path: Path) -> None:
    runs = harness.load_all(tmp_path / "nowhere")
    assert len(runs) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert runs.trend().empty
        assert list(runs.trend().columns) == list(TREND)
        assert runs.frame().empty
