"""Can a recording be trusted? What can be seen from the file alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from harness.costs import PriceTable
from harness.errors import CassetteDamaged
from harness.recording import Cassette, Interaction, Redactor, emit, sse
from harness.recording.read import LARGE, parse_cassette
from harness.recording.seal import without_secrets
from harness.records import JSON
from harness.runs.ageing import age, changes
from harness.runs.pricing import cost_of

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing about one file. An error means that it should not be used, or not be kept where others read it."""

    path: str
    level: Level
    #: One word for what it is about.
    kind: str
    message: str

    def plain(self) -> dict[str, JSON]:
        return {"path": self.path, "level": self.level, "kind": self.kind, "message": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A file to look at."""

    path: Path
    shown: str
    #: The model of calls that name none; its cost is only computed again where `priced`.
    model: str | None = None
    priced: bool = False
    #: What its facts would say if it were recorded now; None: nobody knows.
    case_hash: str | None = None
    definition: str | None = None


class Inspector:
    """Looks at files one by one."""

    def __init__(self, *, redactor: Redactor, prices: PriceTable, max_age: float | None = None) -> None:
        """
        Args:
            redactor: Knows today's secrets.
            prices: Today's prices; a cost is computed again only where it came from these.
            max_age: Seconds after which a recording is old; None: none ever is.
        """
        self._max_age = max_age
        self._now = datetime.now(UTC)
        self._redactor = redactor
        self._prices = prices

    def inspect(self, subject: Subject) -> list[Finding]:
        """Return what there is to say about a file; often nothing."""
        return [
            Finding(path=subject.shown, level=level, kind=kind, message=message)
            for level, kind, message in self._found(subject)
        ]

    def _found(self, subject: Subject) -> Iterator[tuple[Level, str, str]]:
        try:
            raw = subject.path.read_bytes()
        except OSError as error:
            yield "error", "unreadable", f"it cannot be read ({error.strerror or error})"
            return
        try:
            cassette = parse_cassette(raw, shown=subject.shown)
        except CassetteDamaged as error:
            yield "error", "damaged", error.message.removeprefix(f"{subject.shown} is damaged: ")
            text = raw.decode("utf-8", errors="replace")
            if self._redactor.text(text) != text:
                yield "error", "secret", "a secret, or what looks like one, stands in it"
            return
        if len(raw) > LARGE:
            yield "warning", "size", f"it has {len(raw):,} bytes; a review of more than {LARGE:,} is no review"
        text = raw.decode("utf-8-sig")
        found = secrets(cassette, without_secrets(cassette, self._redactor))
        if found:
            places = " and ".join(found[:2]) + (f", {len(found) - 2} places more" if len(found) > 2 else "")
            message = f"a secret, or what looks like one, stands in {places}; `harness cassettes scrub --write`"
            yield "error", "secret", message
        yield from _layout(text, cassette)
        yield from _order(cassette.interactions)
        yield from _events(cassette.interactions)
        yield from _stale(cassette, subject)
        for text in age(cassette.facts, now=self._now, prices=None, max_age=self._max_age):
            yield "warning", "age", text
        if subject.priced:
            yield from self._cost(cassette, subject.model)

    def _cost(self, cassette: Cassette, model: str | None) -> Iterator[tuple[Level, str, str]]:
        facts = cassette.facts
        if facts.prices != self._prices.id:
            return
        again = cost_of(cassette.interactions, model=model, prices=self._prices)
        if again is not None and again.estimated:
            return
        today = None if again is None else again.amount
        if today != facts.cost:
            was, now = (f"${cost:f}" if cost is not None else "no price" for cost in (facts.cost, today))
            yield "warning", "cost", f"it says {was}, and its tokens come to {now} by the same prices"


def _stale(cassette: Cassette, subject: Subject) -> Iterator[tuple[Level, str, str]]:
    facts = cassette.facts
    if subject.case_hash is not None and facts.case_hash not in (None, subject.case_hash):
        yield "warning", "stale", "its case, or the prompt, says something else now; `harness record --only-stale`"
    elif subject.definition is not None and changes(facts, definition=subject.definition, sources={}):
        yield (
            "warning",
            "stale",
            "its assistant is defined differently now; `harness run` says whether it asks the same",
        )


def secrets(cassette: Cassette, clean: Cassette) -> list[str]:
    """Return where a recording differs from what is left of it without secrets: `the request of call 1`."""
    found = []
    for one, other in zip(cassette.interactions, clean.interactions, strict=True):
        if one.request != other.request:
            found.append(f"the request of call {one.slot}")
        if replace(one, request=other.request) != other:
            found.append(f"the answer of call {one.slot}")
    return [*found, "the results of tools"] if cassette.facts != clean.facts else found


def _layout(text: str, cassette: Cassette) -> Iterator[tuple[Level, str, str]]:
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
        yield "warning", "layout", "its lines end in CRLF; `cassettes/** text eol=lf` in .gitattributes prevents it"
    if text != emit(cassette):
        yield "warning", "layout", "it is not laid out as it was written: somebody, or a formatter, edited it"
        yield from _structure(text)


def _structure(text: str) -> Iterator[tuple[Level, str, str]]:
    """Find what other readers of this format stumble over; a file that is laid out as written has none of it."""
    from harness.recording.read import data_of

    data: Any = data_of(text.encode())
    for number, entry in enumerate(data["interactions"], start=1):
        more = entry["request"].keys() - {"method", "uri", "headers", "body"}
        if more:
            yield "error", "format", f"request {number} has a key '{min(map(str, more))}', which vcrpy does not load"
        for part in (entry["request"], entry["response"]):
            if any(not isinstance(value, list) for value in part["headers"].values()):
                yield "warning", "format", f"headers of interaction {number} are no lists, which vcrpy expects"


def _order(interactions: Sequence[Interaction]) -> Iterator[tuple[Level, str, str]]:
    if any(later.start < earlier.start for earlier, later in pairwise(interactions)):
        yield "error", "order", "its interactions are not in the order in which they started"
    attempts: dict[int, list[int]] = defaultdict(list)
    for one in interactions:
        attempts[one.slot].append(one.attempt)
        if not 0 <= one.start <= one.first_byte <= one.end:
            yield "error", "times", f"call {one.slot} does not start, answer and end in this order"
    for slot, numbers in attempts.items():
        if numbers != sorted(set(numbers)):
            yield "error", "order", f"the attempts of call {slot} are numbered {', '.join(map(str, numbers))}"


def _events(interactions: Sequence[Interaction]) -> Iterator[tuple[Level, str, str]]:
    for one in interactions:
        if not one.events:
            continue
        count = len(sse.Splitter().feed(one.body))
        if count != len(one.events):
            yield "error", "events", f"the stream of call {one.slot} has {count} events and {len(one.events)} times"
