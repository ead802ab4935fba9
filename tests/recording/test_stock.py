"""What is recorded here replays in stock vcrpy and in pytest-recording, which know nothing of it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import openai
import pytest

from harness.recording import RecordingTape, Redactor, read_cassette, sealed, use_conversation
from tests.recording.test_transport import (
    Service,
    async_client,
    completion,
    recorded,
    streaming,
    within,
)

_HERE = Path(__file__).parent
_FROZEN = _HERE.parent / "data/cassettes"

_WITH_PYTEST_RECORDING = """\
from pathlib import Path

import httpx2
import pytest
import yaml

FILES = sorted(Path(__file__).parent.glob("files/*.yaml"))


@pytest.fixture(scope="module")
def vcr_cassette_dir():
    return str(Path(__file__).parent / "files")


def plays(path):
    for one in yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]:
        request, response = one["request"], one["response"]
        body = request["body"].encode() if isinstance(request["body"], str) else request["body"]
        headers = {name: value[0] for name, value in request["headers"].items()}
        got = httpx2.request(request["method"], request["uri"], headers=headers, content=body)
        assert got.status_code == response["status"]["code"]


"""


def _handler(request: httpx2.Request, number: int) -> httpx2.Response:
    text = request.content.decode("latin-1")
    if "flaky" in text and number < 3:
        if number == 1:
            return httpx2.Response(429, headers={"retry-after-ms": "1"}, json={"error": {"message": "slow down"}})
        raise httpx2.ReadTimeout("too slow")
    if '"stream":true' in text.replace(" ", ""):
        return streaming(["Grüße", " 🌱", " and", " more"])(request, number)
    if request.url.path.endswith("/content"):
        return httpx2.Response(200, headers={"content-type": "image/png"}, content=b"\x89PNG\r\n\x1a\n\x00\xff")
    if request.method == "GET" or "multipart" in request.headers.get("content-type", ""):
        name = "file-1"
        return httpx2.Response(
            200,
            json={
                "id": name,
                "object": "file",
                "bytes": 3,
                "created_at": number,
                "filename": "a",
                "purpose": "user_data",
            },
        )
    return httpx2.Response(200, json=completion(f"Answer {number}\r\n\ufeff"))


async def _everything(client: openai.AsyncOpenAI) -> None:
    messages = [{"role": "user", "content": "flaky"}]
    await client.chat.completions.create(model="m", messages=messages)
    calm = [{"role": "user", "content": "Hi \ud83c\udf31".encode("utf-16", "surrogatepass").decode("utf-16")}]
    async for _ in await client.chat.completions.create(model="m", messages=calm, stream=True):
        pass
    left = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "leave"}], stream=True)
    async with left:
        async for _ in left:
            break
    await client.files.create(file=("a.bin", b"\x00\xff\xfe"), purpose="user_data")
    await client.files.retrieve("file-1")
    await client.files.content("file-1")

    async def beside(name: str) -> None:
        with use_conversation(name):
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "both"}])

    await asyncio.gather(beside("call_1"), beside("call_2"))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Recordings of this version, and of early ones."""
    folder = tmp_path / "files"
    shutil.copytree(_FROZEN, folder)
    tape = RecordingTape()
    within(tape, _everything(async_client(Service(_handler))))
    (folder / "everything.yaml").write_text(sealed(recorded(tape), Redactor(), shown="everything.yaml"), "utf-8")
    kept = read_cassette(folder / "everything.yaml", shown="everything.yaml").interactions
    assert [one.status for one in kept] == [429, 599, 200, 200, 200, 200, 200, 200, 200, 200]
    assert [one.truncated for one in kept].count(True) == 1
    return folder


def _run(*arguments: str, cwd: Path) -> str:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # Of pytest's plugins only the one that is asked for.
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_recordings_replay_in_stock_vcrpy(files: Path) -> None:
    assert "23 interactions" in _run(str(_HERE / "stock.py"), str(files), cwd=files)


def test_recordings_replay_in_pytest_recording(files: Path) -> None:
    names = [path.name for path in sorted(files.glob("*.yaml"))]
    tests = "".join(
        f"@pytest.mark.default_cassette({json.dumps(name)})\n@pytest.mark.vcr\n@pytest.mark.block_network\n"
        f"def test_{number}():\n    plays(FILES[{number}])\n\n\n"
        for number, name in enumerate(names)
    )
    (files.parent / "test_it.py").write_text(_WITH_PYTEST_RECORDING + tests, "utf-8")
    said = _run(
        "-m", "pytest", "-q", "-p", "pytest_recording.plugin", "-p", "no:cacheprovider", "--rootdir=.", cwd=files.parent
    )
    assert f"{len(names)} passed" in said
