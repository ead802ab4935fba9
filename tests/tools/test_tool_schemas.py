"""A Python function as the model is told of it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

import harness.tools as tools
from harness.errors import UsageError
from harness.functions import Functions, Place, ReferenceProblem
from harness.tools import Tool, ToolSpec, load_tools, tool_of


@dataclass
class Address:
    street: str
    number: int = 1


class Item(BaseModel):
    sku: str = Field(description="Stock number")
    amount: Decimal = Decimal(1)


class Options(TypedDict, total=False):
    express: bool


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def order(
    item: Item,
    to: Address,
    colour: Colour,
    size: Literal["s", "m"],
    options: Options,
    on: date | None = None,
    gift: bool = False,
    tags: Annotated[list[str], Field(max_length=3)] = [],
) -> dict[str, Any]:
    """Order an item.

    It is sent
    at once.

    Args:
        item: What to order.
        to (Address): Where it goes: street
            and number.
        gift: Wrap it.

    Returns:
        The receipt.
    """
    return {}


def test_types_defaults_and_docstring_make_the_schema() -> None:
    tool = tool_of(order)
    assert (tool.name, tool.description) == ("order", "Order an item.\n\nIt is sent at once.")
    schema = dict(tool.parameters)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["required"] == ["item", "to", "colour", "size", "options"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["to"]["description"] == "Where it goes: street and number."
    assert properties["gift"] == {"type": "boolean", "default": False, "description": "Wrap it."}
    assert properties["size"] == {"enum": ["s", "m"], "type": "string"}
    assert properties["tags"]["maxItems"] == 3
    assert properties["on"]["anyOf"] == [{"type": "string", "format": "date"}, {"type": "null"}]
    assert schema["$defs"]["Item"]["properties"]["sku"]["description"] == "Stock number"
    assert "title" not in str(schema)


def google(a: int, b: str) -> None:
    """Do it.

    Arguments:
      a: The first.
      b: The second,
        on two lines.
    """


def numpy(a: int, b: str) -> None:
    """Do it.

    Parameters
    ----------
    a : int
        The first.
    b : str
        The second,
        on two lines.

    Returns
    -------
    None
    """


def sphinx(a: int, b: str) -> None:
    """Do it.

    :param a: The first.
    :param str b: The second,
        on two lines.
    :returns: nothing
    """


def one_line(a: int, b: str) -> None:
    """Do it.  Args: a: The first. b: The second, on two lines.  Returns: nothing"""


@pytest.mark.parametrize("function", [google, numpy, sphinx, one_line], ids=lambda one: one.__name__)
def test_docstrings_of_every_style_are_read(function: Any) -> None:
    tool = tool_of(function)
    assert tool.description == "Do it."
    properties = tool.parameters["properties"]
    assert properties["a"]["description"].rstrip(".") == "The first"
    assert properties["b"]["description"].rstrip(".") == "The second, on two lines"


def test_words_beside_a_type_win_over_the_docstring() -> None:
    def look(a: Annotated[int, Field(description="from the field")], b: Annotated[int, "from the words"]) -> None:
        """Look.

        Args:
            a: from the docstring
            b: from the docstring
        """

    properties = tool_of(look).parameters["properties"]
    assert properties["a"]["description"] == "from the field"
    assert properties["b"]["description"] == "from the words"


def test_names_that_models_of_data_use_themselves_are_no_trouble() -> None:
    def look(json: str, copy: int, model_config: str, _private: int, schema: str = "x") -> None:
        """Look."""

    tool = tool_of(look)
    assert list(tool.parameters["properties"]) == ["json", "copy", "model_config", "_private", "schema"]
    given = {"json": "a", "copy": 1, "model_config": "b", "_private": 2}
    assert tool.validate(given) == given


def test_env_and_session_are_not_shown_to_the_model() -> None:
    def look(city: str, env: Any, session: Any) -> None:
        """Look."""

    assert list(tool_of(look).parameters["properties"]) == ["city"]


def test_a_function_without_parameters_takes_an_empty_object() -> None:
    def now() -> str:
        """The time."""
        return ""

    assert tool_of(now).parameters == {"type": "object", "properties": {}, "additionalProperties": False}


def test_objects_with_call_and_partial_functions_are_tools() -> None:
    class Search:
        """Searches."""

        def __call__(self, words: str) -> str:
            return words

    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    assert tool_of(Search()).parameters["required"] == ["words"]
    partial = tool_of(functools.partial(add, 1))
    assert (partial.name, partial.description, partial.parameters["required"]) == ("add", "Add.", ["b"])


def unhinted(a, b: int) -> None: ...


def starred(*words: str) -> None: ...


def double_starred(**words: str) -> None: ...


def unknown_type(a: NoSuchType) -> None: ...  # noqa: F821


class Strange:
    pass


def strange(a: Strange) -> None: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (unhinted, r"'a' has no type hint; write one, such as `a: str`"),
        (starred, r"cannot be told about \*words; name each parameter"),
        (double_starred, r"cannot be told about \*\*words"),
        (unknown_type, "names 'NoSuchType', which is not known"),
        (strange, "cannot be checked"),
        (lambda: 1, "'<lambda>' cannot be a tool's name"),
        (dict, "."),
    ],
)
def test_what_cannot_be_described_is_refused_with_a_reason(function: Any, message: str) -> None:
    with pytest.raises(ReferenceProblem, match=message):
        tool_of(function)


def test_strict_schemas_require_everything_and_allow_nothing_else() -> None:
    @tools.tool(strict=True)
    def send(
        to: Address, note: Annotated[Item, Field(description="What")], amount: int = 3, by: str | None = None
    ) -> None:
        """Send."""

    tool = tool_of(send)
    assert tool.strict
    assert tool.definition.plain()["strict"] is True
    schema = tool.parameters
    assert schema["required"] == ["to", "note", "amount", "by"]
    assert schema["$defs"]["Address"]["required"] == ["street", "number"]
    assert schema["$defs"]["Address"]["additionalProperties"] is False
    # Nothing may stand beside a reference, so that one is written out.
    assert schema["properties"]["to"] == {"$ref": "#/$defs/Address"}
    assert schema["properties"]["note"]["properties"]["sku"]["type"] == "string"
    assert schema["properties"]["note"]["description"] == "What"
    assert "default" not in str(schema)


def test_a_mapping_of_any_names_cannot_be_strict() -> None:
    @tools.tool(strict=True)
    def send(amounts: dict[str, int]) -> None:
        """Send."""

    with pytest.raises(ReferenceProblem, match="cannot be `strict`.*keys of any name"):
        tool_of(send)


def test_the_decorator_leaves_a_function_as_it_was_and_tells_how_it_serves() -> None:
    @tools.tool
    def plain(a: int) -> int:
        """Plain."""
        return a + 1

    @tools.tool(pure=True, name="other", description="Does it.")
    def described(a: int) -> int:
        """Described."""
        return a + 2

    assert (plain(1), described(1)) == (2, 3)
    assert (tool_of(plain).name, tool_of(plain).replay) == ("plain", "recorded")
    found = tool_of(described)
    assert (found.name, found.description, found.replay) == ("other", "Does it.", "execute")


def test_the_decorator_refuses_what_it_cannot_mark() -> None:
    with pytest.raises(UsageError, match="recorded, execute, verify"):
        tools.tool(replay="never")  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="not a str"):
        tools.tool("search")  # type: ignore[type-var]
    with pytest.raises(UsageError, match="wrap it"):
        tools.tool(len)


def loaded(tmp_path: Path, spec: ToolSpec, code: str, world: str | None = None) -> Tool:
    (tmp_path / "t.py").write_text(code)
    functions, place = Functions(), Place(root=tmp_path, folder=tmp_path)
    made = functions.load(f"./t.py:{world}", place=place) if world else None
    [tool] = load_tools([spec], functions=functions, place=place, world_class=made)
    return tool


SHOP = """
from __future__ import annotations

