"""From suite files to suites, with every problem of every file in one go."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from harness.checks import CheckReader, CheckSpec
from harness.datasets import Row, read_rows
from harness.errors import ConfigError, Problem, SourceLocation, did_you_mean
from harness.functions import Place, ReferenceProblem
from harness.gates import Gates
from harness.located import Document, read_yaml
from harness.names import derived_id
from harness.plugins import Registry
from harness.prompts import PromptLibrary
from harness.records import JSON, Message
from harness.rendering import Renderer
from harness.suitefile import (
    AssistantFields,
    CaseFields,
    DatasetFields,
    SuiteFields,
    VariantFields,
    check_tag,
    must_pass,
    said,
)
from harness.suites import (
    DEFAULT_MARGIN,
    AssistantSpec,
    Case,
    Suite,
    TurnSpec,
    Variant,
    content_hash,
)
from harness.templates import Templates
from harness.validation import validate

_SETTINGS = tuple(one.name for one in fields(AssistantSpec))


def load_suites(
    paths: Sequence[Path], *, root: Path, registry: Registry, prompts: PromptLibrary, templates: Templates
) -> list[Suite]:
    """Load suite files.

    Args:
        paths: The files.
        root: The project's folder; nothing outside is read.
        registry: The scorers that checks may name.
        prompts: The prompts that variants may name.
        templates: Renders what the suites hold.

    Raises:
        ConfigError: With every problem of every file, in order.
    """
    problems: list[Problem] = []
    suites: list[Suite] = []
    for path in paths:
        reader = _SuiteReader(path, root=root, registry=registry, prompts=prompts)
        suite = reader.read()
        if suite is not None:
            suites.append(suite)
            place = Place(root=root, folder=suite.path.parent)
            found = Renderer(prompts=prompts, templates=templates).check(suite, registry=registry, place=place)
            reader.document.problems.extend(map(reader.sourced, found))
        problems.extend(reader.document.problems)
    names: dict[str, Suite] = {}
    for suite in suites:
        other = names.setdefault(suite.name, suite)
        if other is not suite:
            message = f"the suite's name '{suite.name}' is also that of {other.shown}."
            problems.append(Problem(message=message, location=SourceLocation(suite.shown)))
    if problems:
        raise ConfigError(problems)
    return suites


class _SuiteReader:
    """Reads one file; what is wrong with it collects in `document.problems`."""

    def __init__(self, path: Path, *, root: Path, registry: Registry, prompts: PromptLibrary) -> None:
        self._path = path
        self._root = root
        self._registry = registry
        self._prompts = prompts
        self._place = Place(root=root, folder=path.resolve().parent)
        self._contents: list[bytes] = []
        self.document = Document(path=self._shown(path))

    def read(self) -> Suite | None:
        if not self._path.resolve().is_relative_to(self._root.resolve()):
            message = f"{self._path} is outside the project {self._root}"
            self.document.problems.append(Problem(message=message))
            return None
        self.document = document = read_yaml(self._path, shown=self._shown(self._path))
        if document.value is None and not document.problems:
            document.complain((), "the file is empty.")
        if not isinstance(document.value, dict):
            if not document.problems:
                document.complain((), "a suite is a mapping with the key `suite:`.")
            return None
        self._contents.append(self._path.read_bytes())
        fields_ = validate(document, SuiteFields)
        if fields_ is None:
            return None
        checks = CheckReader(document, scorers=self._registry.names())
        common = checks.read(fields_.expect, ("expect",))
        cases = tuple(self._cases(fields_.cases, checks, common))
        self._unique_ids(cases)
        variants = self._variants(fields_)
        baseline = self._baseline(fields_, variants)
        self._gates(fields_.gates, cases, baseline)
        return Suite(
            name=fields_.suite,
            path=self._path.resolve(),
            shown=document.path,
            description=fields_.description,
            variants=variants,
            baseline=baseline,
            gate_baseline=fields_.gate_baseline,
            repeats=fields_.repeats,
            cases=cases,
            gates=fields_.gates,
            margin=DEFAULT_MARGIN if fields_.margin is None else fields_.margin,
            margin_given=fields_.margin is not None,
            vars=dict(fields_.vars),
            hash=content_hash(*self._contents),
        )

    # -- cases ---------------------------------------------------------------------------------------------------

    def _cases(self, given: JSON, checks: CheckReader, common: tuple[CheckSpec, ...]) -> Iterator[Case]:
        if isinstance(given, str):
            yield from self._dataset(DatasetFields.model_validate({"file": given}), ("cases",), checks, common)
            return
        if isinstance(given, dict) and "file" in given:
            given, base = [given], ("cases",)
        elif isinstance(given, list) and given:
            base = None
        else:
            self.document.complain(("cases",), "`cases:` is a list of cases, or the path of a dataset.", key=True)
            return
        for index, one in enumerate(given):
            loc = base or ("cases", index)
            if not isinstance(one, dict):
                self.document.complain(loc, "a case is a mapping with `input:`, or `{file: cases.csv}`.")
            elif "file" in one:
                fields_ = validate(self.document, DatasetFields, loc, one)
                if fields_ is not None:
                    own = checks.read(fields_.expect, (*loc, "expect"))
                    yield from self._dataset(fields_, loc, checks, (*common, *own))
            else:
                case = self._case(one, loc, checks, common)
                if case is not None:
                    yield case

    def _case(
        self, value: Mapping[str, JSON], loc: tuple[str | int, ...], checks: CheckReader, common: tuple[CheckSpec, ...]
    ) -> Case | None:
        own = checks.read(value.get("expect"), (*loc, "expect"))
        found = validate(self.document, CaseFields, loc, value)
        turns = value.get("turns")
        by_turn = [
            check
            for number, turn in enumerate(turns if isinstance(turns, list) else [], start=1)
            if isinstance(turn, dict)
            for check in checks.read(turn.get("expect"), (*loc, "turns", number - 1, "expect"), turn=number)
        ]
        if found is None:
            return None
        if (found.input is None) == (not found.turns):
            both = "both `input:` and `turns:`; choose one." if found.turns else "no `input:`."
            self.document.complain(loc, f"this case has {both}")
            return None
        spoken = [found.input] if found.input is not None else [turn.input for turn in found.turns]
        specs = tuple(TurnSpec(inputs=tuple(one) if isinstance(one, list) else (one,)) for one in spoken)
        return Case(
            id=found.id or derived_id(json.dumps(spoken) if len(spoken) > 1 else _flat(spoken[0])),
            unnamed=found.id is None,
            tags=tuple(dict.fromkeys(found.tags)),
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
            where=self.document.where(loc),
        )

    def _dataset(
        self,
        dataset: DatasetFields,
        loc: tuple[str | int, ...],
        checks: CheckReader,
        common: tuple[CheckSpec, ...],
    ) -> Iterator[Case]:
        at = (*loc, "file") if "file" in (self._value(loc) or ()) else loc
        try:
            path = self._place.file(dataset.file)
        except ReferenceProblem as error:
            self.document.complain(at, f"{error}.")
            return
        shown = self._place.shown(path)
        rows, problems = read_rows(path, shown=shown, rename=dataset.map, limit=dataset.limit)
        self.document.problems.extend(problems)
        self._contents.append(path.read_bytes())
        for row in rows:
            case = self._row(row, dataset, common)
            if case is not None:
                yield case

    def _row(self, row: Row, dataset: DatasetFields, common: tuple[CheckSpec, ...]) -> Case | None:
        complain = self._row_problem(row)
        known = self._registry.names()
        own: list[CheckSpec] = []
        for name, argument in row.expect.items():
            if name not in known:
                complain(f"unknown scorer '{name}' in column expect.{name}.", did_you_mean(name, known))
            elif argument not in (None, ""):
                own.append(CheckSpec(scorer=name, argument=argument, where=row.where, literal=True))
        try:
            spoken = said(row.input)
            for tag in row.tags:
                check_tag(tag)
            share = None if row.must_pass in (None, "") else must_pass(_number(row.must_pass))
        except ValueError as error:
            complain(f"{error}.", None)
            return None
        return Case(
            id=row.id or derived_id(_flat(spoken)),
            unnamed=row.id is None,
            tags=tuple(dict.fromkeys((*dataset.tags, *row.tags))),
            metadata=row.metadata,
            vars=row.vars,
            expected=row.expected,
            turns=(TurnSpec(inputs=tuple(spoken) if isinstance(spoken, list) else (spoken,)),),
            checks=(*common, *own),
            required=row.required,
            must_pass=share,
            where=row.where,
            literal=True,
            columns=row.columns,
        )

    def _row_problem(self, row: Row) -> Callable[[str, str | None], None]:
        def complain(message: str, hint: str | None) -> None:
            self.document.problems.append(Problem(message=message, location=row.where, hint=hint))

        return complain

    def _unique_ids(self, cases: Sequence[Case]) -> None:
        first: dict[str, Case] = {}
        for case in cases:
            other = first.setdefault(case.id, case)
            if other is case:
                continue
            if case.unnamed and other.unnamed:
                message = f"the same input stands at {other.where} already."
                hint = "Give both an `id:`, or remove one."
            else:
                message, hint = f"the id '{case.id}' is taken by {other.where}.", "Ids are unique in a suite."
            own = case.where.path == self.document.path
            problem = self.document._at(case.where, message, hint) if own else None
            self.document.problems.append(problem or Problem(message=message, location=case.where, hint=hint))

    # -- variants ------------------------------------------------------------------------------------------------

    def _variants(self, suite: SuiteFields) -> tuple[Variant, ...]:
        found: list[Variant] = []
        for loc, value, name in self._variant_entries(suite.variants):
            fields_ = validate(self.document, VariantFields, loc, value)
            if fields_ is not None:
                variant = self._variant(suite, fields_, loc, name)
                if variant is not None:
                    found.append(variant)
        self._unequal(found)
        return tuple(found)

    def _variant_entries(self, given: JSON) -> Iterator[tuple[tuple[str | int, ...], dict[str, JSON], str | None]]:
        if given is None:
            yield ("suite",), {}, "default"
        elif isinstance(given, dict) and given:
            for name, value in given.items():
                if value is None or isinstance(value, str):
                    value = {} if value is None else {"prompt": value}
                if isinstance(value, dict):
                    yield ("variants", name), value, name
                else:
                    self.document.complain(("variants", name), "a variant is a mapping such as {prompt: faq@2}.")
        elif isinstance(given, list) and given:
            for index, value in enumerate(given):
                if isinstance(value, str):
                    yield ("variants", index), {"prompt": value}, value
                elif isinstance(value, dict):
                    yield ("variants", index), value, None
                else:
                    self.document.complain(("variants", index), "a variant is a prompt reference or a mapping.")
        else:
            self.document.complain(("variants",), "`variants:` is a list or a mapping of variants.", key=True)

    def _variant(
        self, suite: SuiteFields, own: VariantFields, loc: tuple[str | int, ...], name: str | None
    ) -> Variant | None:
        layers: list[AssistantFields] = [suite, *([suite.assistant] if suite.assistant else []), own]
        merged: dict[str, Any] = {}
        for layer in layers:
            given = {key: getattr(layer, key) for key in layer.model_fields_set if key in AssistantFields.model_fields}
            if "prompt" in given or "system" in given:
                # Whoever names instructions replaces both kinds.
                merged.pop("prompt", None)
                merged.pop("system", None)
            merged.update({key: value for key, value in given.items() if value is not None})
        where = self.document.where(loc, key=True)
        prompt, system = merged.pop("prompt", None), merged.pop("system", None)
        if prompt is not None and system is not None:
            self.document.complain(loc, "this variant has both `prompt:` and `system:`; choose one.")
            return None
        if prompt is not None:
            at = (*loc, "prompt") if "prompt" in (self._value(loc) or ()) else loc
            try:
                self._prompts.check(prompt, where=self.document.where(at))
                defaults = self._prompts.get(prompt).defaults(merged.get("model"))
            except ConfigError as error:
                self.document.problems.extend(self.sourced(problem) for problem in error.problems)
                return None
            unknown = [key for key in defaults if key not in _SETTINGS]
            if unknown:
                hint = did_you_mean(unknown[0], _SETTINGS)
                self.document.complain(at, f"prompt {prompt} has a default '{unknown[0]}', which is no setting.", hint=hint)
                return None
            merged = {**defaults, **merged}
        spec = self._assistant(merged, loc)
        if spec is None:
            return None
        name = name or own.name or prompt or spec.model or f"variant-{loc[-1]}"
        return Variant(
            name=own.name or name,
            prompt=prompt,
            system=system,
            assistant=spec,
            report_only=own.report_only,
            vars=dict(own.vars),
            where=where,
        )

    def _assistant(self, settings: dict[str, Any], loc: tuple[str | int, ...]) -> AssistantSpec | None:
        complain = self.document.complain
        spec = AssistantSpec(**{key: value for key, value in settings.items() if key in _SETTINGS})
        if spec.api == "python":
            if spec.target is None:
                complain(loc, "`api: python` needs `target: ./agent.py:answer`.")
                return None
            try:
                self._registry.functions.load(spec.target, place=self._place)
            except ReferenceProblem as error:
                complain((*loc, "target") if "target" in (self._value(loc) or ()) else ("target",), f"{error}.")
                return None
            return spec
        if spec.target is not None:
            complain(loc, "`target:` belongs to `api: python`.")
            return None
        if spec.model is None:
            complain(loc, "no `model:` is set for this variant.")
            return None
        return self._with_format(spec, loc)

    def _with_format(self, spec: AssistantSpec, loc: tuple[str | int, ...]) -> AssistantSpec | None:
        """Turn `json` and `{schema: ...}` into what Chat Completions takes."""
        given = spec.response_format
        if given is None or (isinstance(given, Mapping) and "type" in given):
            return spec
        if given == "json":
            return replace(spec, response_format={"type": "json_object"})
        if isinstance(given, Mapping) and set(given) <= {"schema", "name", "strict"} and "schema" in given:
            schema = given["schema"]
            name = "answer"
            if isinstance(schema, str):
                try:
                    path = self._place.file(schema)
                    name = path.name.split(".")[0]
                    schema = json.loads(path.read_text(encoding="utf-8"))
                except (ReferenceProblem, ValueError, OSError) as error:
                    self.document.complain(loc, f"`response_format:` {error}.")
                    return None
            if isinstance(schema, Mapping):
                shape = {"name": str(given.get("name", name)), "schema": schema, "strict": given.get("strict", True)}
                return replace(spec, response_format={"type": "json_schema", "json_schema": shape})
        self.document.complain(loc, "`response_format:` is `json`, `{schema: answer.schema.json}`, or what the API takes.")
        return None

    def _unequal(self, variants: Sequence[Variant]) -> None:
        for index, variant in enumerate(variants):
            for other in variants[:index]:
                if variant.name == other.name:
                    message = f"the variant '{variant.name}' stands at {other.where} already."
                elif _same(variant, other):
                    message = f"the variants '{other.name}' (line {other.where.line}) and '{variant.name}' are the same."
                else:
                    continue
                self.document.problems.append(self.document._at(variant.where, message, "Change or remove one."))
                break

    def _baseline(self, suite: SuiteFields, variants: Sequence[Variant]) -> str | None:
        names = [variant.name for variant in variants]
        if suite.baseline is not None and suite.baseline not in names:
            hint = did_you_mean(suite.baseline, names) or f"There are: {', '.join(names)}."
            self.document.complain(("baseline",), f"no variant is called '{suite.baseline}'.", hint=hint)
        if len(names) < 2:
            return None
        return suite.baseline or names[0]

    def _gates(self, gates: Gates, cases: Sequence[Case], baseline: str | None) -> None:
        tags = sorted({tag for case in cases for tag in case.tags})
        for tag in gates.tags:
            if tag not in tags:
                hint = did_you_mean(tag, tags)
                self.document.complain(("gates", "tags", tag), f"no case has the tag '{tag}'.", hint=hint, key=True)
        for name in ("not_worse_than_baseline", "better_than_baseline"):
            if getattr(gates, name) and baseline is None:
                self.document.complain(("gates", name), f"`{name}:` needs a second variant to compare with.", key=True)

    def sourced(self, problem: Problem) -> Problem:
        """Add the source line to a problem that another module found in this document."""
        if problem.source is None and problem.location is not None and problem.location.path == self.document.path:
            return self.document._at(problem.location, problem.message, problem.hint)
        return problem

    def _value(self, loc: Sequence[str | int]) -> Any:
        value = self.document.value
        try:
            for step in loc:
                value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
        return value if isinstance(value, dict) else None

    def _shown(self, path: Path) -> str:
        return Place(root=self._root, folder=self._root).shown(path)


def _same(one: Variant, other: Variant) -> bool:
    return (one.prompt, one.system, one.assistant, one.vars) == (other.prompt, other.system, other.assistant, other.vars)


def _flat(value: JSON) -> str:
    return value if isinstance(value, str) else "\n".join(str(one) for one in value)


def _number(value: JSON) -> Any:
    return int(value) if isinstance(value, str) and value.isdigit() else value
