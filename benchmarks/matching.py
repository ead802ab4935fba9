"""How long it takes to find the recorded answers of a cassette of thousands of interactions, and to say what is missing.

python benchmarks/matching.py [INTERACTIONS]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from harness.errors import CassetteMiss
from harness.recording import Cassette, Facts, Interaction, Normaliser, Redactor, ReplayTape, Request

SECRETS = [f"secret-value-number-{number}-of-some-length" for number in range(20)]


def request(text: str, length: int) -> Request:
    """A chat request whose conversation is `length` messages long."""
    said = [{"role": "user", "content": f"What is the state of order {number}, please?"} for number in range(length)]
    body = {"model": "m", "messages": [*said, {"role": "user", "content": text}], "temperature": 0.2}
    headers = {"content-type": "application/json"}
    return Request(method="POST", uri="http://x/v1/chat/completions", headers=headers, body=json.dumps(body).encode())


def cassette(requests: list[Request]) -> Cassette:
    """A recording of these requests."""
    interactions = tuple(
        Interaction(
            request=one,
            status=200,
            reason="OK",
            headers={},
            body=b"{}",
            slot=number,
            attempt=1,
            start=number / 10,
            first_byte=number / 10,
            end=number / 10,
        )
        for number, one in enumerate(requests, start=1)
    )
    facts = Facts(count=len(requests), end=1.0, recorded_at="2026-11-21T00:00:00Z", harness="0", openai="3")
    return Cassette(interactions=interactions, facts=facts)


def timed(name: str, work: Callable[[], object]) -> None:
    start = time.process_time()
    work()
    print(f"{name:<66} {1000 * (time.process_time() - start):8.0f} ms")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    different = [request(f"Case {number} of 7f3a", 8) for number in range(count)]
    equal = [request("The same", 8) for _ in range(count)]
    redactor = Redactor(SECRETS)

    def replay(requests: list[Request], asked: list[Request], normaliser: Normaliser | None = None) -> None:
        tape = ReplayTape(cassette(requests), shown="c", redactor=redactor, normaliser=normaliser)
        for one in asked:
            tape.play(Request(method=one.method, uri=one.uri, headers=one.headers, body=redactor.body(one.body or b"")))

    def miss(times: int) -> None:
        tape = ReplayTape(cassette(different), shown="c", redactor=redactor)
        for one in different[:-1]:
            tape.play(one)
        fresh = ReplayTape(cassette(different), shown="c", redactor=redactor)
        for number in range(times):
            for one in (tape, fresh):
                try:
                    one.play(request(f"Nobody recorded {number}", 8))
                except CassetteMiss:
                    continue

    print(f"{count} interactions of {len(different[0].body or b'')} bytes, {len(SECRETS)} secrets, CPU time")
    timed("all different, in order", lambda: replay(different, different))
    timed("all different, backwards", lambda: replay(different, different[::-1]))
    timed("all equal", lambda: replay(equal, equal))
    changed = [request(f"Case {number} of 9e1c", 8) for number in range(count)]
    normaliser = Normaliser({"id": "of [0-9a-f]{4}"})
    timed("all found only after normalising", lambda: replay(different, changed, normaliser))
    timed("all played but one, then a miss; a miss at the start", lambda: miss(1))
    timed("the same with 20 misses each", lambda: miss(20))


if __name__ == "__main__":
    main()
