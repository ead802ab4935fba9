from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from harness.records import Transcript

if TYPE_CHECKING:
    from tests.scorers.conftest import Bench

CHECKS = """
import asyncio, sys
from harness.records import Score

LOADED = []

def short(output, limit=5): return len(output) <= limit
def share(output): return len(output) / 10
async def later(output):
    await asyncio.sleep(0)
    return output == "x"
def coroutine(output): return later(output)
def why(output): return False, "because"
def how_much(output): return 0.25, "a quarter"
def mapped(output): return {"value": 0.75, "passed": False, "reason": "strict"}
def only_passed(): return {"passed": True}
def scored(): return Score(value=0.5, passed=True, reason="half")
def everything(output, case, expected, vars, transcript, extra, **more):
    return [output, case["id"], expected, vars["v"], transcript.output, extra, more] == ["x", "c", 1, 2, "x", 3, {"also": 4}]
def spoils(case, args_list):
    case["vars"]["v"] = 99
    args_list.append(1)
    return len(args_list) == 1
def raises(output): raise ValueError("no such thing")
def exits(output): sys.exit(3)
def stops(output): raise StopIteration
def nothing(output): pass
def text(output): return "good"
def too_much(output): return 7
def not_a_number(output): return float("nan")
def listed(output): return [1]
def odd_map(output): return {"score": 1}
def bad_passed(output): return {"passed": "yes"}
def nan_score(output): return Score(value=float("nan"), passed=True)
def positional(output, /): return True
def needs(output, limit): return True
class Callable:
    def __call__(self, output): return output == "x"
callable_object = Callable()
NUMBER = 3
"""


@pytest.fixture
def checks(bench: Bench) -> Bench:
    bench.write("checks.py", CHECKS)
    return bench


CASE = {"id": "c", "input": "?", "expected": 1, "vars": {"v": 2}, "metadata": {}, "tags": []}


def run(bench: Bench, name: str, output: str = "x", **fields: Any) -> Any:
    spec = bench.spec(scorer="python", argument=f"./checks.py:{name}", **fields)
    (result,) = bench.results(spec, transcript=bench.talk(output), case=CASE)
    return result


@pytest.mark.parametrize(
    ("name", "value", "passed", "reason"),
    [
        ("short", 1.0, True, "returned true"),
        ("share", 0.1, False, "returned 0.1"),
        ("later", 1.0, True, "returned true"),
        ("coroutine", 1.0, True, "returned true"),
        ("why", 0.0, False, "because"),
        ("how_much", 0.25, False, "a quarter"),
        ("mapped", 0.75, False, "strict"),
        ("only_passed", 1.0, True, "returned true"),
        ("scored", 0.5, True, "half"),
        ("callable_object", 1.0, True, "returned true"),
    ],
)
def test_what_a_function_may_return(checks: Bench, name: str, value: float, passed: bool, reason: str) -> None:
    result = run(checks, name)
    assert (result.value, result.passed) == (value, passed)
    assert reason in result.reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("raises", "raised ValueError: no such thing (line"),
        ("exits", "raised SystemExit: 3"),
        ("stops", "StopIteration"),
        ("nothing", "returned nothing"),
        ("text", "returned str 'good'"),
        ("too_much", "returned 7; a score lies between 0 and 1"),
        ("not_a_number", "returned nan"),
        ("listed", "returned list"),
        ("odd_map", "unknown score"),
        ("bad_passed", "passed is no boolean"),
        ("nan_score", "no score from 0 to 1"),
    ],
)
def test_what_cannot_be_scored_is_neither_a_pass_nor_a_fail(checks: Bench, name: str, reason: str) -> None:
    for negate in (False, True):
        result = run(checks, name, negate=negate)
        assert (result.value, result.passed) == (None, None)
        assert reason in result.reason


def test_arguments_are_given_by_name(checks: Bench) -> None:
    assert run(checks, "everything", args={"extra": 3, "also": 4}).passed is True
    assert run(checks, "short", output="123456").passed is False
    assert run(checks, "short", output="123456", args={"limit": 6}).passed is True


