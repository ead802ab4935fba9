"""The thread that runs trials while somebody else's loop waits for one result at a time."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.events import Event, Noted, Subscriber
from harness.plan import Trial
from harness.project.project import Project
from harness.records import Result
from harness.runs.budgets import new_ledger
from harness.runs.opening import concurrency, opened
from harness.store import new_run_id
from harness.store.space import Refuge

if TYPE_CHECKING:
    from harness.runs.sending import Sending
    from harness.runs.stop import Stop


class Engine:
    """Runs trials in a thread of its own while somebody else's loop (pytest's) waits for one result at a time.

    The thread starts with the first `submit`. Results come as futures, keyed by trial id.
    """

    def __init__(self, project: Project, *, subscribers: Sequence[Subscriber] = (), run: str | None = None) -> None:
        self.project = project
        self.subscribers = subscribers
        self.run = run or new_run_id()
        #: What was told that no result says, and what was sent.
        self.notes: list[str] = []
        self.sendings: list[Sending] = []
        self._refuge = Refuge(self.run, root=project.settings.root)
        #: What it spends, over all that is submitted.
        self.ledger = new_ledger(project)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stops: list[Stop] = []
        self._tasks: list[concurrent.futures.Future[None]] = []

    def submit(
        self, trials: Sequence[Trial], *, exit_first: Callable[[Result], bool] = lambda result: False
    ) -> dict[str, concurrent.futures.Future[Result]]:
        """Start trials.

        Args:
            trials: What to run.
            exit_first: Says of a result whether nothing new is to be started after it.

        Returns:
            A future for each trial, by its id, which holds its result or the error that ended the run.
        """
        from harness.runs.stop import Stop

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="harness-engine", daemon=True)
            self._thread.start()
        stop = Stop()
        self._stops.append(stop)
        futures: dict[str, concurrent.futures.Future[Result]] = {
            trial.id: concurrent.futures.Future() for trial in trials
        }
        self._tasks.append(
            asyncio.run_coroutine_threadsafe(self._run(tuple(trials), futures, stop, exit_first), self._loop)
        )
        return futures

    def stop(self, *, interrupted: bool = False, cancel: bool = False) -> None:
        """Start nothing new, let what is under way finish, and end the thread.

        Args:
            interrupted: A person wants it to end: nothing more is sent, and what is in flight has some seconds.
            cancel: Cancel what is under way.
        """
        for stop in self._stops:
            if interrupted:
                stop.interrupt()
            stop.request()
        for stop, task in zip(self._stops, self._tasks, strict=True):
            # What the run has to clean up is waited for; a future that is cancelled itself would be done before that.
            if cancel and not stop.abort():
                task.cancel()
            concurrent.futures.wait([task])
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._loop = self._thread = None

    def _note(self, event: Event) -> None:
        if isinstance(event, Noted):
            self.notes.append(event.text)

    async def _run(
        self,
        trials: tuple[Trial, ...],
        futures: Mapping[str, concurrent.futures.Future[Result]],
        stop: Stop,
        exit_first: Callable[[Result], bool],
    ) -> None:
        from harness.runs.runner import Runner

        task = asyncio.current_task()
        assert task is not None
        try:
            with stop.aborts(task):
                async with opened(
                    self.project,
                    trials,
                    ledger=self.ledger,
                    run=self.run,
                    stop=stop,
                    refuge=self._refuge,
                    subscribers=(self._note, *self.subscribers),
                ) as workshop:
                    self.sendings.append(workshop.sending)
                    await Runner(self.run, workshop).run(
                        trials,
                        concurrency=concurrency(self.project.settings),
                        stop=stop,
                        on_result=lambda result: futures[result.id].set_result(result),
                        exit_first=exit_first,
                    )
        except BaseException as error:
            for future in futures.values():
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
