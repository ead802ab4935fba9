"""Messages as they are said and listed: texts with their files, and pages of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from harness.errors import UsageError
from harness.library.remote import ThreadMessage
from harness.records import Attachment, Message
from harness.suites.cases import attached

Order: TypeAlias = Literal["asc", "desc"]
File: TypeAlias = str | Path | Attachment
Role: TypeAlias = Literal["user", "assistant"]
Texts: TypeAlias = str | Sequence[str]
_MOST = 100


def said(text: str, *, files: Iterable[File] = (), images: Iterable[File] = (), role: Role = "user") -> Message:
    """Return a message with its files.

    Raises:
        UsageError: It is no text, has no such role, or a file cannot be read.
    """
    if not isinstance(text, str):
        raise UsageError(f"a message is a text, not a {type(text).__name__}")
    if role not in ("user", "assistant"):
        raise UsageError(f"role={role!r}: it is user or assistant")
    kinds: tuple[tuple[Literal["file", "image"], Iterable[File]], ...] = (("file", files), ("image", images))
    found = [_attached(kind, one) for kind, given in kinds for one in _several(kind, given)]
    if not text and not found:
        raise UsageError("a message cannot be empty")
    return Message(role=role, content=text, attachments=tuple(found))


def _several(kind: str, given: Any) -> list[Any]:
    if isinstance(given, (str, Path, Attachment)):
        return [given]
    if not isinstance(given, Iterable):
        raise UsageError(f"`{kind}s=` should be a list of paths, not {given!r}")
    return list(given)


def _attached(kind: Literal["file", "image"], given: File) -> Attachment:
    if isinstance(given, Attachment):
        return given
    try:
        return attached(kind, Path(given))
    except OSError as error:
        raise UsageError(f"`{kind}s=`: cannot read {given}: {error.strerror or error}") from None
    except (TypeError, ValueError) as error:
        raise UsageError(f"`{kind}s=`: {str(error).replace('`files:`', '`files=`')}") from None


def messages_of(text: Texts, files: Iterable[File], images: Iterable[File]) -> list[Message]:
    """Return what a user says; files go with the last message.

    Raises:
        UsageError: There is nothing, or a part of it cannot be said.
    """
    texts = _texts(text)
    if not texts:
        raise UsageError("nothing is said: give a text, or a list of them")
    return [*map(said, texts[:-1]), said(texts[-1], files=files, images=images)]


def _texts(given: Any) -> list[Any]:
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise UsageError(f"what is said is a text, or a list of texts, not {_shown(given)}")
    return [given] if isinstance(given, str) else list(given)


def check_instructions(instructions: str | None) -> None:
    """Check what a user says of one answer.

    Raises:
        UsageError: It is no text.
    """
    if instructions is not None and not isinstance(instructions, str):
        raise UsageError(f"`instructions=` should be a text, not {_shown(instructions)}")


def _shown(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def check_page(limit: int, order: str) -> None:
    """Check what a user says of a page of messages.

    Raises:
        UsageError: It cannot be.
    """
    if type(limit) is not int or not 1 <= limit <= _MOST:
        raise UsageError(f"limit={limit!r}: give a whole number from 1 to {_MOST}")
    if order not in ("asc", "desc"):
        raise UsageError(f"order={order!r}: it is asc or desc")


def page(
    messages: list[ThreadMessage], limit: int, *, order: Order, before: str | None, after: str | None
) -> list[ThreadMessage]:
    """Return a part of messages that stand in ascending order; arguments and errors as for `Thread.messages`."""
    check_page(limit, order)
    whole = messages if order == "asc" else messages[::-1]
    places = {one.id: place for place, one in enumerate(whole)}
    for given in (before, after):
        if given is not None and given not in places:
            raise UsageError(f"there is no message '{given}' in this thread")
    first = 0 if after is None else places[after] + 1
    last = len(whole) if before is None else places[before]
    return whole[first:last][:limit]
