"""What subscribers hear, on the command line, in pytest and in Python, and that none of them can change a run."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import harness as library
from harness import api
from harness.errors import CredentialsError
from harness.events import CallCompleted, Event, RunFinished, RunStarted, ToolCalled, ToolReturned, TrialFinished
from tests.listening import SECRET, announce, recorded
from tests.projects import harness, write

ROOT = Path(__file__).resolve().parent.parent

#: Notes in heard.txt, in the working folder, what it hears.
LISTENING = """
from harness.plugins import hookimpl

def note(event):
    trial = getattr(event, "trial", "") or getattr(getattr(event, "result", None), "id", "")
    with open("heard.txt", "a") as file:
        print(type(event).__name__, trial, getattr(event, "at", None), file=file)

@hookimpl
def harness_subscribers():
    return [note]
"""
_ORDER = [
    "TrialStarted",
    "CallStarted",
    "CallCompleted",
    "ToolCalled",
    "ToolReturned",
    "MessageAdded",
    "CallStarted",
    "CallCompleted",
    "TextDelta",
    "MessageAdded",
    "TrialFinished",
]
_CHAT = ["TrialStarted", "CallStarted", "CallCompleted", "TextDelta", "MessageAdded", "TrialFinished"]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return recorded(tmp_path)


@pytest.fixture
def plugin(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Announce a plugin with this code, as an installed one is; gives the folder that it lies in."""
    installed: list[str] = []

    def announced(code: str, name: str = "listening") -> Path:
        folder = announce(tmp_path_factory.mktemp("installed"), name, code)
        monkeypatch.syspath_prepend(str(folder))
        installed.append(f"{name}_plugin")
        return folder

    yield announced
    for name in installed:
        sys.modules.pop(name, None)


def heard(root: Path) -> list[list[str]]:
    """What the plugin noted, a line an event; it is forgotten."""
    path = root / "heard.txt"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def of(lines: list[list[str]], trial: str) -> list[str]:
    return [line[0] for line in lines if len(line) > 2 and line[1] == trial]


