"""Reading scripts: YAML, or the same as Python values, with a place for everything that is wrong."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

import yaml

from harness.simulator.plain import JSON
from harness.simulator.validation import BOOLEAN, STRING, Form, Schema, closed, join

_Path: TypeAlias = tuple[str | int, ...]

_TEXTS: Schema = {"type": ["string", "array"], "minItems": 1, "items": STRING}
_SECONDS: Schema = {"type": "number", "minimum": 0, "maximum": 3600}
_COUNT: Schema = {"type": "integer", "minimum": 0}
MATCH: Mapping[str, Schema] = {
    **dict.fromkeys(("contains", "system", "model", "tools"), _TEXTS),
    "regex": STRING,
    "api": {"enum": ["chat", "responses", "threads"]},
    "tool": STRING,
    **dict.fromkeys(("turn", "after"), _COUNT),
    "last": {"enum": ["system", "developer", "user", "assistant", "tool"]},
}
_CALL = closed({"name": STRING, "arguments": {"type": ["object", "string"]}, "id": STRING}, "name")
_RUN = closed(
    {
        "code": STRING,
        "logs": STRING,
        "files": {
            "type": "object",
            "additionalProperties": {"anyOf": [STRING, closed({"base64": STRING}, "base64")]},
        },
    },
    "code",
)


def _one_or_more(schema: Schema) -> Schema:
    return {
        "type": ["object", "array"],
        "if": {"type": "array"},
        "then": {"minItems": 1, "items": schema},
        "else": schema,
    }


ANSWER: Mapping[str, Schema] = {
    "reply": STRING,
    "chunks": {"type": "array", "minItems": 1, "items": STRING},
    "call": _one_or_more(_CALL),
    "refuse": STRING,
    "reason": STRING,
    "run_code": _one_or_more(_RUN),
    "search": _TEXTS,
    "cut": BOOLEAN,
    "filter": BOOLEAN,
    "fail": closed(
        {
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "code": STRING,
            "message": STRING,
            "headers": {"type": "object", "additionalProperties": STRING},
            "partial": BOOLEAN,
            "after": _COUNT,
        },
        "status",
    ),
    "delay": _SECONDS,
    "pace": _SECONDS,
    "usage": closed(dict.fromkeys(("input", "output", "cached", "reasoning"), _COUNT), "input", "output"),
}
#: What an answer cannot do without: one of these.
_SPEAKS = ("reply", "chunks", "call", "refuse", "run_code", "search", "reason", "fail")
_RULE = closed({**ANSWER, "match": closed(MATCH), "times": {"type": "integer", "minimum": 1}})
_SCRIPT = closed(
    {
        "rules": {"type": "array", "items": _RULE},
        "default": closed(ANSWER),
        "models": {"type": "array", "items": STRING},
    }
)
#: What headers may be called and say (RFC 9110, section 5), and those that frame an answer.
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x20-\x7e\t]*")
_FRAMING = ("content-length", "transfer-encoding", "connection", "content-type")
_PLACEHOLDER = re.compile(r"\{\{\s*(.*?)\s*\}\}")
#: What a text may ask for.
PLACEHOLDERS = ("input", "result")


class ScriptError(ValueError):
    """A script cannot be used; the message says where (file and line, or the rule) and why."""


@cache
def _form() -> Form:
    return Form(_SCRIPT)


def load(path: Path) -> dict[str, JSON]:
    """Read a script.

    Args:
        path: A YAML file: a list of rules, or `rules:`, `default:` and `models:`.

    Raises:
        ScriptError: It cannot be read, or is no script.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ScriptError(f"{path}: cannot be read: {reason}.") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise ScriptError(f"{path}:{mark.line + 1 if mark else 1}: {error.problem}.") from None
    except RecursionError:
        raise ScriptError(f"{path}:1: this is nested too deeply.") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ScriptError(f"{path}:1: this is no YAML: {error}.") from None
    try:
        return _read(path, node, value)
    except RecursionError:
        raise ScriptError(f"{path}:1: this is nested too deeply.") from None


def _read(path: Path, node: yaml.Node | None, value: JSON) -> dict[str, JSON]:
    lines: dict[_Path, int] = {}
    if node is not None:
        circle = _circle(node, ())
        if circle is not None:
            raise ScriptError(f"{path}:{circle.start_mark.line + 1}: this is a part of itself: write it out.")
        _note(node, (), lines)
    bare = isinstance(value, list)
    return _checked(value, _Places(str(path), lines, bare=bare))


