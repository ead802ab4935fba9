"""Answers that are whole and are not what the API promises."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

from tests.carried import texts
from tests.faults.entries import Bare, Ends, Fault, Ran
from tests.projects import harness


def _always(**fault: Any) -> Sequence[Mapping[str, Any]]:
    return [{"fault": fault}]


def _marked_as_truncated(ran: Ran) -> None:
    assert [row["extra"]["truncated"] for row in ran.rows] == [True]
    assert "truncated: 1 trial had an answer that ended at its longest length" in ran.result.stdout


_ODD = "Hello a\ud800b\0\x1b[31m\u202e</script>"
_CUT_IN_TWO = "".join(
    f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': text}, 'finish_reason': reason}]})}\n\n"
    for text, reason in (("Hello \ud83c", None), ("\udf0d", "stop"))
)


def _shows_tags_as_text(ran: Ran) -> None:
    (row,) = ran.rows
    assert len(row["error"]["message"]) < 600
    harness("report", "--format", "html")
    (page,) = ran.root.glob("reports/*/report.html")
    assert "<script>alert" not in page.read_text(encoding="utf-8")


def _can_be_read_everywhere(ran: Ran) -> None:
    assert "\x1b" not in ran.result.output
    assert harness("report", "--format", "html,md,junit,csv,json").exit_code == 0
    (folder,) = ran.root.glob("reports/*/")
    text = {path.suffix: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert ElementTree.fromstring(text[".xml"]).find(".//testcase") is not None
    assert len(list(csv.DictReader(io.StringIO(text[".csv"])))) == 1
    assert json.loads(text[".json"])
    shown = "\n".join([text[".html"], *texts(text[".html"])])
    assert "Hello ab" in shown or "Hello a\ufffdb" in shown
    assert _ODD not in shown
    assert "\x1b" not in "".join(text.values())
    assert "\0" not in "".join(text.values())


_PROTOCOL = Ends(outcome="error", kind="protocol", kept=False)

ROWS: Sequence[Fault] = (
    Fault(
        id="F12",
        what="502 with a page of HTML of 2 MB",
        rules=_always(status=502, html="<h1>Bad gateway</h1><script>alert(1)</script>", size=2_000_000),
        harness=Ends(
            outcome="error",
            kind="server",
            attempts=3,
            kept=False,
            says=["HTTP 502", "Bad gateway"],
            also=_shows_tags_as_text,
            words="its start is shown as text",
        ),
        bare=Bare(attempts=3, raises="InternalServerError"),
    ),
    Fault(
        id="F16",
        what="200, JSON cut off, with a length that says so",
        rules=_always(truncate=60),
        harness=_PROTOCOL,
        bare=Bare(raises="JSONDecodeError"),
    ),
    Fault(
        id="F16b",
        what="the same of Responses",
        api="responses",
        rules=_always(truncate=60),
        harness=_PROTOCOL,
        bare=Bare(raises="JSONDecodeError"),
    ),
    Fault(
        id="F16c",
        what="the same of a run that is looked at",
        api="threads",
        rules=[{"match": {"method": "GET", "path": "/v1/threads/*/runs/*"}, "fault": {"truncate": 60}}],
        # The assistant, the thread, the run, one look, and the ends of the run, the thread and the assistant.
        harness=replace(_PROTOCOL, attempts=6, requests=(7, 7), words="the run is cancelled"),
    ),
    Fault(
        id="F17",
        what="200 with an empty body",
        rules=_always(status=200),
        harness=_PROTOCOL,
        bare=Bare(raises="JSONDecodeError"),
    ),
    Fault(
        id="F17b",
        what="204",
        rules=_always(status=204),
        harness=_PROTOCOL,
        bare=Bare(raises="JSONDecodeError"),
    ),
    Fault(
        id="F17c",
        what="200 `null`",
        rules=_always(json=None),
        harness=_PROTOCOL,
        bare=Bare(returns="None", check=lambda got: got is None),
    ),
    Fault(
        id="F17d",
        what="200 `[]`",
        rules=_always(json=[]),
        harness=_PROTOCOL,
        bare=Bare(returns="a list", check=lambda got: got == []),
    ),
    Fault(
        id="F18",
        what="200 with a login page in HTML",
        rules=_always(html="<html><title>Sign in</title></html>"),
        harness=Ends(outcome="error", kind="protocol", kept=False, says=["not JSON", "text/html", "Sign in"]),
        bare=Bare(returns="the page as a `str`", check=lambda got: isinstance(got, str)),
    ),
    Fault(
        id="F19",
        what="200, JSON called text/plain",
        rules=_always(type="text/plain"),
        harness=Ends(outcome="passed"),
        bare=Bare(returns="the answer", check=lambda got: got.choices[0].message.content == "Hello there"),
    ),
    Fault(
        id="F20",
        what="200 with a byte that is no UTF-8",
        rules=_always(invalid_utf8=True),
        harness=_PROTOCOL,
        bare=Bare(raises="UnicodeDecodeError"),
    ),
    Fault(
        id="F21",
        what="200 with an error in it that says 503",
        rules=_always(json={"error": {"message": "overloaded", "code": 503}}),
        harness=Ends(outcome="error", kind="server", attempts=3, kept=False, says=["overloaded"]),
        bare=Bare(returns="a `ChatCompletion` without choices", check=lambda got: got.choices is None),
    ),
    Fault(
        id="F21b",
        what="200 with an error in it that says 429",
        rules=_always(json={"error": {"message": "slow down", "code": 429}}),
        harness=Ends(outcome="error", kind="rate_limited", attempts=3, kept=False, says=["slow down"]),
        bare=Bare(returns="a `ChatCompletion` without choices", check=lambda got: got.choices is None),
    ),
    Fault(
        id="F21c",
        what="200 with an error in it that says 400",
        rules=_always(json={"error": {"message": "no such thing", "code": 400}}),
        harness=Ends(outcome="error", kind="bad_request", says=["no such thing"]),
        bare=Bare(returns="a `ChatCompletion` without choices", check=lambda got: got.choices is None),
    ),
    Fault(
        id="F22",
        what="`choices` is empty",
        rules=_always(set={"choices": []}),
        harness=_PROTOCOL,
        bare=Bare(returns="it as it is", check=lambda got: got.choices == []),
    ),
    Fault(
        id="F22b",
        what="`choices` is null",
        rules=_always(set={"choices": None}),
        harness=_PROTOCOL,
        bare=Bare(returns="it as it is", check=lambda got: got.choices is None),
    ),
    Fault(
        id="F22c",
        what="a choice without a message",
        rules=_always(delete="choices.0.message"),
        harness=_PROTOCOL,
        bare=Bare(returns="it as it is", check=lambda got: got.choices[0].message is None),
    ),
    Fault(
        id="F22d",
        what="a response without output",
        api="responses",
        rules=_always(set={"output": None}),
        harness=_PROTOCOL,
        bare=Bare(returns="it as it is", check=lambda got: got.output is None),
    ),
    Fault(
        id="F22e",
        what="a run whose messages are null",
        api="threads",
        rules=[{"match": {"path": "/v1/threads/*/messages"}, "fault": {"set": {"data": None}}}],
        harness=replace(_PROTOCOL, attempts=6, requests=(7, 9)),
    ),
    Fault(
        id="F24",
        what="a refusal, without content",
        script=[{"refuse": "I cannot help with that"}],
        expect={"refused": True},
        harness=Ends(outcome="passed", words="`refused` holds"),
        bare=Bare(returns="a message whose content is None", check=lambda got: got.choices[0].message.content is None),
    ),
    Fault(
        id="F24b",
        what="the same of Responses",
        api="responses",
        script=[{"refuse": "I cannot help with that"}],
        expect={"refused": True},
        harness=Ends(outcome="passed", words="`refused` holds"),
        bare=Bare(returns="an answer without text", check=lambda got: got.output_text == ""),
    ),
    Fault(
        id="F24c",
        what="a refusal where something else is expected",
        script=[{"refuse": "I cannot help with that"}],
        harness=Ends(outcome="failed", exit=1, words="what was said is the refusal"),
    ),
    Fault(
        id="F25",
        what="the content was filtered",
        script=[{"chunks": ["Hel"], "filter": True}],
        harness=Ends(outcome="error", kind="filtered", says=["finish_reason: content_filter"]),
        bare=Bare(returns="what was left", check=lambda got: got.choices[0].finish_reason == "content_filter"),
    ),
    Fault(
        id="F25b",
        what="the same, where the case expects it",
        script=[{"chunks": ["Hel"], "filter": True}],
        expect={"finish_reason": "content_filter"},
        harness=Ends(outcome="passed"),
    ),
    Fault(
        id="F25c",
        what="the same of Responses",
        api="responses",
        script=[{"chunks": ["Hel"], "filter": True}],
        harness=Ends(outcome="error", kind="filtered", says=["finish_reason: content_filter"]),
    ),
    Fault(
        id="F25d",
        what="a stream whose content was filtered",
        stream=True,
        script=[{"chunks": ["Hel"], "filter": True}],
        harness=Ends(outcome="error", kind="filtered", says=["finish_reason: content_filter"]),
    ),
    Fault(
        id="F26",
        what="the answer was cut at its length",
        script=[{"chunks": ["Hello"], "cut": True}],
        harness=Ends(outcome="passed", also=_marked_as_truncated, words="marked `truncated`, and the reports say so"),
        bare=Bare(returns="what was left", check=lambda got: got.choices[0].finish_reason == "length"),
    ),
    Fault(
        id="F26b",
        what="the same of Responses",
        api="responses",
        script=[{"chunks": ["Hello"], "cut": True}],
        harness=Ends(outcome="passed", also=_marked_as_truncated, words="marked `truncated`, and the reports say so"),
        bare=Bare(returns="what was left", check=lambda got: got.status == "incomplete"),
    ),
    Fault(
        id="F27",
        what="an unknown finish reason, unknown fields, an id that is null",
        rules=_always(set={"choices.0.finish_reason": "tired", "id": None, "mood": {"x": 1}}),
        harness=Ends(outcome="passed"),
        bare=Bare(returns="it as it is", check=lambda got: got.choices[0].finish_reason == "tired"),
    ),
    Fault(
        id="F28",
        what="half a character, NUL and a terminal's escapes in the answer",
        rules=_always(set={"choices.0.message.content": _ODD}),
        harness=Ends(outcome="passed", also=_can_be_read_everywhere, words="every report can be read"),
        bare=Bare(returns="it as it is", check=lambda got: got.choices[0].message.content == _ODD),
    ),
    Fault(
        id="F28b",
        what="half a character in an answer that the next turn sends back",
        rules=_always(set={"choices.0.message.content": _ODD}),
        suite={"cases": [{"id": "one", "turns": [{"input": "hi"}, {"input": "again"}]}]},
        harness=Ends(outcome="passed", attempts=2, words="a � stands for it"),
    ),
    Fault(
        id="F28c",
        what="a character that a stream cuts in two",
        stream=True,
        rules=_always(text=_CUT_IN_TWO, type="text/event-stream"),
        expect={"equals": "Hello 🌍"},
        harness=Ends(outcome="passed", words="it is whole again"),
        bare=Bare(returns="its halves", check=lambda got: got == "Hello \ud83c\udf0d"),
    ),
    Fault(
        id="F28d",
        what="an answer of 11 MB",
        rules=_always(set={"choices.0.message.content": "x" * 11_000_000}),
        harness=Ends(outcome="error", kind="too_large", kept=False),
        bare=Bare(returns="it as it is", check=lambda got: len(got.choices[0].message.content) == 11_000_000),
    ),
    Fault(
        id="F30",
        what="an answer of 60 kB that unpacks to 60 MB",
        rules=_always(bomb=60_000_000),
        harness=Ends(outcome="error", kind="too_large", kept=False, words="unpacking ends there"),
        bare=Bare(raises="JSONDecodeError"),
    ),
    Fault(
        id="F30b",
        what="an answer that says it is gzip and is not",
        rules=_always(encoding="gzip"),
        harness=Ends(outcome="error", kind="protocol", kept=False, says=["gzip"]),
        bare=Bare(attempts=3, raises="APIConnectionError"),
    ),
    Fault(
        id="F29",
        what="a time that is NaN",
        rules=_always(set={"created": float("nan")}),
        harness=_PROTOCOL,
        bare=Bare(returns="it as it is", check=lambda got: got.created != got.created),
    ),
    Fault(
        id="F29b",
        what="a number of 5,000 digits",
        rules=_always(text='{"created": ' + "9" * 5000 + "}", type="application/json"),
        harness=_PROTOCOL,
        bare=Bare(raises="ValueError"),
    ),
    Fault(
        id="F29c",
        what="JSON 100,000 levels deep",
        rules=_always(text="[" * 100_000 + "]" * 100_000, type="application/json"),
        harness=_PROTOCOL,
        bare=Bare(raises="RecursionError"),
    ),
)
