"""What a recording says of itself, of where its answers come from, and what can be recorded no more."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.records import JSON

if TYPE_CHECKING:
    from decimal import Decimal

    from harness.recording import Facts, Interaction, RecordingTape, Redactor, Tape
    from harness.suites.suite import AssistantSpec
    from harness.tools import RecordedCall

SWITCHED_OFF = "OpenAI switched the Assistants API off on 2026-08-26"
#: Said where a replay misses something in a recording that is not `renewable`.
UNRENEWABLE = f"This recording cannot be made again: {SWITCHED_OFF}."
_OPENAI = "api.openai.com"
#: Resources of the Assistants API.
_GONE = frozenset({"assistants", "threads"})


def switched_off(spec: AssistantSpec) -> bool:
    """Whether an assistant would ask the Assistants API at OpenAI, where nothing answers on it any more.

    Those that serve it as tools have addresses of their own.
    """
    if spec.api != "threads":
        return False
    base_url = spec.base_url or os.environ.get("OPENAI_BASE_URL")
    return not base_url or urlsplit(base_url).hostname == _OPENAI


def renewable(facts: Facts) -> bool:
    """Whether a recording can be made again."""
    return facts.source.get("renewable") is not False


def facts_of(
    tape: RecordingTape,
    *,
    model: str | None,
    latency: float | None = None,
    cost: Decimal | None,
    prices: str,
    redactor: Redactor,
    tools: Sequence[RecordedCall],
    definitions: Mapping[str, JSON],
) -> Facts:
    """Return what any recording says of itself.

    Args:
        tape: What was recorded, one request at least.
        model: Which model answered; None: none did, or nobody knows.
        latency: Of the trial, seconds; None: until its last call ended.
        cost: What it cost; None: nobody knows.
        prices: Id of the price table that the cost comes from.
        redactor: Takes secrets out of what tools gave.
        tools: Calls of tools that a replay does not run.
        definitions: What MCP servers said of their tools, by server.
    """
    from harness import __version__
    from harness.recording import Facts

    return Facts(
        count=len(tape.interactions),
        end=round((tape.latency or 0.0 if latency is None else latency) + tape.waited, 6),
        waited=tape.waited,
        recorded_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        source=_source(tape, model=model),
        harness=__version__,
        openai=_sdk(),
        prices=prices,
        cost=cost,
        tools=tuple(redactor.data(call.plain()) for call in tools),
        definitions=redactor.data(definitions),
    )


@cache
def _sdk() -> str:
    return version("openai")


def _source(tape: RecordingTape, *, model: str | None) -> dict[str, JSON]:
    """Return what a recording says of what answered."""
    found: dict[str, JSON] = {"host": urlsplit(tape.interactions[-1].request.uri).netloc}
    if model:
        found["model"] = model
    return {**found, **tape.noted, **provenance(tape)}


def conditions(concurrency: int) -> dict[str, JSON]:
    """Return what a recording that is made now is made with.

    Args:
        concurrency: Trials at the same time.
    """
    return {"concurrency": concurrency, "machine": _machine()}


@cache
def _machine() -> str:
    """Which machine this is, without its name."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def circumstances(tape: Tape, *, concurrency: int) -> dict[str, JSON]:
    """Return what else may make two trials differ: service, trials at the same time, machine, versions, as recorded.

    What an early recording does not say is left out.
    """
    from harness import __version__
    from harness.recording import ReplayTape

    if not tape.interactions:
        return {}
    if not isinstance(tape, ReplayTape):
        return {
            "host": urlsplit(tape.interactions[-1].request.uri).netloc,
            **conditions(concurrency),
            "harness": __version__,
            "openai": _sdk(),
        }
    if tape.cassette is None:
        return {}
    facts = tape.cassette.facts
    host = facts.source.get("host")
    told = {"host": host} if host else {}
    return {**told, **facts.conditions, "harness": facts.harness, "openai": facts.openai}


def last_model(interactions: Sequence[Interaction]) -> str | None:
    """Return the model that answered last; None where no answer names one."""
    from harness.assistants.usage import recorded_usage

    return next(filter(None, (recorded_usage(one)[0] for one in reversed(interactions))), None)


def provenance(tape: Tape) -> dict[str, JSON]:
    """Return what has to be said of where answers come from.

    `simulated` is true where a script answered, if only once, and `protocol` where a model answered through a
    simulator; simulators say so in a header. `cost_basis` says where a cost comes from that the
    service's own counts do not tell. `renewable` is false where the recording cannot be made again.
    `normalised` counts calls whose recording was found only once ids and the like were left out of account.
    """
    from harness.recording import ReplayTape

    if isinstance(tape, ReplayTape):
        source = tape.cassette.facts.source if tape.cassette is not None and tape.interactions else {}
        said = {name: source[name] for name in ("simulated", "renewable", "cost_basis") if name in source}
        return {**said, "normalised": tape.normalised} if tape.normalised else said
    found: dict[str, JSON] = {"cost_basis": tape.noted["cost_basis"]} if "cost_basis" in tape.noted else {}
    simulated = _simulated(tape.interactions)
    if simulated is not None:
        found["simulated"] = simulated
    if _gone(tape.interactions):
        found["renewable"] = False
    return found


def _simulated(interactions: Sequence[Interaction]) -> JSON:
    told = {
        one.headers.get("x-simulated", "true" if "x-harness-simulated" in one.headers else "") for one in interactions
    }
    if "true" in told:
        return True
    return "protocol" if told - {""} else None


def _gone(interactions: Sequence[Interaction]) -> bool:
    """Whether the service that answered answers no more: OpenAI's own, or a model that once stood in for it.

    What was only refused is no answer that anybody would miss.
    """
    asked = [one for one in interactions if one.resource.split("/")[0] in _GONE]
    answered = [one for one in asked if one.final and one.status < 400]
    if len(answered) < len({one.slot for one in asked}):
        return False
    at_openai = any(urlsplit(one.request.uri).hostname == _OPENAI for one in answered)
    return at_openai or _simulated(answered) == "protocol"
