"""JSONPath (RFC 9535) over values that somebody else wrote: matches are bounded, and patterns cannot hang.

Imported where a path is used, not before: the library loads slowly.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from jsonpath_rfc9535 import JSONPathEnvironment
from jsonpath_rfc9535.exceptions import JSONPathError
from jsonpath_rfc9535.function_extensions import ExpressionType, FilterFunction

from harness.jsontext import MAX_DEPTH, JSONTooLarge
from harness.patterns import BadPattern, Pattern
from harness.records import JSON

#: Matches of one path that are looked at.
MAX_MATCHES = 100_000


class BadPath(ValueError):
    """The text is no JSONPath; the message says where."""


class JSONPath:
    """One compiled path."""

    __slots__ = ("_query", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        try:
            self._query = _Environment().compile(source)
        except (JSONPathError, RecursionError) as error:
            raise BadPath(f"{source[:80]!r} is no JSONPath (RFC 9535): {str(error).splitlines()[0]}") from None

    def find(self, value: JSON) -> list[JSON]:
        """Return what the path selects, in document order.

        Raises:
            JSONTooLarge: it selects more than 100,000 values, or the value is nested too deeply.
        """
        return [node.value for node in self._nodes(value)]

    def places(self, value: JSON) -> list[tuple[str | int, ...]]:
        """Return where the values stand that the path selects, as keys and indexes from the top.

        Raises:
            JSONTooLarge: As `find`.
        """
        return [tuple(node.location) for node in self._nodes(value)]

    def _nodes(self, value: JSON) -> list[Any]:
        try:
            found = list(islice(self._query.finditer(value), MAX_MATCHES + 1))
        except (JSONPathError, RecursionError) as error:
            raise JSONTooLarge(f"{self.source} cannot be followed: {str(error).splitlines()[0]}") from None
        if len(found) > MAX_MATCHES:
            raise JSONTooLarge(f"{self.source} selects more than {MAX_MATCHES:,} values")
        return found


class _Expression(FilterFunction):
    """`match` and `search` of the standard, on RE2 instead of a backtracking engine."""

    arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]  # noqa: RUF012 (the library's own form)
    return_type = ExpressionType.LOGICAL

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole
        self._compiled: dict[str, Pattern | None] = {}

    def __call__(self, text: Any, pattern: Any) -> bool:
        if not isinstance(text, str) or not isinstance(pattern, str):
            return False
        if pattern not in self._compiled:
            try:
                self._compiled[pattern] = Pattern(_from_iregexp(pattern))
            except BadPattern:
                # The standard: a pattern that is none matches nothing.
                self._compiled[pattern] = None
        compiled = self._compiled[pattern]
        if compiled is None:
            return False
        return compiled.fullmatch(text) if self._whole else compiled.search(text)


class _Environment(JSONPathEnvironment):
    max_recursion_depth = MAX_DEPTH + 10

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        self.function_extensions["match"] = _Expression(whole=True)
        self.function_extensions["search"] = _Expression(whole=False)


def _from_iregexp(pattern: str) -> str:
    """I-Regexp (RFC 9485) is a part of RE2's syntax but for the point, which matches no carriage return either."""
    parts: list[str] = []
    escaped = inside = False
    for character in pattern:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "[":
            inside = True
        elif character == "]":
            inside = False
        elif character == "." and not inside:
            parts.append(r"[^\n\r]")
            continue
        parts.append(character)
    return "".join(parts)
