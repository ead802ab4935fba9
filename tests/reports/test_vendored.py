"""Libraries that a page carries are those that somebody looked at, and say who made them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from html import unescape
from pathlib import Path

import pytest
from samples import Sample

from harness.reports.html import render
from harness.reports.vendored import libraries

FOLDER = Path(__file__).parents[2] / "harness/reports/assets/vendor"
KNOWN = json.loads((FOLDER / "vendor.json").read_text("utf-8"))


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_file_is_the_one_that_was_noted(name: str) -> None:
    told, packed = KNOWN[name], (FOLDER / f"{name}.gz").read_bytes()
    plain = gzip.decompress(packed)
    for part, data in (("gzipped", packed), ("plain", plain)):
        assert told[part] == {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    # The time in a gzip header would make every refreshing a change.
    assert packed[4:8] == bytes(4)
    assert told["source"].startswith("https://registry.npmjs.org/")
    assert told["source"].endswith(f"-{told['version']}.tgz")
    assert b"sourceMappingURL" not in plain


def test_nothing_lies_there_that_is_not_noted() -> None:
    licences = {f"LICENSE.{name.partition('.')[0]}" for name in KNOWN}
    assert {one.name for one in FOLDER.iterdir()} == {*(f"{name}.gz" for name in KNOWN), *licences, "vendor.json"}


def test_a_page_carries_them_with_their_licences_and_allows_them_by_hash(sample: Sample) -> None:
    html = render(sample.summary, lambda: sample.results)
    for one in libraries(["plot", "tabulator"]):
        start = html.index(f'id="page:packed:{one.name}">"') + len(f'id="page:packed:{one.name}">"')
        plain = gzip.decompress(base64.b64decode(html[start : html.index('"</script>', start)]))
        assert hashlib.sha256(plain).hexdigest() == one.digest
        if one.name.endswith(".js"):
            digest = base64.b64encode(hashlib.sha256(plain).digest()).decode()
            assert f"'sha256-{digest}'" in unescape(html[: html.index("</head>")])
            assert f"{one.package} {one.version}" in html
    assert "Permission to use, copy, modify" in html
