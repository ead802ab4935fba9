"""What each API cannot be told: such settings are refused before anything is paid."""

from __future__ import annotations

from collections.abc import Mapping

_NOT_IN_RESPONSES = "Responses has no such setting: leave it out, or use `api: chat`."
_OF_PYTHON = "It belongs to `api: python`."

#: By API, the settings it lacks, and what to do instead.
LACKING: Mapping[str, Mapping[str, str]] = {
    "responses": {
        **dict.fromkeys(("seed", "stop", "presence_penalty", "frequency_penalty"), _NOT_IN_RESPONSES),
        **dict.fromkeys(("target", "args"), _OF_PYTHON),
    },
    "chat": {"chain": "It belongs to `api: responses`.", **dict.fromkeys(("target", "args"), _OF_PYTHON)},
}

#: By API, the keys that `request:` cannot pass through, because the harness has to know of them.
TAKEN: Mapping[str, Mapping[str, str]] = {
    "responses": {
        "model": "Write `model:` beside `request:`; prices go by it.",
        "input": "It is made of prompt and case.",
        "instructions": "They are the prompt's system messages.",
        "stream": "Write `stream: true` beside `request:`.",
        "background": "An answer that is fetched later cannot be timed.",
        "previous_response_id": "Write `chain: response` beside `request:`.",
        "conversation": "Write `chain: conversation` beside `request:`.",
    },
    "chat": {
        "model": "Write `model:` beside `request:`; prices go by it.",
        "messages": "They are made of prompt and case.",
        "stream": "Write `stream: true` beside `request:`.",
        "n": "One trial has one answer; write `repeats:` in the suite.",
    },
}
