"""A brain that follows a script."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from harness.simulator import script_form
from harness.simulator.brain import (
    Ask,
    Call,
    CodeRun,
    End,
    Failure,
    Finish,
    Piece,
    Reasoning,
    Refusal,
    Search,
    Text,
    Usage,
)
from harness.simulator.plain import JSON
from harness.simulator.script_form import ScriptError, filled

__all__ = ["ScriptBrain", "ScriptError"]

#: Said where no rule matches and there is no default.
_ECHO = {"reply": "{{ input }}"}
#: Codes of failures that name none.
_CODES = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}


class ScriptBrain:
    """Answers by rules, tried in order: the first that matches answers, else `default`, else the input comes back.

    ```yaml
    models: [gpt-test]              # optional: others are refused with 404
    rules:
      - match: {contains: refund, after: 0}
        call: {name: find_order, arguments: {id: 17}}
      - match: {tool: find_order}
        reply: "The order says: {{ result }}"
    default: {reply: "You said: {{ input }}"}
    ```

    All of `match` must hold: `contains` (all of these texts in the last user message, whatever their case), `regex` (found
    in it), `system` (texts in the instructions), `model`, `api` (chat, responses, threads), `tool` (whose result came
    last), `tools` (all are offered), `turn` (how many user messages there are), `after` (how many calls are answered in
    this turn), `last` (role of the last message).

    An answer has `reply` (sent by the word) or `chunks` (sent as they are), `call` (one or a list; `arguments` as a mapping
    or as raw text), `refuse`, `reason`, `run_code` (code, logs, files), `search` (a query), `cut` or `filter` (ends as
    too long, or as filtered), `fail` (status, code, message, headers; `partial`: after what is said; `after`: only
    when the rule has answered so often), `delay` (seconds before), `pace` (seconds before each piece but the first),
    `usage`; and `times`: the rule holds only so often. Texts may say {{ input }}, the last user message, and
    {{ result }}, what the last tool returned.

    Args:
        script: A list of rules, or a mapping as in a file.

    Raises:
        ScriptError: The script is wrong.
    """

    simulated = True

    def __init__(self, script: Sequence[Mapping[str, JSON]] | Mapping[str, JSON] = ()) -> None:
        self._take(script_form.checked(script))

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a script from a YAML file.

        Raises:
            ScriptError: It cannot be read, or is wrong: file, line and what.
        """
        brain = cls()
        brain._take(script_form.load(Path(path)))
        return brain

    def _take(self, script: Mapping[str, JSON]) -> None:
        self.models: Sequence[str] = tuple(script.get("models") or ())
        self._rules: list[Mapping[str, JSON]] = list(script.get("rules") or ())
        self._default: Mapping[str, JSON] = script.get("default") or _ECHO
        #: How often each rule has answered; -1 is the default.
        self._used: Counter[int] = Counter()

    async def ask(self, ask: Ask) -> AsyncIterator[Piece]:
        """Answer one step.

        Raises:
            Failure: The script says so.
        """
        number, rule = self._choose(ask)
        used = self._used[number]
        self._used[number] += 1
        said = _Scene(ask)
        fail = rule.get("fail") or {}
        failing = bool(fail) and used >= fail.get("after", 0)
        await _wait(rule.get("delay"))
        if failing and not fail.get("partial"):
            raise _failure(fail)
        answer = filled({name: value for name, value in rule.items() if name != "match"}, said.values())
        for position, piece in enumerate(_pieces(answer)):
            if position:
                await _wait(rule.get("pace"))
            yield piece
        if failing:
            raise _failure(fail)
        yield End(finish=_finish(rule), usage=Usage(**rule["usage"]) if "usage" in rule else None)

    async def aclose(self) -> None:
        """Nothing to end."""

    def _choose(self, ask: Ask) -> tuple[int, Mapping[str, JSON]]:
        scene = _Scene(ask)
        for number, rule in enumerate(self._rules):
            if self._used[number] < rule.get("times", self._used[number] + 1) and scene.matches(
                rule.get("match") or {}
            ):
                return number, rule
        return -1, self._default


