"""Budgets of a run: what must be known before it may begin, and what it has spent in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError, Problem, SourceLocation
from harness.plan import Trial
from harness.project.project import Project
from harness.records import JSON, Result
from harness.runs.worst import missing_step_limit, output_limit, priced
from harness.suites.suite import MODEL_APIS, AssistantSpec, Suite, Variant
from harness.summary.view import RunSpend, Spend

if TYPE_CHECKING:
    from harness.costs import PriceTable
    from harness.events import Event
    from harness.limits.budget import Ledger, Spent


def new_ledger(project: Project) -> Ledger:
    """Return the ledger of a run that begins now."""
    from harness.limits.budget import Ledger
    from harness.runs.pricing import Pricing

    return Ledger(project.settings.budget, pricing=Pricing(project.prices()))


def told_on_loop(emit: Callable[[Event], None]) -> Callable[[Event], None]:
    """Return a function for any thread that tells events on the running loop."""
    loop = asyncio.get_running_loop()

    def tell(event: Event) -> None:
        try:
            here = asyncio.get_running_loop() is loop
        except RuntimeError:
            here = False
        if here:
            emit(event)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(emit, event)

    return tell


def check_budgets(project: Project, live: Iterable[Trial]) -> None:
    """Refuse to begin where there is a budget and what a request may cost cannot be known before it is sent.

    Python functions are not looked into: their requests are checked one by one.

    Args:
        project: Whose budget and prices hold.
        live: The trials that may send something.

    Raises:
        ConfigError: With the place of every variant, and what to add to it.
    """
    run = project.settings.budget
    variants = {
        (id(one.suite), one.variant.name): one for one in live if run is not None or one.suite.budget is not None
    }
    problems: list[Problem] = []
    for trial in variants.values():
        for spec in trial.variant.assistant.everybody():
            problems += _unbounded(trial.suite, trial.variant, spec, project.prices())
    if problems:
        raise ConfigError(dict.fromkeys(problems))


def _unbounded(suite: Suite, variant: Variant, spec: AssistantSpec, prices: PriceTable) -> Iterator[Problem]:
    """Yield why it cannot be known what an assistant's requests may cost."""
    whose = f"variant '{variant.name}'" if spec is variant.assistant else f"an assistant of variant '{variant.name}'"

    def problem(message: str, hint: str, *keys: str) -> Problem:
        where: SourceLocation = next((variant.origins[key] for key in keys if key in variant.origins), variant.where)
        return Problem(message=f"there is a budget, and {whose} {message}", location=where, hint=hint)

    if spec.api == "http":
        yield problem(
            "asks a deployed service, whose costs nobody knows before it answers.",
            "Leave the budget out, or choose the other variants with --variant.",
            "url",
            "api",
        )
    if spec.api not in MODEL_APIS:
        return
    if not priced(spec, prices):
        named = f"model '{spec.model}'" if spec.model else "assistant, which names no model,"
        yield problem(
            f"uses the {named} that has no price." if spec.model else f"uses an {named} has no price.",
            f'Give it one in pyproject.toml: [tool.harness.prices."{spec.model}"] with `input` and `output`.'
            if spec.model
            else "Name it with `model:`.",
            "model",
        )
    if output_limit(spec) is None:
        yield problem(
            "has no `max_tokens`, so that an answer may cost anything.", "Add `max_tokens: 400`, or what it needs."
        )
    limit = missing_step_limit(spec)
    if limit is not None:
        served = [tool.name or tool.kind for tool in spec.tools if tool.kind == "builtin"]
        tools = (
            f"tools that the service runs itself ({', '.join(served)})" if served else "tools that nobody here knows"
        )
        yield problem(f"has {tools}, as often as it likes.", f"Add `request: {{{limit}: ...}}`.", "tools")


def spend_of(
    project: Project, results: Sequence[Result], *, suites: Sequence[Suite], ledger: Ledger | None
) -> RunSpend:
    """Return what a run spent: by its ledger where there is a budget, else what its live trials cost."""
    known: Mapping[str, Spent] = {} if ledger is None else ledger.by_suite
    found: dict[str, Spend] = {}
    for suite in suites:
        own = [one for one in results if one.suite == suite.name]
        told = known.get(suite.name)
        if told is None:
            costs = [one for one in own if _live(one)]
            amount = sum((one.cost for one in costs if one.cost is not None), Decimal(0))
            guessed = (one.cost for one in costs if one.cost is not None and one.extra.get("cost_basis") == "estimated")
            found[suite.name] = Spend(amount=amount, estimated=sum(guessed, Decimal(0)), budget=suite.budget)
        else:
            found[suite.name] = Spend(amount=told.amount, estimated=told.estimated, budget=suite.budget)
    return RunSpend(
        amount=sum((one.amount for one in found.values()), Decimal(0)),
        estimated=sum((one.estimated for one in found.values()), Decimal(0)),
        budget=project.settings.budget,
        suites=found,
    )


def _live(result: Result) -> bool:
    """Whether a trial's cost was paid by this run. Answers that existed already were paid for by somebody else."""
    return "outputs" not in result.extra and (result.cassette is None or result.cassette.mode == "recorded")


def plain_spend(spend: RunSpend | None) -> JSON:
    """Return what a run spent as it stands in run.json."""
    if spend is None:
        return None
    return {**_plain(spend), "suites": {name: _plain(one) for name, one in spend.suites.items()}}


def _plain(spend: Spend) -> dict[str, JSON]:
    budget = None if spend.budget is None else f"{spend.budget:f}"
    return {"total": f"{spend.amount:f}", "estimated": f"{spend.estimated:f}", "budget": budget}


def read_spend(entry: Any) -> RunSpend | None:
    """Return what `plain_spend` wrote; None where a run did not keep it."""
    try:
        whole = _read(entry)
        suites = {str(name): _read(one) for name, one in entry["suites"].items()}
    except (KeyError, TypeError, AttributeError, InvalidOperation):
        return None
    return RunSpend(amount=whole.amount, estimated=whole.estimated, budget=whole.budget, suites=suites)


def _read(entry: Any) -> Spend:
    budget = entry["budget"]
    return Spend(
        amount=Decimal(entry["total"]),
        estimated=Decimal(entry["estimated"]),
        budget=None if budget is None else Decimal(budget),
    )
