"""Results of tools that a case writes down itself, instead of having the tools run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from harness.errors import did_you_mean
from harness.jsontext import same_json
from harness.records import JSON
from harness.tools.spec import Complain, Loc

#: Fills in what is a template in a mock, at the time of the call.
Render: TypeAlias = Callable[[JSON], JSON]

_KEYS = ("when", "return", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mock:
    """One result, or one error, of a tool."""

    result: JSON = None
    #: What the model is told instead of a result.
    error: str | None = None
    #: Arguments that a call must have; None: it serves any call, in its turn.
    when: Mapping[str, JSON] | None = None
    #: Which of several in a sequence was played, from 1.
    turn: int | None = None

    def plain(self) -> JSON:
        """Return it as plain data."""
        answer = {"return": self.result} if self.error is None else {"error": self.error}
        return answer if self.when is None else {"when": dict(self.when), **answer}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mocks:
    """The mocks of a case, by the tool's name, in the order in which they were written."""

    by_tool: Mapping[str, tuple[Mock, ...]] = field(default_factory=dict)

    def plain(self) -> dict[str, JSON]:
        """Return them as plain data."""
        return {name: [one.plain() for one in mocks] for name, mocks in self.by_tool.items()}


class MockPlayer:
    """Gives a trial its mocks, one call after the other, in whichever of its conversations."""

    def __init__(self, mocks: Mocks | None, *, render: Render | None = None) -> None:
        self._mocks: Mapping[str, tuple[Mock, ...]] = mocks.by_tool if mocks else {}
        self._render: Render = render or (lambda value: value)
        self._played: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._mocks

    def play(self, name: str, arguments: Mapping[str, JSON], *, turn: int | None = None) -> Mock | None:
        """Return what a call of a mocked tool gets, rendered; None where no mock matches its arguments.

        Args:
            name: The tool's.
            arguments: The call's.
            turn: Which of a sequence it got when it was recorded, from 1; None: the next one.
        """
        mocks = self._mocks[name]
        for mock in mocks:
            if mock.when is not None and _matches(self._render(dict(mock.when)), arguments):
                return self._rendered(mock)
        sequence = [mock for mock in mocks if mock.when is None]
        if not sequence:
            return None
        played = self._played.get(name, 0)
        turn = played + 1 if turn is None else turn
        self._played[name] = max(played, turn)
        mock = self._rendered(sequence[min(turn, len(sequence)) - 1])
        return replace(mock, turn=turn) if len(sequence) > 1 else mock

    def _rendered(self, mock: Mock) -> Mock:
        if mock.error is not None:
            return Mock(error=str(self._render(mock.error)))
        return Mock(result=self._render(mock.result))


def read_mocks(given: JSON, complain: Complain) -> Mocks:
    """Read what stands under `mocks:`; what is wrong is told, with its place below it, and left out.

    Args:
        given: Plain data: by a tool's name one result, or a list of them.
        complain: Is told every problem.
    """
    if not isinstance(given, Mapping):
        complain(
            (), "`mocks:` is a mapping of tools to their results.", "Write {TOOL: result} or {TOOL: [first, next]}."
        )
        return Mocks()
    found: dict[str, tuple[Mock, ...]] = {}
    for name, value in given.items():
        several = isinstance(value, list | tuple)
        entries = list(value) if several else [value]
        if not entries:
            complain((name,), f"'{name}' has no mock.", "A result that is an empty list is written {return: []}.")
            continue
        at: Iterator[Loc] = ((name, index) if several else (name,) for index in range(len(entries)))
        mocks = [_read_one(entry, loc, complain) for entry, loc in zip(entries, at, strict=True)]
        if None not in mocks:
            found[str(name)] = tuple(mock for mock in mocks if mock is not None)
    return Mocks(by_tool=found)


def _read_one(entry: JSON, loc: Loc, complain: Complain) -> Mock | None:
    if not isinstance(entry, Mapping) or not _structured(entry):
        return Mock(result=entry)
    unknown = [str(key) for key in entry if key not in _KEYS]
    for key in unknown:
        hint = did_you_mean(key, _KEYS) or "A result that has such keys itself is written {return: {..}}."
        complain((*loc, key), f"unknown key '{key}' in a mock.", hint)
    if unknown:
        return None
    when = entry.get("when")
    if "when" in entry and (not isinstance(when, Mapping) or not when):
        complain(
            (*loc, "when"), "`when:` is a mapping of arguments to their values.", "Write {when: {order_id: 4711}, ..}."
        )
        return None
    if ("return" in entry) == ("error" in entry):
        complain(loc, "a mock has a `return:` or an `error:`, one of both.")
        return None
    if "error" not in entry:
        return Mock(result=entry["return"], when=when)
    if not isinstance(entry["error"], str) or not entry["error"]:
        hint = "A result that has the key `error` itself is written {return: {error: ..}}."
        complain((*loc, "error"), "`error:` is the text that the model is told.", hint)
        return None
    return Mock(error=entry["error"], when=when)


def _structured(entry: Mapping[str, JSON]) -> bool:
    """Whether a mapping says how a mock works, rather than being a result itself."""
    return "when" in entry or "return" in entry or set(entry) == {"error"}


def _matches(wanted: Mapping[str, JSON], arguments: Mapping[str, JSON]) -> bool:
    return all(name in arguments and same_json(value, arguments[name]) for name, value in wanted.items())
