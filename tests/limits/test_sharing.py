"""One service has one gate, whoever asks: tasks, threads, async and blocking clients."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextvars import copy_context

import httpx2
import openai
import pytest

from harness.assistants.session import async_client
from harness.errors import ServiceError
from harness.limits.sending import AsyncSendingTransport, Limiter, SendingTransport
from harness.recording import (
    AsyncRecordingTransport,
    Cassette,
    Facts,
    RecordingTape,
    RecordingTransport,
    Redactor,
    emit,
    use_tape,
)
from harness.settings import Retry
from tests.loopback import ChatServer, Reply, error

QUICK = Retry(attempts=3, backoff=0.0)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as found:
        yield found


def awaiting(server: ChatServer, limiter: Limiter) -> openai.AsyncOpenAI:
    recording = AsyncRecordingTransport(httpx2.AsyncHTTPTransport, redactor=Redactor())
    return async_client(AsyncSendingTransport(recording, limiter=limiter), api_key="x", base_url=server.url)


def blocking(server: ChatServer, limiter: Limiter) -> openai.OpenAI:
    recording = RecordingTransport(httpx2.HTTPTransport, redactor=Redactor())
    client = httpx2.Client(transport=SendingTransport(recording, limiter=limiter))
    return openai.OpenAI(api_key="x", base_url=server.url, max_retries=0, http_client=client)


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


async def ask(client: openai.AsyncOpenAI, number: int) -> None:
    with use_tape(RecordingTape()):
        await client.chat.completions.create(model="m", messages=said(f"{number}"))  # type: ignore[arg-type]


def test_tasks_and_threads_share_a_rate(server: ChatServer) -> None:
    limiter = Limiter(retry=QUICK, rpm=1200)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with use_tape(RecordingTape()), blocking(server, limiter) as client:
                for number in range(10):
                    client.chat.completions.create(model="m", messages=said(f"{number}"))  # type: ignore[arg-type]
        except BaseException as raised:
            failures.append(raised)

    async def main() -> None:
        async with awaiting(server, limiter) as client:
            await asyncio.gather(*(ask(client, number) for number in range(10)))

    threads = [threading.Thread(target=copy_context().run, args=(work,)) for _ in range(2)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    asyncio.run(main())
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert len(server.requests) == 30
    # Twenty go out in a second, and as many fit into the bucket at first.
    assert time.monotonic() - start >= 0.5


def test_a_thread_that_is_refused_stops_the_tasks_too() -> None:
    asked = Reply(429, error(), headers={"retry-after-ms": "400"})
    with ChatServer(faults=lambda number, body: asked if number == 1 else None) as server:
        limiter = Limiter(retry=QUICK)

        async def main() -> float:
            with use_tape(RecordingTape()), blocking(server, limiter) as client:
                call = asyncio.to_thread(client.chat.completions.create, model="m", messages=said("1"))
                refused = asyncio.create_task(call)
                while not server.requests:
                    await asyncio.sleep(0.005)
                await asyncio.sleep(0.05)
                start = time.monotonic()
                async with awaiting(server, limiter) as other:
                    await ask(other, 2)
                await refused
                return time.monotonic() - start

        assert asyncio.run(main()) >= 0.2
        assert len(server.requests) == 3


def test_waiting_for_a_limit_is_in_no_time_of_a_recording(server: ChatServer) -> None:
    limiter = Limiter(retry=QUICK, rpm=120)
    tape = RecordingTape()

    async def main() -> None:
        async with awaiting(server, limiter) as client:
            for number in range(4):
                with use_tape(tape):
                    await client.chat.completions.create(model="m", messages=said(f"{number}"))  # type: ignore[arg-type]

    start = time.monotonic()
    asyncio.run(main())
    spent = time.monotonic() - start
    assert tape.waited >= 0.2
    assert tape.latency is not None
    assert tape.latency <= spent - tape.waited + 0.1
    facts = Facts(
        count=4,
        end=tape.latency + tape.waited,
        waited=tape.waited,
        recorded_at="2026-11-21T00:00:00Z",
        harness="0",
        openai="3",
    )
    assert facts.latency == pytest.approx(tape.latency, abs=1e-5)
    assert f"waited: {tape.waited}" in emit(Cassette(interactions=tape.interactions, facts=facts))


def test_time_in_which_another_call_is_under_way_counts() -> None:
    with ChatServer(delay=0.4) as server:
        limiter = Limiter(retry=QUICK, rpm=120)
        tape = RecordingTape()

        async def main() -> None:
            async with awaiting(server, limiter) as client:
                with use_tape(tape):
                    calls = (client.chat.completions.create(model="m", messages=said(f"{n}")) for n in range(3))  # type: ignore[arg-type]
                    await asyncio.gather(*calls)

        asyncio.run(main())
        first, _, third = tape.interactions
        assert first.end - first.start >= 0.38
        assert third.end - third.start >= 0.38
        assert tape.latency is not None
        assert tape.latency >= 0.7


def test_who_waits_for_what_another_tape_sends_stands_still_with_it(server: ChatServer) -> None:
    limiter = Limiter(retry=QUICK, rpm=120)
    shared, waiting = RecordingTape(), RecordingTape()

    async def main() -> None:
        async with awaiting(server, limiter) as client:
            await ask(client, 1)
            await ask(client, 2)
            with use_tape(shared):
                made = asyncio.create_task(client.chat.completions.create(model="m", messages=said("3")))  # type: ignore[arg-type]
            with waiting.behind(shared):
                await made

    asyncio.run(main())
    assert shared.waited >= 0.2
    assert waiting.waited == pytest.approx(shared.waited, abs=0.1)


def test_a_request_that_is_given_up_while_it_waits_is_never_sent(server: ChatServer) -> None:
    limiter = Limiter(retry=QUICK, rpm=30)

    async def main() -> None:
        async with awaiting(server, limiter) as client:
            await ask(client, 1)
            tasks = [asyncio.create_task(ask(client, number)) for number in (2, 3)]
            await asyncio.sleep(0.1)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    assert len(server.requests) == 1


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("slow", [Reply(delay=20), Reply(body=b"x" * 400, pace=0.05)], ids=["silent", "drop by drop"])
def test_an_attempt_has_its_own_time(threads: bool, slow: Reply) -> None:
    with ChatServer(faults=lambda number, body: slow if number == 1 else None) as server:
        limiter = Limiter(retry=QUICK, attempt_timeout=0.3)

        def block() -> None:
            with use_tape(RecordingTape()), blocking(server, limiter) as client:
                client.chat.completions.create(model="m", messages=said("1"))  # type: ignore[arg-type]

        async def main() -> None:
            async with awaiting(server, limiter) as client:
                await ask(client, 1)

        start = time.monotonic()
        if threads:
            block()
        else:
            asyncio.run(main())
        assert time.monotonic() - start < 10
        assert len(server.requests) == 2


@pytest.mark.parametrize("threads", [False, True])
def test_who_waits_for_a_rate_is_told_at_once_that_nothing_more_is_sent(threads: bool) -> None:
    empty = Reply(429, b'{"error": {"message": "empty", "code": "insufficient_quota"}}', delay=0.3)
    with ChatServer(faults=lambda number, body: empty) as server:
        limiter = Limiter(retry=QUICK, rpm=2)

        def block() -> None:
            with use_tape(RecordingTape()), blocking(server, limiter) as client:
                client.chat.completions.create(model="m", messages=said("2"))  # type: ignore[arg-type]

        async def main() -> list[BaseException | None]:
            async with awaiting(server, limiter) as client:
                first = asyncio.create_task(ask(client, 1))
                while not server.requests:
                    await asyncio.sleep(0.005)
                second = asyncio.to_thread(block) if threads else ask(client, 2)
                return await asyncio.gather(first, second, return_exceptions=True)

        start = time.monotonic()
        told = asyncio.run(main())[1]
        assert time.monotonic() - start < 15
        assert isinstance(told, ServiceError)
        assert told.kind == "quota"
        assert len(server.requests) == 1
