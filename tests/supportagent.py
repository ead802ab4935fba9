"""A small support agent behind HTTP, as somebody would deploy one: JSON and streamed answers, a memory, tools, a key."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Any, Self

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

KEY = "agent-key-7f3a9c2e51"
_POLICY = {"shipping": "Standard shipping takes 5 days.", "refund": "Refunds take 14 days."}


def build(seen: list[dict[str, Any]]) -> FastAPI:
    """Return the agent; every request that reaches it is noted in `seen`."""
    app = FastAPI()

    @app.middleware("http")
    async def note(request: Request, following: Any) -> Any:
        body = await request.body()
        seen.append(
            {
                "method": request.method,
                "path": request.scope["path"],
                "query": dict(request.query_params),
                "headers": dict(request.headers),
                "text": body.decode(),
            }
        )
        return await following(request)

    _talking(app)
    _streaming(app)
    _guarded(app)
    _odd(app)
    return app


def _answer(text: str) -> str:
    return next((said for word, said in _POLICY.items() if word in text.lower()), "I do not know.")


def _talking(app: FastAPI) -> None:
    talks: dict[str, list[str]] = {}

    @app.post("/talk")
    async def talk(body: dict[str, Any]) -> dict[str, Any]:
        thread = body.get("thread") or f"t-{len(talks) + 1}"
        said = talks.setdefault(thread, [])
        said.append(body["message"])
        calls = []
        reply = _answer(body["message"])
        if "4711" in body["message"]:
            reply = f"Order 4711 is shipped (message {len(said)} of {thread})."
            calls = [{"name": "find_order", "arguments": {"order_id": "4711"}, "output": {"status": "shipped"}}]
        return {
            "reply": {"text": reply},
            "conversation": thread,
            "steps": calls,
            "tokens": {"input": 10 * len(said), "output": len(reply.split())},
        }

    @app.get("/ask/{topic}")
    async def ask(topic: str, lang: str) -> PlainTextResponse:
        return PlainTextResponse(f"{_answer(topic)} [{lang}]")

    @app.post("/counted")
    async def counted(request: Request) -> Response:
        number = int(request.cookies.get("count", "0")) + 1
        response = JSONResponse({"output": f"message {number}"})
        response.set_cookie("count", str(number))
        return response


def _streaming(app: FastAPI) -> None:
    @app.post("/stream")
    async def stream(body: dict[str, Any]) -> StreamingResponse:
        async def events() -> AsyncIterator[str]:
            yield ": hello\n\n"
            yield f"event: meta\ndata: {json.dumps({'conversation': 's-1'})}\n\n"
            for word in _answer(body["input"]).split():
                await asyncio.sleep(0.005)
                yield f"event: delta\ndata: {json.dumps({'part': {'text': word + ' '}})}\n\n"
            yield f"event: end\ndata: {json.dumps({'tokens': {'prompt_tokens': 7, 'completion_tokens': 5}})}\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    @app.post("/openai-stream")
    async def openai_stream(body: dict[str, Any]) -> StreamingResponse:
        chunks = [{"choices": [{"delta": {"content": word + " "}}]} for word in _answer(body["input"]).split()]
        return _events([*map(json.dumps, chunks), "[DONE]"])

    @app.post("/responses-stream")
    async def responses_stream(body: dict[str, Any]) -> StreamingResponse:
        text = _answer(body["input"])
        deltas = [{"type": "response.output_text.delta", "delta": word + " "} for word in text.split()]
        thought = {"type": "response.reasoning_text.delta", "delta": "Hm."}
        return _events(map(json.dumps, [thought, *deltas, {"type": "response.output_text.done", "text": text}]))

    @app.post("/words")
    async def words(request: Request) -> StreamingResponse:
        return _events(_answer((await request.body()).decode()).split())

    @app.post("/broken-stream")
    async def broken(body: dict[str, Any]) -> StreamingResponse:
        return _events([json.dumps({"delta": "Stand"}), json.dumps({"error": {"message": "out of paper"}})])


def _events(texts: Iterable[str]) -> StreamingResponse:
    return StreamingResponse((f"data: {text}\n\n" for text in texts), media_type="text/event-stream")


def _guarded(app: FastAPI) -> None:
    @app.post("/locked")
    async def locked(request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return JSONResponse({"detail": "who are you?"}, status_code=401)
        return JSONResponse(
            {"output": _answer((await request.json())["input"]), "seen": request.headers["authorization"]}
        )


def _odd(app: FastAPI) -> None:
    failures = {"left": 1}

    @app.post("/flaky")
    async def flaky(body: dict[str, Any]) -> Response:
        if failures["left"]:
            failures["left"] -= 1
            return JSONResponse({"detail": "warming up"}, status_code=503)
        return JSONResponse({"output": _answer(body["input"])})

    @app.post("/status/{code}")
    async def status(code: int) -> Response:
        return JSONResponse({"detail": f"this is {code}"}, status_code=code, headers={"x-should-retry": "false"})

    @app.post("/echo")
    async def echo(body: dict[str, Any]) -> dict[str, Any]:
        return {"output": body}


class Agent:
    """Serves the agent on loopback in a thread; a context manager."""

    def __init__(self) -> None:
        #: Every request that came.
        self.seen: list[dict[str, Any]] = []
        config = uvicorn.Config(build(self.seen), host="127.0.0.1", port=0, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        async def serve() -> None:
            task = asyncio.create_task(self._server.serve())
            while not self._server.started:
                await asyncio.sleep(0.005)
            self.port = self._server.servers[0].sockets[0].getsockname()[1]
            self._started.set()
            await task

        asyncio.run(serve())

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(10)
