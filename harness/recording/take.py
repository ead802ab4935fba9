"""One attempt that is being recorded, from the request to the last byte."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2

from harness.recording.broken import in_words
from harness.recording.cassette import ABANDONED, Interaction, Request
from harness.recording.current import current_conversation
from harness.recording.marks import CALL, SETTLE, STEP
from harness.recording.redact import Redactor
from harness.recording.tape import RecordingTape

#: Stock vcrpy has no failed attempts; this status makes an SDK that replays the file there retry as well.
NO_RESPONSE = 599

# Bodies are stored decoded, and lengths are those of what was decoded.
_HOP_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive"})


class Take:
    """One attempt that is being recorded, from the request to the last byte."""

    def __init__(self, tape: RecordingTape, kept: Request, request: httpx2.Request, redactor: Redactor) -> None:
        # Some services compress whatever they may; what is stored and timed is the decoded body.
        request.headers["accept-encoding"] = "identity"
        call, self._attempt = request.extensions.get(CALL, (object(), 1))
        self._settle: Callable[[Interaction | None], object] = request.extensions.get(SETTLE, _unsettled)
        self._tape = tape
        self._kept = kept
        self._redactor = redactor
        self._slot, self._start, self.step = tape.begin(call, attempt=self._attempt, looks=kept.method == "GET")
        self._conversation = current_conversation()
        self._first_byte = self._start
        self._live: httpx2.Response | None = None
        #: It is on the tape, or never will be.
        self._closed = False
        self._settled = False
        self._lock = threading.Lock()
        self.streams = False
        tape.calling(self, self._outlived)

    def opened(self, response: httpx2.Response) -> None:
        self._first_byte = self._tape.now()
        self._live = response
        self.streams = response.headers.get("content-type", "").startswith("text/event-stream")

    def event(self) -> None:
        self.step.events.append(self._tape.now())

    def finish(self, content: bytes, *, truncated: bool = False, error: Exception | None = None) -> None:
        self._answered(content, truncated=truncated, error=None if error is None else self._words(error))

    def failed(self, error: Exception) -> None:
        self._unanswered(self._words(error))

    def left(self, content: bytes = b"") -> None:
        """End an attempt that its caller stopped waiting for.

        Args:
            content: What had come of a stream.
        """
        why = self._tape.over
        words = ABANDONED if why is None else f"{ABANDONED}: {why}"
        if self.streams:
            self._answered(content, truncated=True, error=words)
        else:
            self._unanswered(words)

    def _outlived(self) -> None:
        """Put it on the tape as what nobody waited for: the trial is over. What it costs may still become known."""
        if not self.streams:
            self._unanswered(ABANDONED, pays=False)

    def _answered(self, content: bytes, *, truncated: bool, error: str | None) -> None:
        assert self._live is not None
        self._close(
            status=self._live.status_code,
            reason=self._live.reason_phrase,
            headers=self._redactor.headers(self._live.headers.multi_items()),
            content=content,
            error=error,
            truncated=truncated,
        )

    def _unanswered(self, error: str, *, pays: bool = True) -> None:
        self._close(status=NO_RESPONSE, reason="No response", headers={}, content=b"", error=error, pays=pays)

    def _words(self, error: Exception) -> str:
        return self._redactor.text(in_words(error))

    def leaving(self, leave: Callable[[], None]) -> None:
        """Say how to end the recording of a stream that nobody closes."""
        self._tape.streaming(self, leave)

    def abandon(self) -> None:
        if self._ends():
            self._tape.end(None)
        self._pay(None)

    def _ends(self) -> bool:
        """Whether it ends now, and had not before: a thread learns late that its trial is over."""
        with self._lock:
            ends, self._closed = not self._closed, True
        if ends:
            self._tape.calling(self, None)
        return ends

    def _pay(self, found: Interaction | None) -> None:
        with self._lock:
            pays, self._settled = not self._settled, True
        if pays:
            self._settle(found)

    def response(self, stream: Any) -> httpx2.Response:
        """What the client gets: the live response with its decoded body and without the headers that describe it."""
        assert self._live is not None
        live = self._live
        response = httpx2.Response(
            live.status_code,
            headers=[(name, value) for name, value in live.headers.multi_items() if name.lower() not in _HOP_HEADERS],
            stream=stream,
            extensions={**live.extensions, STEP: self.step},
        )
        if self._closed:
            response.elapsed = timedelta(seconds=self.step.end - self.step.start)
        return response

    def _close(
        self,
        *,
        status: int,
        reason: str,
        headers: dict[str, str],
        content: bytes,
        error: str | None,
        truncated: bool = False,
        pays: bool = True,
    ) -> None:
        if self._settled or (self._closed and not pays):
            return
        self._tape.streaming(self, None)
        self.step.end = self._tape.now()
        try:
            body = self._redactor.stream(content) if self.streams else self._redactor.body(content)
        except BaseException:
            self.abandon()  # it was sent, whatever becomes of what came back
            raise
        found = Interaction(
            request=self._kept,
            status=status,
            reason=reason,
            headers=headers,
            body=body,
            slot=self._slot,
            attempt=self._attempt,
            start=self._start,
            first_byte=self._first_byte,
            end=self.step.end,
            events=tuple(self.step.events),
            error=error,
            truncated=truncated,
            conversation=self._conversation,
        )
        if self._ends():
            self._tape.end(found)
        if pays:
            self._pay(None if found.abandoned else found)


def _unsettled(interaction: Interaction | None) -> None:
    """Nobody waits for the end of the attempt."""
