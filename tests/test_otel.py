"""Spans of runs: what they are called, how they nest, how long they are, and what never stands in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from harness import api
from harness.errors import CredentialsError
from harness.integrations.otel import Tracing
from harness.recording import Redactor
from tests.listening import SECRET, distribution, recorded
from tests.projects import harness

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return recorded(tmp_path, broken=True)


def spans_of(root: Path, *, content: bool = False, **settings: Any) -> list[ReadableSpan]:
    """Run the project with a tracer of its own; return the spans in the order of their starts."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    project = api.open_project(root, **settings)
    plan = api.plan(project, api.load(project, api.find_suites(project, ())))
    tracing = Tracing(provider=provider, content=content, redact=Redactor([SECRET]).text)
    api.Job(project=project, plan=plan, subscribers=(tracing,), html=False).execute()
    return sorted(exporter.get_finished_spans(), key=lambda span: (span.start_time or 0, -(span.end_time or 0)))


def shown(span: ReadableSpan) -> str:
    return span.to_json()


def below(spans: list[ReadableSpan], parent: ReadableSpan) -> list[ReadableSpan]:
    return [one for one in spans if one.parent is not None and one.parent.span_id == parent.context.span_id]


def trial(spans: list[ReadableSpan], id: str) -> ReadableSpan:
    [found] = [one for one in spans if (one.attributes or {}).get("harness.trial") == id]
    return found


def seconds(span: ReadableSpan) -> float:
    return ((span.end_time or 0) - (span.start_time or 0)) / 1e9


def test_a_replay_gives_a_span_for_each_run_trial_model_call_and_tool_call(shop: Path) -> None:
    spans = spans_of(shop)
    assert Counter(span.name for span in spans) == {
        "run": 1,
        "invoke_agent shop": 3,
        "chat gpt-test": 4,
        "execute_tool find_order": 1,
    }
    [run] = [span for span in spans if span.parent is None]
    assert run.name == "run" and run.attributes is not None
    assert (run.attributes["harness.trials"], run.attributes["harness.interrupted"]) == (3, False)
    assert len({span.context.trace_id for span in spans}) == 1
    assert {span.name for span in below(spans, run)} == {"invoke_agent shop"}
    order = trial(spans, "shop/order/shop/1")
    assert [span.name for span in below(spans, order)] == ["chat gpt-test", "execute_tool find_order", "chat gpt-test"]
    for parent in (run, order):
        for span in below(spans, parent):
            assert parent.start_time <= span.start_time <= span.end_time <= parent.end_time


def test_spans_of_a_replay_have_recorded_times(shop: Path) -> None:
    spans, again = spans_of(shop), spans_of(shop)

    def times(found: list[ReadableSpan]) -> list[tuple[str, int, int]]:
        [run] = [span for span in found if span.parent is None]
        return [(span.name, span.start_time - run.start_time, span.end_time - run.start_time) for span in found]

    assert times(spans) == times(again)
    order = trial(spans, "shop/order/shop/1")
    rows = [json.loads(line) for line in (newest(shop) / "results.jsonl").read_text().splitlines()]
    [row] = [row for row in rows if row["case"] == "order"]
    assert seconds(order) == pytest.approx(row["latency"], abs=1e-6)
    first, tool, second = below(spans, order)
    assert seconds(first) >= 0.03
    assert seconds(second) >= 0.02
    # The tool is not run again: what lies between the two calls is the time that it took.
    assert (first.end_time, tool.end_time) == (tool.start_time, second.start_time)
    assert seconds(tool) >= 0.02


def newest(root: Path) -> Path:
    return max(root.glob("reports/*/results.jsonl"), key=lambda path: path.stat().st_mtime_ns).parent


def test_attributes_are_those_of_the_conventions(shop: Path) -> None:
    from opentelemetry.semconv._incubating.attributes import error_attributes, gen_ai_attributes, test_attributes

    spans = spans_of(shop, content=True)
    known = {
        value
        for module in (error_attributes, gen_ai_attributes, test_attributes)
        for name, value in vars(module).items()
        if name.isupper()
    }
    used = {name for span in spans for name in span.attributes or {}}
    assert {name for name in used if not name.startswith("harness.")} <= known
    order = trial(spans, "shop/order/shop/1")
    call = below(spans, order)[0].attributes
    assert call is not None
    assert (call["gen_ai.operation.name"], call["gen_ai.provider.name"]) == ("chat", "openai")
    assert call["gen_ai.request.model"] == "gpt-test"
    assert call["gen_ai.usage.input_tokens"] > 0 < call["gen_ai.usage.output_tokens"]
    tool = below(spans, order)[1].attributes
    assert tool is not None
    assert (tool["gen_ai.tool.name"], tool["gen_ai.tool.type"]) == ("find_order", "function")
    found = order.attributes
    assert found is not None
    assert (found["test.suite.name"], found["test.case.name"], found["test.case.result.status"]) == (
        "shop",
        "order",
        "pass",
    )
    assert (found["gen_ai.agent.name"], found["gen_ai.response.finish_reasons"]) == ("shop", ("stop",))
    [check] = order.events
    assert check.name == "gen_ai.evaluation.result"
    assert (check.attributes or {})["gen_ai.evaluation.score.label"] == "pass"


def test_what_failed_has_its_kind_as_status(shop: Path) -> None:
    spans = spans_of(shop)
    broken = trial(spans, "shop/broken/shop/1")
    [call] = below(spans, broken)
    for span in (broken, call):
        assert span.status.status_code.name == "ERROR"
        assert (span.attributes or {})["error.type"] == "bad_request"
        # The service's words may quote what was said.
        assert span.status.description == "bad_request"
    assert [span.status.status_code.name for span in spans].count("ERROR") == 2
    [told] = [one for one in spans_of(shop, content=True) if one.name.startswith("chat") and not one.status.is_ok]
    assert "This cannot be asked by REDACTED" in (told.status.description or "")


