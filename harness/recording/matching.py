"""Which recorded call answers a request: the exact same one, in the order of recording; never one that is merely like it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.recording.cassette import Key, Request, request_key
from harness.recording.normalise import Normaliser


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A recorded call, by the number of its slot."""

    slot: int
    request: Request
    #: Which of the trial's conversations it belongs to; None: its only one, or nobody said.
    conversation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The slot that answers, and whether that was seen only after normalising."""

    slot: int
    normalised: bool = False


class _Queue:
    """Calls that are the same request."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()
        self._own: dict[str | None, deque[Call]] = defaultdict(deque)
        self._taken: set[int] = set()
        self._last: dict[str | None, Call] = {}
        self.count = 0

    def add(self, call: Call) -> None:
        self._calls.append(call)
        self._own[call.conversation].append(call)
        self._last[call.conversation] = call
        self.count += 1

    def first(self) -> Call | None:
        return self._front(self._calls)

    def take(self, conversation: str | None) -> Call | None:
        """Take the next call of this conversation; where it has none left, the next of any."""
        own = self._own.get(conversation)
        call = (self._front(own) if own else None) or self.first()
        if call is not None:
            self._taken.add(call.slot)
        return call

    def last(self, conversation: str | None) -> Call:
        return self._last.get(conversation) or max(self._last.values(), key=lambda call: call.slot)

    def left(self) -> Iterator[Request]:
        return (call.request for call in self._calls if call.slot not in self._taken)

    def _front(self, calls: deque[Call]) -> Call | None:
        while calls and calls[0].slot in self._taken:
            calls.popleft()
        return calls[0] if calls else None


class Shelf:
    """The recorded calls of a cassette, found by what is asked."""

    def __init__(self, calls: Iterable[Call], *, normaliser: Normaliser | None = None) -> None:
        """
        Args:
            calls: In the order of their slots.
            normaliser: Says what does not matter; asked only where no recorded request is exactly the same.
        """
        self._queues: dict[Key, _Queue] = defaultdict(_Queue)
        for one in calls:
            self._queues[request_key(one.request)].add(one)
        self._normaliser = normaliser or Normaliser()
        self._alike: Mapping[str, list[_Queue]] | None = None

    def take(self, request: Request, conversation: str | None = None) -> Match | None:
        """Return what answers a request, and never answer with it again; None where nothing does.

        The last answer to a GET stands, however often it is asked again.
        """
        queue = self._queues.get(request_key(request))
        if queue is not None:
            found = queue.take(conversation)
            if found is None and request.method == "GET":
                found = queue.last(conversation)
            if found is not None:
                return Match(slot=found.slot)
        return self._like(request, conversation) if self._normaliser else None

    def count(self, request: Request) -> int:
        """Return how often this very request was recorded."""
        queue = self._queues.get(request_key(request))
        return queue.count if queue is not None else 0

    def left(self) -> Iterator[Request]:
        """Yield the requests that nothing was answered with yet."""
        for queue in self._queues.values():
            yield from queue.left()

    def _like(self, request: Request, conversation: str | None) -> Match | None:
        if self._alike is None:
            alike: dict[str, list[_Queue]] = defaultdict(list)
            for queue in self._queues.values():
                first = queue.first() or queue.last(None)
                alike[self._normaliser.key(first.request)].append(queue)
            self._alike = alike
        found = self._alike.get(self._normaliser.key(request), ())
        waiting = [(one.slot, queue) for queue in found if (one := queue.first()) is not None]
        if waiting:
            taken = min(waiting, key=lambda pair: pair[0])[1].take(conversation)
            assert taken is not None
            return Match(slot=taken.slot, normalised=True)
        if found and request.method == "GET":
            return Match(slot=max(queue.last(conversation).slot for queue in found), normalised=True)
        return None
