"""Prompts looked at by themselves: what is in one, and what it comes to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import ConfigError, NothingSelected, SourceLocation, UsageError, did_you_mean
from harness.jsontext import JSONTooLarge, NotJSON, parse_json
from harness.project.project import Project, find_suites, load
from harness.prompts import frontmatter
from harness.prompts.library import Prompt
from harness.records import JSON, Message, PromptRef
from harness.suites.suite import Case, Suite, Variant

#: What stands for the user's input where there is no case: values are never rendered again, so it stays as it is.
INPUT = "{{ input }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A prompt rendered: what is said in each turn before the assistant answers."""

    turns: tuple[tuple[Message, ...], ...]
    prompt: PromptRef

    def plain(self) -> dict[str, JSON]:
        """Return it as plain data; turns are counted from 1."""
        return {
            "prompt": self.prompt.ref,
            "hash": self.prompt.hash,
            "messages": [
                {"turn": number, "role": message.role, "content": message.content}
                for number, messages in enumerate(self.turns, start=1)
                for message in messages
            ],
        }


def described(project: Project, ref: str) -> dict[str, JSON]:
    """Return what a prompt is: its file, lineage, variables, settings and body.

    Raises:
        ConfigError: There is no such prompt, or its front matter is wrong.
    """
    prompt = project.prompts.get(ref)
    text = project.prompts.source(prompt)
    front = prompt.front
    return {
        "prompt": prompt.ref,
        "file": prompt.shown,
        "commit": prompt.commit,
        "description": front.description,
        "parent": prompt.parent,
        "versions": project.prompts.versions(prompt.name, prompt.git),
        "variables": {
            name: variable.model_dump(mode="json", exclude_unset=True) | {"type": variable.type}
            for name, variable in front.variables.items()
        },
        "defaults": front.defaults.model_dump(mode="json", exclude_unset=True),
        "body": "\n".join(text.split("\n")[frontmatter.split(text)[1] :]),
    }


def sources(project: Project, a: str, b: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return file name and whole text of two prompts.

    Raises:
        ConfigError: One is not there, or its front matter is wrong.
    """
    first, second = (project.prompts.get(ref) for ref in (a, b))
    return (first.shown, project.prompts.source(first)), (second.shown, project.prompts.source(second))


def rendered(project: Project, ref: str, *, case: str | None = None, given: Sequence[str] = ()) -> Opened:
    """Render a prompt for a case, or for the given variables.

    Args:
        project: The project.
        ref: The prompt.
        case: `SUITE::CASE`, with the suite's name or path; None: `{{ input }}` stands for the input.
        given: `name=value` texts; they win over the case's variables.

    Raises:
        UsageError: There is no such case, a variable is missing, or a text is no `name=value`.
        ConfigError: There is no such prompt, a variable is of the wrong type, or the template fails.
    """
    prompt = project.prompts.get(ref)
    project.prompts.check(ref, where=SourceLocation(prompt.shown))
    values = dict(map(_assignment, given))
    _used(prompt, values, project.prompts.source(prompt))
    if case is not None:
        return _for_case(project, prompt, ref, case, values)
    _complete(prompt, values)
    said = values.pop("input", INPUT)
    opening = project.prompts.opening(
        ref,
        system=None,
        input=[said if isinstance(said, str) else str(said)],
        history=(),
        variables={**values, "vars": values},
        assistant={"name": "assistant", "model": None, "tools": []},
        where=SourceLocation(prompt.shown),
    )
    return Opened(turns=(opening.messages,), prompt=PromptRef(ref=opening.ref, hash=opening.hash))


def _used(prompt: Prompt, values: Mapping[str, JSON], source: str) -> None:
    """Refuse variables that the prompt cannot know of; what it takes from other templates may know more."""
    if re.search(r"{%-?\s*(extends|include|import|from)\b", source):
        return
    for name in values:
        if name not in (*prompt.front.variables, "input") and not re.search(rf"\b{re.escape(name)}\b", source):
            hint = did_you_mean(name, list(prompt.front.variables)) or "It would change nothing."
            raise UsageError(f"--var {name}: {prompt.ref} has no such variable. {hint}")


def _for_case(project: Project, prompt: Prompt, ref: str, case: str, values: Mapping[str, JSON]) -> Opened:
    if "input" in values:
        raise UsageError("--var input: the input comes from the case; leave out one of them")
    suite, found = _case(project, case)
    own = next((one for one in suite.variants if one.prompt and project.prompts.get(one.prompt) == prompt), None)
    # A prompt that no variant has is rendered for the first one's assistant, without that one's variables.
    variant: Variant = own or replace(suite.variants[0], prompt=ref, system=None, vars={})
    variant = replace(variant, vars={**variant.vars, **values})
    _complete(prompt, {**suite.vars, **found.columns, **found.vars, **variant.vars, "input": ""})
    turns, made = project.renderer().turns(suite, found, variant)
    return Opened(turns=tuple(turn.messages for turn in turns), prompt=made)


def _case(project: Project, word: str) -> tuple[Suite, Case]:
    name, colons, case = word.partition("::")
    if not colons or not name or not case:
        raise UsageError(f"--case {word}: write SUITE::CASE, such as faq::shipping-time")
    suite = _suite(project, name)
    found = next((one for one in suite.cases if one.id == case), None)
    if found is None:
        known = [one.id for one in suite.cases]
        hint = did_you_mean(case, known) or f"There are: {', '.join(known[:10])}."
        raise UsageError(f"--case {word}: suite '{suite.name}' has no case '{case}'. {hint}")
    return suite, found


def _suite(project: Project, name: str) -> Suite:
    """The suite of a name or path; others may be broken."""
    if Path(name).is_file():
        return load(project, [Path(name)])[0]
    known: list[str] = []
    broken: ConfigError | None = None
    try:
        paths = find_suites(project, [])
    except NothingSelected:
        paths = []
    for path in paths:
        try:
            suite = load(project, [path])[0]
        except ConfigError as error:
            broken = error
            continue
        if suite.name == name:
            return suite
        known.append(suite.name)
    if broken is not None:
        # The one that is meant may be among those that cannot be read.
        raise broken
    hint = did_you_mean(name, known) or f"There are: {', '.join(known) or 'none'}."
    raise UsageError(f"--case: no suite is called '{name}'. {hint}")


def _assignment(text: str) -> tuple[str, JSON]:
    """Read `name=value`; a value that looks like a list or mapping is JSON."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--var {text}: write NAME=VALUE")
    if value[:1] in ("[", "{"):
        try:
            return name.strip(), parse_json(value)
        except (NotJSON, JSONTooLarge):
            pass
    return name.strip(), value


def _complete(prompt: Prompt, values: Mapping[str, JSON]) -> None:
    """Name every variable that the prompt needs and nobody gave."""
    variables = prompt.front.variables
    missing = [name for name, variable in variables.items() if variable.needed and name not in values]
    if not missing:
        return
    named = ", ".join(f"`{name}` ({prompt.places.get(name, prompt.shown)})" for name in missing)
    near = did_you_mean(missing[0], sorted(set(values) - set(variables) - {"input"}))
    give = " ".join(f"--var {name}=..." for name in missing)
    raise UsageError(f"prompt {prompt.ref} needs {named}. {near or f'Give {give}.'}")
