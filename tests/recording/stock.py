"""Replays cassettes with whatever vcrpy stands first on the path, knowing nothing of harness.

    python tests/recording/stock.py FOLDER

A script of its own, so that it can be run with versions of vcrpy that are not installed here.
"""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx2
import openai
import vcr
import yaml


def replay(path: Path) -> int:
    """Send every recorded request, and compare what comes back. Returns their number."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    # Early recordings say null where vcrpy says that a body is empty.
    exact = all(one["request"]["body"] is not None for one in data["interactions"])
    matched = ["method", "uri", *(["body"] if exact else [])]
    with vcr.use_cassette(str(path), record_mode="none", match_on=matched) as cassette:
        with httpx2.Client() as client:
            for one in data["interactions"]:
                request, response = one["request"], one["response"]
                headers = {name: value[0] for name, value in request["headers"].items()}
                got = client.request(
                    request["method"], request["uri"], headers=headers, content=_bytes(request["body"])
                )
                assert got.status_code == response["status"]["code"], (path, got.status_code)
                assert got.content == (_bytes(response["body"]["string"]) or b""), (path, got.content)
        assert cassette.all_played, path
    return len(data["interactions"])


def _bytes(value: Any) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else str(value).encode()


def through_the_sdk(folder: Path) -> None:
    """Retries, streams and streams that were left, as the SDK itself sees them."""
    with _client(folder / "retried.yaml") as (client, asked):
        assert client.chat.completions.create(**asked).choices[0].message.content
    for name, whole in (("stream.yaml", True), ("left-early.yaml", False)):
        with _client(folder / name) as (client, asked):
            texts = [one.choices[0].delta.content for one in client.chat.completions.create(**asked, stream=True)]
            assert len(texts) >= (2 if whole else 1), texts


class _client:
    """An SDK client in a cassette, and the arguments of its first recorded call."""

    def __init__(self, path: Path) -> None:
        import json

        first = yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"][0]["request"]
        self._asked = {name: value for name, value in json.loads(first["body"]).items() if name != "stream"}
        base = first["uri"].removesuffix("/chat/completions")
        self._client = openai.OpenAI(api_key="none", base_url=base, max_retries=2)
        self._cassette = vcr.use_cassette(str(path), record_mode="none")

    def __enter__(self) -> tuple[openai.OpenAI, dict[str, Any]]:
        self._cassette.__enter__()
        return self._client, self._asked

    def __exit__(self, *error: object) -> None:
        self._cassette.__exit__(*error)
        self._client.close()


def main() -> None:
    warnings.simplefilter("error")
    folder = Path(sys.argv[1])
    played = sum(replay(path) for path in sorted(folder.glob("*.yaml")))
    if (folder / "retried.yaml").exists():
        through_the_sdk(folder)
    print(f"vcrpy {version('vcrpy')}: {played} interactions")


if __name__ == "__main__":
    main()
