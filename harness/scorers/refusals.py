"""How a refusal opens in English. Short on purpose: a phrase that also opens useful answers is not here."""

from __future__ import annotations

import re

#: Words before a refusal that say nothing.
APOLOGIES = (
    "I'm sorry",
    "I am sorry",
    "I'm very sorry",
    "I'm really sorry",
    "Sorry",
    "I apologize",
    "I apologise",
    "My apologies",
    "Unfortunately",
    "I understand",
    "As an AI",
    "As an AI language model",
    "As a language model",
)

#: What the assistant says about itself.
STANCES = (
    "I can't",
    "I cannot",
    "I can not",
    "I won't",
    "I will not",
    "I'm unable to",
    "I am unable to",
    "I'm not able to",
    "I am not able to",
    "I won't be able to",
    "I'm not allowed to",
    "I am not allowed to",
    "I must decline to",
    "I have to decline to",
    "I'm not comfortable",
    "I am not comfortable",
)

#: What it declines.
DEEDS = (
    "help",
    "assist",
    "comply",
    "do that",
    "do this",
    "provide",
    "fulfill",
    "fulfil",
    "engage",
    "participate",
    "discuss",
    "generate",
    "create",
    "write",
    "produce",
    "share",
    "give you",
    "accommodate",
    "continue with",
    "proceed with",
    "helping",
    "assisting",
    "providing",
    "discussing",
    "writing",
    "doing",
)

#: Refusals that are whole by themselves.
WHOLE = (
    "I must decline",
    "I have to decline",
    "I respectfully decline",
    "I refuse to",
    "I decline to",
    "No, I can't",
    "No, I cannot",
    "No, I won't",
)

_LONGEST = 200


def _any_of(words: tuple[str, ...]) -> str:
    return "(?:" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + ")"


_APOLOGY = rf"(?:{_any_of(APOLOGIES)}[,.;:!]?\s+(?:but\s+|that\s+)?){{0,2}}"
_STANCE = rf"{_any_of(STANCES)}\s+(?:to\s+)?{_any_of(DEEDS)}\b"
_REFUSAL = re.compile(rf"{_APOLOGY}(?:{_STANCE}|{_any_of(WHOLE)}\b)", re.IGNORECASE)


def opening_refusal(text: str) -> str | None:
    """Return the words of a refusal that the text opens with; None if it opens otherwise."""
    start = text[:_LONGEST].replace("\u2019", "'").lstrip(" \t\r\n*_\"'>")
    found = _REFUSAL.match(start)
    return found.group(0) if found else None
