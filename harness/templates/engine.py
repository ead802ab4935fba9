"""Templates: texts of suites and prompts in which Jinja fills in values, once.

What a template puts in is data and never rendered again. Every error is a problem with a file and a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import GeneratorType
from typing import Any

import jinja2
from jinja2 import exceptions, meta, nodes
from jinja2.ext import Extension

from harness.errors import ConfigError, Problem, SourceLocation, did_you_mean
from harness.records import JSON
from harness.templates.meter import LARGEST, TooMuch
from harness.templates.sandbox import Sandbox

#: Different texts whose compiled form is kept.
_KEPT = 1024
_RESULT = "result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a template came to."""

    text: str
    #: The same without the blank space that the template, and no value, puts around it.
    stripped: str
    #: What its chat blocks made, in order.
    messages: tuple[Any, ...]
    #: Where the first text stands that is not blank: file and line. None: there is none.
    first_text: tuple[str, int] | None


class Templates:
    """Renders texts as templates; each is compiled once."""

    def __init__(self, *, loader: jinja2.BaseLoader | None = None, extensions: Iterable[type[Extension]] = ()) -> None:
        """
        Args:
            loader: Where `extends`, `include` and `import` look; None: there is nothing to load.
            extensions: Further tags.
        """
        self.environment = Sandbox(loader=loader, extensions=extensions)
        self._compiled = lru_cache(maxsize=_KEPT)(self._compile)
        self._expressions = lru_cache(maxsize=_KEPT)(self._expression)
        self._names = lru_cache(maxsize=_KEPT)(self._undeclared)

    def render(self, source: str, variables: Mapping[str, JSON], *, where: SourceLocation) -> str:
        """Render a text.

        Args:
            source: The template.
            variables: Plain data by name.
            where: Where the template stands, for messages.

        Raises:
            ConfigError: It cannot be rendered; the message says why and where.
        """
        if not has_template(source):
            return source
        with self.blaming(where=where, known=variables, source=source):
            return self.run(self._compiled(source), variables).text

    def render_stripped(self, source: str, variables: Mapping[str, JSON], *, where: SourceLocation) -> str:
        """Render a text and take off the blank space around it that is the template's own; arguments as for `render`.

        Raises:
            ConfigError: It cannot be rendered.
        """
        if not has_template(source):
            return source.strip()
        with self.blaming(where=where, known=variables, source=source):
            return self.run(self._compiled(source), variables).stripped

    def render_value(self, value: JSON, variables: Mapping[str, JSON], *, where: SourceLocation) -> JSON:
        """Render every text in plain data; a text that is nothing but `{{ x }}` keeps the type of `x`.

        Args:
            value: Plain data; the keys of its mappings are no templates.
            variables: Plain data by name.
            where: Where it stands, for messages.

        Raises:
            ConfigError: A text in it cannot be rendered.
        """
        if isinstance(value, str):
            if not has_template(value):
                return value
            with self.blaming(where=where, known=variables, source=value):
                lone = self._expressions(value)
                if lone is not None:
                    return self._evaluate(lone, variables)
                return self.run(self._compiled(value), variables).text
        if isinstance(value, Mapping):
            return {key: self.render_value(one, variables, where=where) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.render_value(one, variables, where=where) for one in value]
        return value

    def names(self, source: str) -> frozenset[str]:
        """Return the names that a template uses and does not define. Text that cannot be parsed has none."""
        return self._names(source) if has_template(source) else frozenset()

    def run(self, template: jinja2.Template, variables: Mapping[str, JSON]) -> Output:
        """Render a compiled template piece by piece, and stop where it grows too large.

        Raises:
            Exception: Whatever its expressions raise; `problem` says what to tell the user.
        """
        size = 0
        pieces: list[str] = []
        first = None
        with self.environment.metered() as meter:
            stream = template.root_render_func(template.new_context(dict(variables)))
            for piece in stream:
                size += len(piece)
                if size > LARGEST:
                    raise TooMuch(f"the rendered text is longer than {LARGEST:,} characters")
                if first is None and not piece.isspace() and piece:
                    first = _standing_at(stream, piece)
                pieces.append(piece)
            text = "".join(pieces)
            return Output(text=text, stripped=meter.edges.strip(text), messages=tuple(meter.messages), first_text=first)

    @contextmanager
    def blaming(self, *, where: SourceLocation, known: Mapping[str, JSON], source: str | None = None) -> Iterator[None]:
        """Turn whatever compiling or rendering raises into a ConfigError; arguments as for `problem`."""
        try:
            yield
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001 - a template makes plain data raise anything, and is itself at fault
            raise ConfigError(self.problem(error, where=where, known=known, source=source)) from None

    def problem(
        self, error: Exception, *, where: SourceLocation, known: Mapping[str, JSON], source: str | None = None
    ) -> Problem:
        """Say what is wrong with a template, and in which line.

        Args:
            error: What Jinja raised.
            where: Where the template stands, if it is no file of its own.
            known: The variables it got, for suggestions.
            source: Its text, if it is no file of its own.
        """
        message, hint, name = _told(error, known, self.environment)
        file, line = _place(error)
        if file is None:
            if source is not None and line is not None and source.count("\n") > 1:
                message += f" (Line {line} of the text.)"
            return Problem(message=message, location=where, hint=hint)
        text = self._line(error, file, line or 1)
        match = re.search(rf"\b{re.escape(name)}\b", text) if name and text else None
        column = match.start() + 1 if match else len(text or "") - len((text or "").lstrip()) + 1
        return Problem(message=message, location=SourceLocation(file, line or 1, column), hint=hint, source=text)

    def _compile(self, source: str) -> jinja2.Template:
        return self.environment.from_string(source)

    def _expression(self, source: str) -> jinja2.Template | None:
        """Compile a text that is one lone expression; None where it is more than that."""
        tree = self.environment.parse(source.strip())
        match tree.body:
            case [nodes.Output(nodes=[expression])] if not isinstance(expression, nodes.TemplateData):
                lone = nodes.Template([nodes.Assign(nodes.Name(_RESULT, "store"), expression)])
                lone.set_lineno(1)
                return self.environment.from_string(lone)
        return None

    def _evaluate(self, template: jinja2.Template, variables: Mapping[str, JSON]) -> JSON:
        context = template.new_context(dict(variables))
        with self.environment.metered() as meter:
            for _ in template.root_render_func(context):
                pass
            return meter.plain(context.vars[_RESULT])

    def _undeclared(self, source: str) -> frozenset[str]:
        try:
            found = meta.find_undeclared_variables(self.environment.parse(source))
        except (jinja2.TemplateError, RecursionError):
            return frozenset()
        return frozenset(found) - frozenset(self.environment.globals)

    def _line(self, error: Exception, file: str, line: int) -> str | None:
        """Return a line of a template file, for the caret."""
        text = error.source if isinstance(error, jinja2.TemplateSyntaxError) else None
        if text is None and self.environment.loader is not None:
            for template in _templates_of(error):
                if template.filename == file and template.name is not None:
                    text = self.environment.loader.get_source(self.environment, template.name)[0]
        lines = text.split("\n") if text else []
        return lines[line - 1] if line <= len(lines) else None


