"""JSON Schema over values that somebody else wrote: nothing is fetched, and no schema can keep a run busy for long.

Imported where a schema is used, not before: the library loads slowly. References reach files inside the project and the
published metaschemas. Patterns run on RE2. `format` is an annotation, as the standard has it by default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urljoin, urlsplit

from jsonschema import FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import Draft202012Validator, extend, validator_for
from jsonschema_specifications import REGISTRY as SPECIFICATIONS  # type: ignore[import-untyped]  # it has no types
from referencing import Registry, Resource, Specification
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, specification_with

from harness.functions import Place, ReferenceProblem
from harness.jsontext import JSONTooLarge, NotJSON, parse_json
from harness.patterns import BadPattern, Pattern
from harness.records import JSON

#: Keywords that are evaluated before a check is given up: about a second.
MAX_STEPS = 200_000
#: Problems of an answer that are listed.
MAX_ERRORS = 3
#: Bytes of a schema file.
MAX_FILE = 5_000_000

_Keyword: TypeAlias = Callable[[Any, Any, Any, Any], "Iterable[ValidationError] | None"]


class BadSchema(ValueError):
    """The schema is not valid, or refers to what is not there; the message says where."""


class Unchecked(Exception):
    """The value could not be checked: the schema takes too many steps, or never ends."""


class Schema:
    """One schema, ready to check values.

    Args:
        document: the schema as plain data.
        place: where files that it refers to are looked up.
        path: the file it stands in; relative references start there, else at the suite's folder.

    Raises:
        BadSchema: it is no schema, a pattern is none, or a reference leads nowhere.
    """

    def __init__(self, document: JSON, *, place: Place, path: Path | None = None) -> None:
        if not isinstance(document, dict | bool):
            raise BadSchema(f"a schema is a mapping, not {document!r:.60}")
        base = _validator_class(document)
        try:
            base.check_schema(document, format_checker=FormatChecker(formats=()))
        except SchemaError as error:
            raise BadSchema(f"the schema is wrong at {error.json_path}: {error.message:.200}") from None
        except (Unresolvable, RecursionError) as error:
            raise BadSchema(f"the schema cannot be read: {error}") from None
        dialect = specification_with(base.META_SCHEMA["$schema"].rstrip("#"), default=DRAFT202012)
        uri = (path or place.folder.resolve() / "inline schema").as_uri()
        resource: Resource[Any] = Resource.from_contents(document, default_specification=dialect)
        files: Registry[Any] = Registry(retrieve=_Files(place))  # type: ignore[call-arg]  # attrs names it so
        registry: Registry[Any] = SPECIFICATIONS.combine(files.with_resource(uri, resource))
        # A schema that names itself is known by that name, and so are the parts that refer to each other.
        uri = urljoin(uri, resource.id() or "")
        self._steps = _Steps(_examined(resource, registry.resolver(uri), dialect))
        self._validator = _bounded(base, self._steps)({"$ref": uri}, registry=registry)

    def errors(self, value: JSON) -> list[str]:
        """Return the first three problems of a value, each with its place (`$.items[0].id: ...`); none: it conforms.

        Raises:
            Unchecked: more than 200,000 steps, or a schema that refers to itself without end.
        """
        self._steps.left = MAX_STEPS
        try:
            found = list(islice(self._validator.iter_errors(value), MAX_ERRORS))
        except RecursionError:
            raise Unchecked("the schema refers to itself too often for this answer") from None
        except (Unresolvable, BadPattern) as error:
            raise Unchecked(f"the schema cannot be used: {error}") from None
        return [f"{error.json_path}: {error.message:.160}" for error in found]


def read_schema(path: Path, *, place: Place) -> Schema:
    """Read a schema from a JSON file.

    Raises:
        BadSchema: unreadable, no JSON, or no schema.
    """
    return Schema(_read(path, place), place=place, path=path)


def _read(path: Path, place: Place) -> JSON:
    shown = place.shown(path)
    try:
        if path.stat().st_size > MAX_FILE:
            raise BadSchema(f"{shown} is larger than {MAX_FILE:,} bytes")
        return parse_json(path.read_text(encoding="utf-8-sig"))
    except (NotJSON, JSONTooLarge, UnicodeDecodeError) as error:
        raise BadSchema(f"{shown}: {error}") from None
    except OSError as error:
        raise BadSchema(f"{shown} cannot be read: {error.strerror or error}") from None


def _validator_class(document: JSON) -> Any:
    if isinstance(document, bool) or "$schema" not in document:
        return Draft202012Validator
    unknown: Any = None
    found = validator_for(document, default=unknown)
    if found is None:
        raise BadSchema(f"the schema's $schema {document['$schema']!r:.80} is not known")
    return found


class _Files:
    """Fetches what a schema refers to: files inside the project, each once, and nothing from anywhere else."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._read: dict[str, Resource[Any]] = {}

    def __call__(self, uri: str) -> Resource[Any]:
        if uri not in self._read:
            parts = urlsplit(uri)
            if parts.scheme != "file" or parts.netloc:
                raise ReferenceProblem("only files inside the project are read, nothing is fetched")
            document = _read(self._place.file(unquote(parts.path)), self._place)
            self._read[uri] = Resource.from_contents(document, default_specification=DRAFT202012)
        return self._read[uri]


