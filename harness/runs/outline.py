"""What run.json keeps of a suite, so that a run can be decided again when the suite has changed or is gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from harness.errors import SourceLocation
from harness.records import JSON, Result
from harness.store.rows import plain
from harness.suites.definition import Definition
from harness.suites.suite import DEFAULT_MARGIN, Against, AssistantSpec, Case, Gates, Suite, Variant
from harness.summary import SuiteSummary
from harness.summary.history import kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A suite as far as a run is decided by it."""

    #: Its cases are those that decide by themselves or belong together with others; it cannot be run.
    suite: Suite
    #: Trials of each variant before any selection.
    planned: Mapping[str, int]
    #: What the price table said of a variant's models.
    price_notes: Mapping[str, str]
    #: Where each case stands.
    places: Mapping[str, SourceLocation] = field(default_factory=dict)


def places(suites: Iterable[Suite]) -> dict[tuple[str, str], SourceLocation]:
    """Return where the cases of suites stand, by suite and id."""
    return {(suite.name, case.id): case.where for suite in suites for case in suite.cases}


def outlined(suite: Suite, summary: SuiteSummary | None) -> dict[str, JSON]:
    """Return what of a suite decides a run, as plain data."""
    found = {variant.name: variant for variant in summary.variants} if summary else {}
    compared = {one.candidate: one for one in summary.comparisons} if summary else {}
    whole = len(suite.cases) * suite.repeats
    elsewhere = suite.against.others if suite.against is not None else ()
    return {
        "name": suite.name,
        "path": suite.shown,
        "hash": suite.hash,
        "cases": len(suite.cases),
        "repeats": suite.repeats,
        "baseline": suite.baseline,
        "gate_baseline": suite.gate_baseline,
        "margin": suite.margin,
        "margin_given": suite.margin_given,
        "gates": suite.gates.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "variants": [
            {
                "name": variant.name,
                "prompt": variant.prompt,
                "model": variant.assistant.model,
                "report_only": variant.report_only,
                "planned": found[variant.name].planned if variant.name in found else whole,
                "price_note": found[variant.name].price_note if variant.name in found else "",
                # Variants from elsewhere have no history here.
                "summary": kept(found[variant.name], compared.get(variant.name))
                if variant.name in found and variant.name not in elsewhere
                else None,
                "definition": None if variant.definition is None else variant.definition.plain(),
            }
            for variant in suite.variants
        ],
        **({"stop_early": True, "stopping": _stopping(summary)} if suite.stop_early else {}),
        "clusters": dict(suite.clusters),
        "places": _places(suite.cases),
        "checks": dict(suite.checked),
        "against": None if suite.against is None else plain(asdict(suite.against)),
        "deciding": [_deciding(case) for case in suite.cases if case.required or case.must_pass is not None],
    }


