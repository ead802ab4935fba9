"""A suite with everything written out: each variant with all its settings, where they come from, and every default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from harness.amounts import duration
from harness.errors import SourceLocation
from harness.located import Document, read_yaml
from harness.prompts.library import PromptLibrary
from harness.records import JSON
from harness.settings import Retry, Settings
from harness.suites.apis import LACKING
from harness.suites.suite import MODEL_APIS, AssistantSpec, Case, NamedAssistant, Suite, Variant
from harness.suites.yamltext import Entry, write

_DEFAULT = "default"
#: What the service decides where nobody says something.
_OPEN = (
    "base_url",
    "temperature",
    "top_p",
    "max_tokens",
    "seed",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "response_format",
    "request",
)


def explain(suite: Suite, *, prompts: PromptLibrary, settings: Settings) -> str:
    """Return a suite in full, as YAML: in the place of its file it is the same suite.

    What can only be left out (a suite that names no margin says so in its reports) stands there as a comment.

    Args:
        suite: A suite that was loaded.
        prompts: Where its prompts are.
        settings: Those of the project, whose timeout is the default.
    """
    return write(tuple(_Explained(suite, prompts, settings).entries()))


class _Explained:
    def __init__(self, suite: Suite, prompts: PromptLibrary, settings: Settings) -> None:
        self._suite = suite
        self._prompts = prompts
        self._settings = settings
        self._document: Document = read_yaml(suite.path, shown=suite.shown)
        self._written: Mapping[str, JSON] = self._document.value

    def entries(self) -> Iterator[Entry]:
        suite, written = self._suite, self._written
        yield Entry(remark=f"{suite.shown} with every setting; `line` is a line of that file.")
        yield Entry("suite", suite.name, self._line("suite"))
        if suite.description is not None:
            yield Entry("description", suite.description, self._line("description"))
        yield from self._assistants()
        yield Entry(
            "variants", tuple(Entry(one.name, tuple(self._variant(one)), self._place(one)) for one in suite.variants)
        )
        if suite.baseline is not None:
            yield Entry("baseline", suite.baseline, self._line("baseline", "default: the first"))
        yield Entry("gate_baseline", suite.gate_baseline, self._line("gate_baseline"))
        yield Entry("repeats", suite.repeats, self._line("repeats"))
        if suite.margin_given:
            yield Entry("margin", suite.margin, self._line("margin"))
        else:
            yield Entry(remark=f"margin: {suite.margin} ({_DEFAULT})")
        if suite.budget is not None:
            yield Entry("budget", f"${suite.budget:f}", self._line("budget"))
        else:
            yield Entry(remark=f"budget: none ({_DEFAULT})")
        none = "none: every trial of the candidates decides"
        yield self._part("gates", {}, none)
        yield self._part("vars", {}, _DEFAULT)
        if "expect" in written:
            yield self._part("expect", None, _DEFAULT)
        yield from self._cases(written["cases"])

    def _part(self, key: str, default: JSON, remark: str) -> Entry:
        """What stands under a key is what it means: nothing of it comes from elsewhere."""
        value = self._written.get(key, default)
        place = self._line(key, remark)
        if not isinstance(value, dict) or not value:
            return Entry(key, value, place)
        lines = (
            Entry(name, one, self._told(self._document.where((key, name), key=True))) for name, one in value.items()
        )
        return Entry(key, tuple(lines), None if key in self._written else remark)

    def _cases(self, given: JSON) -> Iterator[Entry]:
        count = f"{len(self._suite.cases)} in all"
        if not isinstance(given, list):
            yield Entry("cases", given, f"{self._line('cases')}; {count}")
            return
        unnamed = {case.where: case for case in self._suite.cases if case.unnamed and not case.literal}
        items = (Entry(value=one, remark=self._case(("cases", index), unnamed)) for index, one in enumerate(given))
        yield Entry("cases", tuple(items), count)

    def _case(self, loc: tuple[str | int, ...], unnamed: Mapping[SourceLocation, Case]) -> str:
        where = self._document.where(loc)
        case = unnamed.get(where)
        return self._told(where) + (f"; id, made from the input: {case.id}" if case else "")

    # -- variants

    def _variant(self, variant: Variant) -> Iterator[Entry]:
        spec, told = variant.assistant, variant.origins
        if variant.prompt is not None:
            yield Entry("prompt", variant.prompt, self._prompt(variant))
        if variant.system is not None:
            yield Entry("system", variant.system, self._told(told.get("system")))
        for one in fields(AssistantSpec):
            value = getattr(spec, one.name)
            if one.name == "assistants" or value in (None, {}, ()):
                continue
            if one.name != "stream" or value or spec.api in MODEL_APIS:
                yield Entry(one.name, _plain(one.name, value), self._told(told.get(one.name)))
        yield Entry("report_only", variant.report_only, None if variant.report_only else _DEFAULT)
        if variant.vars:
            yield Entry("vars", dict(variant.vars))
        yield from self._left_out(spec)

    def _assistants(self) -> Iterator[Entry]:
        """The assistants that tools name, each with what it takes from the suite."""
        named: dict[str, NamedAssistant] = {}
        waiting = [variant.assistant for variant in self._suite.variants]
        while waiting:
            for name, one in waiting.pop().assistants.items():
                named[name] = one
                waiting.append(one.spec)
        if named:
            shown = (Entry(name, tuple(self._named(name, one))) for name, one in sorted(named.items()))
            yield Entry("assistants", tuple(shown))

    def _named(self, name: str, named: NamedAssistant) -> Iterator[Entry]:
        own = self._written["assistants"][name]
        settings = {one.name: getattr(named.spec, one.name) for one in fields(AssistantSpec)}
        for key, value in {"system": named.system, **settings, "assistants": None}.items():
            if value not in (None, {}, ()):
                line = self._told(self._document.where(("assistants", name, key), key=True))
                yield Entry(key, _plain(key, value), line if key in own else "the suite's, a preset's or the default")

    def _left_out(self, spec: AssistantSpec) -> Iterator[Entry]:
        if spec.timeout is None and spec.api != "outputs":
            yield Entry(remark=f"timeout: {_plain('timeout', self._settings.timeout)} ({_DEFAULT} of the project)")
        if spec.api == "responses" and spec.chain is None:
            yield Entry(remark=f"chain: input ({_DEFAULT})")
        if spec.api == "threads" and spec.lifecycle is None and spec.assistant_id is None:
            yield Entry(remark=f"lifecycle: run ({_DEFAULT})")
        free = [name for name in _OPEN if getattr(spec, name) in (None, {}) and name not in LACKING.get(spec.api, {})]
        if free and spec.api in MODEL_APIS:
            yield Entry(remark=f"the service's own: {', '.join(free)}")

    def _prompt(self, variant: Variant) -> str:
        ref = self._prompts.get(variant.prompt or "").ref
        newest = f"; now {ref}" if ref != variant.prompt else ""
        return self._told(variant.origins.get("prompt")) + newest

    # -- remarks

    def _line(self, key: str, otherwise: str = _DEFAULT) -> str:
        return self._told(self._document.where((key,), key=True)) if key in self._written else otherwise

    def _place(self, variant: Variant) -> str:
        # The only variant of a suite that names none stands where the suite's name is.
        named = "variants" in self._written or "matrix" in self._written
        return self._told(variant.where) if named else "the only one"

    def _told(self, where: SourceLocation | None) -> str:
        if where is None:
            return _DEFAULT
        return f"line {where.line}" if where.path == self._suite.shown else f"front matter of {where.path}"


def _plain(name: str, value: Any) -> JSON:
    """A setting as people write it."""
    if name in ("timeout", "tool_timeout", "poll_interval"):
        return _duration(value)
    if isinstance(value, Retry):
        return value.model_dump(mode="json", exclude_unset=True)
    if name == "tools":
        return [one.written() for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _duration(seconds: float) -> JSON:
    text = f"{seconds:g}s"
    return text if "e" not in text and duration(text) == seconds else seconds
