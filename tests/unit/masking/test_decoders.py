"""Every way to spell an identity: read, masked in the same spelling, with the pseudonym of the plain value."""

from __future__ import annotations

import base64
import json
import quopri
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.masking.corpus import Corpus
from envclone.masking.decoders import DECODERS, views
from envclone.masking.masks import MaskSet
from tests.unit.masking.conftest import KEY

NAME, MAIL, PHONE = "Zanna Quimbyha", "zanna.q7@corp.example", "+49 30 1234107"
IBAN, CARD, SSN = "DE89370400440532013000", "4111111111111111", "536-22-8741"
MASKS = MaskSet(
    KEY,
    {},
    Corpus(
        {
            "person": (NAME, "Wolfhard Quenzelmann", "Jérôme Müller", "Jane Doe"),
            "phone": (PHONE,),
            "iban": (IBAN,),
            "card": (CARD,),
            "national_id": (SSN,),
        }
    ),
)
Spell = Callable[[str], str]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def jwt(text: str) -> str:
    parts = ('{"alg":"HS256"}', json.dumps({"sub": text}))
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts) + ".c2ln"


def between(mark: str) -> Spell:
    """A mark behind the third character."""
    return lambda text: text[:3] + mark + text[3:]


def each(form: str, only: str = "") -> Spell:
    return lambda text: "".join(form.format(ord(c)) if c in (only or text) else c for c in text)


