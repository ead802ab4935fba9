"""The recording seam, through the SDK, against an in-process service that nobody outside this file sees."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextvars import copy_context
from typing import Any

import httpx2
import openai
import pytest

from harness.assistants import session
from harness.assistants.failures import service_failure
from harness.clock import use_clock
from harness.errors import CassetteMiss, HarnessError
from harness.limits.sending import AsyncSendingTransport, Limiter, SendingTransport
from harness.recording import (
    SETTLE,
    AsyncRecordingTransport,
    Cassette,
    Facts,
    RecordingTape,
    RecordingTransport,
    Redactor,
    ReplayTape,
    Tape,
    use_tape,
)
from harness.settings import Retry

KEY = "sk-test-CANARY-0123456789abcdef"
QUICK = Retry(attempts=3, backoff=0.0)
Handler = Callable[[httpx2.Request, int], httpx2.Response]


class Service(httpx2.AsyncBaseTransport, httpx2.BaseTransport):
    """Answers from a function of the request and its number, and counts."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.requests: list[httpx2.Request] = []
        self._numbers = itertools.count(1)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self.handler(request, next(self._numbers))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        # Let other trials in, as a network would.
        await asyncio.sleep(0)
        return self.handle_request(request)


class Events(httpx2.AsyncByteStream, httpx2.SyncByteStream):
    """A stream of server-sent events in the given pieces, then perhaps an error."""

    def __init__(self, pieces: Sequence[bytes], *, error: Exception | None = None) -> None:
        self.pieces = pieces
        self.error = error

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.error:
            raise self.error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            await asyncio.sleep(0)
            yield piece


def completion(text: str) -> dict[str, Any]:
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
    }


def answering(text: str = "Hello") -> Handler:
    return lambda request, number: httpx2.Response(200, json=completion(f"{text} {number}"))


def streaming(words: Sequence[str], *, done: bool = True, error: Exception | None = None) -> Handler:
    def handler(request: httpx2.Request, number: int) -> httpx2.Response:
        chunks = [
            {
                "id": "c",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": "m-1",
                "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}],
            }
            for word in words
        ]
        pieces = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks]
        if done:
            pieces.append(b"data: [DONE]\n\n")
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Events(pieces, error=error))

    return handler


def async_client(service: Service, *, retry: Retry = QUICK, secrets: Sequence[str] = ()) -> openai.AsyncOpenAI:
    recording = AsyncRecordingTransport(lambda: service, redactor=Redactor(secrets))
    transport = AsyncSendingTransport(recording, limiter=Limiter(retry=retry))
    return session.async_client(transport, api_key=KEY, base_url="http://service.test/v1")


def sync_client(service: Service, *, retry: Retry = QUICK) -> openai.OpenAI:
    recording = RecordingTransport(lambda: service, redactor=Redactor())
    transport = SendingTransport(recording, limiter=Limiter(retry=retry))
    return openai.OpenAI(
        api_key=KEY, base_url="http://service.test/v1", max_retries=0, http_client=httpx2.Client(transport=transport)
    )


def recorded(tape: RecordingTape) -> Cassette:
    return Cassette(
        interactions=tape.interactions,
        facts=Facts(
            count=len(tape.interactions),
            end=tape.latency or 0.0,
            recorded_at="2026-11-21T00:00:00Z",
            harness="0",
            openai="3",
        ),
    )


def unreachable(request: httpx2.Request, number: int) -> httpx2.Response:
    raise AssertionError("a replay sent something")


async def say(client: openai.AsyncOpenAI, text: str) -> str:
    answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
    return answer.choices[0].message.content or ""


def within(tape: Tape, work: Any) -> Any:
    async def run() -> Any:
        with use_tape(tape), use_clock(tape.clock):
            return await work

    return asyncio.run(run())


