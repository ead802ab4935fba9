"""Jinja, fenced in: templates over plain data that can neither reach out nor grow without bound.

An immutable sandbox in which undefined names are errors. Jinja's own sandbox guards attributes; what it lets pass are
templates that make huge values or never end, so here every loop step, call and made value is counted. A limit on time
would do no good: templates are rendered in threads, where nothing can stop them, and one operation can take all memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jinja2
from jinja2 import nodes, runtime
from jinja2.compiler import CodeGenerator, Frame
from jinja2.environment import TemplateModule
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, Namespace

from harness.templates.amplifiers import checked_method, metered_filter, metered_format, operate
from harness.templates.meter import MOST_STEPS, Meter, TooMuch

# The methods of plain data that a template may call.
_METHODS: tuple[tuple[type, frozenset[str]], ...] = (
    (str, frozenset(name for name in dir(str) if name[0] != "_") - {"encode", "translate", "maketrans"}),
    (Mapping, frozenset({"get", "items", "keys", "values", "copy"})),
    # `grouper` and `list` are what the filter groupby gives.
    (tuple, frozenset({"count", "index", "grouper", "list"})),
    (list, frozenset({"count", "index", "copy"})),
    (range, frozenset({"count", "index", "start", "stop", "step"})),
    (float, frozenset({"is_integer"})),
)
# What Jinja itself puts into a template: loops, macros, imported modules, blocks.
_OF_JINJA = (
    runtime.LoopContext,
    runtime.Macro,
    runtime.BlockReference,
    runtime.TemplateReference,
    TemplateModule,
    Namespace,
    Cycler,
    Joiner,
)
# Steps that a macro's call counts for, being about so much slower.
_CALL = 10


class _Generator(CodeGenerator):
    """Sends everything that is put out, and every concatenation, through the sandbox."""

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        # Nothing is put together while compiling: nobody counts there.
        raise nodes.Impossible

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        kind = "literal" if isinstance(node, nodes.TemplateData) else "value"
        self.write(f"environment.{kind}(")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write(")")

    def visit_AssignBlock(self, node: nodes.AssignBlock, frame: Frame) -> None:  # noqa: N802 (Jinja finds it by its name)
        self.writeline("environment.meter().held += 1")
        super().visit_AssignBlock(node, frame)
        self.writeline("environment.meter().held -= 1")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 (Jinja finds it by its name)
        self.write("environment.joined((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment that all templates are compiled in. Rendering needs `metered()` around it."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})
    code_generator_class = _Generator

    def __init__(self, *, loader: jinja2.BaseLoader | None = None, extensions: Iterable[type[Extension]] = ()) -> None:
        """
        Args:
            loader: Where `extends`, `include` and `import` look; None: there is nothing to load.
            extensions: Further tags.
        """
        super().__init__(
            loader=loader or jinja2.FunctionLoader(lambda name: None),
            extensions=list(extensions),
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
            optimized=False,
        )
        self._local = threading.local()
        # What depends on chance would not replay.
        del self.globals["lipsum"], self.filters["random"]
        self.globals["range"] = _limited_range
        for name, function in list(self.filters.items()):
            self.filters[name] = metered_filter(self.meter, name, function)

    @contextmanager
    def metered(self) -> Iterator[Meter]:
        """Count what is rendered inside, in the calling thread."""
        before = getattr(self._local, "meter", None)
        meter = self._local.meter = Meter()
        try:
            yield meter
        finally:
            self._local.meter = before

    def literal(self, text: str) -> str:
        """Put out text that stands in the template."""
        self.meter().put_out(text, literal=True)
        return text

    def value(self, value: Any) -> str:
        """Put out a value as text."""
        meter = self.meter()
        text = value if type(value) is str else meter.text(value)
        meter.put_out(text, literal=False)
        return text

    def joined(self, values: Iterable[Any]) -> str:
        """Return values as one text: the operator `~`."""
        meter = self.meter()
        found = "".join([meter.text(value) for value in values])
        meter.make(len(found))
        return found

    def counted(self, values: Any) -> Iterable[Any]:
        """Return what a loop goes over, with its steps counted."""
        return self.meter().counted(values)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if not super().is_safe_attribute(obj, attr, value):
            return False
        if isinstance(obj, _OF_JINJA):
            return True
        return any(isinstance(obj, kind) and attr in allowed for kind, allowed in _METHODS)

    def getattr(self, obj: Any, attribute: str) -> Any:
        # A key of the data is found even where dictionaries have a method of that name which is off limits.
        if isinstance(obj, dict) and attribute in obj and not self.is_safe_attribute(obj, attribute, None):
            return obj[attribute]
        return super().getattr(obj, attribute)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        format_ = super().wrap_str_format(value)
        return format_ and metered_format(self.meter, value.__self__, format_)

    def call(self, __context: Any, __obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        meter = self.meter()
        meter.step(_CALL if isinstance(__obj, runtime.Macro) else 1)
        if isinstance(__obj, runtime.LoopContext) and args:
            args = (meter.counted(args[0]), *args[1:])
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str):
            args = checked_method(meter, owner, __obj.__name__, args)
        return meter.weighed(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        return operate(self.meter(), operator, left, right)

    def meter(self) -> Meter:
        """Return what the rendering in the calling thread is counted with."""
        found: Meter | None = getattr(self._local, "meter", None)
        return Meter() if found is None else found

    def _load_template(self, name: str, globals: Any) -> jinja2.Template:
        self.meter().step()
        return super()._load_template(name, globals)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            count = nodes.EnvironmentAttribute("counted")
            loop.iter = nodes.Call(count, [loop.iter], [], None, None).set_lineno(loop.lineno)
            loop.iter.environment = self
        return tree


def _limited_range(*arguments: int) -> range:
    found = range(*arguments)
    if len(found) > MOST_STEPS:
        raise TooMuch(f"a range of {len(found):,} is larger than {MOST_STEPS:,}")
    return found
