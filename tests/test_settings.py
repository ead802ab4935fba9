"""Settings: where they come from, which one wins, and what is said about wrong ones."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from harness.amounts import Duration, Money
from harness.errors import ConfigError, UsageError
from harness.settings import Settings, load_settings


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(
    project: Path, toml: str = "[tool.harness]\n", environ: dict[str, str] | None = None, **flags: Any
) -> Settings:
    (project / "pyproject.toml").write_text(toml)
    return load_settings(project, environ=environ or {}, **flags)


def problems(project: Path, toml: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings(project, toml)
    return [str(problem).splitlines()[0] for problem in caught.value.problems]


def test_defaults(project: Path) -> None:
    found = settings(project)
    assert found.root == project
    assert [found.suites, found.prompts, found.cassettes, found.reports] == [
        project / name for name in ("suites", "prompts", "cassettes", "reports")
    ]
    assert (found.record_mode, found.concurrency, found.timeout, found.prices) == ("none", None, 120.0, {})
    assert (found.retry.attempts, found.retry.backoff, found.retry.factor, found.retry.jitter) == (3, 0.5, 2.0, 0.2)


def test_a_folder_without_a_project_is_its_own_root(project: Path) -> None:
    assert load_settings(project, environ={}).root == project


def test_the_root_is_the_nearest_folder_upward_that_says_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = project / "services" / "bot"
    inner.mkdir(parents=True)
    (inner / "pyproject.toml").write_text("[project]\nname = 'bot'\n")
    (project / "pyproject.toml").write_text("[tool.harness]\n")
    monkeypatch.chdir(inner)
    assert load_settings(environ={}).root == project


def test_a_mention_in_a_comment_makes_no_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = project / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("# settings of tool.harness stand one folder up\n")
    (project / "pyproject.toml").write_text("[tool.harness.retry]\nattempts = 7\n")
    monkeypatch.chdir(inner)
    assert load_settings(environ={}).retry.attempts == 7


def test_a_suite_elsewhere_brings_its_own_project(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "pyproject.toml").write_text("[tool.harness]\nconcurrency = 5\n")
    (other / "suites").mkdir()
    found = load_settings(other / "suites" / "s.yaml", environ={})
    assert (found.root, found.concurrency) == (other, 5)


def test_everything_can_be_set(project: Path) -> None:
    found = settings(
        project,
        """
        [tool.harness]
        suites = "evals"
        record_mode = "once"
        concurrency = 4
        timeout = "2m"
        retry = {attempts = 5, backoff = "250ms", longest = 10}
        [tool.harness.prices."local model"]
        input = "$0.10"
        output = 0.4
        cached_input = "0.01"
        note = "an example rate"
        """,
    )
    assert (found.suites, found.record_mode, found.concurrency, found.timeout) == (project / "evals", "once", 4, 120.0)
    assert (found.retry.attempts, found.retry.backoff, found.retry.longest) == (5, 0.25, 10.0)
    price = found.prices["local model"]
    assert (price.input, price.output, price.cached_input, price.note) == (
        Decimal("0.10"),
        Decimal("0.4"),
        Decimal("0.01"),
        "an example rate",
    )


def test_variables_win_over_the_file_and_flags_over_variables(project: Path) -> None:
    toml = "[tool.harness]\nconcurrency = 1\nrecord_mode = 'none'\ntimeout = 1\n"
    environ = {
        "HARNESS_CONCURRENCY": "2",
        "HARNESS_RECORD_MODE": "once",
        "HARNESS_NO_SUCH_THING": "1",
        "HARNESS_RETRIES": "4",
    }
    found = settings(project, toml, environ, concurrency=3, record_mode=None)
    assert (found.concurrency, found.record_mode, found.timeout, found.retry.attempts) == (3, "once", 1.0, 5)


def test_an_empty_variable_is_none(project: Path) -> None:
    assert settings(project, environ={"HARNESS_RECORD_MODE": ""}).record_mode == "none"


@pytest.mark.parametrize(
    ("environ", "flags", "message"),
    [
        ({"HARNESS_CONCURRENCY": "many"}, {}, "HARNESS_CONCURRENCY"),
        ({"HARNESS_RECORD_MODE": "sometimes"}, {}, "HARNESS_RECORD_MODE"),
        ({"HARNESS_RETRIES": "-1"}, {}, "HARNESS_RETRIES"),
        ({}, {"timeout": "soon"}, "--timeout"),
        ({}, {"record_mode": "new"}, "--record-mode"),
        ({}, {"attempts": 0}, "--retries"),
    ],
)
def test_wrong_variables_and_flags_are_named(
    project: Path, environ: dict[str, str], flags: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        settings(project, "[tool.harness]\n", environ, **flags)


def test_every_mistake_in_the_file_is_said_with_its_line(project: Path) -> None:
    assert problems(
        project,
        "[project]\nname = 'x'\nconcurency = 'not ours'\n[tool.harness]\nconcurency = 4\ntimeout = 'soon'\n"
        "record_mode = 'new'\n[tool.harness.retry]\natempts = 3\n[tool.harness.prices.m]\ninput = 'free'\noutput = 1\n",
    ) == [
        "pyproject.toml:5:1: unknown setting 'tool.harness.concurency'. Did you mean 'concurrency'?",
        "pyproject.toml:6:1: tool.harness.timeout: 'soon' is no duration; write 250ms, 4s or 2m.",
        "pyproject.toml:7:1: tool.harness.record_mode: input should be 'none', 'once', 'new_episodes', 'rewrite', 'all' or 'verify'.",
        "pyproject.toml:9:1: unknown setting 'tool.harness.retry.atempts'. Did you mean 'attempts'?",
        "pyproject.toml:11:1: tool.harness.prices.m.input: 'free' is no amount of money; write $0.002.",
    ]


@pytest.mark.parametrize(
    "toml",
    [
        "[tool.harness\n",
        "[tool.harness]\na = \n",
        "[tool]\nharness = 3\n",
        "tool = 'harness' # tool.harness\n",
        "[tool.harness]\nroot = '/'\n",
    ],
)
def test_a_file_that_makes_no_sense_is_a_config_error(project: Path, toml: str) -> None:
    assert problems(project, toml)[0].startswith("pyproject.toml:")


def test_folders_outside_the_project_are_refused(project: Path) -> None:
    (found,) = problems(project, "[tool.harness]\nreports = '../elsewhere'\n")
    assert found.startswith("pyproject.toml:2:1: tool.harness.reports: ")


def test_what_is_shown_holds_no_path_of_this_machine(project: Path) -> None:
    shown = settings(project, "[tool.harness]\nsuites = 'evals'\n").shown()
    assert (shown["suites"], shown["reports"]) == ("evals", "reports")
    assert str(project) not in repr(shown)


# -- durations and money

_DURATION: TypeAdapter[float] = TypeAdapter(Duration)
_MONEY: TypeAdapter[Decimal] = TypeAdapter(Money)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("250ms", 0.25),
        ("4s", 4.0),
        ("2m", 120.0),
        ("1.5h", 5400.0),
        ("1 s", 1.0),
        ("3", 3.0),
        (3, 3.0),
        (0.5, 0.5),
        (0, 0.0),
    ],
)
def test_durations(written: Any, seconds: float) -> None:
    assert _DURATION.validate_python(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "s", "4 sec", "-1s", -1, True, None, "1e3", "4s2m", [], float("nan"), float("inf")]
)
def test_no_durations(written: Any) -> None:
    with pytest.raises(ValidationError, match="is no duration; write 250ms, 4s or 2m"):
        _DURATION.validate_python(written)


@pytest.mark.parametrize(
    ("written", "dollars"),
    [("$0.002", "0.002"), ("0.5", "0.5"), (0.1, "0.1"), (3, "3"), (" $1 ", "1"), ("1e-6", "0.000001"), (1e-7, "1E-7")],
)
def test_money(written: Any, dollars: str) -> None:
    assert _MONEY.validate_python(written) == Decimal(dollars)


@pytest.mark.parametrize("written", ["", "$", "cheap", "-1", -1, True, None, "nan", "inf", "€3", [], "1,000"])
def test_no_money(written: Any) -> None:
    with pytest.raises(ValidationError, match="is no amount of money"):
        _MONEY.validate_python(written)


@given(st.one_of(st.text(max_size=12), st.floats(), st.integers(), st.none(), st.lists(st.integers(), max_size=2)))
def test_anything_else_is_refused_without_a_crash(written: Any) -> None:
    for adapter in (_DURATION, _MONEY):
        try:
            assert adapter.validate_python(written) >= 0
        except ValidationError:
            pass
