from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from harness.errors import ConfigError
from harness.functions import Functions, Place, ReferenceProblem
from harness.plugins import InvalidArgument, Registry, hookimpl, registry_of
from harness.records import Score
from harness.scorers import default_registry
from harness.scorers.transforms import Transform

BUILT_IN = [
    "contains",
    "contains_all",
    "contains_any",
    "cost",
    "end_run",
    "ends_with",
    "equals",
    "finish_reason",
    "icontains",
    "is_json",
    "json_path",
    "json_schema",
    "latency",
    "numeric",
    "one_of",
    "python",
    "refused",
    "regex",
    "starts_with",
    "state",
    "tokens",
    "tool_args",
    "tool_called",
    "tool_count",
    "tool_sequence",
    "tool_valid",
    "trajectory",
    "ttft",
    "turns",
    "word_count",
]


class Shout:
    """The answer is in capitals."""

    name = "shout"
    summary = "the answer is in capitals"
    Argument = bool

    def score(self, context: Any, argument: bool) -> Score:
        return Score(value=1.0, passed=context.output.isupper() is argument)


def plugin(*scorers: Any) -> Any:
    class Plugin:
        @hookimpl
        def harness_scorers(self) -> Any:
            return scorers

    return Plugin()


def registry(*scorers: Any) -> Registry:
    return registry_of([plugin(*scorers)], transform=Transform, entry_points=False)


def test_the_built_in_scorers() -> None:
    found = default_registry(entry_points=False)
    assert found.names() == BUILT_IN
    for name in found.names():
        scorer = found.get(name)
        assert scorer.name == name
        assert scorer.summary and scorer.summary[0].islower() and not scorer.summary.endswith(".")
        assert scorer.__doc__
        assert found.source(name) == "built-in"
        assert TypeAdapter(scorer.Argument).json_schema() is not None


def test_a_plugin_adds_scorers(tmp_path: Path) -> None:
    found = registry(Shout())
    place = Place(root=tmp_path, folder=tmp_path)
    assert found.names() == ["shout"] and "shout" in found and "whisper" not in found
    assert found.prepare("shout", True, place=place) is True
    assert found.complaints("shout", "maybe", place=place) != []


def named(name: Any) -> Any:
    return type("Other", (Shout,), {"name": name})()


@pytest.mark.parametrize(
    ("scorers", "said"),
    [
        ([Shout(), Shout()], "'shout' exists already, from built-in"),
        ([named("not")], "'not' cannot be a scorer's name"),
        ([named("weight")], "cannot be a scorer's name"),
        ([named("Has Spaces")], "cannot be a scorer's name"),
        ([named(None)], "it lacks a text name"),
        ([object()], "is no scorer: it lacks name, summary, Argument, score"),
        (3, "failed: TypeError"),
    ],
)
def test_plugins_that_cannot_be_used_are_named(scorers: Any, said: str) -> None:
    broken = (
        plugin(*scorers)
        if isinstance(scorers, list)
        else type("P", (), {"harness_scorers": hookimpl(lambda self: 3)})()
    )
    with pytest.raises(ConfigError) as raised:
        registry_of([broken], transform=Transform, entry_points=False)
    assert said in str(raised.value)


def test_installed_plugins_are_found_by_their_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shouting_plugin.py").write_text(
        "from harness.plugins import hookimpl\nfrom harness.records import Score\n"
        "class Shout:\n    'In capitals.'\n    name = 'shout'\n    summary = 'in capitals'\n    Argument = bool\n"
        "    def score(self, context, argument): return Score(value=1.0, passed=True)\n"
        "@hookimpl\ndef harness_scorers(): return [Shout()]\n"
    )
    info = tmp_path / "shouting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness]\nshout = shouting_plugin\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert default_registry().source("shout") == "plugin shouting (shout)"
    (info / "entry_points.txt").write_text("[harness]\nshout = no_such_plugin_module\n")
    with pytest.raises(ConfigError, match="plugin shouting .shout. cannot be loaded: ModuleNotFoundError"):
        default_registry()


