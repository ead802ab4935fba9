"""What to do next: each sentence fits what stands in the way, and its command does what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.records import Failure, Result
from tests.comparisons.arms import case, compared, suite, summed, table, trial

CASES = [case(f"c{number:03}") for number in range(30)]


def advice(*changed: Result) -> tuple[str, ...]:
    """After 30 cases that pass in both arms, but for what is given."""
    there = {one.id for one in changed}
    found = [trial(one, arm, "p") for arm in ("v1", "v2") for one in CASES]
    (one,) = summed(
        suite(CASES, ("v1", "v2")), [*(one for one in found if one.id not in there), *changed]
    ).suites[0].comparisons  # fmt: skip
    return one.advice


def error(place: int, kind: str) -> Result:
    return replace(trial(CASES[place], "v2", "e"), error=Failure(kind=kind, message="no"))


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (
            {"unused": 2},
            "1 trial rests on recordings that no longer match: `harness record suites/faq.yaml --only-stale` makes them anew.",
        ),
        (
            {"stale": ["the code of the tool search changed since its results were recorded"]},
            (
                "1 trial rests on recordings that were made before the assistant or a tool changed: "
                "`harness record suites/faq.yaml --rewrite` makes them anew."
            ),
        ),
    ],
)  # fmt: skip
def test_recordings_that_are_not_of_today_are_made_anew(extra: dict[str, object], said: str) -> None:
    assert advice(trial(CASES[0], "v2", "p", extra=extra))[0] == said
    both = advice(trial(CASES[0], "v1", "p", extra=extra), trial(CASES[1], "v2", "p", extra=extra))
    assert both[0] == said.replace("1 trial rests", "2 trials rest")
    assert "recordings" not in " ".join(advice())


@pytest.mark.parametrize("kind", ["cassette_miss", "cassette_unused", "tool_not_recorded"])
def test_what_cannot_be_replayed_is_recorded(kind: str) -> None:
    said = advice(error(3, kind), error(4, kind))
    assert said[0] == "`harness record suites/faq.yaml --only-stale` records what is missing or no longer matches."


def test_errors_are_tried_again_and_missing_answers_are_added() -> None:
    said = advice(error(1, "timeout"), error(2, "rate_limit"), error(3, "no_output"), error(4, "cassette_miss"))
    assert said[:3] == (
        "`harness record suites/faq.yaml --only-stale` records what is missing or no longer matches.",
        "Add answers to c003 to the file that `outputs:` names.",
        "Errors (timeout, rate_limit) took c001, c002 out of both arms: `harness record suites/faq.yaml` tries them again.",
    )
    assert "`harness record" not in " ".join(advice(error(3, "no_output")))
    assert advice(trial(CASES[5], "v2", "s"))[0] == "Skipped trials took 1 case out of both arms."


@pytest.mark.parametrize(
    ("letters", "said"),
    [
        (table(60, 24, 2, 14), "Before you merge v2, read the broken cases c084, c085: `harness report --open`."),
        (table(60, 24, 0, 16), "v2 broke no case: merge it."),
        (table(60, 2, 24, 14), "Do not merge v2 as it is: read the broken cases c062, c063, c064 and 21 more with "),
        (table(600, 1, 1, 0), "Decide between them by cost, latency and the broken case c601: `harness report --open`."),
        (table(20, 3, 2, 5), "Add about 654 cases, or settle for a larger difference: `harness plan suites/faq.yaml --effect "),
    ],
)  # fmt: skip
def test_a_verdict_says_what_to_do_with_it(letters: dict[str, str], said: str) -> None:
    one = compared(letters, margin_given=True)
    assert one.advice[0].startswith(said) and len(one.advice) == 1
    assert compared(letters).advice[-1].startswith("Choose `margin:` in the suite before the next run")
