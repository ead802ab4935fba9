"""What a page allows a browser to do: run the scripts and styles that it was made with, and nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from harness.reports.vendored import Library


def policy(*, styles: Iterable[str], scripts: Iterable[str], libraries: Iterable[Library] = ()) -> str:
    """Return the Content-Security-Policy of a page.

    Args:
        styles: The text of each `<style>` of the page.
        scripts: The text of each `<script>` that the page runs.
        libraries: What it carries packed, to run once it is needed.
    """
    carried = list(libraries)
    style = [_hash(text) for text in (*styles, *(one.style for one in carried if one.style))]
    script = [_hash(text) for text in scripts]
    script += [_source(bytes.fromhex(one.digest)) for one in carried if one.name.endswith(".js")]
    return (
        f"default-src 'none'; style-src {' '.join(style)}; script-src {' '.join(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return _source(hashlib.sha256(text.encode("utf-8")).digest())


def _source(digest: bytes) -> str:
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