class _Steps:
    """Counts what one check costs, and holds the schema's compiled patterns."""

    def __init__(self, patterns: dict[str, Pattern]) -> None:
        self.left = MAX_STEPS
        self._patterns = patterns

    def spend(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise Unchecked(f"checking the schema took more than {MAX_STEPS:,} steps")

    def pattern(self, source: str) -> Pattern:
        if source not in self._patterns:
            self._patterns[source] = Pattern(source)
        return self._patterns[source]


def _examined(resource: Resource[Any], start: Any, dialect: Specification[Any]) -> dict[str, Pattern]:
    """Follow every reference and compile every pattern, so that what is wrong shows before anything is paid for."""
    patterns: dict[str, Pattern] = {}
    keywords: set[str] = set()
    seen: set[int] = set()
    waiting = [(resource, start)]
    while waiting:
        current, resolver = waiting.pop()
        contents = current.contents
        if id(contents) in seen or not isinstance(contents, dict):
            continue
        seen.add(id(contents))
        keywords.update(contents)
        for keyword in ("$ref", "$dynamicRef"):
            if isinstance(contents.get(keyword), str):
                waiting.append(_followed(contents[keyword], resolver, dialect))
        for source in _patterns(contents):
            patterns[source] = _pattern(source)
        waiting += [(inner, resolver.in_subresource(inner)) for inner in current.subresources()]
    if {"unevaluatedProperties", "patternProperties"} <= keywords:
        # The library matches these two together with the standard library's engine, which can hang.
        raise BadSchema("unevaluatedProperties together with patternProperties is not supported")
    return patterns


def _followed(reference: str, resolver: Any, dialect: Specification[Any]) -> tuple[Resource[Any], Any]:
    try:
        resolved = resolver.lookup(reference)
    except Unresolvable as error:
        raise BadSchema(f"$ref {reference!r:.100} leads nowhere{_why(error)}") from None
    return Resource.from_contents(resolved.contents, default_specification=dialect), resolved.resolver


def _why(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ReferenceProblem | BadSchema):
            return f": {cause}"
        cause = cause.__cause__
    return ""


def _patterns(contents: dict[str, Any]) -> list[str]:
    found = [contents["pattern"]] if isinstance(contents.get("pattern"), str) else []
    several = contents.get("patternProperties")
    return [*found, *several] if isinstance(several, dict) else found


def _pattern(source: str) -> Pattern:
    try:
        return Pattern(source)
    except BadPattern as error:
        raise BadSchema(str(error)) from None


def _bounded(base: Any, steps: _Steps) -> Any:
    """Return the validator class with patterns on RE2, every keyword counted, and no comparison of all with all."""
    own: dict[str, _Keyword] = {
        "pattern": _pattern_keyword(steps),
        "patternProperties": _pattern_properties(steps),
        "additionalProperties": _additional_properties(steps),
        "uniqueItems": _unique_items,
    }
    chosen = {name: own.get(name, keyword) for name, keyword in base.VALIDATORS.items()}
    extended: Callable[..., Any] = extend
    return extended(base, {name: _counted(name, keyword, steps) for name, keyword in chosen.items()})


def _counted(name: str, keyword: _Keyword, steps: _Steps) -> _Keyword:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterable[ValidationError] | None:
        size = len(instance) if isinstance(instance, dict | list) else 0
        # The library looks every item up in a list of all.
        steps.spend(1 + size * size // 100 if name.startswith("unevaluated") else 1 + size // 100)
        return keyword(validator, value, instance, schema)

    return counted


def _pattern_keyword(steps: _Steps) -> _Keyword:
    def pattern(validator: Any, source: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and not steps.pattern(source).search(instance):
            yield ValidationError(f"{instance!r} does not match {source!r}")

    return pattern


def _pattern_properties(steps: _Steps) -> _Keyword:
    def pattern_properties(validator: Any, sources: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if not isinstance(instance, dict):
            return
        for source, inner in sources.items():
            pattern = steps.pattern(source)
            for key, value in instance.items():
                if pattern.search(key):
                    yield from validator.descend(value, inner, path=key, schema_path=source)

    return pattern_properties


def _additional_properties(steps: _Steps) -> _Keyword:
    def additional(validator: Any, inner: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if not isinstance(instance, dict):
            return
        named = schema.get("properties", {})
        patterns = [steps.pattern(source) for source in schema.get("patternProperties", {})]
        extras = [key for key in instance if key not in named and not any(one.search(key) for one in patterns)]
        if isinstance(inner, dict):
            for extra in extras:
                yield from validator.descend(instance[extra], inner, path=extra)
        elif not inner and extras:
            yield ValidationError(f"unexpected {', '.join(map(repr, sorted(extras)))}")

    return additional


def _unique_items(validator: Any, unique: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if unique and isinstance(instance, list) and len({_identity(item) for item in instance}) < len(instance):
        yield ValidationError(f"{instance!r:.160} has non-unique elements")


def _identity(value: JSON) -> Any:
    """A hashable that is equal for equal JSON values and only for them."""
    if isinstance(value, dict):
        return "object", frozenset((key, _identity(item)) for key, item in value.items())
    if isinstance(value, list):
        return "array", tuple(map(_identity, value))
    return ("boolean" if isinstance(value, bool) else "scalar"), value
