"""Serving a simulator on a port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

    from harness.simulator.app import Simulator


@dataclass(frozen=True, slots=True)
class Served:
    """Where a simulator is served."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The base URL for clients."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/v1"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises:
        OSError: The port is taken, or the host is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio has small packets sent at once; else each answer waits 40 ms for its second half.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A port that was just left may be taken again at once.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        # Here it is known whether the port is another's, who may have bound it at the same moment. Connections that
        # come before the loop runs wait in the socket.
        bound.listen()
    except BaseException:
        bound.close()
        raise
    return bound


def server(app: ASGIApp) -> uvicorn.Server:
    """Return a server that says nothing by itself."""
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            # Requests that are under way at the end are no errors that anyone must read of.
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            # Seconds for streams that are open at the end.
            timeout_graceful_shutdown=1,
        )
    )


@contextmanager
def served(simulator: Simulator, *, host: str = "127.0.0.1") -> Iterator[Served]:
    """Serve a simulator in a thread, on a free port, for as long as the context lasts.

    Raises:
        OSError: There is no port.
    """
    bound = listen(host, 0)
    port = bound.getsockname()[1]
    running = server(simulator.app)
    thread = threading.Thread(target=running.run, args=([bound],), daemon=True)
    thread.start()
    try:
        yield Served(host, port)
    finally:
        running.should_exit = True
        thread.join()
        bound.close()
