"""The files of a new project, read from the package's data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    ".github/workflows/record.yml": "files/github/workflows/record.yml",
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


def contents(*, minimal: bool) -> dict[str, bytes]:
    """Return the files of a new project by their path in it, with slashes.

    Args:
        minimal: Prompts, a suite of three cases and its recordings, and nothing else.

    Raises:
        ConfigError: An installed plugin cannot be used, so that nobody knows what suites may hold.
    """
    package = files("harness.starter")
    found = {
        target: package.joinpath(source).read_bytes() for target, source in (_MINIMAL if minimal else _PROJECT).items()
    }
    if not minimal:
        found[SCHEMA] = _schema()
    found.update(_cassettes(package, minimal=minimal))
    return found


def _cassettes(package: Traversable, *, minimal: bool) -> Iterator[tuple[str, bytes]]:
    for variant in sorted(package.joinpath("files", _CASSETTES).iterdir(), key=lambda one: one.name):
        for cassette in sorted(variant.iterdir(), key=lambda one: one.name):
            if not minimal or cassette.name.partition(".")[0] in _MINIMAL_CASES:
                yield f"{_CASSETTES}/{variant.name}/{cassette.name}", cassette.read_bytes()


def _schema() -> bytes:
    from harness.scorers import default_registry
    from harness.suites.schema import text

    return text("suite", default_registry()).encode()
