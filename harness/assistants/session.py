"""What one trial gets to work with: clients, clock, events. Nothing else.

There is one SDK client and one transport per endpoint and run; the transport finds the trial by itself. A client per
trial would cost more than all the rest of a trial.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from harness.assistants.addresses import check_headers, host_of, is_loopback, refuse_plain
from harness.clock import Clock
from harness.errors import CredentialsError, TrialError
from harness.events import Event, LiveEvent, TextDelta
from harness.limits.sending import AsyncSendingTransport, Limiter, SendingTransport
from harness.recording import (
    AsyncRecordingTransport,
    QuietLogs,
    RecordingTransport,
    Redactor,
    Tape,
)
from harness.records import JSON, Usage
from harness.settings import Redact
from harness.suites.suite import AssistantSpec, Case
from harness.tools import Toolbox

C = TypeVar("C", "AsyncOpenAI", "OpenAI")

if TYPE_CHECKING:
    import ssl

    import httpx2
    from openai import AsyncOpenAI, OpenAI

    from harness.assistants.shared import Shared

#: Sent where no key is needed: on replay, and to loopback.
PLACEHOLDER_KEY = "none-needed"
#: Seconds to wait for a connection. The SDK's 5 s fail in storms while the event loop is busy.
CONNECT_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is: the base URL (None: the SDK's own default) and the variable that holds its key."""

    base_url: str | None = None
    api_key_env: str | None = None

    @property
    def loopback(self) -> bool:
        return is_loopback(self.base_url)

    def key(self, environ: Mapping[str, str], *, trusted: Collection[str] = ()) -> str:
        """Return the key for live calls.

        A base URL that a suite names never gets the ambient OPENAI_API_KEY, unless the user trusts its host: the suite
        must name the variable, so that nobody's key is sent to an address that came with a pull request.

        Args:
            environ: Where keys are looked up.
            trusted: Hosts of `trusted_hosts`.

        Raises:
            CredentialsError: There is none, and the message names the variable; or it would go out unencrypted.
        """
        if self.base_url is not None and not self.loopback:
            named = self.api_key_env or "OPENAI_API_KEY"
            if self.api_key_env is not None or host_of(self.base_url) in trusted:
                refuse_plain(self.base_url, trusted=trusted, secret=f"the key in {named}")
        if self.api_key_env is not None:
            found = environ.get(self.api_key_env)
            if not found:
                raise CredentialsError(
                    f"the environment variable {self.api_key_env} is not set; it should hold the "
                    f"key for {self.base_url or 'the OpenAI API'}"
                )
            return found
        if self.loopback:
            return PLACEHOLDER_KEY
        if self.base_url is not None and host_of(self.base_url) not in trusted:
            raise CredentialsError(
                f"no key is named for {self.base_url}: set `api_key_env:` beside `base_url:` to the name of the "
                "environment variable that holds it, or name the host in `trusted_hosts` of [tool.harness]"
            )
        found = environ.get("OPENAI_API_KEY")
        if not found:
            raise CredentialsError("OPENAI_API_KEY is not set, and recording needs it; replay does not")
        return found


