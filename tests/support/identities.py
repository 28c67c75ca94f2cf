"""People who exist nowhere, and every way in which software spells what they are called."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import quopri
import random
import re
import uuid
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from unicodedata import normalize
from urllib.parse import quote, quote_plus

import lz4.frame

from tests.support.streams import zstd

__all__ = ["SPELLINGS", "Someone", "someone", "spelled"]

_HEADS = "quen wol zan brim dra fol gris hul jor kel lum mol nif oder pol rask stel tur ulm vor yel".split()  # noqa: SIM905
_MIDDLES = "ze la mi bo ru ta ve ki no sa du fe gi ho ja".split()  # noqa: SIM905
_TAILS = "lmann ttich sler rbek nquist vsky ldorf mmel sgard ppert".split()  # noqa: SIM905
_FIRSTS = "hard tild frid gund wina rald trud mar lind burg".split()  # noqa: SIM905
_STREETS = "Lindenweg Amselgasse Birkenallee Mühlenstraße Quellenweg".split()  # noqa: SIM905


@dataclass(frozen=True)
class Someone:
    """One invented person; no two of them share a value."""

    number: int
    first: str
    last: str
    email: str
    phone: str
    ssn: str
    card: str
    iban: str
    login: str
    device: str
    token: str
    street: str
    zip: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"

    def value(self, kind: str) -> str:
        """What the person has of a kind: a person's name of `person`, the parts of an identity of `pair`."""
        values = {
            "person": self.name,
            "pair": self.name,
            "address": f"{self.street}, {self.zip} Berlin",
            "placed": f"{self.last}, {self.street}",
            "email": self.email,
            "phone": self.phone,
            "national_id": self.ssn,
            "card": self.card,
            "iban": self.iban,
            "username": self.login,
            "uuid": self.device,
            "secret": self.token,
        }
        return values[kind]


def someone(number: int) -> Someone:
    """The person with this number, below 3,000."""
    rng = random.Random(number)
    first = _HEADS[number * 5 % len(_HEADS)] + _MIDDLES[number % len(_MIDDLES)] + _FIRSTS[number * 3 % len(_FIRSTS)]
    last = (
        _HEADS[number % len(_HEADS)]
        + _MIDDLES[number // len(_HEADS) % len(_MIDDLES)]
        + _TAILS[number // len(_HEADS) // len(_MIDDLES) % len(_TAILS)]
    )
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return Someone(
        number,
        first.capitalize(),
        last.capitalize(),
        f"{first}.{last}{number}@corp.example",
        f"+49 30 5{number:04d}{rng.randint(100, 999)}",
        f"{rng.randint(200, 665)}-{rng.randint(11, 98)}-{1000 + number}",
        _card(f"4929{rng.randint(10**6, 10**7 - 1)}{number:04d}"),
        _iban(f"37040044{rng.randint(10**5, 10**6 - 1)}{number:04d}"),
        f"{first[:2]}{last[:5]}{number}",
        str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number))),
        f"sk-{digest[:32]}",
        f"{_STREETS[number % len(_STREETS)]} {number + 100}",
        f"{10000 + number * 7}",
    )


