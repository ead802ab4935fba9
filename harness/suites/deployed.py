"""Assistants that no model API answers for, checked while a suite is loaded: services (`http`), and files (`outputs`)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from harness.errors import ConfigError, Problem
from harness.functions import Place, ReferenceProblem
from harness.located import Document
from harness.suites.answers import (
    SUFFIXES,
    AnswerRow,
    Answers,
    read_answers,
    row_inputs,
    unknown_columns,
)
from harness.suites.rendering import Renderer
from harness.suites.request import RequestTemplate, complaints, leaves
from harness.suites.suite import AssistantSpec, Case, Suite, Variant
from harness.templates.engine import Templates, has_template
from harness.validation import sentence

Path_: TypeAlias = tuple[str | int, ...]
#: Where a setting stands, and whether that is its own key.
At: TypeAlias = Callable[[str], tuple[Path_, bool]]

#: Cases for which a request is rehearsed; of the others, those that hold other names than all before.
_PLAYED = 100
_NAMED = 8
_SHOWN = 60


class DeployedReader:
    """Reads assistants of `api: http` and `api: outputs`; what is wrong with them is noted in the suite's document."""

    def __init__(self, document: Document, *, place: Place) -> None:
        """
        Args:
            document: The suite's file.
            place: Where paths in it are looked up.
        """
        self._document = document
        self._place = place
        self._templates = Templates()
        #: What the files of answers hold, for the suite's hash.
        self.contents: list[bytes] = []

    def read(self, spec: AssistantSpec, at: At) -> AssistantSpec | None:
        """Return the assistant, or None where something is wrong with it."""
        needed = "url" if spec.api == "http" else "outputs"
        if getattr(spec, needed) is None:
            place, key = at("api")
            self._document.complain(place, f"`api: {spec.api}` needs `{needed}:`.", key=key)
            return None
        return self._service(spec, at) if spec.api == "http" else self._file(spec, at)

    def _service(self, spec: AssistantSpec, at: At) -> AssistantSpec | None:
        known = len(self._document.problems)
        for (setting, *inner), message in complaints(spec, self._templates):
            place, key = at(str(setting))
            self._document.complain((*place, *inner) if key else place, message)
        return spec if len(self._document.problems) == known else None

    def _file(self, spec: AssistantSpec, at: At) -> AssistantSpec | None:
        place, _ = at("outputs")
        try:
            path = self._place.file(spec.outputs or "")
            if path.suffix.lower() not in SUFFIXES:
                self._document.complain(place, f"'{spec.outputs}' is neither {' nor '.join(SUFFIXES)}.")
                return None
            self.contents.append(path.read_bytes())
        except (ReferenceProblem, OSError) as error:
            self._document.complain(place, sentence(error))
            return None
        return spec


@dataclass(slots=True, kw_only=True)
class Looked:
    """What came out of looking at a whole suite."""

    problems: list[Problem] = field(default_factory=list)
    #: What is allowed and may still surprise.
    notes: list[str] = field(default_factory=list)
    suite: Suite


def look(suite: Suite, *, renderer: Renderer, place: Place) -> Looked:
    """Set the assistants of a suite that no model API answers for against its cases.

    Args:
        suite: What was read.
        renderer: Renders its cases.
        place: Where paths in it are looked up.

    Returns:
        What is wrong, what may surprise, and the suite with the number of answers that there are to each case.
    """
    looked = Looked(suite=suite)
    files: dict[str, Answers] = {}
    variants: list[Variant] = []
    for variant in suite.variants:
        if variant.assistant.api == "http":
            looked.problems += _rehearse(suite, variant, renderer)
        elif variant.assistant.api == "outputs":
            name = variant.assistant.outputs or ""
            if name not in files:
                path = place.file(name)
                files[name], problems = read_answers(path, shown=place.shown(path))
                looked.problems += problems
                columns = unknown_columns(files[name])
                looked.notes += [columns] if columns is not None else []
            if files[name].by_case:
                _Matched(suite, variant, files[name], renderer).into(looked)
                counts = {case: len(rows) for case, rows in files[name].by_case.items()}
                variant = replace(variant, answers=counts)
        variants.append(variant)
    looked.suite = replace(suite, variants=tuple(variants), notes=(*suite.notes, *dict.fromkeys(looked.notes)))
    return looked


