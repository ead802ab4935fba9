"""A suite as it is written: the keys of the file, their types, and what each is for."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from harness.amounts import Duration, Money
from harness.records import JSON
from harness.settings import Retry
from harness.suites.gates import Gates
from harness.suites.suite import API, MOST_REPEATS, Chain, Lifecycle, Preset
from harness.validation import Flag, Number, Whole

#: pytest's own markers; a tag is registered as one, so it cannot have such a name.
PYTEST_MARKERS = frozenset(
    {"skip", "skipif", "xfail", "parametrize", "usefixtures", "filterwarnings", "tryfirst", "trylast"}
    # Markers of plugins that change how a test runs.
    | {"xdist_group", "vcr", "block_network", "default_cassette"}
)


def check_name(name: str) -> str:
    """Return the name of a suite, variant or case.

    Raises:
        ValueError: It is blank, or holds what no terminal shows as it is.
    """
    if not name.strip():
        raise ValueError("a name cannot be blank")
    if not name.isprintable():
        raise ValueError(f"the name {name!r} holds control characters")
    return name


def check_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Return tags, each once.

    Raises:
        ValueError: One could not be a marker in pytest: it has the name of one of pytest's own, or is blank.
    """
    for tag in tags:
        if tag in PYTEST_MARKERS:
            raise ValueError(f"the tag '{tag}' is the name of a marker of pytest's own; choose another")
        check_name(tag)
    return tuple(dict.fromkeys(tags))


def said(value: JSON) -> JSON:
    """Return what a user says: a text, or a list of texts; numbers become texts.

    Raises:
        ValueError: It is neither, or empty.
    """
    if isinstance(value, (list, tuple)):
        if not value:
            raise ValueError("a list of messages cannot be empty")
        return [said_once(one) for one in value]
    return said_once(value)


def said_once(value: JSON) -> str:
    """Return one message as a text.

    Raises:
        ValueError: It is neither text nor number, or empty.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("an input is a text, or a list of texts; quote it")  # noqa: TRY004 (pydantic)
    if value == "":
        raise ValueError("an input cannot be empty")
    return str(value)


def must_pass(value: JSON) -> int | Fraction:
    """Read `must_pass:`: a whole number of repeats, or a share of them.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    try:
        share = Fraction(str(value).replace(" ", "")) if isinstance(value, (str, float)) else Fraction(0)
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    if not 0 < share <= 1:
        raise ValueError(f"{value!r} is no share of repeats; write 2/3, or a whole number")
    return share


