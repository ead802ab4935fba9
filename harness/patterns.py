"""Regular expressions that cannot hang: RE2, whose time is linear in the text."""

from __future__ import annotations

from typing import Any


class BadPattern(ValueError):
    """The expression is not one that RE2 knows; the message says why."""


class Pattern:
    """One compiled expression."""

    __slots__ = ("_compiled", "source")

    def __init__(self, source: str) -> None:
        import re2  # type: ignore[import-untyped, unused-ignore]  # it has no types

        options = re2.Options()
        options.log_errors = False
        self.source = source
        try:
            self._compiled: Any = re2.compile(source, options)
        except (re2.error, UnicodeEncodeError) as error:
            raise BadPattern(_explained(source, error)) from None

    def search(self, text: str) -> bool:
        """Say whether the expression matches anywhere in the text."""
        try:
            return self._compiled.search(text) is not None
        except UnicodeEncodeError:
            # Half a surrogate pair has no UTF-8 form; RE2 reads UTF-8.
            return self._compiled.search(text.encode("utf-8", "replace").decode()) is not None

    def sub(self, instead: str, text: str) -> str:
        """Replace every match that is not empty."""
        spans = self.spans(text)
        if not spans:
            return text
        ends = [0, *(end for _, end in spans)]
        kept = [text[end:start] for end, (start, _) in zip(ends, spans, strict=False)]
        return instead.join([*kept, text[ends[-1] :]])

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where the expression matches, start and end, leaving out empty matches."""
        try:
            found = [match.span() for match in self._compiled.finditer(text)]
        except UnicodeEncodeError:
            # As long as the text was: half a pair is one character, and so is what stands for it.
            found = [match.span() for match in self._compiled.finditer(text.encode("utf-8", "replace").decode())]
        return [(start, end) for start, end in found if end > start]

    def fullmatch(self, text: str) -> bool:
        """Say whether the expression matches the whole text."""
        try:
            return self._compiled.fullmatch(text) is not None
        except UnicodeEncodeError:
            return self._compiled.fullmatch(text.encode("utf-8", "replace").decode()) is not None


def _explained(source: str, error: Exception) -> str:
    detail = error.args[0] if error.args else ""
    why = detail.decode(errors="replace") if isinstance(detail, bytes) else str(error)
    text = f"the regular expression {source[:80]!r} cannot be used: {why}"
    lookaround = any(mark in source for mark in ("(?=", "(?!", "(?<=", "(?<!"))
    backreference = any(f"\\{digit}" in source for digit in "123456789") or "(?P=" in source
    if lookaround or backreference:
        text += "; RE2 has no look-around and no backreferences, because they can take forever (use `not`, or `python`)"
    elif "\\Z" in source:
        text += "; the end of the text is \\z"
    return text
