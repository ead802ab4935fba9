"""`harness`, and the commands it has."""

from __future__ import annotations

import click

from harness import __version__
from harness.cli import cassettes, comparing, looking, prompts, running, runs, simulate
from harness.cli.commands import Root


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="harness")
def main() -> None:
    """Evaluate prompts and agents: recorded once, replayed offline, compared with honest statistics."""


for _command in (
    looking.init,
    running.run,
    running.record,
    running.show_plan,
    comparing.compare,
    runs.report,
    looking.validate,
    looking.schema,
    looking.list_things,
    looking.doctor,
    prompts.prompts,
    cassettes.cassettes,
    simulate.simulate,
):
    main.add_command(_command)
