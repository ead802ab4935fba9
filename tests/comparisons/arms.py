"""Suites and the trials of their variants, from letters: p passed, f failed, e error, s skipped, a dot for none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.costs import PriceTable
from harness.errors import SourceLocation
from harness.records import CassetteRef, Failure, Outcome, Result
from harness.suites.gates import Gates
from harness.suites.suite import Case, Suite, Variant
from harness.summary import Comparison, RunSummary, summarise

_HERE = SourceLocation("suites/faq.yaml", 3, 1)
_OUTCOMES = {"p": Outcome.PASSED, "f": Outcome.FAILED, "e": Outcome.ERROR, "s": Outcome.SKIPPED}


def table(both: int, fixed: int, broken: int, neither: int) -> dict[str, str]:
    """Letters of v1 and v2, one trial a case."""
    return {
        "v1": "p" * both + "f" * fixed + "p" * broken + "f" * neither,
        "v2": "p" * both + "p" * fixed + "f" * broken + "f" * neither,
    }


def suite(cases: int | Sequence[Case], variants: Sequence[str], **more: Any) -> Suite:
    """A suite whose first variant is the baseline; `gates` as in YAML, `report_only` names variants."""
    gates, report_only = more.pop("gates", {}), more.pop("report_only", ())
    return Suite(
        name="faq",
        path=Path("suites/faq.yaml"),
        shown="suites/faq.yaml",
        variants=tuple(Variant(name=name, report_only=name in report_only, where=_HERE) for name in variants),
        baseline=variants[0],
        cases=tuple(case(f"c{number:03}") for number in range(cases)) if isinstance(cases, int) else tuple(cases),
        gates=Gates.model_validate(gates),
        **more,
    )


def case(name: str, **more: Any) -> Case:
    return Case(id=name, turns=(), where=_HERE, **more)


def trial(of: Case, variant: str, letter: str, repeat: int = 1, **more: Any) -> Result:
    fields: dict[str, Any] = {
        "score": {"p": 1.0, "f": 0.0}.get(letter),
        "error": Failure(kind="timeout", message="too slow") if letter == "e" else None,
        "input": "Hi",
        **more,
    }
    return Result(
        run="r", suite="faq", case=of.id, variant=variant, repeat=repeat, tags=of.tags, outcome=_OUTCOMES[letter],
        **fields,
    )  # fmt: skip


def trials(of: Suite, letters: Mapping[str, str]) -> list[Result]:
    """A letter a trial, case by case and repeat by repeat."""
    found = []
    for variant, word in letters.items():
        places = [(one, repeat) for one in of.cases for repeat in range(1, of.repeats + 1)]
        for (one, repeat), letter in zip(places, word.replace(" ", ""), strict=True):
            if letter != ".":
                found.append(trial(one, variant, letter, repeat))
    return found


def summed(of: Suite, found: Sequence[Result]) -> RunSummary:
    planned = {(of.name, variant.name): len(of.cases) * of.repeats for variant in of.variants}
    return summarise("r", [of], found, planned=planned, prices=PriceTable())


def comparisons(of: Suite, letters: Mapping[str, str]) -> dict[str, Comparison]:
    """The comparison of each variant with the baseline, by its name."""
    return {one.candidate: one for one in summed(of, trials(of, letters)).suites[0].comparisons}


def compared(letters: Mapping[str, str], **more: Any) -> Comparison:
    """v2 against v1."""
    cases = more.pop("cases", len(letters["v1"].replace(" ", "")) // more.get("repeats", 1))
    return comparisons(suite(cases, tuple(letters), **more), letters)["v2"]


def recorded(day: str) -> CassetteRef:
    return CassetteRef(path="c.yaml", mode="replayed", recorded_at=f"{day}T10:00:00Z")
