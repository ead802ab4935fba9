"""The charts of the page: for each the numbers to draw, the same numbers as a table, and a caption that reads it."""

from __future__ import annotations

from harness.reports.figures.figure import Figure

__all__ = ["Figure"]
