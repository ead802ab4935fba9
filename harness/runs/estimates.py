"""What recording would send, and what it should cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice

from harness.errors import TrialError
from harness.modes import ASKING_ALL, RecordMode
from harness.plan import Plan, Trial
from harness.project.project import Project
from harness.records import JSON, Usage
from harness.runs.worst import worst_of
from harness.summary import phrases

#: Recordings per variant that an expected cost is averaged over.
_SAMPLE = 20
#: Where nothing is recorded yet: characters of a token, and tokens of an answer without `max_tokens`.
_CHARACTERS = 4
_ANSWER = 256
#: Steps of a turn with tools: a call, and the answer.
_STEPS = 2
#: What sends and spends what it likes.
_TARGETS = frozenset({"python", "http"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What recording would send."""

    #: Trials that would go live.
    trials: tuple[Trial, ...]
    #: Requests to models, retries not counted; a target may make any number, and counts as none.
    calls: int
    #: USD; None: a model has no price.
    cost: Decimal | None
    #: What the price table says about the prices.
    notes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    #: Trials whose assistant is somebody's own: a Python function, or a deployed service.
    targets: int = 0
    #: Some assistant has tools, and asks its model again for each step.
    tools: bool = False
    #: USD if every answer is as long as it may be and every attempt is paid for; or why that has no limit; None: not asked.
    worst: Decimal | str | None = None
    #: Budgets that it may exceed, one line each.
    over: tuple[str, ...] = ()

    @property
    def price(self) -> str:
        """The expected cost in words."""
        if self.cost is None:
            return "expected cost unknown (a model has no price)"
        if self.targets and not self.calls:
            return "expected cost unknown (targets spend what they like)"
        noted = f" ({'; '.join(self.notes)})" if self.notes else ""
        more = ", and whatever the targets spend" if self.targets else ""
        return f"expected cost about {dollars(self.cost)}{noted}{more}"

    @property
    def text(self) -> str:
        """One line for a person."""
        if not self.trials:
            return "there is a recording of everything selected; nothing will be sent"
        told = f"{len(self.trials)} of the selected trials go live: {self._sent(to_models=True)}, {self.price}"
        if self.worst is not None:
            told += f", at worst {self.worst if isinstance(self.worst, str) else dollars(self.worst)}"
        return "\n".join([told, *self.over])

    @property
    def what(self) -> str:
        """What would be sent, in words."""
        return self._sent(to_models=False)

    def _sent(self, *, to_models: bool) -> str:
        least = "at least " if self.tools else ""
        calls = f"{least}{phrases.count(self.calls, 'call')}"
        to = f" to {', '.join(self.models)}" if self.models and to_models else ""
        of_targets = f"{phrases.count(self.targets, 'trial')} of targets"
        if self.targets and not self.calls:
            return of_targets
        return f"{calls}{to}, and whatever {of_targets} send" if self.targets else f"{calls}{to}"


def dollars(amount: Decimal) -> str:
    """Return an amount with two significant digits, and cents at least."""
    if amount == 0:
        return "$0"
    digits = max(2, 1 - amount.adjusted())
    return f"${amount:.{digits}f}"


def live_trials(
    trials: Iterable[Trial], mode: RecordMode, *, rewrite: frozenset[str] = frozenset()
) -> tuple[Trial, ...]:
    """Return the trials that may send something: all where nothing replays, else those that have no recording.

    Answers that exist already are never asked for.

    Args:
        trials: What will be run.
        mode: The record mode.
        rewrite: Ids of trials to record anew whatever the mode.
    """
    if mode in ASKING_ALL:
        return tuple(one for one in trials if one.variant.assistant.api != "outputs")
    return tuple(one for one in trials if one.id in rewrite or (mode != "none" and not one.answered))


def may_go_live(
    trials: Iterable[Trial], mode: RecordMode, *, rewrite: frozenset[str] = frozenset()
) -> tuple[Trial, ...]:
    """Return the trials that may send something, if only because a replay shows that their recording is stale.

    Args as those of `live_trials`.
    """
    return live_trials(trials, "all" if mode == "new_episodes" else mode, rewrite=rewrite)


def estimate(project: Project, plan: Plan, *, rewrite: frozenset[str] = frozenset()) -> Estimate:
    """Say what a run of a plan would send and cost in the project's record mode."""
    live = live_trials(plan.trials, project.settings.record_mode, rewrite=rewrite)
    found = estimate_of(project, live)
    return replace(found, worst=worst_of(project, live), over=tuple(_over(project, plan, live))) if live else found


def _over(project: Project, plan: Plan, live: Sequence[Trial]) -> Iterator[str]:
    """Yield a line for each budget that may not be enough."""
    budgets: list[tuple[str, Decimal | None, Sequence[Trial]]] = [("the budget", project.settings.budget, live)]
    budgets += [
        (f"the budget of suite '{suite.name}'", suite.budget, [one for one in live if one.suite is suite])
        for suite in plan.suites
    ]
    for name, budget, trials in budgets:
        if budget is None or not trials:
            continue
        expected = estimate_of(project, trials).cost
        worst = worst_of(project, trials)
        if expected is not None and expected > budget:
            yield f"{name}, {dollars(budget)}, is less than the expected cost, {dollars(expected)}"
        elif not isinstance(worst, str) and worst > budget:
            yield f"{name}, {dollars(budget)}, is less than the worst case, {dollars(worst)}"


