"""Results broken down: each variant by tag, fact, API and more, and against the baseline."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas
import pytest

import harness
from tests.projects import harness as command
from tests.projects import write

#: Cases of each language; of the German ones v2 answers right, of the others both do, or neither.
DE, EN = 40, 30


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    facts = [(f"c{n}", "de" if n < DE else "en") for n in range(DE + EN)]
    cases = "".join(
        f"  - {{id: {case}, tags: [{lang}, {lang}], metadata: {{lang: {lang}}}, cluster: g{n % 35}, input: Ask}}\n"
        for n, (case, lang) in enumerate(facts)
    )

    def row(n: int, case: str, right: bool) -> str:
        usage = {"input": 100 + n, "output": 10}
        return json.dumps({"id": case, "output": "yes" if right else "no", "latency": 1 + n, "usage": usage}) + "\n"

    v1 = "".join(row(n, case, lang == "en" and n % 2 == 0) for n, (case, lang) in enumerate(facts))
    v2 = "".join(row(n, case, lang == "de" or n % 2 == 0) for n, (case, lang) in enumerate(facts))
    suite = "suite: s\nvariants: {v1: {outputs: v1.jsonl}, v2: {outputs: v2.jsonl}}\nexpect: {equals: 'yes'}\ncases:\n"
    return write(tmp_path, {"suites/s.yaml": suite + cases, "suites/v1.jsonl": v1, "suites/v2.jsonl": v2})


def test_each_slice_is_set_against_the_baseline_s_trials_with_the_same_values() -> None:
    frame = harness.run().breakdown("metadata.lang").set_index(["metadata.lang", "variant"])
    assert frame.difference.dropna().to_dict() == {("de", "v2"): 1.0, ("en", "v2"): 0.0}
    assert frame.word.dropna().to_dict() == {("de", "v2"): "better", ("en", "v2"): "none"}
    german = frame.loc["de", "v2"]
    assert (german.trials, german.cases, german.passed, german.latency_p95) == (DE, DE, DE, pytest.approx(38.05))
    assert (german.input_tokens, german.output_tokens) == (100 + (DE - 1) / 2, 10)
    assert german.difference_low < 1 <= german.difference_high


def test_what_is_said_of_a_slice_is_adjusted_for_how_many_there_are() -> None:
    split = harness.run(html=False).breakdown("tag").set_index(["tag", "variant"]).loc["de", "v2"]
    alone = harness.run(html=False, tags="de").breakdown("tag").set_index("variant").loc["v2"]
    assert split.difference == alone.difference
    assert split.difference_low < alone.difference_low
    # With one case in each, nothing can be said of any.
    assert set(harness.load().breakdown("case").word.dropna()) == {"few"}


def test_clusters_apis_and_variants_are_keys_too(project: Path) -> None:
    run = harness.run(html=False)
    # Of one variant alone there is nothing to set it against.
    assert run.breakdown("variant").difference.isna().all()
    assert set(run.breakdown("api").api) == {"outputs"}
    assert len(run.breakdown("cluster")) == 2 * 35
    assert run.breakdown("variant", "variant").variant.tolist() == ["v1", "v2"]
    assert str(run.breakdown("tag").dtypes["word"]) == "string"
    with pytest.raises(harness.UsageError, match="Did you mean 'cluster'"):
        run.breakdown("clusters")


def test_a_run_prints_what_it_is_asked_to_break_down(project: Path) -> None:
    done = command("run", "--by", "tag,metadata.lang", "-o", "by.csv", "-o", "by.md")
    table = done.stdout.split("by tag, metadata.lang")[1]
    assert "+100.0 pp, better" in table
    assert "2 differences tested" in table
    rows = list(csv.DictReader(io.StringIO((project / "by.csv").read_text())))
    frame = harness.load().breakdown("tag", "metadata.lang")
    assert [(row["tag"], row["variant"], float(row["accuracy"])) for row in rows] == list(
        zip(frame.tag, frame.variant, frame.accuracy, strict=True)
    )
    assert "+100.0 pp, better" in (project / "by.md").read_text()
    summary = max(project.glob("reports/*/summary.md")).read_text()
    assert "### By tag, metadata.lang" in summary
    told: dict[str, Any] = json.loads(command("run", "--json", "--by", "tag").stdout)["breakdown"]
    assert told["by"] == ["tag"]
    assert pandas.DataFrame(told["rows"]).word.dropna().tolist() == ["better", "none"]


def test_a_key_that_there_is_not_is_refused_before_anything_runs(project: Path) -> None:
    done = command("run", "--by", "metadata.lan")
    assert done.exit_code == 2
    assert "Did you mean 'metadata.lang'?" in done.stderr
    assert not (project / "reports").exists()


def test_a_stored_report_has_its_breakdown_in_a_file_of_its_own(project: Path) -> None:
    run = harness.run()
    command("report", "--format", "csv", "--by", "tag")
    assert (run.folder / "breakdown.csv").read_text().startswith("suite,tag,variant,trials")
    command("report", "--format", "csv")
    assert (run.folder / "results.csv").read_text().startswith("run,suite,case")