def _card(digits: str) -> str:
    total = sum(sum(divmod(int(c) * (2 if i % 2 == 0 else 1), 10)) for i, c in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def _iban(account: str) -> str:
    return f"DE{98 - int(account + '131400') % 97:02d}{account}"


def _b64(text: str) -> str:
    return _b64_of(text.encode())


def _b64_of(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _odd(value: str, sign: str) -> str:
    """The groups of a number with another sign between them."""
    groups = re.split(r"[-+ ]", value.lstrip("+"))
    return sign.join(groups if len(groups) > 1 else re.findall(".{1,4}", value))


def _jwt(value: str) -> str:
    parts = ('{"alg":"HS256"}', json.dumps({"sub": value}))
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts) + ".c2ln"


def _grouped(value: str, sign: str, size: int) -> str:
    letters = "".join(c for c in value if c.isalnum() or c == "+")
    return sign.join(letters[i : i + size] for i in range(0, len(letters), size))


Spelling = Callable[[str], str]
_ANY: Mapping[str, Spelling] = {
    "plain": lambda v: v,
    "sentence": lambda v: f"please call {v} back, it is urgent.",
    "upper": lambda v: f"FOR {v.upper()} ONLY",
    "percent": lambda v: f"https://app.example/reset?to={quote(v, safe='')}&n=1",
    "percent of all": lambda v: "q=" + "".join(f"%{byte:02x}" for byte in v.encode()),
    "percent twice": lambda v: "q=" + "".join(f"%25{byte:02X}" for byte in v.encode()),
    "plus": lambda v: f"https://app.example/s?q={quote_plus(v)}",
    "entity": lambda v: "to " + "".join(f"&#{ord(c)};" if not c.isalnum() else c for c in v) + " now",
    "entity of all": lambda v: "".join(f"&#x{ord(c):x};" for c in v),
    "entity by name": lambda v: html.escape(f"<{v}>").replace("@", "&commat;"),
    "quoted-printable": lambda v: quopri.encodestring(f"to {v}=".encode()).decode().replace("@", "=40"),
    "word q": lambda v: f"To: =?utf-8?Q?{v.replace(' ', '_').replace('@', '=40')}?= <list>",
    "word b": lambda v: f"To: =?utf-8?B?{_b64('the person ' + v)}?=",
    "base64": lambda v: "Basic " + _b64(f"user {v}:secret"),
    "base64url": lambda v: base64.urlsafe_b64encode(f"it is {v}, they say".encode()).decode(),
    "base64 of utf-16": lambda v: base64.b64encode(f"it is {v}".encode("utf-16-le")).decode(),
    "base64 twice": lambda v: _b64("token " + _b64(f"it is {v} again")),
    "base32": lambda v: base64.b32encode(f"it is {v}".encode()).decode(),
    "jwt": _jwt,
    "hex": lambda v: f"user {v}".encode().hex(),
    "hex of bytea": lambda v: "\\x" + f"it is {v}".encode().hex(),
    "hex in pairs": lambda v: f"it is {v}".encode().hex(":"),
    "json": lambda v: '{"to":"' + "".join(f"\\u{ord(c):04x}" for c in v) + '"}',
    "json twice": lambda v: json.dumps(json.dumps({"to": v, "q": '"'})),
    "sql octal": lambda v: "E'" + "".join(f"\\{ord(c):03o}" for c in v) + "'" if v.isascii() else v,
    "c hex": lambda v: "".join(f"\\x{byte:02x}" for byte in v.encode()),
    "python": lambda v: "".join(f"\\U{ord(c):08x}" for c in v),
    "javascript": lambda v: "".join(f"\\u{{{ord(c):x}}}" for c in v),
    "soft hyphen": lambda v: f"by {v[:4]}\u00ad{v[4:]}",
    "no width": lambda v: f"by {chr(0x200B).join(v)}",
    "full width": lambda v: "by " + "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in v),
    "markup": lambda v: f"by <b>{v[:5]}</b>{v[5:]}!",
    "bbcode": lambda v: f"by [b]{v[:5]}[/b]{v[5:]}!",
    "no-break": lambda v: f"by {v.replace(' ', chr(0xA0))}",
    "quoted mail": lambda v: "> wrote " + v.replace(" ", "\n> ") + "\n",
    "percent u": lambda v: "q=" + "".join(f"%u{ord(c):04X}" for c in v),
    "sql unicode": lambda v: "U&'" + "".join(f"\\{ord(c):04X}" for c in v) + "'",
    "css": lambda v: "".join(f"\\{ord(c):06x} " for c in v),
    "soft break": lambda v: f"to {v[:4]}=\r\n{v[4:]}",
    "broken by a hyphen": lambda v: f"by {v[:2]}-\n  {v[2:]}" if v[1:3].isalpha() else v,
    "terminal": lambda v: f"by \x1b[1;31m{v[:4]}\x1b[0m{v[4:]}",
    "struck through": lambda v: "by " + "".join(f"{c}\u0336" for c in v),
    "key caps": lambda v: "by " + "".join(f"{c}\ufe0f\u20e3" if c.isdigit() else c for c in v),
    "lookalikes": lambda v: (
        "by " + v.translate({ord(a): b for a, b in zip("aeopcxy", "аеорсху", strict=True)})
        if not any(map(str.isdigit, v)) or "@" in v
        else v
    ),
    "squares": lambda v: "by " + "".join(chr(0x1F170 + ord(c) - 65) if "A" <= c <= "Z" else c for c in v.upper()),
    "other digits": lambda v: "by " + "".join(chr(0x1810 + int(c)) if c.isdigit() else c for c in v),
    "misread": lambda v: "für Jörg: ".encode().decode("cp1252") + v,
    "letters apart": lambda v: "by " + " ".join(v),
    "letters apart, no-break": lambda v: "by " + "\u00a0".join(v),
    "letters apart, thin": lambda v: "by " + "\u2009".join(v),
    "cut by a line": lambda v: f"a line that ends with {v[:-4]}\n{v[-4:]} and goes on",
    "short css": lambda v: "".join(f"\\{ord(c):x} " if ord(c) < 256 else c for c in v),
    "one short css": lambda v: f"\\{ord(v[0]):x} {v[1:]}",
    "two bytes a character": lambda v: repr(v.encode("utf-16-le")),
    "json of two bytes": lambda v: "".join(f"{c}\\u0000" for c in v),
    "soft break with blanks": lambda v: f"to {v[:4]}= \t\r\n{v[4:]}",
    "base64 of zstd": lambda v: base64.b64encode(zstd.compress(f"it is {v}, it is {v}".encode() * 3)).decode(),
    "base64 of lz4": lambda v: base64.b64encode(lz4.frame.compress(f"it is {v}, it is {v}".encode() * 3)).decode(),
    "base64 of latin-1": lambda v: _b64_of(f"für Jörg: {v}".encode("latin-1")),
    "bytes in digits": lambda v: str(list(v.encode())),
    "hex dump": lambda v: "0000: " + f"it is {v} ".encode().hex(" ", 2),
    "bits in bytes": lambda v: " ".join(f"{byte:08b}" for byte in v.encode()),
    "put together": lambda v: f"SELECT '{v[:4]}' || '{v[4:]}'",
    "characters": lambda v: " || ".join(f"chr({ord(c)})" for c in v),
    "base64 of gzip": lambda v: base64.b64encode(gzip.compress(f"it is {v} here".encode())).decode(),
    "base64 of zlib": lambda v: base64.urlsafe_b64encode(zlib.compress(f"it is {v} here".encode())).decode(),
}
_MAIL: Mapping[str, Spelling] = {
    "[at]": lambda v: "write " + v.replace("@", " [at] "),
    "(at) (dot)": lambda v: "write " + v.replace("@", "(at)").replace(".", "(dot)"),
    "at and dot": lambda v: "write " + v.replace("@", " at ").replace(".", " dot "),
    "mailto": lambda v: f'<a href="mailto:{v}?subject=x">mail</a>',
}
_NAME: Mapping[str, Spelling] = {
    "last, first": lambda v: ", ".join(reversed(v.split(" "))),
    "genitive": lambda v: f"in {v}'s own words",
    "german genitive": lambda v: f"das Konto {v}s ist leer",
    "initial and last": lambda v: f"login {(v[0] + v.split(' ')[1]).lower()}",
    "joined": lambda v: f"@{v.replace(' ', '')}",
    "dotted": lambda v: f"home/{v.replace(' ', '.').lower()}/x",
    "underscored": lambda v: f"user_{v.replace(' ', '_').lower()}",
    "line break": lambda v: f"by {v.replace(' ', chr(10))}",
    "bold letters": lambda v: "".join(
        chr(0x1D400 + ord(c) - 65) if c.isupper() else chr(0x1D41A + ord(c) - 97) if c.islower() else c for c in v
    ),
    "initial": lambda v: f"by {v[0]}. {v.split(' ')[1]}",
    "last and initial": lambda v: f"by {v.split(' ')[1]}, {v[0]}.",
    "initial dotted": lambda v: f"login {v[0]}.{v.split(' ')[1]}".lower(),
    "last with initial": lambda v: f"login {v.split(' ')[1]}{v[0]}".lower(),
    "in one with others": lambda v: f"accountOf{v.replace(' ', '')}",
    "nickname between": lambda v: v.replace(" ", ' "Bob" '),
    "joined by and": lambda v: f"login {v.replace(' ', 'and')}",
    "joined by a letter": lambda v: f"login {v.replace(' ', 'x')}".lower(),
    "joined by a word": lambda v: f"login {v.replace(' ', 'von')}".lower(),
    "joined by a digit": lambda v: f"login {v.replace(' ', '2')}".lower(),
    "umlauts apart": lambda v: normalize("NFD", f"by {v}"),
}
_NUMBER: Mapping[str, Spelling] = {
    "by four": lambda v: f"no. {_grouped(v, ' ', 4)}",
    "by three": lambda v: f"no. {_grouped(v, '.', 3)}",
    "no groups": lambda v: f"no. {_grouped(v, '', 4)}",
    "thousands": lambda v: f"no. {int(_grouped(v, '', 4)):,}" if _grouped(v, "", 4).isdigit() else v,
    "short base64": lambda v: _b64(_grouped(v, "", 4)),
    "dashes": lambda v: f"no. {_grouped(v, '-', 5)}",
    "bars": lambda v: f"no. {_odd(v, '|')}",
    "stars": lambda v: f"no. {_odd(v, '*')}",
    "middle dots": lambda v: f"no. {_odd(v, chr(0xB7))}",
    "wide dashes": lambda v: f"no. {_odd(v, ' - ')}",
}
_PHONE: Mapping[str, Spelling] = {
    "00": lambda v: f"call 00{v[1:]}",
    "national": lambda v: f"call 0{v[4:]}",
    "national in one": lambda v: f"call 0{_grouped(v[3:], '', 9)}",
    "(0)": lambda v: f"call {v[:3]} (0){v[3:]}",
}
_UUID: Mapping[str, Spelling] = {
    "no dashes": lambda v: v.replace("-", ""),
    "braces": lambda v: "{" + v.upper() + "}",
    "urn": lambda v: f"urn:uuid:{v}",
}
_ADDRESS: Mapping[str, Spelling] = {
    "line break in html": lambda v: v.replace(", ", "<br>"),
    "lines in html": lambda v: v.replace(", ", " <br/>\r\n"),
    "cells in html": lambda v: f"<tr><td>{v.replace(', ', '</td>' + chr(10) + '  <td>')}</td></tr>",
    "in lines": lambda v: v.replace(", ", "\n"),
    "cells": lambda v: f"| {v.replace(', ', ' | ')} |",
    "csv": lambda v: f"7;{v.replace(', ', ';')};open",
    "csv in quotes": lambda v: '"' + v.replace(", ", '","') + '"',
    "bullets": lambda v: v.replace(", ", " \u2022 "),
}
_OF_KIND: Mapping[str, Mapping[str, Spelling]] = {
    "person": _NAME,
    "pair": _NAME,
    "placed": {},
    "address": _ADDRESS,
    "email": _MAIL,
    "phone": {**_NUMBER, **_PHONE},
    "national_id": _NUMBER,
    "card": _NUMBER,
    "iban": _NUMBER,
    "username": {},
    "uuid": _UUID,
    "secret": {},
}
SPELLINGS: Mapping[str, Mapping[str, Spelling]] = {kind: {**_ANY, **more} for kind, more in _OF_KIND.items()}
"""Per kind of identity every spelling by its name."""


def spelled(one: Someone, kind: str, how: str) -> str:
    """A person's value of a kind as it stands in a text."""
    return SPELLINGS[kind][how](one.value(kind))
