"""All entries, in order of their ids."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.faults import answers, limits, money, streams, system, threads, tooling
from tests.faults.entries import Fault


def _order(fault: Fault) -> tuple[int, str]:
    found = re.fullmatch(r"F(\d+)([a-z]*)", fault.id)
    assert found is not None, f"{fault.id}: an id is F, a number and perhaps a letter"
    return int(found[1]), found[2]


_ALL = (answers, limits, money, streams, system, threads, tooling)
ROWS: Sequence[Fault] = sorted((row for one in _ALL for row in one.ROWS), key=_order)