def test_a_number_passes_from_the_threshold_on(checks: Bench) -> None:
    assert run(checks, "share", output="12345").passed is True
    assert run(checks, "share", output="12345", threshold=0.6).passed is False
    assert run(checks, "share", output="1", threshold=0.1).passed is True


def test_what_a_function_does_to_its_arguments_stays_there(checks: Bench) -> None:
    args = {"args_list": []}
    assert run(checks, "spoils", args=args).passed is True
    assert run(checks, "spoils", args=args).passed is True
    assert CASE["vars"] == {"v": 2}


def test_a_file_is_imported_once_and_finds_its_neighbours(bench: Bench) -> None:
    bench.write("words.py", "POLITE = ['please']")
    bench.write(
        "checks.py",
        "from words import POLITE\nCOUNT = []\ndef a(output): COUNT.append(1); return len(COUNT) == 1\n"
        "def b(output): COUNT.append(1); return len(COUNT) == 2 and POLITE == ['please']\n",
    )
    assert [run(bench, "a").passed, run(bench, "b").passed] == [True, True]
    assert not (bench.place.folder / "__pycache__" / "checks.cpython-311.pyc").exists()


def test_plain_functions_leave_the_event_loop_free(bench: Bench) -> None:
    bench.write(
        "checks.py", "import threading\ndef where(): return threading.current_thread() is not threading.main_thread()"
    )
    assert threading.current_thread() is threading.main_thread()
    assert run(bench, "where").passed is True


def test_cancelling_a_trial_is_not_a_score(bench: Bench) -> None:
    bench.write("checks.py", "import asyncio\nasync def hangs(): await asyncio.Event().wait()")
    prepared = bench.registry.prepare("python", "./checks.py:hangs", place=bench.place)

    async def main() -> None:
        from harness.plugins import ScoreContext

        turn = bench.talk("x")
        context = ScoreContext(
            output="x", transcript=Transcript(output="x"), turns=turn.turns, number=None, case=CASE, place=bench.place
        )
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await bench.registry.get("python").score(context, prepared)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("argument", "args", "said"),
    [
        ("./checks.py:shrot", {}, "did you mean 'short'?"),
        ("./check.py:short", {}, "did you mean 'checks.py'?"),
        ("./checks.py:NUMBER", {}, "is a int, not a function"),
        ("./checks.py", {}, "write ./file.py:function"),
        ("./checks.py:__import__", {}, "has no '__import__'"),
        ("../../checks.py:f", {}, "outside the project"),
        ("./checks.py:positional", {}, "by position only"),
        ("./checks.py:needs", {}, "needs 'limit'"),
        ("./checks.py:short", {"limits": 3}, "takes no 'limits'. Did you mean 'limit'?"),
        ("./checks.py:short", {"output": 3}, "is given to ./checks.py:short already"),
        ("./broken.py:f", {}, "suites/broken.py:2:"),
        ("./fails.py:f", {}, "suites/fails.py:2: ZeroDivisionError"),
        ("./quits.py:f", {}, "SystemExit"),
        ("no_such_module_here:f", {}, "no module 'no_such_module_here' is installed"),
        ("harness.records:gone", {}, "has no 'gone'"),
        (["./checks.py:short"], {}, "name a function"),
    ],
)
def test_wrong_references_are_found_before_anything_runs(checks: Bench, argument: Any, args: Any, said: str) -> None:
    checks.write("broken.py", "x = 1\ndef f(:\n")
    checks.write("fails.py", "x = 1\n1 / 0\n")
    checks.write("quits.py", "raise SystemExit(1)")
    complaints = checks.complaints("python", argument, args=args)
    assert any(said in complaint for complaint in complaints), complaints


def test_installed_code_needs_no_path(checks: Bench) -> None:
    result = checks.check("python", "harness.jsontext:same_json", "x", args={"left": 1, "right": 1.0})
    assert result.passed is True


def test_args_are_refused_where_nothing_takes_them(checks: Bench) -> None:
    assert checks.complaints("contains", "x", args={"limit": 1}) == ["'contains' takes no args."]
