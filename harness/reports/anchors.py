"""Where a link leads: places on the page named after suites, cases, variants and repeats, so that they last.

The parts are the same that name recordings, `<suite>/<case>/<variant>/<n>`. What the page itself has to name holds a
colon, which no part can.
"""

from __future__ import annotations

from harness.suites.names import slug


def suite(name: str) -> str:
    """The place of a suite."""
    return slug(name)


def case(suite: str, name: str) -> str:
    """The place of a case."""
    return f"{slug(suite)}/{slug(name)}"


def trial(suite: str, case: str, variant: str, repeat: int) -> str:
    """The place of a trial."""
    return f"{slug(suite)}/{slug(case)}/{slug(variant)}/{repeat}"


def prompt(suite: str, digest: str) -> str:
    """The place of a prompt, named by what it says."""
    return f"prompt:{slug(suite)}/{digest[:12]}"


class Taken:
    """The places given away so far: a second one of the same name gets a number, so that no two are the same."""

    def __init__(self) -> None:
        self._uses: dict[str, int] = {}

    def one(self, place: str) -> str:
        """Return `place`, or the next free one."""
        while place in self._uses:
            self._uses[place] += 1
            place = f"{place}~{self._uses[place]}"
        self._uses[place] = 1
        return place
