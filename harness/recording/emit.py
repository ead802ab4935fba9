"""A cassette as text: vcrpy's `version: 1` YAML, laid out so that people can read its diffs.

JSON bodies are indented (only white space outside strings changes, so numbers and escapes stay as they were sent) and
stand as literal blocks. Written by hand because libyaml escapes emoji, which would turn a whole body into one line.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping

from harness.recording.cassette import Cassette, Facts, Interaction
from harness.records import JSON

_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
# What a literal block can hold: YAML's printable characters without any line break but \n, and without a BOM.
_UNPRINTABLE = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
# White space at the end of a line is what editors and hooks take away.
_TRAILING = re.compile(r"[^\S\n](?:\n|\Z)")
_HALF = re.compile("[\ud800-\udfff]")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./+;= \-]*[A-Za-z0-9]\Z")
#: YAML looks no further for the colon after a key.
_LONGEST_KEY = 900
_NOT_STRINGS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def emit(cassette: Cassette) -> str:
    """Return the text of a cassette file. Reading it back gives an equal cassette."""
    lines = ["interactions:"]
    last = len(cassette.interactions) - 1
    for index, interaction in enumerate(cassette.interactions):
        _interaction(lines, interaction, cassette.facts if index == last else None)
    lines.append("version: 1\n")
    return "\n".join(lines)


def _interaction(lines: list[str], one: Interaction, facts: Facts | None) -> None:
    request = one.request
    lines.append("- request:")
    lines.append(f"    method: {_scalar(request.method)}")
    lines.append(f"    uri: {_scalar(request.uri)}")
    _headers(lines, request.headers, "    ")
    if request.body is None:
        lines.append("    body: null")
    else:
        lines.append(f"    body: {_body(request.body, request.headers, 6)}")
    lines.append("  response:")
    lines.append(f"    status: {{code: {one.status}, message: {_scalar(one.reason)}}}")
    _headers(lines, one.headers, "    ")
    lines.append("    body:")
    lines.append(f"      string: {_body(one.body, one.headers, 8)}")
    lines.append("    recorder:")
    lines.append(
        f"      {{slot: {one.slot}, attempt: {one.attempt}, start: {one.start!r}, "
        f"first_byte: {one.first_byte!r}, end: {one.end!r}{_extras(one)}" + ("}" if facts is None else ",")
    )
    if facts is not None:
        lines.append(f"      cassette: {_flow(_facts(facts))[:-1]}{_of_tools(facts)}}}}}")


def _extras(one: Interaction) -> str:
    text = ""
    if one.events:
        text += ", events: [" + ", ".join(map(repr, one.events)) + "]"
    if one.error is not None:
        text += f", error: {_scalar(one.error)}"
    if one.truncated:
        text += ", truncated: true"
    if one.conversation is not None:
        text += f", conversation: {_quoted(one.conversation)}"
    return text


def _facts(facts: Facts) -> dict[str, JSON]:
    told: dict[str, JSON] = {
        "format": facts.format,
        "count": facts.count,
        "end": facts.end,
        "waited": facts.waited,
        "recorded_at": facts.recorded_at,
        "source": dict(facts.source),
        "harness": facts.harness,
        "openai": facts.openai,
        "case_hash": facts.case_hash,
        "assistant_hash": facts.assistant_hash,
        "prices": facts.prices,
        "cost": None if facts.cost is None else format(facts.cost, "f"),
    }
    return {**told, "conditions": dict(facts.conditions)} if facts.conditions else told


def _of_tools(facts: Facts) -> str:
    """What is only there where tools were called: each call, and each server, on a line of its own."""
    indent = "\n        "
    text = ""
    if facts.tools:
        text += ", tools: [" + ",".join(indent + _flow(dict(one)) for one in facts.tools) + "]"
    if facts.definitions:
        pairs = (f"{indent}{_key(key)}: {_flow(one)}" for key, one in facts.definitions.items())
        text += ", definitions: {" + ",".join(pairs) + "}"
    if facts.sources:
        text += f",{indent}sources: {_flow(dict(facts.sources))}"
    if facts.seconds:
        text += f",{indent}seconds: {_flow(dict(facts.seconds))}"
    return text


def _headers(lines: list[str], headers: Mapping[str, str], indent: str) -> None:
    if not headers:
        lines.append(f"{indent}headers: {{}}")
        return
    lines.append(f"{indent}headers:")
    lines.extend(f"{indent}  {name}: [{_scalar(value)}]" for name, value in sorted(headers.items()))


def _body(body: bytes, headers: Mapping[str, str], indent: int) -> str:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return f"!!binary {json.dumps(base64.b64encode(body).decode('ascii'))}"
    return _block(shown_body(body, headers), indent)


def shown_body(body: bytes, headers: Mapping[str, str]) -> str:
    """Return a body as the text of a file shows it: JSON is indented."""
    text = body.decode("utf-8", "replace")
    return pretty(text) if "json" in headers.get("content-type", "") else text


def _block(text: str, indent: int) -> str:
    """A literal block where YAML can hold the text in one, else a quoted string."""
    if not text or text[0] in " \n\t" or _UNPRINTABLE.search(text) or _TRAILING.search(text):
        return _quoted(text)
    stripped = text.rstrip("\n")
    trailing = len(text) - len(stripped)
    chomp = ("-", "", "+")[min(trailing, 2)]
    pad = " " * indent
    shown = "\n".join(pad + line if line else "" for line in stripped.split("\n"))
    return f"|{chomp}\n{shown}" + "\n" * max(trailing - 1, 0)


def _quoted(text: str) -> str:
    # YAML has no form for half a surrogate pair, not even an escape.
    quoted = json.dumps(_HALF.sub("\ufffd", text), ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match.group()):04x}", quoted)


def _scalar(text: str) -> str:
    if _PLAIN.match(text) and text.lower() not in _NOT_STRINGS:
        return text
    return _quoted(text)


def _flow(value: JSON) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(str(key))}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return _quoted(value)
    text = json.dumps(value)
    # YAML 1.1, which other tools read, takes 1e+22 for a text.
    return text.replace("e", ".0e") if isinstance(value, float) and "e" in text and "." not in text else text


def _key(key: str) -> str:
    """A key of a flow mapping; one that is long has to say that it is one."""
    shown = _scalar(key)
    return shown if len(shown) < _LONGEST_KEY else f"? {shown} "


def pretty(text: str) -> str:
    """Indent JSON text by two; every token stays as it is. Text that is not JSON is returned unchanged."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    out: list[str] = []
    depth = 0
    previous = ""
    for part in _JSON_TOKEN.findall(text):
        if part in "}]":
            depth -= 1
            if previous not in "{[":
                out.append("\n" + "  " * depth)
            out.append(part)
        else:
            if previous in ("{", "["):
                out.append("\n" + "  " * depth)
            if part == ",":
                out.append(",\n" + "  " * depth)
            elif part == ":":
                out.append(": ")
            else:
                out.append(part)
                if part in "{[":
                    depth += 1
        previous = part
    return "".join(out)
