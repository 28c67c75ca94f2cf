"""Forms of programs and trades: what each says is read, and what says nothing is left."""

from __future__ import annotations

import time
import uuid

import pytest

from envclone.packed import block_of
from envclone.verifier.programforms import in_program_forms

MAIL = "jane.roe7@corp.example"
KEY = uuid.UUID("826f56a5-a27c-504f-8eb2-4982c5c5595f")
HIDDEN = "2a" + "".join(f"{ord(char) ^ 0x2A:02x}" for char in MAIL)
FORMS = {
    "RTF": (r"{\rtf1 Bj\u248?rn \'dcberl\'e4nder}", "Bjørn Überländer"),
    "LDAP": (r"cn=Bj\C3\B8rn \C3\9Cberl\C3\A4nder,ou=x", "Bjørn Überländer"),
    "at and dot between lines": ("export_jane_dot_roe7_at_corp_dot_example", MAIL),
    "a guest of another tenant": ("jane.roe7_corp.example#EXT#@tenant.onmicrosoft.example", MAIL),
    "a bounce": ("bounce-jane.roe7=corp.example@list.example", MAIL),
    "a path of hosts": ("corp.example!jane.roe7", MAIL),
    "quotes": ('"jane.roe7"@corp.example', MAIL),
    "commas, as keys have": ("jane,roe7@corp,example", MAIL),
    "blanks": ("jane . roe7 @ corp . example", MAIL),
    "hidden in a page": (f'<a data-cfemail="{HIDDEN}">', MAIL),
    "hidden in a link": (f"/cdn-cgi/l/email-protection#{HIDDEN}", MAIL),
    "a word of a path": ("/u/jane-roe7-corp-example/", MAIL),
    "an identifier": ("jane_roe7_corp_example.csv", MAIL),
    "behind a +": ("to jane.roe7+news@corp.example", MAIL),
    "a return path": ("SRS0=HHH=TT=corp.example=jane.roe7@relay.example", MAIL),
    "a return path of one": ("SRS1=HHH=relay.example==HHH=TT=corp.example=jane.roe7@last.example", MAIL),
    "over a relay": ("jane.roe7%corp.example@relay.example", MAIL),
    "a room": ("@jane.roe7:corp.example", MAIL),
    "a login": ("imap://jane.roe7:pw@corp.example/", MAIL),
    "put together": ("concat('jane.roe7', '@', 'corp.example')", f"concat('{MAIL}')"),
    "joined": ("['jane.roe7', 'corp.example'].join('@')", MAIL),
    "in members": ('{"local": "jane.roe7", "domain": "corp.example"}', MAIL),
    "in other members": ('{"host":"corp.example","user":"jane.roe7"}', MAIL),
    "in braces": ("{kim, jane.roe7}@corp.example", f"kim@corp.example {MAIL}"),
    "with a remark": ("jane.roe7(work)@corp.example", MAIL),
    "wide": ("jane.roe7  @  corp.example", MAIL),
    "against spam": ("jane.roe7@NOSPAM.corp.example", MAIL),
    "against spam, in tags": ("jane.roe7<b>.nospam</b>@corp.example", MAIL),
    "hardware in IPv6": ("fe80::a65e:60ff:fed1:2595", "a4:5e:60:d1:25:95"),
    "a key with other signs": (str(KEY).replace("-", ":"), str(KEY)),
    "IPv4 in IPv6": ("from ::ffff:51cf:558d", "81.207.85.141"),
    "IPv4 in 6to4": ("2002:51cf:558d::1", "81.207.85.141"),
    "IPv4 behind IPv6": ("2a02:8108:0:1:2:3:29.66.173.197", "2a02:8108:0:1:2:3:1d42:adc5"),
    "IPv6 as a name": ("2a02-8108-0-1-2-3-1d42-adc5.ipv6-literal.net", "2a02:8108:0:1:2:3:1d42:adc5"),
    "a magnetic stripe": ("%B4929334301904747^DOE/JANE^2512", "B4929334301904747"),
    "a ticket": ("1.ROE/JANEMRS", "JANE ROE"),
    "an account beside its bank": ("BLZ 370 400 44, Konto 44420499", "370400440044420499"),
    "a bank behind its account": ("Kto. 7144420499 BLZ 37040044", "370400447144420499"),
    "an account of MT940": (":25:37040044/7144420499", "370400447144420499"),
    "a key in pairs": (KEY.bytes.hex(":"), str(KEY)),
    "words in one": ("backupBjørnÜberländer2024", "Bjørn Überländer"),
    "a bar for the @": ("jane.roe7|corp.example", MAIL),
    "cells of a mailbox and its host": ("7;jane.roe7;corp.example", MAIL),
    "tabs between": ("jane.roe7\tcorp.example", MAIL),
    "fields": ("user:jane.roe7/corp.example", MAIL),
    "the host first": ("https://corp.example/users/jane.roe7", MAIL),
    "stars": ("jane.roe7 *at* corp *dot* example", f"{MAIL}"),
    "Spanish": ("jane.roe7 arroba corp punto example", MAIL),
    "a letter for the @": ("jane.roe7(a)corp.example", MAIL),
    "at the host below": ("jane.roe7@mail.corp.example", MAIL),
    "behind a hyphen": ("jane.roe7-list@corp.example", MAIL),
    "dots that mean nothing": ("j.ane.roe7+x@googlemail.com", "janeroe7@gmail.com"),
    "shifted letters": ("wnar.ebr7@pbec.rknzcyr", MAIL),
    "no-break blanks": ("jane.roe7\u00a0@\u00a0corp.example", MAIL),
    "against spam, in capitals": ("jane.roe7@REMOVEcorp.example", MAIL),
    "an initial of Greek letters": ("Ε. Βραχνοκεφαλίδου", "ΕΒραχνοκεφαλίδου"),
    "an initial behind": ("Щербацкая В.", "ВЩербацкая"),
    "two initials": ("J.-B. de la Rochemauve", "JdelaRochemauve JRochemauve"),
    "an initial before an apostrophe": ("S. O'Hanrahan", "SOHanrahan SO'Hanrahan"),
    "Turkish capitals": ("ÇAĞLAYANGİL", "ÇAĞLAYANGIL"),
    "vowels of Arabic": ("مُحَمَّد", "محمد"),
    "accents of TeX": (r'J\"urgen Wei{\ss}kr"oger', "Jürgen Wei{ß}kröger"),
    "a card in parts": ('{"c1": "4929", "c2": "3514", "c3": "2780", "c4": "4940"}', "4929351427804940"),
}
NOTHING = (
    "a text that says nothing at all, to nobody", "look-at-this-and-that", "https://shop.example/a-b/c?d=e&f=g#EXT",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "2024-01-02 10:00:00 ::1 fe80::1",
    "var someCamelCase = otherThing;", "internationalization of counterrevolutionaries",
)  # fmt: skip


