"""`harness prompts show`, `diff` and `render` from the outside."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from harness.reports import linediff
from tests.projects import harness, write

ONE = """\
---
description: First draft
variables:
  company: {type: string, default: Acme}
---
You answer for {{ company }}.
Be kind.

Never promise a refund.
Sign with your name.
"""
TWO = """\
---
description: Shorter
variables:
  company: {type: string, default: Acme}
  tone: {type: string, enum: [plain, warm], description: how it sounds}
  limits: {type: array}
defaults: {temperature: 0.2}
---
{% chat role="system" %}
You answer for {{ company }} in a {{ tone }} tone, at most {{ limits[0] }} words.
{% endchat %}
{% chat role="user" %}{{ input }}{% endchat %}
"""
SUITE = """\
suite: help
model: m
variants:
  v1: {prompt: help@1}
  v2: {prompt: help@2, vars: {tone: warm, limits: [5]}}
vars: {company: Suite Ltd}
cases:
  - {id: hours, input: When are you open?, vars: {company: Case Ltd}}
  - {id: talk, turns: [{input: Hi}, {input: "{{ company }}?"}]}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    files = {"prompts/help/1.j2": ONE, "prompts/help/2.j2": TWO, "suites/help.yaml": SUITE}
    return write(tmp_path, files)


def git(*arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@x", *arguments], check=True, capture_output=True)


# show


def test_a_prompt_is_shown_with_its_lineage_its_variables_and_its_text(project: Path) -> None:
    shown = harness("prompts", "show", "help")
    assert shown.exit_code == 0
    head, _, body = shown.stdout.partition("\n\n")
    assert head.splitlines()[0] == "help@2  prompts/help/2.j2"
    assert [" ".join(line.split()) for line in head.splitlines()[1:]] == [
        "description Shorter",
        "parent 1",
        "versions 1, 2",
        'defaults {"temperature": 0.2}',
        'variable company: string, default "Acme"',
        'variable tone: string, one of "plain", "warm", needed, how it sounds',
        "variable limits: array, needed",
    ]
    assert body.startswith('{% chat role="system" %}\nYou answer')


def test_a_prompt_is_shown_as_json(project: Path) -> None:
    found = json.loads(harness("prompts", "show", "help@1", "--json").stdout)
    assert (found["prompt"], found["parent"], found["versions"]) == ("help@1", None, ["1", "2"])
    assert found["variables"] == {"company": {"type": "string", "default": "Acme"}}
    assert found["body"].startswith("You answer for {{ company }}.\n")


def test_a_prompt_is_shown_as_of_a_commit(project: Path) -> None:
    git("init", "-b", "main")
    git("add", ".")
    git("commit", "-m", "x")
    (project / "prompts/help/1.j2").write_text(ONE.replace("Be kind.", "Be quick."))
    assert "Be quick." in harness("prompts", "show", "help@1").stdout
    shown = harness("prompts", "show", "help@1@git:main").stdout
    assert "Be kind." in shown
    assert "main:prompts/help/1.j2" in shown
    changed = harness("prompts", "diff", "help@1@git:main", "help@1").stdout
    assert "Be [-kind-]{+quick+}." in changed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "helb"), "no prompt 'helb' in prompts/. Did you mean 'help'?"),
        (("show", "help@7"), "prompt 'help' has no version 7. There are: 1, 2."),
        (("diff", "help@1", "help@git:main"), "git"),
        (("render", "a b"), "'a b' is no prompt reference."),
        (("shwo", "help"), "there is no command 'prompts shwo'. Did you mean 'show'?"),
        (("render", "help@1", "--case", "help"), "write SUITE::CASE"),
        (("render", "help@1", "--case", "hlep::hours"), "no suite is called 'hlep'. Did you mean 'help'?"),
        (("render", "help@1", "--case", "help::hour"), "has no case 'hour'. Did you mean 'hours'?"),
        (("render", "help@1", "--var", "company"), "write NAME=VALUE"),
        (("render", "help@1", "--case", "help::hours", "--var", "input=x"), "the input comes from the case"),
        (
            ("render", "help@2", "--var", "tone=loud", "--var", "limits=[1]"),
            'should be one of "plain", "warm", not "loud"',
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_message(project: Path, arguments: tuple[str, ...], message: str) -> None:
    found = harness("prompts", *arguments)
    assert found.exit_code == 2
    assert message in found.stderr
    assert found.stdout == ""


# diff


def test_words_that_differ_are_marked_and_the_lines_around_them_are_shown(project: Path) -> None:
    write(project, {"prompts/help/3.j2": ONE.replace("kind", "very short").replace("Sign with your name.\n", "")})
    found = harness("prompts", "diff", "help@1", "help@3")
    assert found.exit_code == 0
    assert (
        found.stdout
        == """\
--- prompts/help/1.j2
+++ prompts/help/3.j2
@@ -4,7 +4,6 @@
  company: {type: string, default: Acme}
---
You answer for {{ company }}.
Be [-kind-]{+very short+}.

Never promise a refund.
[-Sign with your name.-]
"""
    )


def test_the_same_prompt_twice_is_said_to_be_the_same(project: Path) -> None:
    found = harness("prompts", "diff", "help", "help@2")
    assert (found.exit_code, found.stdout) == (0, "")
    assert "are the same" in found.stderr


def test_a_terminal_gets_colours_unless_it_wants_none(project: Path) -> None:
    write(project, {"prompts/help/3.j2": ONE.replace("kind", "short")})

    def on_a_terminal(**environ: str) -> str:
        master, slave = pty.openpty()
        command = [sys.executable, "-m", "harness", "prompts", "diff", "help@1", "help@3"]
        subprocess.run(command, stdout=slave, check=True, env={**os.environ, **environ})
        os.close(slave)
        shown = os.read(master, 100_000).decode()
        os.close(master)
        return shown

    assert "Be \x1b[31mkind\x1b[0m\x1b[32mshort\x1b[0m." in on_a_terminal()
    assert "Be [-kind-]{+short+}." in on_a_terminal(NO_COLOR="1")


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("a\nb\n", "a\n  b\n", ["[-b-]", "  {+b+}"]),
        ("a\n", "a\n\nb\n", ["{+⏎+}", "{+b+}"]),
        ("one two three four", "one four", ["one [-two three-] four"]),
        ("x\x1b[31m", "y", ["[-x-]{+y+}"]),
    ],
)
def test_white_space_blank_lines_and_what_terminals_obey(before: str, after: str, shown: list[str]) -> None:
    found = linediff.render(before, after, names=("A", "B")).splitlines()
    assert [line for line in found[3:] if line in shown] == shown
    assert "\x1b" not in "".join(found)


