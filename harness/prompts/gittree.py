"""Files of a folder as they were in a commit, read straight from git's objects: nothing is checked out."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

from harness.repository import LINK, SUBMODULE, Repository

#: Symbolic links that are followed one after another.
_HOPS = 10


class GitTree:
    """One folder of one commit."""

    def __init__(self, *, folder: Path, root: Path, ref: str) -> None:
        """
        Args:
            folder: The folder, as a path in the working tree; it need not exist there.
            root: A folder at or above it that exists, inside the repository.
            ref: A branch, tag, commit or anything else that git resolves: `main`, `HEAD~3`.

        Raises:
            ConfigError: The ref names no commit, or there is no git or no repository.
        """
        self.ref = ref
        self._repository = Repository(root, word=f"git:{ref}")
        self.commit = self._repository.commit(ref)
        listed = self._repository.entries(self.commit, os.path.relpath(folder, root))
        self._entries = {one.path: one for one in listed if one.mode != SUBMODULE}
        self._texts: dict[str, bytes] = {}

    def names(self) -> list[str]:
        """Return the paths of all files, relative to the folder, sorted."""
        return sorted(self._entries)

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None where there is none, or a symbolic link leads out of the folder."""
        for _ in range(_HOPS):
            entry = self._entries.get(name)
            if entry is None:
                return None
            if entry.blob not in self._texts:
                self._texts[entry.blob] = self._repository.content(entry.blob)
            if entry.mode != LINK:
                return self._texts[entry.blob]
            target = os.fsdecode(self._texts[entry.blob])
            name = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        return None
