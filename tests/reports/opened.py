"""A report in a browser, and what the browser had to say about it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: A wide window, and a phone's.
WIDE, PHONE = (1280, 900), (390, 844)


class Opened:
    """Pages opened by one test."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self._browser, self._folder = browser, folder
        self._contexts: list[Any] = []
        #: What was asked for, but for the pages themselves; what was printed; what failed; what was offered to a user.
        self.requests: list[str] = []
        self.said: list[str] = []

    def __call__(self, html: str, place: str = "", *, size: tuple[int, int] = WIDE, **context: Any) -> Any:
        """Open a page, at a place in it."""
        opened = self._browser.new_context(viewport={"width": size[0], "height": size[1]}, **context)
        self._contexts.append(opened)
        path = self.write(html)
        page = opened.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: self._asked(request.url, path))
        page.goto(f"{path.as_uri()}{place}")
        return page

    def write(self, html: str) -> Path:
        """Write a page to a file."""
        path = self._folder / f"page{len(list(self._folder.iterdir()))}.html"
        path.write_text(html, encoding="utf-8")
        return path

    def _asked(self, url: str, path: Path) -> None:
        if url.partition("#")[0] != path.as_uri():
            self.requests.append(url)

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        assert self.said == []
        assert self.requests == []


def table(page: Any) -> Any:
    """The table of cases, once it is there."""
    page.locator("section.cases").first.scroll_into_view_if_needed()
    page.wait_for_selector(".tabulator-row")
    return page.locator(".tabulator").first


def names(page: Any) -> list[str]:
    """The names of the cases that are on the screen, or near it."""
    return page.locator(".tabulator-row .name").all_inner_texts()


def until(page: Any, condition: str) -> None:
    """Wait until an expression holds; the library's own waiting evaluates text, which the page's policy forbids."""
    end = time.monotonic() + 10
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(10)
