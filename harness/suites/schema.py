"""JSON Schemas (draft 2020-12) of the files that people write, so that editors complete and check them.

They are made from the models and scorers that read the files. What a schema cannot know (whether a prompt exists, which
settings an API lacks, what two entries have to do with each other) is for `harness validate` to say.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from harness.errors import StorageError
from harness.plugins import Registry
from harness.suites.checkschema import CHECKS, check_definitions
from harness.suites.fields import AssistantFields, CaseFields, DatasetFields, SuiteFields, VariantFields
from harness.suites.matrix import AXES, LARGEST
from harness.suites.modelschema import JSONSchema, definitions, without_null
from harness.tools import ToolEntry

Kind: TypeAlias = Literal["suite", "prompt", "settings"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: What takes a list of checks.
_CHECKED = ("SuiteFields", "CaseFields", "TurnFields", "DatasetFields")


def schema(kind: Kind, registry: Registry) -> JSONSchema:
    """Return the JSON Schema of a kind of file.

    Args:
        kind: `suite`: a suite file; `prompt`: the front matter of a prompt; `settings`: the table [tool.harness].
        registry: The scorers that suites may name.
    """
    found = {"suite": _suite, "prompt": _prompt, "settings": _settings}[kind](registry)
    return {"$schema": _DIALECT, **found}


def text(kind: Kind, registry: Registry) -> str:
    """Return the JSON Schema of a kind of file as the text of one; see `schema`."""
    return json.dumps(schema(kind, registry), indent=2, ensure_ascii=False) + "\n"


def write(folder: Path, kinds: Sequence[Kind], registry: Registry) -> list[Path]:
    """Write JSON Schemas as `<kind>.schema.json` into a folder, which is made if need be; return the files.

    Raises:
        StorageError: One cannot be written.
    """
    written = []
    for kind in kinds:
        path = folder / f"{kind}.schema.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text(kind, registry), encoding="utf-8")
        except OSError as error:
            raise StorageError.of(path, error) from None
        written.append(path)
    return written


def _suite(registry: Registry) -> JSONSchema:
    defs = definitions([SuiteFields, AssistantFields, VariantFields, CaseFields, DatasetFields, ToolEntry])
    for name in _CHECKED:
        _put(defs, name, "expect", CHECKS)
    for name in ("SuiteFields", "AssistantFields", "VariantFields"):
        defs[name]["not"] = {
            "required": ["prompt", "system"],
            "properties": {"prompt": {"type": "string"}, "system": {"type": "string"}},
        }
    for name in ("Gates", "TagGates"):
        _pass_k(defs[name])
    _conversation(defs["CaseFields"])
    _put(defs, "SuiteFields", "variants", _VARIANTS)
    _put(defs, "SuiteFields", "matrix", _matrix())
    _put(defs, "SuiteFields", "assistants", _NAMED)
    for name in ("SuiteFields", "AssistantFields", "VariantFields"):
        _put(defs, name, "tools", {"type": "array", "items": {"$ref": "#/$defs/ToolEntry"}})
    _put(defs, "CaseFields", "mocks", _MOCKS)
    _put(defs, "SuiteFields", "cases", _CASES)
    top = defs.pop("SuiteFields")
    return {"title": "Suite", **top, "$defs": {**defs, **check_definitions(registry)}}


def _prompt(registry: Registry) -> JSONSchema:
    from harness.prompts.frontmatter import FrontMatter

    defs = definitions([FrontMatter])
    top = defs.pop("FrontMatter")
    # A key without a value is refused by whoever reads it.
    top["properties"] = {name: without_null(one) for name, one in top["properties"].items()}
    return {"title": "Front matter of a prompt", **top, "$defs": defs}


def _settings(registry: Registry) -> JSONSchema:
    from harness.settings import Settings

    defs = definitions([Settings])
    top = defs.pop("Settings")
    # The root is where pyproject.toml is, and TOML has no null.
    del top["properties"]["root"], top["required"]
    top["properties"] = {name: without_null(one) for name, one in top["properties"].items()}
    return {"title": "The table [tool.harness] in pyproject.toml", **top, "$defs": defs}


_VARIANT: JSONSchema = {"$ref": "#/$defs/VariantFields"}
_REFERENCE: JSONSchema = {"type": "string", "description": "Prompt reference, such as faq@2"}
_VARIANTS: JSONSchema = {
    "anyOf": [
        {"type": "array", "minItems": 1, "items": {"anyOf": [_REFERENCE, _VARIANT]}},
        {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"anyOf": [_REFERENCE, _VARIANT, {"type": "null"}]},
        },
    ]
}
_NAMED: JSONSchema = {
    "type": "object",
    "additionalProperties": {"anyOf": [{"$ref": "#/$defs/AssistantFields"}, {"type": "null"}]},
}
_MOCKS: JSONSchema = {"type": "object", "description": "Results of tools, by the tool's name"}
_DATASET: JSONSchema = {"$ref": "#/$defs/DatasetFields"}
_CASES: JSONSchema = {
    "anyOf": [
        {"type": "string", "minLength": 1, "description": "Path of a dataset"},
        _DATASET,
        {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "if": {"required": ["file"]},
                "then": _DATASET,
                "else": {"$ref": "#/$defs/CaseFields"},
            },
        },
    ]
}


def _put(defs: JSONSchema, model: str, key: str, schema: JSONSchema) -> None:
    """Give a key that its model takes as it is the schema that its own reader asks for."""
    properties = defs[model]["properties"]
    properties[key] = {"description": properties[key]["description"], **schema}


def _matrix() -> JSONSchema:
    def axis(name: str) -> JSONSchema:
        owner = "VariantFields" if name == "vars" else "AssistantFields"
        setting = {"$ref": f"#/$defs/{owner}/properties/{name}"}
        return {
            "anyOf": [
                {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": LARGEST,
                    "uniqueItems": True,
                    "items": {"type": ["string", "number", "boolean"], "allOf": [setting]},
                },
                {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": LARGEST,
                    "additionalProperties": {"allOf": [setting, {"not": {"type": "null"}}]},
                },
            ]
        }

    return {
        "type": "object",
        "minProperties": 1,
        "properties": {name: axis(name) for name in AXES},
        "additionalProperties": False,
        "not": {"required": ["prompt", "system"]},
    }


def _pass_k(gates: JSONSchema) -> None:
    """Write `pass^k` as people do: `pass^3: 0.75`."""
    described = gates["properties"].pop("pass^k")["description"]
    gates["patternProperties"] = {
        r"^pass\^[1-9][0-9]*$": {"type": "number", "minimum": 0, "maximum": 1, "description": described}
    }


def _conversation(case: JSONSchema) -> None:
    """Ask for `input` or `turns`; shape the messages of `history`."""
    text = {"type": "string"}
    case["properties"]["history"]["items"] = {
        "type": "object",
        "properties": {"user": text, "assistant": text},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    case["properties"]["input"]["anyOf"].append({"type": "null"})
    case["oneOf"] = [
        {"required": ["input"], "properties": {"input": {"not": {"type": "null"}}, "turns": {"maxItems": 0}}},
        {"required": ["turns"], "properties": {"turns": {"minItems": 1}, "input": {"type": "null"}}},
    ]
