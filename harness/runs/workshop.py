"""What every trial of a run is run with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.assistants.session import Clients
from harness.costs import PriceTable
from harness.events import Event, LiveEvent
from harness.limits.budget import Ledger
from harness.modes import RecordMode
from harness.plugins import Registry
from harness.recording import Normaliser, Writer
from harness.runs.sending import Sending
from harness.store.space import Refuge
from harness.suites.rendering import Renderer


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """The parts that the trials of a run share."""

    root: Path
    registry: Registry
    renderer: Renderer
    prices: PriceTable
    clients: Clients
    writer: Writer
    sending: Sending
    #: Takes what cannot be written where it belongs.
    refuge: Refuge
    #: What the run spends, and may spend.
    ledger: Ledger
    mode: RecordMode
    #: Ids of trials to record anew, whatever the mode.
    rewrite: frozenset[str] = frozenset()
    #: Trials at the same time.
    concurrency: int = 1
    #: A recorded request that a trial does not make is an error.
    strict: bool = False
    #: Suites without any recording, and the one line that says what to do about it.
    unrecorded: Mapping[str, str] = field(default_factory=dict)
    #: Says what does not matter in recorded requests.
    normaliser: Normaliser = field(default_factory=Normaliser)
    #: Seconds that a trial may take, unless its suite says otherwise.
    timeout: float
    #: Seconds that the whole run may take; None: any.
    run_timeout: float | None = None
    emit: Callable[[Event], None]
    #: Tells what happens inside conversations; None: nobody follows them.
    live: Callable[[LiveEvent], None] | None = None

    def shown(self, path: Path) -> str:
        """Return a path as messages and results name it: from the project's folder where it lies inside."""
        try:
            return path.relative_to(self.root).as_posix()
        except ValueError:
            return str(path)
