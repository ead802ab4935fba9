"""A small project with a tool, recorded once, and plugins that are announced as installed ones are."""

from __future__ import annotations

from pathlib import Path

from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.script import ScriptBrain
from tests.projects import harness, write

#: What a case says and a tool gives, and nobody else should see.
SECRET = "correct-horse-battery-staple"

_SUITE = """\
suite: shop
api: chat
model: gpt-test
base_url: URL
prompt: shop
tools: ['./tools.py:find_order']
expect: {contains: open}
cases:
  - {id: order, tags: [a], input: "Where is order 4711? I am SECRET"}
  - {id: chat, tags: [b], input: Say that you are open}
"""
_BROKEN = "  - {id: broken, tags: [c], input: Break}\n"
_RULES = [
    {
        "match": {"contains": "4711", "after": 0},
        "call": {"name": "find_order", "arguments": {"order_id": "4711"}},
        "delay": 0.03,
    },
    {"match": {"tool": "find_order"}, "reply": "It is open.", "delay": 0.02},
    {
        "match": {"contains": "Break"},
        "fail": {"status": 400, "message": f"This cannot be asked by {SECRET}", "code": "odd"},
    },
    {"match": {"contains": "Say"}, "reply": "We are open.", "delay": 0.01},
]
_TOOLS = f'''
import time

def find_order(order_id: str) -> dict:
    """Look up an order."""
    time.sleep(0.02)
    return {{"id": order_id, "state": "open", "by": "{SECRET}"}}
'''


def recorded(
    root: Path,
    *,
    broken: bool = False,
    rules: list[dict[str, object]] | None = None,
    settings: str = "[tool.harness]\n",
) -> Path:
    """Write the project into `root`, which is the working folder, and record it against a service that is then gone."""
    with served(Simulator(ScriptBrain(rules or _RULES))) as server:
        text = _SUITE.replace("URL", server.url).replace("SECRET", SECRET) + (_BROKEN if broken else "")
        files = {"suites/shop.yaml": text, "suites/tools.py": _TOOLS, "prompts/shop/1.j2": "You sell things."}
        write(root, {"pyproject.toml": settings, **files})
        assert harness("record", "--yes", "--no-html").exit_code == (3 if broken else 0)
    return root


def announce(folder: Path, name: str, code: str) -> Path:
    """Write a plugin's module and what an installed distribution `name` would say of it; return what to put on the path."""
    module = f"{name.replace('-', '_')}_plugin"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    return distribution(folder, name, f"[harness]\nevents = {module}\n")


def distribution(folder: Path, name: str, entry_points: str) -> Path:
    """Write what an installed distribution says of itself."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    return folder
