"""Tickets: everything below an e-mail's signature mark goes, the rest is masked as free text."""

from __future__ import annotations

from envclone.hooks import Batch, Context, hook

MARKS = ("\n-- \n", "\nBest regards", "\nKind regards", "\nMit freundlichen Grüßen", "\nCordialement")


@hook(writes="main.public.tickets.body", reads=["channel"])
def body(ctx: Context, batch: Batch) -> list[str | None]:
    """Only what came by e-mail has a signature."""
    shortened = [
        cut(text) if text is not None and channel == "email" else text
        for text, channel in zip(batch["body"], batch["channel"], strict=True)
    ]
    return ctx.mask("text", shortened)


def cut(text: str) -> str:
    """The text without its signature; a line says that one was there."""
    ends = [at for mark in MARKS if (at := text.find(mark)) >= 0]
    return f"{text[: min(ends)]}\n[signature]" if ends else text
