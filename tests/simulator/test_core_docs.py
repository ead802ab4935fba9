"""What the page on the simulator shows works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from harness.simulator import fault_form, script_form
from harness.simulator.faults import Asked, Faults
from harness.simulator.script import ScriptBrain

_PAGE = Path(__file__).parents[2] / "docs" / "simulator.md"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_script_on_the_page_is_one(tmp_path: Path) -> None:
    (shown,) = [block for block in _blocks("yaml") if "rules:" in block]
    path = tmp_path / "script.yaml"
    path.write_text(shown, encoding="utf-8")
    assert ScriptBrain.load(path).models == ("support-model",)


def _named(section: str) -> set[str]:
    """The words that open a row in the tables of a section."""
    text = re.split(rf"^## {section}$", _PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    rows = re.findall(r"^\| (`[^|]*`) \|", re.split(r"^## ", text, flags=re.MULTILINE)[0], re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)", row)}


def test_the_page_names_all_that_a_script_can_say() -> None:
    assert _named("Scripts") == {*script_form.ANSWER, *script_form.MATCH, "times"}


def test_the_faults_on_the_page_are_some_and_all_are_named(tmp_path: Path) -> None:
    (shown,) = [block for block in _blocks("yaml") if "faults:" in block]
    path = tmp_path / "faults.yaml"
    path.write_text(shown, encoding="utf-8")
    assert Faults.load(path).choose(Asked(method="GET", path="/", body=b"")) in (None, {"reset": "headers"})
    assert _named("Faults") == {*fault_form.RULE["properties"], *fault_form.FAULT["properties"]} - {"fault"}


def test_the_program_on_the_page_runs() -> None:
    (program,) = _blocks("python")
    result = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert (result.stdout, result.stderr) == ("I am a script.\n('POST', '/v1/responses')\n", "")