# render


def test_a_prompt_is_rendered_for_a_case_with_the_variables_of_its_variant(project: Path) -> None:
    found = harness("prompts", "render", "help", "--case", "help::hours")
    assert found.stdout == (
        "system:\nYou answer for Case Ltd in a warm tone, at most 5 words.\n\nuser:\nWhen are you open?\n"
    )
    plain = json.loads(harness("prompts", "render", "help@2", "--case", "suites/help.yaml::talk", "--json").stdout)
    assert plain["prompt"] == "help@2"
    assert [(one["turn"], one["role"], one["content"]) for one in plain["messages"]] == [
        (1, "system", "You answer for Suite Ltd in a warm tone, at most 5 words."),
        (1, "user", "Hi"),
        (2, "user", "Suite Ltd?"),
    ]
    assert "user, turn 2:\nSuite Ltd?" in harness("prompts", "render", "help@2", "--case", "help::talk").stdout


def test_what_is_rendered_is_what_a_run_sends(project: Path) -> None:
    """The hash is that of the results."""
    from harness.project.project import load, open_project

    opened = open_project()
    suite = load(opened, [project / "suites/help.yaml"])[0]
    _, sent = opened.renderer().turns(suite, suite.cases[0], suite.variants[1])
    plain = json.loads(harness("prompts", "render", "help@2", "--case", "help::hours", "--json").stdout)
    assert plain["hash"] == sent.hash


def test_variables_are_given_by_hand_and_win(project: Path) -> None:
    given = ("--var", "tone=plain", "--var", "limits=[9, 10]", "--var", "company={x}")
    found = harness("prompts", "render", "help@2", *given)
    assert found.stdout == "system:\nYou answer for {x} in a plain tone, at most 9 words.\n\nuser:\n{{ input }}\n"
    found = harness("prompts", "render", "help@2", *given, "--var", "input=Hello?")
    assert found.stdout.endswith("user:\nHello?\n")
    found = harness("prompts", "render", "help@2", "--case", "help::hours", "--var", "company=Me")
    assert "You answer for Me in a warm tone" in found.stdout


def test_all_missing_variables_are_named_with_the_options_that_give_them(project: Path) -> None:
    found = harness("prompts", "render", "help@2")
    assert found.exit_code == 2
    assert found.stderr.strip() == (
        "prompt help@2 needs `tone` (prompts/help/2.j2:5:3), `limits` (prompts/help/2.j2:6:3). "
        "Give --var tone=... --var limits=...."
    )
    found = harness("prompts", "render", "help@2", "--var", "tones=warm")
    assert "Did you mean 'tone'?" in found.stderr


def test_a_broken_suite_does_not_hide_the_case_of_another(project: Path) -> None:
    write(project, {"suites/broken.yaml": "suite: broken\ncases: 7\n"})
    assert harness("prompts", "render", "help@2", "--case", "help::hours").exit_code == 0
    found = harness("prompts", "render", "help@2", "--case", "broken::x")
    assert (found.exit_code, "suites/broken.yaml:2" in found.stderr) == (2, True)


def test_a_variable_that_the_prompt_does_not_know_is_refused(project: Path) -> None:
    ran = harness("prompts", "render", "help@2", "--var", "compny=Acme")
    assert ran.exit_code == 2
    assert "--var compny: help@2 has no such variable. Did you mean 'company'?" in ran.output
