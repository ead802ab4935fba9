"""Reading scripts: YAML, or the same as Python values, with a place for everything that is wrong."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from harness.simulator import placed
from harness.simulator.placed import FormError, Places
from harness.simulator.plain import JSON
from harness.simulator.validation import BOOLEAN, STRING, Form, Schema, closed

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


class ScriptError(FormError):
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
    value, places = placed.load(path, ScriptError, bare="rules")
    try:
        return _checked(value, places)
    except RecursionError:
        raise ScriptError(f"{path}:1: this is nested too deeply.") from None


def checked(script: Sequence[Mapping[str, JSON]] | Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a script that comes as Python values: a list of rules, or a mapping as in a file.

    Raises:
        ScriptError: It is no script.
    """
    if isinstance(script, Mapping):
        return _checked(dict(script), Places(ScriptError, whole="script"))
    return _checked(list(script), Places(ScriptError, whole="script"))


def _checked(value: JSON, places: Places) -> dict[str, JSON]:
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


def _check_answer(path: list[str | int], answer: Mapping[str, JSON], places: Places) -> None:
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


def _check_sendable(path: list[str | int], answer: Mapping[str, JSON], places: Places) -> None:
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
