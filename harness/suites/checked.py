"""By what the answers of a case are judged, told apart from what it was when its file has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.records import JSON
from harness.store.rows import plain

if TYPE_CHECKING:
    from harness.suites.checks import CheckSpec
    from harness.suites.suite import Case


def checked(cases: Iterable[Case]) -> dict[str, str]:
    """Return a hash of the checks of each case, by id, with what is expected; code that checks call is not in it."""
    # Most checks are those of the suite, the same objects in every case.
    known: dict[int, str] = {}
    found = {}
    for case in cases:
        for spec in case.checks:
            if id(spec) not in known:
                known[id(spec)] = _digest(_plain(spec))
        expected = plain(case.expected)
        found[case.id] = _digest([[known[id(spec)] for spec in case.checks], expected, case.pass_score])
    return found


def _plain(spec: CheckSpec) -> JSON:
    return [
        spec.scorer,
        plain(spec.argument),
        spec.name,
        spec.weight,
        spec.threshold,
        spec.transform,
        spec.soft,
        plain(spec.args),
        spec.scope,
        spec.negate,
        [_plain(child) for child in spec.children],
        spec.turn,
    ]


def _digest(value: JSON) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:8]
