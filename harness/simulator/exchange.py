"""One request on its way through the app: it ends where its client leaves, and whatever goes wrong is an answer."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Exchange:
    """A request whose body is known, and its answer.

    Args:
        body: What was sent.
        receive: Tells when the client left.
        send: Takes the answer.
    """

    def __init__(self, body: bytes, receive: Receive, send: Send) -> None:
        self._body: bytes | None = body
        self._receive = receive
        self._send = send
        self._started = False
        self._whole = False
        self._gone = asyncio.Event()
        #: The work was broken off for that reason.
        self._broken_off = False

    async def through(self, app: ASGIApp, scope: Scope) -> None:
        """Let an app answer; break it off when the client leaves before the answer begins."""
        task = asyncio.current_task()
        assert task is not None
        watching = asyncio.create_task(self._watch(task))
        try:
            await app(scope, self._replay, self._note)
        except asyncio.CancelledError:
            if not self._broken_off or task.uncancel() > 0:
                raise
        except Exception:
            # What went wrong before the answer began has been answered with its error; a stream is cut.
            if not self._whole:
                raise
        finally:
            watching.cancel()

    async def _watch(self, task: asyncio.Task[None]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()
        # Streams look for clients that leave themselves.
        if not self._started:
            self._broken_off = True
            task.cancel()

    async def _replay(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _note(self, message: Message) -> None:
        self._started = self._started or message["type"] == "http.response.start"
        self._whole = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)
