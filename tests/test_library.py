"""`harness.X` in Python: runs, stored runs, suites built in code; the same results and messages as from YAML."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.reports.export import COLUMNS
from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.script import ScriptBrain
from tests.loopback import ChatServer
from tests.projects import faq, write
from tests.projects import harness as command


def answer(number: int, body: dict[str, Any]) -> str:
    """Variant v2 answers right, v1 does not answer the question of the price."""
    said = json.dumps(body)
    return "I <b>cannot</b> say." if "Answer briefly" in said and "cost" in said else "It takes 5 days."


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose suite faq is recorded; the service is gone."""
    folder = tmp_path_factory.mktemp("recorded")
    with ChatServer(answer) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write(folder, faq(server.url, cases=CASES % {"lang": "metadata: {lang: en}"}))
        assert command("record", "--yes").exit_code == 0
    return folder


@pytest.fixture
def project(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it for one test."""
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


CASES = """\
  - {id: shipping, tags: [policy, time], %(lang)s, input: How long does shipping take?, expected: 5 days}
  - {id: price, tags: [policy], input: What does it cost?, expected: 5 days}
"""


def url(project: Path) -> str:
    line = next(line for line in (project / "suites/faq.yaml").read_text().splitlines() if line.startswith("base_url"))
    return line.split(" ", 1)[1]


# Running and loading.


def test_a_run_says_what_the_command_line_says(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = harness.run("suites/faq.yaml", record_mode="none")
    assert capfd.readouterr() == ("", "")
    printed = command("run").stdout
    again = harness.load()
    assert run.summary().replace(run.id, again.id).strip() == printed.strip()
    assert (run.passed, run.exit_code) == (True, 0)
    assert [(one.case, one.variant, one.outcome.value) for one in run.results] == [
        ("shipping", "v1", "passed"),
        ("shipping", "v2", "passed"),
        ("price", "v1", "failed"),
        ("price", "v2", "passed"),
    ]
    assert run.report == run.folder / "report.html"


def test_where_nothing_was_run_the_command_that_runs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path, {}))
    with pytest.raises(harness.UsageError, match="there is no run under reports: `harness run` makes one"):
        harness.load()


def test_a_run_is_loaded_by_id_by_folder_by_file_and_as_the_latest(project: Path) -> None:
    run = harness.run()
    by = [run.id, run.folder, str(run.folder), run.folder / "results.jsonl", "latest"]
    assert {harness.load(one).id for one in by} == {run.id}
    assert harness.load(run.id).results == run.results
    assert [one.id for one in harness.load_all()][-1] == run.id
    with pytest.raises(harness.UsageError, match="no run 'nonsense'"):
        harness.load("nonsense")


def test_a_loop_that_runs_is_told_to_await_arun(project: Path) -> None:
    async def notebook() -> harness.Run:
        with pytest.raises(harness.UsageError, match=r"await harness\.arun\(\.\.\.\)"):
            harness.run()
        return await harness.arun(variants="v2", cases=["price"])

    run = asyncio.run(notebook())
    assert [(one.case, one.variant) for one in run.results] == [("price", "v2")]


def test_a_run_keeps_to_its_budget(project: Path) -> None:
    with pytest.raises(harness.ConfigError, match="there is a budget, and variant 'v1'"):
        harness.run("suites/faq.yaml", record_mode="all", budget="$0.01")
    # Replay spends nothing.
    assert harness.run("suites/faq.yaml", record_mode="none", budget=0).passed


def test_what_is_asked_wrongly_is_an_error_of_the_package(project: Path) -> None:
    with pytest.raises(harness.UsageError, match="no such file"):
        harness.run("suites/fag.yaml")
    with pytest.raises(harness.UsageError, match="Did you mean 'v2'"):
        harness.run(variants=["v22"])
    with pytest.raises(harness.UsageError, match="record-mode"):
        harness.run(record_mode="sometimes")  # type: ignore[arg-type]
    with pytest.raises(harness.UsageError, match="not a int"):
        harness.run([1])  # type: ignore[list-item]
    assert issubclass(harness.UsageError, harness.HarnessError)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, harness; print(*sorted(n for n in sys.modules if n.startswith('harness') or n in HEAVY))"
    heavy = "HEAVY = ('openai', 'pandas', 'numpy', 'scipy', 'vcr', 'rich', 'pydantic', 'click')\n"
    found = subprocess.run([sys.executable, "-c", heavy + code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["harness"]
    marking = heavy + code.replace("import sys, harness;", "import sys, harness; harness.scorer;")
    found = subprocess.run([sys.executable, "-c", marking], capture_output=True, text=True, check=True)
    assert not set(found.stdout.split()) & {"openai", "pandas", "numpy", "scipy", "vcr", "rich", "pydantic", "click"}


def test_every_exported_name_is_there() -> None:
    assert all(getattr(harness, name) is not None for name in harness.__all__)
    assert set(harness.__all__) <= set(dir(harness))
    with pytest.raises(AttributeError, match="Asistant"):
        _ = harness.Asistant


# What a run tells.


def test_a_frame_has_one_row_per_trial_and_columns_of_fixed_types(project: Path) -> None:
    frame = harness.run().frame()
    assert frame.groupby("variant").score.mean().to_dict() == {"v1": 0.5, "v2": 1.0}
    assert list(frame.columns) == [*COLUMNS, "metadata.lang"]
    assert all(re.search(rf"\b{name}\b", harness.Run.frame.__doc__ or "") for name in COLUMNS)
    kinds = {name: str(frame[name].dtype) for name in ("score", "passed", "cost", "input_tokens", "output", "error")}
    assert kinds == {
        "score": "float64",
        "passed": "boolean",
        "cost": "float64",
        "input_tokens": "Int64",
        "output": "string",
        "error": "string",
    }
    assert str(frame["recorded_at"].dt.tz) == "UTC"
    assert frame.explode("tags").groupby("tags").size().to_dict() == {"policy": 4, "time": 2}


def test_a_frame_takes_any_text_and_any_fact_and_goes_into_parquet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas

    monkeypatch.chdir(tmp_path)
    suite = """\
suite: s
variants: {a: {outputs: a.jsonl}}
expect: {contains: half}
cases:
  - {id: one, input: x, metadata: {rank: 1, level: 1, ok: true, share: 1, path: [a, b]}}
  - {id: two, input: x, metadata: {rank: last, level: 2, ok: false, share: 0.5}}
"""
    # Half of a character, as a model cut off in the middle of one leaves it.
    rows = '{"id": "one", "output": "half \\ud83d"}\n{"id": "two", "output": "half"}\n'
    write(tmp_path, {"suites/s.yaml": suite, "suites/a.jsonl": rows})
    frame = harness.run(html=False).frame()
    frame.to_parquet("frame.parquet")
    command("report", "-o", "report.parquet")
    mine, theirs = pandas.read_parquet("frame.parquet"), pandas.read_parquet("report.parquet")
    facts = [name for name in frame if name.startswith("metadata.")]
    for name in ("output", *facts):
        assert mine[name].astype("string").fillna("-").tolist() == theirs[name].astype("string").fillna("-").tolist()
    assert mine.output.tolist() == ["half \\ud83d", "half"]
    kinds = {name.removeprefix("metadata."): str(frame[name].dtype) for name in facts}
    assert kinds == {"rank": "string", "level": "Int64", "ok": "boolean", "share": "float64", "path": "string"}
    assert frame["metadata.rank"].tolist() == ["1", "last"]


def test_without_pandas_the_command_that_installs_it_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = harness.run()
    monkeypatch.setitem(sys.modules, "pandas", None)
    for ask in (run.frame, lambda: run.breakdown("tag")):
        with pytest.raises(harness.UsageError, match=r"pip install 'prompt-agent-harness\[pandas\]'"):
            ask()


def test_a_breakdown_counts_a_trial_under_each_of_its_tags(project: Path) -> None:
    run = harness.run()
    found = run.breakdown("tag", "metadata.lang")
    rows = {
        (one.tag, one["metadata.lang"], one.variant): one
        for _, one in found.fillna({"metadata.lang": "none"}).iterrows()
    }
    assert {key: (one.trials, one.accuracy) for key, one in rows.items() if key[2] == "v1"} == {
        ("policy", "en", "v1"): (1, 1.0),
        ("time", "en", "v1"): (1, 1.0),
        ("policy", "none", "v1"): (1, 0.0),
    }
    assert all(one.accuracy_low <= one.accuracy <= one.accuracy_high for one in rows.values())
    with pytest.raises(harness.UsageError, match=r"Did you mean 'metadata\.lang'"):
        run.breakdown("metadata.lan")


def test_a_comparison_says_what_the_command_says(project: Path) -> None:
    run = harness.run()
    compared = run.compare("v1", "v2")
    assert compared.text.strip() == command("compare", "v1", "v2").stdout.strip()
    assert compared.verdict in " ".join(compared.text.split())
    assert (compared.kind, compared.difference, compared.cases) == ("not_enough_data", 0.5, 2)
    assert run.compare() == run.compare(b="v2") == run.compare("faq:v1", "faq:v2") == compared
    with pytest.raises(harness.UsageError, match="Did you mean 'v1'"):
        run.compare("v11", "v2")
    with pytest.raises(harness.UsageError, match="both sides are"):
        run.compare("v1", "v1")


def test_a_notebook_shows_verdict_and_variants_with_everything_escaped(project: Path) -> None:
    suite = harness.Suite(
        name="<script>alert(1)</script>",
        model="m",
        base_url=url(project),
        variants=[harness.Variant(name="a & b", system="Answer briefly."), {"name": "c", "system": "Hi"}],
        cases=[harness.Case(input="x", id="1")],
    )
    shown = harness.run(suite, root=project)._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert "a &amp; b" in shown
    shown = harness.run()._repr_html_()
    assert "<strong>" in shown.split("<table>")[0]
    assert "50.0% [" in shown
    assert "src=" not in shown
    assert "href=" not in shown


def test_a_damaged_row_is_named_with_its_file_and_line(project: Path) -> None:
    run = harness.run()
    file = run.folder / "results.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([lines[0], "nonsense\n", *lines[2:]]))
    with pytest.raises(harness.StorageError, match=r"results\.jsonl:2: damaged row"):
        harness.load(run.id)
    found = {one.id: one for one in harness.load_all()}
    with pytest.raises(harness.StorageError, match=r"results\.jsonl:2"):
        _ = found[run.id].passed


# Suites built in Python.

TWIN = """\
import harness
from pathlib import Path

URL = {url!r}
suite = harness.Suite(
    name="faq",
    model="test-model",
    base_url=URL,
    variants={{"v1": harness.Variant(prompt="faq@1"), "v2": "faq@2"}},
    expect=[{{"icontains": "{{{{ expected }}}}"}}],
    cases=[
        harness.Case(
            id="shipping",
            tags=("policy", "time"),
            metadata={{"lang": "en"}},
            input="How long does shipping take?",
            expected="5 days",
        ),
        {{"id": "price", "tags": ["policy"], "input": "What does it cost?", "expected": "5 days"}},
    ],
)
run = harness.run(suite)
"""


def rows(run: harness.Run) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (run.folder / "results.jsonl").read_text().splitlines()]
    for row in found:
        row.pop("run")
        for check in row["checks"]:
            check.pop("where")
    return found


def test_a_suite_in_python_replays_the_recordings_of_its_twin_in_yaml_to_equal_rows(project: Path) -> None:
    (project / "demo.py").write_text(TWIN.format(url=url(project)))
    run = runpy.run_path(str(project / "demo.py"))["run"]
    twin = harness.run("suites/faq.yaml")
    assert rows(run) == rows(twin)
    assert run.compare().verdict == twin.compare().verdict
    assert run.results[0].cassette.path == "cassettes/faq/v1/shipping.1.yaml"
    assert {check.where for one in run.results for check in one.checks} == {"demo.py:5:1"}


def test_functions_marked_as_scorers_are_checks(project: Path) -> None:
    @harness.scorer
    def in_days(output: str, expected: str, limit: int = 0) -> tuple[bool, str]:
        return output.count(expected) > limit, f"found {output.count(expected)}"

    def suite(**keys: Any) -> harness.Suite:
        return harness.Suite(
            name="faq",
            model="test-model",
            base_url=url(project),
            variants=["faq@1", "faq@2"],
            cases=[harness.Case(id="price", input="What does it cost?", expected="5 days", **keys)],
        )

    def mode(one: harness.Suite) -> list[tuple[str, bool | None, str]]:
        run = harness.run(one, root=project)
        return [(check.scorer, check.passed, check.reason) for check in run.results[1].checks]

    (project / "cassettes/faq/faq@1").symlink_to(project / "cassettes/faq/v1")
    (project / "cassettes/faq/faq@2").symlink_to(project / "cassettes/faq/v2")
    assert mode(suite(expect=[in_days])) == [("python", True, "found 1")]
    assert mode(suite(expect={"python": in_days, "args": {"limit": 1}})) == [("python", False, "found 1")]
    assert mode(suite(expect=[in_days, {"not": {"python": "in_days"}}]))[1][:2] == ("python", False)
    with pytest.raises(harness.ConfigError, match=r"function 'len', which is no scorer.*@harness\.scorer"):
        suite(expect=[len])
    with pytest.raises(harness.ConfigError, match="takes no 'limits'. Did you mean 'limit'"):
        harness.run(suite(expect={"python": in_days, "args": {"limits": 1}}), root=project)


def test_a_suite_in_yaml_finds_a_marked_function(project: Path) -> None:
    write(
        project,
        {
            "suites/checks.py": "import harness\n\n@harness.scorer\ndef short(output):\n    return len(output) < 40\n",
            "suites/faq.yaml": (project / "suites/faq.yaml")
            .read_text()
            .replace('icontains: "{{ expected }}"', "python: ./checks.py:short"),
        },
    )
    assert [one.outcome.value for one in harness.run().results] == ["passed"] * 4


def test_a_function_can_be_the_assistant(tmp_path: Path) -> None:
    write(tmp_path, {})

    def echo(text: str) -> str:
        return f"You said {text}"

    suite = harness.Suite(
        name="echo", api="python", target=echo, cases=[{"input": "Hi", "expect": {"equals": "You said Hi"}}]
    )
    run = harness.run(suite, root=tmp_path)
    assert run.passed
    assert run.results[0].output == "You said Hi"


def test_functions_are_tools_and_classes_worlds(tmp_path: Path) -> None:
    write(tmp_path, {})

    def status(order: str) -> str:
        """Look up an order."""
        return f"{order} has shipped"

    class Shop:
        """Orders, and what became of them."""

        def cancel(self, order: str) -> str:
            """Cancel an order."""
            return f"{order} is cancelled"

    with served(Simulator(ScriptBrain(CALLING))) as server:
        suite = harness.Suite(
            name="shop",
            model="gpt-4.1-mini",
            base_url=server.url,
            env=Shop,
            variants=[
                harness.Variant(name="plain", tools=[status, "env:cancel"]),
                {"name": "described", "tools": [{"function": status, "description": "Find it."}, "env:cancel"]},
            ],
            cases=[
                {"id": "look", "input": "Where is 4711?", "expect": {"equals": "4711 has shipped"}},
                {"id": "cancel", "input": "Cancel 4711", "expect": {"equals": "4711 is cancelled"}},
            ],
        )
        recorded = harness.run(suite, root=tmp_path, record_mode="once")
    replayed = harness.run(suite, root=tmp_path)
    assert [one.outcome.value for run in (recorded, replayed) for one in run.results] == ["passed"] * 8


CALLING = [
    {"match": {"contains": "Where", "after": 0}, "call": {"name": "status", "arguments": {"order": "4711"}}},
    {"match": {"contains": "Cancel", "after": 0}, "call": {"name": "cancel", "arguments": {"order": "4711"}}},
    {"match": {"tool": "status"}, "reply": "{{ result }}"},
    {"match": {"tool": "cancel"}, "reply": "{{ result }}"},
]


def test_a_suite_made_in_a_notebook_looks_for_its_files_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(tmp_path, {"cells/data.csv": "id,input,expected\na,Hi,Hello\n"}))
    cell = """\
import harness

suite = harness.Suite(name="cell", api="python", target=lambda text: "Hello", expect={"equals": "{{ expected }}"},
                      cases="cells/data.csv")
run = await harness.arun(suite)
frame = run.frame()
wrong = harness.Case(inptu="Hi")
"""
    names: dict[str, Any] = {}
    code = compile(cell, "<ipython-input-3>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with pytest.raises(harness.ConfigError, match=r"<notebook>:7:1: unknown key 'inptu'"):
        asyncio.run(eval(code, names))
    assert names["run"].passed
    assert names["frame"]["recorded_at"].isna().all()
    assert names["frame"]["cost"].dtype == "float64"
    said = command("report")
    assert (said.exit_code, "is gone" in said.stderr) == (0, False)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: harness.Case(inptu="Hi"), "unknown key 'inptu'. Did you mean 'input'?"),
        (lambda: harness.Case(input="Hi", must_pass="most"), "'most' is no share of repeats"),
        (lambda: harness.Variant(temperature="warm"), '`temperature:` should be a number, not "warm".'),
        (lambda: harness.Suite(name="s", model="m"), "`cases:` is missing here."),
        (lambda: harness.Suite(model="m", cases=[{"input": "Hi"}]), "`name=` is missing here."),
        (lambda: harness.Case(input="Hi", metadata={"x": {1, 2}}), "`metadata.x` holds a set"),
        (lambda: harness.Case(input="Hi", metadata={1: 2}), "the key 1 in `metadata` is no text"),
        (lambda: harness.Case(input=print), "`input` holds the function 'print'"),
        (lambda: harness.Case(input="Hi", vars={"env": print}), "`vars.env` holds the function 'print'"),
        (lambda: harness.Variant(tools=[{"mcp": print}]), "`tools[0].mcp` holds the function 'print'"),
    ],
)
def test_a_wrong_key_is_refused_where_it_is_written(build: Any, message: str) -> None:
    with pytest.raises(harness.ConfigError) as caught:
        build()
    assert message in str(caught.value)
    assert f"test_library.py:{build.__code__.co_firstlineno}:1" in str(caught.value)


def test_a_suite_in_python_passes_the_checks_of_a_file(project: Path) -> None:
    suite = harness.Suite(
        name="s",
        model="m",
        variants=["faq@1", "faq@9", harness.Variant(name="again", prompt="faq@1")],
        gates={"tags": {"polcy": {"accuracy": 1}}},
        cases=[
            harness.Case(id="a", input="{{ nothing }}", tags=["policy"]),
            harness.Case(id="a", input="Hi", expect={"icontain": "Hi"}),
        ],
    )
    with pytest.raises(harness.ConfigError) as caught:
        harness.run(suite, root=project)
    for part in (
        "prompt 'faq' has no version 9. There are: 1, 2.",
        "the variants 'faq@1'",
        "the id 'a' stands in line",
        "unknown scorer 'icontain'. Did you mean 'icontains'?",
        "nothing",
    ):
        assert part in str(caught.value)
    assert all(problem.location is not None for problem in caught.value.problems)


def test_a_missing_recording_is_recorded_by_the_call_that_the_message_names(tmp_path: Path) -> None:
    write(tmp_path, {})
    with ChatServer() as server:
        suite = harness.Suite(
            name="new",
            model="m",
            base_url=server.url,
            cases=[{"id": "a", "input": "Hi", "expect": {"equals": "Hello"}}],
        )
        run = harness.run(suite, root=tmp_path)
        assert run.exit_code == 3
        assert 'harness.run(suite, record_mode="once")' in run.summary()
        assert harness.run(suite, root=tmp_path, record_mode="once").passed
    assert harness.run(suite, root=tmp_path).passed


@pytest.mark.parametrize(
    "call",
    [
        lambda: harness.run(None),
        lambda: harness.run("suites", limit="2"),
        lambda: harness.run("suites", limit=1.5),
        lambda: harness.run("suites", repeats="2"),
        lambda: harness.run("suites", budget="lots"),
        lambda: harness.run("suites", repeats=10**6),
        lambda: harness.load(None),
        lambda: harness.load(""),
    ],
)
def test_arguments_of_the_wrong_kind_are_usage_errors(
    project: Path, monkeypatch: pytest.MonkeyPatch, call: Any
) -> None:
    monkeypatch.chdir(project)
    with pytest.raises(harness.UsageError):
        call()
