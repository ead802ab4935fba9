"""What one rendering of a template uses up, counted against limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any

import jinja2

from harness.records import JSON

#: Characters of a rendered text, and of any single text made on the way.
LARGEST = 1_000_000
#: Loop steps, calls and list items that one rendering may take, all together.
MOST_STEPS = 1_000_000
#: Characters that one rendering may make on the way, all together.
MOST_MADE = 20 * LARGEST


class TooMuch(jinja2.TemplateRuntimeError):
    """A template asks for more than it may have."""


class Edges:
    """Tells the blank space that sets off a template's text from blank space that belongs to a value at its ends."""

    __slots__ = ("begun", "head", "tail")

    def __init__(self) -> None:
        self.begun = False
        #: Blank characters of the template before the first value; None: text of the template comes first.
        self.head: int | None = 0
        #: Blank characters of the template after the last value; None: text of the template comes last.
        self.tail: int | None = None

    def literal(self, text: str) -> None:
        """Take note of text written in the template."""
        if text.isspace():
            if not self.begun and self.head is not None:
                self.head += len(text)
            if self.tail is not None:
                self.tail += len(text)
        elif text:
            if not self.begun:
                self.begun, self.head = True, None
            self.tail = None

    def value(self, text: str) -> None:
        """Take note of text that a value gave."""
        if text:
            self.begun = True
            self.tail = 0

    def strip(self, text: str) -> str:
        """Take the template's blank space off both ends of the whole text."""
        # Filters around whole blocks may have changed it, so what is cut is looked at.
        if self.head is None or not self.begun:
            text = text.lstrip()
        elif text[: self.head].isspace():
            text = text[self.head :]
        if self.tail is None:
            return text.rstrip()
        end = len(text) - self.tail
        return text[:end] if text[end:].isspace() else text


class Meter:
    """Counts what one rendering makes, and holds the messages of its chat blocks."""

    __slots__ = ("edges", "held", "made", "messages", "nested", "said", "steps")

    def __init__(self) -> None:
        self.steps = 0
        self.made = 0
        self.messages: list[Any] = []
        #: Characters of the messages.
        self.said = 0
        #: Of the message or text that is being put out.
        self.edges = Edges()
        #: More than 0 while output is kept for later.
        self.held = 0
        #: Inside a chat block.
        self.nested = False

    def step(self, count: int = 1) -> None:
        """Count loop steps, calls or list items."""
        self.steps += count
        if self.steps > MOST_STEPS:
            raise TooMuch(f"it takes more than {MOST_STEPS:,} steps")

    def make(self, size: int) -> None:
        """Count the characters of a text that was made or is about to be."""
        if size > LARGEST:
            raise TooMuch(f"it makes a text of {size:,} characters; {LARGEST:,} are allowed")
        self.made += size
        if self.made > MOST_MADE:
            raise TooMuch(f"it makes texts of more than {MOST_MADE:,} characters altogether")

    def put_out(self, text: str, *, literal: bool) -> None:
        """Count a piece of output: a step and its characters. `literal`: it stands in the template."""
        if not self.held:
            if literal:
                self.edges.literal(text)
            else:
                self.edges.value(text)
        size = len(text)
        self.steps += 1
        self.made += size
        if self.steps > MOST_STEPS or size > LARGEST or self.made > MOST_MADE:
            self.step(0)
            self.make(0 if size <= LARGEST else size)

    def say(self, message: Any, size: int) -> None:
        """Take a message of a chat block; `size` is its length in characters."""
        self.said += size
        if self.said > LARGEST:
            raise TooMuch(f"its messages are longer than {LARGEST:,} characters")
        self.messages.append(message)

    def counted(self, values: Any) -> Iterable[Any]:
        """Return what a loop goes over, with its steps counted: at once where the length is known."""
        if isinstance(values, Sized) and isinstance(values, Iterable):
            self.step(len(values))
            return values
        return self.stream(iter(values))

    def stream(self, values: Iterator[Any]) -> Iterator[Any]:
        """Count the items of a stream as they are taken."""
        for value in values:
            self.step()
            yield value

    def weighed(self, value: Any) -> Any:
        """Count a value that a template made: a text's characters, a list's items, a stream's as they are taken."""
        if isinstance(value, str):
            self.make(len(value))
        elif isinstance(value, (list, tuple, dict)):
            self.step(len(value))
        elif isinstance(value, Iterator) and not hasattr(value, "index0"):
            return self.stream(value)
        return value

    def measure(self, value: Any) -> int:
        """Return about how long a value is as text.

        Raises:
            TooMuch: It is too long. A list that holds another many times over is seen before it is written out.
        """
        size = 0
        waiting = [value]
        while waiting:
            one = waiting.pop()
            if isinstance(one, str):
                size += len(one)
            elif isinstance(one, Mapping):
                waiting.extend(one)
                waiting.extend(one.values())
                size += 2
            elif isinstance(one, (list, tuple)):
                waiting.extend(one)
                size += 2
            else:
                size += 1
            if size > LARGEST or len(waiting) > LARGEST:
                raise TooMuch(f"it makes a text of more than {LARGEST:,} characters")
        return size

    def text(self, value: Any) -> str:
        """Return a value as the text that a template puts out.

        Raises:
            TooMuch: Its text would be too long.
            jinja2.TemplateRuntimeError: It is undefined, or no plain data.
        """
        # A strict undefined complains in its own words as soon as it is used.
        if value is None or isinstance(value, (str, int, float, jinja2.Undefined)):
            return str(value)
        if isinstance(value, (list, tuple, dict)):
            self.measure(value)
            return str(value)
        if isinstance(value, Iterator):
            raise jinja2.TemplateRuntimeError("this is a stream of values, not a text; add `|list` or `|join`")
        raise jinja2.TemplateRuntimeError(f"a {type(value).__name__} is no text; is a () missing?")

    def plain(self, value: Any) -> JSON:
        """Return what an expression gave as plain data of its own.

        Raises:
            jinja2.TemplateRuntimeError: It is no plain data, or too much of it.
        """
        self.step()
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, Mapping):
            return {self.text(key): self.plain(one) for key, one in value.items()}
        if isinstance(value, (list, tuple, range, Iterator)):
            return [self.plain(one) for one in value]
        return self.text(value)
