"""Who hears the events of a run, and when in its trial each event was."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.clock import Clock
from harness.errors import ConfigError, Problem
from harness.events import Event, LiveEvent, Subscriber, TimedEvent

if TYPE_CHECKING:
    from harness.project.project import Project

_DIGITS = 6


class Audience:
    """The subscribers of one run, in the order in which they hear."""

    def __init__(self, subscribers: Sequence[Subscriber]) -> None:
        self._all = tuple(subscribers)
        self._following = tuple(one for one in subscribers if getattr(one, "live", True))

    def emit(self, event: Event) -> None:
        """Tell everybody."""
        for subscriber in self._all:
            subscriber(event)

    @property
    def live(self) -> Callable[[LiveEvent], None] | None:
        """Tells those who follow conversations while they are held; None: nobody does."""
        return self._follow if self._following else None

    def _follow(self, event: LiveEvent) -> None:
        for subscriber in self._following:
            subscriber(event)


def audience(project: Project, own: Sequence[Subscriber], *, redact: Callable[[str], str]) -> Audience:
    """Return who hears a run: `own` first, then what plugins subscribe for it.

    Raises:
        HarnessError: A plugin's hook raised it, or gave what cannot be called.
    """
    found = list(own)
    for plugin in project.registry.plugins:
        for given in plugin.gather("harness_subscribers", settings=project.settings, redact=redact):
            if not callable(given) or inspect.isclass(given):
                wrong = "cannot be called"
            elif inspect.iscoroutinefunction(given) or inspect.iscoroutinefunction(type(given).__call__):
                wrong = "is async; events are told to plain functions, which put away what takes time"
            else:
                found.append(_Guarded(plugin.source, given, redact=redact))
                continue
            raise ConfigError(Problem(message=f"{plugin.source}: the subscriber {_named(given)} {wrong}"))
    return Audience(found)


def at_moments(tell: Callable[[Any], None], clock: Clock) -> Callable[[Event], None]:
    """Return a function that tells a trial's events with the moment at which its clock stands."""

    def told(event: Event) -> None:
        if isinstance(event, TimedEvent):
            tell(replace(event, at=round(clock.now(), _DIGITS)))

    return told


class _Guarded:
    """Somebody else's subscriber: whatever it raises ends neither a trial nor the run."""

    def __init__(self, source: str, subscriber: Subscriber, *, redact: Callable[[str], str]) -> None:
        self._source = source
        self._subscriber: Subscriber | None = subscriber
        self._redact = redact
        self.live = bool(getattr(subscriber, "live", True))

    def __call__(self, event: Event) -> None:
        if self._subscriber is None:
            return
        try:
            self._subscriber(event)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 (sys.exit() in a subscriber must not end a run either)
            name, self._subscriber = _named(self._subscriber), None
            said = self._redact(f"{type(error).__name__}: {error}")
            sys.stderr.write(
                f"{self._source}: the subscriber {name} raised {said} on {type(event).__name__}. It hears nothing more of "
                "this run, which goes on.\n"
            )


def _named(subscriber: object) -> str:
    return str(getattr(subscriber, "__qualname__", None) or type(subscriber).__qualname__)
