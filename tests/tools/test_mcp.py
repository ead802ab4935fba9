"""Tools of MCP servers: started, listed and called live; replayed without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from harness.clock import LiveClock, VirtualClock
from harness.errors import CassetteDamaged, TrialError, UsageError
from harness.records import ToolCall
from harness.tools import McpSource, RecordedCall, Tool, Toolbox, ToolSpec, read_tools, recorded_tools

HERE = Path(__file__).parent


def entry(**more: Any) -> ToolSpec:
    problems: list[Any] = []
    server = {"command": ["python", "mcp_server.py"], **more.pop("server", {})}
    [spec] = read_tools([{"mcp": server, **more}], lambda *told: problems.append(told))
    assert problems == []
    return spec


def opened(source: McpSource, use: Callable[[tuple[Tool, ...]], Awaitable[Any]]) -> Any:
    async def work() -> Any:
        async with source.open() as tools:
            return await use(tools)

    return asyncio.run(work())


def call(tool: str, /, **arguments: Any) -> ToolCall:
    return ToolCall(id=f"call_{tool}", name=tool, arguments=arguments)


def test_a_servers_tools_are_listed_called_and_replayed_without_it() -> None:
    source = McpSource(entry(), folder=HERE)
    calls = [call("stock", item="hat", size=3), call("greet", name="Ada"), call("picture"), call("stock", size="x")]

    async def use(tools: tuple[Tool, ...]) -> Any:
        box = Toolbox(tools, clock=LiveClock())
        return box.definitions, await box.run(calls), box.kept()

    definitions, answers, kept = opened(source, use)
    described = {one.name: one for one in definitions}
    assert described["greet"].description == "Say hello."
    assert described["stock"].parameters["required"] == ["item"]
    stock, greet, picture, wrong = answers
    assert (stock.output, stock.source) == ({"item": "hat", "left": 6}, "mcp")
    assert greet.output == "Hello, Ada"
    assert [(one.kind, one.media_type, one.data) for one in picture.attachments] == [
        ("image", "image/png", b"\x89PNG-bytes")
    ]
    assert wrong.failure == "arguments"
    assert "item" in wrong.error

    again = recorded_tools(entry(), source.definitions)
    box = Toolbox(again, clock=VirtualClock(), recorded=[RecordedCall.read(one.plain()) for one in kept])
    assert box.definitions == definitions
    replayed = asyncio.run(box.run(calls))
    assert [one.output for one in replayed] == [one.output for one in answers]
    assert replayed[2].attachments == picture.attachments
    assert [one.source for one in replayed] == ["mcp", "mcp", "mcp", None]


def test_a_tool_that_fails_on_the_server_tells_the_model_why() -> None:
    async def use(tools: tuple[Tool, ...]) -> Any:
        return await Toolbox(tools, clock=LiveClock()).run([call("broken")])

    [answer] = opened(McpSource(entry(), folder=HERE), use)
    assert (answer.failure, answer.source, answer.output) == ("raised", "mcp", None)
    assert "the shop is closed" in answer.error


REFUSING = """
from mcp import MCPError
from mcp.server.mcpserver import MCPServer
server = MCPServer("office")
@server.tool()
def enter(day: int) -> str:
    if day == 1:
        raise MCPError(code=-32000, message="come back tomorrow")
    return "welcome"
server.run()
"""


def test_a_server_that_refuses_a_request_and_is_still_there_tells_the_model_so(tmp_path: Path) -> None:
    (tmp_path / "mcp_server.py").write_text(REFUSING)

    async def use(tools: tuple[Tool, ...]) -> Any:
        box = Toolbox(tools, clock=LiveClock())
        return [*await box.run([call("enter", day=1)]), *await box.run([call("enter", day=2)])]

    source = McpSource(entry(), folder=tmp_path)
    refused, welcomed = opened(source, use)
    assert (refused.failure, refused.source, refused.error) == ("raised", "mcp", "MCPError: come back tomorrow")
    assert welcomed.output == "welcome"
    assert source.lost is None


def test_only_allowed_tools_are_offered_and_variables_reach_the_server() -> None:
    spec = entry(allow=["greet"], server={"env": {"GREETING": "${WORDS} there"}})
    source = McpSource(spec, folder=HERE, environ={"WORDS": "Hi"})

    async def use(tools: tuple[Tool, ...]) -> Any:
        box = Toolbox(tools, clock=LiveClock())
        return [one.name for one in box.definitions], await box.run([call("greet", name="Ada"), call("broken")])

    names, [greeted, unknown] = opened(source, use)
    assert names == ["greet"]
    assert greeted.output == "Hi there, Ada"
    assert unknown.failure == "unknown"
    assert "GREETING" not in str(source.definitions)


def test_a_server_may_be_opened_in_one_task_and_left_in_another() -> None:
    source = McpSource(entry(), folder=HERE)

    async def work() -> Any:
        context = source.open()
        tools = await asyncio.create_task(context.__aenter__())
        [answer] = await Toolbox(tools, clock=LiveClock()).run([call("greet", name="Ada")])
        await asyncio.create_task(context.__aexit__(None, None, None))
        return answer.output

    assert asyncio.run(work()) == "Hello, Ada"


async def nothing(tools: tuple[Tool, ...]) -> None:
    raise AssertionError("the server should not have been opened")


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"server": {"command": ["no-such-program-here"]}}, TrialError, "no-such-program-here.*cannot be used"),
        ({"server": {"command": ["python", "-m", "no_such_module"]}}, TrialError, "cannot be used.*No module named"),
        ({"allow": ["gret"]}, TrialError, "no tool 'gret'.*Did you mean 'greet'"),
        ({"server": {"env": {"KEY": "${MISSING}"}}}, UsageError, "needs the environment variable MISSING"),
    ],
)
def test_a_server_that_cannot_be_used_is_an_error_that_says_why(
    more: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        opened(McpSource(entry(**more), folder=HERE, environ={}), nothing)


def test_a_recording_that_knows_nothing_of_a_server_says_how_to_record() -> None:
    with pytest.raises(TrialError, match="harness record --rewrite") as raised:
        recorded_tools(entry(), {})
    assert raised.value.kind == "tool_not_recorded"


@pytest.mark.parametrize("damaged", [{"description": "x"}, "stock", None])
def test_damaged_tools_of_a_server_are_a_damaged_recording(damaged: Any) -> None:
    source = McpSource(entry(), folder=HERE)
    with pytest.raises(CassetteDamaged, match="has of the MCP server .* is incomplete.*harness record --rewrite"):
        recorded_tools(entry(), {source.key: [damaged]})


def test_an_address_is_named_without_secrets() -> None:
    [spec] = read_tools([{"mcp": {"url": "https://user:word@host.example/mcp?key=secret"}}], lambda *told: None)
    assert McpSource(spec, folder=HERE).key == "https://host.example/mcp"
