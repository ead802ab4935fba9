"""What every trial of a run needs, opened before the first and closed after the last."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from harness.errors import TrialError, UsageError
from harness.events import Event, Noted, Subscriber
from harness.plan import Trial
from harness.project.project import Project
from harness.runs.budgets import check_budgets, new_ledger, told_on_loop
from harness.runs.estimates import live_trials, may_go_live, unrecorded
from harness.runs.facts import SWITCHED_OFF, renewable, switched_off
from harness.runs.listening import audience
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.assistants.session import Clients, Endpoint
    from harness.limits.budget import Ledger
    from harness.limits.sending import Limiter
    from harness.recording import Redactor
    from harness.runs.stop import Stop
    from harness.runs.workshop import Workshop
    from harness.store.space import Refuge
    from harness.suites.suite import AssistantSpec

#: Trials at the same time: live, where the service sets the pace, and on replay.
LIVE_CONCURRENCY = 16
REPLAY_CONCURRENCY = 64
#: APIs on which something may have been recorded that cannot be recorded again.
_MAYBE_GONE = frozenset({"threads", "python"})


@asynccontextmanager
async def opened(
    project: Project,
    trials: Sequence[Trial],
    *,
    ledger: Ledger | None = None,
    run: str = "",
    stop: Stop | None = None,
    refuge: Refuge | None = None,
    rewrite: frozenset[str] = frozenset(),
    subscribers: Sequence[Subscriber] = (),
) -> AsyncIterator[Workshop]:
    """Open what a run needs, and close it again.

    Args:
        trials: What will be run.
        ledger: What the run spends, and may spend; None: one of its own.
        run: The run's id.
        stop: Says when nothing more may be sent.
        refuge: Takes what cannot be written where it belongs.
        rewrite: Ids of trials to record anew whatever the mode.
        subscribers: Who hears the events, before those whom plugins subscribe.

    Raises:
        UsageError: Something cannot be recorded.
        CredentialsError: A key is missing.
        ConfigError: A plugin cannot be used, or what a trial may cost is not bounded although there is a budget.
        StorageError: What is recorded could not be written, or another process records the same.
    """
    from harness.recording import Normaliser, Writer
    from harness.runs.preflight import going_live
    from harness.runs.stop import Stop
    from harness.runs.workshop import Workshop
    from harness.store.space import Refuge

    settings = project.settings
    mode = settings.record_mode
    live = live_trials(trials, mode, rewrite=rewrite)
    if mode != "verify":
        _keep_unrenewable(live)
    check_credentials(live, trusted=settings.trusted_hosts)
    maybe = may_go_live(trials, mode, rewrite=rewrite)
    check_budgets(project, maybe)
    clients = open_clients(project, trials, live=bool(maybe))
    try:
        heard = audience(project, subscribers, redact=clients.redactor.text)
        ledger = ledger or new_ledger(project)
        ledger.tell = told_on_loop(heard.emit)
        tell = _teller(heard.emit)
        stop = stop or Stop()
        stop.lets_go(partial(_let_go, clients.limiter, ledger))
        # What takes time is done before others have to wait for this run.
        for endpoint in _endpoints(live):
            clients.warm(endpoint)
        if any(spec.api == "http" for spec in assistants_of(live)):
            clients.raw()
        async with going_live(settings, maybe, run=run, stop=stop, tell=tell) as sending, Writer() as writer:
            yield Workshop(
                root=settings.root,
                registry=project.registry,
                renderer=project.renderer(),
                prices=project.prices(),
                clients=clients,
                writer=writer,
                sending=sending,
                refuge=refuge or Refuge(run, root=settings.root),
                ledger=ledger,
                unrecorded=unrecorded(project, trials) if mode == "none" else {},
                mode=mode,
                rewrite=rewrite,
                concurrency=concurrency(settings),
                normaliser=Normaliser(settings.normalise),
                strict=settings.strict,
                timeout=settings.timeout,
                run_timeout=settings.run_timeout,
                emit=heard.emit,
                live=heard.live,
            )
    finally:
        await clients.aclose()


def _let_go(limiter: Limiter, ledger: Ledger) -> None:
    limiter.let_go()
    ledger.let_go()


def _teller(emit: Callable[[Event], None]) -> Callable[[str], None]:
    return lambda text: emit(Noted(text=text))


def concurrency(settings: Settings) -> int:
    """Return how many trials run at the same time."""
    if settings.concurrency is not None:
        return settings.concurrency
    return REPLAY_CONCURRENCY if settings.record_mode == "none" else LIVE_CONCURRENCY


def open_clients(project: Project, trials: Sequence[Trial], *, live: bool) -> Clients:
    """Return the clients of a run; a request may take as long as the longest trial."""
    from harness.assistants.session import Clients

    settings = project.settings
    specs = assistants_of(trials)
    given = (spec.timeout for spec in specs if spec.timeout is not None)
    return Clients(
        environ=os.environ,
        limiter=limiter(settings),
        timeout=max(settings.timeout, *given, 0.0),
        concurrency=concurrency(settings),
        live=live,
        secrets=named_secrets(specs),
        trusted=settings.trusted_hosts,
        redact=settings.redact,
    )


def limiter(settings: Settings) -> Limiter:
    """Return the limits of a run's requests."""
    from harness.limits.sending import Limiter

    return Limiter(retry=settings.retry, rpm=settings.rpm, tpm=settings.tpm, attempt_timeout=settings.attempt_timeout)


