"""Reading `multipart/form-data`, the form in which files are uploaded. RFC 7578, RFC 2046 section 5.1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

from harness.simulator.errors import ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One field of a form."""

    name: str
    #: None: no file.
    filename: str | None
    content: bytes


def parse(body: bytes, content_type: str) -> list[Part]:
    """Return the parts of a form, in order.

    Args:
        body: What was sent.
        content_type: The header of that name; it tells what stands between parts.

    Raises:
        ApiError: 400, this is no such form.
    """
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        raise ApiError(400, "A file is uploaded as 'multipart/form-data' with a boundary.")
    return [_part(section) for section in _sections(body, boundary.encode("utf-8", "replace"))]


def _sections(body: bytes, boundary: bytes) -> Iterator[bytes]:
    # A boundary begins a line; the break before it belongs to it.
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise ApiError(400, "The form is cut: it does not end with its boundary.")
    for piece in pieces[1:-1]:
        yield piece.removeprefix(b"\r\n")


def _part(section: bytes) -> Part:
    # A part without headers begins with the blank line that ends them.
    head, gap, content = (b"\r\n" + section).partition(b"\r\n\r\n")
    # Names come in UTF-8.
    told = HeaderParser().parsestr(head.decode("utf-8", "replace").lstrip("\r\n") + "\r\n\r\n")
    name = told.get_param("name", header="content-disposition")
    if not gap or not isinstance(name, str):
        raise ApiError(400, "A part of the form has no name.")
    filename = told.get_filename()
    return Part(name=_sendable(name), filename=None if filename is None else _sendable(filename), content=content)


def _sendable(name: str) -> str:
    """A name as it can be told again: a lone half of a character is none; clients write a quotation mark like this."""
    return name.encode("utf-8", "replace").decode().replace("%22", '"')