def rows(root: Path) -> list[dict[str, Any]]:
    """The rows of the newest run, without its id."""
    newest = max(root.glob("reports/*/results.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    return [{**json.loads(line), "run": None} for line in newest.read_text().splitlines()]


def events_of(root: Path, **settings: Any) -> list[Event]:
    told: list[Event] = []
    project = api.open_project(root, **settings)
    plan = api.plan(project, api.load(project, api.find_suites(project, ())))
    api.Job(project=project, plan=plan, subscribers=(told.append,), html=False).execute()
    return told


def test_a_plugin_hears_every_event_of_a_run_in_order(shop: Path, plugin: Any) -> None:
    plugin(LISTENING)
    assert harness("run", "--no-html").exit_code == 0
    lines = heard(shop)
    assert (lines[0][0], lines[-1][0]) == ("RunStarted", "RunFinished")
    assert of(lines, "shop/order/shop/1") == _ORDER
    assert of(lines, "shop/chat/shop/1") == _CHAT


@pytest.mark.slow
def test_it_hears_the_same_from_python_and_pytest(shop: Path, plugin: Any) -> None:
    folder = plugin(LISTENING)
    harness("run", "--no-html")
    said = heard(shop)
    library.run(html=False)
    assert heard(shop) == said
    path = os.pathsep.join([str(folder), str(ROOT)])
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "suites", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert ran.returncode == 0, ran.stdout
    assert sorted(heard(shop)) == sorted(said)


def test_moments_are_recorded_ones(shop: Path) -> None:
    first = [event for event in events_of(shop) if isinstance(event, CallCompleted)]
    again = [event for event in events_of(shop) if isinstance(event, CallCompleted)]
    assert first == again
    [one, two] = [event for event in first if event.trial == "shop/order/shop/1"]
    assert one.latency >= 0.03 and two.latency >= 0.02
    [result] = [row for row in rows(shop) if row["case"] == "order"]
    assert two.at == pytest.approx(result["latency"], abs=1e-6)
    # Between the two the tool ran, when it was recorded.
    assert one.at is not None and two.at is not None
    assert two.at - two.latency - one.at >= 0.02


def test_tools_are_told_with_what_they_got_and_gave(shop: Path) -> None:
    told = events_of(shop)
    [called] = [event.call for event in told if isinstance(event, ToolCalled)]
    [returned] = [event.call for event in told if isinstance(event, ToolReturned)]
    assert (called.name, json.loads(called.arguments) if isinstance(called.arguments, str) else called.arguments) == (
        "find_order",
        {"order_id": "4711"},
    )
    assert (called.output, returned.output["state"]) == (None, "open")


def test_a_function_under_test_is_told_with_the_calls_that_it_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.simulator import served
    from harness.simulator.app import Simulator
    from harness.simulator.script import ScriptBrain

    monkeypatch.chdir(tmp_path)
    agent = """
async def answer(input, session):
    texts = []
    for part in input.split():
        given = await session.client.chat.completions.create(
            model="gpt-test", messages=[{"role": "user", "content": part}])
        texts.append(given.choices[0].message.content)
    return " ".join(texts)
"""
    with served(Simulator(ScriptBrain([{"match": {}, "reply": "yes", "delay": 0.02}]))) as server:
        suite = f"suite: s\napi: python\ntarget: ./agent.py:answer\nbase_url: {server.url}\ncases:\n  - {{id: a, input: x y}}\n"
        write(tmp_path, {"suites/s.yaml": suite, "suites/agent.py": agent})
        assert harness("record", "--yes", "--no-html").exit_code == 0
    calls = [event for event in events_of(tmp_path) if isinstance(event, CallCompleted)]
    assert [call.model for call in calls] == ["gpt-test", "gpt-test"]
    assert all(call.latency >= 0.02 and (call.usage.total or 0) > 0 for call in calls)
    assert calls[0].at is not None and calls[1].at is not None
    assert calls[0].at <= calls[1].at - calls[1].latency


_RAISING = """
from harness.plugins import hookimpl

heard = []

def careless(event):
    heard.append(event)
    WHAT

@hookimpl
def harness_subscribers():
    return [careless]
"""


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (f"raise KeyError('{SECRET}')", "KeyError: 'REDACTED'"),
        ("raise SystemExit(9)", "SystemExit: 9"),
        ("raise __import__('asyncio').CancelledError", "CancelledError: "),
    ],
)
def test_a_subscriber_that_raises_ends_and_changes_nothing(
    shop: Path, plugin: Any, monkeypatch: pytest.MonkeyPatch, what: str, said: str
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    before = harness("run", "--no-html")
    expected = rows(shop)
    plugin(_RAISING.replace("WHAT", what), name="careless")
    plugin(LISTENING)
    ran = harness("run", "--no-html")
    assert ran.exit_code == before.exit_code == 0
    assert rows(shop) == expected
    [line] = [line for line in ran.stderr.splitlines() if "careless" in line]
    assert line.startswith(f"plugin careless (events): the subscriber careless raised {said} on RunStarted.")
    assert len(sys.modules["careless_plugin"].heard) == 1
    # The others still hear all.
    assert of(heard(shop), "shop/order/shop/1") == _ORDER


def test_who_wants_no_conversations_hears_none(shop: Path, plugin: Any) -> None:
    plugin(LISTENING.replace("@hookimpl", "note.live = False\n\n@hookimpl"))
    harness("run", "--no-html")
    assert not {line[0] for line in heard(shop)} & {"ToolCalled", "ToolReturned", "TextDelta", "MessageAdded"}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (LISTENING.replace("def note", "async def note"), "plugin listening (events): the subscriber note is async"),
        (LISTENING.replace("[note]", "[3]"), "plugin listening (events): the subscriber int cannot be called"),
        (LISTENING.replace("[note]", "3"), "plugin listening (events) failed: TypeError"),
        (LISTENING.replace("harness_subscribers", "harness_subscriber"), "unknown hook 'harness_subscriber'"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_named_before_anything_runs(
    shop: Path, plugin: Any, code: str, said: str
) -> None:
    runs = len(list(shop.glob("reports/*")))
    plugin(code)
    ran = harness("run", "--no-html")
    assert ran.exit_code == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert len(list(shop.glob("reports/*/results.jsonl"))) <= runs


def test_hooks_find_settings_and_what_takes_secrets_out(
    shop: Path, plugin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    asking = """
from harness.plugins import hookimpl

@hookimpl
def harness_subscribers(settings, redact):
    with open("seen.txt", "w") as file:
        print(settings.record_mode, redact("I am SECRET"), file=file)
    return []
"""
    plugin(asking.replace("SECRET", SECRET))
    assert harness("run", "--no-html").exit_code == 0
    assert (shop / "seen.txt").read_text() == "none I am REDACTED\n"


def test_plugins_are_listed_with_their_hooks(shop: Path, plugin: Any) -> None:
    plugin(LISTENING)
    listed = {row["from"]: row for row in json.loads(harness("list", "plugins", "--json").stdout)}
    assert listed["plugin listening (events)"] == {
        "from": "plugin listening (events)",
        "hooks": ["harness_subscribers"],
        "scorers": [],
    }
    assert listed["built-in"]["hooks"] == ["harness_scorers"]
    assert "contains" in listed["built-in"]["scorers"]


def test_a_run_that_breaks_off_is_told_to_be_over(shop: Path) -> None:
    from harness.simulator import served
    from harness.simulator.app import Simulator
    from harness.simulator.script import ScriptBrain

    suite = shop / "suites/shop.yaml"
    told: list[Event] = []
    with served(Simulator(ScriptBrain([{"match": {}, "fail": {"status": 401, "message": "no"}}]))) as server:
        suite.write_text(re.sub(r"base_url: \S+", f"base_url: {server.url}", suite.read_text()))
        project = api.open_project(shop, record_mode="rewrite")
        plan = api.plan(project, api.load(project, api.find_suites(project, ())))
        with pytest.raises(CredentialsError):
            api.Job(project=project, plan=plan, subscribers=(told.append,), html=False).execute()
    assert isinstance(told[0], RunStarted)
    assert isinstance(told[-1], RunFinished)
    assert told[-1].interrupted
    assert not any(isinstance(event, TrialFinished) for event in told)


def test_v_prints_calls_tools_and_trials_each_with_its_trial_first(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    ran = harness("run", "--no-html", "-v")
    lines = [line for line in ran.stderr.splitlines() if line.startswith("shop/order/")]
    assert [line.split(": ", 1)[0] for line in lines] == ["shop/order/shop/1"] * 4
    assert re.fullmatch(r".*: gpt-test, 0\.\d\d s, \d+ \+ \d+ tokens", lines[0])
    assert lines[1].endswith('find_order({"order_id": "4711"}) -> {"id": "4711", "state": "open", "by": "REDACTED"}')
    assert re.fullmatch(r".*: passed, 0\.\d\d s", lines[3])
    assert "shop/order" not in ran.stdout
    assert "shop/order" not in harness("run", "--no-html").stderr


def test_v_says_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recorded(tmp_path, broken=True)
    said = harness("run", "--no-html", "-v", "--case", "broken").stderr
    assert re.search(r"^shop/broken/shop/1: gpt-test, bad_request: HTTP 400: This cannot be asked", said, re.MULTILINE)
    assert "shop/broken/shop/1: error" in said


def test_on_a_terminal_each_line_is_whole_and_no_wider_than_it(shop: Path) -> None:
    screen, end = pty.openpty()
    environment = {**os.environ, "COLUMNS": "60", "TERM": "xterm", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(
        [sys.executable, "-m", "harness", "run", "--no-html", "-v"],
        stdout=subprocess.DEVNULL,
        stderr=end,
        env=environment,
    )
    os.close(end)
    said = b""
    # The other end of a terminal is gone when nobody holds it any more, which is an error on Linux.
    try:
        while piece := os.read(screen, 4096):
            said += piece
    except OSError:
        pass
    os.close(screen)
    assert running.wait() == 0
    text = said.decode()
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", text)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n")
    lines = [line for line in plain.split("\n") if "shop/" in line]
    assert len(lines) == 6
    assert all(line.startswith("shop/") and len(line) <= 60 for line in lines)
    assert any(line.endswith("…") and "find_order" in line for line in lines)
