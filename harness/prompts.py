"""Versioned prompts: files of Jinja with front matter, by name, version and git ref.

`prompts/<name>/<version>.j2`; a version is an integer or a semantic version, and the highest is the newest. A body
without `{% chat %}` blocks is the system message, after which the user's input follows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ConfigDict, Field

from harness.errors import ConfigError, Problem, SourceLocation, did_you_mean
from harness.located import Document, parse_yaml
from harness.promptfiles import PromptFiles
from harness.records import JSON, Message
from harness.templates import LARGEST, Templates, bounded, template_problem
from harness.validation import validate

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_REFERENCE = re.compile(r"(?P<name>[^@\s]+)(?:@(?P<version>(?!git:)[^@\s]+))?(?:@git:(?P<git>\S+))?\Z")
_ROLES = ("system", "developer", "user", "assistant")
# Chat blocks leave their message in the output between these; no text of a user's can hold them unescaped.
_OPEN, _CLOSE = "\ue0c0", "\ue0c1"

_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (Mapping,),
}


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Variable(_Strict):
    """A declared variable of a prompt."""

    type: Literal["string", "integer", "number", "boolean", "array", "object"] = Field("string", description="JSON type")
    default: JSON = Field(None, description="Value where nobody gives one; without a default the variable is needed")
    enum: tuple[JSON, ...] | None = Field(None, description="The values it may have")
    description: str | None = Field(None, description="What it is for")


class FrontMatter(_Strict):
    """What stands between the --- lines at the top of a prompt."""

    description: str | None = Field(None, description="What is different in this version")
    parent: int | str | None = Field(None, description="The version it was made from; default: the next lower one")
    variables: Mapping[str, Variable] = Field(default_factory=dict, description="What it needs besides the input")
    defaults: Mapping[str, JSON] = Field(
        default_factory=dict, description="Settings it was tuned with; `models:` holds some by model. The suite's win"
    )
    encoding: str | None = Field(None, description="Token encoding for estimates; default from the model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What a prompt came to: the messages before the first answer."""

    messages: tuple[Message, ...]
    #: `faq@2`, or `faq@2@git:main`; None for instructions written in the suite.
    ref: str | None
    #: sha256 of the messages.
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One version of a prompt."""

    name: str
    version: str
    #: How messages name the file.
    shown: str
    front: FrontMatter
    parent: str | None
    git: str | None = None
    #: Where each declared variable stands.
    places: Mapping[str, SourceLocation] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        base = f"{self.name}@{self.version}"
        return base if self.git is None else f"{base}@git:{self.git}"

    def defaults(self, model: str | None) -> dict[str, JSON]:
        """Return the settings it was tuned with, those for `model` included."""
        general = {key: value for key, value in self.front.defaults.items() if key != "models"}
        by_model = self.front.defaults.get("models") or {}
        return {**general, **(by_model.get(model) or {} if model else {})}

    def values(self, given: Mapping[str, JSON], *, where: SourceLocation | None) -> dict[str, JSON]:
        """Return the variables with defaults filled in.

        Raises:
            ConfigError: One is missing, or of the wrong type, or not among those allowed.
        """
        problems: list[Problem] = []
        values = dict(given)
        for name, variable in self.front.variables.items():
            if name not in values:
                if "default" not in variable.model_fields_set:
                    hint = f"Set it under `vars:`, or give it a default in {self.places.get(name, self.shown)}."
                    problems.append(Problem(message=f"prompt {self.ref} needs `{name}`.", location=where, hint=hint))
                    continue
                values[name] = variable.default
            wrong = _wrong(values[name], variable)
            if wrong:
                message = f"`{name}` of prompt {self.ref} should be {wrong}, not {json.dumps(values[name], default=str)}."
                problems.append(Problem(message=message, location=where))
        if problems:
            raise ConfigError(problems)
        return values


class PromptLibrary:
    """The prompts of a project."""

    def __init__(self, files: PromptFiles) -> None:
        self._files = files
        self._prompts: dict[tuple[str, str, str | None], Prompt] = {}
        self._templates: dict[str | None, Templates] = {}
        self._inline = Templates()
        self._bodies: dict[tuple[str, str, str | None], str] = {}

    def names(self) -> list[str]:
        """All prompts in the working tree, sorted."""
        return sorted({name for name, _ in self._files.list(None)})

    def versions(self, name: str, git: str | None = None) -> list[str]:
        """All versions of a prompt, the oldest first."""
        return sorted((version for found, version in self._files.list(git) if found == name), key=_order)

    def get(self, ref: str, *, where: SourceLocation | None = None) -> Prompt:
        """Return the prompt that a reference names: `faq`, `faq@2`, `faq@latest`, `faq@git:main`, `faq@2@git:main`.

        Raises:
            ConfigError: There is none, or its front matter is wrong.
        """
        match = _REFERENCE.match(ref)
        if match is None:
            hint = "Write faq, faq@2, faq@git:main or faq@2@git:main."
            raise ConfigError(Problem(message=f"'{ref}' is no prompt reference.", location=where, hint=hint))
        name, version, git = match["name"], match["version"], match["git"]
        try:
            versions = self.versions(name, git)
        except LookupError as error:
            raise ConfigError(Problem(message=str(error), location=where)) from None
        tree = f" in {git}" if git else ""
        if not versions:
            known = sorted({found for found, _ in self._files.list(git)})
            hint = did_you_mean(name, known) or f"There are: {', '.join(known) or 'none'}."
            message = f"no prompt '{name}' in {self._files.shown}/{tree}."
            raise ConfigError(Problem(message=message, location=where, hint=hint))
        if version in (None, "latest"):
            version = versions[-1]
        elif version not in versions:
            hint = f"There are: {', '.join(versions)}."
            message = f"prompt '{name}' has no version {version}{tree}."
            raise ConfigError(Problem(message=message, location=where, hint=hint))
        key = (name, version, git)
        if key not in self._prompts:
            self._prompts[key] = self._read(name, version, git, versions)
        return self._prompts[key]

    def opening(
        self,
        ref: str | None,
        *,
        system: str | None,
        input: Sequence[str],
        history: Sequence[Message],
        variables: Mapping[str, JSON],
        assistant: Mapping[str, JSON],
        where: SourceLocation,
    ) -> Rendered:
        """Render what is said before the first answer.

        Args:
            ref: The prompt; None: `system` instead.
            system: Instructions written in the suite (a template); None: there are none.
            input: What the user says first, one text or several.
            history: What was said before; it comes between the prompt's own messages and the input.
            variables: Everything the template may name.
            assistant: What `self_` is.
            where: The place in the suite, for messages.

        Raises:
            ConfigError: A variable is missing or the template fails.
        """
        said = tuple(Message(role="user", content=text) for text in input)
        names = {**variables, "input": input[0] if len(input) == 1 else list(input), "self_": dict(assistant)}
        if ref is None:
            text = self._inline.render(system, names, where=where) if system else ""
            first = (Message(role="system", content=text),) if text else ()
            return _rendered((*first, *history, *said), None)
        prompt = self.get(ref, where=where)
        blocks, text = self._render(prompt, prompt.values(names, where=where), where)
        if not blocks:
            first = (Message(role="system", content=text),) if text else ()
            return _rendered((*first, *history, *said), prompt.ref)
        # The prompt's own last user message is where the input stands, so history goes before it.
        split = len(blocks) - 1 if blocks[-1].role == "user" else len(blocks)
        tail = blocks[split:] if split < len(blocks) else said
        return _rendered((*blocks[:split], *history, *tail), prompt.ref)

    def check(self, ref: str, *, where: SourceLocation) -> None:
        """Read a prompt and compile its template.

        Raises:
            ConfigError: It is not there, or wrong.
        """
        self._template(self.get(ref, where=where))

    def _render(
        self, prompt: Prompt, values: Mapping[str, JSON], where: SourceLocation
    ) -> tuple[tuple[Message, ...], str]:
        template, start = self._template(prompt)
        environment = self._tree(prompt.git).environment
        place = SourceLocation(prompt.shown, start, 1)
        try:
            text = bounded(environment, template, values)
        except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            problem = template_problem(error, where=_line_of(error, place), known=values, first_line=start)
            used = Problem(message=f"{problem.message} (prompt {prompt.ref}, used at {where})", location=problem.location,
                           hint=problem.hint)
            raise ConfigError(used) from None
        return _blocks(text, prompt, start)

    def _template(self, prompt: Prompt) -> tuple[jinja2.Template, int]:
        key = (prompt.name, prompt.version, prompt.git)
        start = self._bodies[key].count("\n", 0, _body_start(self._bodies[key])) + 1
        try:
            return self._tree(prompt.git).environment.get_template(f"{prompt.name}/{prompt.version}.j2"), start
        except jinja2.TemplateSyntaxError as error:
            at = SourceLocation(error.filename or prompt.shown, error.lineno, 1)
            problem = Problem(message=f"the template cannot be read: {(error.message or '').rstrip('.')}.", location=at)
            raise ConfigError(problem) from None
        except jinja2.TemplateNotFound as error:
            at = SourceLocation(prompt.shown, start, 1)
            raise ConfigError(Problem(message=f"'{error.name}' is not in {self._files.shown}/.", location=at)) from None

    def _tree(self, git: str | None) -> Templates:
        if git not in self._templates:
            self._templates[git] = Templates(loader=_Loader(self._files, git), extensions=[_Chat])
        return self._templates[git]

    def _read(self, name: str, version: str, git: str | None, versions: Sequence[str]) -> Prompt:
        shown = self._files.path(name, version, git)
        text = self._files.read(f"{name}/{version}.j2", git)
        if text is None:
            raise ConfigError(Problem(message=f"{shown} cannot be read as UTF-8 text inside the project"))
        self._bodies[name, version, git] = text
        front, document = _front_matter(text, shown)
        lower = [one for one in versions if _order(one) < _order(version)]
        parent = str(front.parent) if front.parent is not None else (lower[-1] if lower else None)
        if parent is not None and parent not in versions:
            raise ConfigError(document.problem(("parent",), f"'{name}' has no version {parent}."))
        places = {variable: document.where(("variables", variable), key=True) for variable in front.variables}
        _check_defaults(front, document)
        return Prompt(name=name, version=version, shown=shown, front=front, parent=parent, git=git, places=places)


class Files(Protocol):
    """Where prompt files are read."""

    def read(self, name: str, git: str | None) -> str | None: ...


class _Loader(jinja2.BaseLoader):
    """Finds templates under prompts/, without their front matter, at their own line numbers."""

    def __init__(self, files: PromptFiles, git: str | None) -> None:
        self._files = files
        self._git = git

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, Any]:
        text = self._files.read(template, self._git)
        if text is None:
            raise jinja2.TemplateNotFound(template)
        start = _body_start(text)
        # Jinja counts lines from the top of the file; an empty comment stands for the front matter.
        skipped = text.count("\n", 0, start)
        padding = "{#" + "\n" * skipped + "#}" if skipped else ""
        return padding + text[start:], f"{self._files.shown}/{template}", lambda: True


class _Chat(Extension):
    """`{% chat role="user" %} ... {% endchat %}`: one message."""

    tags = {"chat"}

    def parse(self, parser: Any) -> nodes.Node:
        line = next(parser.stream).lineno
        if not (parser.stream.current.test("name:role") and parser.stream.look().test("assign")):
            parser.fail('write {% chat role="system" %}', line)
        parser.stream.skip(2)
        role = parser.parse_expression()
        body = parser.parse_statements(("name:endchat",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_message", [role]), [], [], body).set_lineno(line)

    def _message(self, role: str, caller: Any) -> str:
        if role not in _ROLES:
            raise jinja2.TemplateRuntimeError(f"a chat block's role is {', '.join(_ROLES[:-1])} or {_ROLES[-1]}, not '{role}'")
        content = str(caller()).replace(_OPEN, "").replace(_CLOSE, "").strip()
        return f"{_OPEN}{json.dumps([role, content])}{_CLOSE}"


def _blocks(text: str, prompt: Prompt, start: int) -> tuple[tuple[Message, ...], str]:
    if _OPEN not in text:
        return (), text.strip()
    messages: list[Message] = []
    for part in text.split(_CLOSE):
        before, opened, block = part.partition(_OPEN)
        if before.strip():
            shown = " ".join(before.split())[:40]
            message = f"'{shown}' stands outside the chat blocks."
            location = SourceLocation(prompt.shown, start, 1)
            raise ConfigError(Problem(message=message, location=location, hint="Put it into one, or use none."))
        if opened:
            role, content = json.loads(block)
            messages.append(Message(role=role, content=content))
    return tuple(messages), ""


def _rendered(messages: tuple[Message, ...], ref: str | None) -> Rendered:
    text = json.dumps([[one.role, one.content] for one in messages], ensure_ascii=True, separators=(",", ":"))
    if len(text) > 6 * LARGEST:
        raise ConfigError(Problem(message=f"the messages are longer than {LARGEST:,} characters"))
    return Rendered(messages=messages, ref=ref, hash=hashlib.sha256(text.encode()).hexdigest())


def _front_matter(text: str, shown: str) -> tuple[FrontMatter, Document]:
    match = _FRONT.match(text)
    document = parse_yaml(match[1] if match else "", shown=shown, first_line=2 if match else 1)
    if document.value is None:
        document.value = {}
    front = validate(document, FrontMatter) if not document.problems else None
    if front is None or document.problems:
        raise ConfigError(document.problems)
    return front, document


def _check_defaults(front: FrontMatter, document: Document) -> None:
    for name, variable in front.variables.items():
        if "default" in variable.model_fields_set:
            wrong = _wrong(variable.default, variable)
            if wrong:
                shown = json.dumps(variable.default, default=str)
                document.complain(("variables", name, "default"), f"the default of `{name}` should be {wrong}, not {shown}.")
    if document.problems:
        raise ConfigError(document.problems)


def _wrong(value: JSON, variable: Variable) -> str | None:
    """Say what a value should be instead; None where it is right."""
    kinds = _KINDS[variable.type]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        return f"of type {variable.type}"
    if variable.enum is not None and value not in variable.enum:
        return "one of " + ", ".join(json.dumps(one) for one in variable.enum)
    return None


def _body_start(text: str) -> int:
    match = _FRONT.match(text)
    return match.end() if match else 0


def _line_of(error: Exception, default: SourceLocation) -> SourceLocation:
    """Find the line of a template at which rendering failed: Jinja rewrites tracebacks to template lines."""
    found = default
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.endswith(".j2"):
            found = SourceLocation(name, trace.tb_lineno, 1)
        trace = trace.tb_next
    return found


def _order(version: str) -> tuple[int, Version, str]:
    try:
        return (1, Version(version), version)
    except InvalidVersion:
        return (0, Version("0"), version)
