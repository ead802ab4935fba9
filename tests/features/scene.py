"""One feature, as a small suite that is recorded against the simulator and then replayed without it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from harness.simulator.app import Simulator
from harness.simulator.brain import Ask

JSON: TypeAlias = Any
#: The APIs that are asked for model steps, and those that are not.
MODELS = ("responses", "chat", "threads")
APIS = (*MODELS, "python", "http", "outputs")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What came of a scene."""

    api: str
    root: Path
    #: Rows of results.jsonl of the recording run, and of the replay.
    live: Sequence[Mapping[str, JSON]]
    replayed: Sequence[Mapping[str, JSON]]
    #: What the simulator was sent while recording: method, path, body.
    requests: Sequence[tuple[str, str, JSON]]
    #: Folders of both runs.
    folders: Sequence[Path]

    @property
    def row(self) -> Mapping[str, JSON]:
        """The only row."""
        [found] = self.live
        return found

    def sent(self, path: str = "", method: str = "POST") -> list[JSON]:
        """Bodies of requests whose path ends so; without a path, of those that asked for a model step."""
        paths = [path] if path else ["/responses", "/chat/completions", "/runs", "/submit_tool_outputs"]
        return [body for how, where, body in self.requests if how == method and where.endswith(tuple(paths))]

    def told(self) -> str:
        """Everything that was sent, as one text."""
        return json.dumps([body if not isinstance(body, bytes) else repr(body) for _, _, body in self.requests])


def passed(seen: Seen) -> None:
    """Every trial passed."""
    wrong = [row["error"] or [one["reason"] for one in row["checks"] if not one["passed"]] for row in seen.live]
    assert [row["outcome"] for row in seen.live] == ["passed"] * len(seen.live), wrong


@dataclass(frozen=True, kw_only=True)
class Lack:
    """Why an API has no such feature."""

    reason: str
    #: What `harness validate` says of the scene's suite then, place included; None: the suite is none for this API.
    refused: str | None = None


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A feature."""

    #: The row's name in the table.
    feature: str
    #: The suite below its header (name, API, address, model).
    suite: str
    #: Rules of the simulator's script, or a function that answers.
    script: Sequence[Mapping[str, JSON]] | Callable[[Ask], Any] = ()
    apis: tuple[str, ...] = MODELS
    #: Further lines of the header, by API.
    more: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    check: Callable[[Seen], None] = passed
    lacks: Mapping[str, Lack] = field(default_factory=dict)
    #: Whether the trials are kept; without a final answer they are not, and replaying says that they are missing.
    kept: bool = True
    #: A function that answers, made for the simulator that it answers for.
    script_of: Callable[[Simulator], Callable[[Ask], Any]] | None = None
    #: Conversations that are at the service already: the threads' first messages, posted before the recording.
    before: Callable[[str, str], Mapping[str, str]] | None = None

    def text(self, api: str, url: str) -> str:
        """The suite's file."""
        return f"suite: s\napi: {api}\n" + (_HEADS[api] + self.more.get(api, "") + self.suite).replace("URL", url)


#: By API, what every suite says.
_HEADS = {
    **dict.fromkeys(("responses", "chat", "python"), "base_url: URL\nmodel: test-model\n"),
    "threads": "base_url: URL\nmodel: test-model\npoll_interval: 20ms\n",
    # The simulator is a service like any other.
    "http": "url: URL/chat/completions\nusage: $.usage\n",
    "outputs": "outputs: data/answers.jsonl\n",
}
