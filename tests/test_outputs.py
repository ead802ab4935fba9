"""`api: outputs`: answers that exist already are scored and compared like any other; nothing is sent for them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness.records import Outcome, Result
from harness.store import latest_run, read_results
from tests.loopback import ChatServer
from tests.projects import harness, write


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


CASES = """\
cases:
  - {id: shipping, input: How long does shipping take?, expect: {contains: 5 days}}
  - {id: refund, input: When do I get my money?, expect: {contains: 14 days}}
"""
ROWS = [
    {
        "id": "shipping",
        "input": "How long does shipping take?",
        "output": "It takes 5 days.",
        "latency": 1.8,
        "ttft": "250ms",
        "cost": "$0.0004",
        "usage": {"input": 212, "output": 9, "cached_input": 100},
        "tool_calls": [
            {"name": "search", "arguments": {"q": "shipping"}, "output": ["5 days"]},
            {"id": "c2", "function": {"name": "close", "arguments": '{"all": true}'}},
        ],
        "recorded_at": "2026-07-31T11:00:00+02:00",
        "model": "gpt-4.1",
        "finish_reason": "stop",
    },
    {
        "id": "refund",
        "output": "Never.",
        "latency": "900ms",
        "cost": 0,
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    },
]


def suite(rows: list[dict[str, Any]] | str, cases: str = CASES, *, name: str = "answers.jsonl", top: str = "") -> None:
    text = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
    header = f"suite: faq\n{top}variants: {{prod: {{outputs: data/{name}}}}}\n"
    write(Path(), {"suites/faq.yaml": header + cases, f"suites/data/{name}": text})


def ran(*options: str, code: int) -> dict[str, Result]:
    found = harness("run", "--no-progress", *options)
    assert found.exit_code == code, found.output
    run = latest_run(Path("reports"))
    assert run is not None
    return {f"{one.case}/{one.variant}/{one.repeat}": one for one in read_results(run.path)}


def manifest() -> dict[str, Any]:
    run = latest_run(Path("reports"))
    assert run is not None
    return dict(run.read_manifest())


def refused() -> str:
    found = harness("validate")
    assert found.exit_code == 2, found.output
    assert "Traceback" not in found.output
    return found.output


def test_a_rows_facts_are_those_of_the_trial() -> None:
    suite(ROWS)
    results = ran(code=1)
    good, bad = results["shipping/prod/1"], results["refund/prod/1"]
    assert (good.outcome, bad.outcome) == (Outcome.PASSED, Outcome.FAILED)
    assert (good.output, good.latency, good.ttft, good.cost) == ("It takes 5 days.", 1.8, 0.25, Decimal("0.0004"))
    assert (good.usage.input, good.usage.output, good.usage.cached_input) == (212, 9, 100)
    assert [(one.name, one.arguments, one.output) for one in good.tool_calls] == [
        ("search", {"q": "shipping"}, ["5 days"]),
        ("close", {"all": True}, None),
    ]
    assert (good.model, good.finish_reason, good.cassette, good.attempts) == ("gpt-4.1", "stop", None, 0)
    assert good.extra == {"outputs": "suites/data/answers.jsonl", "recorded_at": "2026-07-31T09:00:00Z"}
    assert [(one.role, one.content) for one in good.messages] == [
        ("user", "How long does shipping take?"),
        ("assistant", "It takes 5 days."),
    ]
    assert (bad.latency, bad.cost, bad.usage.input, bad.usage.output) == (0.9, Decimal(0), 3, 2)


@pytest.mark.parametrize("mode", ["none", "once", "rewrite", "all"])
def test_no_mode_sends_or_records_anything(mode: str) -> None:
    suite(ROWS)
    assert ran("--record-mode", mode, code=1)["shipping/prod/1"].output == "It takes 5 days."
    assert not Path("cassettes").exists()
    # What somebody paid for the answers is not what this run spent.
    assert (manifest()["cost"], manifest()["spend"]["total"]) == ("0.0004", "0")


def test_nothing_is_left_to_record() -> None:
    suite(ROWS)
    assert "nothing will be sent" in harness("record", "--yes").output
    (row,) = json.loads(harness("plan", "--json").output)
    assert (row["recorded"], row["missing"], row["calls to record"]) == (2, 0, 0)
    assert "2 of 2 trials" in harness("doctor").output


def test_a_csv_says_the_same() -> None:
    suite(
        "case,output,latency,cost,usage.input,usage.output,tool_calls,recorded_at\n"
        'shipping,"It takes\n5 days, at most.",2,$0.001,12,3,"[{""name"": ""search"", ""arguments"": {}}]",2026-07-31\n'
        'refund,"[""14 days""]",,,,,,\n',
        name="answers.csv",
    )
    results = ran(code=0)
    first, second = results["shipping/prod/1"], results["refund/prod/1"]
    assert first.output == "It takes\n5 days, at most."
    assert (first.latency, first.cost, first.usage.input, first.usage.output) == (2.0, Decimal("0.001"), 12, 3)
    assert first.tool_calls[0].name == "search"
    assert first.extra["recorded_at"] == "2026-07-31T00:00:00Z"
    # Of one turn, a list is one answer that is a list, as it was written.
    assert second.output == '["14 days"]'
    assert (second.latency, second.cost, second.usage.input) == (None, None, None)


TURNS = """\
cases:
  - id: order
    turns:
      - {input: Where is my order?, expect: {contains: number}}
      - {input: "4711", expect: [{contains: shipped}, {tool_called: find}]}