class Shop:
    def refund(self, order_id: str, amount: float = 1.0) -> str:
        "Refund an order."
        return order_id

    @staticmethod
    def opening(day: str) -> str:
        "When it is open."
        return day

    def _secret(self) -> None: ...

def make() -> Shop:
    return Shop()

def make_one():
    return Shop()

def reads(env: Shop, order_id: str) -> str:
    "Reads."
    return order_id
"""


@pytest.mark.parametrize("world", ["Shop", "make", "make_one"])
def test_methods_of_a_world_are_tools_whatever_makes_it(tmp_path: Path, world: str) -> None:
    tool = loaded(tmp_path, ToolSpec(kind="env", reference="env:refund"), SHOP, world)
    assert (tool.name, tool.description, tool.replay) == ("refund", "Refund an order.", "execute")
    assert list(tool.parameters["properties"]) == ["order_id", "amount"]
    static = loaded(tmp_path, ToolSpec(kind="env", reference="env:opening"), SHOP, world)
    assert list(static.parameters["properties"]) == ["day"]


@pytest.mark.parametrize(
    ("spec", "world", "message"),
    [
        (
            ToolSpec(kind="env", reference="env:refnd"),
            "Shop",
            "Shop has no public method 'refnd'. Did you mean 'refund'",
        ),
        (ToolSpec(kind="env", reference="env:_secret"), "Shop", "no public method"),
        (ToolSpec(kind="env", reference="env:refund"), None, "there is no `env:`"),
        (ToolSpec(kind="function", reference="./t.py:reads"), None, "takes `env`, the world"),
        (ToolSpec(kind="function", reference="./t.py:red"), None, "has no 'red'; did you mean 'reads'"),
        (ToolSpec(kind="function", reference="./none.py:f"), None, "no file"),
        (
            ToolSpec(kind="function", reference="./t.py:reads", parameters={"properties": {"id": {}}}),
            "Shop",
            "takes no argument 'id', which its `parameters:` name",
        ),
        (
            ToolSpec(kind="function", reference="./t.py:reads", parameters={"properties": {}}),
            "Shop",
            "needs the argument 'order_id', which its `parameters:` do not name",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_loaded_is_refused_with_a_reason(
    tmp_path: Path, spec: ToolSpec, world: str | None, message: str
) -> None:
    with pytest.raises(ReferenceProblem, match=message):
        loaded(tmp_path, spec, SHOP, world)


def test_the_suite_says_more_than_the_decorator_and_that_more_than_the_signature(tmp_path: Path) -> None:
    code = """