def test_a_hundred_trials_share_one_client_and_none_sees_another() -> None:
    service = Service(answering())

    async def trial(client: openai.AsyncOpenAI, tape: Tape, number: int) -> list[str]:
        with use_tape(tape), use_clock(tape.clock):
            return await asyncio.gather(*(say(client, f"case {number}, part {part % 2}") for part in range(3)))

    async def everything(client: openai.AsyncOpenAI, tapes: Sequence[Tape]) -> list[list[str]]:
        return await asyncio.gather(*(trial(client, tape, number) for number, tape in enumerate(tapes)))

    tapes = [RecordingTape() for _ in range(100)]
    live = asyncio.run(everything(async_client(service), tapes))
    for number, tape in enumerate(tapes):
        bodies = [json.loads(one.request.body or b"")["messages"][0]["content"] for one in tape.interactions]
        assert sorted(bodies) == sorted(f"case {number}, part {part % 2}" for part in range(3))
    replays = [ReplayTape(recorded(tape), shown="c") for tape in tapes]
    assert asyncio.run(everything(async_client(Service(unreachable)), replays)) == live


def test_retries_join_the_call_they_repeat_so_identical_calls_keep_their_answers() -> None:
    # Requests 1, 2 and 4 fail: of three identical calls two are answered late, out of the order of their starts.
    def handler(request: httpx2.Request, number: int) -> httpx2.Response:
        if number in (1, 4):
            return httpx2.Response(429, headers={"retry-after-ms": "1"}, json={"error": {"message": "slow down"}})
        if number == 2:
            raise httpx2.ConnectTimeout("no route")
        return httpx2.Response(200, json=completion(f"answer {number}"))

    async def three(client: openai.AsyncOpenAI) -> list[str]:
        return await asyncio.gather(*(say(client, "same") for _ in range(3)))

    tape = RecordingTape()
    live = within(tape, three(async_client(Service(handler))))
    assert tape.final
    assert len(tape.interactions) == 6
    assert sorted({one.slot for one in tape.interactions}) == [1, 2, 3]
    replay = ReplayTape(recorded(tape), shown="c")
    assert within(replay, three(async_client(Service(unreachable)))) == live
    assert replay.attempts == 6


def test_a_replayed_failure_does_not_wait_and_is_not_tried_again() -> None:
    def handler(request: httpx2.Request, number: int) -> httpx2.Response:
        return httpx2.Response(429, headers={"retry-after": "30"}, json={"error": {"message": "slow down"}})

    tape = RecordingTape()
    with pytest.raises(openai.RateLimitError):
        within(tape, say(async_client(Service(handler), retry=Retry(attempts=1)), "x"))
    assert not tape.final
    replay = ReplayTape(recorded(tape), shown="c")
    with pytest.raises(openai.RateLimitError) as caught:
        within(replay, say(async_client(Service(unreachable)), "x"))
    # A client whose own retries are on would wait as long as these say.
    assert caught.value.response.headers.get("retry-after") is None
    assert caught.value.response.headers["retry-after-ms"] == "1"


@pytest.mark.parametrize(
    "name, value", [("retry-after", "2"), ("retry-after-ms", "300"), ("retry-after", "Sun, 22 Nov 2099 00:00:00 GMT")]
)
def test_a_refusal_says_the_same_of_the_wait_on_replay(name: str, value: str) -> None:
    def busy(request: httpx2.Request, number: int) -> httpx2.Response:
        return httpx2.Response(429, headers={name: value}, json={"error": {"message": "busy"}})

    said: list[str] = []

    async def ask(client: openai.AsyncOpenAI) -> None:
        try:
            await say(client, "x")
        except openai.RateLimitError as error:
            said.append(str(service_failure(error)))

    tape = RecordingTape()
    within(tape, ask(async_client(Service(busy), retry=Retry(attempts=1))))
    within(ReplayTape(recorded(tape), shown="c"), ask(async_client(Service(unreachable))))
    assert said[0] == said[1]
    assert ("asks to wait" in said[0]) == ("2099" not in value)


def test_a_recorded_timeout_is_raised_again_when_it_was_the_last_word() -> None:
    def handler(request: httpx2.Request, number: int) -> httpx2.Response:
        raise httpx2.ReadTimeout("nothing came")

    tape = RecordingTape()
    with pytest.raises(openai.APITimeoutError):
        within(tape, say(async_client(Service(handler)), "x"))
    assert [one.attempt for one in tape.interactions] == [1, 2, 3]
    assert not tape.final
    with pytest.raises(openai.APITimeoutError):
        within(ReplayTape(recorded(tape), shown="c"), say(async_client(Service(unreachable)), "x"))