"""


def test_several_turns_are_answered_by_a_list() -> None:
    suite([{"id": "order", "output": ["Your number?", "It is shipped."], "tool_calls": [{"name": "find"}]}], TURNS)
    result = ran(code=0)["order/prod/1"]
    assert [one.output for one in result.turns] == ["Your number?", "It is shipped."]
    assert [one.input for one in result.turns] == [("Where is my order?",), ("4711",)]
    assert [message.role for message in result.messages] == ["user", "assistant", "user", "assistant"]


def test_turns_say_more_of_each() -> None:
    turns = [
        {"output": "Your number?", "latency": 1, "usage": {"input": 10, "output": 1}},
        {
            "output": "It is shipped.",
            "latency": "500ms",
            "ttft": 0.1,
            "usage": {"input": 20, "output": 2},
            "tool_calls": [{"name": "find"}],
        },
    ]
    suite([{"id": "order", "turns": turns}], TURNS)
    result = ran(code=0)["order/prod/1"]
    assert (result.latency, result.ttft, result.usage.input, result.usage.output) == (1.5, 0.1, 30, 3)
    assert [one.latency for one in result.turns] == [1.0, 0.5]


def test_the_wrong_number_of_turns_is_named_with_its_line() -> None:
    suite([{"id": "order", "output": "It is shipped."}], TURNS)
    assert "suites/data/answers.jsonl:1:1: the case 'order' has 2 turns, and this row answers 1" in refused()


def test_a_whole_conversation_is_kept_as_it_was() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "How long?"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "function": {"name": "search", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "5 days"},
        {"role": "assistant", "content": "It takes 5 days."},
    ]
    suite([{**ROWS[0], "messages": messages}, ROWS[1]])
    kept = ran(code=1)["shipping/prod/1"].messages
    assert [(one.role, one.content) for one in kept] == [
        ("system", "Be brief."),
        ("user", "How long?"),
        ("assistant", ""),
        ("tool", "5 days"),
        ("assistant", "It takes 5 days."),
    ]
    assert (kept[2].tool_calls[0].name, kept[3].tool_call_id) == ("search", "c1")


def test_rows_of_one_case_are_its_repeats_and_no_more_are_run() -> None:
    suite(
        [{"id": "shipping", "output": "5 days"}, ROWS[1], {"id": "shipping", "output": "a week"}],
        top="repeats: 3\n",
    )
    results = ran(code=1)
    assert {name: one.output for name, one in results.items()} == {
        "shipping/prod/1": "5 days",
        "shipping/prod/2": "a week",
        "refund/prod/1": "Never.",
    }
    suite([{"id": "shipping", "output": "5 days"}, ROWS[1], {"id": "shipping", "output": "a week"}])
    assert len(ran(code=1)) == 2
    assert "1 case has more rows than `repeats: 1` asks for: shipping" in harness("validate").output


def test_cases_without_a_row_and_rows_without_a_case_are_named() -> None:
    suite([ROWS[0], {"id": "other", "output": "?"}, {"id": "more", "output": "?"}])
    for command in (("validate",), ("run", "--no-progress")):
        said = harness(*command).output
        assert "suites/data/answers.jsonl: 2 rows are of no case in suites/faq.yaml: other, more" in said
        assert "variant 'prod': 1 case has no row in suites/data/answers.jsonl: refund" in said
    assert harness("validate").exit_code == 0
    result = ran(code=3)["refund/prod/1"]
    assert result.error is not None
    assert result.error.kind == "no_output"
    assert "suites/data/answers.jsonl has no row for the case 'refund'" in result.error.message


def test_a_row_without_an_answer_is_an_error_of_its_trial() -> None:
    suite([ROWS[0], {"id": "refund", "latency": 3}])
    error = ran(code=3)["refund/prod/1"].error
    assert error is not None
    assert (error.kind, error.where) == ("no_output", "suites/data/answers.jsonl:2:1")


def test_an_answer_to_another_question_is_refused_with_both_places() -> None:
    suite([ROWS[0], {"id": "refund", "input": "When do I get paid?", "output": "14 days"}])
    said = refused()
    assert "suites/data/answers.jsonl:2:1: the input of this row is 'When do I get paid?'" in said
    assert "the case 'refund' at suites/faq.yaml:5:5 is 'When do I get my money?'" in said


def test_an_unused_column_is_named_with_what_it_may_have_meant() -> None:
    suite([{**ROWS[0], "latencey": 3, "ticket": 1}, ROWS[1]])
    found = harness("validate")
    assert found.exit_code == 0
    assert "the columns 'latencey' (did you mean 'latency'?), 'ticket' are not used" in found.output


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"output": "x"}, "there is no column 'id' that names the case"),
        ({"id": "", "output": "x"}, "the row has no `id`"),
        ({"id": "refund", "output": "x", "latency": "soon"}, "`latency`: 'soon' is no duration"),
        ({"id": "refund", "output": "x", "latency": 1e200}, "`latency`: 1e+200 is longer than any answer takes"),
        ({"id": "refund", "output": "x", "cost": "1e300"}, "`cost`: '1e300' is no price of an answer"),
        ({"id": "refund", "output": "x", "usage.input": "9" * 400}, "is more tokens than there are"),
        ({"id": "refund", "output": "x", "cost": "-1"}, "`cost`: '-1' is no amount of money"),
        ({"id": "refund", "output": "x", "recorded_at": "July"}, "`recorded_at`: 'July' is no moment"),
        ({"id": "refund", "output": "x", "tool_calls": [{"arguments": {}}]}, "`tool_calls` is a list of mappings"),
        ({"id": "refund", "output": "x", "messages": [{"role": "bot"}]}, "`messages` is a list of mappings"),
        ({"id": "refund", "output": "x", "usage": 7}, "`usage` is a mapping"),
        ({"id": "refund", "output": "x", "usage.input": "many"}, "`usage.input`: 'many' is no number of tokens"),
        ({"id": "refund", "output": "x", "turns": [{"output": "y"}]}, "the row has `output` and `turns`"),
        (
            {"id": "refund", "turns": [{"output": "y", "latncy": 1}]},
            "unknown key 'latncy' in `turns`. Did you mean 'latency'?",
        ),
        ({"id": "else", "output": "x"}, "no row of suites/data/answers.jsonl is of a case of this suite"),
    ],
)
def test_mistakes_in_a_file_are_found_with_their_line(row: dict[str, Any], said: str) -> None:
    suite([row])
    assert said in refused()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{outputs: data/nothing.jsonl}", "data/nothing.jsonl"),
        ("{outputs: ../../answers.jsonl}", "is outside the project"),
        ("{outputs: faq.yaml}", "is neither .jsonl nor .csv"),
        ("{api: outputs}", "`api: outputs` needs `outputs:`"),
        ("{outputs: data/answers.jsonl, temperature: 1}", "`temperature:` cannot be used with `api: outputs`"),
    ],
)
def test_mistakes_in_the_suite_are_found(line: str, said: str) -> None:
    suite(ROWS)
    path = Path("suites/faq.yaml")
    path.write_text(path.read_text().replace("{outputs: data/answers.jsonl}", line))
    assert said in refused()


def test_an_explained_suite_is_the_same_suite() -> None:
    suite(ROWS)
    Path("suites/faq.yaml").write_text(harness("validate", "--explain").stdout)
    assert ran(code=1)["shipping/prod/1"].output == "It takes 5 days."


def test_other_answers_make_another_suite() -> None:
    hashes = []
    for output in ("5 days", "6 days"):
        suite([{"id": "shipping", "output": output}, ROWS[1]])
        ran(code=1)
        hashes.append(manifest()["suites"][0]["hash"])
    assert hashes[0] != hashes[1]


def test_what_another_assistant_of_that_name_recorded_is_not_used() -> None:
    suite(ROWS)
    write(Path(), {"cassettes/faq/prod/shipping.1.yaml": "damaged"})
    assert ran(code=1)["shipping/prod/1"].cassette is None


LIVE = """\
suite: faq
model: test-model
base_url: {url}
variants:
  prod: {{outputs: data/answers.jsonl}}
  next: {{system: Answer in one sentence.}}
