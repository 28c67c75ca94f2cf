"""The one list of decoders: every way in which software spells a text, and what the text says then.

Free text is masked through these views, values are searched through them, and `docs/sanitization.md` lists them:
whatever can be read here is masked in its own spelling, and nothing that can be read here may be left.

    for view in views(text):
        for start, end in identities_in(view.text):
            where = view.source(start, end)      # the part of `text` that spells view.text[start:end]

`views` yields nothing for a text that is spelled plainly, and takes time linear in the text; views of views are among
what it yields, up to `DEPTH`. Several values can be joined by NUL: no view reaches across one, none makes one, and the
segments of `view.text` between NULs are single values or single blocks.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from envclone.masking.blocks import Block, blocks
from envclone.masking.escapes import SMALL, spelled_parts, written

__all__ = ["DECODERS", "DEPTH", "Edit", "View", "views"]

DEPTH = 3
"""How often a spelling is looked for inside another one."""

Edit = tuple[int, int, str]
"""Where a part of a text begins and ends, and what takes its place."""

_SEPARATOR = "\x00"

DECODERS = {
    "percent": "percent-encoding, also of UTF-8 and Windows-1252: `jane%40example.org`, `%u0040`",
    "plus": "blanks as `+`, `_` and `.`: `Jane+Doe`",
    "entity": "HTML and XML entities, decimal, hexadecimal and by name: `&#64;`, `&#x40;`, `&commat;`",
    "quoted-printable": "quoted-printable, its lines and encoded words: `jane=40example.org`, `=?utf-8?Q?Jane=20Doe?=`",
    "base64": "base64 of 16 digits and more, standard and url-safe, in lines, in `Basic …`, in encoded words, in the "
    "parts of a JWT; UTF-8 and UTF-16",
    "hex": "hexadecimal of 16 digits and more, also in pairs (`7a:71:37`) and as `\\x7a71`",
    "base32": "base32 of 16 digits and more",
    "escape": "escapes of JSON, SQL, C, Python and CSS: `\\u0040`, `\\x40`, `\\100`, `\\U00000040`, `\\u{40}`, "
    "`\\0040`, `\\000040`, `\\40 `, `''`, `\\/`, and `\\x00` between letters; colours of a terminal",
    "invisible": "soft hyphens, characters without width, direction marks, variation selectors, marks of no letter",
    "compatible": "full width, mathematical and circled letters, small capitals, squares, ligatures, digits of other "
    "scripts",
    "lookalike": "Cyrillic and Greek letters that look like Latin ones, beside these: `J\u0430ne`",
    "composed": "NFC, NFD and mixtures of them",
    "misread": "UTF-8 that was read as Windows-1252: `J\u00c3\u00bcrgen`",
    "markup": "tags, comments and BBCode between the letters, Markdown's `*` and `` ` ``",
    "space": "no-break and other blanks, line breaks, tabs, quoted lines of a mail (`> `), words that go on in the "
    "next line behind a hyphen",
    "inside": "user names made of names, genitives and other cases: `jdoe`, `JaneDoe`, `Doe's`, `Quenzelmanns`",
    "grouped": "numbers of persons (telephone, IBAN, card, national id), however their digits are grouped and "
    "with letters right beside them: `SSN536228741`; telephone numbers behind the code of a country without its +",
    "spoken": "`[at]`, `(at)`, ` at `, `[dot]`, ` dot `, ` @ `",
}
"""What is read, by name, with an example each."""


class View:
    """What a part of a text says under one spelling; `parent` is the view that it was seen in, None for the text."""

    __slots__ = ("_block", "_ends", "_plain", "_source", "_starts", "_widths", "parent", "text")

    def __init__(self, source: str, parent: View | None, block: Block | None = None) -> None:
        self._source = source
        self.parent = parent
        self._block = block
        self.text = block.plain if block is not None else self._read()

    def _read(self) -> str:
        """The values in which anything is escaped, as they are read; the others are left out."""
        # of every piece: where it stands in the view, for how much, and where in the source; the rest is as it is there
        self._plain, self._widths, self._starts, self._ends = array("q"), array("q"), array("q"), array("q")
        out: list[str] = []
        size = position = 0
        source = self._source
        for start, end, found in spelled_parts(source):
            size += self._piece(size, position, start, _SEPARATOR if size else "", out)
            position = start
            for piece in found:
                at = start + piece.start
                out.append(source[position:at])
                size += at - position
                size += self._piece(size, at, start + piece.end, piece.plain.replace(_SEPARATOR, "\ufffd"), out)
                position = start + piece.end
            out.append(source[position:end])
            size += end - position
            position = end
        return "".join(out)

    def _piece(self, at: int, start: int, end: int, plain: str, out: list[str]) -> int:
        self._plain.append(at)
        self._widths.append(len(plain))
        self._starts.append(start)
        self._ends.append(end)
        out.append(plain)
        return len(plain)

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Where in the text that `views` was given the characters text[start:end] of this view are spelled."""
        block = self._block
        inner = block.where(start, end) if block is not None else (self._at(start)[0], self._at(end - 1)[1])
        return self.parent.source(*inner) if self.parent is not None else inner

    def edits(self, changes: Sequence[Edit]) -> list[Edit]:
        """Changes of this view's text, in order and apart, as changes of the parent's in the same spelling."""
        if self._block is not None:
            return self._block.edits(self._source, changes)
        return [self._respelled(*change) for change in changes]

    def _respelled(self, start: int, end: int, new: str) -> Edit:
        """A change, character by character: every one keeps its way of being spelled, and what is between stays."""
        places = [self._at(i) for i in range(start, end)]
        source, old = self._source, self.text[start:end]
        begin, stop = places[0][0], places[-1][1]
        if len(new) != len(old):  # an IP address: its signs are spelled as they were
            signs = {char: source[a:b] for char, (a, b) in zip(old, places, strict=True) if not char.isalnum()}
            return begin, stop, "".join([signs.get(char, char) for char in new])
        small = SMALL.search(source, begin, stop) is not None
        out: list[str] = []
        position = begin
        i = 0
        while i < len(old):
            first, last = places[i]
            width = 1
            while i + width < len(old) and places[i + width] == (first, last):
                width += 1  # a piece that stands for several characters
            out.append(source[position:first])
            plain, fresh = old[i : i + width], new[i : i + width]
            spelled = source[first:last]
            out.append(
                spelled if plain == fresh else fresh if width > 1 else written(spelled, plain, fresh, small=small)
            )
            position = last
            i += width
        return begin, stop, "".join(out)

    def _at(self, position: int) -> tuple[int, int]:
        """Where in the source the character at a position of the view begins and ends."""
        at = bisect_right(self._plain, position) - 1
        past = position - self._plain[at] - self._widths[at]
        if past < 0:
            return self._starts[at], self._ends[at]
        return self._ends[at] + past, self._ends[at] + past + 1


def views(text: str, depth: int = DEPTH) -> Iterator[View]:
    """Every way to read a text, or parts of it, that differs from how it is written; parents before their children."""
    level: list[tuple[str, View | None]] = [(text, None)]
    for _ in range(depth):
        found = [view for source, parent in level for view in _once(source, parent)]
        yield from found
        level = [(view.text, view) for view in found]


def _once(text: str, parent: View | None) -> Iterator[View]:
    read = View(text, parent)
    if read.text:
        yield read
    for block in blocks(text):
        yield View(text, parent, block)
