"""What the harness is measured against: the bare SDK, and the SDK with one stock vcrpy cassette per case.

Usage: python benchmarks/peers.py bare|record|replay PORT N FOLDER
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import openai

CONCURRENCY = 32


def messages(number: int) -> list[dict[str, str]]:
    """The same words that the benchmark's prompt and cases make."""
    system = f"Answer the question about topic {number} briefly and with the number only, please."
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": f"What is the answer to question number {number}?"},
    ]


async def ask(client: openai.AsyncOpenAI, number: int) -> None:
    answer = await client.chat.completions.create(model="constant", messages=messages(number))  # type: ignore[arg-type]
    assert "forty-two" in (answer.choices[0].message.content or "")


async def bare(port: int, count: int) -> None:
    async with openai.AsyncOpenAI(api_key="none", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0) as client:
        numbers: Iterator[int] = iter(range(count))

        async def work() -> None:
            for number in numbers:
                await ask(client, number)

        await asyncio.gather(*(work() for _ in range(min(CONCURRENCY, count))))


async def stock(port: int, count: int, folder: Path, *, mode: str) -> None:
    # Stock vcrpy patches globally, so cases run one after the other.
    import vcr

    async with openai.AsyncOpenAI(api_key="none", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0) as client:
        for number in range(count):
            path = folder / f"c{number}.yaml"
            match = ["method", "path", "query", "body"]
            with vcr.use_cassette(str(path), record_mode=mode, match_on=match, filter_headers=["authorization"]):
                await ask(client, number)


def main() -> None:
    kind, port, count, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    if kind == "bare":
        asyncio.run(bare(port, count))
    else:
        folder.mkdir(parents=True, exist_ok=True)
        asyncio.run(stock(port, count, folder, mode="once" if kind == "record" else "none"))


if __name__ == "__main__":
    main()
