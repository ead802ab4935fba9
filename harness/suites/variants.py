"""The variants of a suite: settings merged from top to bottom, prompts found, no two of them the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeAlias

from harness.errors import ConfigError, SourceLocation, did_you_mean
from harness.functions import Function, Place, ReferenceProblem
from harness.jsontext import JSONTooLarge, NotJSON, parse_json
from harness.located import Document
from harness.plugins import Registry
from harness.prompts.library import PromptLibrary
from harness.records import JSON
from harness.suites.apis import LACKING, PRESETS, TAKEN, TAKES
from harness.suites.definition import define
from harness.suites.deployed import DeployedReader
from harness.suites.equipment import EquipmentReader
from harness.suites.fields import AssistantFields, SuiteFields, VariantFields, check_name
from harness.suites.matrix import Cell, MatrixReader
from harness.suites.named import NamedReader
from harness.suites.suite import MODEL_APIS, AssistantSpec, Variant
from harness.validation import sentence, validate

Path_: TypeAlias = tuple[str | int, ...]

_MATRIX: Path_ = ("matrix",)
_SETTINGS = tuple(one.name for one in fields(AssistantSpec))
_FORMATS = "`response_format:` is `json`, `{schema: answer.schema.json}`, or what the API takes."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One variant as it is written."""

    #: Where it stands; a combination of a matrix stands at the matrix.
    loc: Path_
    value: Mapping[str, JSON]
    name: str | None = None
    #: Where its settings stand, if not below `loc`.
    places: Mapping[str, Path_] = field(default_factory=dict)

    def place(self, setting: str) -> Path_:
        return self.places.get(setting, (*self.loc, setting))


