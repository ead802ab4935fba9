"""Text of others in GitHub-flavoured Markdown: shown as it is, and doing nothing."""

from __future__ import annotations

import re

from harness.reports import clean
from harness.reports.tables import Table

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]<>#!|~&$])")
#: What would start a list or a heading, were it to stand first on a line.
_LEADING = re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[-+=]))")
#: The same inside a tag.
_MARKUP = frozenset("&<>\"'*_`[]!~$|\\")
_FENCES = re.compile(r"`{3,}")
#: Where a service would make a link, a mention, a reference or a picture of words.
_ADDRESS = re.compile(
    r"(\bwww(?=\.)|:(?=//|(?!\d+:)[+\w-]+:)|\b(?:mailto|xmpp)(?=:)|@|#(?=\d)|\bGH(?=-\d))",
    re.IGNORECASE,
)
#: Keeps the reader's service from making a mention or a link: it has no width.
_BREAK = "\u200b"


def escaped(text: str, limit: int | None = None) -> str:
    """Text of others as one line that Markdown shows as it is: no markup, no mention, no image, no link."""
    quoted = _PUNCTUATION.sub(r"\\\1", clean.line(text, limit))
    return clean.inert(_ADDRESS.sub(rf"\1{_BREAK}", _LEADING.sub(r"\1\\", quoted)), _BREAK)


def fenced(text: str, limit: int) -> str:
    """Text of others as a block of code that it cannot end, cut to `limit` characters with a note."""
    shown = clean.block(text).strip("\n")
    note = ""
    if len(shown) > limit:
        note = f"\n… {len(shown) - limit:,} more characters"
        shown = shown[:limit]
    longest = max((len(run) for run in _FENCES.findall(shown)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}text\n{clean.inert(shown, _BREAK)}{note}\n{fence}"


def in_tag(text: str) -> str:
    """Text of others inside an HTML tag, where backslashes would be seen."""
    flat = _ADDRESS.sub(rf"\1{_BREAK}", clean.line(text, 300))
    return "".join(f"&#{ord(character)};" if character in _MARKUP else character for character in flat)


def details(title: str, body: str) -> str:
    """A body that is folded away under a title; both are Markdown and text inside a tag that are safe already."""
    return f"<details><summary>{title}</summary>\n\n{body.strip()}\n\n</details>\n"


def table(rows: Table) -> str:
    """A table; its cells are text of others."""
    from tabulate import tabulate

    return tabulate(
        [[escaped(cell) for cell in row] for row in rows.rows],
        headers=[escaped(head) for head in rows.headers],
        tablefmt="pipe",
        colalign=rows.align if rows.rows else None,
        disable_numparse=True,
    )


def length(text: str) -> int:
    """How long a text is for who limits its length: in bytes, which are never fewer than characters of any kind."""
    return len(text.encode("utf-8"))