def over_budget(project: Project, plan: Plan) -> tuple[str, ...]:
    """Return a line for each budget that recording what is missing may exceed."""
    return tuple(_over(project, plan, [one for one in plan.trials if not one.answered]))


def estimate_of(project: Project, trials: Sequence[Trial]) -> Estimate:
    """Say what sending these trials would cost: as their variant's recordings did, else by the length of the prompts."""
    prices = project.prices()
    total: Decimal | None = Decimal(0)
    calls = targets = 0
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        if trial.variant.assistant.api == "outputs":
            continue
        if trial.variant.assistant.api in _TARGETS:
            targets += 1
            continue
        calls += len(trial.case.turns)
        groups.setdefault((trial.suite.name, trial.variant.name), []).append(trial)
    for group in groups.values():
        each = _recorded_cost(group)
        if each is None:
            each = _guess(project, group)
        total = None if each is None or total is None else total + each * len(group)
    models = tuple(
        dict.fromkeys(
            spec.model
            for trial in trials
            for spec in trial.variant.assistant.everybody()
            if spec.model and spec.api not in ("http", "outputs")
        )
    )
    notes = tuple(dict.fromkeys(note for model in models if (note := prices.note(model))))
    return Estimate(
        trials=tuple(trials),
        calls=calls,
        cost=total,
        notes=notes,
        models=models,
        targets=targets,
        tools=any(trial.variant.assistant.tools for trial in trials),
    )


def unrecorded(project: Project, trials: Sequence[Trial]) -> dict[str, str]:
    """Return, for each suite none of whose trials has a recording, the line that says what to do."""
    found: dict[str, str] = {}
    for suite in dict.fromkeys(trial.suite for trial in trials):
        own = [trial for trial in trials if trial.suite is suite and trial.variant.assistant.api != "outputs"]
        if not own or any(trial.variant.assistant.api == "python" or trial.cassette.exists() for trial in own):
            continue
        what = estimate_of(project, own)
        calls = what.what
        found[suite.name] = (
            f"{suite.shown} has no recordings. `{suite.recorded_by()}` makes them: {calls}, {what.price}."
        )
    return found


def plan_rows(project: Project, plan: Plan) -> list[dict[str, JSON]]:
    """Return one row per suite and variant: trials, what is recorded, and what the rest would cost."""
    rows: list[dict[str, JSON]] = []
    for suite in plan.suites:
        for variant in suite.variants:
            trials = [one for one in plan.trials if one.suite is suite and one.variant is variant]
            if not trials:
                continue
            missing = [trial for trial in trials if not trial.answered]
            what = estimate_of(project, missing)
            all_of_it = estimate_of(project, trials)
            worst = worst_of(project, missing)
            rows.append(
                {
                    "suite": suite.name,
                    "variant": variant.name,
                    "model": variant.assistant.model or variant.assistant.answers_from,
                    "trials": len(trials),
                    "recorded": len(trials) - len(missing),
                    "missing": len(missing),
                    "calls to record": what.calls,
                    "cost to record": "unpriced" if what.cost is None else dollars(what.cost),
                    "worst case": worst if isinstance(worst, str) else dollars(worst),
                    "cost to rewrite": "unpriced" if all_of_it.cost is None else dollars(all_of_it.cost),
                }
            )
    return rows


def _recorded_cost(trials: Sequence[Trial]) -> Decimal | None:
    from harness.recording import read_cassette

    folder = trials[0].cassette.parent
    costs: list[Decimal] = []
    for path in islice(sorted(folder.glob("*.yaml")) if folder.is_dir() else (), _SAMPLE):
        try:
            cost = read_cassette(path, shown=path.name).facts.cost
        except (TrialError, OSError):
            continue
        if cost is not None:
            costs.append(cost)
    return sum(costs, Decimal(0)) / len(costs) if costs else None


def _guess(project: Project, trials: Iterable[Trial]) -> Decimal | None:
    renderer, prices = project.renderer(), project.prices()
    costs: list[Decimal] = []
    for trial in islice(trials, _SAMPLE):
        spec = trial.variant.assistant
        turns, _ = renderer.turns(trial.suite, trial.case, trial.variant)
        answer = spec.max_tokens or _ANSWER
        steps = _STEPS if spec.tools else 1
        sent = said = 0
        for turn in turns:
            said += sum(len(message.content) for message in turn.messages) // _CHARACTERS + 1
            for _ in range(steps):
                # Each step sends everything before it again.
                sent += said
                said += answer
        cost = prices.cost(spec.model or "", Usage(input=sent, output=answer * steps * len(turns)))
        if cost is None:
            return None
        costs.append(cost)
    return sum(costs, Decimal(0)) / len(costs) if costs else Decimal(0)
