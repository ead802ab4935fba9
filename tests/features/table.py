"""The table of features and APIs: what is shown by a recording that replays, and why the rest is not applicable."""

from __future__ import annotations

from tests.features import ending, talking, tooling
from tests.features.scene import APIS, Lack, Scene

SCENES: tuple[Scene, ...] = (*talking.SCENES, *tooling.SCENES, *ending.SCENES)

#: Why an API has nothing to show, where a scene gives no reason of its own.
_ELSEWHERE = {
    "python": Lack(reason="the function under test does all of it itself"),
    "http": Lack(reason="the service under test does all of it itself"),
    "outputs": Lack(reason="the answers exist already"),
}


def lack(scene: Scene, api: str) -> Lack:
    """Return why a scene is not played on an API.

    Raises:
        KeyError: Nobody says why.
    """
    return scene.lacks[api] if api in scene.lacks else _ELSEWHERE[api]


def markdown() -> str:
    """The table, with the reasons below it."""
    reasons: dict[str, int] = {}
    lines = [f"| feature | {' | '.join(f'`{api}`' for api in APIS)} |", "| --- |" + " :-: |" * len(APIS)]
    for scene in SCENES:
        cells = [_cell(scene, api, reasons) for api in APIS]
        lines.append(f"| {scene.feature} | {' | '.join(cells)} |")
    notes = [f"{number}. {reason}" for reason, number in reasons.items()]
    return "\n".join([*lines, "", "Not applicable, because", "", *notes])


def _cell(scene: Scene, api: str, reasons: dict[str, int]) -> str:
    if api in scene.apis:
        return "yes" if scene.kept else "yes, not kept"
    found = lack(scene, api)
    reason = found.reason + (": refused by `harness validate`" if found.refused is not None else "")
    return f"no ({reasons.setdefault(reason, len(reasons) + 1)})"
