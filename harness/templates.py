"""Jinja, fenced in: what a prompt or a suite may do with a template.

An immutable sandbox over plain data. Undefined names are errors, rendered text and loop steps are bounded, operators
and filters cannot make huge values, and what a template puts in is never rendered again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

from harness.errors import ConfigError, Problem, SourceLocation, did_you_mean
from harness.records import JSON

#: Characters that a template may produce.
LARGEST = 1_000_000
#: Loop steps that one rendering may take, all loops together.
MOST_STEPS = 1_000_000

_LONE = re.compile(r"\s*\{\{((?:(?!\}\}|\{\{).)*)\}\}\s*\Z", re.DOTALL)
_SIZED = re.compile(r"%[-+ #0]*(\*|[0-9]{5,}|[0-9]*\.[0-9]{5,})|[:\.][^}]*[0-9]{5,}")


class TooMuch(jinja2.TemplateRuntimeError):
    """A template asks for more than it may have."""


class Templates:
    """Renders texts as templates; compiles each once."""

    def __init__(self, *, loader: jinja2.BaseLoader | None = None, extensions: Iterable[type[Extension]] = ()) -> None:
        """
        Args:
            loader: Where `extends`, `include` and `import` look; None: there is nothing to load.
            extensions: Further tags.
        """
        self.environment = _Environment(loader=loader, extensions=list(extensions))
        self._compiled: dict[str, jinja2.Template] = {}
        self._lone: dict[str, Any] = {}
        self._names: dict[str, frozenset[str]] = {}

    def render(self, source: str, variables: Mapping[str, JSON], *, where: SourceLocation) -> str:
        """Render a text.

        Args:
            source: The template.
            variables: Plain data.
            where: Where the template stands, for messages.

        Raises:
            ConfigError: It cannot be rendered; the message says why and where.
        """
        if not has_template(source):
            return source
        try:
            template = self._compiled.get(source)
            if template is None:
                template = self._compiled[source] = self.environment.from_string(source)
            return bounded(self.environment, template, variables)
        except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise ConfigError(template_problem(error, where=where, known=variables)) from None

    def render_value(self, value: JSON, variables: Mapping[str, JSON], *, where: SourceLocation) -> JSON:
        """Render every text in plain data; a text that is nothing but `{{ x }}` keeps the type of `x`.

        Raises:
            ConfigError: A text in it cannot be rendered.
        """
        if isinstance(value, str):
            lone = _LONE.match(value) if "{{" in value else None
            if lone is None:
                return self.render(value, variables, where=where)
            return self._evaluate(value, lone[1], variables, where)
        if isinstance(value, Mapping):
            return {key: self.render_value(one, variables, where=where) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.render_value(one, variables, where=where) for one in value]
        return value

    def names(self, source: str) -> frozenset[str]:
        """Return the names that a template uses and does not define. Text that cannot be parsed has none."""
        if not has_template(source):
            return frozenset()
        if source not in self._names:
            try:
                found = meta.find_undeclared_variables(self.environment.parse(source))
            except jinja2.TemplateError:
                found = set()
            self._names[source] = frozenset(found) - frozenset(self.environment.globals)
        return self._names[source]

    def _evaluate(self, source: str, expression: str, variables: Mapping[str, JSON], where: SourceLocation) -> JSON:
        try:
            compiled = self._lone.get(source)
            if compiled is None:
                compiled = self._lone[source] = self.environment.compile_expression(expression, undefined_to_none=False)
            self.environment.steps = 0
            found = compiled(**variables)
            if isinstance(found, jinja2.Undefined):
                # A strict undefined complains in its own words as soon as it is used.
                str(found)
            return plain(found)
        except jinja2.TemplateSyntaxError:
            # Two expressions or a statement look like one; as text it means the same.
            return self.render(source, variables, where=where)
        except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise ConfigError(template_problem(error, where=where, known=variables)) from None


def has_template(text: str) -> bool:
    """Say whether a text holds anything that Jinja would change."""
    return "{{" in text or "{%" in text or "{#" in text


def bounded(environment: jinja2.Environment, template: jinja2.Template, variables: Mapping[str, JSON]) -> str:
    """Render a template piece by piece and stop where its output grows too large.

    Raises:
        TooMuch: It is larger than `LARGEST` characters, or its loops take more than `MOST_STEPS` steps.
    """
    if isinstance(environment, _Environment):
        environment.steps = 0
    size = 0
    pieces: list[str] = []
    for piece in template.generate(**variables):
        size += len(piece)
        if size > LARGEST:
            raise TooMuch(f"the rendered text is longer than {LARGEST:,} characters")
        pieces.append(piece)
    return "".join(pieces)


def plain(value: Any) -> JSON:
    """Return what an expression gave as plain data; what is none becomes its text."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return [plain(one) for one in value]
    return str(value)


