"""The commands that keep recordings in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.cli.commands import Command, Group
from harness.cli.options import as_json_option
from harness.cli.output import colors, finish, say, show, show_json, show_rows
from harness.errors import ExitCode, HarnessError, UsageError

if TYPE_CHECKING:
    from harness.costs import PriceTable

F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=Group)
def cassettes() -> None:
    """Keep recordings in order: check, read, compare, count, clean and rename them; nothing is sent."""


def _paths(command: F) -> F:
    return click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")(command)


@cassettes.command(cls=Command)
@_paths
@as_json_option()
def verify(paths: tuple[Path, ...], as_json: bool) -> None:
    """Check that recordings are whole, hold no secret, and belong to a trial; exit code 1 if one cannot be trusted.

    PATH is a file or a folder of recordings; default: all of the project's.
    """
    from harness.hygiene.checking import verify as verified
    from harness.project.project import open_project
    from harness.summary.phrases import count

    found = verified(open_project(paths[0] if paths else None), paths)
    if as_json:
        show_json(found.plain())
    else:
        for one in found.findings:
            show(f"{one.level}: {one.path}: {one.message}")
        show(f"{count(found.files, 'recording')}, {count(found.errors, 'error')}, {count(found.warnings, 'warning')}")
    finish(int(ExitCode.FAILED) if found.errors else 0)


@cassettes.command(cls=Command, name="show")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--slot", "--call", type=click.IntRange(min=1), metavar="N", help="Only the Nth call.")
@as_json_option()
def show_recording(file: Path, slot: int | None, as_json: bool) -> None:
    """Show a recording as a person reads it: what was asked and answered, times, tokens, cost.

    What cannot be read is printed as it is, after a line that says why, so that git can use this as its textconv:

    git config diff.cassette.textconv "harness cassettes show"
    """
    from harness.errors import CassetteDamaged
    from harness.hygiene.showing import described, told
    from harness.recording.read import parse_cassette
    from harness.reports import clean

    raw = _content(file)
    try:
        cassette = parse_cassette(raw, shown=str(file))
    except CassetteDamaged as error:
        if as_json:
            raise
        show(f"# {error.message.removeprefix(f'{file} ')}")
        # A stranger's file may hold what commands a terminal.
        show(clean.block(raw.decode("utf-8", errors="replace")).rstrip("\n"))
        return
    if slot is not None and all(one.slot != slot for one in cassette.interactions):
        there = ", ".join(str(number) for number in sorted({one.slot for one in cassette.interactions}))
        raise UsageError(f"{file} has no call {slot}; there are: {there}")
    prices = _prices(file, cassette.facts.prices)
    if as_json:
        show_json(described(cassette, slot=slot, prices=prices))
    else:
        show(told(cassette, slot=slot, prices=prices))


@cassettes.command(cls=Command)
@_paths
@click.option("--by", type=click.Choice(["suite", "variant", "model"]), help="One row for each.")
@as_json_option()
def stats(paths: tuple[Path, ...], by: str | None, as_json: bool) -> None:
    """Count recordings: files, calls, bytes, tokens, cost, age, and what cannot be recorded again."""
    from harness.hygiene.counting import counted
    from harness.project.project import open_project

    rows = counted(open_project(paths[0] if paths else None), paths, by=by)
    show_json(rows) if as_json else show_rows(rows)


@cassettes.command(cls=Command)
@_paths
@click.option("--write", is_flag=True, help="Delete them.")
@click.option("--force", is_flag=True, help="Delete also what cannot be recorded again.")
@as_json_option()
def prune(paths: tuple[Path, ...], write: bool, force: bool, as_json: bool) -> None:
    """List recordings that belong to no suite, variant, case or repeat any more, and delete them with --write.

    Nothing is deleted as long as a suite does not load, and nothing outside the folder of recordings.
    """
    from harness.hygiene.pruning import remove, surplus
    from harness.project.project import open_project
    from harness.summary.phrases import count

    project = open_project(paths[0] if paths else None)
    found = surplus(project, paths)
    going = {one.path: one for one in found if one.kept is None or force}
    if write:
        remove(list(going.values()), settings=project.settings)
    if as_json:
        show_json([{**one.plain(), "deleted": write and one.path in going} for one in found])
        return
    for one in found:
        stays = "" if one.path in going else f"; kept without --force: {one.kept}"
        show(f"{'deleted ' if write and one.path in going else ''}{one.shown}: {one.why}{stays}")
    if not found:
        say("every recording belongs to a trial")
    elif not write and going:
        say(f"{count(len(going), 'file')} to delete: `harness cassettes prune --write`")


@cassettes.command(cls=Command)
@_paths
@click.option("--write", is_flag=True, help="Write the files.")
@as_json_option()
def scrub(paths: tuple[Path, ...], write: bool, as_json: bool) -> None:
    """List recordings that hold what is a secret today, and take it out of them with --write.

    Secrets are the values of variables whose names say so, and whatever has the shape of a key. Scrubbed recordings
    replay as before.
    """
    from harness.hygiene.scrubbing import scrub as scrubbed
    from harness.project.project import open_project
    from harness.summary.phrases import count

    project = open_project(paths[0] if paths else None)
    found = scrubbed(project, paths, write=write)
    if as_json:
        show_json([one.plain() for one in found])
    else:
        for one in found:
            show(one.text)
    left = [one for one in found if one.problem]
    changed = len(found) - len(left)
    if write:
        say(f"{count(changed, 'recording')} written")
    elif changed:
        say(f"{count(changed, 'recording')} to write: `harness cassettes scrub --write`")
    elif not left:
        say("no recording holds a secret")
    finish(int(ExitCode.FAILED) if left else 0)


@cassettes.command(cls=Command)
@click.argument("a")
@click.argument("b", required=False)
@as_json_option()
def diff(a: str, b: str | None, as_json: bool) -> None:
    """Show what was asked and answered differently in two recordings, and the change in time, tokens and cost.

    A and B are files, or files as of a commit: REF:path. Without B, A is compared with what it was in the last commit.
    """
    from harness.hygiene.differing import plain, side, told

    after = side(b if b is not None else a)
    before = side(a if b is not None else f"HEAD:{a}")
    show_json(plain(before, after)) if as_json else show(told(before, after, color=colors()))


@cassettes.command(cls=Command)
@click.argument("old", required=False)
@click.argument("new", required=False)
@click.option("--write", is_flag=True, help="Move what is proposed; with OLD and NEW it is done anyway.")
@as_json_option()
def mv(old: str | None, new: str | None, write: bool, as_json: bool) -> None:
    """Give recordings the new name of what was renamed, so that nothing is paid for twice.

    OLD and NEW are SUITE/VARIANT, SUITE//CASE, SUITE/VARIANT/CASE or SUITE, or paths in the folder of recordings.
    Nothing is written over. Without them, recordings that no trial has any more are tried for trials that have none:
    where all requests are the same, the move is proposed, and made with --write.
    """
    from harness.hygiene import moving
    from harness.hygiene.recognising import recognised
    from harness.project.project import open_project
    from harness.summary.phrases import count

    if old is not None and new is None:
        raise UsageError("say what it is called now, too: harness cassettes mv OLD NEW")
    project = open_project()
    found = recognised(project) if old is None or new is None else moving.renamed(project, old, new)
    if write or old is not None:
        moving.move(found, settings=project.settings)
    if as_json:
        show_json([one.plain() for one in found])
        return
    for line in moving.told(found):
        show(line)
    if not found:
        say("no recording fits a trial that has none" if old is None else "nothing to move")
    elif old is None and not write:
        say(f"{count(len(found), 'recording')} to move: `harness cassettes mv --write`")


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from None


def _prices(file: Path, wanted: str | None) -> PriceTable | None:
    """The price table called `wanted`, if it is that of the project around a file or around the working folder."""
    from harness.costs import PriceTable
    from harness.settings import load_settings

    for start in (file, None):
        try:
            table = PriceTable(load_settings(start).prices)
        except HarnessError:
            continue
        if table.id == wanted:
            return table
    return None
