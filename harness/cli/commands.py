"""What all commands have in common: `--debug`, hints at names that were meant, and errors as messages."""

from __future__ import annotations

import io
import sys
import traceback
from typing import Any

import click

from harness.cli.output import say
from harness.cli.streams import make_lasting
from harness.errors import ExitCode, HarnessError


def _noted(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_root().meta[__name__] = True


def _debug() -> click.Option:
    return click.Option(
        ["--debug"],
        envvar="HARNESS_DEBUG",
        is_flag=True,
        expose_value=False,
        callback=_noted,
        help="Show tracebacks of errors.",
    )


class Command(click.Command):
    """A command with `--debug`."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params.append(_debug())


class Group(click.Group):
    """Suggests the command that may have been meant."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params.append(_debug())

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        from harness.errors import did_you_mean

        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            path = ctx.command_path
            hint = did_you_mean(name, self.list_commands(ctx)) or f"See `{path} --help`."
            said = " ".join([*path.split()[1:], name])
            raise click.UsageError(f"there is no command '{said}'. {hint}", ctx)
        return super().resolve_command(ctx, args)


class Root(Group):
    """Turns every error that is ours into a message and its exit code; a traceback only with --debug."""

    def invoke(self, ctx: click.Context) -> Any:
        make_lasting()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A character that a terminal or file cannot take must not cost the rest of what is said.
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except HarnessError as error:
            say(traceback.format_exc() if ctx.meta.get(__name__) else str(error))
            ctx.exit(int(error.exit_code))
        except KeyboardInterrupt:
            say("interrupted")
            ctx.exit(int(ExitCode.INTERRUPTED))
