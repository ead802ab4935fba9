"""Which code a tool has: a hash of its source that white space and comments do not change."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap

from harness.functions import Function

#: Characters of a hash.
_LENGTH = 16


def source_hash(function: Function) -> str | None:
    """Return a hash of a function's source; None where that cannot be read, as of what is not written in Python."""
    try:
        text = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    except (OSError, TypeError, ValueError):
        return None
    try:
        text = ast.dump(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError):
        # Part of an expression, such as a lambda: as it is written.
        text = text.strip()
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]
