"""Standard output and error that outlive whoever reads them: `harness run | head` ends as `harness run` does."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import Any, TextIO

#: The reader is gone: of a pipe, or the whole terminal.
_GONE = frozenset({errno.EPIPE, errno.EIO, errno.ECONNRESET})


class _Lasting(io.FileIO):
    """A descriptor that is led to nowhere once it cannot be written, so that the end of the process finds it in order."""

    def __init__(self, descriptor: int, *, loud: bool) -> None:
        """
        Args:
            descriptor: Of the stream.
            loud: Raise once what is no fault of the reader, such as a full disk.
        """
        super().__init__(descriptor, "w", closefd=False)
        self._loud = loud

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content) or 0
        except OSError as error:
            with contextlib.suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.fileno())
                os.close(nowhere)
            if self._loud and error.errno not in _GONE:
                raise
            return len(memoryview(content).cast("B"))


def make_lasting() -> None:
    """Let the process's own streams be closed by their readers at any time; streams that a test put there are left alone."""
    if sys.stdout is sys.__stdout__:
        sys.stdout = _lasting(sys.stdout, loud=True)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _lasting(sys.stderr, loud=False)


def _lasting(stream: TextIO | None, *, loud: bool) -> Any:
    if stream is None:
        # Closed from the start, as with `>&-`.
        return open(os.devnull, "w", encoding="utf-8")
    try:
        descriptor = stream.fileno()
        stream.flush()
    except (OSError, ValueError, AttributeError):
        return stream
    buffered = io.BufferedWriter(_Lasting(descriptor, loud=loud))
    # A character that a terminal or file cannot take must not cost the rest of what is said.
    return io.TextIOWrapper(
        buffered, encoding=stream.encoding, errors="backslashreplace", line_buffering=not loud or stream.isatty()
    )
