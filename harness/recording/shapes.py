"""What keys look like, whoever issued them."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SHAPE = (
    r"sk-[A-Za-z0-9_\-]{16,}"
    r"|Bearer\s+[A-Za-z0-9._~+/\-]{16,}=*"
    r"|gh[pousr]_[A-Za-z0-9]{30,}"
    r"|github_pat_[A-Za-z0-9_]{22,}"
    r"|A[KS]IA[0-9A-Z]{16}"
    r"|AIza[0-9A-Za-z_\-]{35}"
    r"|eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}"
    r"|xox[abeoprs]-[A-Za-z0-9\-]{10,}"
    r"|glpat-[A-Za-z0-9_\-]{20,}"
    r"|hf_[A-Za-z0-9]{30,}"
    # The whole block, as it is or in JSON; where its end is missing, as far as base64 goes.
    r"|-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY-----"
    r"(?:[A-Za-z0-9+/=\s:,.]|-(?!----)|\\+[nrt/])*(?:-----END (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY-----)?"
)
#: A key does not begin inside a word (`task-...`); the letter of an escape such as \n is none.
_BEGINS = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"
# The rough one finds quickly that there is nothing; with a look behind, `re` would try at every character.
_ROUGH = re.compile(_SHAPE)
_EXACT = re.compile(f"{_BEGINS}(?:{_SHAPE})")
#: One of these stands in every text that has such a shape; looking for them first costs a fraction of the pattern.
MARKS = (
    "sk-",
    "Bearer",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "AKIA",
    "ASIA",
    "AIza",
    "eyJ",
    "xox",
    "glpat-",
    "hf_",
    "PRIVATE KEY",
)


def without_shapes(text: str, instead: str) -> str:
    """Return `text` with everything that looks like a key replaced."""
    return _EXACT.sub(instead, text) if _suspicious(text) else text


def shapes(text: str) -> Iterator[tuple[int, int]]:
    """Yield where in `text` something looks like a key: start and end."""
    if _suspicious(text):
        for match in _EXACT.finditer(text):
            yield match.span()


def _suspicious(text: str) -> bool:
    return _ROUGH.search(text) is not None
