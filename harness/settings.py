"""A project's settings: [tool.harness] in pyproject.toml, then HARNESS_* variables, then flags; the last one wins."""

from __future__ import annotations

import os
import random
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
)

from harness.amounts import Duration, Host, Limit, Money, Rate
from harness.errors import (
    ConfigError,
    Problem,
    SourceLocation,
    UsageError,
    did_you_mean,
)
from harness.expressions import expression, json_path, secret_expression
from harness.modes import MODES, RecordMode
from harness.patterns import Pattern
from harness.records import JSON

if TYPE_CHECKING:
    from harness.jsonpath import JSONPath

_HEADER = re.compile(r"^\s*\[\s*tool\s*\.\s*harness\b", re.MULTILINE)
_FOLDERS = ("suites", "prompts", "cassettes", "reports")
#: Settings that HARNESS_* variables can set, beside the folders.
_VARIABLES = (
    "record_mode",
    "strict",
    "cassette_max_age",
    "concurrency",
    "timeout",
    "attempt_timeout",
    "run_timeout",
    "rpm",
    "tpm",
    "budget",
    "otel",
)
#: Values of CI that mean that it is not one.
_OFF = frozenset({"", "0", "false", "no", "off"})


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Strict):
    """What a model costs, where the price table does not know it or a project pays something else."""

    input: Money = Field(description="US dollars per million input tokens")
    output: Money = Field(description="US dollars per million output tokens")
    cached_input: Money | None = Field(
        None, description="US dollars per million cached input tokens; default: as input"
    )
    context: int | None = Field(None, ge=1, description="Tokens that fit into the model's context window; for budgets")
    note: str | None = Field(None, description="Printed beside every cost that comes from this price")


class Retry(_Strict):
    """When a failed request is sent again."""

    #: A flag or variable said how many attempts there are.
    _asked: bool = PrivateAttr(default=False)

    attempts: int = Field(3, ge=1, le=20, description="Attempts of one call, the first included")
    backoff: Duration = Field(0.5, description="First wait")
    factor: float = Field(2.0, ge=1, description="Each wait is so many times the one before")
    jitter: float = Field(0.2, ge=0, le=1, description="Share of a wait that chance may take off")
    longest: Duration = Field(8.0, description="Longest wait that was not asked for by the service")
    budget: Duration = Field(60.0, description="Longest time that all waits of one call may take together")
    broken: bool = Field(
        True,
        description="Send again after a connection broke or fell silent; the attempt that broke may have been paid",
    )
    breaker: int = Field(
        6, ge=1, le=10, description="Failures in a row, of whole calls, after which a service is left alone"
    )

    def under(self, own: Retry | None) -> Retry:
        """Return these settings with what a suite sets itself on top; the number of attempts of a flag stays."""
        if own is None:
            return self
        told = own.model_dump(exclude_unset=True, exclude={"attempts"} if self._asked else None)
        return self.model_copy(update=told)

    def pause(self, number: int) -> float:
        """Return the wait after the `number`-th failure, seconds; chance shortens it."""
        try:
            wait = min(self.backoff * self.factor ** (number - 1), self.longest)
        except OverflowError:
            wait = self.longest
        return wait * (1 - self.jitter * random.random())


NormalName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]


class Redact(_Strict):
    """What is kept out of recordings and reports beside keys, which always are."""

    patterns: tuple[Annotated[str, AfterValidator(secret_expression)], ...] = Field(
        (), description="Regular expressions (RE2); what matches is replaced in every text that is kept or shown"
    )
    fields: tuple[Annotated[str, AfterValidator(json_path)], ...] = Field(
        (), description="JSON paths (RFC 9535) into bodies of requests and answers; what they select is not recorded"
    )

    def compiled(self) -> tuple[tuple[Pattern, ...], tuple[JSONPath, ...]]:
        """Return patterns and paths, ready for use."""
        if not self.fields:
            return tuple(map(Pattern, self.patterns)), ()
        from harness.jsonpath import JSONPath

        return tuple(map(Pattern, self.patterns)), tuple(map(JSONPath, self.fields))


