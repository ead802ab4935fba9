"""Suites, loaded: every default filled in, every reference resolved, all that can be checked beforehand checked."""

from __future__ import annotations

import hashlib
import math
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from harness.errors import SourceLocation
from harness.records import JSON, Attachment, Message
from harness.settings import Retry
from harness.suites.checked import checked
from harness.suites.checks import CheckSpec
from harness.suites.definition import Definition
from harness.suites.gates import Gates
from harness.suites.names import slug
from harness.tools.mocks import Mocks
from harness.tools.spec import ToolSpec

#: Trials of one case and variant in one run.
MOST_REPEATS = 1000

#: What speaks to the assistant.
API: TypeAlias = Literal["responses", "chat", "threads", "python", "http", "outputs"]
#: The APIs that are asked for model steps, with tools between them.
MODEL_APIS = frozenset({"responses", "chat", "threads"})
#: How long an assistant that was created for a suite lives: for a trial, for a run, or until somebody deletes it.
Lifecycle: TypeAlias = Literal["lazy", "run", "kept"]
#: Settings for a kind of task.
Preset: TypeAlias = Literal["creative", "analytical", "factual", "code"]
#: Everything that was said; what is new after the last response's id; what is new in a conversation at the service.
Chain: TypeAlias = Literal["input", "response", "conversation"]

#: The smallest difference in accuracy that matters, where a suite names none.
DEFAULT_MARGIN = 0.05

