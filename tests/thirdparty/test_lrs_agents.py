"""A lens of lrs-agents over an assistant runs as it is: threads, runs and polling of its own, recorded and replayed with no server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.simulator.brain import Ask, Failure, Piece, Text
from tests.recorded_twice import both

pytest.importorskip(
    "lrs.integration.openai_assistants",
    reason="lrs-agents is installed by .ci/run, without the packages that it declares and this part of it does not use",
)

#: The SDK says of every call of the Assistants API that it is deprecated; the tests make errors of warnings.
pytestmark = [
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
]

LENS = """
import json
from lrs.integration.openai_assistants import OpenAIAssistantLens


def answer(input, session):
    client = session.sync_client
    assistant = client.beta.assistants.create(model="gpt-4.1-mini", instructions="Propose policies.")
    lens = OpenAIAssistantLens(client, assistant.id)
    result = lens.get({"query": input, "precision": 0.9})
    if not result.success:
        raise RuntimeError(result.error)
    return {"output": result.value, "extra": {"calls": lens.call_count, "surprise": result.prediction_error}}
"""
GENERATOR = """
from lrs.integration.openai_assistants import OpenAIAssistantPolicyGenerator


def answer(input, session):
    generator = OpenAIAssistantPolicyGenerator(session.sync_client, model="gpt-4.1-mini")
    registry = {"search": {"description": "Search the handbook"}}
    return {"output": generator.generate_proposals({"goal": input}, precision=0.3, tool_registry=registry)}
"""
PROPOSALS = [{"policy_id": 1, "tools": ["search"], "description": "Search first", "estimated_success_prob": 0.8}]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def propose(ask: Ask) -> list[Piece]:
    return [Text(json.dumps({"proposals": PROPOSALS}))]


def test_a_lens_is_recorded_and_replays_with_no_server(project: Path) -> None:
    checks = 'expect: [{is_json: true}, {json_path: {path: "$.proposals[0].tools[0]", equals: search}}, {finish_reason: stop}]'
    (row,) = both(project, propose, LENS, extra=checks)
    assert row["outcome"] == "passed", row["error"]
    assert json.loads(row["output"]) == {"proposals": PROPOSALS}
    assert (row["extra"]["calls"], row["extra"]["surprise"]) == (1, 0.1)
    assert row["model"] == "gpt-4.1-mini"
    assert row["usage"]["input"] > 0
    assert row["turns"][0]["steps"] == 1


def test_its_policy_generator_makes_its_own_assistant(project: Path) -> None:
    asked: list[Ask] = []

    def brain(ask: Ask) -> list[Piece]:
        asked.append(ask)
        return propose(ask)

    (row,) = both(project, brain, GENERATOR)
    assert json.loads(row["output"]) == PROPOSALS
    # The replay asked nobody.
    (ask,) = asked
    assert "Bayesian policy generator" in str(ask.messages[0]["content"])
    assert "Search the handbook" in str(ask.messages[-1]["content"])


def test_a_run_that_fails_is_what_the_lens_says_it_is(project: Path) -> None:
    def brain(ask: Ask) -> list[Piece]:
        raise Failure(500, "server_error", "the model is away")

    target = LENS.replace("raise RuntimeError(result.error)", "return result.error")
    (row,) = both(project, brain, target, extra="expect: {contains: failed}")
    assert row["output"] == "Run failed with status: failed"
    assert row["finish_reason"] == "failed"