class Settings(_Strict):
    """Everything that can be set for a project."""

    root: Path = Field(description="The project's folder; nothing outside is read or written")
    suites: Path = Field(Path("suites"), description="Folder of suites")
    prompts: Path = Field(Path("prompts"), description="Folder of prompts")
    cassettes: Path = Field(Path("cassettes"), description="Folder of recordings")
    reports: Path = Field(Path("reports"), description="Folder of runs and reports")
    record_mode: RecordMode = Field("none", description=f"{', '.join(list(MODES)[:-1])} or {list(MODES)[-1]}")
    strict: bool = Field(False, description="A recorded request that a trial does not make is an error")
    cassette_max_age: Duration = Field(90 * 86400.0, description="Recordings older than this are pointed out")
    concurrency: int | None = Field(None, ge=1, description="Trials at the same time; default 16 live, 64 on replay")
    timeout: Duration = Field(120.0, description="Longest time that a trial may take")
    attempt_timeout: Limit | None = Field(
        None, description="Longest time that one attempt at a request may take; default: as long as the trial"
    )
    run_timeout: Limit | None = Field(None, description="Longest time that a run may take; default: any")
    rpm: Rate | None = Field(None, description="Most requests a minute to one service; default: any")
    tpm: Rate | None = Field(None, description="Most tokens a minute to one service, answers included; default: any")
    retry: Retry = Field(Retry(), description="When a failed request is sent again")
    budget: Money | None = Field(
        None, description="US dollars that a run may spend on live requests; a request that may cost more is not sent"
    )
    prices: Mapping[str, Price] = Field(
        default_factory=dict, description="Prices by model name, before the price table"
    )
    trusted_hosts: tuple[Host, ...] = Field(
        (), description="Hosts that may get your OPENAI_API_KEY where a suite names them, and keys over http://"
    )
    normalise: Mapping[NormalName, Annotated[str, AfterValidator(expression)]] = Field(
        default_factory=dict,
        description="Regular expressions (RE2) by name, for what in a request is new with every run, such as ids and times",
    )
    redact: Redact = Field(Redact(), description="What is kept out of recordings and reports beside keys")
    otel: bool = Field(False, description="Make OpenTelemetry spans of runs; your OpenTelemetry SDK says where they go")

    #: What the user should hear of how these settings came about.
    _notes: tuple[str, ...] = PrivateAttr(())

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should hear of how these settings came about; one line each."""
        return self._notes

    def shown(self) -> dict[str, JSON]:
        """Return the settings as plain data; paths relative to the root, the root itself left out."""
        plain = self.model_dump(mode="json", exclude={"root"})
        for name in _FOLDERS:
            plain[name] = os.path.relpath(plain[name], self.root)
        return plain


def find_root(start: Path | None = None) -> Path:
    """Return the project's folder: the nearest at or above `start` whose pyproject.toml has [tool.harness].

    Where there is none: the working folder if `start` lies inside it, else `start`'s own folder.

    Args:
        start: A folder, or a file in one; default: the working folder.

    Raises:
        UsageError: The working folder was removed, and is needed.
    """
    here = _working_folder()
    place = start if here is None else here / (start or "")
    if place is None or not place.is_absolute():
        raise UsageError("the working folder is gone: change to one that exists, or name a suite by its whole path")
    folder = place if place.is_dir() else place.parent
    for candidate in (folder, *folder.parents):
        if _announces(candidate / "pyproject.toml"):
            return candidate
    return here if here is not None and folder.is_relative_to(here) else folder


def _working_folder() -> Path | None:
    """Return the working folder; None: somebody has removed it."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def _announces(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    if "harness" not in text:
        return False
    try:
        tool = tomllib.loads(text).get("tool")
    except tomllib.TOMLDecodeError:
        # A broken file of this project is to be reported, not passed by.
        return _HEADER.search(text) is not None
    return isinstance(tool, dict) and "harness" in tool


