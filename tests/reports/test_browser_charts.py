"""Charts in a browser: all are drawn, from what stands beside them, and lead where they say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from filled import filled_sample
from opened import PHONE, Opened, until
from samples import HOSTILE

from harness.reports import index
from harness.reports.html import render
from harness.stats.intervals import Interval
from harness.summary.history import History, Point

pytestmark = pytest.mark.browser

DRAWN = "[...document.querySelectorAll('figure[data-chart]')].every((one) => one.querySelector('.drawing > svg'))"


def runs() -> str:
    """The page of three runs of a suite whose name means harm."""
    points = tuple(
        Point(
            run=f"2026112{day}-100000-ab12",
            started=f"2026-11-2{day}T10:00:00Z",
            suite=HOSTILE,
            variant=variant,
            role="candidate",
            trials=20,
            planned=20,
            accuracy=0.5 + day / 10,
            interval=Interval(low=0.4, high=0.9, method="Wilson"),
            latency_p50=1.5,
            cost_per_trial=Decimal("0.0001"),
        )
        for day in (1, 2, 3)
        for variant in ("v1", HOSTILE)
    )
    return index.render(History(points=points), links={})


def seen(page: Any) -> None:
    page.locator("figure[data-chart]").first.scroll_into_view_if_needed()
    until(page, DRAWN)


@pytest.mark.parametrize("size", [(1280, 900), PHONE], ids=["wide", "phone"])
def test_every_chart_of_a_run_is_drawn(opened: Opened, size: tuple[int, int]) -> None:
    filled = filled_sample()
    page = opened(render(filled.summary, lambda: filled.results), size=size)
    seen(page)
    texts = page.locator("[data-chart=forest] svg.plotted text").all_text_contents()
    assert {"all cases", "policy", "+42.0"} <= {text.strip() for text in texts}
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]


def test_a_bar_leads_to_its_cases(opened: Opened) -> None:
    filled = filled_sample()
    page = opened(render(filled.summary, lambda: filled.results))
    seen(page)
    page.locator("[data-chart=flips] svg.plotted a").first.click()
    assert page.url.endswith("#faq?show=broken")


def test_the_page_of_all_runs_draws_them_without_a_barrier(opened: Opened) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for size in ((1280, 900), PHONE):
        page = opened(runs(), size=size)
        seen(page)
        assert page.locator("[data-chart=trend]").count() == 3
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]
        found = Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
