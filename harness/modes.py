"""The record modes: whether a trial replays its recording, and what becomes of what is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

RecordMode: TypeAlias = Literal["none", "once", "new_episodes", "rewrite", "all", "verify"]
RECORD_MODES: tuple[RecordMode, ...] = get_args(RecordMode)

#: What each does, for help texts and pages.
MODES: Mapping[RecordMode, str] = MappingProxyType(
    {
        "none": "replay only (default)",
        "once": "record what has no recording",
        "new_episodes": "record what has none or no longer matches, whole trials",
        "rewrite": "record anew; the old file stays until there is a final answer",
        "all": "as rewrite, and keep unfinished trials too",
        "verify": "ask anew and compare with the recording; write none",
    }
)

#: Modes in which what is recorded is replayed.
REPLAYING = frozenset[RecordMode]({"none", "once", "new_episodes"})
#: Modes in which every trial is asked anew.
ASKING_ALL = frozenset[RecordMode]({"rewrite", "all", "verify"})


def modes_in_words() -> str:
    """Return the modes as a help text has them: `none: replay only (default); once: ...`."""
    return "; ".join(f"{mode}: {what}" for mode, what in MODES.items())


def modes_table() -> str:
    """Return the modes as a Markdown table."""
    return "\n".join(_rows())


def _rows() -> Iterator[str]:
    yield "| mode | what it does |"
    yield "| --- | --- |"
    for mode, what in MODES.items():
        yield f"| `{mode}` | {what} |"
