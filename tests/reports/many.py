"""A run of many trials, every answer another: words as often as they stand in docs/, so that they pack as English does."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from samples import trial

from harness.records import CassetteRef, Message, Outcome, Result, TurnRecord

ROOT = Path(__file__).parents[2]


def results(trials: int, words: int) -> Iterator[Result]:
    """Yield trials of two variants, every answer another."""
    chance = random.Random(7)
    vocabulary = re.findall(
        r"[A-Za-z']+", " ".join(path.read_text("utf-8") for path in sorted(ROOT.glob("docs/**/*.md")))
    )
    for number in range(trials // 2):
        question = " ".join(chance.choices(vocabulary, k=12)) + "?"
        for variant in ("faq@1", "faq@2"):
            answer = " ".join(chance.choices(vocabulary, k=words))
            said = ("system", "Answer from the policy."), ("user", question), ("assistant", answer)
            yield trial(
                f"case-{number:05d}",
                variant,
                Outcome.PASSED if chance.random() < 0.8 else Outcome.FAILED,
                input=question,
                output=answer,
                tags=(chance.choice(["billing", "orders", "returns"]),),
                messages=tuple(Message(role=role, content=text) for role, text in said),  # type: ignore[arg-type]
                turns=(TurnRecord(input=(question,), output=answer),),
                latency=round(chance.lognormvariate(0.3, 0.4), 6),
                ttft=round(chance.lognormvariate(-1, 0.3), 6),
                cost=Decimal(chance.randrange(300, 900)) / 10_000_000,
                cassette=CassetteRef(
                    path=f"cassettes/faq/{variant}/case-{number:05d}.1.yaml",
                    mode="replayed",
                    recorded_at=f"2026-11-20T10:{number // 100:02d}:{number % 60:02d}Z",
                ),
            )