def checked(script: Sequence[Mapping[str, JSON]] | Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a script that comes as Python values: a list of rules, or a mapping as in a file.

    Raises:
        ScriptError: It is no script.
    """
    if isinstance(script, Mapping):
        return _checked(dict(script), _Places(None, {}, bare=False))
    return _checked(list(script), _Places(None, {}, bare=True))


def _circle(node: yaml.Node, outer: tuple[yaml.Node, ...]) -> yaml.Node | None:
    """The first node that refers to itself, if one does."""
    if any(node is one for one in outer):
        return node
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        inner = [one for pair in node.value for one in pair]
    elif isinstance(node, yaml.SequenceNode):
        inner = node.value
    found = (_circle(one, (*outer, node)) for one in inner)
    return next((one for one in found if one is not None), None)


def _note(node: yaml.Node, path: _Path, lines: dict[_Path, int]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, inner in node.value:
            at = (*path, str(getattr(key, "value", "")))
            lines[at] = key.start_mark.line + 1
            _note(inner, at, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, inner in enumerate(node.value):
            _note(inner, (*path, number), lines)


class _Places:
    """Where things stand in a script."""

    def __init__(self, file: str | None, lines: Mapping[_Path, int], *, bare: bool) -> None:
        self._file = file
        self._lines = lines
        #: The file is the list of rules itself.
        self._bare = bare

    def error(self, path: Sequence[str | int], message: str) -> ScriptError:
        """Return the error for what stands at a path."""
        if self._file is None:
            return ScriptError(f"{join(list(path)) or 'script'}: {message}")
        at = tuple(path[1:]) if self._bare and path[:1] == ["rules"] else tuple(path)
        while at and at not in self._lines:
            at = at[:-1]
        return ScriptError(f"{self._file}:{self._lines.get(at, 1)}: {message}")


def _checked(value: JSON, places: _Places) -> dict[str, JSON]:
    script = {"rules": value} if isinstance(value, list) else value
    if not isinstance(script, dict):
        raise places.error([], "a script is a list of rules, or a mapping with 'rules', 'default' and 'models'.")
    wrong = _form().problem(script)
    if wrong is not None:
        path, message = wrong
        raise places.error(path, message)
    answers: list[tuple[list[str | int], Mapping[str, JSON]]] = [
        (["rules", number], rule) for number, rule in enumerate(script.get("rules") or ())
    ]
    if "default" in script:
        answers.append((["default"], script["default"]))
    for path, answer in answers:
        _check_answer(path, answer, places)
    return script


def _check_answer(path: list[str | int], answer: Mapping[str, JSON], places: _Places) -> None:
    if not any(name in answer for name in _SPEAKS):
        raise places.error(path, f"this says nothing: give one of {', '.join(_SPEAKS)}.")
    for one, other in (("reply", "chunks"), ("reply", "refuse"), ("chunks", "refuse"), ("cut", "filter")):
        if answer.get(one) and answer.get(other):
            raise places.error([*path, other], f"'{one}' and '{other}' exclude each other: keep one.")
    pattern = (answer.get("match") or {}).get("regex")
    if pattern is not None:
        try:
            re.compile(pattern)
        except re.error as error:
            raise places.error([*path, "match", "regex"], f"this is no regular expression: {error}.") from None
    _check_sendable(path, answer, places)
    for at, text in _texts(answer, path):
        if not _is_text(text):
            raise places.error(at, "this has half a character: it cannot be sent.")
        if at[-1] == "base64" and not _is_base64(text):
            raise places.error(at, "this is no base64.")
        for name in _PLACEHOLDER.findall(text):
            if name not in PLACEHOLDERS:
                known = " and ".join(f"{{{{ {one} }}}}" for one in PLACEHOLDERS)
                raise places.error(at, f"there is no {{{{ {name} }}}}: there are {known}.")


def _check_sendable(path: list[str | int], answer: Mapping[str, JSON], places: _Places) -> None:
    for name in ("delay", "pace"):
        if not math.isfinite(answer.get(name, 0)):
            raise places.error([*path, name], f"'{name}' must be a number of seconds.")
    for name, value in ((answer.get("fail") or {}).get("headers") or {}).items():
        at = [*path, "fail", "headers", name]
        if not _HEADER.fullmatch(name):
            raise places.error(at, f"'{name}' cannot be the name of a header.")
        if name.lower() in _FRAMING:
            raise places.error(at, f"'{name}' is set by the simulator: leave it out.")
        if not _VALUE.fullmatch(value):
            raise places.error(at, f"the header '{name}' has a character that none can have: plain ASCII, in one line.")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True


def _texts(value: JSON, path: list[str | int]) -> list[tuple[list[str | int], str]]:
    if isinstance(value, str):
        return [(path, value)]
    if isinstance(value, Mapping):
        return [found for name, inner in value.items() if name != "match" for found in _texts(inner, [*path, name])]
    if isinstance(value, list):
        return [found for number, inner in enumerate(value) for found in _texts(inner, [*path, number])]
    return []


def filled(value: JSON, values: Mapping[str, str]) -> JSON:
    """Return a value with the placeholders in its texts filled in."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: values[found[1]], value)
    if isinstance(value, dict):
        return {name: filled(inner, values) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, values) for inner in value]
    return value
