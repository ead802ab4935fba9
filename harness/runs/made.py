"""What an assistant made besides its answer: files, and where they are kept beside a run."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.plan import Trial
from harness.records import Attachment
from harness.suites.names import slug

_OTHER = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 80


def made_files(trial: Trial, files: Sequence[Attachment]) -> dict[str, bytes]:
    """Return the files of a trial by their path below the run's folder; a name that stands twice is numbered."""
    folder = "/".join(
        ("files", slug(trial.suite.name), slug(trial.variant.name), f"{slug(trial.case.id)}.{trial.repeat}")
    )
    found: dict[str, bytes] = {}
    for one in files:
        name = _OTHER.sub("-", one.name).lstrip(".-")[-_LONGEST:] or "file"
        path = f"{folder}/{name}"
        number = 2
        while path in found and found[path] != one.data:
            path = f"{folder}/{number}-{name}"
            number += 1
        found[path] = one.data
    return found
