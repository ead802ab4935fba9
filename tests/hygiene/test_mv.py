"""`harness cassettes mv`: what was renamed keeps its recordings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.errors import ExitCode
from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.script import ScriptBrain
from tests.hygiene.shelf import CHAT, ORDER, change
from tests.projects import harness, write

SUITE = Path("suites/shop.yaml")


def kept() -> list[str]:
    return sorted(path.relative_to("cassettes").as_posix() for path in Path("cassettes").rglob("*") if path.is_file())


def moved(*arguments: str) -> list[str]:
    result = harness("cassettes", "mv", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


@pytest.mark.parametrize(
    ("before", "after", "old", "new", "said"),
    [
        (
            "prompt: shop",
            "variants: {v1: {prompt: shop}}",
            "shop/shop",
            "shop/v1",
            "cassettes/shop/shop/ -> cassettes/shop/v1/ (2 recordings)",
        ),
        (
            "id: order",
            "id: Where's it?",
            "shop//order",
            "shop//Where's it?",
            "cassettes/shop/shop/order.1.yaml -> cassettes/shop/shop/where-s-it-f8dd760e.1.yaml",
        ),
        (
            "suite: shop",
            "suite: store",
            "shop",
            "store",
            "cassettes/shop/shop/ -> cassettes/store/shop/ (2 recordings)",
        ),
    ],
)
def test_what_was_renamed_is_recognised_by_its_requests_or_moved_by_name(
    shop: Path, before: str, after: str, old: str, new: str, said: str
) -> None:
    change(SUITE, before, after)
    assert harness("run").exit_code == ExitCode.ERRORS
    there = kept()
    proposed = harness("cassettes", "mv")
    assert proposed.stdout.splitlines() == [said]
    assert "`harness cassettes mv --write`" in proposed.stderr
    assert kept() == there, "nothing is moved before it is asked for"
    shutil.copytree("cassettes", "again")
    assert moved("--write") == [said]
    assert harness("run").exit_code == ExitCode.PASSED
    assert harness("cassettes", "verify").stdout.endswith(" 0 errors, 0 warnings\n")
    result = kept()
    shutil.rmtree("cassettes")
    Path("again").rename("cassettes")
    assert moved(old, new) == [said]
    assert kept() == result


def test_a_variant_with_another_prompt_or_model_is_not_taken_for_the_old_one(shop: Path) -> None:
    change(SUITE, "prompt: shop", "variants: {v1: {prompt: shop, model: gpt-other}}")
    assert moved("--json") == ["[]"]
    change(SUITE, "{prompt: shop, model: gpt-other}", "{system: You sell things!}")
    assert moved() == []


def test_of_two_variants_each_gets_its_own(shop: Path) -> None:
    """The one that differs in its settings only cannot be told by what was said."""
    rules = [{"match": {"contains": "o"}, "reply": "Yes."}]
    text = """\
suite: two
api: chat
base_url: URL
system: Be brief.
variants: {a: {model: m1}, b: {model: m2}}
repeats: 2
cases: [{id: one, input: Is it so?}, {id: two, turns: [{input: Hello, save: {said: "$.output"}}, {input: "So {{ said }}?"}]}]
"""
    with served(Simulator(ScriptBrain(rules))) as server:
        write(shop, {"suites/two.yaml": text.replace("URL", server.url)})
        assert harness("record", "suites/two.yaml", "--yes").exit_code == ExitCode.PASSED
    change(Path("suites/two.yaml"), "{a: {model: m1}, b: {model: m2}}", "{x: {model: m2}, y: {model: m1}}")
    pairs = {one["from"]: one["to"] for one in json.loads("\n".join(moved("--write", "--json")))}
    assert len(pairs) == 8
    swapped = {"a": "y", "b": "x"}
    assert all(
        after == f"cassettes/two/{swapped[before.split('/')[2]]}/{before.split('/')[3]}"
        for before, after in pairs.items()
    )
    assert harness("run", "suites/two.yaml").exit_code == ExitCode.PASSED


def test_paths_of_folders_and_files_do_as_well(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved("cassettes/shop/shop", "cassettes/shop/v1")
    moved("cassettes/shop/v1/order.1.yaml", "cassettes/shop/v1/parcel.1.yaml")
    assert kept() == ["shop/v1/chat.1.yaml", "shop/v1/parcel.1.yaml"]
    monkeypatch.chdir("suites")
    moved("cassettes/shop/v1", "cassettes/shop/v2")
    monkeypatch.chdir(shop)
    assert kept() == ["shop/v2/chat.1.yaml", "shop/v2/parcel.1.yaml"]


def test_the_calls_of_scorers_go_with_their_trial(shop: Path) -> None:
    shutil.copyfile(CHAT, ORDER.with_name("order.1.judge.yaml"))
    moved("shop//order", "shop//parcel")
    assert kept() == ["shop/shop/chat.1.yaml", "shop/shop/parcel.1.judge.yaml", "shop/shop/parcel.1.yaml"]
    moved("cassettes/shop/shop/parcel.1.yaml", "cassettes/shop/shop/x.1.yaml")
    assert kept() == ["shop/shop/chat.1.yaml", "shop/shop/x.1.judge.yaml", "shop/shop/x.1.yaml"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("shop//order", "shop//chat"), "cassettes/shop/shop/chat.1.yaml is there already"),
        (("shop//ordr", "shop//parcel"), "Did you mean 'shop//order'?"),
        (("shop//order", "shop/v2"), "are not of one kind"),
        (("shop//order", "/x"), "names nothing that is recorded"),
        (("shop//order",), "say what it is called now, too"),
        (("cassettes/shop/shop", "cassettes/../elsewhere/shop"), "is not in cassettes"),
        (("cassettes/shop/shop", "cassettes/shop"), "do not lie equally deep"),
        (("cassettes/shop/shop/order.1.yaml", "cassettes/shop/shop/order"), "is no name of a recording"),
    ],
)
def test_what_cannot_be_moved_is_refused_and_nothing_is_moved(
    shop: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = harness("cassettes", "mv", *arguments)
    assert result.exit_code == ExitCode.USAGE
    assert said in result.stderr
    assert kept() == ["shop/shop/chat.1.yaml", "shop/shop/order.1.yaml"]


def test_names_may_be_those_of_the_files(shop: Path) -> None:
    """As they stand in messages: a long one is a slug and a hash."""
    long = "a very long name " * 6
    moved("shop//order", f"shop//{long}")
    name = next(path.name for path in ORDER.parent.iterdir() if path.name.startswith("a-very"))
    moved(f"shop//{name.removesuffix('.1.yaml')}", "shop//order")
    moved("shop//order", f"shop//{name.removesuffix('.1.yaml')}")
    assert kept() == sorted([f"shop/shop/{name}", "shop/shop/chat.1.yaml"])


def test_nothing_is_moved_out_through_a_link(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    Path("cassettes/away").symlink_to(tmp_path_factory.mktemp("outside"))
    result = harness("cassettes", "mv", "shop", "away")
    assert result.exit_code == ExitCode.USAGE
    assert "leads out of the folder of recordings" in result.stderr
