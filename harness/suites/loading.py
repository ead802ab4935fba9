"""From suite files to suites, with every problem of every file in one go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import ConfigError, Problem, SourceLocation, did_you_mean
from harness.functions import Place
from harness.located import Document, read_yaml
from harness.plugins import Registry
from harness.prompts.library import PromptLibrary
from harness.suites.cases import CaseReader
from harness.suites.deployed import look
from harness.suites.fields import SuiteFields
from harness.suites.rehearsal import rehearse
from harness.suites.rendering import Renderer
from harness.suites.suite import DEFAULT_MARGIN, Suite, content_hash
from harness.suites.variants import VariantReader
from harness.suites.written import Written
from harness.templates.engine import Templates
from harness.validation import validate


def load_suites(
    sources: Sequence[Path | Written],
    *,
    root: Path,
    registry: Registry,
    prompts: PromptLibrary,
    templates: Templates,
) -> list[Suite]:
    """Load suites.

    Args:
        sources: Files, or suites that are data already.
        root: The project's folder; nothing outside is read.
        registry: The scorers that checks may name.
        prompts: The prompts that variants may name.
        templates: Renders what the suites hold.

    Raises:
        ConfigError: With every problem of every file, in order.
    """
    problems: list[Problem] = []
    suites: list[Suite] = []
    names: dict[str, Suite] = {}
    renderer = Renderer(prompts=prompts, templates=templates)
    for source in sources:
        path = source if isinstance(source, Path) else source.path
        place = Place(root=root, folder=path.resolve().parent)
        written = source if isinstance(source, Written) else _file(source, place)
        document, suite = _read(written, place=place, registry=registry, prompts=prompts)
        if suite is not None:
            found = rehearse(suite, renderer=renderer, registry=registry, place=place)
            looked = look(suite, renderer=renderer, place=place)
            document.problems.extend(map(document.sourced, (*found, *looked.problems)))
            suite = looked.suite
            other = names.setdefault(suite.name, suite)
            if other is not suite:
                message = f"the suite's name '{suite.name}' is also that of {other.shown}."
                document.complain(("suite",), message, hint="Its recordings would lie in the same folder.")
            suites.append(suite)
        problems.extend(document.problems)
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    return suites


def _file(path: Path, place: Place) -> Written:
    """Read and parse a file; what is wrong with it collects in the document."""
    shown = place.shown(path)
    if not path.resolve().is_relative_to(place.root.resolve()):
        problem = Problem(message=f"the suite is outside the project {place.root}.", location=SourceLocation(shown))
        return Written(document=Document(path=shown, problems=[problem]), path=path, content=b"")
    document = read_yaml(path, shown=shown)
    # What cannot be read is among the document's problems.
    content = path.read_bytes() if isinstance(document.value, dict) else b""
    return Written(document=document, path=path, content=content)


def _read(
    source: Written, *, place: Place, registry: Registry, prompts: PromptLibrary
) -> tuple[Document, Suite | None]:
    """Read one suite; what is wrong with it collects in the document, and the suite holds what is right."""
    document, path = source.document, source.path
    if document.value is None and not document.problems:
        document.complain((), "the file is empty.")
    if not isinstance(document.value, dict):
        if not document.problems:
            document.complain((), "a suite is a mapping with the key `suite:`.")
        return document, None
    written = validate(document, SuiteFields, fallback={"suite": path.stem, "cases": None})
    if written is None:
        return document, None
    known = len(document.problems)
    case_reader = CaseReader(document, place=place, scorers=registry.names())
    cases = case_reader.read(written.cases)
    complete = len(document.problems) == known
    variant_reader = VariantReader(document, place=place, registry=registry, prompts=prompts)
    variants = variant_reader.read(written)
    suite = Suite(
        name=written.suite,
        path=path.resolve(),
        shown=document.path,
        description=written.description,
        variants=variants,
        baseline=variant_reader.baseline(written, variants),
        gate_baseline=written.gate_baseline,
        repeats=written.repeats,
        cases=cases,
        gates=written.gates,
        margin=DEFAULT_MARGIN if written.margin is None else written.margin,
        margin_given=written.margin is not None,
        budget=written.budget,
        vars=dict(written.vars),
        hash=content_hash(source.content, *case_reader.contents, *variant_reader.deployed.contents),
    )
    tags = sorted({tag for case in suite.cases for tag in case.tags})
    for tag in written.gates.tags:
        # A case that could not be read may be the one that has it.
        if complete and tag not in tags:
            hint = did_you_mean(tag, tags)
            document.complain(("gates", "tags", tag), f"no case has the tag '{tag}'.", hint=hint, key=True)
    for name in ("not_worse_than_baseline", "better_than_baseline"):
        if getattr(written.gates, name) and len(variant_reader.names) < 2:
            document.complain(("gates", name), f"`{name}:` needs a second variant to compare with.", key=True)
    return document, suite
