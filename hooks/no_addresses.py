"""A last look: no text of a ticket may hold an address of our own staff."""

from __future__ import annotations

import re

from envclone.hooks import Batch, Context, hook

STAFF = re.compile(r"[\w.+-]+@staff\.example", re.IGNORECASE)


@hook(stage="verify", reads="main.public.tickets.body")
def no_addresses(ctx: Context, batch: Batch) -> list[bool]:
    """True is a row that must not be published."""
    return [text is not None and STAFF.search(text) is not None for text in batch["body"]]