class Clients:
    """Every client of a run, opened when first needed and closed together."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        limiter: Limiter,
        timeout: float,
        concurrency: int,
        live: bool,
        secrets: Sequence[str] = (),
        trusted: Collection[str] = (),
        redact: Redact | None = None,
    ) -> None:
        """
        Args:
            environ: Where keys are looked up.
            limiter: When something may be sent, and when again.
            timeout: Seconds that one attempt may take between two bytes.
            concurrency: Trials at the same time.
            live: Whether anything may be sent; if not, no key is looked up.
            secrets: Values to keep out of recordings, besides those whose variables' names say that they are secret.
            trusted: Hosts that may get the user's key (`trusted_hosts`).
            redact: What else is kept out of recordings.
        """
        self._environ = environ
        self.limiter = limiter
        self._timeout = timeout
        self._concurrency = concurrency
        self._live = live
        self._trusted = trusted
        patterns, fields = (redact or Redact()).compiled()
        self._redactor = Redactor.from_environment(environ, also=secrets, patterns=patterns, fields=fields)
        self._logs = QuietLogs(self._redactor.text)
        self._async: dict[tuple[Endpoint, bool], AsyncOpenAI] = {}
        self._sync: dict[tuple[Endpoint, bool], OpenAI] = {}
        self._making = threading.Lock()
        self._transports: dict[Endpoint, AsyncRecordingTransport] = {}
        self._raw: httpx2.AsyncClient | None = None
        self._shared: Shared | None = None

    @property
    def redactor(self) -> Redactor:
        return self._redactor

    def client(self, endpoint: Endpoint, *, live: bool = True) -> AsyncOpenAI:
        """Return the async client of an endpoint; one that is not `live` only replays, and needs no key."""
        if (endpoint, live) not in self._async:
            import httpx2

            limits = httpx2.Limits(max_connections=self._concurrency + 8, max_keepalive_connections=self._concurrency)
            recording = AsyncRecordingTransport(
                lambda: httpx2.AsyncHTTPTransport(limits=limits, verify=self._tls()), redactor=self._redactor
            )
            if live:
                self._transports[endpoint] = recording
            transport = AsyncSendingTransport(recording, limiter=self.limiter, account=endpoint.api_key_env or "")
            client = async_client(transport, **self._settings(endpoint, live=live))
            self._async[endpoint, live] = _without_ambient(client, endpoint)
            self._logs.install()
        return self._async[endpoint, live]

    def warm(self, endpoint: Endpoint) -> None:
        """Open an endpoint's client before the first trial's clock starts: imports and TLS take their time once."""
        if self._live:
            self.client(endpoint)
            self._transports[endpoint].open()

    def raw(self) -> httpx2.AsyncClient:
        """Return a client for services that speak no OpenAI protocol; it records, replays and sends again as the others do.

        It knows no address, no key and no cookie: a request must bring what it needs.
        """
        if self._raw is None:
            import httpx2

            limits = httpx2.Limits(max_connections=self._concurrency + 8, max_keepalive_connections=self._concurrency)
            recording = AsyncRecordingTransport(
                lambda: httpx2.AsyncHTTPTransport(limits=limits, verify=self._tls()), redactor=self._redactor
            )
            if self._live:
                recording.open()
            self._raw = httpx2.AsyncClient(
                transport=AsyncSendingTransport(recording, limiter=self.limiter),
                follow_redirects=False,
                trust_env=False,
            )
            self._logs.install()
        return self._raw

    @property
    def timeouts(self) -> dict[str, float | None]:
        """What a request of `raw` carries as its extension `timeout`, seconds."""
        return {**dict.fromkeys(("read", "write", "pool"), self._timeout), "connect": CONNECT_TIMEOUT}

    def headers_checked(self, spec: AssistantSpec) -> Mapping[str, str]:
        """Return the environment for the headers of an `api: http` assistant.

        Raises:
            CredentialsError: A variable is not set, or would go where it should not.
        """
        check_headers(spec, self._environ, self._trusted)
        return self._environ

    def sync_client(self, endpoint: Endpoint, *, live: bool = True) -> OpenAI:
        """Return the synchronous client of an endpoint, for code that runs in a thread."""
        # Threads ask at the same time, and a client that another one replaced would never be closed.
        with self._making:
            if (endpoint, live) not in self._sync:
                self._sync[endpoint, live] = _without_ambient(self._sync_client(endpoint, live=live), endpoint)
                self._logs.install()
            return self._sync[endpoint, live]

    def _sync_client(self, endpoint: Endpoint, *, live: bool) -> OpenAI:
        import httpx2
        from openai import OpenAI

        limits = httpx2.Limits(max_connections=self._concurrency + 8, max_keepalive_connections=self._concurrency)
        recording = RecordingTransport(
            lambda: httpx2.HTTPTransport(limits=limits, verify=self._tls()), redactor=self._redactor
        )
        transport = SendingTransport(recording, limiter=self.limiter, account=endpoint.api_key_env or "")
        return OpenAI(
            **self._settings(endpoint, live=live),
            max_retries=0,
            http_client=httpx2.Client(transport=transport, follow_redirects=False),
            websocket_base_url=no_websockets(),
        )

    def _tls(self) -> ssl.SSLContext:
        return _trusted_context(self._environ.get("SSL_CERT_FILE"), self._environ.get("SSL_CERT_DIR"))

    def _settings(self, endpoint: Endpoint, *, live: bool) -> dict[str, Any]:
        import httpx2

        environ = self._environ
        base_url = endpoint.base_url or environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        return {
            "api_key": endpoint.key(environ, trusted=self._trusted) if self._live and live else PLACEHOLDER_KEY,
            "base_url": base_url,
            "organization": environ.get("OPENAI_ORG_ID"),
            "project": environ.get("OPENAI_PROJECT_ID"),
            "timeout": httpx2.Timeout(self._timeout, connect=CONNECT_TIMEOUT),
        }

    @property
    def shared(self) -> Shared:
        """What the trials of the run share at a service."""
        if self._shared is None:
            from harness.assistants.shared import Shared

            self._shared = Shared()
        return self._shared

    async def aclose(self) -> None:
        self._logs.remove()
        if self._shared is not None:
            await self._shared.aclose()
        for client in self._async.values():
            await client.close()
        if self._raw is not None:
            await self._raw.aclose()
        for sync_client in self._sync.values():
            sync_client.close()


@cache
def _trusted_context(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Return what connections trust; reading all certificates takes 25 ms, so that it is done once."""
    import httpx2

    return httpx2.create_ssl_context()