ANY: dict[str, Spell] = {
    "plain": str,
    "percent": lambda t: quote(t, safe=""),
    "percent of everything": lambda t: "".join(f"%{b:02X}" for b in t.encode()),
    "percent of everything, small": lambda t: "".join(f"%{b:02x}" for b in t.encode()),
    "percent twice": lambda t: quote(quote(t, safe=""), safe=""),
    "percent three times": lambda t: quote(quote(quote(t, safe=""), safe=""), safe=""),
    "decimal entities": each("&#{};"),
    "decimal entities with zeros": each("&#{:05d};"),
    "hexadecimal entities": each("&#x{:x};"),
    "hexadecimal entities, capitals": each("&#X{:X};"),
    "entities of entities": lambda t: each("&#{};")(t).replace("&", "&amp;"),
    "quoted-printable": lambda t: quopri.encodestring(t.encode(), quotetabs=True).decode().replace("@", "=40"),
    "quoted-printable of everything": lambda t: "".join(f"={b:02X}" for b in t.encode()),
    "a soft line break": between("=\n"),
    "an encoded word": lambda t: "=?utf-8?Q?" + "".join(f"={b:02X}" for b in t.encode()) + "?=",
    "an encoded word in base64": lambda t: f"=?UTF-8?B?{b64(t)}?=",
    "base64": lambda t: b64(t + ":secret"),
    "basic": lambda t: "Authorization: Basic " + b64(t + ":secret"),
    "url-safe base64": lambda t: base64.urlsafe_b64encode(b"??>>" + t.encode() + b"??>>").decode(),
    "base64 in a path": lambda t: f"https://app.example/u/{b64('id:' + t + ';ok')}/edit",
    "base64 in lines": lambda t: base64.encodebytes(("x" * 50 + " " + t + " and more of it " * 5).encode()).decode(),
    "base64 of base64": lambda t: b64("user " + b64("it is " + t)),
    "base64 of UTF-16": lambda t: base64.b64encode(f"say {t} now".encode("utf-16-le")).decode(),
    "base64 in a query": lambda t: "https://app.example/?s=" + quote(b64(f"who={t}"), safe=""),
    "base64 of JSON": lambda t: b64(json.dumps({"u": t})),
    "base64 of escaped JSON": lambda t: b64('{"u":"' + each("\\u{:04x}")(t) + '"}'),
    "a data address": lambda t: "data:text/plain;base64," + b64(f"dear {t}, "),
    "a JWT": jwt,
    "hexadecimal": lambda t: t.encode().hex(),
    "hexadecimal, capitals": lambda t: t.encode().hex().upper(),
    "bytea": lambda t: "\\x" + t.encode().hex(),
    "0x": lambda t: "0x" + t.encode().hex(),
    "hexadecimal pairs": lambda t: t.encode().hex(":"),
    "hexadecimal pairs with blanks": lambda t: t.encode().hex(" "),
    "base32": lambda t: base64.b32encode(t.encode()).decode(),
    "JSON escapes": each("\\u{:04x}"),
    "JSON escapes, capitals": each("\\u{:04X}"),
    "JSON escapes twice": each("\\\\u{:04x}"),
    "JSON in JSON": lambda t: json.dumps(json.dumps({"to": t})),
    "JSON in JSON in JSON": lambda t: json.dumps(json.dumps(json.dumps({"to": t}))),
    "braces": each("\\u{{{:x}}}"),
    "long escapes": each("\\U{:08x}"),
    "escapes of C": each("\\x{:02x}"),
    "octal escapes": each("\\{:03o}"),
    "escapes of a server of Windows": each("%u{:04X}"),
    "escapes of SQL": lambda t: "U&'" + each("\\{:04X}")(t) + "'",
    "escapes of CSS": each("\\{:06x} "),
    "short escapes of CSS": lambda t: each("\\{:x} ", "".join(c for c in t if " " < c < "\u0100"))(t),
    "one short escape of CSS": lambda t: f"\\{ord(t[0]):x} {t[1:]}" if t[0] > "/" else t,
    "bytes of UTF-16": lambda t: "".join(f"{c}\\x00" for c in t),
    "JSON of UTF-16": lambda t: "".join(f"{c}\\u0000" for c in t),
    "percent-encoded UTF-16": lambda t: "".join(f"{c}%00" for c in t),
    "a soft line break with blanks": between("= \t\r\n"),
    "a line that goes on": between("\\\n"),
    "a terminal's colours": between("\x1b[1;31m"),
    "a mark that belongs to no letter": between("\u0336"),
    "fillers": between("\u3164"),
    "soft hyphen": between("\u00ad"),
    "zero width space": between("\u200b"),
    "zero width joiner": between("\u200d"),
    "word joiner": between("\u2060"),
    "byte order mark": between("\ufeff"),
    "direction mark": between("\u200e"),
    "the entity of a soft hyphen": between("&shy;"),
    "percent-encoded soft hyphen": between("%C2%AD"),
    "bold inside": between("</b>"),
    "a comment inside": between("<!-- x -->"),
    "wbr": between("<wbr>"),
    "Markdown inside": between("**"),
    "full width": lambda t: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t),
    "mathematical": lambda t: "".join(
        chr(0x1D400 + ord(c) - 65) if "A" <= c <= "Z" else chr(0x1D41A + ord(c) - 97) if "a" <= c <= "z" else c
        for c in t
    ),
}
OF_NAMES: dict[str, Spell] = {
    "plus": lambda t: t.replace(" ", "+"),
    "broken by a hyphen": between("-\n   "),
    "squares": lambda t: "".join(chr(0x1F130 + ord(c) - 65) if c.isalpha() else c for c in t.upper()),
    "dark squares": lambda t: "".join(chr(0x1F170 + ord(c) - 65) if c.isalpha() else c for c in t.upper()),
    "no-break space": lambda t: t.replace(" ", "\u00a0"),
    "narrow space": lambda t: t.replace(" ", "\u202f"),
    "entity of a space": lambda t: t.replace(" ", "&nbsp;"),
    "line break": lambda t: t.replace(" ", "\n"),
    "line break of HTML": lambda t: t.replace(" ", "<br>"),
    "line break of HTML and blanks": lambda t: t.replace(" ", " <br/> "),
    "cells of HTML": lambda t: f"<td>{t.replace(' ', '</td>' + chr(10) + '  <td>')}</td>",
    "line break of Windows": lambda t: t.replace(" ", "\r\n"),
    "line break and indent": lambda t: t.replace(" ", "\n    "),
    "quoted line": lambda t: t.replace(" ", "\n> "),
    "tab": lambda t: t.replace(" ", "\t"),
    "many blanks": lambda t: t.replace(" ", "     "),
    "escaped line break": lambda t: t.replace(" ", "\\n"),
    "br": lambda t: t.replace(" ", "<br/>"),
    "cells": lambda t: "<td>" + t.replace(" ", "</td>\n<td>") + "</td>",
    "bold": lambda t: "<b>" + t.replace(" ", "</b> "),
    "Markdown": lambda t: "**" + t.replace(" ", "** "),
    "BBCode": lambda t: "[b]" + t.replace(" ", "[/b] "),
    "small": str.lower,
    "capitals": str.upper,
    "turned": lambda t: ", ".join(reversed(t.split(" "))),
    "genitive": lambda t: t + "'s",
    "German genitive": lambda t: t + "s",
    "small genitive": lambda t: t.lower() + "s",
    "camel": lambda t: t.replace(" ", ""),
    "joined": lambda t: t.replace(" ", "").lower(),
    "snake": lambda t: t.replace(" ", "_").lower(),
    "dotted": lambda t: t.replace(" ", ".").lower(),
    "hyphen": lambda t: t.replace(" ", "-").lower(),
    "initial": lambda t: (t[0] + t.partition(" ")[2]).lower(),
    "initial and point": lambda t: (t[0] + "." + t.partition(" ")[2]).lower(),
    "initial behind": lambda t: (t.partition(" ")[2] + t[0]).lower(),
    "family first, joined": lambda t: "".join(reversed(t.split(" "))).lower(),
    "user name with digits": lambda t: t.replace(" ", "").lower() + "82",
    "initial with digits": lambda t: (t[0] + t.partition(" ")[2]).lower() + "7",
    "a path": lambda t: "/home/" + (t[0] + t.partition(" ")[2]).lower() + "/x",
    "a mention": lambda t: "@" + t.replace(" ", "").lower(),
}
OF_MAILS: dict[str, Spell] = {
    "entity of @": each("&#{};", "@"),
    "named entity": lambda t: t.replace("@", "&commat;").replace(".", "&period;"),
    "no semicolon": lambda t: t.replace("@", "&#64") + " ",
    "[at]": lambda t: t.replace("@", " [at] "),
    "(at)": lambda t: t.replace("@", "(at)"),
    "{at}": lambda t: t.replace("@", " {at} "),
    "<at>": lambda t: t.replace("@", "<at>"),
    "[@]": lambda t: t.replace("@", "[@]"),
    "[at] [dot]": lambda t: t.replace("@", " [at] ").replace(".", " [dot] "),
    "(at) (dot)": lambda t: t.replace("@", "(at)").replace(".", "(dot)"),
    "at": lambda t: t.replace("@", " at "),
    "AT DOT": lambda t: t.replace("@", " AT ").replace(".", " DOT "),
    "at dot": lambda t: t.replace("@", " at ").replace(".", " dot "),
    "ät punkt": lambda t: t.replace("@", " (ät) ").replace(".", " punkt "),
    "blanks": lambda t: t.replace("@", " @ "),
    "mailto": lambda t: f"<a href='mailto:{quote(t)}'>",
    "full width @": lambda t: t.replace("@", "\uff20"),
    "small @": lambda t: t.replace("@", "\ufe6b"),
    "escaped for a pattern": lambda t: t.replace(".", "\\."),
}
OF_NUMBERS: dict[str, Spell] = {
    "pairs": lambda t: " ".join(t[i : i + 2] for i in range(0, len(t), 2)),
    "threes": lambda t: " ".join(t[i : i + 3] for i in range(0, len(t), 3)),
    "threes and points": lambda t: ".".join(t[i : i + 3] for i in range(0, len(t), 3)),
    "fives and hyphens": lambda t: "-".join(t[i : i + 5] for i in range(0, len(t), 5)),
    "fours and dashes": lambda t: "\u2013".join(t[i : i + 4] for i in range(0, len(t), 4)),
    "fours and narrow spaces": lambda t: "\u202f".join(t[i : i + 4] for i in range(0, len(t), 4)),
    "fours and slashes": lambda t: "/".join(t[i : i + 4] for i in range(0, len(t), 4)),
    "fours and two blanks": lambda t: "  ".join(t[i : i + 4] for i in range(0, len(t), 4)),
    "fours and underscores": lambda t: "_".join(t[i : i + 4] for i in range(0, len(t), 4)),
}
PHONES = (
    *("+49 (0)30 / 123-41-07", "0049 30 1234107", "030 1234107", "030/1234107", "(030) 123 41 07", "+49301234107"),
    *("+49-30-12-34-107", "+49.30.1234.107", "030-12 34 107", "0 30 12 34 10 7", "301234107", "tel:+49-30-1234107"),
    *("+49\u00a030\u00a01234107", "+49 30 1234\u2013107", "030_1234107", "030 123 41 07"),
)
SPELLINGS = [
    *((kind, how, value, spell) for kind, value in (("person", NAME), ("email", MAIL)) for how, spell in ANY.items()),
    *(("phone", how, PHONE, spell) for how, spell in ANY.items()),
    *(("person", how, value, spell) for value in (NAME, "Wolfhard Quenzelmann") for how, spell in OF_NAMES.items()),
    *(("email", how, MAIL, spell) for how, spell in OF_MAILS.items()),
    *(("iban", how, IBAN, spell) for how, spell in OF_NUMBERS.items()),
    *(("card", how, CARD, spell) for how, spell in OF_NUMBERS.items()),
    *(("iban", how, IBAN, ANY[how]) for how in ("base64", "percent of everything", "full width", "soft hyphen")),
    *(("card", how, CARD, ANY[how]) for how in ("base64", "percent of everything", "full width", "soft hyphen")),
    *(("national_id", how, SSN, ANY[how]) for how in ("base64", "JSON escapes", "full width", "soft hyphen")),
]