def load_settings(
    start: Path | None = None, *, environ: Mapping[str, str] | None = None, root: Path | None = None, **flags: Any
) -> Settings:
    """Return the settings of the project around `start` (default: the working folder).

    Args:
        start: A folder, or a file in one.
        environ: Where HARNESS_* variables are looked up; unknown ones are ignored.
        root: The project's folder, whether its pyproject.toml says so or not; None: it is looked for.
        flags: Settings that win over everything; None means not given. `attempts` is retry.attempts, and
            `usual_record_mode` wins over pyproject.toml only.

    Raises:
        ConfigError: pyproject.toml is wrong, with every problem found.
        UsageError: A variable or flag is wrong.
    """
    root = root or find_root(start)
    table = _pyproject(root / "pyproject.toml")
    environ = os.environ if environ is None else environ
    usual = flags.pop("usual_record_mode", None)
    if usual is not None:
        table["record_mode"] = _checked("record_mode", usual, "harness_record_mode")
    asked = flags.get("record_mode") or environ.get("HARNESS_RECORD_MODE")
    notes = () if asked else _replay_on_ci(table, environ)
    for name in (*_VARIABLES, *_FOLDERS):
        value = environ.get(f"HARNESS_{name.upper()}")
        if value:
            table[name] = _checked(name, value, f"HARNESS_{name.upper()}")
    attempts = flags.pop("attempts", None)
    if attempts is None and environ.get("HARNESS_RETRIES"):
        attempts = _whole(environ["HARNESS_RETRIES"], "HARNESS_RETRIES") + 1
    if attempts is not None:
        table["retry"] = _checked("retry", {**table.get("retry", {}), "attempts": attempts}, "--retries")
    for name, value in flags.items():
        if value is not None:
            table[name] = _checked(name, value, f"--{name.replace('_', '-')}")
    for name in _FOLDERS:
        table[name] = root / table.get(name, name)
    found = Settings.model_validate({**table, "root": root})
    found.retry._asked = attempts is not None
    found._notes = notes
    return found


def _replay_on_ci(table: dict[str, Any], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Set the mode of a CI job, which nobody asked to spend anything, to `none`; return what to say of that."""
    mode = table.get("record_mode", "none")
    if mode == "none" or environ.get("CI", "").lower() in _OFF:
        return ()
    table["record_mode"] = "none"
    return (f"CI is set, so recordings are only replayed; --record-mode {mode} or HARNESS_RECORD_MODE asks for more",)


def _pyproject(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(Problem(message=f"cannot read {path}: {error}")) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            Problem(message=f"not readable as TOML: {error}", location=SourceLocation(path.name))
        ) from None
    tool = data.get("tool", {})
    table = tool.get("harness", {}) if isinstance(tool, dict) else tool
    if not isinstance(table, dict):
        line, source = _find(text, ["harness"])
        location = SourceLocation(path.name, line)
        raise ConfigError(Problem(message="tool.harness is a table: [tool.harness].", location=location, source=source))
    wrong: list[Any] = [{"type": "extra_forbidden", "loc": ("root",)}] if "root" in table else []
    try:
        Settings.model_validate({**table, "root": path.parent})
    except ValidationError as error:
        wrong += error.errors(include_url=False)
    else:
        for name in _FOLDERS:
            if not (path.parent / table.get(name, name)).resolve().is_relative_to(path.parent.resolve()):
                wrong.append({"type": "", "loc": (name,), "msg": f"'{table[name]}' is outside the project"})
    if wrong:
        raise ConfigError([_problem(text, one) for one in wrong])
    return dict(table)


def _problem(text: str, error: Any) -> Problem:
    loc = [str(step) for step in error["loc"]]
    line, source = _find(text, loc)
    location = SourceLocation("pyproject.toml", line)
    where = ".".join(["tool", "harness", *loc])
    if error["type"] == "extra_forbidden":
        models: dict[str, type[BaseModel]] = {"retry": Retry, "prices": Price, "redact": Redact}
        known = (models.get(loc[0], Settings) if len(loc) > 1 else Settings).model_fields
        hint = did_you_mean(loc[-1], [name for name in known if name != "root"])
        return Problem(message=f"unknown setting '{where}'.", location=location, hint=hint, source=source)
    message = str(error["msg"]).removeprefix("Value error, ")
    return Problem(message=f"{where}: {message[:1].lower() + message[1:]}.", location=location, source=source)


def _find(text: str, loc: list[str]) -> tuple[int, str | None]:
    """Find the line of a key. TOML's reader keeps no places, so the nearest line that names the key is shown."""
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if line.strip().startswith("[tool.harness")), 0)
    for name in reversed(loc):
        for number, line in enumerate(lines[start:], start=start):
            if re.match(rf"\s*\[?[^=]*\b{re.escape(name)}\b", line):
                return number + 1, line
    return start + 1, lines[start] if lines else None


def _checked(name: str, value: Any, source: str) -> Any:
    """Validate one value by itself, so that the message names where it came from."""
    try:
        Settings.model_validate({"root": Path(), name: value})
    except ValidationError as error:
        message = str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ")
        raise UsageError(f"{source}: {message[:1].lower() + message[1:]}") from None
    return value


def _whole(value: str, source: str) -> int:
    try:
        number = int(value)
    except ValueError:
        number = -1
    if number < 0:
        raise UsageError(f"{source}: {value!r} is no whole number")
    return number
