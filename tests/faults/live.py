"""Meeting a fault: with the harness, and with the bare SDK."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openai
import yaml

from harness.simulator.app import Simulator
from harness.simulator.front import Front, faulty
from harness.simulator.script import ScriptBrain
from tests.faults.entries import Fault, Ran
from tests.projects import harness, write
from tests.recorded_twice import rows


def asked(server: Front) -> int:
    """How many requests arrived."""
    return sum(server.counts.values())


def met(fault: Fault, root: Path) -> Ran:
    """Record a small suite in `root`, which is the working folder, while a fault meets its requests."""
    with faulty(Simulator(ScriptBrain(list(fault.script))), list(fault.rules)) as server:
        write(root, {"pyproject.toml": _settings(fault), "suites/s.yaml": _suite(fault, server.url), **fault.files})
        result = harness("record", "--yes", "--no-html", *fault.flags)
    assert list(root.glob("reports/*/results.jsonl")), result.output
    return Ran(root=root, result=result, rows=rows(root), server=server)


def _settings(fault: Fault) -> str:
    general = {"timeout": "5s", **fault.settings}
    retry = {"backoff": "1ms", **fault.retry}
    return f"[tool.harness]\n{_toml(general)}\n[tool.harness.retry]\n{_toml(retry)}\n"


def _toml(table: Mapping[str, Any]) -> str:
    # The scalars of JSON are TOML's as well.
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in table.items())


def _suite(fault: Fault, url: str) -> str:
    return yaml.safe_dump(
        {
            "suite": "s",
            "variants": {"v": {"system": "Be brief."}},
            "api": fault.api,
            "model": "m",
            "base_url": url,
            "stream": fault.stream,
            "expect": fault.expect,
            "cases": [{"id": f"case-{number}", "input": f"hi {number}"} for number in range(1, fault.cases + 1)],
            **fault.suite,
        },
        sort_keys=False,
    )


class _Impatient(openai.OpenAI):
    """The SDK's client, which decides as always what is sent again, and does not wait before."""

    def _calculate_retry_timeout(self, *arguments: Any, **named: Any) -> float:
        return 0.0


def bare(fault: Fault) -> tuple[int, Any]:
    """Ask once with the SDK; return how many requests arrived and what came of it, which may be an exception."""
    assert fault.bare is not None
    with faulty(Simulator(ScriptBrain(list(fault.script))), list(fault.rules)) as server:
        with _Impatient(api_key="none", base_url=server.url, timeout=fault.bare.timeout) as client:
            try:
                got = _asked(client, fault)
            except Exception as error:
                got = error
    return asked(server), got


def _asked(client: openai.OpenAI, fault: Fault) -> Any:
    if fault.api == "responses":
        if not fault.stream:
            return client.responses.create(model="m", input="hi")
        events = client.responses.create(model="m", input="hi", stream=True)
        return "".join(event.delta for event in events if event.type == "response.output_text.delta")
    messages: Any = [{"role": "user", "content": "hi"}]
    if fault.api == "threads":
        return _run(client, messages)
    if not fault.stream:
        return client.chat.completions.create(model="m", messages=messages)
    chunks = client.chat.completions.create(model="m", messages=messages, stream=True)
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def _run(client: openai.OpenAI, messages: Any) -> Any:
    with warnings.catch_warnings():
        # The SDK says of every call that this API is to be left.
        warnings.simplefilter("ignore", DeprecationWarning)
        assistant = client.beta.assistants.create(model="m")
        thread = client.beta.threads.create(messages=messages)
        return client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
