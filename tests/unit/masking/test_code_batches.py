"""Codes, bank accounts, cards, addresses and companies in batches: the same pseudonyms as value by value."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from envclone.masking.finance import iban_valid, luhn_valid, scheme_of
from envclone.masking.memo import BATCH
from envclone.masking.network import is_mac
from tests.unit.masking.test_batches import both, names, noise

HEX = "0123456789abcdefABCDEF"


def _digits(draw: random.Random, size: int) -> str:
    return "".join(draw.choice("0123456789") for _ in range(size))


def _key(draw: random.Random) -> str:
    return draw.choice(
        (
            f"ORD-{_digits(draw, 6)}",
            f"a{_digits(draw, 3)}B/x",
            "Zy" * draw.randrange(1, 30),
            _digits(draw, 40),
            "--",
            "",
        )
    )


def _iban(draw: random.Random) -> str:
    land, account = draw.choice(("DE", "gb", "FR")), draw.choice((_digits(draw, 18), "NWBK" + _digits(draw, 14)))
    digits = "".join(str(int(c, 36)) for c in account + land.upper() + "00")
    text = f"{land}{98 - int(digits) % 97:02d}{account}"
    spaced = " ".join(text[i : i + 4] for i in range(0, len(text), 4))
    return draw.choice(
        (text, text, spaced, spaced.replace(" ", "-"), f" {text} ", text[:-1] + "0", f"{text} x", text[:9])
    )


def _card(draw: random.Random) -> str:
    body = draw.choice(("4", "51", "2221", "3782", "6011", "90")) + _digits(draw, draw.randrange(9, 15))
    right = next(body + str(d) for d in range(10) if luhn_valid(f"{body}{d}"))
    return draw.choice(
        (right, right, " ".join((right[:4], right[4:])), body + "0", right + "x", right[:8], f"{right}//")
    )


def _national(draw: random.Random) -> str:
    dni = int(_digits(draw, 8))
    return draw.choice(
        (
            f"{draw.randrange(1, 899):03d}-{draw.randrange(1, 99):02d}-{draw.randrange(1, 9999):04d}",
            f"{dni:08d}{'TRWAGMYFPDXBNJZSQVHLCKE'[dni % 23]}",
            *(f"{dni:08d}-A", _digits(draw, 9), _digits(draw, 11), f"X{_digits(draw, 7)}L", "N/A-1", f"ID {dni}"),
        )
    )


def _mac(draw: random.Random) -> str:
    size = draw.choice((6, 6, 8))
    data = [draw.choice(("00", "ff", "FF", "".join(draw.choice(HEX) for _ in range(2)))) for _ in range(size)]
    fours = ["".join(data[i : i + 2]) for i in range(0, size, 2)]
    whole = "".join(data)
    return draw.choice(
        (
            *(":".join(data), "-".join(data).upper(), " ".join(data), ".".join(fours), ":".join(fours), whole),
            *(
                f"{whole[:6]}-{whole[6:]}",
                f" {':'.join(data)}",
                ":".join(data) + ":",
                "-".join(data[:5]),
                " ".join(fours),
            ),
            *(f"{whole[:6]} {whole[6:]}", f"{data[0]}:{'-'.join(data[1:])}"),
        )
    )


def _secret(draw: random.Random) -> str:
    digest = "".join(draw.choice("0123456789abcdef") for _ in range(draw.choice((16, 24, 40))))
    return draw.choice(
        (f"sk-live-{digest}", digest, digest.upper(), f"ghp_{_key(draw)}x9", "Bearer abc.def", "Tr0ub4dor&3")
    )


def _company(draw: random.Random) -> str:
    return names(draw) + draw.choice((" GmbH", " & Sons, Inc.", " co", " Partners LLC", " of e i", ""))


def _address(draw: random.Random) -> str:
    street = draw.choice(("Street", "STR.", "straße", "Weg", "allée", "road"))
    return f"{names(draw)} {street} {draw.choice(('1', '07', '110', '0', '20b'))}, {_digits(draw, 5)}"


def _url(draw: random.Random) -> str:
    host = draw.choice((f"www.{names(draw).split()[0]}.co.uk", "[2001:db8::1]", "10.0.0.7", "localhost"))
    path = draw.choice(("", "/", f"/{names(draw)}?id={_digits(draw, 4)}", "/a%20b%2fJane", "#top"))
    odd = draw.choice(("mailto:jane@corp.example", "/jane/doe", "jane doe", "file:///home/jane", "https://"))
    ways = (f"https://{host}{path}", f"http://jane:pw@{host}:8080{path}", f"//{host}", odd)
    return draw.choice(ways)


MAKERS: dict[str, Callable[[random.Random], str]] = {
    **{"key": _key, "iban": _iban, "card": _card, "national_id": _national, "mac": _mac, "secret": _secret},
    **{"company": _company, "address": _address, "url": _url},
}


@pytest.mark.parametrize("kind", MAKERS)
def test_codes(kind: str) -> None:
    draw = random.Random(kind)
    values = [*(MAKERS[kind](draw) for _ in range(600)), *(noise(draw) for _ in range(80))]
    loop, one = both(kind, values)
    assert loop == one


def test_what_is_valid_stays_so_and_nothing_else_becomes_so() -> None:
    draw = random.Random(5)
    told: dict[str, tuple[Callable[[random.Random], str], Callable[[str], object]]] = {
        "iban": (_iban, lambda value: iban_valid(value.strip())),
        "card": (_card, lambda value: luhn_valid(digits) if len(digits := _only_digits(value)) > 11 else None),
        "national_id": (_national, scheme_of),
        "mac": (_mac, lambda value: is_mac(value.strip())),
    }
    for kind, (make, tell) in told.items():
        values = [make(draw) for _ in range(10 * BATCH)]
        assert [tell(value) for value in both(kind, values)[0]] == [tell(value) for value in values]


def _only_digits(value: str) -> str:
    return "" if any(map(str.isalpha, value)) else "".join(c for c in value if c in "0123456789")