def template_problem(
    error: Exception, *, where: SourceLocation, known: Mapping[str, JSON], first_line: int = 1
) -> Problem:
    """Say what is wrong with a template.

    Args:
        error: What Jinja raised.
        where: Where the template starts.
        known: The variables it got, for suggestions.
        first_line: The line of the file at which the template's own line 1 stands.
    """
    text = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    hint = None
    location = where
    if isinstance(error, jinja2.TemplateSyntaxError):
        location = SourceLocation(where.path, first_line - 1 + error.lineno, 1) if first_line > 1 else where
        message = f"the template cannot be read: {(error.message or text).rstrip('.')}."
    elif isinstance(error, jinja2.UndefinedError):
        match = re.match(r"'([^']+)' is undefined", text)
        name = match[1] if match else None
        message = f"`{name}` is not defined." if name else f"the template fails: {text}."
        if name:
            hint = did_you_mean(name, sorted(known)) or f"Defined are: {', '.join(sorted(known)[:12]) or 'none'}."
    elif isinstance(error, SecurityError):
        message = f"the template does what it may not: {text}."
    else:
        message = f"the template fails: {text}."
    return Problem(message=message, location=location, hint=hint)


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self, *, loader: jinja2.BaseLoader | None, extensions: list[type[Extension]]) -> None:
        super().__init__(
            loader=loader or jinja2.FunctionLoader(lambda name: None),
            extensions=extensions,
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            keep_trailing_newline=False,
            auto_reload=False,
        )
        self.steps = 0
        # What needs the clock or chance would not replay, and what holds state outlives a rendering.
        for name in ("lipsum", "cycler", "joiner"):
            self.globals.pop(name, None)
        self.globals["range"] = self._range
        self.filters["_counted"] = self._counted
        self.filters["center"] = self._sized("center", self.filters["center"], 1)
        self.filters["indent"] = self._sized("indent", self.filters["indent"], 1)
        self.filters["format"] = self._format
        del self.filters["random"]

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "_counted", [], [], None, None, lineno=loop.lineno)
        tree.set_environment(self)
        return tree

    def _counted(self, values: Iterable[Any]) -> Iterable[Any]:
        def steps() -> Iterator[Any]:
            for value in values:
                self.steps += 1
                if self.steps > MOST_STEPS:
                    raise TooMuch(f"its loops take more than {MOST_STEPS:,} steps")
                yield value

        if isinstance(values, jinja2.Undefined):
            return values
        # `loop.last` and `loop.length` look ahead, which a list allows at once.
        return list(values) if not isinstance(values, range) and hasattr(values, "__len__") and self._take(len(values)) else steps()

    def _take(self, count: int) -> bool:
        self.steps += count
        if self.steps > MOST_STEPS:
            raise TooMuch(f"its loops take more than {MOST_STEPS:,} steps")
        return True

    def wrap_str_format(self, value: Any) -> Any:
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        def limited(*args: Any, **keywords: Any) -> str:
            _check_format(str(value.__self__), args)
            return str(wrapped(*args, **keywords))

        return limited

    def _range(self, *arguments: int) -> range:
        found = range(*arguments)
        if len(found) > MOST_STEPS:
            raise TooMuch(f"a range of {len(found):,} is larger than {MOST_STEPS:,}")
        return found

    def _sized(self, name: str, inner: Any, position: int) -> Any:
        def limited(value: Any, *args: Any, **keywords: Any) -> Any:
            for size in (*args, *keywords.values()):
                if isinstance(size, int) and size > LARGEST:
                    raise TooMuch(f"`{name}` of {size:,} is larger than {LARGEST:,}")
            return inner(value, *args, **keywords)

        return limited

    def _format(self, value: Any, *args: Any, **keywords: Any) -> str:
        _check_format(str(value), args or keywords)
        return str(value) % (keywords or args)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            for sequence, count in ((left, right), (right, left)):
                if isinstance(sequence, (str, list, tuple)) and isinstance(count, int) and len(sequence) * count > LARGEST:
                    raise TooMuch(f"a repetition of {len(sequence) * count:,} is larger than {LARGEST:,}")
        if operator == "**" and isinstance(right, (int, float)) and abs(right) > 1000:
            raise TooMuch(f"a power of {right:,} is larger than 1,000")
        if operator in "*+" and isinstance(left, int) and isinstance(right, int):
            if left.bit_length() + right.bit_length() > 8192:
                raise TooMuch("a number has more than 8,192 bits")
        if operator == "+" and isinstance(left, (str, list)) and isinstance(right, (str, list)):
            if len(left) + len(right) > LARGEST:
                raise TooMuch(f"a text or list is longer than {LARGEST:,}")
        if operator == "%" and isinstance(left, str):
            _check_format(left, right)
        return super().call_binop(context, operator, left, right)


def _check_format(text: str, arguments: Any) -> None:
    values = arguments if isinstance(arguments, tuple) else (arguments,)
    nested = "*" in text or ":{" in text
    if _SIZED.search(text) or any(isinstance(value, int) and value > LARGEST and nested for value in values):
        raise TooMuch("a format asks for a huge width")


def inside_folder(folder: Path, name: str) -> Path | None:
    """Return the file `name` under `folder`, symlinks resolved; None where it is not there or not inside."""
    path = (folder / name).resolve()
    return path if path.is_relative_to(folder.resolve()) and path.is_file() else None
