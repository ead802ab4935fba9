"""The cases of a suite, as written in it and from its datasets."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from harness.errors import Problem, SourceLocation, did_you_mean
from harness.functions import Place, ReferenceProblem
from harness.located import Document
from harness.records import JSON, Attachment, Message
from harness.suites.checks import CheckReader, CheckSpec
from harness.suites.datasets import Row, capped, read_rows
from harness.suites.fields import CaseFields, DatasetFields, TurnFields, check_name, check_tags, must_pass, said
from harness.suites.names import derived_id
from harness.suites.suite import Case, TurnSpec
from harness.tools.mocks import Mocks, read_mocks
from harness.validation import sentence, validate

Path_: TypeAlias = tuple[str | int, ...]

#: Bytes of a file that goes with a message.
_LARGEST = 20_000_000
_EMPTY = "Quote it, if it starts with # or holds a comma."


class CaseReader:
    """Reads the cases of one suite; what is wrong with them is noted in its document."""

    def __init__(self, document: Document, *, place: Place, scorers: Sequence[str]) -> None:
        """
        Args:
            document: The suite's file.
            place: Where datasets are looked up.
            scorers: The names that checks may use.
        """
        self._document = document
        self._place = place
        self._scorers = scorers
        self._checks = CheckReader(document, scorers=scorers)
        #: What the datasets hold, for the suite's hash.
        self.contents: list[bytes] = []

    def read(self, given: JSON) -> tuple[Case, ...]:
        """Return the cases that can be read.

        Args:
            given: What stands under `cases:`.
        """
        common = self._expect(self._document.value, ())
        cases = tuple(self._cases(given, common))
        self._unique_ids(cases)
        return cases

    def _cases(self, given: JSON, common: tuple[CheckSpec, ...]) -> Iterator[Case]:
        if isinstance(given, str) and given:
            yield from self._dataset(DatasetFields.model_validate({"file": given}), ("cases",), common)
        elif isinstance(given, dict) and "file" in given:
            yield from self._entry(given, ("cases",), common)
        elif isinstance(given, list) and given:
            for index, one in enumerate(given):
                yield from self._entry(one, ("cases", index), common)
        elif "cases" in self._document.value:
            self._document.complain(("cases",), "`cases:` is a list of cases, or the path of a dataset.", key=True)

    def _entry(self, value: JSON, loc: Path_, common: tuple[CheckSpec, ...]) -> Iterator[Case]:
        if not isinstance(value, dict):
            self._document.complain(loc, "a case is a mapping with `input:`, or `{file: cases.csv}`.")
        elif "file" in value:
            dataset = validate(self._document, DatasetFields, loc, value)
            own = self._expect(value, loc)
            if dataset is not None:
                yield from self._dataset(dataset, loc, (*common, *own))
        else:
            case = self._case(value, loc, common)
            if case is not None:
                yield case

    def _expect(self, value: Mapping[str, JSON], loc: Path_, *, turn: int | None = None) -> tuple[CheckSpec, ...]:
        if "expect" in value and value["expect"] is None:
            self._document.complain((*loc, "expect"), "`expect:` is empty.", hint=_EMPTY, key=True)
        return self._checks.read(value.get("expect"), (*loc, "expect"), turn=turn)

    # -- written in the suite

    def _case(self, value: Mapping[str, JSON], loc: Path_, common: tuple[CheckSpec, ...]) -> Case | None:
        known = len(self._document.problems)
        found = validate(self._document, CaseFields, loc, value)
        own = self._expect(value, loc)
        mocks = self._mocks(value, loc)
        turns = value.get("turns")
        by_turn = [
            check
            for number, turn in enumerate(turns if isinstance(turns, list) else [], start=1)
            if isinstance(turn, dict)
            for check in self._expect(turn, (*loc, "turns", number - 1), turn=number)
        ]
        if found is None:
            return None
        specs = self._turns(found, loc)
        if len(specs) == 0 or (found.input is not None and found.turns):
            # Where something is wrong with what is said, that has been said.
            if len(self._document.problems) == known:
                self._no_input(value, loc)
            return None
        if found.turns and (found.files or found.images or found.thread):
            self._document.complain(loc, "with `turns:`, files, images and threads stand beside a turn's input.")
            return None
        inputs = [spec.inputs[0] if len(spec.inputs) == 1 else list(spec.inputs) for spec in specs]
        return Case(
            id=found.id or derived_id(json.dumps(inputs) if len(inputs) > 1 else _flat(inputs[0])),
            unnamed=found.id is None,
            tags=found.tags,
            cluster=found.cluster,
            metadata=dict(found.metadata),
            vars=dict(found.vars),
            expected=found.expected,
            turns=specs,
            history=tuple(
                Message(role="user" if "user" in one else "assistant", content=next(iter(one.values())))
                for one in found.history
            ),
            checks=(*common, *own, *by_turn),
            required=found.required,
            must_pass=None if found.must_pass is None else must_pass(found.must_pass),
            pass_score=found.pass_score,
            mocks=mocks,
            mocked_at={
                name: self._document.where((*loc, "mocks", name), key=True) for name in (mocks.by_tool if mocks else ())
            },
            where=self._document.where(loc),
        )

    def _mocks(self, value: Mapping[str, JSON], loc: Path_) -> Mocks | None:
        if "mocks" not in value:
            return None

        def complain(inner: Path_, message: str, hint: str | None = None) -> None:
            self._document.complain((*loc, "mocks", *inner), message, hint=hint)

        return read_mocks(value["mocks"], complain)

    def _turns(self, case: CaseFields, loc: Path_) -> tuple[TurnSpec, ...]:
        if case.input is not None:
            where = self._document.where((*loc, "input"))
            attachments = self._attachments(case, loc)
            return (TurnSpec(inputs=_texts(case.input), attachments=attachments, thread=case.thread, where=where),)
        return tuple(self._turn(turn, (*loc, "turns", index)) for index, turn in enumerate(case.turns))

    def _turn(self, turn: TurnFields, loc: Path_) -> TurnSpec:
        for name, path in turn.save.items():
            if not name.isidentifier():
                self._document.complain((*loc, "save", name), f"'{name}' is no name that a template can use.", key=True)
            self._check_path(path, (*loc, "save", name))
        return TurnSpec(
            inputs=_texts(turn.input),
            instructions=turn.instructions,
            save=dict(turn.save),
            attachments=self._attachments(turn, loc),
            thread=turn.thread,
            where=self._document.where((*loc, "input")),
        )

    def _check_path(self, path: str, at: Path_) -> None:
        from harness.jsonpath import BadPath, JSONPath

        try:
            JSONPath(path)
        except BadPath as error:
            self._document.complain(at, sentence(error))

    def _attachments(self, given: CaseFields | TurnFields, loc: Path_) -> tuple[Attachment, ...]:
        found: list[Attachment] = []
        kinds: list[tuple[Literal["file", "image"], str, tuple[str, ...]]] = [
            ("file", "files", given.files),
            ("image", "images", given.images),
        ]
        for kind, key, paths in kinds:
            for index, path in enumerate(paths):
                try:
                    one = attached(kind, self._place.file(path))
                except (ReferenceProblem, OSError, ValueError) as error:
                    at = (*loc, key, index) if self._document.holds(loc, (key, index)) == (key, index) else (*loc, key)
                    self._document.complain(at, sentence(error))
                    continue
                self.contents.append(one.data)
                found.append(one)
        return tuple(found)

    def _no_input(self, value: Mapping[str, JSON], loc: Path_) -> None:
        if value.get("input") is not None:
            self._document.complain(loc, "this case has both `input:` and `turns:`; choose one.")
        elif "input" in value:
            self._document.complain((*loc, "input"), "`input:` is empty.", hint=_EMPTY, key=True)
        else:
            self._document.complain(loc, "this case has no `input:`.")

    # -- from datasets

    def _dataset(self, dataset: DatasetFields, loc: Path_, common: tuple[CheckSpec, ...]) -> Iterator[Case]:
        at = (*loc, "file") if self._document.holds(loc, ("file",)) else loc
        try:
            path = self._place.file(dataset.file)
            self.contents.append(path.read_bytes())
        except (ReferenceProblem, OSError) as error:
            self._document.complain(at, sentence(error))
            return
        shown = self._place.shown(path)
        rows, problems = read_rows(path, shown=shown, rename=dataset.map, limit=dataset.limit)
        unknown: set[str] = set()
        for row in rows:
            case = self._row(row, dataset, common, unknown, problems)
            if case is not None:
                yield case
        self._document.problems.extend(capped(problems, SourceLocation(shown)))

    def _row(
        self,
        row: Row,
        dataset: DatasetFields,
        common: tuple[CheckSpec, ...],
        unknown: set[str],
        problems: list[Problem],
    ) -> Case | None:
        if row.input in (None, "", []):
            return None
        own: list[CheckSpec] = []
        for name, argument in row.expect.items():
            if name in self._scorers:
                if argument not in (None, ""):
                    own.append(CheckSpec(scorer=name, argument=argument, where=row.where, literal=True))
            elif name not in unknown:
                unknown.add(name)
                message = f"unknown scorer '{name}' in `expect.{name}`."
                problems.append(Problem(message=message, location=row.where, hint=did_you_mean(name, self._scorers)))
        try:
            spoken = said(row.input)
            check_name(row.id or "id")
            check_name(row.cluster or "cluster")
            tags = check_tags((*dataset.tags, *row.tags))
            share = None if row.must_pass in (None, "") else must_pass(_number(row.must_pass))
        except ValueError as error:
            problems.append(Problem(message=sentence(error), location=row.where))
            return None
        return Case(
            id=row.id or derived_id(_flat(spoken)),
            unnamed=row.id is None,
            tags=tags,
            cluster=row.cluster,
            metadata=row.metadata,
            vars=row.vars,
            expected=row.expected,
            turns=(TurnSpec(inputs=_texts(spoken)),),
            checks=(*common, *own),
            required=row.required,
            must_pass=share,
            where=row.where,
            literal=True,
            columns=row.columns,
        )

    # -- all together

    def _unique_ids(self, cases: Sequence[Case]) -> None:
        first: dict[str, Case] = {}
        problems: list[Problem] = []
        for case in cases:
            other = first.setdefault(case.id, case)
            if other is case:
                continue
            here = other.where.path == case.where.path
            place = f"in line {other.where.line}" if here else f"at {other.where}"
            if case.unnamed and other.unnamed:
                message, hint = f"the same input stands {place} already.", "Give both an `id:`, or remove one."
            else:
                message, hint = f"the id '{case.id}' stands {place} already.", "Ids are unique in a suite."
            problems.append(self._document.sourced(Problem(message=message, location=case.where, hint=hint)))
        self._document.problems.extend(capped(problems, SourceLocation(self._document.path)))


def attached(kind: Literal["file", "image"], path: Path) -> Attachment:
    """Read a file that goes with a message.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large, or no image where one is asked for.
    """
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind == "image" and not media_type.startswith("image/"):
        raise ValueError(f"'{path.name}' is no image; write it under `files:`")
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"'{path.name}' has more than {_LARGEST:,} bytes")
    return Attachment(kind=kind, name=path.name, media_type=media_type, data=path.read_bytes())


def _texts(value: JSON) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _flat(value: JSON) -> str:
    return value if isinstance(value, str) else "\n".join(value)


def _number(value: JSON) -> JSON:
    return int(value) if isinstance(value, str) and value.isdigit() and value.isascii() else value
