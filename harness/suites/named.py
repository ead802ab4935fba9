"""Assistants that a suite names, for others to use as tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeAlias

from harness.errors import did_you_mean
from harness.located import Document
from harness.suites.apis import LACKING, PRESETS
from harness.suites.equipment import EquipmentReader
from harness.suites.fields import AssistantFields, SuiteFields
from harness.suites.suite import MODEL_APIS, AssistantSpec, NamedAssistant
from harness.validation import validate

Path_: TypeAlias = tuple[str | int, ...]

_KEY = "assistants"
_SETTINGS = frozenset(one.name for one in fields(AssistantSpec))
#: What a named assistant takes from the suite where it says nothing itself: where the models are.
_INHERITED = ("api", "model", "base_url", "api_key_env")
#: Assistants that use assistants that use assistants.
_DEEPEST = 4


class NamedReader:
    """Reads `assistants:`; what is wrong there is noted in the suite's document."""

    def __init__(self, document: Document, *, equipment: EquipmentReader) -> None:
        self._document = document
        self._equipment = equipment
        self._known: dict[str, NamedAssistant] = {}
        #: Every name as written, also of those that could not be read.
        self._names: tuple[str, ...] = ()

    def read(self, suite: SuiteFields) -> None:
        """Read them all."""
        given = suite.assistants
        if given is None:
            if "assistants" in suite.model_fields_set:
                self._document.complain((_KEY,), "`assistants:` is empty.", hint="Leave it out.", key=True)
            return
        if not isinstance(given, Mapping):
            self._document.complain((_KEY,), "`assistants:` is a mapping of assistants by name.", key=True)
            return
        self._names = tuple(map(str, given))
        for name, value in given.items():
            found = self._one(suite, str(name), {} if value is None else value)
            if found is not None:
                self._known[str(name)] = found

    def joined(self, spec: AssistantSpec, at: Path_, *, above: tuple[str, ...] = ()) -> AssistantSpec:
        """Return an assistant with those that its tools name; what is wrong with the names is noted at `at`."""
        found: dict[str, NamedAssistant] = {}
        for index, tool in enumerate(spec.tools):
            if tool.kind != "assistant":
                continue
            name = tool.reference or ""
            if name not in self._names:
                hint = did_you_mean(name, self._names) or f"There are: {', '.join(self._names) or 'none'}."
                self._document.complain((*at, index), f"no assistant is called '{name}'.", hint=hint)
            elif name in above or len(above) >= _DEEPEST:
                chain = " -> ".join((*above, name))
                wrong = "in a circle" if name in above else f"more than {_DEEPEST} deep"
                self._document.complain((*at, index), f"assistants use each other {wrong}: {chain}.")
            elif name in self._known:
                one = self._known[name]
                inner = self.joined(one.spec, (_KEY, name, "tools"), above=(*above, name))
                found[name] = replace(one, spec=inner)
        return replace(spec, assistants=found)

    def _one(self, suite: SuiteFields, name: str, value: Any) -> NamedAssistant | None:
        loc = (_KEY, name)
        if not isinstance(value, Mapping):
            self._document.complain(loc, "an assistant is a mapping such as {model: .., system: ..}.")
            return None
        own = validate(self._document, AssistantFields, loc, dict(value))
        if own is None:
            return None
        given = {key: getattr(own, key) for key in own.model_fields_set if getattr(own, key) is not None}
        if "prompt" in given:
            self._document.complain((*loc, "prompt"), "an assistant that is a tool takes `system:`.", key=True)
            return None
        settings = self._inherited(suite) | dict(PRESETS.get(given.pop("preset", ""), {})) | given
        lacks = LACKING.get(settings.get("api", "responses"), {})
        for key in [key for key in settings if key in lacks]:
            if key in given:
                self._document.complain((*loc, key), f"`{key}:` cannot be used here.", hint=lacks[key], key=True)
                return None
            del settings[key]
        tools, system = settings.pop("tools", None), settings.pop("system", None)
        spec = AssistantSpec(**{key: one for key, one in settings.items() if key in _SETTINGS})
        if spec.api not in MODEL_APIS or spec.model is None:
            what = "no `model:` is set." if spec.api in MODEL_APIS else f"`api: {spec.api}` cannot be a tool yet."
            self._document.complain(loc, f"the assistant '{name}' cannot be used: {what}", key=True)
            return None
        at = {key: (*loc, key) for key in ("tools", "env")}
        equipped = self._equipment.equip(spec, tools, at)
        return None if equipped is None else NamedAssistant(spec=equipped, system=system)

    def _inherited(self, suite: SuiteFields) -> dict[str, Any]:
        layers = [suite, *([suite.assistant] if suite.assistant else [])]
        found = {key: getattr(layer, key) for layer in layers for key in _INHERITED if getattr(layer, key) is not None}
        return {key: value for key, value in found.items() if key != "api" or value in MODEL_APIS}