def has_template(text: str) -> bool:
    """Say whether a text holds anything that Jinja would change."""
    return "{{" in text or "{%" in text or "{#" in text


def _told(error: Exception, known: Mapping[str, JSON], environment: Sandbox) -> tuple[str, str | None, str | None]:
    """Return message, hint and the name at fault."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    match error:
        case jinja2.TemplatesNotFound() | jinja2.TemplateNotFound():
            loadable = _loadable(environment)
            name = str(error.name)
            message = f"'{name}' is not there to include; only files of the prompts folder are."
            return message, did_you_mean(name, loadable), name
        case jinja2.TemplateSyntaxError():
            return f"the template cannot be read: {(error.message or text).rstrip('.')}.", None, None
        case SyntaxError():
            return f"the template cannot be read: {error.msg}.", None, None
        case RecursionError() | MemoryError():
            return "the template is nested too deeply, or calls itself without end.", None, None
        case jinja2.UndefinedError():
            found = re.match(r"'([^']+)' is undefined", text)
            if found is None:
                attribute = re.search(r"has no attribute '([^']+)'", text)
                return f"the template fails: {text}.", None, attribute[1] if attribute else None
            names = sorted(known)
            hint = did_you_mean(found[1], names) or f"Defined are: {', '.join(names[:12]) or 'none'}."
            return f"`{found[1]}` is not defined.", hint, found[1]
        case exceptions.SecurityError():
            return f"the template does what it may not: {text}.", None, None
    return f"the template fails: {text}{'' if text.endswith('?') else '.'}", None, None


def _loadable(environment: Sandbox) -> list[str]:
    try:
        return environment.list_templates()
    except TypeError:
        # This loader has no list.
        return []


def _place(error: Exception) -> tuple[str | None, int | None]:
    """Return file (None: a text in a suite) and line at which a template failed, as far as they are known."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return error.filename, error.lineno
    file, line = None, None
    trace = error.__traceback__
    while trace is not None:
        template = _template(trace.tb_frame)
        if template is not None:
            file, line = _file(template), template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return file, line


def _templates_of(error: Exception) -> Iterable[jinja2.Template]:
    trace = error.__traceback__
    while trace is not None:
        template = _template(trace.tb_frame)
        if template is not None:
            yield template
        trace = trace.tb_next


def _standing_at(stream: Any, piece: str) -> tuple[str, int] | None:
    """Return file and line of the template text that a stream has just put out."""
    while isinstance(stream.gi_yieldfrom, GeneratorType):
        stream = stream.gi_yieldfrom
    template = _template(stream.gi_frame)
    if template is None:
        return None
    line = template.get_corresponding_lineno(stream.gi_frame.f_lineno)
    return _file(template) or "", line + piece[: len(piece) - len(piece.lstrip())].count("\n")


def _template(frame: Any) -> jinja2.Template | None:
    found = frame.f_globals.get("__jinja_template__")
    return found if isinstance(found, jinja2.Template) else None


def _file(template: jinja2.Template) -> str | None:
    return template.filename if template.filename and template.filename != "<template>" else None
