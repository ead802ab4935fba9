"""How trials run under pytest: the engine, modes, workers, other plugins, interruptions."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import SUITE, Write

#: An agent that says when it starts, and then waits for ever.
WAITING = """
import asyncio

async def answer(input, skill):
    with open("started", "w") as fifo:
        fifo.write("x")
    await asyncio.Event().wait()
"""

UNDECIDED = [
    pytest.param(("--record-mode", "once"), {}, "", id="option"),
    pytest.param(("--record-mode", "all"), {}, "", id="all", marks=pytest.mark.slow),
    pytest.param(("--record-mode", "new_episodes"), {}, "", id="new_episodes", marks=pytest.mark.slow),
    pytest.param(("--harness-record-mode", "verify"), {}, "", id="verify", marks=pytest.mark.slow),
    pytest.param(("--harness-record-mode", "rewrite"), {}, "", id="own option"),
    pytest.param((), {"HARNESS_RECORD_MODE": "once"}, "", id="environment"),
    pytest.param((), {}, "[pytest]\nharness_record_mode = once\n", id="ini"),
]


@pytest.mark.parametrize("arguments, environ, ini", UNDECIDED)
@pytest.mark.parametrize("recording", [(), ("-p", "no:recording")], ids=["pytest-recording", "alone"])
def test_workers_never_go_live(
    pytester: pytest.Pytester,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    *,
    arguments: tuple[str, ...],
    environ: dict[str, str],
    ini: str,
    recording: tuple[str, ...],
) -> None:
    write()
    if ini:
        (pytester.path / "pytest.ini").write_text(ini)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    result = pytester.runpytest("suites", "-n", "2", *arguments, *recording)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*record first*harness record suites/quiz.yaml*"])
    assert not (pytester.path / "reports").exists()
    assert "passed" not in result.parseoutcomes() if "=" in result.stdout.str().splitlines()[-1] else True


def test_recording_other_tests_on_workers_is_not_our_business(pytester: pytest.Pytester, write: Write) -> None:
    write()
    pytester.makepyfile("def test_sum(): pass")
    result = pytester.runpytest("-n", "2", "--record-mode", "once", "-k", "sum")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("recording", [(), ("-p", "no:recording")], ids=["pytest-recording", "alone"])
@pytest.mark.parametrize("mode", ["none", "once", "new_episodes", "rewrite", "all"])
def test_one_process_runs_in_every_mode(
    pytester: pytest.Pytester, write: Write, mode: str, recording: tuple[str, ...]
) -> None:
    write()
    result = pytester.runpytest("suites", "--record-mode", mode, *recording)
    assert result.parseoutcomes()["passed"] == 4
    result.stdout.fnmatch_lines([f"harness: suite quiz; record mode {mode}*"])


def test_a_mode_that_pytest_recording_has_not(pytester: pytest.Pytester, write: Write) -> None:
    write()
    result = pytester.runpytest("suites", "--record-mode", "once", "--harness-record-mode", "verify")
    result.stdout.fnmatch_lines(["harness: suite quiz; record mode verify*"])


def test_options_win_over_the_environment_and_that_over_ini(
    pytester: pytest.Pytester, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write()
    (pytester.path / "pytest.ini").write_text("[pytest]\nharness_record_mode = rewrite\nharness_repeats = 2\n")
    pytester.runpytest("suites", "-k", "two").stdout.fnmatch_lines(["*record mode rewrite*"])
    monkeypatch.setenv("HARNESS_RECORD_MODE", "all")
    monkeypatch.setenv("HARNESS_REPEATS", "3")
    result = pytester.runpytest("suites", "-k", "two")
    result.stdout.fnmatch_lines(["*record mode all*"])
    assert result.parseoutcomes() == {"passed": 3, "missed": 3, "deselected": 18}
    result = pytester.runpytest("suites", "-k", "two", "--record-mode", "once", "--harness-repeats", "1")
    result.stdout.fnmatch_lines(["*record mode once*"])
    assert result.parseoutcomes() == {"passed": 1, "missed": 1, "deselected": 6}


def test_wrong_values_are_said_in_words(pytester: pytest.Pytester, write: Write) -> None:
    write()
    result = pytester.runpytest("suites", "--harness-concurrency", "0")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--harness-concurrency*'0' is not a number of 1 or more*"])
    (pytester.path / "pytest.ini").write_text("[pytest]\nharness_repeats = many\n")
    result = pytester.runpytest("suites")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*harness_repeats = 'many' is not a number of 1 or more*"])


def test_pytest_recording_installed_and_not_loaded(
    pytester: pytest.Pytester, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write()
    monkeypatch.setenv("PYTEST_ADDOPTS", "")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = pytester.runpytest("suites", "-p", "harness.pytest_plugin", "--record-mode", "once")
    result.stdout.fnmatch_lines(["harness: suite quiz; record mode once;*"])
    result = pytester.runpytest(
        "suites", "-p", "harness.pytest_plugin", "-p", "pytest_recording.plugin", "--record-mode", "once"
    )
    result.stdout.fnmatch_lines(["harness: suite quiz; record mode once;*"])


def test_a_suite_stays_whole_on_one_worker(pytester: pytest.Pytester, write: Write) -> None:
    write()
    write(name="other", suite=SUITE.replace("suite: quiz", "suite: other"))
    pytester.makepyfile("import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_sum(n): pass")
    result = pytester.runpytest("-n", "2", "-v")
    assert result.parseoutcomes() == {"passed": 14, "failed": 2, "missed": 6}
    workers: dict[str, set[str]] = {}
    for line in result.outlines:
        if found := re.match(r"\[(gw\d)\].* (suites/\w+\.yaml)::", line):
            workers.setdefault(found[2], set()).add(found[1])
    assert {file: len(on) for file, on in workers.items()} == {"suites/quiz.yaml": 1, "suites/other.yaml": 1}
    assert set.union(*workers.values()) == {"gw0", "gw1"}


@pytest.mark.parametrize(
    "dist", ["loadfile", *(pytest.param(one, marks=pytest.mark.slow) for one in ("loadscope", "worksteal", "each"))]
)
def test_other_ways_to_distribute(pytester: pytest.Pytester, write: Write, dist: str) -> None:
    write(gates="accuracy: 0.7")
    result = pytester.runpytest("suites", "-n", "2", "--dist", dist)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*good*75.0%*"])


def test_tests_without_suites_are_scheduled_as_ever(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\n@pytest.mark.parametrize('n', range(20))\ndef test_sum(n): pass")
    result = pytester.runpytest("-n", "2")
    result.assert_outcomes(passed=20)


def test_a_broken_suite_on_workers(pytester: pytest.Pytester, write: Write) -> None:
    write(suite=SUITE.replace("expect:", "expct:"))
    result = pytester.runpytest("suites", "-n", "2")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*suites/quiz.yaml:7:1:*expct*Did you mean 'expect'?*"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_an_unknown_variant_on_workers(pytester: pytest.Pytester, write: Write) -> None:
    write()
    result = pytester.runpytest("suites", "-n", "2", "--harness-variant", "godo")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*no variant is called 'godo'. Did you mean 'good'?*"])
    result.stdout.no_fnmatch_line("*passed*")


def test_suites_and_tests_side_by_side(pytester: pytest.Pytester, write: Write) -> None:
    write(gates="accuracy: 0.7")
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="session")
        def resource():
            yield 1
            print("torn down")

        def test_sum(resource):
            assert resource == 1
        """
    )
    result = pytester.runpytest("-s")
    assert result.parseoutcomes() == {"passed": 6, "missed": 4}
    assert result.stdout.str().count("torn down") == 1


