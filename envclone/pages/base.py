"""What every page shares: one file without script that fetches nothing, its style, its tables, and text that is only
text."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from html import escape

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

STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1a1d21; --soft: #5a6270; --line: #d9dde3; --box: #f5f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171b; --ink: #e6e9ee; --soft: #a3acb9; --line: #343b45; --box: #1d2127; }
}
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0; background: var(--page); color: var(--ink); }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 2.2rem 0 .3rem; }
p { margin: .2rem 0 .6rem; color: var(--soft); overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; font-size: .85rem; color: var(--soft); }
td { overflow-wrap: anywhere; unicode-bidi: plaintext; } td + td { min-width: 5.5rem; }
td:first-child { font-family: ui-monospace, monospace; font-size: .88rem; }
details { border-bottom: 1px solid var(--line); } details table { margin: 0 0 .6rem; }
summary { padding: .45rem 0; cursor: pointer; overflow-wrap: anywhere; font: .88rem ui-monospace, monospace; }
summary span { color: var(--soft); }
:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
@media screen and (max-width: 40rem) {
  main { padding: 1rem .9rem 3rem; }
  thead { display: none; } table, tbody, tr, td { display: block; } td + td { min-width: 0; }
  td { border: 0; padding: .1rem 0; } td.none { display: none; }
  tr { border-bottom: 1px solid var(--line); padding: .4rem 0; display: block; }
  td + td[data-of]:not([data-of=""])::before { content: attr(data-of) ": "; color: var(--soft); }
}
@media print {
  :root { color-scheme: light; --page: #fff; --ink: #000; --soft: #444; --line: #bbb; --box: #f5f6f8; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; }
  h2 { break-after: avoid; } tr, li { break-inside: avoid; } thead { display: table-header-group; }
  details::details-content { display: block; content-visibility: visible; height: auto; }
}
"""
