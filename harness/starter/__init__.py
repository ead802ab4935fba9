"""What `harness init` writes: a small project that passes at once, offline, with recordings of a real model."""

from __future__ import annotations

from harness.starter.starting import Started, start_project
from harness.starter.telling import told

__all__ = ["Started", "start_project", "told"]
