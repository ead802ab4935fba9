"""Services that send us elsewhere, refuse the key, or cannot be reached as things are set up."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import ChatServer, Reply, error
from tests.projects import faq, harness, write
from tests.recorded_twice import rows

KEY = "sk-test-CANARY-0123456789abcdef"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def project(root: Path, url: str, *, extra: str = "api: chat") -> None:
    pyproject = '[tool.harness.retry]\nbackoff = "1ms"\n'
    write(
        root, faq(url, extra=extra, cases="  - {id: one, input: Hi, expected: Hello}") | {"pyproject.toml": pyproject}
    )


def record() -> Any:
    return harness("record", "--yes", "--variant", "v1", "--no-html", "--timeout", "20s")


@pytest.mark.parametrize("status", [302, 307, 308])
def test_redirects_are_not_followed(status: int, tmp_path: Path) -> None:
    with ChatServer() as target:
        elsewhere = Reply(status, headers={"location": f"{target.url}/chat/completions"})
        with ChatServer(faults=lambda number, body: elsewhere) as server:
            project(tmp_path, server.url)
            result = record()
            assert (len(server.requests), len(target.requests)) == (1, 0)
    assert result.exit_code == 3
    failure = rows(tmp_path)[0]["error"]
    assert failure["kind"] == "redirect"
    assert "not followed" in failure["message"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_ends_the_run(status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    refusal = Reply(status, error(f"Incorrect API key provided: {KEY}"))
    with ChatServer(faults=lambda number, body: refusal) as server:
        project(tmp_path, server.url, extra="api: chat\napi_key_env: MY_KEY\nrepeats: 5")
        result = harness("record", "--yes", "-j", "1", "--no-html")
        assert len(server.requests) == 1
    assert result.exit_code == 2
    assert "Check the key in MY_KEY" in result.output
    everything = result.output + "".join(
        path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()
    )
    assert KEY not in everything


def test_a_host_that_is_not_known_is_looked_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []
    known = socket.getaddrinfo

    def lookup(host: Any, *arguments: Any, **named: Any) -> Any:
        if "nowhere" not in str(host):
            return known(host, *arguments, **named)
        looked_up.append(str(host))
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setenv("MY_KEY", KEY)
    project(tmp_path, "https://nowhere.example/v1", extra="api: chat\napi_key_env: MY_KEY")
    assert record().exit_code == 3
    row = rows(tmp_path)[0]
    assert row["error"]["kind"] == "connection"
    assert "https://nowhere.example cannot be reached: the name of the host is not known" in row["error"]["message"]
    assert (row["attempts"], len(looked_up)) == (1, 1)


@contextmanager
def untrusted(folder: Path) -> Iterator[tuple[str, list[int]]]:
    """A TLS port with a certificate that nobody knows; its URL, and how many connections there were."""
    pem = folder / "own.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*made, *subject, "-keyout", pem, "-out", folder / "own.crt"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.crt", pem)
    met: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                met.append(1)
                with connection:
                    try:
                        context.wrap_socket(connection, server_side=True).close()
                    except OSError:
                        pass

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/v1", met
        listening.shutdown(socket.SHUT_RDWR)


def test_a_certificate_that_is_not_trusted_is_met_once(tmp_path: Path) -> None:
    with untrusted(tmp_path) as (url, met):
        project(tmp_path, url)
        result = record()
        assert len(met) == 1
    assert result.exit_code == 3
    row = rows(tmp_path)[0]
    assert (row["error"]["kind"], row["attempts"]) == ("connection", 1)
    assert "certificate is not trusted" in row["error"]["message"]