def told(text: str) -> str:
    return MASKS.text([text])[0]


@pytest.mark.parametrize(
    ("kind", "how", "value", "spell"), SPELLINGS, ids=[f"{kind}-{how}" for kind, how, _, _ in SPELLINGS]
)
def test_every_spelling_is_masked_in_the_same_spelling(kind: str, how: str, value: str, spell: Spell) -> None:
    fresh = MASKS.value(kind, value)
    assert fresh is not None
    before = f"it says {spell(value)} here"
    after = told(before)
    assert spell(value) not in after
    if how.startswith("initial") or how == "a path":  # an initial alone has a pseudonym of its own, or stays
        family = fresh.partition(" ")[2].lower()
        assert family in after and len(after) == len(before)
        return
    expected = f"it says {spell(fresh)} here"
    assert after == expected or unescape(unescape(after)) == unescape(unescape(expected))  # an entity can grow


@pytest.mark.parametrize(
    "spell",
    [
        lambda t: t.translate(str.maketrans("aeopcxy", "аеорсху")),
        lambda t: t.translate(str.maketrans("oviaZ", "ονιαΖ")),
        lambda t: t.replace("ü", "Ã¼").replace("é", "Ã©").replace("ô", "Ã´"),
        lambda t: "".join(f"{c}\u0336" for c in t),
    ],
    ids=["Cyrillic", "Greek", "misread", "struck through"],
)
@pytest.mark.parametrize("value", [NAME, "Wolfhard Quenzelmann", "Jérôme Müller"])
def test_letters_that_are_others_are_masked(value: str, spell: Spell) -> None:
    after = told(f"it says {spell(value)} here")
    assert not set(spell(value).split()) & set(after.split())


