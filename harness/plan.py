"""What will run: suites and a selection become an ordered list of trials, known before anything is sent.

The order is case by case, repeat by repeat, and inside a repeat the variants next to each other: the arms of one case
run at about the same time, so that a slow minute of the service hits both. Cases come as the suite has them; where a run
may stop early they are shuffled, since what comes first has to stand for all.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import NothingSelected, UsageError, did_you_mean
from harness.suites.suite import Case, Suite, Variant, slug


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which trials of the given suites to run; empty means all."""

    #: Words with `and`, `or`, `not` and parentheses, matched as parts of suite, case and variant names and tags.
    expression: str = ""
    tags: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    #: At most so many cases per suite, the first ones.
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One attempt: a case, a variant, and which repeat it is (from 1)."""

    suite: Suite
    case: Case
    variant: Variant
    repeat: int
    #: The folder of recordings.
    cassettes: Path
    #: Where its recording lies, or will lie. It is asked for again and again, and takes its time to put together.
    cassette: Path = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        path = cassette_path(
            self.cassettes, suite=self.suite.name, variant=self.variant.name, case=self.case.id, repeat=self.repeat
        )
        object.__setattr__(self, "cassette", path)

    @property
    def answered(self) -> bool:
        """Whether its answer is there already: in a recording, or in the file that its variant's answers come from."""
        return self.variant.assistant.api == "outputs" or self.cassette.exists()

    @property
    def id(self) -> str:
        """`<suite>/<case>/<variant>/<n>`"""
        return f"{self.suite.name}/{self.case.id}/{self.variant.name}/{self.repeat}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Trials in the order in which they start and are reported."""

    suites: tuple[Suite, ...]
    trials: tuple[Trial, ...]
    #: Trials of each (suite, variant) before any selection.
    planned: Mapping[tuple[str, str], int] = field(default_factory=dict)


def build_plan(suites: Sequence[Suite], *, selection: Selection, cassettes: Path) -> Plan:
    """Lay out every selected trial.

    Args:
        suites: What to run, in this order.
        selection: Which part of it.
        cassettes: The folder of recordings.

    Raises:
        UsageError: The selection names a variant, case or tag that no suite has, or its expression is malformed.
        NothingSelected: It is well formed and matches nothing.
    """
    _known("variant", selection.variants, [variant.name for suite in suites for variant in suite.variants])
    _known("case", selection.cases, [case.id for suite in suites for case in suite.cases])
    _known("tag", selection.tags, [tag for suite in suites for case in suite.cases for tag in case.tags])
    wanted = parse_expression(selection.expression) if selection.expression.strip() else None
    trials: list[Trial] = []
    planned: dict[tuple[str, str], int] = {}
    for suite in suites:
        for variant in suite.variants:
            planned[suite.name, variant.name] = sum(suite.repeats_of(variant, case) for case in suite.cases)
        cases = [case for case in suite.cases if _case_selected(case, selection)]
        found = list(_trials(suite, cases, selection, wanted, cassettes))
        first = list(dict.fromkeys(trial.case.id for trial in found))[: selection.limit]
        found = found if selection.limit is None else [one for one in found if one.case.id in first]
        trials.extend(shuffled(suite, found) if suite.stop_early else found)
    if not trials:
        raise NothingSelected("the selection matches no trial: `harness plan` without it shows what there is")
    return Plan(suites=tuple(suites), trials=tuple(trials), planned=planned)


def whole_variants(trials: Iterable[Trial], planned: Mapping[tuple[str, str], int]) -> frozenset[tuple[str, str]]:
    """Return the (suite, variant) of which every planned trial is among `trials`."""
    counts = Counter((trial.suite.name, trial.variant.name) for trial in trials)
    return frozenset(key for key, count in counts.items() if count == planned.get(key))


