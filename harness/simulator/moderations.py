"""Moderations without a model: a short list of words. It shows how the API answers, and judges nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.simulator import models
from harness.simulator.http import answer, read
from harness.simulator.plain import JSON
from harness.simulator.validation import STRING, Form, closed

if TYPE_CHECKING:
    from harness.simulator.app import Simulator

_USUAL = "omni-moderation-latest"
#: Every category, and what makes a text belong to it.
_CATEGORIES: Mapping[str, str] = {
    "harassment": r"idiots?|morons?|losers?|shut up",
    "harassment/threatening": r"(?:i will|i'll|going to) (?:hurt|find|get) you",
    "hate": r"subhumans?|vermin",
    "hate/threatening": r"exterminate (?:them|these people)",
    "illicit": r"launder(?:ing)? money|forge (?:a passport|documents)|shoplift(?:ing)?",
    "illicit/violent": r"build a bomb|make explosives",
    "self-harm": r"hurt myself|kill myself|suicide|self-harm",
    "self-harm/intent": r"(?:i want|going) to (?:die|kill myself|hurt myself)",
    "self-harm/instructions": r"how to (?:kill|hurt) (?:myself|yourself)",
    "sexual": r"porn(?:ography)?|nudes?",
    "sexual/minors": r"child porn(?:ography)?",
    "violence": r"kill|murder|stab|shoot (?:him|her|them|you)|beat (?:him|her|them|you) up",
    "violence/graphic": r"gore|dismember(?:ed)?|guts spilled",
}
#: Categories for which images are looked at, too.
_SEEN = ("self-harm", "self-harm/intent", "self-harm/instructions", "sexual", "violence", "violence/graphic")
_SURE = 0.9
#: What a text scores that has nothing of a category, at most.
_NOISE = 0.001


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    return {name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for name, words in _CATEGORIES.items()}


@cache
def _form() -> Form:
    parts = {
        "text": closed({"type": STRING, "text": STRING}, "type", "text"),
        "image_url": closed({"type": STRING, "image_url": closed({"url": STRING}, "url")}, "type", "image_url"),
    }
    part = {"type": "object", "tagged": {"on": "type", "forms": parts}}
    several = {"type": "array", "minItems": 1}
    input = {"anyOf": [STRING, {**several, "items": STRING}, {**several, "items": part}]}
    return Form(closed({"input": input, "model": STRING}, "input"), old=True)


def judge(text: str, *, image: bool = False) -> dict[str, JSON]:
    """Return the result for a text, and whether an image came with it.

    The score, 0..1, grows with the number of words found; the same text always gets the same.
    """
    hits = {name: len(pattern.findall(text)) for name, pattern in _patterns().items()}
    types = {name: ["text", "image"] if image and name in _SEEN else ["text"] for name in hits}
    return {
        "flagged": any(hits.values()),
        "categories": {name: bool(count) for name, count in hits.items()},
        "category_scores": {name: _score(name, count, text) for name, count in hits.items()},
        "category_applied_input_types": types,
    }


def _score(category: str, count: int, text: str) -> float:
    if count:
        return round(1 - (1 - _SURE) / count, 6)
    digest = hashlib.blake2b(f"{category} {text}".encode(), digest_size=4).digest()
    return round(int.from_bytes(digest, "big") / 2**32 * _NOISE, 9)


def routes(simulator: Simulator) -> list[Route]:
    """Return where texts are judged."""

    async def create(request: Request) -> Response:
        body = await read(request)
        _form().check(body, strict=simulator.strict)
        model = body.get("model", _USUAL)
        if "-moderation-" not in model:
            models.check(simulator, model)
        id = simulator.state.identity.new("modr-", body)
        return answer({"id": id, "model": model, "results": _results(body["input"])})

    return [Route("/v1/moderations", create, methods=["POST"])]


def _results(input: JSON) -> list[dict[str, JSON]]:
    if isinstance(input, str):
        return [judge(input)]
    if isinstance(input[0], str):
        return [judge(text) for text in input]
    parts: Sequence[Mapping[str, JSON]] = input
    # Parts belong together: they are one text with its images.
    text = "\n".join(part["text"] for part in parts if part["type"] == "text")
    return [judge(text, image=any(part["type"] == "image_url" for part in parts))]