"""


def test_answers_of_old_are_the_baseline_of_a_live_variant() -> None:
    rows = "".join(json.dumps(row) + "\n" for row in ROWS)
    with ChatServer(lambda number, body: "5 days, 14 days") as server:
        files = {"suites/faq.yaml": LIVE.format(url=server.url) + CASES, "suites/data/answers.jsonl": rows}
        write(Path(), files)
        found = harness("run", "--no-progress")
        assert "has no recordings. `harness record suites/faq.yaml` makes them: 2 calls" in found.output
        assert harness("record", "--yes", "--no-progress").exit_code == 0
    assert len(server.requests) == 2
    assert len(ran(code=0)) == 4
    found = harness("compare")
    assert found.exit_code == 0
    told = " ".join(found.output.split())
    assert "next from prod: +50.0 pp" in told and "1 fixed, 0 broken of 2" in told


def test_the_documented_suite_runs() -> None:
    page = (Path(__file__).parent.parent / "docs/apis/outputs.md").read_text()
    written = page.split("```yaml\n")[1].split("```")[0]
    rows = page.split("```json\n")[1].split("```")[0]
    assert len(written.splitlines()) <= 10
    with ChatServer(lambda number, body: "5 days, 14 days") as server:
        address = f"model: gpt-4.1-mini\nbase_url: {server.url}\n"
        write(
            Path(),
            {"suites/faq.yaml": written.replace("model: gpt-4.1-mini\n", address), "suites/data/prod.jsonl": rows},
        )
        found = harness("record", "--yes", "--no-progress")
        assert found.exit_code == 0, found.output
    results = ran(code=0)
    assert (results["refund/prod/1"].output, results["refund/prod/1"].latency) == ("After 14 days.", 0.9)
