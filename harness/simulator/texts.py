"""The text of files, as far as it can be had without a library for each format."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

#: Texts that a PDF shows: `(text) Tj`, `(text) '` and `[(te) -20 (xt)] TJ`.
_SHOWN = re.compile(rb"\[((?:[^\[\]\\]|\\.)*)\]\s*TJ|(\((?:[^()\\]|\\.)*\))\s*(?:Tj|'|\")", re.DOTALL)
_STRING = re.compile(rb"\(((?:[^()\\]|\\.)*)\)", re.DOTALL)
_ESCAPE = re.compile(rb"\\([nrtbf()\\]|[0-7]{1,3}|\r?\n)")
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def extract(filename: str, content: bytes) -> str:
    """Return the text of a file; its name where there is no text to be had.

    Of a PDF only texts that stand in it uncompressed are found.
    """
    if content.startswith(b"%PDF") or PurePosixPath(filename).suffix.lower() == ".pdf":
        text = _of_pdf(content)
    elif b"\0" in content:
        text = ""
    else:
        text = content.decode("utf-8-sig", errors="replace")
    return text if text.strip() else filename


def _of_pdf(content: bytes) -> str:
    lines = []
    for several, one in _SHOWN.findall(content):
        parts = _STRING.findall(several or one)
        lines.append(b"".join(_ESCAPE.sub(_unescaped, part) for part in parts).decode("latin-1"))
    return "\n".join(lines)


def _unescaped(found: re.Match[bytes]) -> bytes:
    what = found.group(1)
    if what.isdigit():
        return bytes([int(what, 8) & 0xFF])
    return b"" if what.endswith(b"\n") else _ESCAPED.get(what, what)