def assistants_of(trials: Iterable[Trial]) -> list[AssistantSpec]:
    """Return every assistant of the trials, those that serve others included."""
    variants = {id(trial.variant): trial.variant.assistant for trial in trials}
    return [spec for one in variants.values() for spec in one.everybody()]


def named_secrets(specs: Iterable[AssistantSpec]) -> list[str]:
    """Return the values of the variables that assistants name for keys, headers and MCP servers, whatever those are called.

    Args:
        specs: All of them: those that serve others are not looked for.
    """
    from harness.suites.request import header_variables

    named: set[str | None] = set()
    for spec in specs:
        named.update((spec.api_key_env, *header_variables(spec.headers)))
        for tool in spec.tools:
            if tool.kind == "mcp":
                named.update(header_variables(tool.options.get("env", {})))
    return [value for name in named if name and (value := os.environ.get(name))]


def redactor_of(settings: Settings, specs: Iterable[AssistantSpec] = ()) -> Redactor:
    """Return what takes secrets out of everything that a run of these assistants keeps and shows."""
    from harness.recording import Redactor

    patterns, fields = settings.redact.compiled()
    return Redactor.from_environment(os.environ, also=named_secrets(specs), patterns=patterns, fields=fields)


def check_credentials(trials: Iterable[Trial], *, trusted: Collection[str] = ()) -> None:
    """Look up every address and key that recording these trials may need, before anything is sent.

    Args:
        trials: Those that will go live.
        trusted: Hosts that may get the user's key (`trusted_hosts`).

    Raises:
        UsageError: An address no longer answers.
        CredentialsError: A key is missing.
    """
    from harness.assistants.addresses import check_headers

    trials = tuple(trials)
    for trial in trials:
        for spec in trial.variant.assistant.everybody():
            if switched_off(spec):
                raise UsageError(
                    f"{trial.variant.where}: variant '{trial.variant.name}' cannot be recorded: {SWITCHED_OFF} "
                    "(`api: threads`). Recordings of it still replay (`harness run`); `base_url:` can name a compatible "
                    "server; the same assistant on `api: responses` is compared with the old recordings by `harness "
                    "compare`."
                )
    for endpoint in _endpoints(trials):
        endpoint.key(os.environ, trusted=trusted)
    for spec in assistants_of(trials):
        if spec.api == "http":
            check_headers(spec, os.environ, trusted)


def _keep_unrenewable(live: Iterable[Trial]) -> None:
    """Refuse to record over what cannot be recorded again.

    Raises:
        UsageError: A trial that would go live has such a recording.
    """
    from harness.recording import read_cassette

    for trial in live:
        apis = {spec.api for spec in trial.variant.assistant.everybody()}
        if not apis & _MAYBE_GONE or not trial.cassette.exists():
            continue
        with suppress(TrialError):
            if not renewable(read_cassette(trial.cassette, shown=trial.cassette.name).facts):
                raise UsageError(
                    f"the recording of {trial.id} cannot be made again: {SWITCHED_OFF}. Move {trial.cassette.name} away "
                    "first if it should go, or select other variants."
                )


def _endpoints(trials: Iterable[Trial]) -> set[Endpoint]:
    """Where drivers will send models' requests; what a Python function sends, and whether, is its own affair."""
    from harness.assistants.session import Endpoint
    from harness.suites.suite import MODEL_APIS

    return {Endpoint(spec.base_url, spec.api_key_env) for spec in assistants_of(trials) if spec.api in MODEL_APIS}
