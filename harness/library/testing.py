"""What the fixture `harness_session` is: cassettes that belong to a test."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from harness.assistants.session import Endpoint
from harness.library.blocks import Block
from harness.modes import RecordMode
from harness.settings import find_root, load_settings
from harness.suites.names import slug


class TestSession:
    """Gives a test cassettes of its own, at `cassettes/tests/<file>/<test>.<name>.yaml`."""

    #: It is no test, whatever its name.
    __test__ = False

    def __init__(self, *, file: Path, test: str, mode: str | None, strict: bool | None = None) -> None:
        """
        Args:
            file: The test's file; the project is the one around it.
            test: The test's name, with its parameters.
            mode: The record mode that pytest was asked for; None: the settings'.
            strict: Whether pytest was asked to be strict; None: as the settings say.
        """
        self._file = file
        self._test = test
        self._mode = mode
        self._strict = strict

    def trial(
        self,
        name: str = "1",
        *,
        record_mode: RecordMode | None = None,
        base_url: str | None = None,
        api_key_env: str | None = None,
    ) -> Block:
        """Return a block with a cassette, as `harness.cassette` does: `with harness_session.trial() as trial:`.

        Args:
            name: Tells the cassettes of one test apart.
            record_mode: As for `harness.cassette`; default: what pytest was asked for, else the settings'.
            base_url: Where the block's clients send to.
            api_key_env: Environment variable that holds the key for `base_url`.

        Raises:
            UsageError: The mode is wrong.
            ConfigError: The project's settings are wrong.
        """
        folder = load_settings(self._file).cassettes / "tests"
        relative = self._file.resolve().relative_to(find_root(self._file).resolve())
        path = folder / slug(relative.with_suffix("").as_posix()) / f"{slug(self._test)}.{slug(name)}.yaml"
        return Block(
            path,
            mode=cast("RecordMode | None", record_mode or self._mode),
            endpoint=Endpoint(base_url, api_key_env),
            start=self._file,
            how="`pytest --record-mode once`",
            strict=self._strict,
        )