def test_a_stream_comes_back_event_by_event_at_its_recorded_times() -> None:
    words = ["one ", "two ", "three"]

    async def listen(client: openai.AsyncOpenAI, tape: Tape) -> list[tuple[str, float]]:
        heard = []
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "x"}], stream=True
        )
        async for chunk in stream:
            heard.append((chunk.choices[0].delta.content or "", tape.clock.now()))
        return heard

    tape = RecordingTape()
    live = within(tape, listen(async_client(Service(streaming(words))), tape))
    (one,) = tape.interactions
    assert len(one.events) == 4
    assert list(one.events) == sorted(one.events)
    replay = ReplayTape(recorded(tape), shown="c")
    again = within(replay, listen(async_client(Service(unreachable)), replay))
    assert [word for word, _ in again] == [word for word, _ in live] == words
    assert [moment for _, moment in again] == list(one.events[:3])


def test_a_stream_that_is_left_early_is_kept_and_marked() -> None:
    async def first(client: openai.AsyncOpenAI) -> str:
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "x"}], stream=True
        )
        async with stream:
            async for chunk in stream:
                return chunk.choices[0].delta.content or ""
        return ""

    tape = RecordingTape()
    live = within(tape, first(async_client(Service(streaming(["a", "b", "c"])))))
    (one,) = tape.interactions
    assert one.truncated
    assert within(ReplayTape(recorded(tape), shown="c"), first(async_client(Service(unreachable)))) == live == "a"


def test_a_sync_stream_that_stops_at_done_is_whole() -> None:
    def listen(tape: Tape, service: Service) -> str:
        with use_tape(tape), use_clock(tape.clock):
            stream = sync_client(service).chat.completions.create(
                model="m", messages=[{"role": "user", "content": "x"}], stream=True
            )
            return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    tape = RecordingTape()
    assert listen(tape, Service(streaming(["a", "b"]))) == "ab"
    assert not tape.interactions[0].truncated
    assert listen(ReplayTape(recorded(tape), shown="c"), Service(unreachable)) == "ab"


def test_a_broken_stream_is_no_final_answer() -> None:
    async def listen(client: openai.AsyncOpenAI) -> None:
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "x"}], stream=True
        )
        async for _ in stream:
            pass

    tape = RecordingTape()
    with pytest.raises(openai.APIConnectionError):
        within(tape, listen(async_client(Service(streaming(["a"], done=False, error=httpx2.ReadError("reset"))))))
    assert tape.interactions[0].error == "connection: ReadError: reset"
    assert not tape.final


@pytest.mark.parametrize(
    "error", [httpx2.ReadError("reset"), httpx2.ConnectError("no such host"), httpx2.ReadTimeout("")]
)
@pytest.mark.parametrize("place", ["before an answer", "before an event", "after an event"])
def test_what_broke_breaks_on_replay_in_the_same_place_and_words(error: httpx2.TransportError, place: str) -> None:
    def refused(request: httpx2.Request, number: int) -> httpx2.Response:
        raise error

    words = ["a"] if place == "after an event" else []
    handler = refused if place == "before an answer" else streaming(words, done=False, error=error)
    seen: list[tuple[list[str], str, str]] = []

    async def listen(client: openai.AsyncOpenAI) -> None:
        steps = ["asked"]
        try:
            stream = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "x"}], stream=True
            )
            steps.append("answered")
            async for chunk in stream:
                steps.append(str(chunk.choices[0].delta.content))
        except openai.APIConnectionError as broken:
            seen.append((steps, repr(broken), repr(broken.__cause__)))

    tape = RecordingTape()
    within(tape, listen(async_client(Service(handler), retry=Retry(attempts=1))))
    within(ReplayTape(recorded(tape), shown="c"), listen(async_client(Service(unreachable))))
    live, replayed = seen
    assert live == replayed
    assert type(error).__name__ in live[2] and str(error) in live[2]


def test_an_attempt_that_took_too_long_keeps_its_place_among_identical_calls() -> None:
    class Slow(Service):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            response = self.handle_request(request)
            if len(self.requests) == 1:
                await asyncio.Event().wait()
            return response

    service = Slow(answering())
    limiter = Limiter(retry=Retry(attempts=1), attempt_timeout=0.05)
    recording = AsyncRecordingTransport(lambda: service, redactor=Redactor())
    client = session.async_client(
        AsyncSendingTransport(recording, limiter=limiter), api_key=KEY, base_url="http://service.test/v1"
    )

    async def ask() -> list[str]:
        found = await asyncio.gather(*(say(client, "x") for _ in range(3)), return_exceptions=True)
        return [f"{one} {getattr(one, '__cause__', '')!r}" for one in found]

    tape = RecordingTape()
    live = within(tape, ask())
    assert "took longer than 0.05 s" in live[0]
    assert "Hello 2" in live[1]
    assert within(ReplayTape(recorded(tape), shown="c"), ask()) == live


