"""Plain data as YAML with remarks, in a form that every reader of YAML understands alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.records import JSON

#: Columns that a list or mapping in one line may take.
_WIDTH = 100

# What a literal block can hold: printable characters without any line break but \n, and without a BOM.
_UNPRINTABLE = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_PLAIN = re.compile(
    r"(?:(?:\./)?[A-Za-z](?:[A-Za-z0-9_./+@^'()?! -]*[A-Za-z0-9_/+@^'()?!.-])?|[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))\Z"
)
# The last six are truth values to readers of YAML 1.1.
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping, with a remark behind it.

    Args:
        key: The key; None: the entry is an item of a list, or only a remark on a line of its own.
        value: Plain data, or entries.
        remark: What to say about it.
    """

    key: str | None = None
    value: JSON | Sequence[Entry] = None
    remark: str | None = None


def write(entries: Sequence[Entry]) -> str:
    """Return a mapping as YAML; reading it gives the entries' values."""
    return "".join(f"{line}\n" for line in _entries(entries, ""))


def _entries(entries: Sequence[Entry], pad: str) -> Iterator[str]:
    for entry in entries:
        behind = f"  # {entry.remark}" if entry.remark else ""
        if entry.key is None and entry.value is None:
            yield f"{pad}# {entry.remark}"
        elif entry.key is None:
            yield from _item(entry.value, pad, behind)
        elif isinstance(entry.value, tuple):
            yield f"{pad}{_text(entry.key)}:{behind}"
            yield from _entries(entry.value, pad + "  ")
        else:
            yield from _value(f"{pad}{_text(entry.key)}:", entry.value, pad, behind)


def _value(start: str, value: JSON, pad: str, behind: str = "") -> Iterator[str]:
    flow = _flow(value)
    block = _literal(value, pad + "  ")
    if block is not None:
        head, *lines = block
        yield f"{start} {head}{behind}"
        yield from lines
    elif not isinstance(value, (dict, list)) or not value or len(start) + len(flow) < _WIDTH:
        yield f"{start} {flow}{behind}"
    else:
        yield f"{start}{behind}"
        if isinstance(value, dict):
            yield from _mapping(value, pad + "  ")
        else:
            for one in value:
                yield from _item(one, pad + "  ", "")


def _mapping(value: dict[str, JSON], pad: str) -> Iterator[str]:
    for key, one in value.items():
        yield from _value(f"{pad}{_text(key)}:", one, pad)


def _item(value: JSON, pad: str, behind: str) -> Iterator[str]:
    """A mapping starts beside its dash; anything else too long for a line stands below it."""
    flow = _flow(value)
    if isinstance(value, dict) and value and len(pad) + len(flow) + 2 >= _WIDTH:
        first, *rest = _mapping(value, pad + "  ")
        yield f"{pad}- {first[len(pad) + 2 :]}{behind}"
        yield from rest
    else:
        yield from _value(f"{pad}-", value, pad, behind)


def _flow(value: JSON) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _text(text: str) -> str:
    if _PLAIN.match(text) and text.lower() not in _WORDS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match.group()):04x}", quoted)


def _literal(value: JSON, pad: str) -> list[str] | None:
    """The head and the lines of a literal block, for a text of several lines that such a block can hold."""
    if not isinstance(value, str) or "\n" not in value.rstrip("\n") or value[0] in " \t\n":
        return None
    stripped = value.rstrip("\n")
    last = stripped.rpartition("\n")[2]
    if _UNPRINTABLE.search(value) or not last.strip() or len(value) - len(stripped) > 1:
        return None
    head = "|" if value.endswith("\n") else "|-"
    return [head, *(pad + line if line else "" for line in stripped.split("\n"))]
