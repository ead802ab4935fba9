"""Embeddings and moderations of the simulator, through the SDK."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.simulator.sdk import awaited, client_of
from tests.simulator.test_assistants_runs import brain


def alike(one: list[float], two: list[float]) -> float:
    return sum(a * b for a, b in zip(one, two, strict=True))


@awaited
async def test_texts_with_words_in_common_lie_near_each_other() -> None:
    texts = ["How do I get a refund?", "How can I get refunds?", "The weather is fine in Oslo."]
    async with client_of(brain()) as client:
        answer = await client.embeddings.create(model="text-embedding-3-small", input=texts)
        again = await client.embeddings.create(model="text-embedding-3-small", input=texts[0])
    one, two, three = (data.embedding for data in answer.data)
    assert len(one) == 1536
    assert alike(one, one) == pytest.approx(1, abs=1e-4)
    assert alike(one, two) > 0.5 > alike(one, three) + 0.2
    assert again.data[0].embedding == one
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > again.usage.prompt_tokens > 0


@awaited
async def test_numbers_come_plain_or_packed_and_as_many_as_asked_for() -> None:
    async with client_of(brain()) as client:
        # The SDK asks for base64 by itself and unpacks it.
        packed = await client.embeddings.create(model="text-embedding-3-small", input="Hello", dimensions=8)
        plain = await client.embeddings.create(
            model="text-embedding-3-small", input="Hello", dimensions=8, encoding_format="float"
        )
        large = await client.embeddings.create(model="text-embedding-3-large", input=[[15339]])
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert (len(plain.data[0].embedding), len(large.data[0].embedding)) == (8, 3072)


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": ""},
        {"input": []},
        {"input": ["a", ""]},
        {"input": "word " * 8200},
        {"input": "a", "dimensions": 0},
        {"input": "a", "dimensions": 2000},
        {"input": "a", "model": "text-embedding-ada-002", "dimensions": 8},
        {"input": "a", "encoding_format": "hex"},
        {"input": "a", "extra_body": {"size": 3}},
    ],
)
@awaited
async def test_embeddings_that_the_service_would_refuse_are_refused(wrong: Any) -> None:
    async with client_of(brain()) as client:
        with pytest.raises(openai.BadRequestError):
            await client.embeddings.create(**{"model": "text-embedding-3-small", **wrong})


@awaited
async def test_moderation_flags_by_words() -> None:
    async with client_of(brain()) as client:
        good, bad = (await client.moderations.create(input=["Good morning!", "I will kill you, you idiot"])).results
        assert not good.flagged and good.category_scores.violence < 0.01
        assert bad.flagged and bad.categories.violence and bad.categories.harassment and not bad.categories.sexual
        assert bad.category_scores.violence > 0.8
        parts: Any = [
            {"type": "text", "text": "Look"},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        ]
        (seen,) = (await client.moderations.create(input=parts, model="omni-moderation-latest")).results
        assert seen.category_applied_input_types.violence == ["text", "image"]
        with pytest.raises(openai.BadRequestError):
            await client.moderations.create(input=[])
