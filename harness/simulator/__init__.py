"""An OpenAI look-alike for tests and demonstrations; it imports nothing of harness.

What it answers comes from a *brain*: a script, or a model behind another server. All that is protocol (validation, ids,
streams, threads, runs, files) is the simulator's own.
"""

from __future__ import annotations

from harness.simulator.serving import Served, served

__all__ = ["Served", "served"]