def read_outline(entry: Any) -> Outline:
    """Return the suite that `outlined` wrote.

    Raises:
        ValueError: It is no such entry; the message names what is wrong.
    """
    try:
        return _outline(entry)
    except (KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise ValueError(f"{type(error).__name__} {error}") from error


def outline_of(name: str, results: Sequence[Result]) -> Outline:
    """Return what results alone tell of their suite: its variants, the first one as baseline, and no gates."""
    where = SourceLocation(name)
    variants = tuple(
        Variant(name=variant, where=where) for variant in dict.fromkeys(result.variant for result in results)
    )
    trials = {variant.name: sum(result.variant == variant.name for result in results) for variant in variants}
    suite = Suite(
        name=name,
        path=Path(name),
        shown="",
        variants=variants,
        baseline=variants[0].name if len(variants) > 1 else None,
        repeats=max(result.repeat for result in results),
        cases=(),
    )
    return Outline(suite=suite, planned=trials, price_notes={})


def outline_as_is(suite: Suite) -> Outline:
    """Return a suite of today as the outline of a run that kept none."""
    whole = len(suite.cases) * suite.repeats
    return Outline(
        suite=suite,
        planned={variant.name: whole for variant in suite.variants},
        price_notes={},
        places={case.id: case.where for case in suite.cases},
    )


def _places(cases: Iterable[Case]) -> dict[str, dict[str, int]]:
    """The line of each case, by file."""
    found: dict[str, dict[str, int]] = {}
    for case in cases:
        found.setdefault(case.where.path, {})[case.id] = case.where.line
    return found


def _stopping(summary: SuiteSummary | None) -> list[JSON]:
    """What looks at a suite while it ran came to: whoever runs the rest later should know that they were taken."""
    return [
        {
            "candidate": one.candidate,
            "planned": one.stopping.planned,
            "used": one.stopping.used,
            "looks": [look.cases for look in one.stopping.looks],
            "reason": one.stopping.reason,
        }
        for one in (summary.comparisons if summary is not None else ())
        if one.stopping is not None
    ]


def _deciding(case: Case) -> dict[str, JSON]:
    share = case.must_pass
    return {
        "id": case.id,
        "required": case.required,
        "must_pass": str(share) if isinstance(share, Fraction) else share,
    }


def _outline(entry: Mapping[str, Any]) -> Outline:
    where = SourceLocation(str(entry["path"]))
    variants = [
        (
            Variant(
                name=str(one["name"]),
                prompt=one.get("prompt"),
                assistant=AssistantSpec(model=one.get("model")),
                report_only=bool(one["report_only"]),
                # Runs from before definitions were kept have none.
                definition=Definition.read(one["definition"]) if one.get("definition") else None,
                where=where,
            ),
            one,
        )
        for one in entry["variants"]
    ]
    suite = Suite(
        name=str(entry["name"]),
        path=Path(str(entry["path"])),
        shown=str(entry["path"]),
        variants=tuple(variant for variant, _ in variants),
        baseline=entry["baseline"],
        gate_baseline=bool(entry["gate_baseline"]),
        repeats=int(entry["repeats"]),
        cases=tuple(_cases(entry, where)),
        gates=Gates.model_validate(entry["gates"]),
        margin=float(entry.get("margin", DEFAULT_MARGIN)),
        margin_given=bool(entry["margin_given"]),
        stop_early=bool(entry.get("stop_early", False)),
        hash=str(entry["hash"]),
        against=_against(entry.get("against")),
        # Runs from before checks were told apart have none.
        checks={str(case): str(told) for case, told in dict(entry.get("checks", {})).items()},
    )
    if suite.baseline is not None and suite.baseline not in suite.by_name:
        raise ValueError(f"its baseline {suite.baseline!r} is none of its variants")
    return Outline(
        suite=suite,
        planned={variant.name: int(one["planned"]) for variant, one in variants},
        price_notes={variant.name: str(one.get("price_note") or "") for variant, one in variants},
        # Runs from before places were kept have none.
        places={
            str(case): SourceLocation(str(path), int(line))
            for path, lines in dict(entry.get("places", {})).items()
            for case, line in dict(lines).items()
        },
    )


def _against(entry: Mapping[str, Any] | None) -> Against | None:
    if entry is None:
        return None
    return Against(
        source=str(entry["source"]),
        pairs=dict(entry["pairs"]),
        others=tuple(entry["others"]),
        gates=bool(entry["gates"]),
        excluded={str(why): tuple(cases) for why, cases in entry["excluded"].items()},
        mocks=tuple(entry["mocks"]),
        code=tuple(entry["code"]),
        checks=dict(entry.get("checks", {})),
        # Runs from before recordings were compared do not say.
        same=tuple(entry.get("same", ())),
    )


def _cases(entry: Mapping[str, Any], where: SourceLocation) -> Iterator[Case]:
    # Runs from before cases could belong together have no clusters.
    clusters = {str(case): str(label) for case, label in dict(entry.get("clusters", {})).items()}
    for one in entry["deciding"]:
        share = one["must_pass"]
        yield Case(
            id=str(one["id"]),
            cluster=clusters.pop(str(one["id"]), None),
            required=bool(one["required"]),
            must_pass=Fraction(share) if isinstance(share, str) else share,
            turns=(),
            where=where,
        )
    for case, label in clusters.items():
        yield Case(id=case, cluster=label, turns=(), where=where)
