"""Each cell of the table: recorded against the simulator, replayed without it, with the same rows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.features.scene import Scene
from tests.features.stage import comparable, lay_out, play
from tests.features.table import SCENES
from tests.projects import harness


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


CELLS = [pytest.param(scene, api, id=f"{scene.feature}-{api}") for scene in SCENES for api in scene.apis]
REFUSED = [
    pytest.param(scene, api, lack.refused, id=f"{scene.feature}-{api}")
    for scene in SCENES
    for api, lack in scene.lacks.items()
    if lack.refused is not None
]


@pytest.mark.parametrize(("scene", "api"), CELLS)
def test_what_is_recorded_replays_without_the_service(scene: Scene, api: str, project: Path) -> None:
    seen = play(scene, api, project)
    scene.check(seen)
    if scene.kept:
        assert comparable(seen.replayed, api=api) == comparable(seen.live, api=api)
        modes = {row["cassette"] and row["cassette"]["mode"] for row in seen.replayed}
        assert modes == {None if api == "outputs" else "replayed"}
    else:
        assert {row["error"]["kind"] for row in seen.replayed} == {"cassette_miss"}


@pytest.mark.parametrize(("scene", "api", "refused"), REFUSED)
def test_what_an_api_lacks_is_refused_before_anything_is_paid(
    scene: Scene, api: str, refused: str, project: Path
) -> None:
    lay_out(scene, project, scene.text(api, "http://127.0.0.1:9/v1"))
    said = harness("validate")
    assert said.exit_code == 2
    assert re.search(refused, said.output), said.output
