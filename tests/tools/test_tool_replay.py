"""Tools on replay: recorded results, code that runs again, and what differs; and how cassettes keep them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import vcr
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import LiveClock, VirtualClock
from harness.errors import CassetteDamaged, TrialError
from harness.recording import Cassette, Facts, Interaction, Redactor, Request, emit, read_cassette
from harness.records import ToolCall
from harness.tools import EndRun, RecordedCall, Tool, Toolbox, tool, tool_of
from harness.tools.recorded import Recording

PNG = b"\x89PNG\r\n\x1a\n data"


def call(tool: str, id: str = "c1", /, **arguments: Any) -> ToolCall:
    return ToolCall(id=id, name=tool, arguments=arguments)


def record(tools: list[Tool], *steps: list[ToolCall]) -> tuple[list[ToolCall], tuple[RecordedCall, ...]]:
    box = Toolbox(tools, clock=LiveClock(), timeout=0.05)

    async def work() -> list[ToolCall]:
        return [answer for calls in steps for answer in await box.run(calls)]

    return asyncio.run(work()), box.kept()


def replay(tools: list[Tool], recorded: Any, *steps: list[ToolCall]) -> tuple[list[ToolCall], Toolbox]:
    box = Toolbox(tools, clock=VirtualClock(), recorded=recorded, timeout=0.05)

    async def work() -> list[ToolCall]:
        return [answer for calls in steps for answer in await box.run(calls)]

    return asyncio.run(work()), box


class Counter:
    """A tool whose every call gives something else."""

    def __init__(self) -> None:
        self.calls = 0

    def tool(self, **settings: Any) -> Tool:
        @tool(**settings)
        def count(step: int = 1) -> dict[str, Any]:
            """Count."""
            self.calls += 1
            return {"n": self.calls, "unit": "x", "list": [1, self.calls]}

        return tool_of(count)


def test_recorded_results_come_back_without_running_the_code() -> None:
    counter = Counter()
    calls = [call("count", "a"), call("count", "b"), call("count", "c", step=2)]
    live, kept = record([counter.tool()], calls)
    again, box = replay([counter.tool()], kept, calls)
    assert counter.calls == 3
    assert [one.output for one in again] == [one.output for one in live]
    assert [one.source for one in again] == ["function"] * 3
    assert box.kept() == ()


def test_without_ids_calls_are_found_by_name_and_arguments_in_their_order() -> None:
    counter = Counter()
    _, kept = record([counter.tool()], [call("count", "a"), call("count", "b", step=2), call("count", "c")])
    new = [call("count", "x", step=2), call("count", "y"), call("count", "z", step=1.0)]
    with pytest.raises(TrialError):
        replay([counter.tool()], kept, new)
    again, _ = replay([counter.tool()], kept, new[:2], [call("count", "w")])
    assert [one.output["n"] for one in again] == [2, 1, 3]


def test_ids_that_come_again_in_every_step_are_told_apart() -> None:
    counter = Counter()
    steps = [[call("count", "call_1", step=1)], [call("count", "call_1", step=2)], [call("count", "call_1", step=1)]]
    live, kept = record([counter.tool()], *steps)
    again, _ = replay([counter.tool()], kept, *steps)
    assert [one.output for one in again] == [one.output for one in live]


def test_what_may_run_again_runs_again_and_needs_no_recording() -> None:
    counter = Counter()
    _, kept = record([counter.tool(pure=True)], [call("count")])
    assert kept == ()
    [again], _ = replay([counter.tool(pure=True)], (), [call("count")])
    assert (again.output["n"], again.source) == (2, "function")


def test_a_call_that_is_not_recorded_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(TrialError, match="tool 'count'.*harness record --rewrite.*`pure: true`") as raised:
        replay([Counter().tool()], (), [call("count")])
    assert raised.value.kind == "tool_not_recorded"


def test_verify_runs_the_code_says_what_differs_and_keeps_to_the_recording() -> None:
    counter = Counter()
    verified = counter.tool(replay="verify")
    [live], kept = record([verified], [call("count", "call_abc")])
    [again], _ = replay([verified], kept, [call("count", "call_abc")])
    assert counter.calls == 2
    assert (again.output, again.error, again.source) == (live.output, None, "function")
    assert again.drift == "tool count, call_abc: $.list[1] 1 -> 2; $.n 1 -> 2"


@pytest.mark.parametrize(
    ("before", "now", "drift"),
    [
        ({"temp": 18}, {"temp": 19}, "$.temp 18 -> 19"),
        ({"temp": 18}, {"temp": 18.0}, None),
        ({"a": 1}, {"b": 1}, "$.a 1 -> nothing; $.b nothing -> 1"),
        ({"a b": 1}, {"a b": 2}, "$['a b'] 1 -> 2"),
        ([1, 2], [1], "$ [1, 2] -> [1]"),
        ("x", {"y": 1}, '$ x -> {"y": 1}'),
        (list(range(9)), [n + 1 for n in range(9)], "$[0] 0 -> 1; $[1] 1 -> 2; $[2] 2 -> 3; and 6 more"),
        ("fine", ValueError("no"), "fine -> error ValueError: no"),
        (ValueError("no"), "fine", "error ValueError: no -> fine"),
        (ValueError("no"), ValueError("no"), None),
    ],
    ids=str,
)
def test_what_differs_is_told_by_its_path(before: Any, now: Any, drift: str | None) -> None:
    results = [before, now]

    @tool(replay="verify")
    def look() -> Any:
        """Look."""
        found = results.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    _, kept = record([tool_of(look)], [call("look", "c")])
    [again], _ = replay([tool_of(look)], kept, [call("look", "c")])
    assert results == []
    assert again.drift == (drift and f"tool look, c: {drift}")


def test_failures_ends_and_files_are_replayed_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    runs: list[str] = []

    async def act(how: str) -> Any:
        """Act."""
        runs.append(how)
        if how == "end":
            raise EndRun({"reason": "done"})
        if how == "raise":
            raise ValueError("no")
        if how == "late":
            await asyncio.get_running_loop().create_future()
        return tmp_path / "a.png"

    calls = [call("act", how, how=how) for how in ("raise", "late", "file", "end")]
    wrong = [call("act", "w", who=1), call("nobody", "u")]
    live, kept = record([tool_of(act)], calls + wrong)
    assert [one.failure for one in live] == ["raised", "timeout", None, None, "arguments", "unknown"]
    assert len(runs) == 4
    stored = [RecordedCall.read(one.plain()) for one in kept]
    again, box = replay([tool_of(act)], stored, calls + wrong)
    assert len(runs) == 4
    fields = ("id", "output", "error", "failure", "attachments")
    assert [[getattr(one, name) for name in fields] for one in again] == [
        [getattr(one, name) for name in fields] for one in live
    ]
    assert box.ended is not None
    assert box.ended.data == {"reason": "done"}


def cassette(tools: Any, definitions: Any = None) -> Cassette:
    request = Request(method="POST", uri="http://127.0.0.1:1/v1/responses", headers={}, body=b'{"q": 1}')
    one = Interaction(
        request=request,
        status=200,
        reason="OK",
        headers={},
        body=b"{}",
        slot=1,
        attempt=1,
        start=0.0,
        first_byte=0.1,
        end=0.2,
    )
    facts = Facts(
        count=1,
        end=0.2,
        recorded_at="2026-11-21T14:32:05Z",
        harness="0.1.0",
        openai="3.52.0",
        tools=tuple(tools),
        definitions=definitions or {},
    )
    return Cassette(interactions=(one,), facts=facts)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(["yes", "1e3", "é😀", "a: b", "\u2028", "x" * 1500, "- ", "2026-11-21", "~"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["yes", "?", "k" * 1500, "1", "a b"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    output=JSON_VALUES,
    arguments=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON_VALUES, max_size=3),
)
def test_a_cassette_keeps_calls_to_the_letter(
    tmp_path_factory: pytest.TempPathFactory, output: Any, arguments: Any
) -> None:
    kept = RecordedCall(id="c1", name="look", arguments=arguments, output=output)
    made = cassette([kept.plain(), kept.plain()], {"python -m my_server": [{"name": "x", "parameters": output}]})
    path = tmp_path_factory.mktemp("c") / "case.1.yaml"
    path.write_text(emit(made), encoding="utf-8")
    found = read_cassette(path, shown="c")
    assert found == made
    assert RecordedCall.read(found.facts.tools[0]) == kept
    # The pure Python loader is what stock tools without libyaml use.
    stock = yaml.safe_load(path.read_text(encoding="utf-8"))
    mark = stock["interactions"][0]["response"]["recorder"]["cassette"]
    assert mark["tools"] == [kept.plain(), kept.plain()]


def test_stock_vcrpy_replays_a_cassette_with_calls_of_tools(tmp_path: Path) -> None:
    import httpx2

    kept = RecordedCall(id="c1", name="look", arguments={"a": "b: c"}, output={"é😀": 1e22})
    path = tmp_path / "case.1.yaml"
    path.write_text(emit(cassette([kept.plain()], {"http://h/mcp": []})), encoding="utf-8")
    with vcr.use_cassette(str(path), record_mode="none", match_on=["method", "uri"]), httpx2.Client() as client:
        assert client.post("http://127.0.0.1:1/v1/responses", json={"q": 1}).json() == {}


def test_a_cassette_without_calls_says_nothing_of_tools() -> None:
    text = emit(cassette([]))
    assert "tools" not in text
    assert "definitions" not in text


def test_each_call_stands_on_a_line_of_its_own() -> None:
    kept = [RecordedCall(id=f"c{n}", name="look", arguments={"day": n}, output="sun").plain() for n in range(2)]
    lines = [line.strip() for line in emit(cassette(kept)).splitlines()]
    assert '{id: "c0", name: "look", arguments: {day: 0}, output: "sun"},' in lines
    assert '{id: "c1", name: "look", arguments: {day: 1}, output: "sun"}]}}' in lines


def test_a_cassette_whose_calls_were_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "case.1.yaml"
    path.write_text(emit(cassette([{"id": "c", "name": "look"}])))
    with pytest.raises(CassetteDamaged, match="a call of a tool in it is incomplete"):
        read_cassette(path, shown="c")
    with pytest.raises(CassetteDamaged, match="a call of a tool is incomplete"):
        RecordedCall.read({"id": "c", "name": "x", "arguments": {}, "attachments": [{"kind": "file"}]})


def test_secrets_leave_recorded_calls_wherever_they_stand() -> None:
    redactor = Redactor(["very-secret-word", "1234567890"])
    kept = RecordedCall(
        id="c",
        name="look",
        arguments={"key": "very-secret-word", "very-secret-word": [1234567890, 12, True]},
        output="sk-abcdefghijklmnopqrstuvwxyz and very-secret-word",
    )
    assert redactor.data(kept.plain()) == {
        "id": "c",
        "name": "look",
        "arguments": {"key": "REDACTED", "REDACTED": ["REDACTED", 12, True]},
        "output": "REDACTED and REDACTED",
    }


@pytest.mark.parametrize(
    "damaged",
    [
        {"id": "c", "name": "look"},
        {"id": "c", "arguments": {}},
        {"id": "c", "name": "look", "arguments": {}, "failure": "bored"},
        {"id": "c", "name": "look", "arguments": {}, "attachments": [{"kind": "image"}]},
        {"id": "c", "name": "look", "arguments": {}, "number": 0},
        {"id": "c", "name": "look", "arguments": {}, "mock": "first"},
        [],
    ],
)
def test_a_damaged_call_is_a_damaged_recording(damaged: Any) -> None:
    with pytest.raises(CassetteDamaged, match="a call of a tool is incomplete.*harness record --rewrite"):
        RecordedCall.read(damaged)


def test_calls_kept_before_recordings_named_conversations_are_found_in_any() -> None:
    counter = Counter()
    _, kept = record([counter.tool()], [call("count", "a"), call("count", "b")])
    shared = Recording(kept)
    answers = []
    for conversation, id in (("1", "b"), ("", "a")):
        box = Toolbox([counter.tool()], clock=VirtualClock(), recorded=shared, conversation=conversation)
        answers += asyncio.run(box.run([call("count", id)]))
    assert [one.output["n"] for one in answers] == [2, 1]


def test_a_call_is_not_answered_with_what_another_conversation_got() -> None:
    counter = Counter()
    box = Toolbox([counter.tool()], clock=LiveClock(), conversation="1")
    asyncio.run(box.run([call("count")]))
    read = [RecordedCall.read(one.plain()) for one in box.kept()]
    for conversation in ("", "2"):
        other = Toolbox([counter.tool()], clock=VirtualClock(), recorded=read, conversation=conversation)
        with pytest.raises(TrialError, match="has no result of the tool 'count'"):
            asyncio.run(other.run([call("count")]))
    same = Toolbox([counter.tool()], clock=VirtualClock(), recorded=read, conversation="1")
    assert asyncio.run(same.run([call("count")]))[0].output["n"] == 1


def test_what_took_too_long_is_replayed_only_where_it_did() -> None:
    times = iter([False, True, False])

    @tool(pure=True)
    async def look() -> str:
        """Look."""
        if next(times, False):
            await asyncio.Event().wait()
        return "seen"

    steps = [[call("look", "call_1")] for _ in range(3)]
    live, kept = record([tool_of(look)], *steps)
    assert [one.failure for one in live] == [None, "timeout", None]
    again, _ = replay([tool_of(look)], [RecordedCall.read(one.plain()) for one in kept], *steps)
    assert again == live
