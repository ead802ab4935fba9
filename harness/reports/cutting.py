"""Text as the page shows it: without what nobody should see, and no longer than there is room for."""

from __future__ import annotations

from dataclasses import dataclass

from harness.reports import clean


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Text, and how many characters of it are not shown."""

    text: str
    more: int = 0


def cut(text: str, limit: int) -> Cut:
    """Return text without what nobody should see, and at most `limit` characters of it."""
    shown = clean.block(text[: 4 * limit])
    if len(text) > 4 * limit or len(shown) > limit:
        shown = shown[:limit]
        return Cut(text=shown, more=max(len(text) - len(shown), 1))
    return Cut(text=shown)