async def _wait(seconds: float | None) -> None:
    if seconds:
        await asyncio.sleep(seconds)


class _Scene:
    """What a step looks like to a rule."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._messages = list(ask.messages)
        users = [place for place, message in enumerate(self._messages) if message["role"] == "user"]
        self._turn = len(users)
        self._since = self._messages[users[-1] + 1 :] if users else self._messages
        self._input = _text(self._messages[users[-1]]) if users else ""

    def values(self) -> dict[str, str]:
        """Return what placeholders stand for."""
        results = [_text(message) for message in self._messages if message["role"] == "tool"]
        return {"input": self._input, "result": results[-1] if results else ""}

    def matches(self, match: Mapping[str, JSON]) -> bool:
        """Whether all of a rule's conditions hold."""
        return all(self._holds(name, wanted) for name, wanted in match.items())

    def _holds(self, name: str, wanted: JSON) -> bool:
        match name:
            case "contains":
                return _all_in(wanted, self._input)
            case "regex":
                return re.search(wanted, self._input) is not None
            case "system":
                return _all_in(wanted, "\n".join(self._spoken("system", "developer")))
            case "tools":
                return set(_many(wanted)) <= {tool["function"]["name"] for tool in self._ask.tools}
            case "model":
                return self._ask.model in _many(wanted)
            case _:
                known = {
                    "api": self._ask.api,
                    "tool": self._tool(),
                    "turn": self._turn,
                    "after": sum(message["role"] == "tool" for message in self._since),
                    "last": self._messages[-1]["role"] if self._messages else None,
                }
                return bool(known[name] == wanted)

    def _spoken(self, *roles: str) -> list[str]:
        return [_text(message) for message in self._messages if message["role"] in roles]

    def _tool(self) -> str | None:
        """The name of the tool whose result is the last message."""
        if not self._messages or self._messages[-1]["role"] != "tool":
            return None
        id = self._messages[-1]["tool_call_id"]
        for message in reversed(self._messages):
            for call in message.get("tool_calls") or ():
                if call["id"] == id:
                    return str(call["function"]["name"])
        return None


def _many(value: JSON) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _all_in(wanted: JSON, text: str) -> bool:
    return all(one.lower() in text.lower() for one in _many(wanted))


def _text(message: Mapping[str, JSON]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content or () if "text" in part)


def _listed(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _pieces(answer: Mapping[str, JSON]) -> Iterator[Piece]:
    for run in _listed(answer.get("run_code")):
        yield CodeRun(code=run["code"], logs=run.get("logs", ""), files=_files(run.get("files") or {}))
    for query in _listed(answer.get("search")):
        yield Search(query)
    for word in _words(answer.get("reason", "")):
        yield Reasoning(word)
    for word in answer.get("chunks") or _words(answer.get("reply", "")):
        yield Text(word)
    for word in _words(answer.get("refuse", "")):
        yield Refusal(word)
    for call in _listed(answer.get("call")):
        arguments = call.get("arguments", {})
        told = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False, default=str)
        yield Call(name=call["name"], arguments=told, id=call.get("id"))


def _words(text: str) -> list[str]:
    """Cut a text before its words; joined again they are the text."""
    return re.findall(r"\s*\S+|\s+$", text)


def _files(files: Mapping[str, JSON]) -> list[tuple[str, bytes]]:
    return [
        (name, content.encode() if isinstance(content, str) else base64.b64decode(content["base64"]))
        for name, content in files.items()
    ]


def _finish(rule: Mapping[str, JSON]) -> Finish:
    if rule.get("cut"):
        return "length"
    if rule.get("filter"):
        return "content_filter"
    return "tool_calls" if rule.get("call") else "stop"


def _failure(fail: Mapping[str, JSON]) -> Failure:
    status = fail["status"]
    code = fail.get("code") or _CODES.get(status) or ("server_error" if status >= 500 else "invalid_request")
    message = fail.get("message") or f"The script fails with {status}."
    return Failure(status, code, message, headers=fail.get("headers"), partial=bool(fail.get("partial")))