import harness.tools
@harness.tools.tool(pure=True, name="marked", description="Marked.")
def f(a: int) -> int:
    "Written."
    return a
"""
    plain = loaded(tmp_path, ToolSpec(kind="function", reference="./t.py:f"), code)
    assert (plain.name, plain.description, plain.replay) == ("marked", "Marked.", "execute")
    spec = ToolSpec(
        kind="function",
        reference="./t.py:f",
        name="suite",
        description="Suite.",
        replay="verify",
        parameters={"properties": {"a": {"type": "integer", "maximum": 3}}},
    )
    said = loaded(tmp_path, spec, code)
    assert (said.name, said.description, said.replay) == ("suite", "Suite.", "verify")
    assert said.parameters == {"type": "object", "properties": {"a": {"type": "integer", "maximum": 3}}}


@pytest.mark.parametrize(
    ("spec", "replay"),
    [
        (ToolSpec(kind="function", reference="./t.py:f"), "recorded"),
        (ToolSpec(kind="function", reference="./t.py:f", pure=True), "execute"),
        (ToolSpec(kind="function", reference="./t.py:f", pure=True, replay="recorded"), "recorded"),
        (ToolSpec(kind="function", reference="./t.py:reads"), "execute"),
        (ToolSpec(kind="function", reference="./t.py:reads", replay="verify"), "verify"),
        (ToolSpec(kind="env", reference="env:refund"), "execute"),
        (ToolSpec(kind="env", reference="env:refund", replay="recorded"), "recorded"),
        (ToolSpec(kind="declared", name="x"), "recorded"),
    ],
    ids=str,
)
def test_what_runs_again_on_replay_where_nothing_says_so(tmp_path: Path, spec: ToolSpec, replay: str) -> None:
    code = SHOP + "\ndef f(a: int) -> int:\n    return a\n"
    assert loaded(tmp_path, spec, code, "Shop").replay == replay


def test_tools_of_others_are_passed_over_and_two_of_one_name_refused(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("def f(a: int) -> int:\n    return a\n")
    functions, place = Functions(), Place(root=tmp_path, folder=tmp_path)
    others = [
        ToolSpec(kind="builtin", name="web_search"),
        ToolSpec(kind="mcp", options={"url": "http://localhost"}),
        ToolSpec(kind="assistant", reference="a", name="a"),
    ]
    assert load_tools(others, functions=functions, place=place) == ()
    twice = [ToolSpec(kind="function", reference="./t.py:f"), ToolSpec(kind="declared", name="f")]
    with pytest.raises(ReferenceProblem, match="two tools are called 'f'"):
        load_tools(twice, functions=functions, place=place)
