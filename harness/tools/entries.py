"""The entries of `tools:` as they are written: their keys, their types, and what each is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from harness.records import JSON
from harness.validation import Flag

#: Where the result of a tool comes from on replay: the recording, the code, or the code compared with the recording.
Replay: TypeAlias = Literal["recorded", "execute", "verify"]
REPLAYS: tuple[str, ...] = get_args(Replay)

#: What services allow as a function's name.
NAME = r"^[a-zA-Z0-9_-]{1,64}$"
#: Tools of a service's own.
BUILTIN = r"^[a-z][a-z0-9_]*$"

Name: TypeAlias = Annotated[str, Field(pattern=NAME)]
Text: TypeAlias = Annotated[str, Field(min_length=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Described(_Entry):
    name: Name | None = Field(None, description="What the model calls it; default: the function's own name")
    description: str | None = Field(None, description="What the model is told about it; default: the docstring")
    parameters: Mapping[str, JSON] | None = Field(
        None, description="JSON Schema of the arguments; default: made from type hints"
    )
    strict: Flag = Field(default=False, description="Have the service keep to the schema to the letter")
    pure: Flag = Field(default=False, description="It has no side effects, so that it runs again on replay")
    replay: Replay | None = Field(
        None,
        description="Where the result comes from on replay: recorded, execute, or verify (execute, and compare)",
    )


class FunctionEntry(_Described):
    """A Python function."""

    function: Text = Field(description="./tools.py:search beside the suite, or package.module:search")


class EnvEntry(_Described):
    """A method of the suite's world."""

    env: Text = Field(description="Name of a public method of the world that `env:` names")


class Server(_Entry):
    """How to reach an MCP server."""

    command: tuple[Text, ...] | None = Field(
        None, min_length=1, description="Program and arguments of a server that is started: [python, -m, my_server]"
    )
    env: Mapping[str, str] = Field(
        default_factory=dict, description="Variables of its environment; ${NAME} is one of this process"
    )
    url: str | None = Field(None, pattern="^https?://", description="Address of a server that runs already")

    @model_validator(mode="after")
    def _one_of_both(self) -> Server:
        if (self.command is None) == (self.url is None):
            raise ValueError("an MCP server has a `command:` or a `url:`, one of both")
        if self.url is not None and self.env:
            raise ValueError("`env:` goes with `command:`")
        return self


class McpEntry(_Entry):
    """The tools of an MCP server."""

    mcp: Server = Field(description="The server: {command: [..], env: {..}} or {url: ..}")
    allow: tuple[Text, ...] | None = Field(None, min_length=1, description="Only these of its tools")
    replay: Replay | None = Field(
        None, description="Where results come from on replay; the default, recorded, needs no server"
    )


class AssistantEntry(_Entry):
    """Another assistant, as a tool."""

    assistant: Text = Field(description="Its name in `assistants:`")
    name: Name | None = Field(None, description="What the model calls it; default: the assistant's name")
    description: str | None = Field(None, description="What the model is told about it")


class DeclaredEntry(_Entry):
    """A schema without code: results come from mocks or from the recording."""

    name: Name = Field(description="What the model calls it")
    description: str | None = Field(None, description="What the model is told about it")
    parameters: Mapping[str, JSON] = Field(
        default_factory=lambda: {"type": "object", "properties": {}}, description="JSON Schema of the arguments"
    )
    strict: Flag = Field(default=False, description="Have the service keep to the schema to the letter")


BuiltinName: TypeAlias = Annotated[str, Field(pattern=BUILTIN)]


class ToolEntry(
    RootModel[
        str
        | FunctionEntry
        | EnvEntry
        | McpEntry
        | AssistantEntry
        | DeclaredEntry
        | Annotated[
            dict[BuiltinName, tuple[str, ...] | dict[str, JSON] | None],
            Field(min_length=1, max_length=1, description="A tool of the service's own, with files or with options"),
        ]
    ]
):
    """A tool: a function (./tools.py:search), env:METHOD, a tool of the service (file_search), or a mapping."""
