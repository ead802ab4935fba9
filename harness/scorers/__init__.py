"""Scorers turn a transcript into scores; checks turn scores into a trial's outcome.

A scorer is an object with a name, a summary, the type of its argument, and `score` (`harness.plugins.Scorer`). The
built-ins stand in the modules of this package and are registered by the hook that plugins use.
"""

from __future__ import annotations

from harness.plugins import Registry, registry_of
from harness.scorers.endings import cut_short, withheld
from harness.scorers.evaluation import evaluate, has_template, settle

__all__ = ["cut_short", "default_registry", "evaluate", "has_template", "settle", "withheld"]


def default_registry(*, entry_points: bool = True) -> Registry:
    """Return a registry of the built-in scorers and, unless told otherwise, of the installed plugins.

    Raises:
        ConfigError: a plugin cannot be used.
    """
    from harness.scorers import limits, numbers, python, states, structure, text, toolcalls, trajectory
    from harness.scorers.transforms import Transform

    builtins = (text, numbers, structure, limits, toolcalls, trajectory, states, python)
    return registry_of(builtins, transform=Transform, entry_points=entry_points)