def _without_ambient(client: C, endpoint: Endpoint) -> C:
    """Take from a client what the SDK found in the environment for OpenAI, where a suite names another address."""
    if endpoint.base_url is not None:
        client.organization = client.project = None
        client._custom_headers = {}
    return client


def async_client(transport: httpx2.AsyncBaseTransport, **settings: Any) -> AsyncOpenAI:
    """Return an SDK client on a transport, ready so that its calls reach the transport in the order in which they are made.

    A fresh client asks a thread for the platform's name before its first request, and identical calls that start
    together would overtake each other there; only their order tells them apart on replay.
    """
    import httpx2
    from openai import AsyncOpenAI
    from openai._base_client import get_platform

    http_client = httpx2.AsyncClient(transport=transport, follow_redirects=False)
    client = AsyncOpenAI(max_retries=0, http_client=http_client, websocket_base_url=no_websockets(), **settings)
    client._platform = get_platform()
    return client


def no_websockets() -> httpx2.URL:
    """Return the address of an SDK client's WebSocket connections, which refuses to be used.

    They would go past the transport that records, without a word.
    """
    import httpx2

    class Nowhere(httpx2.URL):
        @property
        def raw_path(self) -> bytes:
            raise TrialError(
                "unrecordable",
                "connections over WebSocket (`responses.connect`, `realtime`) can be neither recorded nor replayed, so "
                "none is opened. Use the same calls over HTTP, such as `responses.create(stream=True)`.",
            )

    return Nowhere("wss://no-websockets.invalid/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far a trial may go."""

    #: Model steps of one turn.
    steps: int = 10
    #: Seconds that one call of a tool may take.
    tool_timeout: float = 30.0
    #: Tools that run at the same time.
    parallel_tools: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What an assistant without a prompt is told of its case."""

    case: Case
    #: Which repeat of it, from 1.
    repeat: int
    vars: Mapping[str, JSON]
    metadata: Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What the runner hands a driver for one trial."""

    #: `<suite>/<case>/<variant>/<n>`
    trial: str
    endpoint: Endpoint
    clients: Clients
    tape: Tape
    emit: Callable[[Event], None]
    #: The tools of the assistant under test, ready for this trial.
    toolbox: Toolbox
    limits: Limits = Limits()
    #: What assistants that serve as tools used, beside the model steps of the conversation itself.
    spent: list[Usage] = field(default_factory=list)
    #: Only for `api: http` and `api: outputs`.
    about: About | None = None
    #: Follows the conversation while it is held; None: nobody does.
    live: Callable[[LiveEvent], None] | None = None
    #: When the conversation began, seconds on the tape; None: with its first step.
    begun: float | None = 0.0
    #: What the answer under way has said so far; what is left of it if it breaks off.
    partial: list[str] = field(default_factory=list)

    def heard(self, text: str) -> None:
        """Tell whoever follows the conversation that a piece of an answer's text is there."""
        if text:
            self.partial.append(text)
        if self.live is not None and text:
            self.live(TextDelta(trial=self.trial, text=text))

    @property
    def client(self) -> AsyncOpenAI:
        """The trial's own client; what goes through it is recorded."""
        return self.clients.client(self.endpoint, live=not self.tape.replays)

    @property
    def sync_client(self) -> OpenAI:
        """The same for synchronous code, which runs in a thread of its own."""
        return self.clients.sync_client(self.endpoint, live=not self.tape.replays)

    def at(self, endpoint: Endpoint) -> Session:
        """Return the same session for an assistant at another endpoint; it records onto the same tape."""
        return replace(self, endpoint=endpoint)

    @property
    def clock(self) -> Clock:
        """The only clock that a trial should ask; virtual on replay."""
        return self.tape.clock