def _told(texts: list[str]) -> dict[int, str]:
    told: dict[int, str] = {}
    for number, said in in_program_forms(block_of(texts)):
        told[number] = told.get(number, "") + "|" + said
    return told


@pytest.mark.parametrize("how", FORMS)
def test_what_it_says_is_read(how: str) -> None:
    text, says = FORMS[how]
    assert says in _told(["x", text, "y"]).get(1, "")


def test_texts_beside_each_other_hide_nothing() -> None:
    told = _told([text for text, _ in FORMS.values()])
    for number, (how, (_, says)) in enumerate(FORMS.items()):
        assert says in told.get(number, ""), how


@pytest.mark.parametrize("text", NOTHING)
def test_of_what_says_nothing_nothing_is_made(text: str) -> None:
    assert all(said == text for said in _told([text]).values()) or not _told([text])


def test_bytes_that_are_no_utf_8_are_looked_at() -> None:
    block = block_of(["x", MAIL.replace(".", ",", 1).replace(".e", ",e") + " \udcff"])
    assert MAIL in "".join(said for _, said in in_program_forms(block))


@pytest.mark.parametrize(
    "text",
    ["a" * 200_000 + "!", "A " * 100_000 + "/AMR", "a_" * 100_000 + "#EXT#", "a." * 100_000 + "!b",
     " " * 200_000 + "@ b . c",
     "aB" * 100_000 + "\u00fc", "1=" * 100_000 + "a.b@", "a,@b,cd" * 30_000,
     "\\c3\\bc" * 50_000, "::ffff:1:2" * 20_000],
    ids=range(10),
)  # fmt: skip
def test_long_texts_take_no_longer_than_their_length(text: str) -> None:
    began = time.process_time()
    _told([text])
    assert time.process_time() - began < 20
