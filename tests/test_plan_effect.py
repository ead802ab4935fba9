"""`harness plan --effect`: what a suite can see, by its recordings or by assumptions that are said aloud; what stopping saves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.stats.paired import difference
from harness.stats.sizing import required_cases
from tests.projects import faq, harness, write


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def answers(a: list[list[bool]], b: list[list[bool]]) -> None:
    """A suite of answers that exist, by case and repeat."""
    files = {
        f"suites/data/{name}.jsonl": "".join(
            json.dumps({"id": f"case-{number}", "output": "yes" if passed else "no"}) + "\n"
            for number, repeats in enumerate(arm)
            for passed in repeats
        )
        for name, arm in {"a": a, "b": b}.items()
    }
    cases = "".join(f"  - {{id: case-{number}, input: Question {number}?}}\n" for number in range(len(a)))
    head = f"suite: s\nrepeats: {len(a[0])}\nvariants: {{a: {{outputs: data/a.jsonl}}, b: {{outputs: data/b.jsonl}}}}\n"
    write(Path(), {"suites/s.yaml": f"{head}expect: {{equals: 'yes'}}\ncases:\n{cases}", **files})


def asked(*arguments: str) -> dict[str, Any]:
    [row] = json.loads(harness("plan", *arguments, "--json").stdout)
    return dict(row)


def floats(arm: list[list[bool]]) -> list[list[float]]:
    return [[float(one) for one in repeats] for repeats in arm]


def test_recordings_say_how_many_cases_an_effect_needs() -> None:
    a, b = [[n % 3 == 0] for n in range(60)], [[n % 3 == 0 or n % 7 == 0] for n in range(60)]
    answers(a, b)
    row = asked("--effect", "0.05")
    sd = difference(floats(a), floats(b)).sd
    assert row["sd"] == pytest.approx(sd)
    assert row["required_cases"] == pytest.approx(required_cases(sd, 0.05), abs=1)
    assert (row["cases"], row["enough"], row["basis"]) == (60, False, "from 60 recorded cases")
    assert asked("--effect", "5%") == row
    told = harness("plan", "--effect", "5%")
    assert f"±5.0 pp needs about {row['required_cases'] - 60} more cases" in told.stderr
    assert f"{row['required_cases']:,} cases" in told.stdout
    assert not Path("reports").exists()


def test_which_arm_is_better_plays_no_part() -> None:
    a, b = [[n % 3 == 0] for n in range(60)], [[n % 3 == 0 or n % 7 == 0] for n in range(60)]
    answers(a, b)
    forwards = asked("--effect", "0.1")
    answers(b, a)
    assert asked("--effect", "0.1") == forwards


def test_a_suite_that_is_large_enough_says_so() -> None:
    answers([[True]] * 99 + [[False]], [[True]] * 98 + [[False]] * 2)
    row = asked("--effect", "0.2")
    assert row["enough"]
    assert row["detectable"] < 0.2
    assert "100 cases can see ±20.0 pp" in harness("plan", "--effect", "0.2").stderr


def test_repeats_say_whether_more_of_them_would_help() -> None:
    dice = [[(n + repeat) % 2 == 0 for repeat in range(4)] for n in range(40)]
    answers(dice, [repeats[::-1] for repeats in dice])
    row = asked("--effect", "0.05")
    assert row["repeats"] == 4
    assert row["required_repeats"] is None or row["required_repeats"] > 4
    assert row["floor"] < row["detectable"]
    fewer = asked("--effect", "0.05", "--repeats", "2")
    assert fewer["detectable"] > row["detectable"]
    told = harness("plan", "--effect", "0.05").stderr
    assert "repeats" in told.split("more cases")[1]


def test_without_recordings_what_is_assumed_is_said_aloud() -> None:
    cases = "".join(f"  - {{id: c{n}, input: Question {n}?, expected: x}}\n" for n in range(60))
    write(Path(), faq("http://127.0.0.1:9/v1", cases=cases))
    row = asked("--effect", "0.1")
    assert row["required_cases"] == pytest.approx(0.2 * (2.8016 / 0.1) ** 2, abs=1)
    told = harness("plan", "--effect", "0.1")
    assert "assumed, none recorded: one trial in 5 comes out differently" in told.stderr
    assert told.exit_code == 0


@pytest.mark.parametrize("wrong", ["0", "5", "100%", "much", "-1%", "nan"])
def test_an_effect_is_a_share(wrong: str) -> None:
    answers([[True]] * 12, [[True]] * 12)
    refused = harness("plan", "--effect", wrong)
    assert refused.exit_code == 2
    assert "write 0.05 or 5%" in refused.stderr


def test_one_variant_has_nothing_to_compare() -> None:
    answers([[True]] * 12, [[True]] * 12)
    told = harness("plan", "--effect", "0.05", "--variant", "b")
    assert (told.exit_code, told.stdout.strip()) == (0, "")
    assert "nothing to compare" in told.stderr
    assert json.loads(harness("plan", "--effect", "0.05", "--variant", "b", "--json").stdout) == []


def test_what_stopping_early_saves_at_best_is_said_before_anything_is_paid() -> None:
    cases = "".join(f"  - {{id: c{n}, input: Question {n}?, expected: x}}\n" for n in range(60))
    write(Path(), faq("http://127.0.0.1:9/v1", cases=cases))
    told = harness("plan", "--stop-early").stderr
    assert "faq: looks at its comparisons 7 times, first after 24 of 60 cases, and 72 calls" in told
    assert "looks at" not in harness("plan").stderr
    few = harness("plan", "--stop-early", "--limit", "15").stderr
    assert "nothing to stop early: no look comes before 20 cases are in, and there are 15" in few
    alone = harness("plan", "--stop-early", "--variant", "v2").stderr
    assert "nothing to stop early: there is no candidate to compare with a baseline" in alone
