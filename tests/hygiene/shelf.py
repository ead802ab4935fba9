"""A recording of the project in `conftest`, and how it is edited."""

from __future__ import annotations

from pathlib import Path

#: The trial with a tool call: two calls.
ORDER = Path("cassettes/shop/shop/order.1.yaml")
#: The other one: one call.
CHAT = Path("cassettes/shop/shop/chat.1.yaml")


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8", newline="")
