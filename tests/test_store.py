"""What stands in reports/<run>/, and that it comes back as it was."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ExitCode, StorageError, UsageError
from harness.recording.redact import Redactor
from harness.records import (
    CassetteRef,
    CheckResult,
    Failure,
    Message,
    Outcome,
    PromptRef,
    Result,
    ToolCall,
    TurnRecord,
    Usage,
)
from harness.store import (
    RunFolder,
    decode,
    encode,
    find_run,
    latest_run,
    list_runs,
    new_run_id,
    read_results,
    write_file,
)

KEYS = (
    "schema run suite case variant repeat tags metadata outcome score checks error input output messages tool_calls "
    "state usage cost judge_cost latency ttft attempts turns extra model prompt cassette finish_reason response_ids"
)

CALL = ToolCall(
    id="call_1",
    name="look_up",
    arguments={"order": "4711"},
    output=["shipped"],
    error=None,
)

FULL = Result(
    run="20261121-143205-ab12",
    suite="support",
    case="order-status",
    variant="v2",
    repeat=2,
    tags=("policy", "orders"),
    metadata={"lang": "en"},
    outcome=Outcome.ERROR,
    score=0.75,
    checks=(
        CheckResult(
            scorer="contains",
            name="contains",
            value=1.0,
            passed=True,
            reason="",
            weight=2,
            threshold=0.5,
            soft=True,
            turn=1,
            where="suites/support.yaml:12:5",
        ),
    ),
    error=Failure(kind="ungraded", message="no score", where="suites/support.yaml:12:5"),
    input=["It is 4711.", "Sorry, 4712."],
    output="It has shipped.",
    messages=(
        Message(role="user", content="Where?", name="ann"),
        Message(role="assistant", content="", tool_calls=(CALL,)),
        Message(role="tool", content="shipped", tool_call_id="call_1"),
    ),
    tool_calls=(CALL,),
    state={"orders": {"4712": {"closed": True}}},
    usage=Usage(input=120, output=30, cached_input=100, reasoning=10),
    cost=Decimal("0.00000070"),
    judge_cost=Decimal("1E-7"),
    latency=1.25,
    ttft=0.250001,
    attempts=2,
    turns=(
        TurnRecord(
            input=("a", "b"),
            output="c",
            latency=1.0,
            ttft=0.25,
            tool_calls=(CALL,),
            refusal="no",
        ),
    ),
    extra={"handled_by": "orders"},
    model="small-1",
    prompt=PromptRef(ref="support@2", hash="ab" * 32),
    cassette=CassetteRef(
        path="cassettes/s/v2/c.2.yaml",
        mode="replayed",
        recorded_at="2026-11-20T10:00:00Z",
    ),
    finish_reason="stop",
    response_ids=("resp_1",),
)
SMALL = Result(run="r", suite="s", case="c", variant="v", repeat=1, outcome=Outcome.PASSED)


def test_keys_stand_in_the_documented_order() -> None:
    for result in (FULL, SMALL):
        assert " ".join(json.loads(encode(result))) == KEYS
    # The files that an assistant made lie beside the rows.
    assert " ".join(field.name for field in fields(Result)) == f"{KEYS} files"
    row = json.loads(encode(FULL))
    assert " ".join(row["checks"][0]) == "scorer name value passed reason weight threshold soft turn where"
    assert list(row["error"]) == ["kind", "message", "where"]
    assert list(row["usage"]) == ["input", "output", "cached_input", "reasoning"]
    assert list(row["prompt"]) == ["ref", "hash"]
    assert list(row["cassette"]) == ["path", "mode", "recorded_at"]


def test_money_is_a_plain_decimal_string_and_durations_are_seconds() -> None:
    row = json.loads(encode(FULL))
    assert (row["cost"], row["judge_cost"]) == ("0.00000070", "0.0000001")
    assert (row["latency"], row["ttft"], row["turns"][0]["latency"]) == (
        1.25,
        0.250001,
        1.0,
    )
    noisy = replace(SMALL, latency=2.3456780000000004)
    assert json.loads(encode(noisy))["latency"] == 2.345678


@pytest.mark.parametrize("result", [FULL, SMALL], ids=["full", "small"])
def test_a_row_comes_back_as_it_was(result: Result) -> None:
    again = decode(encode(result))
    assert again == result
    assert encode(again) == encode(result)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TEXT = st.text(st.characters())


@settings(max_examples=60, deadline=None)
@given(
    text=TEXT,
    value=JSON_VALUES,
    metadata=st.dictionaries(TEXT, JSON_VALUES, max_size=3),
    cost=st.decimals(allow_nan=False, allow_infinity=False, places=9),
)
def test_any_text_and_data_survive(text: str, value: object, metadata: dict[str, object], cost: Decimal) -> None:
    result = replace(SMALL, case=text, output=text, state=value, metadata=metadata, cost=cost)
    line = encode(result)
    assert "\n" not in line
    assert line.isascii()
    assert decode(line) == result


@pytest.mark.parametrize(
    ("state", "stored"),
    [
        (float("nan"), None),
        ({"a": float("inf"), 3: (1, 2)}, {"a": None, "3": [1, 2]}),
        (object(), "<an object of type object>"),
        ({"k": {1, 2}}, {"k": "<an object of type set>"}),
        (10**6000, "<a number too long to show>"),
        ("\ud800", "\ud800"),
    ],
    ids=["nan", "infinite", "object", "set", "long", "surrogate"],
)
def test_what_json_cannot_hold_never_stops_a_run(state: object, stored: object) -> None:
    assert json.loads(encode(replace(SMALL, state=state)))["state"] == stored


def test_endless_data_never_stops_a_run() -> None:
    loop: list[object] = []
    loop.append(loop)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for state in (loop, deep):
        assert "<too deep to show>" in encode(replace(SMALL, state=state))


def test_rows_stand_in_the_order_of_the_calls(tmp_path: Path) -> None:
    with RunFolder(tmp_path, "20261121-143205-ab12") as folder:
        for number in range(200):
            folder.append(replace(SMALL, repeat=number))
    assert [result.repeat for result in folder.read()] == list(range(200))
    assert [result.repeat for result in read_results(folder.path)] == list(range(200))


def test_two_runs_of_the_same_answers_differ_by_the_run_id_only(tmp_path: Path) -> None:
    texts = []
    for run in ("20261121-143205-ab12", "20261122-090000-cd34"):
        with RunFolder(tmp_path, run) as folder:
            folder.append(replace(FULL, run=run))
        texts.append(folder.results.read_bytes().replace(run.encode(), b"RUN"))
    assert texts[0] == texts[1]


def test_rows_are_readable_after_a_flush_while_the_run_goes_on(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "20261121-143205-ab12")
    folder.append(SMALL)
    folder.flush()
    assert list(folder.read()) == [SMALL]
    folder.append(FULL)
    folder.close()
    assert list(folder.read()) == [SMALL, FULL]


def test_a_run_never_writes_on_top_of_another(tmp_path: Path) -> None:
    with RunFolder(tmp_path, "20261121-143205-ab12") as folder:
        folder.append(SMALL)
    other = RunFolder(tmp_path, "20261121-143205-ab12")
    other.append(FULL)
    with pytest.raises(StorageError, match=r"results\.jsonl"):
        other.close()
    assert list(folder.read()) == [SMALL]


def test_a_line_that_was_cut_short_at_the_end_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text(encode(SMALL) + "\n" + encode(FULL)[:200], "utf-8")
    assert list(read_results(file)) == [SMALL]
    file.write_bytes(encode(SMALL).encode() + b"\n" + "é".encode()[:1])
    assert list(read_results(tmp_path)) == [SMALL]


@pytest.mark.parametrize("damage", ["{", "[]", "null", '{"schema": 1}', '{"schema": 99}', "[" * 100_000])
def test_a_damaged_line_elsewhere_is_named(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text(encode(SMALL) + "\n" + damage + "\n" + encode(SMALL) + "\n", "utf-8")
    with pytest.raises(StorageError, match=r"results\.jsonl:2: damaged row"):
        list(read_results(file))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot read .*nowhere"):
        list(read_results(tmp_path / "nowhere"))


def test_what_cannot_be_written_is_a_storage_error_with_the_path(
    tmp_path: Path,
) -> None:
    (tmp_path / "reports").write_text("a file, not a folder", "utf-8")
    folder = RunFolder(tmp_path / "reports", "20261121-143205-ab12")
    folder.append(SMALL)
    with pytest.raises(StorageError, match=r"cannot write .*results\.jsonl") as caught:
        folder.flush()
    assert caught.value.exit_code is ExitCode.STORAGE
    with pytest.raises(StorageError, match=r"cannot write .*run\.json"):
        folder.write_manifest({})
    folder.close()


def test_a_full_disk_leaves_no_half_row_and_no_half_file(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    folder = RunFolder(tmp_path, "20261121-143205-ab12")
    folder.append(SMALL)
    folder.write_manifest({"ok": True})
    folder.flush()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, hard))
    try:
        folder.append(replace(SMALL, output="x" * 10_000))
        with pytest.raises(StorageError, match=r"cannot write .*results\.jsonl: File too large"):
            folder.flush()
        with pytest.raises(StorageError, match=r"cannot write .*run\.json: File too large"):
            folder.write_manifest({"long": "x" * 10_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    folder.close()
    assert folder.results.read_text("utf-8") == encode(SMALL) + "\n"
    assert folder.read_manifest() == {"ok": True}
    assert sorted(path.name for path in folder.path.iterdir()) == [
        "results.jsonl",
        "run.json",
    ]


def test_the_manifest_is_replaced_whole(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "20261121-143205-ab12")
    assert folder.read_manifest() == {}
    folder.write_manifest(
        {
            "run": folder.run,
            "spend": Decimal("0.10"),
            "suites": (Path("suites/faq.yaml"),),
        }
    )
    folder.write_manifest(
        {
            "run": folder.run,
            "spend": Decimal("0.20"),
            "start": datetime(2026, 11, 21, tzinfo=UTC),
        }
    )
    assert folder.read_manifest() == {
        "run": folder.run,
        "spend": "0.20",
        "start": "2026-11-21T00:00:00+00:00",
    }
    assert [path.name for path in folder.path.iterdir()] == ["run.json"]
    folder.manifest.write_text("{", "utf-8")
    with pytest.raises(StorageError, match=r"run\.json is damaged"):
        folder.read_manifest()


def test_text_that_has_no_utf8_is_written_all_the_same(tmp_path: Path) -> None:
    assert write_file(tmp_path / "new" / "a.txt", "x\ud800y").read_bytes() == b"x\\ud800y"


def test_secrets_reach_no_file(tmp_path: Path) -> None:
    canary = 'can"ary-\u00e9-4711-0815'
    redactor = Redactor([canary])
    leak = replace(
        FULL,
        output=f"the key is {canary}, and sk-{'a' * 30}",
        error=Failure(kind="server", message=canary),
        state={canary: [canary]},
        metadata={"odd": "\u000eyJ" + "a" * 12 + "." + "b" * 12 + "." + "c" * 12},
    )
    with RunFolder(tmp_path, "20261121-143205-ab12", redact=redactor.text) as folder:
        folder.append(leak)
        folder.write_manifest({"argv": ["--api-key", canary]})
        folder.write("summary.md", f"x {canary}")
    for file in folder.path.iterdir():
        text = file.read_text("utf-8")
        assert canary not in text
        assert json.dumps(canary)[1:-1] not in text
        assert "sk-aaaa" not in text
    (row,) = folder.read()
    assert row.output == "the key is REDACTED, and REDACTED"
    assert row.state == {"REDACTED": ["REDACTED"]}


def test_run_ids_sort_by_time_in_utc() -> None:
    moment = datetime(2026, 11, 21, 14, 32, 5, tzinfo=UTC)
    assert new_run_id(moment, b"\xab\x12") == "20261121-143205-ab12"
    assert new_run_id(moment.astimezone(timezone(timedelta(hours=9))), b"\xab\x12") == "20261121-143205-ab12"
    assert new_run_id(moment) != new_run_id(moment + timedelta(seconds=1))
    assert len(new_run_id()) == len("20261121-143205-ab12")


def test_runs_are_found_by_id_start_word_and_path(tmp_path: Path) -> None:
    assert latest_run(tmp_path) is None
    assert list_runs(tmp_path / "nowhere") == []
    for run in ("20261121-143205-ab12", "20261122-090000-cd34"):
        with RunFolder(tmp_path, run) as folder:
            folder.append(replace(SMALL, run=run))
    (tmp_path / "sample").mkdir()
    (tmp_path / "20261123-000000-0000").mkdir()
    assert list_runs(tmp_path) == ["20261121-143205-ab12", "20261122-090000-cd34"]
    newest = latest_run(tmp_path)
    assert newest is not None
    assert newest.run == "20261122-090000-cd34"
    assert find_run(tmp_path, "latest").run == newest.run
    assert find_run(tmp_path, "20261121").run == "20261121-143205-ab12"
    assert find_run(Path("/nowhere"), str(newest.path)).path == newest.path
    with pytest.raises(UsageError, match="could be any of"):
        find_run(tmp_path, "2026")
    with pytest.raises(
        UsageError,
        match=r"no run '20261121-143205-ab13'.*Did you mean '20261121-143205-ab12'\?",
    ):
        find_run(tmp_path, "20261121-143205-ab13")
    with pytest.raises(UsageError, match="no run"):
        find_run(tmp_path, "")