def _rehearse(suite: Suite, variant: Variant, renderer: Renderer) -> Iterator[Problem]:
    """Fill in the request for cases that may fail in different ways, with nothing secret."""
    spec = variant.assistant
    if not any(True for _ in leaves((spec.url, list(spec.headers.values()), spec.body))):
        return
    request = RequestTemplate(spec, Templates())
    where = next((variant.origins[one] for one in ("body", "url") if one in variant.origins), variant.where)
    seen: set[Hashable] = set()
    told: set[str] = set()
    for number, case in enumerate(suite.cases):
        facts = renderer.case(suite, case, variant)
        shape = (frozenset(facts["vars"]), frozenset(facts["metadata"]))
        if number >= _PLAYED and shape in seen:
            continue
        seen.add(shape)
        said = list(row_inputs(case.turns[0].inputs))
        message = {"role": "user", "content": "\n".join(said)}
        values = {
            **facts["vars"],
            "input": message["content"],
            "messages": [message],
            "history": [],
            "thread": case.turns[0].thread,
            "instructions": case.turns[0].instructions,
            "session_id": "0" * 32,
            "metadata": facts["metadata"],
            "vars": facts["vars"],
            "files": [
                {"kind": one.kind, "name": one.name, "media_type": one.media_type, "data": ""}
                for one in case.turns[0].attachments
            ],
        }
        try:
            request.render(values, secret=lambda name: name, where=where)
        except ConfigError as error:
            for problem in error.problems:
                if problem.message not in told:
                    told.add(problem.message)
                    message_ = f"{problem.message.rstrip('.')}, for the case '{case.id}' at {case.where}."
                    yield replace(problem, message=message_)
        except ValueError as error:
            yield Problem(message=f"for the case '{case.id}' at {case.where}: {error}.", location=where)


class _Matched:
    """A file of answers beside the cases that it answers."""

    def __init__(self, suite: Suite, variant: Variant, answers: Answers, renderer: Renderer) -> None:
        self._suite = suite
        self._variant = variant
        self._answers = answers
        self._renderer = renderer

    def into(self, looked: Looked) -> None:
        cases = {case.id: case for case in self._suite.cases}
        looked.problems += self._wrong(cases)
        looked.notes += self._notes(cases)

    def _wrong(self, cases: Mapping[str, Case]) -> Iterator[Problem]:
        if cases and not set(cases) & set(self._answers.by_case):
            has = ", ".join(list(self._answers.by_case)[:_NAMED])
            yield Problem(
                message=f"no row of {self._answers.shown} is of a case of this suite.",
                location=self._variant.where,
                hint=f"Its `id` column has: {has}.",
            )
        for name, rows in self._answers.by_case.items():
            case = cases.get(name)
            if case is None:
                continue
            for row in rows:
                yield from self._row(row, case)

    def _row(self, row: AnswerRow, case: Case) -> Iterator[Problem]:
        try:
            row.answers(len(case.turns))
        except ValueError as error:
            yield Problem(message=f"{error}.", location=row.where)
        if row.input is None:
            return
        said = list(row_inputs(self._renderer.input(self._suite, case, self._variant)))
        given = list(row_inputs(row.input))
        # What waits for a value that a turn saves is known only when a trial runs.
        if any(map(has_template, said)) and not case.literal:
            return
        if given != said:
            yield Problem(
                message=f"the input of this row is {_short(given)}, and that of the case '{case.id}' at {case.where} is "
                f"{_short(said)}.",
                location=row.where,
                hint="Was it answered before the case was edited? A row without `input` is taken as it is.",
            )

    def _notes(self, cases: Mapping[str, Case]) -> Iterator[str]:
        shown, by_case = self._answers.shown, self._answers.by_case
        strange = [name for name in by_case if name not in cases]
        if strange:
            rows = sum(len(by_case[name]) for name in strange)
            yield (
                f"{shown}: {rows} row{'s are' if rows != 1 else ' is'} of no case in {self._suite.shown}: {_list(strange)}"
            )
        lacking = [name for name in cases if name not in by_case]
        if lacking:
            yield (
                f"{self._suite.shown}: variant '{self._variant.name}': {len(lacking)} case"
                f"{'s have' if len(lacking) != 1 else ' has'} no row in {shown}: {_list(lacking)}; "
                f"{'their trials are errors' if len(lacking) != 1 else 'its trial is an error'}"
            )
        more = [name for name, rows in by_case.items() if name in cases and len(rows) > self._suite.repeats]
        if more:
            yield (
                f"{shown}: {len(more)} case{'s have' if len(more) != 1 else ' has'} more rows than `repeats: "
                f"{self._suite.repeats}` asks for: {_list(more)}; the first ones count"
            )


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _short(texts: Sequence[str]) -> str:
    text = " / ".join(texts)
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
