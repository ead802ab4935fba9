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
from itertools import repeat

from harness.errors import ConfigError, Problem, SourceLocation, did_you_mean
from harness.prompts import frontmatter
from harness.prompts.chatblocks import ChatBlocks
from harness.prompts.files import PromptFiles, order
from harness.prompts.frontmatter import FrontMatter
from harness.prompts.shape import PromptLoader, Shape, examine
from harness.records import JSON, Message
from harness.templates.engine import Output, Templates

_REFERENCE = re.compile(r"(?P<name>[^@\s]+?)(?:@(?P<version>(?!git:)[^@\s]+))?(?:@git:(?P<git>\S+))?\Z")
#: The reference of instructions that are written in the suite; a prompt's own always has a version.
INLINE = "inline"

_FORMS = "Write faq, faq@2, faq@git:main or faq@2@git:main."


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What a prompt came to: the messages before the first answer."""

    messages: tuple[Message, ...]
    #: `faq@2`, or `faq@2@git:main`; `inline` for instructions written in the suite, None where there are none.
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
    #: The commit that the git ref named, as a full hash.
    commit: str | None = None
    #: Where each declared variable stands.
    places: Mapping[str, SourceLocation] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """Name and version, and the git ref it was asked for with."""
        base = f"{self.name}@{self.version}"
        return base if self.git is None else f"{base}@git:{self.git}"

    @property
    def file(self) -> str:
        """Its path below the prompts folder."""
        return f"{self.name}/{self.version}.j2"

    def defaults(self, model: str | None) -> dict[str, JSON]:
        """Return the settings it was tuned with, those for `model` included."""
        return self.front.settings(model)

    def values(self, given: Mapping[str, JSON], *, where: SourceLocation | None) -> dict[str, JSON]:
        """Return the variables with defaults filled in and texts read as the declared types.

        Args:
            given: Values by name; names that are not declared are passed on.
            where: The place that gives them, for messages.

        Raises:
            ConfigError: One is missing, or of the wrong type, or not among those allowed.
        """
        problems: list[Problem] = []
        values = dict(given)
        for name, variable in self.front.variables.items():
            place = self.places.get(name, self.shown)
            if name not in values and variable.needed:
                hint = "Set it under `vars:`, or give it a default."
                near = did_you_mean(name, sorted(set(given) - set(self.front.variables)))
                message = f"prompt {self.ref} needs `{name}` ({place})."
                problems.append(Problem(message=message, location=where, hint=near or hint))
                continue
            try:
                values[name] = variable.read(values.get(name, variable.default))
            except ValueError as error:
                shown = json.dumps(values.get(name), ensure_ascii=False, default=str)
                message = f"`{name}` of prompt {self.ref} should be {error}, not {shown[:80]} ({place})."
                problems.append(Problem(message=message, location=where))
        if problems:
            raise ConfigError(problems)
        return values


class PromptLibrary:
    """The prompts of a project. What was read once is kept."""

    def __init__(self, files: PromptFiles) -> None:
        """
        Args:
            files: Where they are.
        """
        self._files = files
        self._prompts: dict[str, Prompt] = {}
        self._templates: dict[str | None, Templates] = {}
        self._shapes: dict[str, Shape] = {}
        self._inline = Templates(loader=PromptLoader(files, None))

    def names(self) -> list[str]:
        """All prompts in the working tree, sorted."""
        return sorted({name for name, _ in self._files.versions(None)})

    def versions(self, name: str, git: str | None = None) -> list[str]:
        """All versions of a prompt, the oldest first.

        Raises:
            ConfigError: `git` names no commit, or this is no repository.
        """
        return sorted((version for found, version in self._files.versions(git) if found == name), key=order)

    def get(self, ref: str, *, where: SourceLocation | None = None) -> Prompt:
        """Return the prompt that a reference names: `faq`, `faq@2`, `faq@latest`, `faq@git:main`, `faq@2@git:main`.

        Args:
            ref: The reference.
            where: The place that names it, for messages.

        Raises:
            ConfigError: There is none, or its front matter is wrong.
        """
        if ref not in self._prompts:
            self._prompts[ref] = self._find(ref, where)
        return self._prompts[ref]

    def source(self, prompt: Prompt) -> str:
        """Return the whole text of a prompt's file, front matter included.

        Raises:
            ConfigError: It cannot be read.
        """
        return self._files.read(prompt.file, prompt.git) or ""

    def check_all(self) -> list[Problem]:
        """Check every version of every prompt in the working tree; return what is wrong with them, each thing once."""
        found: dict[Problem, None] = {}
        for name in self.names():
            for version in self.versions(name):
                try:
                    self.check(
                        f"{name}@{version}", where=SourceLocation(self._files.path(f"{name}/{version}.j2", None))
                    )
                except ConfigError as error:
                    found.update(dict.fromkeys(error.problems))
        return list(found)

    def check(self, ref: str, *, where: SourceLocation) -> None:
        """Read a prompt and compile its template with all that it includes.

        Raises:
            ConfigError: It is not there, or wrong.
        """
        self._shape(self.get(ref, where=where))

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
            variables: Everything the template may name. `expected` is kept from it, unless it is under `vars` too.
            assistant: What `self_` is.
            where: The place in the suite, for messages.

        Raises:
            ConfigError: A variable is missing or the template fails.
        """
        said = tuple(Message(role="user", content=text) for text in input)
        own = variables.get("vars")
        # A prompt that holds the answer measures nothing.
        secret = {"expected"} - set(own if isinstance(own, Mapping) else ())
        names = {name: value for name, value in variables.items() if name not in secret}
        names |= {"input": "\n\n".join(input), "self_": dict(assistant)}
        if ref is None:
            text = self._inline.render_stripped(system or "", names, where=where)
            return _rendered((*_system(text), *history, *said), None if system is None else INLINE)
        prompt = self.get(ref, where=where)
        shape = self._shape(prompt)
        values = prompt.values(names, where=where)
        output = self._run(prompt, values, where)
        if not output.messages:
            return _rendered((*_system(output.stripped), *history, *said), prompt.ref)
        if output.first_text is not None:
            raise ConfigError(self._outside(prompt, output))
        messages = output.messages
        if not shape.uses_input and messages[-1].role != "user":
            return _rendered((*messages, *history, *said), prompt.ref)
        if len(input) > 1:
            each = [self._run(prompt, {**values, "input": text}, where).messages for text in input]
            messages = _one_after_another(each) or messages
        return _rendered(_with_history(messages, history), prompt.ref)

    def _find(self, ref: str, where: SourceLocation | None) -> Prompt:
        match = _REFERENCE.match(ref)
        if match is None:
            raise ConfigError(Problem(message=f"'{ref}' is no prompt reference.", location=where, hint=_FORMS))
        name, git = match["name"], match["git"]
        version: str | None = match["version"]
        try:
            versions = self.versions(name, git)
            misnamed = self._files.misnamed(name, git)
        except ConfigError as error:
            # Git knows nothing of suites: the place is known here.
            raise ConfigError([_at(problem, where) for problem in error.problems]) from None
        if misnamed:
            raise ConfigError(misnamed)
        tree = f" in git:{git}" if git else ""
        if not versions:
            known = sorted({found for found, _ in self._files.versions(git)})
            hint = did_you_mean(name, known) or f"There are: {', '.join(known) or 'none'}."
            message = f"no prompt '{name}' in {self._files.shown}/{tree}."
            raise ConfigError(Problem(message=message, location=where, hint=hint))
        if version is None or version == "latest":
            version = versions[-1]
        elif version not in versions:
            hint = f"There are: {', '.join(versions)}."
            message = f"prompt '{name}' has no version {version}{tree}."
            raise ConfigError(Problem(message=message, location=where, hint=hint))
        return self._read(name, version, git, versions)

    def _run(self, prompt: Prompt, values: Mapping[str, JSON], where: SourceLocation) -> Output:
        templates = self._tree(prompt.git)
        try:
            with templates.blaming(where=SourceLocation(prompt.shown), known=values):
                return templates.run(templates.environment.get_template(prompt.file), values)
        except ConfigError as error:
            used = f"(Rendered for {where}.)"
            hints = (f"{problem.hint} {used}" if problem.hint else used for problem in error.problems)
            raise ConfigError(map(_at, error.problems, repeat(None), hints)) from None

    def _outside(self, prompt: Prompt, output: Output) -> Problem:
        file, line = output.first_text or (prompt.shown, 1)
        shown = " ".join(output.text.split())[:40]
        message = f"'{shown}' stands outside the chat blocks."
        return Problem(message=message, location=SourceLocation(file, line), hint="Put it into one, or use none.")

    def _shape(self, prompt: Prompt) -> Shape:
        if prompt.ref not in self._shapes:
            self._shapes[prompt.ref] = examine(
                self._tree(prompt.git), PromptLoader(self._files, prompt.git), prompt.file
            )
        return self._shapes[prompt.ref]

    def _tree(self, git: str | None) -> Templates:
        if git not in self._templates:
            self._templates[git] = Templates(loader=PromptLoader(self._files, git), extensions=[ChatBlocks])
        return self._templates[git]

    def _read(self, name: str, version: str, git: str | None, versions: Sequence[str]) -> Prompt:
        file = f"{name}/{version}.j2"
        shown = self._files.path(file, git)
        text = self._files.read(file, git)
        if text is None:
            raise ConfigError(Problem(message="this cannot be read.", location=SourceLocation(shown)))
        front, document = frontmatter.read(text, shown=shown)
        lower = [one for one in versions if order(one) < order(version)]
        parent = str(front.parent) if front.parent is not None else (lower[-1] if lower else None)
        if parent == version:
            raise ConfigError(document.problem(("parent",), "a version cannot be its own parent."))
        if parent is not None and parent not in versions:
            hint = f"There are: {', '.join(one for one in versions if one != version) or 'no others'}."
            raise ConfigError(document.problem(("parent",), f"prompt '{name}' has no version {parent}.", hint=hint))
        return Prompt(
            name=name,
            version=version,
            shown=shown,
            front=front,
            parent=parent,
            git=git,
            commit=self._files.commit(git) if git else None,
            places={variable: document.where(("variables", variable), key=True) for variable in front.variables},
        )