def _label(value: JSON) -> JSON:
    """A label of a cluster; a number is one, too."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _one_message(value: Mapping[str, str]) -> Mapping[str, str]:
    if len(value) != 1 or next(iter(value)) not in ("user", "assistant"):
        raise ValueError("each message of `history:` is {user: ...} or {assistant: ...}")
    return value


def _address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError(f"{value!r} is no address; it starts with http:// or https://")
    return value


def _optional(check: Any) -> Any:
    return lambda value: value if value is None else check(value)


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError("a duration of nothing cannot be used here; leave it out for the default")
    return seconds


Positive: TypeAlias = Annotated[Duration, AfterValidator(_positive)]
Name: TypeAlias = Annotated[str, AfterValidator(check_name)]
Label: TypeAlias = Annotated[Name, BeforeValidator(_label, json_schema_input_type=str | int | float)]
#: One tag, or a list of them.
Tags: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(
        lambda value: (value,) if isinstance(value, str) else value, json_schema_input_type=str | list[str]
    ),
    AfterValidator(check_tags),
]
_ONCE: TypeAlias = Annotated[str, Field(min_length=1)] | int | float
_SPOKEN: TypeAlias = _ONCE | Annotated[list[_ONCE], Field(min_length=1)]
Said: TypeAlias = Annotated[Any, BeforeValidator(said, json_schema_input_type=_SPOKEN)]
MaybeSaid: TypeAlias = Annotated[Any, BeforeValidator(_optional(said), json_schema_input_type=_SPOKEN)]
_SHARE: TypeAlias = (
    Annotated[int, Field(ge=1)]
    | Annotated[float, Field(gt=0, le=1)]
    | Annotated[str, Field(pattern=r"^[0-9 ]*[./]?[0-9 ]+$")]
    | None
)
Share: TypeAlias = Annotated[
    Any, BeforeValidator(_optional(lambda value: must_pass(value) and value), json_schema_input_type=_SHARE)
]


#: One path, or a list of them.
Files: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(
        lambda value: (value,) if isinstance(value, str) else value, json_schema_input_type=str | list[str]
    ),
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AssistantFields(_Strict):
    """Settings of an assistant; a variant's win over the suite's, the suite's over the prompt's defaults."""

    api: API | None = Field(
        None,
        description="responses (the default), chat (Chat Completions), threads (Assistants), python (a function), "
        "http (a service of your own) or outputs (answers that exist already)",
    )
    model: str | None = Field(None, min_length=1, description="Model to ask")
    base_url: Annotated[str, AfterValidator(_address)] | None = Field(
        None,
        description="Address of an OpenAI-compatible service; default: the SDK's own",
        json_schema_extra={"pattern": "^https?://"},
    )
    api_key_env: str | None = Field(None, description="Environment variable that holds the key for base_url")
    prompt: str | None = Field(None, description="Prompt reference: faq, faq@2, faq@git:main")
    system: str | None = Field(None, description="Instructions written here instead of a prompt; a template")
    temperature: Number | None = Field(None, ge=0, le=2, description="Sampling temperature")
    top_p: Number | None = Field(None, ge=0, le=1, description="Nucleus sampling")
    max_tokens: Whole | None = Field(None, ge=1, description="Most tokens of an answer; sent under the API's own name")
    seed: Whole | None = Field(None, description="Seed, where the service knows one")
    stop: str | tuple[str, ...] | None = Field(None, description="Texts at which an answer ends")
    presence_penalty: Number | None = Field(None, ge=-2, le=2, description="Penalty on tokens that are there already")
    frequency_penalty: Number | None = Field(None, ge=-2, le=2, description="Penalty on tokens by their frequency")
    stream: Flag | None = Field(None, description="Stream the answer, so that the time to its first token is known")
    chain: Chain | None = Field(
        None,
        description="For api responses, what a later turn sends: input (everything that was said; the default), "
        "response (what is new, after the last response's id) or conversation (what is new, in one kept by the service)",
    )
    response_format: JSON = Field(None, description="json, {schema: FILE or schema}, or what the API takes")
    request: Mapping[str, JSON] | None = Field(None, description="Passed through to the API as it is")
    timeout: Duration | None = Field(None, description="Longest time that a trial may take")
    retry: Retry | None = Field(
        None, description="When a failed request is sent again; what is left out is the project's"
    )
    target: str | None = Field(None, description="For api python: ./agent.py:answer")
    args: Mapping[str, JSON] | None = Field(None, description="For api python: further keyword arguments")
    preset: Preset | None = Field(
        None,
        description="Settings for a kind of task (creative, analytical, factual or code); what is written beside it wins",
    )
    tools: tuple[JSON, ...] | None = Field(
        None, description="Functions (./tools.py:search), env:METHOD, tools of the service, MCP servers, assistants"
    )
    env: str | None = Field(
        None, min_length=1, description="World that tools act on, ./shop.py:Shop; made anew for each trial"
    )
    max_steps: Whole | None = Field(None, ge=1, description="Most model steps of one turn; default 10")
    tool_timeout: Positive | None = Field(
        None, description="Longest time that one call of a tool may take; default 30s"
    )
    parallel_tools: Whole | None = Field(None, ge=1, description="Most tools that run at the same time; default 8")
    assistant_id: str | None = Field(
        None, min_length=1, description="For api threads: an assistant that is there already, instead of a new one"
    )
    lifecycle: Lifecycle | None = Field(
        None,
        description="For api threads, how long a new assistant lives: lazy (for a trial), run (for a run; the default) "
        "or kept",
    )
    poll_interval: Positive | None = Field(
        None, description="For api threads: time between two looks at a run; default 1s"
    )
    url: str | None = Field(None, min_length=1, description="For api http: where the service is; a template")
    method: str | None = Field(None, description="For api http: GET, POST (the default), PUT or PATCH")
    headers: Mapping[str, str] | None = Field(
        None, description="For api http: headers; ${NAME} is a variable of the environment"
    )
    body: JSON = Field(None, description="For api http: what is sent; templates")
    output: str | None = Field(None, description="For api http: JSONPath of the answer's text")
    thread: str | None = Field(None, description="For api http: JSONPath of the conversation's id, for later turns")
    tool_calls: str | None = Field(None, description="For api http: JSONPath of the tool calls")
    usage: str | None = Field(None, description="For api http: JSONPath of the token counts")
    sse: JSON = Field(None, description="For api http: true, or {event: .., delta: JSONPath}, where the answer streams")
    outputs: str | None = Field(
        None,
        min_length=1,
        description="File of answers that exist already (JSONL or CSV); they are scored, not asked for",
    )


class VariantFields(AssistantFields):
    """One thing under comparison."""

    name: Name | None = Field(None, description="Name, in a list of variants; default: the prompt reference")
    report_only: Flag = Field(default=False, description="Reported, never decides")
    vars: Mapping[str, JSON] = Field(default_factory=dict, description="Variables of the prompt")


class TurnFields(_Strict):
    """One turn of a conversation."""

    input: Said = Field(description="What the user says: a text, or a list of messages")
    expect: JSON = Field(None, description="Checks of this turn's answer")
    instructions: str | None = Field(None, description="Instructions for this turn alone, instead of the prompt's")
    save: Mapping[str, str] = Field(
        default_factory=dict, description="Values for later turns and checks: name to JSONPath over this turn's record"
    )
    files: Files = Field((), description="Files that go with what the user says")
    images: Files = Field((), description="Images that go with what the user says")
    thread: str | None = Field(None, description="A thread, conversation or response of the service to go on with")


class CaseFields(_Strict):
    """One test."""

    id: Name | None = Field(None, description="Stable id; pairs the case with itself across edits")
    tags: Tags = Field((), description="Tags: slices in reports, markers in pytest")
    cluster: Label | None = Field(
        None,
        description="Cases of the same label belong together (one document, one template, one customer) and count as "
        "one observation in intervals",
    )
    metadata: Mapping[str, JSON] = Field(default_factory=dict, description="Facts about the case")
    vars: Mapping[str, JSON] = Field(default_factory=dict, description="Variables of prompt and templates")
    input: MaybeSaid = Field(None, description="What the user says: a text, or a list of messages")
    turns: tuple[TurnFields, ...] = Field((), description="Several turns, instead of input")
    history: tuple[Annotated[Mapping[str, str], AfterValidator(_one_message)], ...] = Field(
        (), description="What was said before: [{user: ..}, {assistant: ..}]"
    )
    files: Files = Field((), description="Files that go with the input")
    images: Files = Field((), description="Images that go with the input")
    thread: str | None = Field(None, description="A thread, conversation or response of the service to go on with")
    mocks: JSON = Field(
        None,
        description="Results of tools: {TOOL: result}, or a list of them, one for each call; the last one answers all "
        "further calls",
    )
    expected: JSON = Field(None, description="The right answer, as {{ expected }} in checks")
    expect: JSON = Field(None, description="Checks of the last answer")
    required: Flag = Field(default=False, description="Always decides, whatever the gates")
    must_pass: Share = Field(None, description="How many repeats must pass: a number, or a share such as 2/3")
    pass_score: Number | None = Field(
        None, ge=0, le=1, description="Pass by the mean of the checks instead of by all of them"
    )


class DatasetFields(_Strict):
    """Cases from a file, among the cases of a suite."""

    file: str = Field(min_length=1, description="CSV, JSONL or YAML file beside the suite")
    map: Mapping[str, str] = Field(default_factory=dict, description="Standard column to the name it has in the file")
    limit: Whole | None = Field(None, ge=1, description="At most so many rows")
    tags: Tags = Field((), description="Tags of every row")
    expect: JSON = Field(None, description="Checks of every row")


class SuiteFields(AssistantFields):
    """A suite file."""

    suite: Name = Field(description="Name of the suite")
    description: str | None = Field(None, description="What it is about")
    assistant: AssistantFields | None = Field(
        None, description="Settings for all variants; may also stand at top level"
    )
    assistants: JSON = Field(
        None, description="Further assistants by name, for tools: {analyst: {model: .., system: ..}}"
    )
    variants: JSON = Field(
        None, description="What is compared: a list of prompt references or variants, or a mapping by name"
    )
    matrix: JSON = Field(
        None,
        description="Further variants, one for each combination of values: {prompt: [faq@1, faq@2], temperature: [0, 1]}; "
        "a mapping instead of a list names its values",
    )
    baseline: str | None = Field(None, description="The variant to compare with; default: the first")
    gate_baseline: Flag = Field(default=False, description="Let the baseline decide too")
    repeats: Whole = Field(1, ge=1, le=MOST_REPEATS, description="Trials of each case and variant")
    gates: Gates = Field(Gates(), description="Thresholds on the whole suite")
    margin: Number | None = Field(
        None, gt=0, lt=1, description="Smallest difference in accuracy that matters; default 0.05"
    )
    budget: Money | None = Field(
        None, description="US dollars that this suite may spend on live requests in one run, judges included"
    )
    vars: Mapping[str, JSON] = Field(default_factory=dict, description="Variables for every case")
    expect: JSON = Field(None, description="Checks for every case")
    cases: JSON = Field(description="A list of cases and datasets, or the path of one dataset")