def test_threads_that_begin_together_share_one_connection_pool() -> None:
    made: list[Service] = []
    asking = itertools.count(1)
    all_asked = threading.Event()

    class Counted(RecordingTransport):
        def open(self) -> httpx2.BaseTransport:
            if next(asking) == 4:
                all_asked.set()
            return super().open()

    def make() -> Service:
        # There is none before all want one.
        all_asked.wait()
        made.append(Service(answering()))
        return made[-1]

    transport = Counted(make, redactor=Redactor())
    client = openai.OpenAI(api_key=KEY, base_url="http://s.test/v1", http_client=httpx2.Client(transport=transport))
    tape = RecordingTape()

    def ask() -> None:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])

    with use_tape(tape), use_clock(tape.clock):
        threads = [threading.Thread(target=copy_context().run, args=(ask,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(made[0].requests) == 4


def test_a_miss_names_the_field_and_reaches_the_caller_unretried() -> None:
    tape = RecordingTape()
    within(tape, say(async_client(Service(answering())), "How long does shipping take?"))
    replay = ReplayTape(recorded(tape), shown="cassettes/faq/v2/shipping.1.yaml", hint=lambda: "Record it.")
    with pytest.raises(CassetteMiss) as caught:
        within(replay, say(async_client(Service(unreachable)), "How long does delivery take?"))
    message = caught.value.message
    assert message.startswith("cassettes/faq/v2/shipping.1.yaml has no recording of this POST /v1/chat/completions.")
    assert 'messages[0].content: "…shipping take?" -> "…delivery take?"' in message
    assert message.endswith("Record it.")


def test_a_call_that_was_recorded_once_is_not_served_twice() -> None:
    async def twice(client: openai.AsyncOpenAI) -> None:
        await say(client, "x")
        await say(client, "x")

    tape = RecordingTape()
    within(tape, say(async_client(Service(answering())), "x"))
    with pytest.raises(CassetteMiss, match="recorded once, and it is asked for once more"):
        within(ReplayTape(recorded(tape), shown="c"), twice(async_client(Service(unreachable))))


def test_a_poll_may_be_asked_again_after_its_last_recorded_answer() -> None:
    async def poll(client: openai.AsyncOpenAI, times: int) -> list[str]:
        return [(await client.models.retrieve("m")).id for _ in range(times)]

    def handler(request: httpx2.Request, number: int) -> httpx2.Response:
        return httpx2.Response(200, json={"id": f"m{number}", "object": "model", "created": 1, "owned_by": "x"})

    tape = RecordingTape()
    within(tape, poll(async_client(Service(handler)), 2))
    assert within(ReplayTape(recorded(tape), shown="c"), poll(async_client(Service(unreachable)), 4)) == [
        "m1",
        "m2",
        "m2",
        "m2",
    ]


def test_matching_ignores_key_order_headers_host_and_multipart_boundary() -> None:
    def upload(client: openai.OpenAI, tape: Tape) -> str:
        with use_tape(tape), use_clock(tape.clock):
            return client.files.create(file=("a.txt", b"\xff\x00binary"), purpose="assistants").id

    def handler(request: httpx2.Request, number: int) -> httpx2.Response:
        return httpx2.Response(
            200,
            json={
                "id": "file-1",
                "object": "file",
                "bytes": 1,
                "created_at": 1,
                "filename": "a",
                "purpose": "assistants",
                "status": "processed",
            },
        )

    tape = RecordingTape()
    upload(sync_client(Service(handler)), tape)
    assert upload(sync_client(Service(unreachable)), ReplayTape(recorded(tape), shown="c")) == "file-1"


def test_neither_key_nor_cookie_nor_account_reaches_a_tape() -> None:
    def handler(request: httpx2.Request, number: int) -> httpx2.Response:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        headers = {"set-cookie": "session=1", "openai-organization": "org-secret", "x-request-id": "req-1"}
        return httpx2.Response(200, headers=headers, json=completion(f"your key is {KEY} or hunter2hunter2"))

    tape = RecordingTape()
    within(tape, say(async_client(Service(handler), secrets=["hunter2hunter2"]), f"my key: {KEY}"))
    kept = repr(tape.interactions)
    for secret in (KEY, "hunter2hunter2", "session=1", "org-secret", "req-1"):
        assert secret not in kept
    # Redaction happens before matching, so replay finds the request whether or not it knows the secret.
    assert "REDACTED" in within(
        ReplayTape(recorded(tape), shown="c"), say(async_client(Service(unreachable)), f"my key: {KEY}")
    )


def test_compressed_answers_are_stored_and_replayed_as_text() -> None:
    import gzip

    def handler(request: httpx2.Request, number: int) -> httpx2.Response:
        assert request.headers["accept-encoding"] == "identity"
        body = gzip.compress(json.dumps(completion("squeezed")).encode())
        return httpx2.Response(
            200, headers={"content-encoding": "gzip", "content-type": "application/json"}, content=body
        )

    tape = RecordingTape()
    assert within(tape, say(async_client(Service(handler)), "x")) == "squeezed"
    assert b"squeezed" in tape.interactions[0].body
    assert within(ReplayTape(recorded(tape), shown="c"), say(async_client(Service(unreachable)), "x")) == "squeezed"


def test_a_request_outside_any_trial_is_refused_and_not_sent() -> None:
    service = Service(answering())
    with pytest.raises(HarnessError, match="outside any trial"):
        asyncio.run(say(async_client(service), "x"))
    assert service.requests == []


def test_a_thread_without_the_trials_context_is_refused_and_with_it_records() -> None:
    service = Service(answering())
    client = sync_client(service)
    tape = RecordingTape()
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        except HarnessError as error:
            errors.append(error)

    with use_tape(tape), use_clock(tape.clock):
        for target in (ask, lambda: None):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        context = copy_context()
        thread = threading.Thread(target=lambda: context.run(ask))
        thread.start()
        thread.join()
    assert len(errors) == 1
    assert len(service.requests) == len(tape.interactions) == 1


def test_a_sync_client_on_the_event_loop_is_refused_with_the_cure() -> None:
    service = Service(answering())
    client = sync_client(service)

    async def wrong() -> None:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])

    with pytest.raises(HarnessError, match=r"session\.client"):
        within(RecordingTape(), wrong())
    assert service.requests == []


def test_parallel_calls_keep_their_own_recorded_times() -> None:
    tape = RecordingTape()

    async def both(client: openai.AsyncOpenAI, seen: Tape) -> list[float]:
        async def one(text: str) -> float:
            await say(client, text)
            return seen.clock.now()

        return await asyncio.gather(one("a"), one("b"))

    within(tape, both(async_client(Service(answering())), tape))
    ends = {json.loads(one.request.body or b"")["messages"][0]["content"]: one.end for one in tape.interactions}
    replay = ReplayTape(recorded(tape), shown="c")
    assert within(replay, both(async_client(Service(unreachable)), replay)) == [ends["a"], ends["b"]]
    assert replay.latency == max(ends.values())


def test_the_order_of_the_file_is_the_order_of_the_starts() -> None:
    def handler(request: httpx2.Request, number: int) -> httpx2.Response:
        return httpx2.Response(200, json=completion(str(number)))

    tape = RecordingTape()

    async def many(client: openai.AsyncOpenAI) -> None:
        await asyncio.gather(*(say(client, str(number)) for number in range(10)))

    within(tape, many(async_client(Service(handler))))
    starts = [one.start for one in tape.interactions]
    assert starts == sorted(starts)
    assert [one.slot for one in tape.interactions] == list(range(1, 11))


def test_an_attempt_whose_answer_cannot_be_kept_is_over_all_the_same() -> None:
    class Broken(Redactor):
        def body(self, body: bytes) -> bytes:
            raise UnicodeEncodeError("utf-8", "x", 0, 1, "no")

    settled: list[object] = []
    client = httpx2.Client(transport=RecordingTransport(lambda: Service(answering()), redactor=Broken()))
    tape = RecordingTape()
    with use_tape(tape), pytest.raises(UnicodeEncodeError):
        client.get("http://service.test/v1/models", extensions={SETTLE: settled.append})
    assert settled == [None]
    tape.begin(object(), attempt=1)
    assert tape.unfinished == 2
