"""Images: the list, and one with its account."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from envclone.cow.sizes import format_size
from envclone.pages import attestation
from envclone.pages.base import plain, table
from envclone.pages.board.frame import ago, at, button, facts, framed, link, place, region, tag, token
from envclone.pages.board.values import Frame, ImagePage, ImageRow

__all__ = ["image", "images", "images_of"]


def images(frame: Frame, rows: Sequence[ImageRow], now: dt.datetime, environments: Sequence[str] = ()) -> str:
    """The list; for operators with forms that make one, copy production, and remove what nobody needs."""
    shown = images_of(rows, now) if rows else "<p>There is no image. <code>envclone image</code> makes one.</p>"
    return framed(frame, "Images", f"<h1>Images</h1>{shown}{_tending(frame, environments)}")


def _tending(frame: Frame, environments: Sequence[str]) -> str:
    options = "".join(f'<option value="{plain(one)}">{plain(one, 80)}</option>' for one in environments)
    chosen = f'<label>Environment <select name="environment">{options}</select></label>'
    said = ""
    if "image" in frame.may and environments:
        said += (
            f'<h2>Make an image</h2><form class="make" method="post" action="{place("images")}">{token(frame)}{chosen}'
            '<label class="tick"><input type="checkbox" name="fresh"> Copy production first</label>'
            '<label class="tick"><input type="checkbox" name="again"> Even if there is one of that state</label>'
            "<button>Make it</button></form>"
        )
    if "snapshot" in frame.may and environments:
        said += (
            f'<h2>Copy production</h2><form class="make" method="post" action="{place("snapshots")}">{token(frame)}'
            f"{chosen}<button>Copy it into quarantine</button></form>"
        )
    if "gc" in frame.may:
        look = button(frame, "Look what nobody needs", place("gc"), fields={"dry": "on"})
        said += f'<h2>Make room</h2><div class="deeds">{look}</div>'
    return said


def images_of(rows: Sequence[ImageRow], now: dt.datetime) -> str:
    """Images as a table, the newest first."""
    cells: list[tuple[str, ...]] = [
        (
            link(one.id, "images", one.id),
            plain(one.environment),
            f"{ago(one.state_of, now)} old",
            plain(", ".join(one.stores), 120),
            _fidelity(one),
            _proof(one),
            plain("–" if one.size is None else format_size(one.size)),
            ", ".join(link(name, "branches", name) for name in one.branches) or "–",
        )
        for one in rows
    ]
    columns: tuple[str, ...] = ("image", "of", "state of production", "stores", "fidelity", "proof", "size", "branches")
    if all(one.size is None for one in rows):  # the first page does not ask: it takes a walk through all their files
        cells = [(*row[:6], row[7]) for row in cells]
        columns = (*columns[:6], columns[7])
    return region("Images", table(columns, cells, escaped=True))


def _fidelity(one: ImageRow) -> str:
    said = "–" if one.fidelity is None else f"{one.fidelity:.1%}"
    return plain(said) + (f" {tag('rebuilt', 'warn')}" if one.rebuilt else "")


def _proof(one: ImageRow) -> str:
    if one.flaw:
        return f"{tag('refused', 'bad')} {plain(one.flaw, 200)}"
    many = "s" if one.exceptions != 1 else ""
    return tag("signed", "good") + (f" {one.exceptions} exception{many}" if one.exceptions else "")


def image(frame: Frame, page: ImagePage) -> str:
    """One image: the verdict first, then exceptions, the account, what was checked, and the rules."""
    row = page.row
    said = facts([
        ("Of", f"{plain(row.environment)}, the state of {at(row.state_of)}, {ago(row.state_of, page.now)} ago"),
        ("Proof", _proof(row)),
        ("Fidelity", _fidelity(row)),
        ("Size", plain(format_size(row.size)) if row.size is not None else ""),
        ("Branches", ", ".join(link(name, "branches", name) for name in row.branches) or "none"),
    ])  # fmt: skip
    if page.statement is None:
        body = "<p>Its attestation does not hold, so nothing of it is shown, and no branch is made of it.</p>"
    else:
        body = attestation.rendered(page.statement)
    return framed(frame, row.id, f"<h1>Image {plain(row.id, 80)}</h1>{said}{body}")
