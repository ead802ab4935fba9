"""What JSON holds: bodies of requests and answers, before and after they are checked."""

from __future__ import annotations

from typing import Any, TypeAlias

JSON: TypeAlias = Any
