"""How trials spread over xdist's workers: a suite goes whole to one of them, which runs its trials concurrently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from xdist.scheduler import LoadScheduling, LoadScopeScheduling


class SuiteScheduling:
    """xdist's usual scheduling, until the collection turns out to hold suites.

    Args:
        config: Of the controlling process.
        log: xdist's log.
        suite_of: Returns the suite's file for the id of a trial, else None.
    """

    def __init__(self, config: pytest.Config, log: Any, *, suite_of: Callable[[str], str | None]) -> None:
        self._suite_of = suite_of
        self._usual: LoadScheduling | None = LoadScheduling(config, log)
        self._whole = _WholeSuites(config, log, suite_of)

    @property
    def _active(self) -> LoadScheduling | _WholeSuites:
        return self._usual or self._whole

    def schedule(self) -> None:
        """Hand out work; the first call finds out which way."""
        usual = self._usual
        if usual is not None and usual.collection is None and self._has_suites(usual):
            for node in usual.nodes:
                self._whole.add_node(node)
            # Not one by one: a worker may have collected and gone down since.
            self._whole.registered_collections.update(usual.node2collection)
            self._usual = None
        self._active.schedule()

    def _has_suites(self, usual: LoadScheduling) -> bool:
        return any(self._suite_of(nodeid) for ids in usual.node2collection.values() for nodeid in ids)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._active, name)


class _WholeSuites(LoadScopeScheduling):  # type: ignore[misc, unused-ignore]  # xdist has no types
    """One unit of work per suite, and one per test of any other kind."""

    def __init__(self, config: pytest.Config, log: Any, suite_of: Callable[[str], str | None]) -> None:
        super().__init__(config, log)
        self._suite_of = suite_of

    def _split_scope(self, nodeid: str) -> str:
        return self._suite_of(nodeid) or nodeid
