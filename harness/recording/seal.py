"""The last look at a recording before it becomes a file: nothing leaves with a secret in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.errors import TrialError
from harness.recording.cassette import Cassette, Facts, Interaction
from harness.recording.emit import emit, shown_body
from harness.recording.redact import Redactor


def sealed(cassette: Cassette, redactor: Redactor, *, shown: str) -> str:
    """Return the text of a cassette's file, with what was learned of secrets since it was recorded taken out.

    Args:
        cassette: What was recorded.
        redactor: Knows what must not be kept.
        shown: The path of the file, as messages name it.

    Raises:
        TrialError: Of kind `secret`: something in it, or its path, would still show a secret. The message says where.
    """
    clean = without_secrets(cassette, redactor)
    text = emit(clean)
    places = list(_leaks(clean, text, redactor, shown))
    if places:
        raise TrialError(
            "secret",
            f"the recording is not kept: a secret would stand in {', '.join(places[:3])}. Rename what holds it, or correct "
            "`[tool.harness.redact]`; a file that stood there before is untouched.",
        )
    return text


def without_secrets(cassette: Cassette, redactor: Redactor) -> Cassette:
    """Return a recording without what `redactor` knows as secrets, also where a stream spells them out."""
    return Cassette(
        interactions=tuple(_interaction(one, redactor) for one in cassette.interactions),
        facts=_facts(cassette.facts, redactor),
    )


def _interaction(one: Interaction, redactor: Redactor) -> Interaction:
    request = one.request
    body = redactor.stream(one.body) if one.events else redactor.body(one.body)
    return replace(
        one,
        request=replace(
            request,
            uri=redactor.text(request.uri),
            headers={name: redactor.text(value) for name, value in request.headers.items()},
            body=redactor.body(request.body) if request.body else request.body,
        ),
        reason=redactor.text(one.reason),
        headers={name: redactor.text(value) for name, value in one.headers.items()},
        body=redactor.joined(body) if one.events else body,
        error=redactor.text(one.error) if one.error else one.error,
    )


def _facts(facts: Facts, redactor: Redactor) -> Facts:
    source, tools, definitions = redactor.data(
        [dict(facts.source), list(map(dict, facts.tools)), dict(facts.definitions)]
    )
    return replace(facts, source=source, tools=tuple(tools), definitions=definitions)


def _leaks(cassette: Cassette, text: str, redactor: Redactor, shown: str) -> Iterator[str]:
    """Yield the places where a secret still is: what redaction would change once more."""
    if redactor.text(shown) != shown:
        yield "the name of its file, which is that of suite, variant and case"
    if redactor.text(text) == text:
        return
    # The file's own words may look like a secret; only what was recorded can be one.
    for number, one in enumerate(cassette.interactions, start=1):
        for place, value in _parts(one):
            if redactor.text(value) != value:
                yield f"{place} of interaction {number} ({one.request.method} {redactor.text(one.request.uri)})"
    facts = cassette.facts
    for name, data in (("source", facts.source), ("tools", facts.tools), ("definitions", facts.definitions)):
        if redactor.data(data) != (list(data) if isinstance(data, tuple) else data):
            yield f"its facts ({name})"


def _parts(one: Interaction) -> Iterator[tuple[str, str]]:
    yield "the address", one.request.uri
    for name, value in one.request.headers.items():
        yield f"the request's header '{name}'", value
    yield "the request's body", shown_body(one.request.body or b"", one.request.headers)
    for name, value in one.headers.items():
        yield f"the answer's header '{name}'", value
    yield "the answer's body", shown_body(one.body, one.headers)
    yield "the answer's status line", one.reason
