"""The table of features and APIs: what is shown by a recording that replays, and why the rest is not applicable."""

from __future__ import annotations

from tests.features import ending, talking, tooling
from tests.features.scene import Scene

SCENES: tuple[Scene, ...] = (*talking.SCENES, *tooling.SCENES, *ending.SCENES)
