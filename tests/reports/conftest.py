from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opened import FLAGS, Opened
from samples import Sample, make_sample


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser; a test that needs one is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium on the path")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Opened]:
    """Opens pages, and has heard by the end of a test that none of them asked for anything or complained."""
    found = Opened(chromium, tmp_path)
    yield found
    found.close()


@pytest.fixture(scope="session")
def sample() -> Sample:
    return make_sample()