def test_unknown_scorers_get_a_suggestion(tmp_path: Path) -> None:
    place = Place(root=tmp_path, folder=tmp_path)
    found = default_registry(entry_points=False)
    (complaint,) = found.complaints("contians", "x", place=place)
    assert str(complaint) == "unknown scorer 'contians'. Did you mean 'contains'?"
    (complaint,) = found.complaints("qqqqqqqq", "x", place=place)
    assert complaint.hint == "`harness list scorers` shows all."
    with pytest.raises(InvalidArgument):
        found.get("contians")


def test_complaints_lead_to_the_place(tmp_path: Path) -> None:
    found = default_registry(entry_points=False)
    place = Place(root=tmp_path, folder=tmp_path)
    complaints = found.complaints(
        "json_path", {"path": "$.a", "colour": 1}, place=place, transform="lowr", args={"a": 1}
    )
    assert sorted(complaint.loc for complaint in complaints) == [("args",), ("json_path", "colour"), ("transform",)]
    (complaint,) = found.complaints("contains_any", ["a", ""], place=place)
    assert complaint.loc == ("contains_any", 1)


def test_equal_arguments_are_prepared_once_and_unequal_ones_are_kept_apart(tmp_path: Path) -> None:
    found = default_registry(entry_points=False)
    place = Place(root=tmp_path, folder=tmp_path)
    assert found.prepare("regex", "a+", place=place) is found.prepare("regex", "a+", place=place)
    assert found.prepare("equals", 1, place=place) is not True
    assert found.prepare("equals", True, place=place) is True
    assert found.prepare("equals", "[1]", place=place) == "[1]"
    assert found.prepare("equals", [1], place=place) == [1]
    for number in range(10_000):
        assert found.prepare("contains", f"text {number}", place=place) == f"text {number}"


def test_each_registry_reads_the_files_anew(tmp_path: Path) -> None:
    place = Place(root=tmp_path, folder=tmp_path)
    (tmp_path / "f.py").write_text("def f(): return 1")
    assert Functions().load("f.py:f", place=place)() == 1
    (tmp_path / "f.py").write_text("def f(): return 2")
    functions = Functions()
    assert functions.load("f.py:f", place=place)() == 2
    assert functions.load("./f.py:f", place=place) is functions.load("f.py:f", place=place)


def test_names_may_be_dotted_and_files_may_use_dataclasses(tmp_path: Path) -> None:
    (tmp_path / "my-checks.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass A:\n    x: int = 1\n    @staticmethod\n    def f(): return A().x\n"
    )
    assert Functions().load("./my-checks.py:A.f", place=Place(root=tmp_path, folder=tmp_path))() == 1


def test_what_lies_outside_is_read_only_if_that_is_allowed(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "out.py").write_text("def f(): return 1")
    (folder / "link.py").symlink_to(tmp_path / "out.py")
    for reference in ("../out.py:f", "link.py:f", f"{tmp_path}/out.py:f"):
        with pytest.raises(ReferenceProblem, match="outside the project"):
            Functions().load(reference, place=Place(root=folder, folder=folder))
        assert Functions().load(reference, place=Place(root=folder, folder=folder, allow_outside=True))() == 1


@pytest.mark.parametrize(
    "reference", ["a\0b.py:f", "x" * 5000 + ".py:f", "loop.py:f", "..:f", ":f", "f.py:", "f.py:a b"]
)
def test_odd_references_are_problems_and_nothing_else(tmp_path: Path, reference: str) -> None:
    (tmp_path / "loop.py").symlink_to(tmp_path / "loop.py")
    with pytest.raises(ReferenceProblem):
        Functions().load(reference, place=Place(root=tmp_path, folder=tmp_path))


def test_scorers_load_no_heavy_library_before_they_need_it() -> None:
    code = (
        "import sys; from harness.scorers import default_registry; default_registry(entry_points=False); "
        "print([m for m in ('openai', 'pandas', 'numpy', 'scipy', 'vcr', 'rich', 'jsonschema', 'jsonpath_rfc9535', 're2',"
        " 'genai_prices') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
