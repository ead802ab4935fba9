"""Answers that do not say what they cost, and more requests than there is money for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.faults.entries import Bare, Ends, Fault, Ran

#: Twenty tokens of output, which cost $0.002, are the most that an answer may have.
_PRICES = {"prices.m.input": "$0", "prices.m.output": "$100"}
_PAID = {"max_tokens": 20}


def _spend(ran: Ran) -> Mapping[str, Any]:
    (path,) = ran.root.glob("reports/*/run.json")
    spend: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))["spend"]
    return spend


def _estimated(ran: Ran) -> None:
    assert [row["usage"]["output"] for row in ran.rows] == [None]
    assert [row["cost"] for row in ran.rows] == ["0.002"]
    assert [row["extra"]["cost_basis"] for row in ran.rows] == ["estimated"]
    assert "estimated: the cost of 1 trial, at the worst case" in ran.result.stdout
    assert Decimal(_spend(ran)["estimated"]) == Decimal("0.002")


def _hidden(what: str, id: str, **fault: Any) -> Fault:
    return Fault(
        id=id,
        what=what,
        rules=[{"fault": fault}],
        suite=_PAID,
        settings=_PRICES,
        flags=["--budget", "$1"],
        harness=Ends(
            outcome="passed", also=_estimated, words="tokens unknown, cost the worst case, marked `estimated`; never 0"
        ),
        bare=Bare(returns="it as it is", check=lambda got: got.choices[0].message.content == "Hello there"),
    )


ROWS: Sequence[Fault] = (
    _hidden("no `usage`", "F23", hide_usage=True),
    _hidden("`usage` is negative", "F23b", set={"usage.prompt_tokens": -5, "usage.completion_tokens": -1}),
    _hidden("`usage` holds texts", "F23c", set={"usage.prompt_tokens": "7", "usage.completion_tokens": "9"}),
    Fault(
        id="F55",
        what="a budget of $0.01, 100 trials of $0.002 at once, some without `usage`",
        held_by="tests/test_budget.py::test_no_more_is_sent_than_the_budget_pays_for_however_many_trials_run_at_once",
        harness=Ends(
            outcome="skipped",
            words="5 requests, the other trials skipped with the reason `budget`, exit code 4; hidden costs count as the worst case",
        ),
    ),
)
