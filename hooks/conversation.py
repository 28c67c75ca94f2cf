"""Conversations with a model: what persons wrote is masked as free text, what the system said stays to the letter."""

from __future__ import annotations

import json

from envclone.hooks import Batch, Context, hook


@hook(writes="main.public.chats.messages")
def messages(ctx: Context, batch: Batch) -> list[str | None]:
    """All texts of the batch are masked at once: one question to envclone, not one per message."""
    documents = [None if text is None else json.loads(text) for text in batch["messages"]]
    said = [turn for turns in documents if turns for turn in turns if turn["role"] != "system"]
    for turn, masked in zip(said, ctx.mask("text", [turn["content"] for turn in said]), strict=True):
        turn["content"] = masked
    return [None if turns is None else json.dumps(turns, ensure_ascii=False) for turns in documents]
