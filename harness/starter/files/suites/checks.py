"""Checks of your own: a function asks for what it needs by the names of its parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def no_invented_figures(output: str, vars: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether every figure in the answer is one of `known`, which stands under `vars` in the suite.

    It is a coarse sieve: a figure of the facts in the wrong place passes.
    """
    invented = sorted(set(map(int, re.findall(r"\d+", output))) - set(vars["known"]))
    if invented:
        return False, f"not in the facts: {', '.join(map(str, invented))}"
    return True, "no figure that is not in the facts"
