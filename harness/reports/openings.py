"""What stands before the input of a case: the system message and examples, gathered once per suite."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from harness.records import Message, Result
from harness.reports import anchors, clean, worddiff
from harness.reports.cutting import Cut, cut
from harness.reports.worddiff import Piece
from harness.summary import SuiteSummary, phrases

#: Different openings of all suites that are shown in full, and the characters of each of their messages.
_KEPT = 60
_LONGEST = 12_000
_SYSTEM = ("system", "developer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message by its role: whole, or as pieces against an earlier text."""

    role: str
    text: Cut
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One opening, in full."""

    anchor: str
    #: `faq@2`, or the variants that have it.
    title: str
    #: Who uses it, and how often.
    used: str
    messages: tuple[Said, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The opening of a candidate against the baseline's."""

    baseline: str
    candidate: str
    #: Which case it is taken from, or that it is the same in all.
    said: str
    messages: tuple[Said, ...]
    new: int
    gone: int
    equal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """The openings of a suite."""

    changes: tuple[Change, ...] = ()
    openings: tuple[Opening, ...] = ()
    #: Openings that are not shown.
    more: int = 0

    def titles(self) -> str:
        """Return what the changes add up to, for a heading."""
        told = [
            f"{one.baseline} and {one.candidate} are the same"
            if one.equal
            else f"{one.baseline} to {one.candidate}: {phrases.count(one.new, 'word')} new, {one.gone:,} gone"
            for one in self.changes
        ]
        return "; ".join(told)


def length(result: Result) -> int:
    """Return how many messages of a trial stand before the input of its case."""
    messages = result.messages
    if not result.turns:
        return next((at for at, one in enumerate(messages) if one.role not in _SYSTEM), len(messages))
    said = [("user", text) for text in result.turns[0].input]
    told = [(one.role, one.content) for one in messages]
    for at in range(len(messages) - len(said) + 1):
        if said and told[at : at + len(said)] == said:
            return at
    # Runs of earlier versions: the first turn holds what users say in examples, then the input.
    users = [at for at, one in enumerate(messages) if one.role == "user"][: len(result.turns[0].input)]
    at = users[-1] if users else 0
    while at and messages[at - 1].role == "user":
        at -= 1
    return at


@dataclass(slots=True)
class _Used:
    """An opening, and which variants use it in how many trials."""

    messages: tuple[Message, ...]
    variants: dict[str, int] = field(default_factory=dict)
    refs: dict[str, None] = field(default_factory=dict)


class Gathering:
    """The openings of one suite while its results come in."""

    def __init__(self, suite: SuiteSummary, *, suites: int) -> None:
        self._suite = suite
        self._kept = max(_KEPT // max(suites, 1), 4)
        self._used: dict[str, _Used] = {}
        self._hidden: set[str] = set()
        #: By variant and case, the digest of the opening in the first trial.
        self._cases: dict[str, dict[str, str]] = {}

    def add(self, result: Result, start: int) -> None:
        """Take in the opening of a trial: its messages before `start` (see `length`)."""
        messages = result.messages[:start]
        if not messages:
            return
        digest = _digest(messages)
        self._cases.setdefault(result.variant, {}).setdefault(result.case, digest)
        used = self._used.get(digest)
        if used is None:
            if len(self._used) >= self._kept:
                self._hidden.add(digest)
                return
            used = self._used[digest] = _Used(messages)
        used.variants[result.variant] = used.variants.get(result.variant, 0) + 1
        if result.prompt is not None and result.prompt.ref:
            used.refs[result.prompt.ref] = None

    def anchor(self, messages: Sequence[Message]) -> str:
        """Return where an opening is shown, or nothing where it is not."""
        digest = _digest(messages)
        return anchors.prompt(self._suite.name, digest) if digest in self._used else ""

    def prompts(self, pairs: Iterable[tuple[str, str]]) -> Prompts:
        """Return what to show; the pairs are of baseline and candidate."""
        changes = [self._change(*pair) for pair in pairs]
        return Prompts(
            changes=tuple(one for one in changes if one is not None),
            openings=tuple(self._opening(digest, used) for digest, used in self._used.items()),
            more=len(self._hidden),
        )

    def _opening(self, digest: str, used: _Used) -> Opening:
        variants = [f"{name} ({phrases.count(count, 'trial')})" for name, count in used.variants.items()]
        return Opening(
            anchor=anchors.prompt(self._suite.name, digest),
            title=clean.line(", ".join(used.refs) or ", ".join(used.variants)),
            used=clean.line(", ".join(variants)),
            messages=tuple(Said(role=one.role, text=cut(one.content, _LONGEST)) for one in used.messages),
        )

    def _change(self, baseline: str, candidate: str) -> Change | None:
        first, second = self._cases.get(baseline, {}), self._cases.get(candidate, {})
        shared = next(
            (case for case in first if second.get(case) in self._used and first[case] in self._used),
            None,
        )
        if shared is None:
            return None
        old, new = self._used[first[shared]], self._used[second[shared]]
        told = [_told(*pair) for pair in zip_longest(old.messages, new.messages)]
        gone, added = sum(one[1] for one in told), sum(one[2] for one in told)
        same = len(set(first.values())) == 1 and len(set(second.values())) == 1
        return Change(
            baseline=clean.line(", ".join(old.refs) if old.refs and old.refs != new.refs else baseline),
            candidate=clean.line(", ".join(new.refs) if new.refs and old.refs != new.refs else candidate),
            said="The same in all cases."
            if same
            else f"It differs from case to case; this is the first that both have, {clean.line(shared)}.",
            messages=tuple(said for one in told for said in one[0]),
            gone=gone,
            new=added,
            equal=old.messages == new.messages,
        )


def _told(old: Message | None, new: Message | None) -> tuple[tuple[Said, ...], int, int]:
    """A pair of messages as they are shown, with how many words are gone and new."""
    if old is not None and new is not None and old.role == new.role:
        before, after = cut(old.content, _LONGEST), cut(new.content, _LONGEST)
        found = worddiff.words(before.text, after.text)
        if found is not None:
            return (Said(role=new.role, text=after, pieces=found.pieces),), found.gone, found.new
    shown, counts = [], {"gone": 0, "new": 0}
    for message in (old, new):
        if message is not None:
            kind: worddiff.Kind = "gone" if message is old else "new"
            text = cut(message.content, _LONGEST)
            shown.append(Said(role=message.role, text=text, pieces=(Piece(kind=kind, text=text.text),)))
            counts[kind] += worddiff.count(text.text)
    return tuple(shown), counts["gone"], counts["new"]


def _digest(messages: Sequence[Message]) -> str:
    text = "\0".join(f"{one.role}\0{len(one.content)}\0{one.content}" for one in messages)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