__all__ = ["AssistantSpec", "Case", "CheckSpec", "Gates", "Suite", "TurnSpec", "Variant", "is_suite", "slug"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantSpec:
    """The assistant of a variant, with the settings of suite, variant and prompt merged."""

    api: API = "responses"
    model: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: str | tuple[str, ...] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stream: bool = False
    #: `api: responses` only: what a later turn sends of the conversation; None is `input`.
    chain: Chain | None = None
    #: As the API takes it.
    response_format: JSON = None
    request: Mapping[str, JSON] = field(default_factory=dict)
    #: Seconds.
    timeout: float | None = None
    #: What it says itself wins over the project's.
    retry: Retry | None = None
    target: str | None = None
    args: Mapping[str, JSON] = field(default_factory=dict)
    tools: tuple[ToolSpec, ...] = ()
    #: A class or factory of the world that tools act on: made anew for each trial.
    env: str | None = None
    #: Model steps of one turn.
    max_steps: int | None = None
    #: Seconds that one call of a tool may take.
    tool_timeout: float | None = None
    #: Tools that run at the same time.
    parallel_tools: int | None = None
    #: `api: threads` only: an assistant that is there already; None: one is created.
    assistant_id: str | None = None
    lifecycle: Lifecycle | None = None
    #: `api: threads` only: seconds between two looks at a run.
    poll_interval: float | None = None
    #: `api: http` only; see `assistants.http`.
    url: str | None = None
    method: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: JSON = None
    output: str | None = None
    thread: str | None = None
    tool_calls: str | None = None
    usage: str | None = None
    sse: JSON = None
    #: `api: outputs` only: the file of answers that exist already.
    outputs: str | None = None
    #: Assistants that tools name, by name.
    assistants: Mapping[str, NamedAssistant] = field(default_factory=dict)

    @property
    def answers_from(self) -> str | None:
        """What answers where no model is named: a function, an address, a file."""
        return self.target or self.url or self.outputs

    def everybody(self) -> Iterator[AssistantSpec]:
        """Yield this assistant, and those that serve it as tools, theirs included."""
        yield self
        for one in self.assistants.values():
            yield from one.spec.everybody()

    def plain(self) -> dict[str, JSON]:
        """Return the settings that say something, as plain data."""
        # How often something is sent says nothing about what is sent.
        found = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "retry"}
        found["tools"] = [tool.plain() for tool in self.tools] or None
        found["assistants"] = {name: one.plain() for name, one in self.assistants.items()}
        return {
            name: value for name, value in found.items() if value is not None and value is not False and value != {}
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedAssistant:
    """An assistant of `assistants:`, which others use as a tool: its settings and its instructions, rendered."""

    spec: AssistantSpec
    system: str | None = None

    def plain(self) -> dict[str, JSON]:
        """Return what it is, as plain data."""
        return {**self.spec.plain(), **({"system": self.system} if self.system else {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One thing under comparison: a prompt (or inline instructions) and an assistant."""

    name: str
    prompt: str | None = None
    system: str | None = None
    assistant: AssistantSpec = AssistantSpec()
    report_only: bool = False
    vars: Mapping[str, JSON] = field(default_factory=dict)
    #: `api: outputs` only: how many answers there are to each case; None: as many as there are repeats.
    answers: Mapping[str, int] | None = field(default=None, compare=False)
    #: What `self_.tools` is in prompts: name and description of each tool that is known before a run.
    offered: tuple[Mapping[str, JSON], ...] = ()
    #: What tells it apart from others; None: not known, as of runs that did not keep it.
    definition: Definition | None = field(default=None, compare=False)
    where: SourceLocation
    #: Where each setting was written; those that are not here have their defaults.
    origins: Mapping[str, SourceLocation] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSpec:
    """What the user says in one turn, as templates (or data, in a literal case)."""

    inputs: tuple[str, ...]
    #: Instructions for this turn alone; a template.
    instructions: str | None = None
    #: Name to JSONPath over what came back in this turn.
    save: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    #: A thread of the service's to go on with; a template.
    thread: str | None = None
    #: None: it came from a dataset's row.
    where: SourceLocation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test."""

    id: str
    tags: tuple[str, ...] = ()
    #: Cases of the same label belong together; None: it stands for itself.
    cluster: str | None = None
    metadata: Mapping[str, JSON] = field(default_factory=dict)
    vars: Mapping[str, JSON] = field(default_factory=dict)
    expected: JSON = None
    turns: tuple[TurnSpec, ...]
    history: tuple[Message, ...] = ()
    #: The suite's checks, then the case's, then those of its turns.
    checks: tuple[CheckSpec, ...] = ()
    required: bool = False
    must_pass: int | Fraction | None = None
    pass_score: float | None = None
    where: SourceLocation
    #: It came from a dataset: its input is data, never a template.
    literal: bool = False
    #: Its id was made from its input, so it changes with it.
    unnamed: bool = False
    #: Further columns of its row, for templates.
    columns: Mapping[str, JSON] = field(default_factory=dict)
    #: Results of tools, by the tool's name; templates.
    mocks: Mocks | None = None
    #: Where each tool's mocks were written.
    mocked_at: Mapping[str, SourceLocation] = field(default_factory=dict, compare=False)

    @property
    def input(self) -> JSON:
        """What is said, unrendered: a text, or with several turns or messages a list."""
        shown = [turn.inputs[0] if len(turn.inputs) == 1 else list(turn.inputs) for turn in self.turns]
        return shown[0] if len(shown) == 1 else shown

    def needed(self, repeats: int) -> int | None:
        """Return how many of `repeats` must pass; None where the case does not say. A share is rounded up."""
        if self.must_pass is None:
            return None
        wanted = math.ceil(self.must_pass * repeats) if isinstance(self.must_pass, Fraction) else self.must_pass
        return min(wanted, repeats)


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """Variants from elsewhere that stand in a suite beside its own, to be compared with them and with nothing else."""

    #: Where they are from, as in "main": a git ref, a run.
    source: str
    #: Own variants, and the variant from elsewhere that each is compared with.
    pairs: Mapping[str, str] = field(default_factory=dict)
    #: All variants from elsewhere.
    others: tuple[str, ...] = ()
    #: Whether gates and required cases of the suite's own variants decide, and not their verdicts alone.
    gates: bool = True
    #: Cases that are not compared, by the reason: "changed", "only in main".
    excluded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Cases of which the mocked results of tools differ.
    mocks: tuple[str, ...] = ()
    #: Python files of the project that differ.
    code: tuple[str, ...] = ()
    #: Hashes of the checks that were applied there, by case; empty: those of the suite itself, or not known.
    checks: Mapping[str, str] = field(default_factory=dict)
    #: Own variants that replay the very recordings that their counterparts replay.
    same: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Suite:
    """One suite file, ready to plan."""

    name: str
    path: Path
    #: How messages name the file.
    shown: str
    description: str | None = None
    variants: tuple[Variant, ...]
    #: None where there is only one variant.
    baseline: str | None = None
    gate_baseline: bool = False
    repeats: int = 1
    cases: tuple[Case, ...]
    gates: Gates = field(default_factory=Gates)
    margin: float = DEFAULT_MARGIN
    #: False: nobody chose the margin.
    margin_given: bool = False
    #: Whether a run of it ends as soon as its comparisons are decided.
    stop_early: bool = False
    #: US dollars that it may spend in one run; None: no limit of its own.
    budget: Decimal | None = None
    vars: Mapping[str, JSON] = field(default_factory=dict)
    #: sha256 of the suite file and its datasets.
    hash: str = ""
    #: What was found while loading that is allowed and may still surprise.
    notes: tuple[str, ...] = ()
    #: Variants from elsewhere among `variants`; None: there are none.
    against: Against | None = None
    #: Hashes of the checks of its cases, by id, of a suite that was stored; None: its own cases have them.
    checks: Mapping[str, str] | None = None

    @cached_property
    def checked(self) -> Mapping[str, str]:
        """A hash of the checks of each case, by id; empty: not known."""
        return checked(self.cases) if self.checks is None else self.checks

    def repeats_of(self, variant: Variant, case: Case) -> int:
        """Return how many trials of a case a variant has: no more than there are answers, where they exist already."""
        if variant.answers is None:
            return self.repeats
        return min(self.repeats, max(variant.answers.get(case.id, 1), 1))

    def recorded_by(self, *, variant: str | None = None, anew: bool = False) -> str:
        """Return what a user types to record it: a command, or a call where the suite was built in Python.

        Args:
            variant: Only this one.
            anew: Also what is recorded already, where that no longer matches.
        """
        if self.path.suffix not in (".yaml", ".yml"):
            chosen = f", variants=[{variant!r}]" if variant is not None else ""
            return f'harness.run(suite, record_mode="{"rewrite" if anew else "once"}"{chosen})'
        chosen = f" --variant {shlex.quote(variant)}" if variant is not None else ""
        return f"harness record {shlex.quote(self.shown)}{chosen}{' --only-stale' if anew else ''}"

    @cached_property
    def by_name(self) -> Mapping[str, Variant]:
        """The variants by name."""
        return {variant.name: variant for variant in self.variants}

    @cached_property
    def case_by_id(self) -> Mapping[str, Case]:
        """The cases by id."""
        return {case.id: case for case in self.cases}

    @cached_property
    def clusters(self) -> Mapping[str, str]:
        """The label of every case that belongs together with others, by its id."""
        return {case.id: case.cluster for case in self.cases if case.cluster is not None}


_SUITE_KEY = re.compile(rb"^(suite|\"suite\"|'suite')[ \t]*:", re.MULTILINE)


def is_suite(path: Path) -> bool:
    """Say whether a file is a suite: YAML with a top-level key `suite`. Cheap: the text is searched, not parsed."""
    if path.suffix not in (".yaml", ".yml"):
        return False
    try:
        with open(path, "rb") as file:
            return _SUITE_KEY.search(file.read(5_000_000)) is not None
    except OSError:
        return False


def content_hash(*contents: bytes) -> str:
    """Return the sha256 over several contents, in order."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.hexdigest()
