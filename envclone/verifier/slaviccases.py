"""Cases of Slavic names: Igora Kvashnevskogo is Igor Kvashnevsky, Łukasza Nowackiego is Łukasz Nowacki."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["in_cases"]

_CYRILLIC: Sequence[tuple[str, str]] = (
    ("ский", "ского скому ским ском"), ("цкий", "цкого цкому цким цком"), ("ський", "ського ському ським ському"),
    ("цький", "цького цькому цьким цькому"), ("ый", "ого ому ым ом"), ("ой", "ого ому ым ом"),
    ("ская", "ской ской ской ской скую"),
    ("цкая", "цкой цкой цкой цкой цкую"), ("ська", "ської ській ською ській ську"),
    ("цька", "цької цькій цькою цькій цьку"), ("ая", "ой ой ой ой ую"),
    ("ова", "овой овой овой овой ову"), ("ева", "евой евой евой евой еву"), ("ина", "иной иной иной иной ину"),
    ("ия", "ии ии ией ии ию"), ("ья", "ьи ье ьей ье ью"), ("ов", "ова ову овым ове"), ("ев", "ева еву евым еве"),
    ("ин", "ина ину иным ине"), ("ий", "ия ию ием ии"), ("ей", "ея ею еем ее"), ("ай", "ая аю аем ае"),
    ("га", "ги ге гой ге гу"), ("ка", "ки ке кой ке ку"), ("ша", "ши ше шей ше шу"), ("а", "ы е ой е у"),
    ("я", "и е ей е ю"), ("ь", "я ю ем е"), ("о", "а у ом і"),
)  # fmt: skip
_POLISH: Sequence[tuple[str, str]] = (
    ("ski", "skiego skiemu skim skim"),
    ("cki", "ckiego ckiemu ckim ckim"),
    ("ska", "skiej skiej ską skiej ską"),
    ("cka", "ckiej ckiej cką ckiej cką"),
)
_FIRST: Sequence[tuple[str, str]] = (("ia", "ii ii ią ii ię"), ("a", "y ie ą ie ę"))
_HARD, _HARD_POLISH = "а у ом е", "a owi em ie"
_CASES = 5


def in_cases(value: str) -> Iterator[str]:
    """A name in its other cases, all its words in the same one; nothing for one that is not Slavic by its look."""
    words = value.split()
    if not 2 <= len(words) <= 4:
        return
    if all("а" <= word[-1] <= "ї" for word in words):
        ways = [_of(word, _CYRILLIC, _HARD) for word in words]
    elif words[-1].endswith(tuple(ending for ending, _ in _POLISH)):
        ways = [_of(word, (*_POLISH, *_FIRST), _HARD_POLISH) for word in words]
    else:
        return
    for case in range(_CASES):
        yield " ".join(way[min(case, len(way) - 1)] for way in ways)
    if len(words) == 2:
        for case in range(_CASES):
            yield " ".join(way[min(case, len(way) - 1)] for way in reversed(ways))


def _of(word: str, endings: Sequence[tuple[str, str]], hard: str) -> list[str]:
    for ending, others in endings:
        if word.endswith(ending) and others:
            return [word[: -len(ending)] + other for other in others.split()]
    if word[-1] in "аеёиоуыэюяіїєaeiouy":
        return [word]
    return [word + other for other in hard.split()]
