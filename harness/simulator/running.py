"""A run at work: what it asks its brain, what becomes of the answer, and the events that tell of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.simulator import asking, sse, steps, tokens
from harness.simulator.brain import Broken, Failure, Usage
from harness.simulator.leg import Leg
from harness.simulator.plain import JSON
from harness.simulator.run_asks import Overflow, make_ask

if TYPE_CHECKING:
    from harness.simulator.app import Simulator
    from harness.simulator.threads import Thread

_ACTIVE = frozenset({"queued", "in_progress", "requires_action", "cancelling"})
_ERRORS = frozenset({"server_error", "rate_limit_exceeded", "invalid_prompt"})


@dataclass(slots=True, kw_only=True)
class Run:
    """A run of an assistant on a thread."""

    simulator: Simulator
    thread: Thread
    #: As the API tells of it.
    object: dict[str, JSON]
    #: How a brain is asked beyond what `object` says: reasoning_effort.
    settings: Mapping[str, JSON] = field(default_factory=dict)
    #: The assistant's tool resources.
    resources: Mapping[str, JSON] = field(default_factory=dict)
    #: Ids of the thread's messages, as it began.
    before: Sequence[str] = ()
    #: What was said and called since it began, in the form of Chat Completions.
    history: list[Mapping[str, JSON]] = field(default_factory=list)
    steps: dict[str, dict[str, JSON]] = field(default_factory=dict)
    #: Of every time the brain was asked.
    usages: list[Usage] = field(default_factory=list)
    #: The step whose calls wait for outputs, and what it cost.
    waiting: tuple[dict[str, JSON], Usage] | None = None
    #: Streams tell what searches found, too.
    passages: bool = False
    task: asyncio.Task[None] | None = None
    _events: asyncio.Queue[bytes | None] | None = None

    @property
    def id(self) -> str:
        return str(self.object["id"])

    @property
    def status(self) -> str:
        return str(self.object["status"])

    @property
    def active(self) -> bool:
        """Whether it holds its thread."""
        return self.status in _ACTIVE

    # -- telling

    def listen(self) -> AsyncIterator[bytes]:
        """Return its events from now on, until it stops, as a stream is written."""
        events: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._events = events

        async def told() -> AsyncIterator[bytes]:
            while (event := await events.get()) is not None:
                yield event

        return told()

    def tell(self, event: str, data: JSON) -> None:
        """Tell whoever listens of an event."""
        if self._events is None:
            return
        if event.startswith("thread.run.step.") and data["object"] == "thread.run.step" and not self.passages:
            data = steps.without_passages(data)
        self._events.put_nowait(sse.event(data, event))

    def set(self, status: str, **changes: JSON) -> None:
        """Change the status, and tell of it."""
        self.object.update(changes, status=status)
        self.tell(f"thread.run.{status}", self.object)

    def hush(self) -> None:
        """End the stream."""
        if self._events is not None:
            self._events.put_nowait(sse.event("[DONE]", "done"))
            self._events.put_nowait(None)
            self._events = None

    # -- working

    def begin(self) -> None:
        """Begin to work, if it waits in the queue."""
        if self.status != "queued":
            return
        self.set("in_progress", started_at=self.object["started_at"] or self.simulator.state.identity.time())
        self.task = self.simulator.spawn(self._work())
        self.task.add_done_callback(self._settle)

    def _settle(self, task: asyncio.Task[None]) -> None:
        """A task that is cancelled before it began has done nothing, not even noticed."""
        if task.cancelled() and self.status in ("in_progress", "cancelling"):
            self._leave("cancelled", cancelled_at=self.simulator.state.identity.time())
            self.hush()

    async def _work(self) -> None:
        leg = Leg(self)
        try:
            ask = make_ask(self)
            async for piece in asking.pieces(self.simulator, ask):
                leg.take(piece)
        except Overflow as error:
            self.end("incomplete", incomplete_details={"reason": error.reason})
        except Failure as failure:
            self._fail(leg, _code(failure), failure.message, broken=isinstance(failure, Broken))
        except asyncio.CancelledError:
            leg.stop("cancelled", "run_cancelled")
            self.end("cancelled", cancelled_at=self.simulator.state.identity.time())
            raise
        except Exception as error:  # noqa: BLE001 - whatever a brain does, the run ends and says why
            told = f"The server had an error: {type(error).__name__}: {error}"
            self._fail(leg, "server_error", told, broken=True)
        finally:
            self.hush()

    def _fail(self, leg: Leg, code: str, message: str, *, broken: bool = False) -> None:
        error = {"code": code, "message": message}
        # Steps know fewer codes than runs.
        told = error if code != "invalid_prompt" else {**error, "code": "server_error"}
        leg.stop("failed", "run_failed", last_error=told)
        self.end("failed", failed_at=self.simulator.state.identity.time(), last_error=error)
        if broken:
            self.tell("error", {"code": code, "message": message, "param": None, "type": "server_error"})

    def require(self, step: dict[str, JSON], usage: Usage, said: str) -> None:
        """Stop until the calls of a step have outputs."""
        calls = [
            {
                "id": call["id"],
                "type": "function",
                "function": {name: call["function"][name] for name in ("name", "arguments")},
            }
            for call in step["step_details"]["tool_calls"]
        ]
        self.waiting = (step, usage)
        self.history.append({"role": "assistant", "content": said or None, "tool_calls": calls})
        action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}
        self.set("requires_action", required_action=action)

    def submit(self, outputs: Mapping[str, str]) -> None:
        """Take the outputs of all calls that it waits for, by their ids, and wait in the queue again."""
        assert self.waiting is not None
        step, usage = self.waiting
        self.waiting = None
        for call in step["step_details"]["tool_calls"]:
            call["function"]["output"] = outputs[call["id"]]
            self.history.append({"role": "tool", "tool_call_id": call["id"], "content": outputs[call["id"]]})
        step.update(status="completed", completed_at=self.simulator.state.identity.time(), usage=steps.used(usage))
        self.tell("thread.run.step.completed", step)
        self.set("queued", required_action=None)

    def end(self, status: str, **changes: JSON) -> None:
        """Come to an end; the usage is that of all its steps."""
        usage = steps.used(tokens.total(self.usages)) if self.usages else steps.used(Usage(input=0, output=0))
        expiry = self.object["expires_at"] if status == "expired" else None
        self.set(status, required_action=None, expires_at=expiry, usage=usage, **changes)

    def cancel(self) -> dict[str, JSON]:
        """Cancel it, and return it as it is told meanwhile: `cancelling`."""
        self.set("cancelling", required_action=None)
        told = dict(self.object)
        if self.task is not None and not self.task.done():
            if self.task.get_loop() is asyncio.get_running_loop():
                self.task.cancel()
            else:
                # A blocking client has a loop of its own.
                self.task.get_loop().call_soon_threadsafe(self.task.cancel)
        else:
            self._leave("cancelled", cancelled_at=self.simulator.state.identity.time())
        return told

    def expire(self) -> None:
        """Have waited too long for outputs."""
        self._leave("expired")

    def _leave(self, status: str, **changes: JSON) -> None:
        """End without having answered; what the waiting step cost stays counted."""
        if self.waiting is not None:
            step, usage = self.waiting
            self.waiting = None
            now = self.simulator.state.identity.time()
            step.update({"status": status, f"{status}_at": now, "usage": steps.used(usage)})
        self.end(status, **changes)


def _code(failure: Failure) -> str:
    if failure.code in _ERRORS:
        return failure.code
    if failure.status == 429:
        return "rate_limit_exceeded"
    return "invalid_prompt" if failure.status == 400 else "server_error"
