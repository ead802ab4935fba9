"""`@harness.scorer`: says of a function that it scores answers. Kept light: files of checks import it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from harness.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__harness_scorer__"


def scorer(function: F) -> F:
    """Mark a function as a scorer, so that a suite built in Python takes it as a check: `expect=[no_refund]`.

    The function is returned as it is, and nothing is registered: the suite that it is given to knows it, and a YAML suite
    finds it as `python: ./checks.py:no_refund`. It asks by parameter name for what it needs (`output`, `case`,
    `expected`, `vars`, `transcript`); other parameters come from the check's `args`. It returns true or false, or a number
    from 0 to 1; see the scorer `python`.

    Raises:
        UsageError: It is no function, or takes a parameter by position only.
    """
    if not callable(function):
        raise UsageError(f"@harness.scorer marks a function, not a {type(function).__name__}")
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise UsageError(f"@harness.scorer: the parameters of {function!r} cannot be read") from None
    for parameter in parameters:
        if parameter.kind is parameter.POSITIONAL_ONLY:
            name = getattr(function, "__name__", "the function")
            raise UsageError(
                f"@harness.scorer: {name} takes '{parameter.name}' by position only; arguments are given by name"
            )
    setattr(function, _MARK, True)
    return function


def is_scorer(value: object) -> bool:
    """Say whether a function was marked as a scorer."""
    return bool(getattr(value, _MARK, False))
