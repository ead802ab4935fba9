"""Take the libraries that reports carry from npm, at the versions written here, and note where each came from.

    python scripts/vendor.py

Needs `npm` and its registry. What it writes, `harness/reports/assets/vendor/`, is committed: a report is made, and the
tests check every checksum, without either. Files are as their authors published them but for the mention of a source
map, and gzipped.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[1] / "harness/reports/assets/vendor"


class Taken(NamedTuple):
    """One file of a package."""

    name: str
    package: str
    version: str
    #: Inside the package.
    path: str


WANTED = (
    Taken("d3.js", "d3", "7.9.2", "dist/d3.min.js"),
    Taken("plot.js", "@observablehq/plot", "0.6.17", "dist/plot.umd.min.js"),
    Taken("tabulator.js", "tabulator-tables", "6.5.3", "dist/js/tabulator.min.js"),
    Taken("tabulator.css", "tabulator-tables", "6.5.3", "dist/css/tabulator_simple.min.css"),
)

#: Plot puts this style beside every figure; a page that forbids foreign styles has to know it.
_PLOT_STYLE = re.compile(r'svg\.append\("style"\)\.text\(\s*`(:where\(.*?)`\s*\)', re.DOTALL)
#: It names a file that nobody has, and a browser's tools would ask for it.
_SOURCE_MAP = re.compile(rb"\n?(?://# sourceMappingURL=\S+|/\*# sourceMappingURL=\S+ \*/)\s*$")


def main() -> None:
    """Write every file, its licence, and `vendor.json`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    entries = {}
    with tempfile.TemporaryDirectory() as scratch:
        for one in WANTED:
            archive = fetched(one, Path(scratch))
            entries[one.name] = written(one, archive)
            sys.stdout.write(
                f"{one.name}: {one.package} {one.version}, {entries[one.name]['gzipped']['bytes']:,} bytes\n"
            )
    (FOLDER / "vendor.json").write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", "utf-8")


def fetched(one: Taken, scratch: Path) -> Path:
    """Return the package's tarball, as the registry gives it."""
    told = subprocess.run(
        ["npm", "pack", "--json", f"{one.package}@{one.version}"],
        cwd=scratch,
        check=True,
        capture_output=True,
        text=True,
    )
    return scratch / json.loads(told.stdout)[0]["filename"].replace("@", "").replace("/", "-")


def written(one: Taken, archive: Path) -> dict[str, object]:
    """Write one file and its licence; return what `vendor.json` says of it."""
    with tarfile.open(archive) as files:
        plain = _SOURCE_MAP.sub(b"\n", read(files, one.path))
        licence = read(files, "LICENSE")
        style = _PLOT_STYLE.search(read(files, "src/plot.js").decode()) if one.name == "plot.js" else None
    packed = gzip.compress(plain, 9, mtime=0)
    (FOLDER / f"{one.name}.gz").write_bytes(packed)
    (FOLDER / f"LICENSE.{one.name.partition('.')[0]}").write_bytes(licence)
    basename = one.package.rpartition("/")[2]
    return {
        "package": one.package,
        "version": one.version,
        "source": f"https://registry.npmjs.org/{one.package}/-/{basename}-{one.version}.tgz",
        "path": one.path,
        "tarball": summed(archive.read_bytes()),
        "plain": summed(plain),
        "gzipped": summed(packed),
    } | ({"style": style[1]} if style else {})


def read(files: tarfile.TarFile, path: str) -> bytes:
    """Return one file of a package."""
    found = files.extractfile(f"package/{path}")
    if found is None:
        raise SystemExit(f"{path} is not a file")
    return found.read()


def summed(data: bytes) -> dict[str, object]:
    """Return what a file is recognised by."""
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


if __name__ == "__main__":
    main()
