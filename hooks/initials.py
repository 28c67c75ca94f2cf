"""Initials that are those of the pseudonym: a column that is made from a name has to follow it."""

from __future__ import annotations

from envclone.hooks import Batch, Context, hook


@hook(writes="main.public.people.initials", reads=["name"])
def initials(ctx: Context, batch: Batch) -> list[str | None]:
    """`Jane Doe` became `Lucy Kot`, so `JD` becomes `LK`."""
    names = ctx.mask("person", batch["name"])
    return [
        None if old is None or name is None else "".join(word[0] for word in name.split())[:4].upper()
        for old, name in zip(batch["initials"], names, strict=True)
    ]
