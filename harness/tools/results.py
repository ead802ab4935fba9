"""What a tool gave, as it is kept and as the model is told of it."""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.functions import told
from harness.jsontext import json_text
from harness.records import JSON, Attachment, ToolCall
from harness.tools.endrun import EndRun, ends_run
from harness.tools.plain import clean, plain

#: Bytes of a file that a tool may give.
_LARGEST = 20_000_000
#: Characters of an error that the model is told.
_LONGEST = 2_000
_SIGNATURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}
_FORMS = frozenset({"image", "file"})
_PATH = re.compile(r"(?<![\w/:.])/([^\s/'\"]+)/(?:[^\s/'\"]+/)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A tool's result."""

    output: JSON = None
    attachments: tuple[Attachment, ...] = ()
    #: The end of the run that the tool asked for.
    ended: EndRun | None = None


def read_result(value: Any) -> Given:
    """Return what a tool returned: as plain JSON, its files and images apart.

    A `pathlib.Path`, `{"image": path or bytes}`, `{"file": path or bytes}` and an `Attachment` are files; so are those in
    a list.

    Raises:
        OSError: A file cannot be read.
        ValueError: A file is too large.
    """
    if isinstance(value, Given):
        return value
    end = ends_run(value)
    if end is not None:
        # A subclass may forget to call the constructor of this class.
        data = plain(getattr(end, "data", None))
        return Given(output=data, ended=EndRun(data))
    one = _attachment(value)
    if one is not None:
        return Given(output=_named(one), attachments=(one,))
    if isinstance(value, list | tuple):
        parts = [(_attachment(item), item) for item in value]
        return Given(
            output=[plain(item) if found is None else _named(found) for found, item in parts],
            attachments=tuple(found for found, _ in parts if found is not None),
        )
    return Given(output=plain(value))


def text_for_model(call: ToolCall) -> str:
    """Return what is sent back as a call's output: a text as it is, anything else as JSON."""
    if call.error is not None:
        return json.dumps({"error": call.error}, ensure_ascii=False)
    return json_text(call.output)


def told_to_model(error: BaseException) -> str:
    """Return an exception as the model is told of it: its type and message, without folders of this machine."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{type(error).__name__}: {error.strerror}: '{Path(str(error.filename)).name}'"
    text = _PATH.sub(lambda match: "" if Path(f"/{match.group(1)}").is_dir() else match.group(), told(error))
    text = clean(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def media_type(name: str, data: bytes) -> str:
    """Return what a file holds, by its name or by how it begins."""
    known = next((kind for start, kind in _SIGNATURES.items() if data.startswith(start)), None)
    return mimetypes.guess_type(name)[0] or known or "application/octet-stream"


def _attachment(value: Any) -> Attachment | None:
    if isinstance(value, Attachment):
        return value
    if isinstance(value, Path):
        return _read(value, None)
    if isinstance(value, Mapping) and len(value) == 1 and set(value) <= _FORMS:
        [(kind, inner)] = value.items()
        if isinstance(inner, Path):
            return _read(inner, kind)
        if isinstance(inner, bytes):
            found = media_type("", inner)
            suffix = mimetypes.guess_extension(found) or ".bin"
            return Attachment(kind=kind, name=f"{kind}{suffix}", media_type=found, data=inner)
    return None


def _read(path: Path, kind: Any) -> Attachment:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"the file {path.name} has more than {_LARGEST:,} bytes")
    data = path.read_bytes()
    found = media_type(path.name, data)
    return Attachment(
        kind=kind or ("image" if found.startswith("image/") else "file"), name=path.name, media_type=found, data=data
    )


def _named(one: Attachment) -> dict[str, JSON]:
    return {one.kind: one.name}
