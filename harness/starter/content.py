"""The files of a new project, read from the package's data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

#: Where a project's schema for editors lies, relative to its folder.
SCHEMA = ".harness/suite.schema.json"

#: By path in the new project, the path in the package: names that begin with a dot are kept without it.
_PROJECT: Mapping[str, str] = {
    "pyproject.toml": "files/pyproject.toml",
    "README.md": "files/README.md",
    ".gitignore": "files/gitignore",
    ".gitattributes": "files/gitattributes",
    ".pre-commit-config.yaml": "files/pre-commit-config.yaml",
    ".github/workflows/evals.yml": "files/github/workflows/evals.yml",
    "prompts/reply/1.j2": "files/prompts/reply/1.j2",
    "prompts/reply/2.j2": "files/prompts/reply/2.j2",
    "suites/reply.yaml": "files/suites/reply.yaml",
    "suites/checks.py": "files/suites/checks.py",
}
_MINIMAL: Mapping[str, str] = {
    "prompts/reply/1.j2": "files/prompts/reply/1.j2",
    "prompts/reply/2.j2": "files/prompts/reply/2.j2",
    "suites/reply.yaml": "minimal/suites/reply.yaml",
}
_MINIMAL_CASES = ("weekend-price", "move-booking", "chain")
_CASSETTES = "cassettes/reply"


def contents(*, minimal: bool, schema: Callable[[], bytes] | None = None) -> dict[str, bytes]:
    """Return the files of a new project by their path in it, with slashes.

    Args:
        minimal: Prompts, a suite of three cases and its recordings, and nothing else.
        schema: Makes the JSON Schema of suites; without one, suites name none.
    """
    package = files("harness.starter")
    found = {
        target: package.joinpath(source).read_bytes() for target, source in (_MINIMAL if minimal else _PROJECT).items()
    }
    if schema is not None and not minimal:
        found[SCHEMA] = schema()
        found["suites/reply.yaml"] = _naming_schema(found["suites/reply.yaml"])
    found.update(_cassettes(package, minimal=minimal))
    return found


def _cassettes(package: Traversable, *, minimal: bool) -> Iterator[tuple[str, bytes]]:
    for variant in sorted(package.joinpath("files", _CASSETTES).iterdir(), key=lambda one: one.name):
        for cassette in sorted(variant.iterdir(), key=lambda one: one.name):
            if not minimal or cassette.name.partition(".")[0] in _MINIMAL_CASES:
                yield f"{_CASSETTES}/{variant.name}/{cassette.name}", cassette.read_bytes()


def _naming_schema(suite: bytes) -> bytes:
    return f"# yaml-language-server: $schema=../{SCHEMA}\n".encode() + suite
