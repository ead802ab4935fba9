"""What becomes of one answer of a brain within a run: steps, messages and files, and the events that tell of them."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.simulator import files, messages, steps, tokens, vectors
from harness.simulator.brain import Call, CodeRun, End, Piece, Refusal, Search, Text, Usage
from harness.simulator.marks import Marks
from harness.simulator.plain import JSON
from harness.simulator.run_asks import searched

if TYPE_CHECKING:
    from harness.simulator.running import Run

_RANKING = {"ranker": "default_2024_08_21"}
_NOTHING = Usage(input=0, output=0)
#: How a run and its message are incomplete when a step ends so.
_CUT = {"length": ("max_completion_tokens", "max_tokens"), "content_filter": ("content_filter", "content_filter")}


class Leg:
    """A run's way from being asked to its next stop.

    Args:
        run: The run; its steps, its thread and its status are changed.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._simulator = run.simulator
        #: The step under way, and the message that it writes, if it writes one.
        self._step: dict[str, JSON] | None = None
        self._message: dict[str, JSON] | None = None
        self._said = ""
        #: Images that the next message shows, by file id, and files and passages that its text names.
        self._images: list[str] = []
        self._marks = Marks()

    def take(self, piece: Piece) -> None:
        """Take a piece of the answer in; an `End` brings the run to its stop."""
        match piece:
            case Text(text=text):
                self._said += text
                self._write("text", text)
            case Refusal(text=text):
                self._write("refusal", text)
            case Search():
                self._search(piece)
            case CodeRun():
                self._ran(piece)
            case Call():
                self._call(piece)
            case End():
                self._end(piece)
            case _:
                # This API shows nothing of reasoning.
                pass

    def stop(self, status: str, reason: str, *, last_error: Mapping[str, JSON] | None = None) -> None:
        """Break off what is under way.

        Args:
            status: Of the step from now on.
            reason: Why the message is incomplete.
            last_error: What went wrong.
        """
        self._break_message(reason)
        if self._step is not None:
            self._close_step(status, _NOTHING, last_error=last_error)

    # -- messages

    def _write(self, kind: str, text: str) -> None:
        message = self._open_message()
        content = message["content"]
        if not content or content[-1]["type"] != kind:
            empty = {"value": "", "annotations": []} if kind == "text" else ""
            content.append({"type": kind, kind: empty})
            first = True
        else:
            first = False
        if kind == "refusal":
            content[-1]["refusal"] += text
            self._delta_part({"type": "refusal", "refusal": text})
            return
        content[-1]["text"]["value"] += text
        self._delta_part({"type": "text", "text": {"value": text, **({"annotations": []} if first else {})}})

    def _open_message(self) -> dict[str, JSON]:
        if self._message is not None:
            return self._message
        self._finish_step()
        run = self._run
        message = messages.begun(self._simulator, run.object)
        details = {"type": "message_creation", "message_creation": {"message_id": message["id"]}}
        self._open_step(details)
        self._message = run.thread.messages[message["id"]] = message
        run.tell("thread.message.created", message)
        run.tell("thread.message.in_progress", message)
        for id in self._images:
            part = {"type": "image_file", "image_file": {"file_id": id, "detail": "auto"}}
            message["content"].append(part)
            self._delta_part(part)
        self._images = []
        return message

    def _delta_part(self, part: Mapping[str, JSON]) -> None:
        """Tell of something new in the last part of the message."""
        assert self._message is not None
        delta = {"content": [{"index": len(self._message["content"]) - 1, **part}]}
        self._run.tell(
            "thread.message.delta", {"id": self._message["id"], "object": "thread.message.delta", "delta": delta}
        )

    def _finish_message(self) -> None:
        """Complete the message; its sources are named at its end."""
        if self._message is None:
            return
        message, now = self._message, self._simulator.state.identity.time()
        self._annotate(message)
        message.update(status="completed", completed_at=now)
        self._run.tell("thread.message.completed", message)
        self._message = None

    def _annotate(self, message: Mapping[str, JSON]) -> None:
        if not message["content"] or message["content"][-1]["type"] != "text":
            return
        text = message["content"][-1]["text"]
        more, annotations = self._marks.of(text["value"])
        if not annotations:
            return
        text["value"] += more
        text["annotations"] += annotations
        numbered = [{"index": number, **one} for number, one in enumerate(annotations)]
        self._delta_part({"type": "text", "text": {"value": more, "annotations": numbered}})
        self._marks = Marks()

    def _break_message(self, reason: str) -> None:
        if self._message is None:
            return
        message, now = self._message, self._simulator.state.identity.time()
        message.update(status="incomplete", incomplete_at=now, incomplete_details={"reason": reason})
        self._run.tell("thread.message.incomplete", message)
        self._message = None

    # -- steps

    def _open_step(self, details: Mapping[str, JSON]) -> dict[str, JSON]:
        step = steps.begun(self._simulator, self._run.object, details)
        self._step = self._run.steps[step["id"]] = step
        self._run.tell("thread.run.step.created", step)
        self._run.tell("thread.run.step.in_progress", step)
        return step

    def _calls_of(self, kind: str) -> list[dict[str, JSON]]:
        """Return the calls of the step under way; functions and the service's own tools have steps of their own."""
        step = self._step
        calls: list[dict[str, JSON]] = (step["step_details"].get("tool_calls") or []) if step is not None else []
        if step is None or not calls or (calls[0]["type"] == "function") != (kind == "function"):
            self._finish_message()
            self._finish_step()
            calls = self._open_step({"type": "tool_calls", "tool_calls": []})["step_details"]["tool_calls"]
        return calls

    def _finish_step(self) -> None:
        if self._step is not None:
            # What an answer cost is known, and told, with its last step.
            self._close_step("completed", _NOTHING)

    def _close_step(self, status: str, usage: Usage, *, last_error: Mapping[str, JSON] | None = None) -> None:
        assert self._step is not None
        now = self._simulator.state.identity.time()
        self._step.update({"status": status, f"{status}_at": now, "usage": steps.used(usage)})
        if last_error is not None:
            self._step["last_error"] = dict(last_error)
        self._run.tell(f"thread.run.step.{status}", self._step)
        self._step = None

    def _delta_call(self, index: int, call: Mapping[str, JSON]) -> None:
        assert self._step is not None
        details = {"type": "tool_calls", "tool_calls": [{"index": index, **call}]}
        delta = {"id": self._step["id"], "object": "thread.run.step.delta", "delta": {"step_details": details}}
        self._run.tell("thread.run.step.delta", delta)

    # -- tools

    def _search(self, search: Search) -> None:
        calls = self._calls_of("file_search")
        wanted = searched(self._run)
        found = vectors.search(self._simulator, wanted, search.query)
        results = [
            {"file_id": id, "file_name": name, "score": score, "content": [{"type": "text", "text": passage}]}
            for id, name, passage, score in found
        ]
        call = {
            "id": self._simulator.state.identity.new("call_", self._run.id, search.query),
            "type": "file_search",
            "file_search": {"ranking_options": {**_RANKING, "score_threshold": wanted.least}, "results": results},
        }
        calls.append(call)
        self._delta_call(len(calls) - 1, {**call, "file_search": {}})
        if found:
            self._marks.cite(found[0][0], found[0][1])

    def _ran(self, ran: CodeRun) -> None:
        calls = self._calls_of("code_interpreter")
        outputs: list[dict[str, JSON]] = [{"type": "logs", "logs": ran.logs}] if ran.logs else []
        for name, content in ran.files:
            stored = files.store(self._simulator, name=name, content=content, purpose="assistants_output")
            id = stored.object["id"]
            if (mimetypes.guess_type(name)[0] or "").startswith("image/"):
                outputs.append({"type": "image", "image": {"file_id": id}})
                self._images.append(id)
            else:
                self._marks.link(id, name)
        call = {
            "id": self._simulator.state.identity.new("call_", self._run.id, ran.code),
            "type": "code_interpreter",
            "code_interpreter": {"input": ran.code, "outputs": outputs},
        }
        calls.append(call)
        number = len(calls) - 1
        self._delta_call(number, {**call, "code_interpreter": {"input": ran.code, "outputs": []}})
        if outputs:
            told = [{"index": index, **output} for index, output in enumerate(outputs)]
            self._delta_call(number, {"type": "code_interpreter", "code_interpreter": {"outputs": told}})

    def _call(self, call: Call) -> None:
        calls = self._calls_of("function")
        number = len(calls)
        function = {"name": call.name, "arguments": call.arguments, "output": None}
        calls.append({"id": call.id, "type": "function", "function": function})
        begun = {"id": call.id, "type": "function", "function": {**function, "arguments": ""}}
        self._delta_call(number, begun)
        for piece in tokens.pieces(call.arguments):
            self._delta_call(number, {"type": "function", "function": {"arguments": piece}})

    # -- the end

    def _end(self, end: End) -> None:
        run, usage = self._run, end.usage or _NOTHING
        run.usages.append(usage)
        if end.finish in _CUT:
            self._cut(*_CUT[end.finish], usage)
            return
        if self._calls_function():
            assert self._step is not None
            step, self._step = self._step, None
            run.require(step, usage, self._said)
            return
        if self._message is None:
            # An answer without words is an empty message.
            self._write("text", "")
        self._finish_message()
        self._close_step("completed", usage)
        run.history.append({"role": "assistant", "content": self._said})
        run.end("completed", completed_at=self._simulator.state.identity.time())

    def _calls_function(self) -> bool:
        calls = (self._step or {}).get("step_details", {}).get("tool_calls") or []
        return bool(calls) and calls[0]["type"] == "function"

    def _cut(self, reason: str, of_message: str, usage: Usage) -> None:
        called = self._calls_function()
        if not called:
            self._open_message()
            self._break_message(of_message)
        if self._step is not None:
            # Calls that were cut are never made.
            self._close_step("cancelled" if called else "completed", usage)
        self._run.end("incomplete", incomplete_details={"reason": reason})
