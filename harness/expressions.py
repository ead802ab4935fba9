"""Expressions that people write into settings, checked where they are read: regular ones, and paths into JSON."""

from __future__ import annotations

from harness.patterns import BadPattern, Pattern

#: What stands in recordings and reports instead of a secret.
PLACEHOLDER = "REDACTED"


def expression(value: str) -> str:
    """Check a regular expression of RE2.

    Raises:
        ValueError: It is none, or it matches where there is nothing.
    """
    try:
        pattern = Pattern(value)
    except BadPattern as error:
        raise ValueError(str(error)) from None
    if pattern.fullmatch(""):
        raise ValueError(f"the regular expression {value[:80]!r} matches the empty text, which is everywhere")
    return value


def secret_expression(value: str) -> str:
    """Check an expression for what is to be taken out of texts; see `expression`.

    Raises:
        ValueError: It would go on matching what it put there itself.
    """
    if any(span != (0, len(PLACEHOLDER)) for span in Pattern(expression(value)).spans(PLACEHOLDER)):
        raise ValueError(
            f"the regular expression {value[:80]!r} matches a part of the word {PLACEHOLDER}, which would stand instead"
        )
    return value


def json_path(value: str) -> str:
    """Check a JSONPath (RFC 9535).

    Raises:
        ValueError: It is none.
    """
    from harness.jsonpath import BadPath, JSONPath

    try:
        JSONPath(value)
    except BadPath as error:
        raise ValueError(str(error)) from None
    return value