@pytest.mark.parametrize("spelled", PHONES)
def test_every_grouping_of_a_number_is_masked(spelled: str) -> None:
    after = told(f"under {spelled} today")
    fresh = MASKS.value("phone", spelled.removeprefix("tel:"))
    assert len(after) == len(f"under {spelled} today")
    assert fresh is not None and fresh in after


def test_the_documentation_lists_the_decoders() -> None:
    page = (Path(__file__).parents[3] / "docs" / "sanitization.md").read_text()
    assert [name for name, reads in DECODERS.items() if f"| {name} | {reads} |\n" not in page] == []


PIECES = st.sampled_from(
    [
        *"%=&;#\\<>[]()@.?*`~'\" aZ09\n\u00ad\u200b\uff21\u0301\u00e9\u0660",
        *("%4", "&#", "\\u0", "=?utf-8?Q?", "?=", "at", "dot", b64("Zanna Quimbyha wrote this"), NAME, MAIL, "%c3%a9"),
        *("\\ud83d\\ude00", "&amp;", "<b", "-->", "\x00"),
    ]
)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_text_is_read_and_masked(text: str) -> None:
    for view in views(text):
        for start in range(0, len(view.text), 7):
            begin, end = view.source(start, start + 1)
            assert 0 <= begin < end <= len(text)
    assert told(text).count("\x00") == text.count("\x00")


def test_a_text_that_begins_with_pairs_is_read() -> None:
    assert [view.text for view in views(f"mail to {MAIL}".encode().hex(":"))] == [f"mail to {MAIL}"]


def test_a_plain_text_has_no_views() -> None:
    assert list(views("Nothing here (really): 50 % of all rows, a\nline, and another-one. a@b")) == []


def test_a_long_word_takes_time_linear_in_it() -> None:
    def spent(length: int) -> float:
        begun = time.process_time()
        told("a\u0301" * length)
        return time.process_time() - begun

    spent(50_000)  # what is compiled or loaded at first use
    short = min(spent(50_000) for _ in range(3))
    assert spent(400_000) < 30 * short + 1  # 8 times in linear time; a word cut at each of its places takes 64
