"""What every page shares: one file without script that fetches nothing, its style, its tables, and text that is only
text."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from envclone.visible import visible

__all__ = ["STYLE", "document", "fold", "plain", "table"]

_STACKED = re.compile("([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4})"
                      "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")  # fmt: skip
"""More marks above one letter than any language has: they would be drawn over the lines beside."""


def plain(text: object, limit: int = 0) -> str:
    """A value as text of a page: no markup, no control characters, nothing that turns the direction of writing.

    With a `limit` it has at most that many characters, and says that it was cut.
    """
    said = str(text)
    if limit and len(said) > limit:
        said = said[: limit - 1] + "…"
    return escape(visible(_STACKED.sub(r"\1", said)))


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "", kind: str = "", escaped: bool = False
) -> str:
    """A table with a head, unless no column has a name; on a phone each cell says its column.

    The cells are text, or with `escaped` markup that was made with care. A cell of '' is left out where its column has
    a name.
    """
    put = str if escaped else plain
    head = "".join(f'<th scope="col">{plain(column)}</th>' for column in columns)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-of="{plain(column)}">{put(cell)}</td>'
            if cell != "" or not column
            else f'<td data-of="{plain(column)}" class="none"></td>'
            for column, cell in zip(columns, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    opened = f'<table class="{kind}">' if kind else "<table>"
    said = f"<caption>{plain(caption)}</caption>" if caption else ""
    return f"{opened}{said}{f'<thead><tr>{head}</tr></thead>' if any(columns) else ''}<tbody>{body}</tbody></table>"


def fold(summary: str, body: str, *, note: str = "", opened: bool = False) -> str:
    """A part of a page that is folded; `summary` and `note` are text, `body` is markup. Paper shows it unfolded."""
    said = f" <span>{plain(note)}</span>" if note else ""
    return f"<details{' open' if opened else ''}><summary>{plain(summary)}{said}</summary>{body}</details>"


def document(title: str, body: str, *, style: str = "") -> str:
    """The whole page around a `body` of markup; a browser takes no style but this one, and loads nothing."""
    css = STYLE + style
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return _PAGE.format(title=plain(title), style=css, digest=digest, body=body)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; \
form-action 'none'">
<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">
<title>{title}</title><style>{style}</style></head>
<body>{body}</body></html>
"""

STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
