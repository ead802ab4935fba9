"""What a person is told to add to files of their own, which `harness init` does not touch."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

_EXCLUDE = re.compile(r"^exclude\s*:\s*(?P<pattern>.*)$", re.MULTILINE)


def advice(root: Path, kept: Sequence[str], content: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return what to add to the files that were kept, and where another project is in the way; often nothing.

    Args:
        root: The new project's folder.
        kept: Paths in it of the files that were there already, with other content.
        content: What they would have held.
    """
    rules: Mapping[str, Callable[[str, str], str | None]] = {
        "pyproject.toml": _settings,
        ".gitignore": _missing_lines,
        ".gitattributes": _missing_lines,
        ".pre-commit-config.yaml": _excluded,
    }
    found: list[str] = []
    for name in kept:
        if name in rules:
            added = rules[name](_text(root / name), content[name].decode())
            if added:
                found.append(f"add to {name}{added}")
    return (*found, *_mixed(kept), *_outer(root))


def has_settings(pyproject: Path) -> bool:
    """Whether a pyproject.toml is there, readable, and has a table [tool.harness]."""
    return pyproject.is_file() and _announces(_text(pyproject))


def _announces(text: str) -> bool:
    try:
        tool = tomllib.loads(text).get("tool")
    except tomllib.TOMLDecodeError:
        return False
    return isinstance(tool, dict) and "harness" in tool


def _settings(there: str, ours: str) -> str | None:
    try:
        tables = tomllib.loads(there).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        return f", once it can be read ({error}):\n" + _block(ours).removeprefix(":\n")
    if not isinstance(tables, dict) or "harness" not in tables:
        return _block(ours)
    table = tables["harness"]
    if not isinstance(table, dict):
        return None
    own = {name: str(table.get(name, name)) for name in ("suites", "prompts", "cassettes")}
    named = [f"{name} = {folder!r}" for name, folder in own.items() if PurePosixPath(folder) != PurePosixPath(name)]
    return f" folders that fit: it says {', '.join(named)}, and there the new files are not found" if named else None


def _missing_lines(there: str, ours: str) -> str | None:
    present = {line.strip() for line in there.splitlines()}
    missing = [line for line in ours.splitlines() if not line.startswith("#") and line not in present]
    return _block("\n".join(missing)) if missing else None


def _excluded(there: str, ours: str) -> str | None:
    wanted = _EXCLUDE.search(ours)
    present = _EXCLUDE.search(there)
    if wanted is None or "cassettes" in (present["pattern"] if present else ""):
        return None
    if present is None:
        return f", so that no hook tidies the recordings:\n    {wanted[0]}"
    return (
        f", so that no hook tidies the recordings, this alternative in `exclude`:\n    {wanted['pattern']}"
        f"\n  which is now:\n    {present['pattern'] or '(on the lines below it)'}"
    )


def _mixed(kept: Sequence[str]) -> Iterator[str]:
    theirs = [name for name in kept if name.split("/")[0] in ("prompts", "suites", "cassettes")]
    if theirs:
        yield (
            f"{', '.join(theirs)} {'is' if len(theirs) == 1 else 'are'} yours and not the starter's, so its recordings may "
            "not match; `harness init` in an empty folder shows the starter as it was"
        )


def _outer(root: Path) -> Iterator[str]:
    if has_settings(root / "pyproject.toml"):
        return
    outer = next((folder for folder in root.parents if has_settings(folder / "pyproject.toml")), None)
    if outer is not None:
        yield (
            f"{outer / 'pyproject.toml'} has [tool.harness], so the project is {outer} and not this folder. "
            f"For a project of its own, add to {root / 'pyproject.toml'}:\n    [tool.harness]"
        )


def _block(text: str) -> str:
    return ":\n" + "\n".join(f"    {line}" for line in text.strip().splitlines())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