class VariantReader:
    """Reads the variants of one suite; what is wrong with them is noted in its document."""

    def __init__(self, document: Document, *, place: Place, registry: Registry, prompts: PromptLibrary) -> None:
        """
        Args:
            document: The suite's file.
            place: Where paths in it are looked up.
            registry: Loads Python functions.
            prompts: The prompts that variants may name.
        """
        self._document = document
        self._place = place
        self._registry = registry
        self._prompts = prompts
        self._equipment = EquipmentReader(document, place=place, functions=registry.functions)
        self._named = NamedReader(document, equipment=self._equipment)
        self.deployed = DeployedReader(document, place=place)
        #: Every variant's name as written ("" where there is none), also of those that could not be read.
        self.names: list[str] = []
        #: What each variant that was read comes to, whatever names it uses for it.
        self._meanings: dict[str, str] = {}
        #: Whether `names` holds them all: what a broken matrix would have made is not known.
        self._all_named = True

    def read(self, suite: SuiteFields) -> tuple[Variant, ...]:
        """Return the variants of a suite that can be read; two that are the same are a problem."""
        found: list[Variant] = []
        self._written_twice(suite)
        self._named.read(suite)
        for entry in self._entries(suite):
            own = self._fields(entry)
            called = (own and own.name) or entry.name or entry.value.get("prompt")
            self.names.append(str(called or ""))
            variant = own and self._variant(suite, own, entry)
            if variant:
                self._compare(variant, found, entry)
                found.append(variant)
        return tuple(found)

    def baseline(self, suite: SuiteFields, variants: Sequence[Variant]) -> str | None:
        """Return the name of the variant that the others are compared with; None where there are no others."""
        known = list(dict.fromkeys([variant.name for variant in variants] + list(filter(None, self.names))))
        if suite.baseline is not None and suite.baseline not in known and self._all_named:
            hint = did_you_mean(suite.baseline, known) or f"There are: {', '.join(known)}."
            self._document.complain(("baseline",), f"no variant is called '{suite.baseline}'.", hint=hint)
        return (suite.baseline or variants[0].name) if len(variants) > 1 else None

    def _written_twice(self, suite: SuiteFields) -> None:
        """A setting at the top level and under `assistant:` too is a mistake, whichever would win."""
        instructions = ("prompt", "system")
        for name in suite.assistant.model_fields_set if suite.assistant else ():
            for rival in instructions if name in instructions else (name,):
                if rival in self._document.value:
                    line = self._document.where((rival,), key=True).line
                    message = f"`{rival}:` stands at the top level already, in line {line}."
                    hint = "Remove one." if rival == name else "Choose one."
                    self._document.complain(("assistant", name), message, hint=hint, key=True)

    def _entries(self, suite: SuiteFields) -> Iterator[_Entry]:
        written = self._document.value
        if "variants" in written:
            yield from self._listed(suite.variants)
        elif "matrix" not in written:
            yield _Entry(loc=("suite",), value={})
        if "matrix" in written:
            cells = MatrixReader(self._document).read(suite.matrix)
            if cells is None:
                self._all_named = False
                self.names += ["", ""]
            for cell in cells or ():
                yield self._combined(cell)

    def _combined(self, cell: Cell) -> _Entry:
        value = self._document.composed(cell.places).value
        return _Entry(loc=_MATRIX, value=value, name=cell.name, places=cell.places)

    def _listed(self, given: JSON) -> Iterator[_Entry]:
        if isinstance(given, dict) and given:
            for name, value in given.items():
                try:
                    check_name(name)
                except ValueError as error:
                    self._document.complain(("variants", name), sentence(error), key=True)
                    continue
                yield from self._one(("variants", name), {} if value is None else value, name)
        elif isinstance(given, list) and given:
            for index, value in enumerate(given):
                yield from self._one(("variants", index), value, None)
        else:
            self._document.complain(("variants",), "`variants:` is a list or a mapping of variants.", key=True)

    def _one(self, loc: Path_, value: JSON, name: str | None) -> Iterator[_Entry]:
        if isinstance(value, dict):
            yield _Entry(loc=loc, value=value, name=name)
        elif isinstance(value, str):
            yield _Entry(loc=loc, value={"prompt": value}, name=name, places={"prompt": loc})
        elif name is None:
            self._document.complain(loc, "a variant is a prompt reference or a mapping.")
        else:
            self._document.complain(loc, "a variant is a mapping such as {prompt: faq@2}.")

    def _fields(self, entry: _Entry) -> VariantFields | None:
        if entry.places:
            return validate(self._document.composed(entry.places), VariantFields)
        return validate(self._document, VariantFields, entry.loc, entry.value)

    def _variant(self, suite: SuiteFields, own: VariantFields, entry: _Entry) -> Variant | None:
        settings = self._settings([suite, *([suite.assistant] if suite.assistant else []), own], entry)
        if settings is None:
            return None
        origins = {name: self._document.where(self._origin(entry, name), key=True) for name in settings}
        prompt, system = settings.pop("prompt", None), settings.pop("system", None)
        if prompt is not None and system is not None:
            place, key = self._at(entry, "system")
            self._document.complain(place, "there is `prompt:` and `system:`; choose one.", key=key)
            return None
        said: Any = ("system", system)
        found = None
        if prompt is not None:
            place, _ = self._at(entry, "prompt")
            where = self._document.where(place)
            try:
                self._prompts.check(prompt, where=where)
                found = self._prompts.get(prompt, where=where)
            except ConfigError as error:
                self._document.problems.extend(map(self._document.sourced, error.problems))
                return None
            said = ("prompt", found.name, found.version, found.git)
            tuned = found.defaults(settings.get("model"))
            settings = {**tuned, **settings}
            origins = {**dict.fromkeys(tuned, SourceLocation(found.shown)), **origins}
        spec = self._assistant(settings, entry)
        if spec is None:
            return None
        variant = Variant(
            name=own.name or entry.name or prompt or spec.model or spec.target or spec.outputs or "default",
            prompt=prompt,
            system=system,
            assistant=spec,
            report_only=own.report_only,
            vars=dict(own.vars),
            offered=self._equipment.offered(spec),
            definition=define(
                spec,
                prompt=found,
                source=(system or "") if found is None else self._prompts.source(found),
                variables={**suite.vars, **own.vars},
                tools=self._equipment.loaded(spec),
                target=self._target(spec),
            ),
            where=self._document.where(entry.loc, key=True),
            origins=origins,
        )
        # As text: 1, 1.0 and true are equal to Python, and not to a prompt or a service.
        meaning = [said, spec.plain(), dict(variant.vars)]
        self._meanings[variant.name] = json.dumps(meaning, sort_keys=True, default=str)
        return variant

    def _compare(self, variant: Variant, others: Sequence[Variant], entry: _Entry) -> None:
        meaning = self._meanings[variant.name]
        for other in others:
            if variant.name == other.name:
                same = self._meanings[other.name] == meaning
                message = f"a variant '{variant.name}' stands in line {other.where.line} already."
                hint = "Change or remove one." if same and variant == replace(other, where=variant.where) else None
                hint = hint or ("Name the values of the matrix." if entry.loc == _MATRIX else "Give each a `name:`.")
                self._document.complain(entry.loc, message, hint=hint, key=True)
                return
            if self._meanings[other.name] == meaning:
                message = f"the variants '{other.name}' (line {other.where.line}) and '{variant.name}' are the same."
                self._document.complain(entry.loc, message, hint="Change or remove one.", key=True)
                return

    def _settings(self, layers: Sequence[AssistantFields], entry: _Entry) -> dict[str, Any] | None:
        """Merge the settings of a variant; what its API does not take and others wrote for other variants is left out."""
        own = layers[-1]
        if self._emptied(layers, entry):
            return None
        settings = _merged(layers)
        if own.outputs is not None and own.api is None:
            settings["api"] = "outputs"
        api = settings.get("api", AssistantSpec().api)
        takes = TAKES.get(api)
        if takes is not None:
            strange = [name for name in own.model_fields_set if name in AssistantFields.model_fields]
            strange = [name for name in strange if name not in takes and getattr(own, name) is not None]
            for name in strange:
                message = f"`{name}:` cannot be used with `api: {api}`."
                self._document.complain(
                    entry.place(name), message, hint=f"It takes {', '.join(sorted(takes))}.", key=True
                )
            return None if strange else {name: value for name, value in settings.items() if name in takes}
        concerned = layers
        if api not in MODEL_APIS:
            # What stands above the layer that chose a Python target is said for the models beside it.
            chosen = [number for number, layer in enumerate(layers) if layer.api is not None]
            concerned = layers[chosen[-1] if chosen else 0 :]
        written = {name for layer in concerned for name in layer.model_fields_set}
        lacks = LACKING.get(api, {})
        return {name: value for name, value in settings.items() if name in written or name not in lacks}

    def _emptied(self, layers: Sequence[AssistantFields], entry: _Entry) -> bool:
        """Whether a key that adds something stands there without anything; that is noted."""
        places: list[Path_] = [(), ("assistant",), entry.loc] if len(layers) > 2 else [(), entry.loc]
        found = False
        for layer, place in zip(layers, places, strict=True):
            for name in ("tools", "preset", "env"):
                if name in layer.model_fields_set and getattr(layer, name) is None:
                    at = entry.place(name) if layer is layers[-1] else (*place, name)
                    self._document.complain(at, f"`{name}:` is empty.", hint="Leave it out.", key=True)
                    found = True
        return found

    def _assistant(self, settings: dict[str, Any], entry: _Entry) -> AssistantSpec | None:
        if isinstance(settings.get("stop"), list):
            settings["stop"] = tuple(settings["stop"])
        tools = settings.pop("tools", None)
        spec = AssistantSpec(**{key: value for key, value in settings.items() if key in _SETTINGS})
        if not self._is_sendable(spec, entry, given=spec.plain() | ({"tools": tools} if tools else {})):
            return None
        at = {name: self._at(entry, name)[0] for name in ("tools", "env")}
        equipped = self._equipment.equip(spec, tools, at)
        if equipped is None:
            return None
        spec = self._named.joined(equipped, at["tools"])
        if spec.api == "python":
            return spec if self._has_target(spec, entry) else None
        if spec.api in TAKES:
            return self.deployed.read(spec, lambda name: self._at(entry, name))
        if spec.api in MODEL_APIS and spec.model is None and spec.assistant_id is None:
            self._document.complain(entry.loc, "no `model:` is set for this variant.", key=True)
            return None
        return self._with_format(spec, entry)

    def _is_sendable(self, spec: AssistantSpec, entry: _Entry, *, given: Mapping[str, JSON]) -> bool:
        """Whether the API knows every setting; what it lacks is noted."""
        said: list[tuple[tuple[str, ...], str]] = [
            ((name,), hint) for name, hint in LACKING.get(spec.api, {}).items() if name in given
        ]
        if spec.chain not in (None, "input") and spec.request.get("store") is False:
            said.append((("request", "store"), f"`chain: {spec.chain}` needs what the service keeps."))
        said += [(("request", key), hint) for key, hint in TAKEN.get(spec.api, {}).items() if key in spec.request]
        for names, hint in said:
            place, key = self._at(entry, names[0])
            asked = ": ".join(names)
            self._document.complain(
                (*place, *names[1:]) if key else place, f"`{asked}:` cannot be used here.", hint=hint, key=key
            )
        return not said

    def _has_target(self, spec: AssistantSpec, entry: _Entry) -> bool:
        if spec.target is None:
            place, key = self._at(entry, "api")
            self._document.complain(place, "`api: python` needs `target: ./agent.py:answer`.", key=key)
            return False
        try:
            self._registry.functions.load(spec.target, place=self._place)
        except ReferenceProblem as error:
            self._document.complain(self._at(entry, "target")[0], sentence(error))
            return False
        return True

    def _target(self, spec: AssistantSpec) -> Function | None:
        return None if spec.target is None else self._registry.functions.load(spec.target, place=self._place)

    def _with_format(self, spec: AssistantSpec, entry: _Entry) -> AssistantSpec | None:
        """Turn `json` and `{schema: ...}` into what Chat Completions takes."""
        given = spec.response_format
        if given is None or (isinstance(given, Mapping) and "type" in given):
            return spec
        if given == "json":
            return replace(spec, response_format={"type": "json_object"})
        place, _ = self._at(entry, "response_format")
        if isinstance(given, Mapping) and "schema" in given and set(given) <= {"schema", "name", "strict"}:
            name, schema = "answer", given["schema"]
            if isinstance(schema, str):
                try:
                    path = self._place.file(schema)
                    name, schema = path.name.split(".")[0], parse_json(path.read_text(encoding="utf-8-sig"))
                except (ReferenceProblem, NotJSON, JSONTooLarge, OSError, UnicodeDecodeError) as error:
                    self._document.complain((*place, "schema"), sentence(error))
                    return None
            if isinstance(schema, Mapping):
                shape = {"name": str(given.get("name", name)), "schema": schema, "strict": given.get("strict", True)}
                return replace(spec, response_format={"type": "json_schema", "json_schema": shape})
        self._document.complain(place, _FORMATS)
        return None

    def _origin(self, entry: _Entry, name: str) -> Path_:
        """Return where a setting comes from: its own key, or the preset that stands for it."""
        place, _ = self._at(entry, name)
        return place if place != entry.loc else self._at(entry, "preset")[0]

    def _at(self, entry: _Entry, name: str) -> tuple[Path_, bool]:
        """Return where a setting of a variant is written, and whether that is the setting's own key."""
        for candidate in (entry.place(name), ("assistant", name), (name,)):
            if self._document.holds((), candidate) == candidate:
                return candidate, True
        return entry.loc, True


def _merged(layers: Sequence[AssistantFields]) -> dict[str, Any]:
    """Merge settings, the last layer wins; whoever names instructions replaces both kinds of them.

    A preset stands for settings of the layer that names it; what is written beside it wins.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        given = {key: getattr(layer, key) for key in layer.model_fields_set if key in AssistantFields.model_fields}
        if "prompt" in given or "system" in given:
            merged.pop("prompt", None)
            merged.pop("system", None)
        merged.update(PRESETS.get(given.pop("preset", None) or "", {}))
        merged.update({key: value for key, value in given.items() if value is not None})
    return merged
