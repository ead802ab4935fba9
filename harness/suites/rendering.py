"""From a trial to what is said: the prompt, the case's history and its turns, with every template filled in.

Only text written in suite files and prompts is a template. What came out of a dataset is data, and so is everything
that a template puts in: nothing is rendered twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.errors import SourceLocation
from harness.prompts.library import PromptLibrary
from harness.records import JSON, Message, PromptRef, Turn
from harness.suites.suite import Case, Suite, Variant
from harness.templates.engine import Templates, has_template


class Renderer:
    """Renders the cases of suites for their variants."""

    def __init__(self, *, prompts: PromptLibrary, templates: Templates) -> None:
        self._prompts = prompts
        self._templates = templates

    def case(self, suite: Suite, case: Case, variant: Variant) -> Mapping[str, JSON]:
        """Return the case as plain data, as scorers see it: id, input, expected, vars, metadata, tags."""
        return {
            "id": case.id,
            "input": self.input(suite, case, variant),
            "expected": case.expected,
            "vars": {**suite.vars, **case.columns, **case.vars, **variant.vars},
            "metadata": dict(case.metadata),
            "tags": list(case.tags),
        }

    def input(self, suite: Suite, case: Case, variant: Variant) -> JSON:
        """Return what the user says: a text, or with several turns or messages a list."""
        said = self._said(case, self._variables(suite, case, variant))
        shown = [texts[0] if len(texts) == 1 else list(texts) for texts in said]
        return shown[0] if len(shown) == 1 else shown

    def turns(self, suite: Suite, case: Case, variant: Variant) -> tuple[tuple[Turn, ...], PromptRef]:
        """Return the turns of a trial, the first one with the rendered prompt and history.

        Raises:
            ConfigError: A variable is missing, or a template fails.
        """
        variables = self._variables(suite, case, variant)
        said = self._said(case, variables)
        opening = self._prompts.opening(
            variant.prompt,
            system=variant.system,
            input=said[0],
            history=case.history,
            variables=variables,
            assistant={"name": variant.name, "model": variant.assistant.model, "tools": []},
            where=case.where,
        )
        later = (Turn(messages=tuple(Message(role="user", content=text) for text in texts)) for texts in said[1:])
        return (Turn(messages=opening.messages), *later), PromptRef(ref=opening.ref, hash=opening.hash)

    def argument(
        self, suite: Suite, case: Case, variant: Variant, *, where: SourceLocation | None = None
    ) -> Callable[[JSON], JSON]:
        """Return what fills in the templates of a check's argument.

        Args:
            suite: The suite.
            case: One of its cases.
            variant: One of its variants.
            where: The place of the check, for messages; default: that of the case.
        """
        variables = self._all_variables(suite, case, variant)
        return lambda value: self._templates.render_value(value, variables, where=where or case.where)

    def _variables(self, suite: Suite, case: Case, variant: Variant) -> dict[str, JSON]:
        names = {**suite.vars, **case.columns, **case.vars, **variant.vars}
        return {**names, "vars": names, "expected": case.expected, "metadata": dict(case.metadata)}

    def _all_variables(self, suite: Suite, case: Case, variant: Variant) -> dict[str, JSON]:
        variables = self._variables(suite, case, variant)
        said = self._said(case, variables)
        last = said[-1]
        return {**variables, "input": last[0] if len(last) == 1 else list(last)}

    def _said(self, case: Case, variables: Mapping[str, JSON]) -> list[Sequence[str]]:
        if case.literal:
            return [turn.inputs for turn in case.turns]
        return [
            [
                self._templates.render(text, variables, where=turn.where or case.where) if has_template(text) else text
                for text in turn.inputs
            ]
            for turn in case.turns
        ]
