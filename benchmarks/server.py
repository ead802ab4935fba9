"""A loopback service that answers every POST with the same chat completion, as fast as asyncio can.

Usage: python benchmarks/server.py prints its port, then serves until it is stopped; with --rate it prints how many
requests a second one core answers.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time

ANSWER = json.dumps(
    {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion",
        "created": 1,
        "model": "constant",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "The answer is forty-two."},
            }
        ],
        "usage": {"prompt_tokens": 40, "completion_tokens": 7, "total_tokens": 47},
    }
).encode()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-harness-simulated: true\r\ncontent-length: %d\r\n\r\n"
REPLY = HEAD % len(ANSWER) + ANSWER


class Constant(asyncio.Protocol):
    """HTTP/1.1 with keep-alive and pipelining, and nothing else."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        buffer = self.buffer + data if self.buffer else data
        replies = 0
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            head = buffer[:end].lower()
            start = head.find(b"content-length:")
            length = int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
            if len(buffer) < end + 4 + length:
                break
            buffer = buffer[end + 4 + length :]
            replies += 1
        self.buffer = buffer
        if replies:
            self.transport.write(REPLY * replies)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Constant, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def rate(seconds: float = 2.0, connections: int = 32) -> float:
    """Requests a second of one core: answered ones by this process's CPU time, the clients being another process."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Constant, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    read, write = os.pipe()
    started = time.process_time()
    if os.fork() == 0:
        os.write(write, str(_hammer(port, seconds, connections)).encode())
        os._exit(0)
    count = int(await loop.run_in_executor(None, os.read, read, 64))
    return count / (time.process_time() - started)


def _hammer(port: int, seconds: float, connections: int) -> int:
    request = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 200\r\n\r\n" + b" " * 200
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    count = 0
    stop = time.perf_counter() + seconds
    for one in sockets:
        one.sendall(request)
    while time.perf_counter() < stop:
        for one in sockets:
            left = len(REPLY)
            while left:
                left -= len(one.recv(left))
            count += 1
            one.sendall(request)
    return count


if __name__ == "__main__":
    if "--rate" in sys.argv:
        print(f"{asyncio.run(rate()):,.0f} requests a second")
    else:
        asyncio.run(serve())
