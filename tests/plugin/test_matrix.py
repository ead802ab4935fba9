"""Every way to run, times every way to select, times gates or none, with pytest-recording and without."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import pytest

from .conftest import Write

#: Arguments, and for each selection what comes of it without and with gates that hold: outcomes, then exit code.
SELECTIONS: dict[str, tuple[tuple[str, ...], tuple[dict[str, int], int], tuple[dict[str, int], int]]] = {
    "all": (
        ("suites",),
        ({"passed": 4, "failed": 1, "missed": 3}, 1),
        ({"passed": 5, "missed": 4}, 0),
    ),
    "-k": (
        ("suites", "-k", "three"),
        ({"failed": 1, "missed": 1, "deselected": 6}, 1),
        ({"failed": 1, "missed": 1, "deselected": 6}, 1),
    ),
    "node id": (
        ("suites/quiz.yaml::three[good-1]",),
        ({"failed": 1}, 1),
        ({"failed": 1}, 1),
    ),
    "--lf": (
        ("suites", "--lf"),
        ({"failed": 1}, 1),
        ({"passed": 5, "missed": 4}, 0),
    ),
    "-x": (
        ("suites", "-x"),
        ({"failed": 1, "passed": 3, "missed": 2}, 1),
        ({"passed": 5, "missed": 4}, 0),
    ),
    "--junitxml": (
        ("suites", "--junitxml=out.xml"),
        ({"passed": 4, "failed": 1, "missed": 3}, 1),
        ({"passed": 5, "missed": 4}, 0),
    ),
}

WAYS = {"plain": (), "-n 2": ("-n", "2")}
RECORDING = {"with pytest-recording": (), "without pytest-recording": ("-p", "no:recording")}
#: Selections that other tests of the plugin make, too.
REPEATED = ("-k", "--junitxml")
#: Workers take seconds to start: with the other plugin beside them they are tried by the slow tests.
COMBINED = [
    pytest.param(*both, marks=pytest.mark.slow if both == ("-n 2", "with pytest-recording") else ())
    for both in itertools.product(WAYS, RECORDING)
]


@pytest.mark.parametrize("gates", ["", "accuracy: 0.7"], ids=["no gates", "gates"])
@pytest.mark.parametrize("way, recording", COMBINED)
@pytest.mark.parametrize(
    "selection", [pytest.param(one, marks=pytest.mark.slow) if one in REPEATED else one for one in SELECTIONS]
)
def test_selections(
    pytester: pytest.Pytester, write: Write, *, selection: str, way: str, recording: str, gates: str
) -> None:
    write(gates=gates)
    base = (*WAYS[way], *RECORDING[recording])
    arguments, free, gated = SELECTIONS[selection]
    outcomes, code = gated if gates else free
    if selection == "--lf":
        pytester.runpytest("suites", *base)
    result = pytester.runpytest(*arguments, *base)
    found = result.parseoutcomes()
    if way == "-n 2":
        # xdist does not say what was deselected, and calls it an interruption when -x strikes.
        outcomes = {word: count for word, count in outcomes.items() if word != "deselected"}
        code = 2 if selection == "-x" and code else code
    assert found == outcomes
    assert result.ret == code
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize("gates", ["", "accuracy: 0.7"], ids=["no gates", "gates"])
@pytest.mark.parametrize("way, recording", list(itertools.product(WAYS, RECORDING)))
def test_collect_only(pytester: pytest.Pytester, write: Write, *, way: str, recording: str, gates: str) -> None:
    write(gates=gates)
    result = pytester.runpytest("suites", "--collect-only", "-q", *WAYS[way], *RECORDING[recording])
    assert result.ret == 0
    listed = [line for line in result.outlines if "::" in line]
    assert listed == [
        f"suites/quiz.yaml::{case}[{variant}-1]"
        for case in ("one", "two", "three", "four")
        for variant in ("naive", "good")
    ]
    assert not (pytester.path / "reports").exists()


@pytest.mark.parametrize("way, recording", list(itertools.product(WAYS, RECORDING)))
def test_junit_holds_trials_and_gates(pytester: pytest.Pytester, write: Write, *, way: str, recording: str) -> None:
    write(gates="accuracy: 0.7")
    pytester.runpytest("suites", "--junitxml=out.xml", *WAYS[way], *RECORDING[recording])
    cases = {case.get("name"): case for case in ElementTree.parse(pytester.path / "out.xml").iter("testcase")}
    assert len(cases) == 9
    skipped = cases["three[good-1]"].find("skipped")
    assert skipped is not None
    assert str(skipped.get("message")).startswith("missed: equals: ")
    assert cases["one[good-1]"].find("skipped") is None
    assert cases["gates[good]"].find("failure") is None
    properties = {one.get("name"): one.get("value") for one in cases["one[good-1]"].iter("property")}
    assert properties["trial"] == "quiz/one/good/1"
    assert properties["outcome"] == "passed"
