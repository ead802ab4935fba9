"""From a trial to what is said: the prompt, the case's history and its turns, with every template filled in.

Only text written in suite files and prompts is a template. What came out of a dataset is data, and so is everything
that a template puts in: nothing is rendered twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from harness.errors import ConfigError, Problem, SourceLocation, TrialError
from harness.prompts.library import PromptLibrary
from harness.records import JSON, Attachment, Message, PromptRef, Turn, TurnRecord
from harness.store.rows import plain_turn
from harness.suites.suite import Case, Suite, TurnSpec, Variant
from harness.templates.engine import Templates, has_template


class Renderer:
    """Renders the cases of suites for their variants."""

    def __init__(self, *, prompts: PromptLibrary, templates: Templates) -> None:
        self._prompts = prompts
        self._templates = templates

    def case(
        self, suite: Suite, case: Case, variant: Variant, *, saved: Mapping[str, JSON] | None = None
    ) -> Mapping[str, JSON]:
        """Return the case as plain data, as scorers see it: id, input, expected, vars, metadata, tags."""
        return {
            "id": case.id,
            "input": self.input(suite, case, variant, saved=saved),
            "expected": case.expected,
            "vars": {**suite.vars, **case.columns, **case.vars, **variant.vars},
            "metadata": dict(case.metadata),
            "tags": list(case.tags),
        }

    def input(self, suite: Suite, case: Case, variant: Variant, *, saved: Mapping[str, JSON] | None = None) -> JSON:
        """Return what the user says: a text, or with several turns or messages a list.

        What depends on values that were not saved, because the trial did not come so far, is the template itself.
        """
        variables = self._variables(suite, case, variant) | dict(saved or {})
        shown: list[JSON] = []
        for turn in case.turns:
            try:
                texts = self._said(case, turn, variables)
            except ConfigError:
                # What is wrong with it has been said where it was to be said.
                texts = turn.inputs
            shown.append(texts[0] if len(texts) == 1 else list(texts))
        return shown[0] if len(shown) == 1 else shown

    def dialogue(self, suite: Suite, case: Case, variant: Variant) -> Dialogue:
        """Return the turns of a trial, one at a time: what was saved from one can be said in the next."""
        return Dialogue(self, suite, case, variant)

    def turns(self, suite: Suite, case: Case, variant: Variant) -> tuple[tuple[Turn, ...], PromptRef]:
        """Return all turns of a trial as they would be if whatever they save were there.

        Raises:
            ConfigError: A variable is missing, or a template fails.
        """
        dialogue = Dialogue(self, suite, case, variant, rehearsal=True)
        return tuple(dialogue), dialogue.prompt

    def turn(
        self, suite: Suite, case: Case, variant: Variant, number: int, *, saved: Mapping[str, JSON]
    ) -> tuple[Turn, PromptRef | None]:
        """Return one turn of a trial, and with the first the prompt that it was rendered from.

        Args:
            suite: The suite.
            case: One of its cases.
            variant: One of its variants.
            number: Which turn, from 0.
            saved: What earlier turns saved.

        Raises:
            ConfigError: A variable is missing, or a template fails.
        """
        spec = case.turns[number]
        if spec.thread is not None and variant.assistant.api == "chat":
            raise ConfigError(_no_thread(spec.where or case.where, variant))
        variables = self._variables(suite, case, variant) | dict(saved)
        said = self._said(case, spec, variables)
        if number:
            messages: tuple[Message, ...] = tuple(Message(role="user", content=text) for text in said)
            prompt = None
        else:
            opening = self._prompts.opening(
                variant.prompt,
                system=variant.system,
                input=said,
                history=case.history,
                variables=variables,
                assistant={
                    "name": variant.name,
                    "model": variant.assistant.model,
                    "tools": [dict(one) for one in variant.offered],
                },
                where=case.where,
            )
            messages, prompt = opening.messages, PromptRef(ref=opening.ref, hash=opening.hash)
        turn = Turn(
            messages=_with_attachments(messages, spec.attachments),
            instructions=self._text(spec.instructions, case, spec, variables),
            thread=self._text(spec.thread, case, spec, variables),
        )
        return turn, prompt

    def argument(
        self,
        suite: Suite,
        case: Case,
        variant: Variant,
        *,
        where: SourceLocation | None = None,
        saved: Mapping[str, JSON] | None = None,
    ) -> Callable[[JSON], JSON]:
        """Return what fills in the templates of a check's argument, or of a mock.

        Args:
            suite: The suite.
            case: One of its cases.
            variant: One of its variants.
            where: The place of the check, for messages; default: that of the case.
            saved: What turns saved; None: whatever they would save, as in a rehearsal.
        """
        variables = self._variables(suite, case, variant) | dict(_unknown(case) if saved is None else saved)
        said = self._last(case, variables)
        variables["input"] = said[0] if len(said) == 1 else list(said)
        return lambda value: self._templates.render_value(value, variables, where=where or case.where)

    def later(self, case: Case, value: JSON) -> bool:
        """Say whether templates in plain data depend on what turns save, which only a trial knows."""
        if isinstance(value, str):
            return not self._templates.names(value).isdisjoint(_unknown(case))
        if isinstance(value, Mapping):
            return any(self.later(case, one) for one in value.values())
        return isinstance(value, (list, tuple)) and any(self.later(case, one) for one in value)

    def _last(self, case: Case, variables: Mapping[str, JSON]) -> Sequence[str]:
        """What is said last; its templates themselves where what they need was not saved (yet)."""
        try:
            return self._said(case, case.turns[-1], variables)
        except ConfigError:
            if not self.later(case, case.turns[-1].inputs):
                raise
            return case.turns[-1].inputs

    def _variables(self, suite: Suite, case: Case, variant: Variant) -> dict[str, JSON]:
        names = {**suite.vars, **case.columns, **case.vars, **variant.vars}
        return {**names, "vars": names, "expected": case.expected, "metadata": dict(case.metadata)}

    def _said(self, case: Case, turn: TurnSpec, variables: Mapping[str, JSON]) -> Sequence[str]:
        if case.literal:
            return turn.inputs
        return [self._rendered(text, case, turn, variables) for text in turn.inputs]

    def _text(self, text: str | None, case: Case, turn: TurnSpec, variables: Mapping[str, JSON]) -> str | None:
        return None if text is None else self._rendered(text, case, turn, variables)

    def _rendered(self, text: str, case: Case, turn: TurnSpec, variables: Mapping[str, JSON]) -> str:
        if not has_template(text):
            return text
        try:
            return self._templates.render(text, variables, where=turn.where or case.where)
        except ConfigError:
            names = self._templates.names(text)
            # In a rehearsal nothing is saved: what a template does with it cannot be known, but only that.
            if any(variables.get(name) is _LATER for name in names) and names <= variables.keys():
                return _LATER
            raise


class Dialogue:
    """The turns of one trial as they are said."""

    def __init__(
        self, renderer: Renderer, suite: Suite, case: Case, variant: Variant, *, rehearsal: bool = False
    ) -> None:
        """
        Args:
            renderer: Fills in templates.
            suite: The suite.
            case: One of its cases.
            variant: One of its variants.
            rehearsal: Nothing is asked: whatever would be saved is there.
        """
        self._renderer = renderer
        self._parts = (suite, case, variant)
        self._number = 0
        self._prompt: PromptRef | None = None
        #: What turns saved so far, by name.
        self.saved: dict[str, JSON] = dict(_unknown(case)) if rehearsal else {}
        #: What was said so far.
        self.turns: list[Turn] = []

    @property
    def prompt(self) -> PromptRef:
        """The prompt of the first turn; only there once that was rendered."""
        assert self._prompt is not None
        return self._prompt

    def __iter__(self) -> Iterator[Turn]:
        while (turn := self._following()) is not None:
            yield turn

    def next(self, last: TurnRecord | None) -> Turn | None:
        """Return the next turn, or None after the last.

        Args:
            last: What came back in the turn before; None for the first.

        Raises:
            TrialError: A path of `save:` matches nothing in `last`.
            ConfigError: A variable is missing, or a template fails.
        """
        if last is not None:
            self._save(last)
        return self._following()

    def _following(self) -> Turn | None:
        if self._number == len(self._parts[1].turns):
            return None
        turn, prompt = self._renderer.turn(*self._parts, self._number, saved=self.saved)
        self._prompt = self._prompt or prompt
        self._number += 1
        self.turns.append(turn)
        return turn

    def _save(self, last: TurnRecord) -> None:
        spec = self._parts[1].turns[self._number - 1]
        for name, path in spec.save.items():
            self.saved[name] = _first(path, last, name=name, turn=self._number, where=spec.where)


def saved_from(case: Case, turns: Sequence[TurnRecord]) -> dict[str, JSON]:
    """Return what the turns of a finished trial saved, by name.

    Raises:
        TrialError: A path of `save:` matches nothing.
    """
    return {
        name: _first(path, record, name=name, turn=number, where=spec.where)
        for number, (spec, record) in enumerate(zip(case.turns, turns, strict=False), start=1)
        for name, path in spec.save.items()
    }


#: Stands for a value that is not known yet.
_LATER = "(saved later)"


def _unknown(case: Case) -> dict[str, JSON]:
    return {name: _LATER for turn in case.turns for name in turn.save}


def _first(path: str, record: TurnRecord, *, name: str, turn: int, where: SourceLocation | None) -> JSON:
    # The library loads slowly, and few suites save anything.
    from harness.jsonpath import JSONPath

    found = JSONPath(path).find(plain_turn(record))
    if not found:
        called = ", ".join(call.name for call in record.tool_calls) or "none"
        raise TrialError(
            "save",
            f"`save: {{{name}: {path}}}` matches nothing in turn {turn} (tools called: {called})",
            where=None if where is None else str(where),
        )
    return found[0]


def _no_thread(where: SourceLocation, variant: Variant) -> Problem:
    return Problem(
        message=f"`thread:` cannot be used with `api: chat`, as the variant '{variant.name}' does.",
        location=where,
        hint="Chat Completions keeps no conversations; write what was said before under `history:`.",
    )


def _with_attachments(messages: tuple[Message, ...], attachments: tuple[Attachment, ...]) -> tuple[Message, ...]:
    """Files go with the last thing that the user says."""
    if not attachments:
        return messages
    last = max((n for n, message in enumerate(messages) if message.role == "user"), default=None)
    if last is None:
        return (*messages, Message(role="user", content="", attachments=attachments))
    return (*messages[:last], replace(messages[last], attachments=attachments), *messages[last + 1 :])