def shuffled(suite: Suite, trials: Sequence[Trial]) -> list[Trial]:
    """Return trials of a suite with its cases in an order that only its name and theirs decide, and chance does not.

    Cases with the same first tag are spread evenly, so that the first ones are a sample of all. A new case gets its place
    and leaves the others in theirs, but for those around it.
    """
    strata: dict[str, list[str]] = {}
    for case in {trial.case.id: trial.case for trial in trials}.values():
        strata.setdefault(case.tags[0] if case.tags else "", []).append(case.id)
    places: dict[str, float] = {}
    for tag, cases in strata.items():
        cases.sort(key=lambda case: _chance(suite.name, "case", case))
        offset = _chance(suite.name, "tag", tag)
        places.update((case, (number + offset) / len(cases)) for number, case in enumerate(cases))
    return sorted(trials, key=lambda trial: places[trial.case.id])


def _chance(*words: str) -> float:
    """A number from 0 to 1 that looks random and is always the same for the same words."""
    digest = hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def cassette_path(folder: Path, *, suite: str, variant: str, case: str, repeat: int) -> Path:
    """Return where the recording of a trial lies: `<suite>/<variant>/<case>.<n>.yaml`."""
    return folder / slug(suite) / slug(variant) / f"{slug(case)}.{repeat}.yaml"


def _trials(
    suite: Suite,
    cases: Sequence[Case],
    selection: Selection,
    wanted: Callable[[str], bool] | None,
    cassettes: Path,
) -> Iterator[Trial]:
    variants = [one for one in suite.variants if not selection.variants or one.name in selection.variants]
    for case in cases:
        for repeat in range(1, suite.repeats + 1):
            for variant in variants:
                if repeat > suite.repeats_of(variant, case):
                    continue
                words = " ".join((suite.name, case.id, variant.name, *case.tags)).lower()
                if wanted is None or wanted(words):
                    yield Trial(suite=suite, case=case, variant=variant, repeat=repeat, cassettes=cassettes)


def _case_selected(case: Case, selection: Selection) -> bool:
    if selection.cases and case.id not in selection.cases:
        return False
    return not selection.tags or any(tag in case.tags for tag in selection.tags)


def _known(kind: str, asked: Sequence[str], there: Sequence[str]) -> None:
    for name in asked:
        if name not in there:
            hint = (
                did_you_mean(name, sorted(set(there))) or f"There are: {', '.join(sorted(set(there))[:10]) or 'none'}."
            )
            raise UsageError(f"no {kind} is called '{name}'. {hint}")


_WORD = re.compile(r"\s*(\(|\)|[^\s()]+)")


def parse_expression(text: str) -> Callable[[str], bool]:  # noqa: C901 (a grammar reads best in one piece)
    """Compile a `-k` expression into a test of lower-case text; words match as parts, as in pytest.

    Raises:
        UsageError: It is malformed; the message shows where.
    """
    words = _WORD.findall(text)
    position = 0

    def fail(why: str) -> UsageError:
        return UsageError(f"-k {text!r}: {why}. Write words with and, or, not and parentheses.")

    def peek() -> str | None:
        return words[position] if position < len(words) else None

    def either() -> Callable[[str], bool]:
        nonlocal position
        terms = [both()]
        while peek() == "or":
            position += 1
            terms.append(both())
        return lambda shown: any(term(shown) for term in terms)

    def both() -> Callable[[str], bool]:
        nonlocal position
        terms = [single()]
        while peek() == "and":
            position += 1
            terms.append(single())
        return lambda shown: all(term(shown) for term in terms)

    def single() -> Callable[[str], bool]:
        nonlocal position
        word = peek()
        position += 1
        if word is None:
            raise fail("a word is missing at the end")
        if word == "not":
            inner = single()
            return lambda shown: not inner(shown)
        if word == "(":
            inner = either()
            if peek() != ")":
                raise fail("a ) is missing")
            position += 1
            return inner
        if word in (")", "and", "or"):
            raise fail(f"'{word}' is in a place where a word should be")
        part = word.lower()
        return lambda shown: part in shown

    test = either()
    if position != len(words):
        raise fail(f"'{peek()}' is not expected there")
    return test
