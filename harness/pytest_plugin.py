"""The pytest plugin: its options, and the way into `harness.pytesting` for runs that hold a suite.

It is loaded in every pytest run, so it imports nothing but pytest; the rest starts with the first suite.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.modes import RECORD_MODES, modes_in_words

if TYPE_CHECKING:
    from harness.library.testing import TestSession
    from harness.pytesting.clients import ScriptedClients
    from harness.pytesting.session import SuiteSession

#: Name under which the session's suites are registered with pytest, once there are any.
SUITES = "harness-suites"

_SUFFIXES = (".yaml", ".yml")
#: A look at the text, before anything is imported that could look properly.
_SUITE_KEY = re.compile(rb"""^(?:\xef\xbb\xbf)?["']?suite["']?[ \t]*:""", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    group = parser.getgroup("harness", "suites of prompts and agents")
    if not _recording_installed(pluginmanager):
        _add_record_mode(parser)
    group.addoption(
        "--harness-record-mode",
        choices=RECORD_MODES,
        help="Record mode of suites, where --record-mode is not meant for them.",
    )
    group.addoption(
        "--harness-variant",
        action="append",
        metavar="NAME",
        help="Run only this variant of the suites (repeatable).",
    )
    group.addoption("--harness-repeats", type=_count, metavar="N", help="Repeats of each case, instead of the suite's.")
    group.addoption("--harness-concurrency", type=_count, metavar="N", help="Trials of suites at the same time.")
    group.addoption("--harness-budget", metavar="MONEY", help="Spend no more than this on live requests, such as $5.")
    group.addoption(
        "--harness-strict", action="store_true", help="A recorded request that a trial does not make fails it."
    )
    group.addoption("--harness-report", metavar="DIR", help="Folder for the run's results and reports.")
    parser.addini("harness_record_mode", f"Record mode of suites: {', '.join(RECORD_MODES)}.", default="")
    parser.addini(
        "harness_strict", "A recorded request that a trial does not make fails it.", type="bool", default=False
    )
    parser.addini("harness_variant", "Variants of suites to run.", type="args", default=[])
    parser.addini("harness_repeats", "Repeats of each case, instead of the suite's.", default="")
    parser.addini("harness_concurrency", "Trials of suites at the same time.", default="")
    parser.addini("harness_budget", "What suites may spend on live requests in one run, such as $5.", default="")
    parser.addini("harness_report", "Folder for results and reports of suites, seen from the ini file.", default="")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "harness(script=[...]): what the simulator behind openai_client does.")


@pytest.fixture
def openai_client(request: pytest.FixtureRequest) -> Iterator[ScriptedClients]:
    """An OpenAI client on a simulator in this process; call it with a script for further ones."""
    from harness.pytesting.clients import scripted

    clients = scripted(request.node)
    yield clients
    clients.close()


@pytest.fixture
def harness_session(request: pytest.FixtureRequest) -> TestSession:
    """Cassettes for this test: `with harness_session.trial() as trial:`."""
    from harness.library.testing import TestSession
    from harness.pytesting.options import record_mode, strict

    node = request.node
    return TestSession(
        file=node.path, test=node.name, mode=record_mode(node.config, node.path), strict=strict(node.config)
    )


def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser) -> None:
    """Add --record-mode late where pytest-recording is installed and yet was not loaded."""
    manager = early_config.pluginmanager
    loaded = any(manager.has_plugin(name) for name in ("recording", "pytest_recording.plugin"))
    if _recording_installed(manager) and not loaded:
        _add_record_mode(parser)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix not in _SUFFIXES or not _has_suite_key(file_path):
        return None
    from harness.pytesting.collection import collect_suite

    return collect_suite(file_path, parent, name=SUITES)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Conclude what ran: under xdist the suites become known only while this loop runs."""
    try:
        result = yield
    except BaseException as error:
        if suites := _suites(session.config):
            suites.abort(error)
        raise
    if suites := _suites(session.config):
        suites.finish(session)
    return result


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: Sequence[str]) -> None:
    config: pytest.Config = node.config
    files = dict.fromkeys(nodeid.partition("::")[0] for nodeid in ids)
    found = [file for file in files if file.endswith(_SUFFIXES) and _has_suite_key(config.rootpath / file)]
    if found and _suites(config) is None:
        from harness.pytesting.collection import adopt

        adopt(config, found, ids, name=SUITES)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    if config.getoption("dist") != "load":
        return None
    from harness.pytesting.scheduling import SuiteScheduling

    return SuiteScheduling(config, log, suite_of=lambda nodeid: _suite_of(config, nodeid))


def _suite_of(config: pytest.Config, nodeid: str) -> str | None:
    suites = _suites(config)
    return nodeid.partition("::")[0] if suites and suites.holds(nodeid) else None


def _suites(config: pytest.Config) -> SuiteSession | None:
    found: SuiteSession | None = config.pluginmanager.get_plugin(SUITES)
    return found


def _recording_installed(manager: pytest.PytestPluginManager) -> bool:
    """Whether pytest-recording, whose --record-mode we share, may be loaded before or after us."""
    return not manager.is_blocked("recording") and importlib.util.find_spec("pytest_recording") is not None


def _add_record_mode(parser: pytest.Parser) -> None:
    parser.getgroup("harness").addoption(
        "--record-mode",
        choices=RECORD_MODES,
        help=f"Record mode of suites. {modes_in_words()}.",
    )


def _has_suite_key(path: Path) -> bool:
    try:
        return _SUITE_KEY.search(path.read_bytes()) is not None
    except OSError:
        return False


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)
