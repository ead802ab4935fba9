"""A project that was recorded once, and a copy of it for each test."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.listening import recorded


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two trials, one with a tool call; not to be changed."""
    root = tmp_path_factory.mktemp("original")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        recorded(root)
    shutil.rmtree(root / "reports")
    return root


@pytest.fixture
def shop(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a copy of that project, in an environment without secrets."""
    for name in list(os.environ):
        if name.endswith(("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")):
            monkeypatch.delenv(name)
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path
