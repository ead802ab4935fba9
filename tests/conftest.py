"""What every test may rely on: no settings from outside, and no network but loopback."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import Any

import hypothesis
import pytest

pytest_plugins = ["pytester"]

# How long an example takes says more of what else the machine does than of the code. Set here, before tests are
# collected: their own settings start from these.
hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("busy")


@pytest.fixture(autouse=True)
def _no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "HARNESS_")) or name in ("CI", "NO_COLOR", "FORCE_COLOR", "GITHUB_STEP_SUMMARY"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True, scope="session")
def _only_loopback() -> Any:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(str(address[0])):
            raise AssertionError(f"a test tried to reach {address[0]}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
