"""pytest's options and ini values as settings of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import ConfigError, Problem
from harness.project import project
from harness.settings import load_settings


def open_project(config: pytest.Config, path: Path) -> project.Project:
    """Open the project that a suite file belongs to: pyproject.toml < ini < HARNESS_* < options.

    Args:
        config: Of the pytest session.
        path: A suite's file.

    Raises:
        ConfigError: The settings are wrong.
    """
    return project.open_project(
        path,
        record_mode=_asked_mode(config),
        usual_record_mode=_ini(config, "record_mode"),
        strict=strict(config),
        concurrency=number(config, "concurrency"),
        budget=config.getoption("harness_budget") or _ini(config, "budget"),
        reports=reports(config),
    )


def record_mode(config: pytest.Config, path: Path) -> str:
    """Return the record mode of tests beside `path`, as options, environment, ini and settings have it.

    Raises:
        ConfigError: The settings are wrong.
    """
    usual = _ini(config, "record_mode")
    return load_settings(path, record_mode=_asked_mode(config), usual_record_mode=usual).record_mode


def _asked_mode(config: pytest.Config) -> str | None:
    """Return the mode that an option asks for; pytest-recording's, where it is installed, is shared."""
    asked: str | None = config.getoption("harness_record_mode") or config.getoption("record_mode", None)
    return asked


def strict(config: pytest.Config) -> bool | None:
    """Return whether an option or the ini file asks for strict replay; None: the environment or the settings say."""
    if config.getoption("harness_strict"):
        return True
    return None if os.environ.get("HARNESS_STRICT") else bool(config.getini("harness_strict")) or None


def number(config: pytest.Config, name: str) -> int | None:
    """Return a count from `--harness-<name>`, HARNESS_<NAME> or the ini twin, or None.

    Raises:
        ConfigError: It is no number of 1 or more.
    """
    asked: int | None = config.getoption(f"harness_{name}")
    if asked is not None:
        return asked
    text = os.environ.get(f"HARNESS_{name.upper()}") or str(config.getini(f"harness_{name}"))
    if text and (not text.isdecimal() or int(text) < 1):
        raise ConfigError(Problem(message=f"harness_{name} = {text!r} is not a number of 1 or more."))
    return int(text) if text else None


def variants(config: pytest.Config) -> tuple[str, ...]:
    """Return the variants to run; empty: all."""
    asked: list[str] | None = config.getoption("harness_variant")
    if asked is None and "HARNESS_VARIANT" in os.environ:
        asked = os.environ["HARNESS_VARIANT"].split()
    return tuple(asked if asked is not None else config.getini("harness_variant"))


def reports(config: pytest.Config) -> Path | None:
    """Return the folder for reports that options or ini ask for, or None."""
    asked: str | None = config.getoption("harness_report")
    if asked:
        return config.invocation_params.dir / asked
    text = _ini(config, "report", environ="HARNESS_REPORTS")
    base = config.inipath.parent if config.inipath else config.rootpath
    return base / text if text else None


def _ini(config: pytest.Config, name: str, *, environ: str | None = None) -> str | None:
    """Return an ini value, or None where it is not set or a HARNESS_* variable wins."""
    if os.environ.get(environ or f"HARNESS_{name.upper()}"):
        return None
    return str(config.getini(f"harness_{name}")) or None
