"""Two recordings side by side: what was asked and answered differently, and how much longer and dearer it was.

Ids that a service makes anew each time are no difference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher
from pathlib import Path

from harness.errors import UsageError
from harness.hygiene.showing import Exchange, exchanges
from harness.hygiene.spoken import Part
from harness.prompts.gittree import GitTree
from harness.recording import Cassette
from harness.recording.read import parse_cassette, read_cassette
from harness.records import JSON
from harness.reports import clean, linediff

#: Ids that services make: `thread_8e739d4f`, `call_abc123`, `file-XYZ123456`.
_ID = re.compile(r"(?:[a-z]{2,12}[_-])?(?=[A-Za-z0-9]*[0-9])[A-Za-z0-9]{12,}|[a-z]{2,12}_[A-Za-z0-9]{8,}")
#: The line by which a call and its result find each other.
_TIE = re.compile(r"\n\((?:as|of) [^\n]*\)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A recording, and how it was named."""

    name: str
    cassette: Cassette


@dataclass(frozen=True, slots=True)
class Pair:
    """A call of both recordings, or of one of them."""

    before: Exchange | None
    after: Exchange | None

    @property
    def settings(self) -> Mapping[str, tuple[JSON, JSON]]:
        """What was set differently; None: it was not set."""
        if self.before is None or self.after is None:
            return {}
        old, new = self.before.asked.settings, self.after.asked.settings
        return {
            name: (old.get(name), new.get(name))
            for name in [*old, *(name for name in new if name not in old)]
            if _plain(old.get(name)) != _plain(new.get(name))
        }

    @property
    def asked(self) -> tuple[str, str]:
        return _text(self.before.asked.parts if self.before else ()), _text(
            self.after.asked.parts if self.after else ()
        )

    @property
    def answered(self) -> tuple[str, str]:
        return _text(self.before.answered if self.before else ()), _text(self.after.answered if self.after else ())

    @property
    def equal(self) -> bool:
        """Whether the same was asked, and answered, apart from times."""
        if self.before is None or self.after is None:
            return False
        same = self.asked[0] == self.asked[1] and self.answered[0] == self.answered[1]
        return same and not self.settings and _status(self.before) == _status(self.after)


def side(text: str) -> Side:
    """Read a recording from a file, or from a commit: `REF:path`.

    Raises:
        UsageError: There is none.
        ConfigError: git cannot be asked, or knows no such commit.
        CassetteDamaged: It cannot be read.
    """
    path = Path(text)
    if path.is_file():
        return Side(name=text, cassette=read_cassette(path, shown=text))
    ref, colon, inside = text.partition(":")
    if not colon or not ref or not inside:
        raise UsageError(f"no such file: {text} (a recording as of a commit is REF:path)")
    place = (Path.cwd() / inside).resolve()
    root = next(folder for folder in place.parents if folder.is_dir())
    raw = GitTree(folder=place.parent, root=root, ref=ref).read(place.name)
    if raw is None:
        raise UsageError(f"there is no file {inside} in '{ref}'")
    return Side(name=text, cassette=parse_cassette(raw, shown=text))


