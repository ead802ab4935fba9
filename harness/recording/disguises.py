"""The forms in which a secret may stand in a text: as it is, and as encodings write it."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus


def disguises(secret: str) -> set[str]:
    """Return the forms of `secret` that must not be kept, the value itself included.

    Those are its JSON forms (once, and twice for JSON in a JSON string, with and without escapes for other scripts),
    its URL and HTML forms, and its base64 form, also where it is only the inner part of what was encoded, as in
    `user:secret`.
    """
    forms = {secret, repr(secret)[1:-1], html.escape(secret), html.escape(secret).replace("&#x27;", "&#39;")}
    forms |= set(_urls(secret))
    for form in _json(secret):
        forms |= {form, *_json(form)}
    forms |= set(_base64(secret))
    # Bodies that are no UTF-8 are looked through byte by byte.
    forms |= {form.encode("utf-8", "surrogatepass").decode("latin-1") for form in (secret, *_json(secret))}
    return {form for form in forms if form}


def _json(text: str) -> set[str]:
    forms = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    # Other languages' encoders escape more than they must.
    forms |= {form.replace("/", "\\/") for form in forms}
    return forms | {_for_html(form) for form in forms}


def _for_html(text: str) -> str:
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _urls(secret: str) -> Iterator[str]:
    for safe in ("", "/", "~!*'()"):
        for encoded in (quote(secret, safe=safe), quote_plus(secret, safe=safe)):
            yield encoded
            yield _lower_hex(encoded)


def _lower_hex(encoded: str) -> str:
    first, *rest = encoded.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def _base64(secret: str) -> Iterator[str]:
    """What every base64 text has in it that holds the secret, for each of the three places where it may begin.

    The characters at both ends depend on what stands beside the secret; these are the ones that do not (RFC 4648 §4).
    """
    data = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode("ascii")
        inner = encoded[-(-8 * before // 6) : 8 * (before + len(data)) // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
        yield inner.replace("/", "\\/")
        yield quote(inner, safe="")