def test_what_was_said_is_only_told_where_that_is_allowed_and_secrets_never(shop: Path) -> None:
    told = "".join(map(shown, spans_of(shop)))
    assert not any(text in told for text in (SECRET, "4711", "It is open.", "You sell things."))
    spans = spans_of(shop, content=True)
    assert SECRET not in "".join(map(shown, spans))
    order = trial(spans, "shop/order/shop/1")
    found = order.attributes or {}
    [asked, called, answered] = json.loads(str(found["gen_ai.input.messages"]))
    assert asked == {
        "role": "user",
        "parts": [{"type": "text", "content": "Where is order 4711? I am REDACTED"}],
    }
    assert called["parts"][0]["arguments"] == {"order_id": "4711"}
    assert answered["parts"][0]["type"] == "tool_call_response"
    [answer] = json.loads(str(found["gen_ai.output.messages"]))
    assert (answer["parts"], answer["finish_reason"]) == ([{"type": "text", "content": "It is open."}], "stop")
    assert json.loads(str(found["gen_ai.system_instructions"])) == [{"type": "text", "content": "You sell things."}]
    tool = below(spans, order)[1].attributes or {}
    assert json.loads(str(tool["gen_ai.tool.call.result"])) == {"id": "4711", "state": "open", "by": "REDACTED"}
    assert json.loads(str(tool["gen_ai.tool.call.arguments"])) == {"order_id": "4711"}


def test_a_run_that_is_recorded_is_traced_too_and_one_that_breaks_off_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.simulator import served
    from harness.simulator.app import Simulator
    from harness.simulator.script import ScriptBrain

    monkeypatch.chdir(tmp_path)
    root = recorded(tmp_path)
    suite = root / "suites/shop.yaml"
    text = suite.read_text()
    base_url = next(line for line in text.splitlines() if line.startswith("base_url"))
    with served(Simulator(ScriptBrain([{"match": {}, "reply": "We are open.", "delay": 0.02}]))) as server:
        suite.write_text(text.replace(base_url, f"base_url: {server.url}"))
        spans = spans_of(root, record_mode="rewrite")
    assert Counter(span.name for span in spans) == {"run": 1, "invoke_agent shop": 2, "chat gpt-test": 2}
    [run] = [span for span in spans if span.parent is None]
    for span in spans:
        assert run.start_time <= span.start_time <= span.end_time <= run.end_time
        assert seconds(span) >= 0.02
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with served(Simulator(ScriptBrain([{"match": {}, "fail": {"status": 401, "message": "no"}}]))) as server:
        suite.write_text(text.replace(base_url, f"base_url: {server.url}"))
        project = api.open_project(root, record_mode="rewrite", concurrency=1)
        plan = api.plan(project, api.load(project, api.find_suites(project, ())))
        with pytest.raises(CredentialsError):
            api.Job(project=project, plan=plan, subscribers=(Tracing(provider=provider),), html=False).execute()
    spans = list(exporter.get_finished_spans())
    assert Counter(span.name for span in spans) == {"run": 1, "trial": 1, "chat gpt-test": 1}
    [call] = [span for span in spans if span.name.startswith("chat")]
    assert (call.attributes or {})["error.type"] == "authentication"
    [run] = [span for span in spans if span.parent is None]
    assert (run.attributes or {})["harness.interrupted"] is True


_TRACED = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
from harness.cli import main
main(["run", "--no-html", "--case", "chat"], standalone_mode=False)
print("SPANS", *(span.name.replace(" ", "_") for span in exporter.get_finished_spans()))
"""


def own(folder: Path) -> Path:
    """Announce the plugins of this project as an installation of it does."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["harness"]
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    return distribution(folder, "prompt-agent-harness", f"[harness]\n{lines}")


@pytest.mark.parametrize(
    ("environment", "setting", "spans"),
    [
        ({}, "", []),
        ({"HARNESS_OTEL": "1"}, "", ["chat_gpt-test", "invoke_agent_shop", "run"]),
        ({}, "otel = true\n", ["chat_gpt-test", "invoke_agent_shop", "run"]),
        ({"HARNESS_OTEL": "0"}, "otel = true\n", []),
    ],
)
def test_nothing_is_exported_unless_somebody_says_so(
    shop: Path, tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], setting: str, spans: list[str]
) -> None:
    (shop / "pyproject.toml").write_text(f"[tool.harness]\n{setting}")
    path = os.pathsep.join([str(own(tmp_path_factory.mktemp("installed"))), str(ROOT)])
    ran = subprocess.run(
        [sys.executable, "-c", _TRACED],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )
    assert ran.stdout.splitlines()[-1].split() == ["SPANS", *spans]


def test_who_asks_for_spans_is_told_what_is_missing(
    shop: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(own(tmp_path_factory.mktemp("installed"))))
    monkeypatch.setenv("HARNESS_OTEL", "1")
    ran = harness("run", "--no-html", "--case", "chat")
    assert ran.exit_code == 0
    assert "otel: spans are made and go nowhere" in ran.stderr
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    ran = harness("run", "--no-html", "--case", "chat")
    assert ran.exit_code == 2
    assert 'pip install "prompt-agent-harness[otel]"' in ran.stderr
    monkeypatch.setenv("HARNESS_OTEL", "0")
    assert harness("run", "--no-html", "--case", "chat").exit_code == 0