def pairs(before: Cassette, after: Cassette) -> list[Pair]:
    """Return the calls of two recordings, each with its counterpart, in the order of the second one."""
    old, new = exchanges(before), exchanges(after)
    found: list[Pair] = []
    matcher = SequenceMatcher(None, [_anonymous(one.name) for one in old], [_anonymous(one.name) for one in new], False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            found += [Pair(*both) for both in zip(old[a:b], new[c:d], strict=True)]
        else:
            found += [Pair(one, None) for one in old[a:b]] + [Pair(None, one) for one in new[c:d]]
    return found


def told(before: Side, after: Side, *, color: bool = False) -> str:
    """Return what differs between two recordings as text; times, tokens and costs stand there in any case."""
    lines = [f"--- {clean.line(before.name)}", f"+++ {clean.line(after.name)}"]
    found = pairs(before.cassette, after.cassette)
    for pair in found:
        if not pair.equal:
            lines += ["", *_pair(pair, color=color)]
    if all(pair.equal for pair in found):
        lines += ["", "the same was asked and answered"]
    return "\n".join([*lines, "", *_totals(before.cassette, after.cassette)])


def plain(before: Side, after: Side) -> dict[str, JSON]:
    """Return the same as plain data."""
    found = pairs(before.cassette, after.cassette)
    old, new = before.cassette.facts, after.cassette.facts
    return {
        "before": before.name,
        "after": after.name,
        "same": all(pair.equal for pair in found),
        "calls": [_pair_plain(pair) for pair in found if not pair.equal],
        "latency": [old.latency, new.latency],
        "tokens": [list(_tokens(before.cassette)), list(_tokens(after.cassette))],
        "cost": [None if one is None else f"{one:f}" for one in (old.cost, new.cost)],
    }


def _pair(pair: Pair, *, color: bool) -> Iterator[str]:
    if pair.before is None or pair.after is None:
        only = pair.before or pair.after
        assert only is not None
        yield clean.line(
            f"== {'-' if pair.before else '+'} call {only.one.slot}: {only.name}, only in the {_which(pair)}"
        )
        text = "\n".join(filter(None, (_text(only.asked.parts), "--", _text(only.answered))))
        yield from (f"  {line}".rstrip() for line in clean.block(text).split("\n"))
        return
    before, after = pair.before, pair.after
    yield clean.line(f"== call {after.one.slot}: {after.name}")
    for name, (old, new) in pair.settings.items():
        yield clean.line(f"{name}: {_shown(old)} -> {_shown(new)}")
    yield from _words(*pair.asked, "asked", color=color)
    if _status(before) != _status(after):
        yield f"status: {_status(before)} -> {_status(after)}"
    yield from _words(*pair.answered, "answered", color=color)
    took = tuple(one.one.end - one.one.start for one in (before, after))
    tokens = tuple(f"{one.usage.input or 0} + {one.usage.output or 0}" for one in (before, after))
    told = f"time: {took[0]:.3f} s -> {took[1]:.3f} s"
    yield told + (f", tokens: {tokens[0]} -> {tokens[1]}" if tokens[0] != tokens[1] else "")


def _pair_plain(pair: Pair) -> dict[str, JSON]:
    both = (pair.before, pair.after)
    return {
        "call": [one.one.slot if one else None for one in both],
        "request": next(one.name for one in both if one),
        "settings": {name: list(values) for name, values in pair.settings.items()},
        "asked": list(pair.asked) if pair.asked[0] != pair.asked[1] else None,
        "answered": list(pair.answered) if pair.answered[0] != pair.answered[1] else None,
        "status": [_status(one) if one else None for one in both],
        "seconds": [round(one.one.end - one.one.start, 6) if one else None for one in both],
    }


def _which(pair: Pair) -> str:
    return "first" if pair.before else "second"


def _words(before: str, after: str, what: str, *, color: bool) -> Iterator[str]:
    if before != after:
        yield f"{what}:"
        yield from linediff.render(before, after, names=("", ""), color=color).rstrip("\n").split("\n")[2:]


def _totals(before: Cassette, after: Cassette) -> Iterator[str]:
    old, new = before.facts, after.facts
    yield f"recorded  {clean.line(old.recorded_at)} -> {clean.line(new.recorded_at)}"
    calls = tuple(len({one.slot for one in cassette.interactions}) for cassette in (before, after))
    yield f"calls     {calls[0]} -> {calls[1]}"
    yield f"time      {old.latency:.3f} s -> {new.latency:.3f} s ({new.latency - old.latency:+.3f} s)"
    tokens = _tokens(before), _tokens(after)
    yield "tokens    " + " -> ".join(f"{one[0]} + {one[1]}" for one in tokens)
    costs = tuple("unpriced" if cost is None else f"${cost:f}" for cost in (old.cost, new.cost))
    yield f"cost      {costs[0]} -> {costs[1]}" + _change(old.cost, new.cost)


def _change(before: Decimal | None, after: Decimal | None) -> str:
    if before is None or after is None or before == after:
        return ""
    sign = "+" if after > before else "-"
    return f" ({sign}${abs(after - before):f})"


def _tokens(cassette: Cassette) -> tuple[int, int]:
    from harness.assistants.usage import paid

    used = [call.usage for call in paid(cassette.interactions)]
    return sum(one.input or 0 for one in used), sum(one.output or 0 for one in used)


def _status(exchange: Exchange) -> str:
    return exchange.one.error or str(exchange.one.status)


def _text(parts: Sequence[Part]) -> str:
    """What was said, with a line that says who did before each of it."""
    return "\n".join(f"{part.role}:\n{_untied(part)}" for part in parts)


def _untied(part: Part) -> str:
    text = _TIE.sub("", part.text)
    return _ID.sub("*", text) if part.role == "object" else text


def _anonymous(name: str) -> str:
    return "/".join("*" if _ID.fullmatch(word) else word for word in name.split("/"))


def _plain(value: JSON) -> str:
    if isinstance(value, str) and _ID.fullmatch(value):
        return "*"
    return json.dumps(value, sort_keys=True)


def _shown(value: JSON) -> str:
    return "(not set)" if value is None else json.dumps(value, ensure_ascii=False)
