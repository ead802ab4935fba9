"""Suites, variants and cases built in Python: the keys of the YAML, read by the same checks."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, TypeAlias

from pydantic import BaseModel

from harness.errors import ConfigError
from harness.library.tree import Caller, plant
from harness.suites.fields import CaseFields, SuiteFields, VariantFields
from harness.suites.written import PlacedData
from harness.validation import validate

Keys: TypeAlias = dict[str, Any]


def _parameters(fields: type[BaseModel], *, renamed: Mapping[str, str]) -> Iterator[inspect.Parameter]:
    for name, info in fields.model_fields.items():
        required = info.is_required()
        shown = renamed.get(info.alias or name, info.alias or name)
        if shown.isidentifier():
            default = inspect.Parameter.empty if required else None
            yield inspect.Parameter(shown, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=info.annotation)


class _Model:
    """What the three have in common: keys as in the YAML, checked when it is made, and the place where that was."""

    #: The model of the same thing in a file.
    fields: ClassVar[type[BaseModel]]
    #: Key in the YAML to its name here.
    renamed: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        parameters = list(_parameters(cls.fields, renamed=cls.renamed))
        # For help() and editors; what is not among them is refused with a hint.
        cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typeshed does not know it on classes

    def __init__(self, **keys: Any) -> None:
        """
        Args:
            keys: As in the YAML; None means not given.

        Raises:
            ConfigError: A key is unknown, missing or holds what it cannot; every problem is in `problems`.
        """
        self._take(keys, _caller(sys._getframe(1)))

    def _take(self, keys: Keys, caller: Caller) -> None:
        back = {name: key for key, name in self.renamed.items()}
        self._keys = {back.get(name, name): value for name, value in keys.items() if value is not None}
        self._caller = caller
        tree = plant(self, shown=lambda path: str(path))
        document = PlacedData(path=tree.places[()].path, value=tree.value, places=tree.places)
        document.problems.extend(tree.problems)
        for key, name in self.renamed.items():
            if key not in self._keys:
                document.complain((), f"`{name}=` is missing here.")
        if not document.problems:
            validate(document, self.fields)
        if document.problems:
            raise ConfigError(document.problems)

    @property
    def keys(self) -> Keys:
        """What was given, by the keys of the YAML."""
        return dict(self._keys)

    @property
    def caller(self) -> Caller:
        """Where it was made."""
        return self._caller

    def __getattr__(self, name: str) -> Any:
        back = {shown: key for key, shown in self.renamed.items()}
        key = back.get(name, name)
        if name.startswith("_") or key not in self.fields.model_fields:
            raise AttributeError(f"{type(self).__name__} has no '{name}'")
        return self._keys.get(key)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, _Model) and other._keys == self._keys

    __hash__ = None  # type: ignore[assignment]  # it holds lists

    def __repr__(self) -> str:
        shown = (f"{self.renamed.get(key, key)}={value!r}" for key, value in self._keys.items())
        return f"{type(self).__name__}({', '.join(shown)})"


class Case(_Model):
    """One test, with the keys of a case in YAML: `Case(input="Hi", expected="Hello", tags=["greeting"])`.

    `expect` takes checks as in YAML, and functions marked with `@harness.scorer`.
    """

    fields = CaseFields


class Variant(_Model):
    """One thing under comparison, with the keys of a variant in YAML: `Variant(name="v2", prompt="support@2")`."""

    fields = VariantFields


class Suite(_Model):
    """A suite, with the keys of a suite in YAML; its name is `name`.

    `variants` holds prompt references, mappings or `Variant`s, in a list or by name; `cases` holds `Case`s, mappings and
    datasets, or the path of one dataset. Relative paths start in the folder of the Python file that makes the suite, in a
    notebook in the working folder. Its recordings lie where those of a YAML suite of the same name would.
    """

    fields = SuiteFields
    renamed = {"suite": "name"}  # noqa: RUF012 (a ClassVar, declared above)


def _caller(frame: FrameType | None) -> Caller:
    """Where a model was made: the file and line of the code that made it."""
    if frame is None:
        return Caller(path=None, line=1)
    name = frame.f_code.co_filename
    path = Path(name)
    return Caller(path=path if not name.startswith("<") and path.is_file() else None, line=frame.f_lineno)
