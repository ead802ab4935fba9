"""A model's calls: each is answered exactly once, with a result or with what went wrong."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import LiveClock, VirtualClock, current_clock
from harness.errors import CassetteMiss, UsageError
from harness.records import Attachment, ToolCall
from harness.tools import EndRun, Tool, Toolbox, ToolError, text_for_model, tool_of


def call(tool: str, id: str = "c1", /, **arguments: Any) -> ToolCall:
    return ToolCall(id=id, name=tool, arguments=arguments)


def run(function: Any, *calls: ToolCall, **more: Any) -> Any:
    """Answer calls; one alone is returned as it is."""
    box = Toolbox([tool_of(function)], clock=LiveClock(), **more)
    found = asyncio.run(box.run(calls or [call(function.__name__)]))
    return found[0] if len(found) == 1 else found


def test_sync_and_async_functions_and_what_returns_a_coroutine_are_called() -> None:
    def plain(a: int) -> int:
        return a + 1

    async def later(a: int) -> int:
        return a + 2

    def wrapped(a: int) -> Any:
        return later(a)

    assert [run(one, call(one.__name__, a=1)).output for one in (plain, later, wrapped)] == [2, 3, 3]


def test_sync_functions_leave_the_event_loop_free_and_see_the_trials_context() -> None:
    trial = contextvars.ContextVar[str]("trial")
    free = threading.Event()

    def block() -> list[Any]:
        assert free.wait(10)
        return [trial.get(), current_clock() is clock, threading.current_thread() is threading.main_thread()]

    async def release() -> str:
        free.set()
        return "released"

    clock = VirtualClock()
    box = Toolbox([tool_of(block), tool_of(release)], clock=clock)

    async def work() -> Any:
        trial.set("t1")
        return await box.run([call("block", "a"), call("release", "b")])

    blocked, released = asyncio.run(work())
    assert (blocked.output, released.output) == (["t1", True, False], "released")


def test_no_more_calls_run_at_once_than_may() -> None:
    running: list[int] = []
    most: list[int] = []

    async def work(n: int) -> int:
        running.append(n)
        most.append(len(running))
        await asyncio.sleep(0)
        running.remove(n)
        return n

    found = run(work, *(call("work", f"c{n}", n=n) for n in range(20)), parallel=3)
    assert [one.output for one in found] == list(range(20))
    assert max(most) == 3


def test_functions_are_given_session_and_world() -> None:
    def look(session: Any, city: str, env: Any) -> list[Any]:
        return [session, city, env]

    box = Toolbox([tool_of(look)], clock=LiveClock(), world={"w": 1})
    box.serve("the session")
    [found] = asyncio.run(box.run([call("look", city="Oslo")]))
    assert found.output == ["the session", "Oslo", {"w": 1}]


def test_an_unknown_tool_is_told_with_those_that_there_are() -> None:
    def search() -> None: ...

    found = run(search, call("serach"))
    assert (found.failure, found.error) == ("unknown", "unknown tool 'serach'; there are: search")
    [none] = asyncio.run(Toolbox([], clock=LiveClock()).run([call("x")]))
    assert none.error == "unknown tool 'x'; there are none"


class OwnError(Exception):
    pass


async def cancelled() -> None:
    raise asyncio.CancelledError


def interrupted() -> None:
    raise KeyboardInterrupt


def exiting() -> None:
    raise SystemExit(3)


async def exiting_later() -> None:
    raise SystemExit(3)


def stopping() -> None:
    raise StopIteration


def own() -> None:
    raise OwnError("no stock")


def told() -> None:
    raise ToolError("Come back tomorrow.")


def reading() -> None:
    Path("/nowhere/at/all.txt").read_text()


def naming() -> None:
    raise ValueError(f"bad file {Path.home()}/secret/place.txt, see https://host/a/b and /v1/orders/3")


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (cancelled, "CancelledError"),
        (interrupted, "KeyboardInterrupt"),
        (exiting, "SystemExit: 3"),
        (exiting_later, "SystemExit: 3"),
        (stopping, "StopIteration"),
        (own, "OwnError: no stock"),
        (told, "Come back tomorrow."),
        (reading, "FileNotFoundError: No such file or directory: 'all.txt'"),
        (naming, "ValueError: bad file place.txt, see https://host/a/b and /v1/orders/3"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_whatever_a_tool_raises_is_told_to_the_model(function: Any, error: str) -> None:
    found = run(function)
    assert (found.failure, found.error, found.output, found.source) == ("raised", error, None, "function")


def test_trouble_of_a_service_that_a_tool_asks_is_no_result() -> None:
    async def ask(message: str) -> str:
        raise CassetteMiss("not recorded")

    calls = [call("ask", "a", message="x"), call("ask", "b", message="y")]
    with pytest.raises(CassetteMiss, match="not recorded"):
        run(ask, *calls)


def test_a_tool_that_takes_too_long_is_left_to_itself() -> None:
    released = threading.Event()
    forever: asyncio.Future[None] | None = None
    cleaned: list[str] = []

    def hang() -> None:
        released.wait(30)

    async def wait() -> None:
        nonlocal forever
        forever = asyncio.get_running_loop().create_future()
        try:
            await forever
        finally:
            cleaned.append("wait")

    async def fine() -> str:
        return "fine"

    box = Toolbox([tool_of(hang), tool_of(wait), tool_of(fine)], clock=LiveClock(), timeout=0.05)
    found = asyncio.run(box.run([call("hang", "a"), call("wait", "b"), call("fine", "c")]))
    released.set()
    assert [one.failure for one in found] == ["timeout", "timeout", None]
    assert found[0].error == "no result within 0.05 s"
    assert found[2].output == "fine"
    assert cleaned == ["wait"]


def test_a_trial_that_is_cancelled_takes_its_tools_with_it() -> None:
    cleaned: list[str] = []

    async def wait(n: int) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cleaned.append(f"wait {n}")

    async def work() -> None:
        box = Toolbox([tool_of(wait)], clock=LiveClock())
        async with asyncio.timeout(0.05):
            await box.run([call("wait", "a", n=1), call("wait", "b", n=2)])

    with pytest.raises(TimeoutError):
        asyncio.run(work())
    assert sorted(cleaned) == ["wait 1", "wait 2"]


@pytest.mark.parametrize(
    ("value", "output", "text"),
    [
        ("plain text", "plain text", "plain text"),
        ({"a": [1, None]}, {"a": [1, None]}, '{"a": [1, null]}'),
        (None, None, "null"),
        (1.5, 1.5, "1.5"),
        ({1, 2}, [1, 2], "[1, 2]"),
        pytest.param(object(), "<object object>", "<object object>", id="object"),
        (float("inf"), "inf", "inf"),
        ("é😀", "é😀", "é😀"),
    ],
    ids=str,
)
def test_results_are_plain_json_and_texts_are_sent_as_they_are(value: Any, output: Any, text: str) -> None:
    def give() -> Any:
        return value

    found = run(give)
    assert found.output == output
    assert text_for_model(found) == text


def test_an_error_is_sent_as_json() -> None:
    assert json.loads(text_for_model(run(own))) == {"error": "OwnError: no stock"}


PNG = b"\x89PNG\r\n\x1a\n data"


def test_files_and_images_are_results(tmp_path: Path) -> None:
    (tmp_path / "chart.png").write_bytes(PNG)
    (tmp_path / "report.csv").write_text("a,b")
    attached = Attachment(kind="file", name="x.bin", media_type="application/octet-stream", data=b"x")

    def give(n: int) -> Any:
        return [
            tmp_path / "chart.png",
            tmp_path / "report.csv",
            {"image": PNG},
            {"file": tmp_path / "chart.png"},
            attached,
            ["two files:", tmp_path / "report.csv", attached],
            {"file": "just a text"},
            tmp_path / "missing.txt",
        ][n]

    found = run(give, *(call("give", f"c{n}", n=n) for n in range(8)))
    parts = [[(a.kind, a.name, a.media_type, a.data) for a in one.attachments] for one in found]
    assert parts == [
        [("image", "chart.png", "image/png", PNG)],
        [("file", "report.csv", "text/csv", b"a,b")],
        [("image", "image.png", "image/png", PNG)],
        [("file", "chart.png", "image/png", PNG)],
        [("file", "x.bin", "application/octet-stream", b"x")],
        [("file", "report.csv", "text/csv", b"a,b"), ("file", "x.bin", "application/octet-stream", b"x")],
        [],
        [],
    ]
    assert found[0].output == {"image": "chart.png"}
    assert found[5].output == ["two files:", {"file": "report.csv"}, {"file": "x.bin"}]
    assert found[6].output == {"file": "just a text"}
    assert found[7].error == "FileNotFoundError: No such file or directory: 'missing.txt'"


def raises_end() -> None:
    raise EndRun({"order": "4711"})


def returns_end() -> EndRun:
    return EndRun({"order": "4711"})


def returns_class() -> type[EndRun]:
    return EndRun


async def says_token() -> str:
    return "All done. <|ENDRUN|>"


@pytest.mark.parametrize(
    ("function", "data"),
    [
        (raises_end, {"order": "4711"}),
        (returns_end, {"order": "4711"}),
        (returns_class, None),
        (says_token, "All done."),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_tool_can_end_the_run_and_the_others_are_answered(function: Any, data: Any) -> None:
    def other() -> str:
        return "other"

    box = Toolbox([tool_of(function), tool_of(other)], clock=LiveClock())
    assert box.ended is None
    found = asyncio.run(box.run([call("other", "a"), call(function.__name__, "b"), call("other", "c")]))
    assert [one.output for one in found] == ["other", data, "other"]
    assert [one.error for one in found] == [None] * 3
    assert box.ended is not None
    assert box.ended.data == data


def test_rounds_of_nothing_but_wrong_arguments_are_counted() -> None:
    def look(city: str) -> str:
        return city

    box = Toolbox([tool_of(look)], clock=LiveClock())

    def counted(*calls: ToolCall) -> int:
        asyncio.run(box.run(calls))
        return box.invalid_rounds

    wrong, right = call("look", "a", town="Oslo"), call("look", "b", city="Oslo")
    assert [counted(wrong), counted(wrong, wrong), counted(), counted(wrong, right), counted(wrong)] == [1, 2, 2, 0, 1]


def test_calls_with_one_id_get_ids_of_their_own() -> None:
    def look(n: int) -> int:
        return n

    found = run(look, *(call("look", id, n=n) for n, id in enumerate(["a", "a", "a-2", "b", "a"])))
    assert [(one.id, one.output) for one in found] == [("a", 0), ("a-3", 1), ("a-2", 2), ("b", 3), ("a-4", 4)]


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two tools are called 'x'"):
        Toolbox([Tool(name="x"), Tool(name="x")], clock=LiveClock())


def test_definitions_are_plain_data() -> None:
    def look(city: str) -> str:
        """Look out."""
        return city

    [definition] = Toolbox([tool_of(look)], clock=LiveClock()).definitions
    assert definition.plain() == {
        "name": "look",
        "description": "Look out.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    }


async def behave(how: str) -> Any:
    """Fails in many ways."""
    if how == "raise":
        raise OwnError("no")
    if how == "end":
        raise EndRun("over")
    if how == "exit":
        raise SystemExit
    if how == "late":
        await asyncio.get_running_loop().create_future()
    await asyncio.sleep(0)
    return how


def behave_sync(how: str) -> Any:
    """Fails in some ways."""
    if how == "raise":
        raise KeyboardInterrupt
    if how == "end":
        return EndRun
    return how


CALLS = st.builds(
    ToolCall,
    id=st.sampled_from(["a", "b", "a-2", "", "c", "d"]),
    name=st.sampled_from(["behave", "behave", "behave_sync", "nobody"]),
    arguments=st.sampled_from(["ok", "raise", "end", "exit", "ok", "late"]).map(lambda how: {"how": how})
    | st.sampled_from(["{", '{"how": 1}', None, {"who": "x"}]),
)


@settings(max_examples=60, deadline=None)
@given(calls=st.lists(CALLS, max_size=8), parallel=st.integers(1, 4))
def test_every_call_is_answered_exactly_once_and_in_order(calls: list[ToolCall], parallel: int) -> None:
    box = Toolbox([tool_of(behave), tool_of(behave_sync)], clock=LiveClock(), parallel=parallel, timeout=0.01)
    found = asyncio.run(box.run(calls))
    assert [(one.name, one.arguments) for one in found] == [(one.name, one.arguments) for one in calls]
    assert len({one.id for one in found}) == len(calls)
    for asked, one in zip(calls, found, strict=True):
        assert one.id == asked.id or one.id.startswith(f"{asked.id}-")
        assert (one.error is None) == (one.failure is None)
        assert one.error is None or one.output is None
        text_for_model(one).encode("utf-8")
    if len({one.id for one in calls}) == len(calls):
        assert [one.id for one in found] == [one.id for one in calls]