def test_hooks_of_a_conftest_see_trials_as_items(pytester: pytest.Pytester, write: Write) -> None:
    write()
    pytester.makeconftest(
        """
        import pytest
        def pytest_runtest_setup(item):
            if item.get_closest_marker("hard"):
                pytest.skip("hard ones not here")
        """
    )
    result = pytester.runpytest("suites")
    assert result.parseoutcomes() == {"passed": 3, "missed": 1, "skipped": 4}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "-n 2"])
def test_exit_first_starts_nothing_new(
    pytester: pytest.Pytester, write: Write, workers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = "".join(f"  - {{id: c{n}, input: d, expected: D}}\n" for n in range(300))
    path = write(suite=SUITE[: SUITE.index("  - {id: one")] + "  - {id: bad, input: wrong, expected: RIGHT}\n" + cases)
    # Later cases wait until pytest has printed the failure, so that none is through by then.
    (path.parent / "agent.py").write_text(
        "import os\n"
        "def answer(input, skill):\n"
        "    if input == 'd':\n"
        "        with open('started.txt', 'a') as file:\n"
        "            file.write('x')\n"
        "        open('gate').read()\n"
        "    return input\n"
    )
    os.mkfifo(pytester.path / "gate")
    pytester.makeconftest(
        """
        import harness.runs.stop
        request = harness.runs.stop.Stop.request

        def open_the_gate(stop):
            import threading
            request(stop)
            def feed():
                while True:
                    open("gate", "w").close()
            threading.Thread(target=feed, daemon=True).start()

        harness.runs.stop.Stop.request = open_the_gate
        """
    )
    result = pytester.runpytest_subprocess("suites", "-x", "--harness-concurrency", "4", *workers)
    assert result.parseoutcomes()["failed"] == 1
    assert len((pytester.path / "started.txt").read_text()) <= 8


def test_ctrl_c_finishes_what_is_under_way_and_a_second_one_stops(pytester: pytest.Pytester, write: Write) -> None:
    path = write(suite=SUITE[: SUITE.index("  - {id: two")])
    (path.parent / "agent.py").write_text(WAITING)
    os.mkfifo(pytester.path / "started")
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "suites", "--harness-concurrency", "1"],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert Path(pytester.path / "started").read_text() == "x"
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "once more stops at once" in line:
                process.send_signal(signal.SIGINT)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    text = "".join(lines)
    assert "KeyboardInterrupt" in text
    assert "INTERNALERROR" not in text


def test_a_run_without_suites_imports_nothing(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_PLUGINS", raising=False)
    pytester.makepyfile("def test_sum(): pass")
    (pytester.path / "pyproject.toml").write_text("[tool.harness]\n")
    (pytester.path / "data.yaml").write_text("rows: [{suite: no}]\n")
    pytester.makeconftest(
        """
        import sys
        def pytest_sessionfinish():
            heavy = "openai pandas numpy scipy vcr rich jinja2 pydantic yaml httpx2 xdist tabulate".split()
            print("\\nheavy:", sorted(set(heavy) & set(sys.modules)))
            print("own:", sorted(name for name in sys.modules if name.startswith("harness")))
        """
    )
    result = pytester.runpytest_subprocess("-s", "-p", "no:xdist", "-p", "no:xdist.looponfail")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["heavy: []", "own: ['harness', 'harness.modes', 'harness.pytest_plugin']"])
