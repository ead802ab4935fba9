"""Hostile text of others, in every place that can hold it, through every report: it stays text, and does nothing."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hostile import Hostile, harmless, hostile_run, lines
from markdown_it import MarkdownIt

from harness.reports import clean, export, html, junit, markdown, parquet, text
from harness.store import decode, encode
from harness.store.rows import plain
from tests.carried import texts

#: What a terminal obeys or a reader is fooled by.
FORBIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
COMMAND = re.compile(r"^\s*::|##[a-z]*\[", re.MULTILINE)
#: Plain texts, short enough to stand on one line wherever they are shown.
PLAIN = re.compile(r"[!-9;-~]{4,24}")


@pytest.fixture(scope="module")
def run() -> Hostile:
    return hostile_run(lines())


@pytest.fixture(scope="module", params=[3, pytest.param(1, marks=pytest.mark.slow)], ids=["every third", "all"])
def some(request: pytest.FixtureRequest) -> Hostile:
    """The same for reports that take their time."""
    return hostile_run(lines()[:: request.param])


def test_there_are_enough_of_them() -> None:
    assert len(set(lines())) == len(lines()) >= 500


def test_a_terminal_and_a_log_get_no_command(run: Hostile) -> None:
    shown = text.render(run.summary, run.results, failures=10_000, width=80)
    shown += "\n".join(text.render_trial(result) for result in run.results[1::3])
    assert not FORBIDDEN.search(shown)
    assert not COMMAND.search(shown)
    for one in filter(PLAIN.fullmatch, run.texts):
        assert re.sub(r"##(?=[a-z]*\[)", "## ", one) in shown, one
    coloured = "".join(text.render(one.summary, one.results, color=True) for one in run.parts()[::8])
    assert not FORBIDDEN.search(re.sub(r"\x1b\[(0|1|31|32)m", "", coloured))


def test_markdown_shows_it_as_it_is(some: Hostile) -> None:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    ours = re.compile(r"(</?details>|<summary>[^<>]*</summary>|<!-- harness:[\w@.,-]+ -->|\n)+")
    for part in some.parts():
        shown = markdown.render(part.summary, part.results)
        assert len(shown.encode()) < 65_000
        assert not FORBIDDEN.search(shown.replace("\t", " "))
        assert not COMMAND.search(shown)
        words = []
        headings = 0
        for token in _flat(parser.parse(shown)):
            assert token.type not in ("image", "link_open", "html_inline", "blockquote_open", "hr", "s_open", "em_open")
            assert token.type != "code_inline"
            headings += token.type == "heading_open"
            if token.type == "html_block":
                assert ours.fullmatch(token.content), token.content
                words.append(re.sub(r"&#\d+;", "", token.content))
            if token.type == "text":
                words.append(token.content)
        assert headings == 2
        said = "\n".join(words)
        assert not re.search(r"@\w|://|\bwww\.|#\d|\bGH-\d|mailto:", said)


def test_a_spreadsheet_gets_no_formula(run: Hostile) -> None:
    shown = export.csv_text([export.flat(result) for result in run.results])
    rows = list(csv.reader(io.StringIO(shown, newline=""), strict=True))
    assert len(rows) == len(run.results) + 1
    for row in rows:
        assert len(row) == len(rows[0])
        for cell in filter(None, row):
            seen = re.sub(r"^[\s\u200b-\u200f\u2060-\u2064\ufeff\u00ad\u180e\u2800\u3164\u115f]+", "", cell)
            number = re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell)
            assert number or not seen.startswith(tuple("=+-@＝＋－＠")), ascii(cell[:80])
            assert not cell.startswith(("\t", "\r", "\n"))
            assert len(cell) <= 32_767
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", cell)


def test_junit_is_xml(run: Hostile) -> None:
    root = ElementTree.fromstring(junit.render(run.summary, run.results))
    kinds = {element.tag for element in root.iter()}
    assert kinds <= {
        "testsuites", "testsuite", "testcase", "properties", "property", "failure", "error", "skipped", "system-out",
    }  # fmt: skip
    assert len(list(root.iter("testcase"))) == len(run.results) + len(run.texts)
    shown = "\n".join([*root.itertext(), *(value for element in root.iter() for value in element.attrib.values())])
    assert not FORBIDDEN.search(shown.replace("\t", " "))
    for one in filter(PLAIN.fullmatch, run.texts):
        assert one in shown


def test_rows_come_back_as_they_were(run: Hostile) -> None:
    for result in run.results:
        row = encode(result)
        row.encode("utf-8", "surrogatepass")
        assert "\n" not in row
        assert "\r" not in row
        again = decode(row)
        assert (again.case, again.output, again.tags) == (result.case, result.output, result.tags)
    told = plain(dataclasses.asdict(run.parts()[0].summary))
    assert json.loads(json.dumps(told, ensure_ascii=False)) == told


def test_parquet_holds_any_text(run: Hostile) -> None:
    from pyarrow import parquet as reader

    chosen = [result for at, result in enumerate(run.results) if at % 25 == 0 or "\ud800" in (result.output or "")]
    rows = reader.read_table(io.BytesIO(parquet.render(chosen))).to_pylist()
    assert [row["output"] for row in rows] == [clean.paired(result.output or "") for result in chosen]


def test_a_page_holds_no_element_that_is_not_ours(some: Hostile) -> None:
    page = html.render(some.summary, lambda: iter(some.results[1::3]))
    told = _Page(page)
    said = set(texts(page))
    assert all(one in said for one in some.texts if PLAIN.fullmatch(one)), "what it carries for its table is whole"
    peaceful = hostile_run(harmless(24))
    usual = _Page(html.render(peaceful.summary, lambda: iter(peaceful.results[1::3])))
    assert told.markup - usual.markup == set()
    assert told.code == usual.code
    for one in told.data:
        json.loads(one)
    assert not FORBIDDEN.search(re.sub(r"[\t\r]", " ", "".join(told.text)))


class _Page(HTMLParser):
    """The elements and attributes of a page, its scripts and comments, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        #: Each element with each of its attributes, and the value where that names what is loaded or done.
        self.markup: set[tuple[str, str, str]] = set()
        #: What a browser runs, applies or passes over.
        self.code: set[str] = set()
        #: What scripts read: JSON, or JSON packed as base64.
        self.data: list[str] = []
        self.text: list[str] = []
        self._into: list[str] | set[str] = self.text
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = dict(attrs).get("type")
        self._into = self.text
        if tag in ("script", "style"):
            self._into = self.data if kind == "application/json" else self.code
        self.markup.add((tag, "", kind or ""))
        for name, value in attrs:
            loaded = name in ("src", "href", "action", "srcset", "style", "formaction") or name.startswith("on")
            shown = (value or "") if loaded and not (value or "").startswith("#") else ""
            self.markup.add((tag, name, re.sub(r"[\d.]+", "0", shown)))

    def handle_endtag(self, tag: str) -> None:
        self._into = self.text

    def handle_comment(self, data: str) -> None:
        self.code.add(data)

    def handle_data(self, data: str) -> None:
        if isinstance(self._into, set):
            self._into.add(data)
        else:
            self._into.append(data)


def _flat(tokens: Iterable) -> Iterable:
    for token in tokens:
        yield token
        yield from _flat(token.children or ())
