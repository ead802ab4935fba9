"""Embeddings without a model: texts with words and letters in common lie near each other. The same text, the same vector."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import struct
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.simulator import models, tokens
from harness.simulator.errors import ApiError
from harness.simulator.http import answer, read
from harness.simulator.plain import JSON
from harness.simulator.validation import STRING, Form, closed

if TYPE_CHECKING:
    from harness.simulator.app import Simulator

_WORD = re.compile(r"\w+")
#: What a run of letters counts for, where a word counts for one.
_LETTERS = 0.3
_LENGTHS = (3, 4)
#: Numbers in a vector, where a model has others than the usual.
_SIZES = {"text-embedding-3-large": 3072}
_USUAL_SIZE = 1536
_MOST_TOKENS = 8192
#: Above any number of a token.
_TOKENS = 200_000


@cache
def _form() -> Form:
    several = {"type": "array", "minItems": 1, "maxItems": 2048}
    token = {"type": "integer", "minimum": 0, "maximum": _TOKENS - 1}
    return Form(
        closed(
            {
                "model": STRING,
                "input": {
                    "anyOf": [
                        STRING,
                        {**several, "items": STRING},
                        {**several, "items": token},
                        {**several, "items": {**several, "items": token}},
                    ]
                },
                "encoding_format": {"type": "string", "enum": ["float", "base64"]},
                "dimensions": {"type": "integer", "minimum": 1},
                "user": STRING,
            },
            "model",
            "input",
        ),
        old=True,
    )


def embed(text: str, size: int) -> list[float]:
    """Return the vector of a text, of length 1.

    Args:
        text: Any text.
        size: How many numbers.
    """
    vector = [0.0] * size
    for feature, weight in _features(text).items():
        digest = hashlib.blake2b(feature.encode(), digest_size=8).digest()
        place = int.from_bytes(digest, "big")
        vector[(place >> 1) % size] += weight if place & 1 else -weight
    length = math.sqrt(sum(number * number for number in vector))
    if not length:
        # Features may cancel each other out; a vector of length 1 it must be.
        return [1.0] + [0.0] * (size - 1)
    return [number / length for number in vector]


def _features(text: str) -> dict[str, float]:
    """What a text is made of, and how much of it: words, and runs of letters within them."""
    found: defaultdict[str, float] = defaultdict(float)
    words = _WORD.findall(text.lower())
    for word in words or [text]:
        found[f"word {word}"] += 1.0
        # Marks at both ends tell a beginning from a middle.
        marked = f"<{word}>"
        for length in _LENGTHS:
            for start in range(len(marked) - length + 1):
                found[f"letters {marked[start : start + length]}"] += _LETTERS
    return found


def routes(simulator: Simulator) -> list[Route]:
    """Return where embeddings are made."""

    async def create(request: Request) -> Response:
        body = await read(request)
        _form().check(body, strict=simulator.strict)
        model = body["model"]
        if not model.startswith("text-embedding-"):
            models.check(simulator, model)
        size = _size(model, body.get("dimensions"))
        texts = _texts(body["input"])
        used = sum(tokens.count(text) for text in texts)
        packed = body.get("encoding_format") == "base64"
        vectors = [embed(text, size) for text in texts]
        return answer(
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": number, "embedding": _packed(vector) if packed else vector}
                    for number, vector in enumerate(vectors)
                ],
                "model": model,
                "usage": {"prompt_tokens": used, "total_tokens": used},
            }
        )

    return [Route("/v1/embeddings", create, methods=["POST"])]


def _size(model: str, wanted: int | None) -> int:
    most = _SIZES.get(model, _USUAL_SIZE)
    if wanted is None:
        return most
    if model == "text-embedding-ada-002":
        raise ApiError(400, "This model does not support specifying 'dimensions'.", param="dimensions")
    if wanted > most:
        raise ApiError(400, f"'dimensions' of this model is at most {most}, not {wanted}.", param="dimensions")
    return wanted


def _texts(input: JSON) -> list[str]:
    """Return the texts of a request, which may bring tokens instead.

    Raises:
        ApiError: 400, a text is empty or too long.
    """
    several = input if isinstance(input, list) else [input]
    if isinstance(several[0], int):
        several = [several]
    texts = [one if isinstance(one, str) else _text(one) for one in several]
    for number, text in enumerate(texts):
        where = f"input[{number}]" if isinstance(input, list) else "input"
        if not text:
            raise ApiError(400, f"'{where}' must not be an empty string.", param="input")
        if len(text) > _MOST_TOKENS and tokens.count(text) > _MOST_TOKENS:
            raise ApiError(400, f"'{where}' has more than {_MOST_TOKENS} tokens.", param="input")
    return texts


def _text(numbers: Sequence[int]) -> str:
    try:
        return tokens.decode(list(numbers))
    except (KeyError, ValueError, IndexError):
        raise ApiError(400, "'input' has a number that is no token.", param="input") from None


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