def _system(text: str) -> tuple[Message, ...]:
    return (Message(role="system", content=text),) if text else ()


def _one_after_another(each: Sequence[Sequence[Message]]) -> tuple[Message, ...] | None:
    """Say several texts one after another, where only the prompt's last message, the user's, depends on them."""
    first = each[0][:-1]
    if any(not messages or messages[-1].role != "user" or messages[:-1] != first for messages in each):
        return None
    return (*first, *dict.fromkeys(messages[-1] for messages in each))


def _with_history(messages: Sequence[Message], history: Sequence[Message]) -> tuple[Message, ...]:
    """Put what was said before in front of the last thing that the user says."""
    split = len(messages)
    while split and messages[split - 1].role != "user":
        split -= 1
    while split and messages[split - 1].role == "user":
        split -= 1
    if not any(message.role == "user" for message in messages):
        split = len(messages)
    return (*messages[:split], *history, *messages[split:])


def _rendered(messages: tuple[Message, ...], ref: str | None) -> Rendered:
    plain = [{"role": one.role, "content": one.content, **({"name": one.name} if one.name else {})} for one in messages]
    text = json.dumps(plain, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return Rendered(messages=messages, ref=ref, hash=hashlib.sha256(text.encode("ascii")).hexdigest())


def _at(problem: Problem, where: SourceLocation | None, hint: str | None = None) -> Problem:
    return Problem(
        message=problem.message, location=problem.location or where, hint=hint or problem.hint, source=problem.source
    )
