"""Checks of the shipped suites that no scorer makes."""

from __future__ import annotations

import json
import re

_END = re.compile(r"[.!?](?=\s+[A-Z])")


def one_sentence(output: str, most: int) -> tuple[bool, str]:
    """Whether the summary is one sentence of at most `most` words."""
    summary = json.loads(output[output.index("{") : output.rindex("}") + 1])["summary"]
    sentences, words = len(_END.split(summary.strip())), len(summary.split())
    return sentences == 1 and words <= most, f"{sentences} sentence(s), {words} words"
