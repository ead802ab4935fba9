"""What is said in a case, whatever it is called and whatever is checked: two cases are the same where that is."""

from __future__ import annotations

import hashlib
import json

from harness.records import JSON
from harness.store.rows import plain
from harness.suites.rendering import Renderer
from harness.suites.suite import Case, Suite


def said_in(suite: Suite, case: Case, renderer: Renderer) -> str:
    """Return a hash of a case's input, turns, files, variables and history; prompts and checks are not in it."""
    first = suite.variants[0]
    told: list[JSON] = [renderer.input(suite, case, first)]
    for turn in case.turns:
        files = [[one.kind, one.name, hashlib.sha256(one.data).hexdigest()] for one in turn.attachments]
        told.append([turn.instructions, turn.thread, files, dict(turn.save)])
    told.append([[one.role, one.content] for one in case.history])
    told.append(plain(case.vars))
    return _digest(told)


def mocked_in(case: Case) -> str:
    """Return a hash of the mocked results of tools in a case; empty where it has none."""
    return _digest(repr(case.mocks.by_tool)) if case.mocks is not None else ""


def _digest(value: JSON) -> str:
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
