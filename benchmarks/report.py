"""How large a report of 10,000 trials is, how long it takes to make, and how fast a browser works with it.

    python benchmarks/report.py

Answers are words as often as they stand in docs/, so that they pack as English does. What a browser takes needs Chromium
and the extra `browser`; without them the rest is measured. Alone on a machine, or the times say little.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests/reports"), str(ROOT)]

from many import results  # noqa: E402  (found once the path is set)
from samples import make_sample  # noqa: E402

from harness.reports.html import render  # noqa: E402
from harness.store.folder import RunFolder  # noqa: E402

TRIALS = 10_000
WORDS = (30, 100, 250)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

#: Milliseconds from the start of the page to its first contentful paint, and until it had come to rest.
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
#: Milliseconds that something takes, to the next frame that is painted.
TIMED = """async ([what, find]) => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const table = await harness.tables.get(document.querySelector("section.cases"));
  const own = Tabulator.findTable(".tabulator")[0];
  await frame();
  const start = performance.now();
  if (what === "build") await frame();
  if (what === "filter") table.set(new URLSearchParams({ find }));
  if (what === "state") table.set(new URLSearchParams({ show: "failed" }));
  if (what === "clear") table.set(new URLSearchParams());
  if (what === "sort") own.setSort("name", "desc");
  if (what === "sort by latency") own.setSort("latency", "desc");
  await frame();
  return performance.now() - start;
}"""


def built(words: int, folder: Path) -> tuple[str, float]:
    """Return the page of a stored run, and the seconds of CPU that it took from the stored results to the text."""
    summary = make_sample().summary
    with RunFolder(folder, f"20261121-143205-{words:04d}") as stored:
        for result in results(TRIALS, words):
            stored.append(result)
        stored.flush()
        start = time.process_time()
        html = render(summary, stored.read)
        return html, time.process_time() - start


def browsed(browser: Any, path: Path) -> dict[str, str]:
    """Return what a browser takes, milliseconds: as a person sees it, and of its thread's time on a processor."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(one["value"] for one in metrics if one["name"] == "TaskDuration") * 1000

    page.goto(path.as_uri())
    page.wait_for_timeout(500)
    found = {"first paint": f"{page.evaluate(PAINT):.0f}"}
    for name, what, find in (
        ("table there", "build", ""),
        ("search (first)", "filter", "policy"),
        ("search", "filter", "cassette"),
        ("filter", "state", ""),
        ("all again", "clear", ""),
        ("sort by name", "sort", ""),
        ("sort by latency", "sort by latency", ""),
    ):
        before = busy()
        took = page.evaluate(TIMED, [what, find])
        found[name] = f"{took:.0f} (CPU {busy() - before:.0f})"
    page.close()
    return found


def main() -> None:
    """Print a line for each length of answers."""
    folder = Path(tempfile.mkdtemp())
    pages = {}
    for words in WORDS:
        html, seconds = built(words, folder)
        pages[words] = folder / f"{words}.html"
        pages[words].write_text(html, "utf-8")
        cut = re.search(r"[\d,]+ texts were longer than [\d,]+ characters", html)
        print(
            f"{TRIALS:,} trials, {words} words: {len(html.encode()) / 1e6:.2f} MB, built in {seconds:.2f} s",
            cut[0] if cut else "",
        )
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium:
        with sync_playwright() as started:
            browser = started.chromium.launch(executable_path=chromium, args=FLAGS)
            for words, path in pages.items():
                print(
                    f"{words} words:",
                    ", ".join(f"{name} {took}" for name, took in browsed(browser, path).items()),
                    "ms",
                )
            browser.close()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
