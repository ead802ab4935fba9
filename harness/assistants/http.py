"""`api: http`: a deployed agent behind an address of its own. A turn is one request.

The request passes the transports that every model call passes: it is sent again where that may help, recorded, and
replayed. Values of the environment that its headers name are looked up only when something is sent.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from harness import __version__
from harness.assistants.conversation import Turns
from harness.assistants.failures import cut, service_failure, status_failure
from harness.assistants.replies import Heard, Reading
from harness.assistants.session import About, Session
from harness.errors import ConfigError, HarnessError, ServiceError, SourceLocation, TrialError
from harness.events import CallCompleted, CallFailed, CallStarted
from harness.jsontext import JSONTooLarge, NotJSON, json_text, parse_json
from harness.limits.headers import retry_after
from harness.limits.verdicts import codes_of
from harness.recording import QUERY, STEP, RecordingTape
from harness.records import JSON, Message, Transcript, Turn, TurnRecord, Usage
from harness.suites.request import Rendered, RequestTemplate
from harness.suites.suite import AssistantSpec
from harness.templates.engine import Templates

if TYPE_CHECKING:
    import httpx2

_SHOWN = 300
_SESSION = "session_id"
_PLACEHOLDER = "none-needed"


class HttpDriver:
    """Holds conversations with a service, a request a turn."""

    def __init__(self, spec: AssistantSpec) -> None:
        """
        Args:
            spec: An assistant of `api: http` that was checked.
        """
        self.spec = spec
        self.request = RequestTemplate(spec, Templates())
        self.reading = Reading(spec)
        self.identifies = self.request.uses(_SESSION)

    async def run(self, session: Session, turns: Turns) -> Transcript:
        talk = _Talk(self, session)
        record: TurnRecord | None = None
        while (turn := turns.next(record)) is not None:
            record = await talk.turn(turn)
        return talk.transcript()


class _Talk:
    """One trial's conversation."""

    def __init__(self, driver: HttpDriver, session: Session) -> None:
        import httpx2

        assert session.about is not None
        self._driver = driver
        self._session = session
        self._about: About = session.about
        self._name = driver.spec.model or driver.request.host
        self._identity = _identity(session) if driver.identifies else ""
        self._cookies = httpx2.Cookies()
        self._thread: JSON = None
        self._messages: list[Message] = []
        self._records: list[TurnRecord] = []
        self._end = 0.0

    async def turn(self, turn: Turn) -> TurnRecord:
        """Say one turn."""
        session = self._session
        texts = turn.asked
        values = self._values(turn, texts)
        self._messages += turn.messages
        session.emit(CallStarted(trial=session.trial, model=self._name))
        begun = self._end
        session.partial.clear()
        try:
            heard, start = await self._ask(values)
        except HarnessError as error:
            kind = error.kind if isinstance(error, TrialError) else "authentication"
            session.emit(CallFailed(trial=session.trial, model=self._name, kind=kind, message=str(error)))
            raise
        session.emit(
            CallCompleted(trial=session.trial, model=self._name, usage=heard.usage, latency=round(self._end - start, 6))
        )
        session.partial.clear()
        self._thread = values["thread"] if heard.thread is None else heard.thread
        self._messages.append(Message(role="assistant", content=heard.text, tool_calls=heard.tool_calls))
        self._records.append(
            TurnRecord(
                input=texts,
                output=heard.text,
                latency=round(self._end - begun, 6),
                ttft=None if heard.first is None else round(heard.first - start, 6),
                usage=heard.usage,
                tool_calls=heard.tool_calls,
            )
        )
        return self._records[-1]

    def transcript(self) -> Transcript:
        last = self._records[-1]
        return Transcript(
            output=last.output,
            messages=tuple(self._messages),
            turns=tuple(self._records),
            tool_calls=tuple(call for record in self._records for call in record.tool_calls),
            usage=sum((record.usage for record in self._records), Usage()),
            latency=round(self._end, 6),
            ttft=last.ttft,
            attempts=self._session.tape.attempts,
            extra={"thread": self._thread} if self._thread is not None else {},
        )

    def _values(self, turn: Turn, texts: Sequence[str]) -> dict[str, JSON]:
        """What templates of the request can name."""
        spec = self._driver.spec
        if self._records and spec.thread is not None and turn.thread is None and self._thread is None:
            raise ServiceError(
                "protocol",
                f"`thread: {spec.thread}` matched nothing in the answer before, so that turn {len(self._records) + 1} "
                "cannot say which conversation it goes on with",
            )
        messages = [*self._messages, *turn.messages]
        plain = [{"role": one.role, "content": one.content} for one in messages]
        attachments = [one for message in turn.messages for one in message.attachments]
        about = self._about
        return {
            **about.vars,
            "input": "\n".join(texts),
            "messages": plain,
            "history": plain[: len(plain) - len(texts)],
            "thread": self._thread if turn.thread is None else turn.thread,
            "instructions": turn.instructions,
            _SESSION: self._identity,
            "metadata": dict(about.metadata),
            "vars": dict(about.vars),
            "files": [
                {
                    "kind": one.kind,
                    "name": one.name,
                    "media_type": one.media_type,
                    "data": base64.b64encode(one.data).decode("ascii"),
                }
                for one in attachments
            ],
        }

    async def _ask(self, values: dict[str, JSON]) -> tuple[Heard, float]:
        """Send a request and read its answer; return it, and when the request was sent."""
        import httpx2

        request = self._request(self._rendered(values))
        try:
            response = await self._session.clients.raw().send(request, stream=True)
            try:
                self._cookies.extract_cookies(response)
                if not response.is_success:
                    asked = retry_after(response.headers, now=time.time())
                    raise self._refusal(response.status_code, await response.aread(), asked=asked)
                heard = await self._driver.reading.read(response, pieces=self._session.partial)
            finally:
                await response.aclose()
        except httpx2.HTTPError as error:
            raise service_failure(error) from error
        except JSONTooLarge as error:
            raise ServiceError("protocol", f"the answer cannot be read: {error}") from None
        step = response.extensions[STEP]
        self._end = float(step.end)
        return heard, float(step.start)

    def _rendered(self, values: dict[str, JSON]) -> Rendered:
        driver, session = self._driver, self._session
        environ = None if session.tape.replays else session.clients.headers_checked(driver.spec)
        # On replay nothing is sent, and nobody needs a key.
        secret = (lambda name: _PLACEHOLDER) if environ is None else environ.__getitem__
        try:
            return driver.request.render(values, secret=secret, where=SourceLocation(self._about.case.where.path))
        except ConfigError as error:
            raise TrialError("request", f"the request cannot be written: {error.problems[0].message}") from None
        except ValueError as error:
            raise TrialError("request", f"the request cannot be sent: {error}") from None

    def _request(self, rendered: Rendered) -> httpx2.Request:
        import httpx2

        headers: dict[str, Any] = {"accept": "*/*", "user-agent": f"harness/{__version__}", **rendered.headers}
        try:
            request = httpx2.Request(
                rendered.method,
                rendered.url,
                headers={name: value.encode("utf-8") for name, value in headers.items()},
                content=rendered.content,
                extensions={"timeout": self._session.clients.timeouts, QUERY: True},
            )
        except (httpx2.InvalidURL, ValueError) as error:
            raise TrialError("request", f"the request cannot be sent: {error} ({rendered.url[:_SHOWN]})") from None
        self._cookies.set_cookie_header(request)
        return request

    def _refusal(self, status: int, content: bytes, *, asked: float | None) -> ServiceError:
        """Return the failure that a status means."""
        message = f"HTTP {status} from {self._driver.request.host}: {cut(_uniform(content)) or '(no body)'}"
        if status in (401, 403):
            kind = "authentication" if status == 401 else "permission"
            return ServiceError(kind, f"{message}. {self._credentials()}")
        return status_failure(status, message, codes=codes_of(content), asked=asked)

    def _credentials(self) -> str:
        variables = self._driver.request.variables
        if not variables:
            return "The request names no credentials; `headers: {Authorization: 'Bearer ${NAME}'}` sends some."
        named = ", ".join(f"{name} (header '{header}')" for name, header in variables.items())
        return f"Check the environment variable {named}."


def _identity(session: Session) -> str:
    """Return an id for this conversation alone: a new one where it is recorded, the same again on replay.

    An id that came back with every recording would meet what the service remembers of the one before.
    """
    tape = session.tape
    if isinstance(tape, RecordingTape):
        identity = uuid4().hex
        tape.noted[_SESSION] = identity
        return identity
    return str(tape.cassette.facts.source.get(_SESSION, "")) if tape.cassette is not None else ""


def _uniform(content: bytes) -> str:
    """Return a body as text; JSON, which recordings lay out anew, looks the same live and replayed."""
    text = content.decode("utf-8", errors="replace")
    try:
        return json_text(parse_json(text))
    except (NotJSON, JSONTooLarge):
        return text
