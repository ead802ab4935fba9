"""What a variant is, as far as it can be told apart from another one later, when its files have changed or are gone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.functions import Function
from harness.prompts import frontmatter
from harness.prompts.library import Prompt
from harness.records import JSON
from harness.store.rows import plain
from harness.tools.sources import source_hash

if TYPE_CHECKING:
    from harness.suites.suite import AssistantSpec
    from harness.tools.tool import Tool

#: Told in other words (tools, prompt), or of no account for what is answered.
_APART = frozenset({"tools", "headers", "api_key_env"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition:
    """One tool of a variant."""

    #: What the model is told of it, or what the suite says, as JSON text.
    offered: str
    #: Hash of its code; None: it has none that can be read.
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A variant's prompt, settings and tools as plain data; it holds no keys."""

    #: `faq@2`; None: there is no prompt file.
    prompt: str | None = None
    #: The prompt's body, or the instructions in the suite: a template.
    text: str = ""
    #: Names a token encoding, where the prompt does.
    encoding: str | None = None
    #: Default values of the prompt's variables under those that the suite sets.
    vars: Mapping[str, JSON] = field(default_factory=dict)
    #: Everything that is set of the assistant.
    settings: Mapping[str, JSON] = field(default_factory=dict)
    #: By the name that the model knows.
    tools: Mapping[str, ToolDefinition] = field(default_factory=dict)
    #: Hash of the code of a Python target; None: there is none that can be read.
    code: str | None = None

    def plain(self) -> dict[str, JSON]:
        """Return it as plain data, for run.json."""
        return {
            "prompt": self.prompt,
            "text": self.text,
            "encoding": self.encoding,
            "vars": plain(self.vars),
            "settings": plain(self.settings),
            "tools": {name: {"offered": one.offered, "code": one.code} for name, one in self.tools.items()},
            "code": self.code,
        }

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Definition:
        """Return what `plain` wrote.

        Raises:
            KeyError, TypeError, AttributeError: It is nothing of the kind.
        """
        return cls(
            prompt=told["prompt"],
            text=str(told["text"]),
            encoding=told.get("encoding"),
            vars=dict(told["vars"]),
            settings=dict(told["settings"]),
            tools={
                str(name): ToolDefinition(offered=str(one["offered"]), code=one.get("code"))
                for name, one in told["tools"].items()
            },
            code=told.get("code"),
        )


def define(
    spec: AssistantSpec,
    *,
    prompt: Prompt | None = None,
    source: str = "",
    variables: Mapping[str, JSON],
    tools: Iterable[Tool] = (),
    target: Function | None = None,
) -> Definition:
    """Return the definition of a variant.

    Args:
        spec: Its assistant.
        prompt: Its prompt; None: it has none.
        source: The whole text of the prompt's file, or the instructions in the suite.
        variables: What its suite and the variant itself set.
        tools: Its tools, as far as they are loaded; the rest is known by what the suite says.
        target: Its Python function.
    """
    defaults: dict[str, JSON] = {}
    if prompt is not None:
        source = "\n".join(source.split("\n")[frontmatter.split(source)[1] :])
        defaults = {name: one.default for name, one in prompt.front.variables.items() if not one.needed}
    named = {
        one.name or one.reference or one.kind: ToolDefinition(offered=_text(one.plain()))
        for one in spec.tools
        if one.kind not in ("function", "env", "declared")
    }
    for tool in tools:
        code = source_hash(tool.function) if tool.function is not None else None
        named[tool.name] = ToolDefinition(offered=_text(tool.definition.plain()), code=code)
    return Definition(
        prompt=None if prompt is None else prompt.ref,
        text=source.strip("\n"),
        encoding=None if prompt is None else prompt.front.encoding,
        vars={**defaults, **variables},
        settings={name: value for name, value in spec.plain().items() if name not in _APART},
        tools=named,
        code=None if target is None else source_hash(target),
    )


def _text(value: JSON) -> str:
    return json.dumps(plain(value), ensure_ascii=False, sort_keys=True, indent=1)
