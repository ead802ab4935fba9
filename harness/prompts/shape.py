"""Loading of prompt templates, and what can be seen of one without rendering it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jinja2
from jinja2 import meta, nodes

from harness.errors import ConfigError, Problem, SourceLocation, did_you_mean
from harness.prompts import frontmatter
from harness.prompts.files import PromptFiles
from harness.templates.engine import Templates


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a template is like."""

    #: It names `input`, or includes something that is known only when it is rendered.
    uses_input: bool


class PromptLoader(jinja2.BaseLoader):
    """Finds templates below the prompts folder, without their front matter, at their own line numbers."""

    def __init__(self, files: PromptFiles, git: str | None) -> None:
        """
        Args:
            files: Where they are.
            git: The git ref to read them from; None: the working tree.
        """
        self.files = files
        self.git = git

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        text = self.files.read(template, self.git)
        if text is None:
            raise jinja2.TemplateNotFound(template)
        shown = self.files.path(template, self.git)
        try:
            _, skipped = frontmatter.split(text)
        except ValueError as error:
            raise jinja2.TemplateSyntaxError(str(error), 1, template, shown) from None
        # Jinja counts lines from the top; a comment that swallows the line end after it stands for the front matter.
        body = "\n".join(text.split("\n")[skipped:])
        return ("{#" + "\n" * (skipped - 1) + "#}\n" if skipped else "") + body, shown, lambda: True

    def list_templates(self) -> list[str]:
        return self.files.names(self.git)


def examine(templates: Templates, loader: PromptLoader, file: str) -> Shape:
    """Parse and compile a template and everything that it names, and say what it is like.

    Args:
        templates: What compiles it.
        loader: Where the files are.
        file: Its path below the prompts folder.

    Raises:
        ConfigError: With the first problem of each of these files.
    """
    environment = templates.environment
    problems: list[Problem] = []
    trees: dict[str, nodes.Template] = {}
    waiting, seen = [file], {file}
    dynamic = False
    while waiting:
        name = waiting.pop()
        shown = loader.files.path(name, loader.git)
        try:
            with templates.blaming(where=SourceLocation(shown), known={}):
                source = loader.get_source(environment, name)[0]
                trees[name] = environment.parse(source, name, shown)
                environment.get_template(name)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        for line, target, optional in _targets(trees[name]):
            dynamic = dynamic or target is None
            if target is None or target in seen:
                continue
            if _exists(loader, target):
                seen.add(target)
                waiting.append(target)
            elif not optional:
                problems.append(_missing(loader, target, SourceLocation(shown, line), source.split("\n")[line - 1]))
    if problems:
        raise ConfigError(problems)
    return Shape(uses_input=dynamic or any("input" in meta.find_undeclared_variables(one) for one in trees.values()))


def _targets(tree: nodes.Template) -> Iterator[tuple[int, str | None, bool]]:
    """Yield line, name (None: known only when rendered) and whether it may be missing, for each file that is named."""
    kinds = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)
    for node in tree.find_all(kinds):
        template = dict(node.iter_fields())["template"]
        optional = bool(getattr(node, "ignore_missing", False))
        if isinstance(template, nodes.Const) and isinstance(template.value, str):
            yield node.lineno, template.value, optional
        else:
            yield node.lineno, None, True


def _exists(loader: PromptLoader, target: str) -> bool:
    try:
        return loader.files.read(target, loader.git) is not None
    except ConfigError:
        # It is there, and what is wrong with it is said where it is read.
        return True


def _missing(loader: PromptLoader, target: str, where: SourceLocation, source: str) -> Problem:
    location = SourceLocation(where.path, where.line, source.find(target) + 1 or 1)
    hint = did_you_mean(target, loader.list_templates())
    return Problem(message=f"'{target}' is not in {loader.files.shown}/.", location=location, hint=hint, source=source)
