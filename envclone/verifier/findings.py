"""What the verifier found: where, how often, what it looks like with everything of it masked, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from envclone.errors import UnsafeError

__all__ = ["Accepted", "Finding", "Findings", "outline"]

_EXAMPLES = 3
_SHOWN = 60
_AROUND = 16


@dataclass(frozen=True, slots=True)
class Accepted:
    """An exception that the stack file makes: findings of this kind in this field do not refuse the image."""

    field: str
    kind: str
    reason: str


@dataclass(slots=True)
class Finding:
    """One kind of identity of one source in one place.

    `station` is `fields`, `definitions`, `closed`, `record`, `files` or `account`.
    `examples` are rows (key and address), each with the path
    in a document where there is one; `context` is the outline of the text around the first.
    """

    station: str
    place: str
    source: str
    kind: str
    what: str
    remedy: str
    times: int = 0
    examples: list[str] = field(default_factory=list)
    context: str = ""

    def line(self) -> str:
        """The finding in one line."""
        times = "once" if self.times == 1 else f"{self.times:,} times"
        shown = f" ({'; '.join(self.examples)})" if self.examples else ""
        context = f', as in "{self.context}"' if self.context else ""
        if not self.source:
            return f"{self.place}: {self.what}{shown}. {self.remedy}"
        return f"{self.place}: {times} {self.what} of {self.source}{shown}{context}. {self.remedy}"


_HEADLINES = {
    "fields": "original values of masked fields are left in other fields",
    "definitions": "original values of masked fields are left in definitions",
    "closed": "some values cannot be looked into",
    "record": "original values would stand in the image's record",
    "files": "original values are left in the bytes of the files",
    "account": "some bytes of the files belong to no class",
}


class Findings:
    """Everything that was found at all stations; what the stack file accepts is counted apart."""

    def __init__(self, accepted: Iterable[Accepted] = ()) -> None:
        self._accepted = {(one.field, one.kind): one for one in accepted}
        self._found: dict[tuple[str, str, str, str], Finding] = {}
        self._excused: dict[tuple[str, str], int] = {}
        self._failed: list[str] = []
        self._hints: list[str] = []

    def fail(self, problems: Iterable[str], hint: str | None = None) -> None:
        """Take in what a check says that is not about originals, in words; no value is in them."""
        added = list(problems)
        self._failed += added
        if added and hint and hint not in self._hints:
            self._hints.append(hint)

    def accepts(self, place: str, kind: str, times: int = 1) -> bool:
        """Whether the stack file makes an exception for this kind of identity in this place; each use is counted."""
        if (place, kind) not in self._accepted:
            return False
        self._excused[place, kind] = self._excused.get((place, kind), 0) + times
        return True

    def has(self, place: str, kind: str) -> bool:
        """Whether an identity of a kind was found in a place."""
        return any(one.place == place and one.kind == kind for one in self._found.values())

    def add(
        self,
        station: str,
        place: str,
        source: str,
        kind: str,
        *,
        what: str,
        remedy: str,
        times: int = 1,
        examples: Sequence[str] = (),
        context: str = "",
    ) -> None:
        """One more of a kind in a place; only the first few are kept with their rows."""
        found = self._found.setdefault(
            (station, place, source, what), Finding(station, place, source, kind, what, remedy)
        )
        found.times += times
        found.examples += [one for one in examples if one not in found.examples][: _EXAMPLES - len(found.examples)]
        found.context = found.context or context

    def exceptions(self) -> list[dict[str, Any]]:
        """The accepted exceptions, as the attestation shows them, with how often each was used."""
        return [{**asdict(one), "times": self._excused.get(key, 0)} for key, one in sorted(self._accepted.items())]

    def __len__(self) -> int:
        return len(self._found) + len(self._failed)

    def refuse(self) -> None:
        """Raise UnsafeError with everything that was found, if anything was."""
        if not self._found and not self._failed:
            return
        order = list(_HEADLINES)
        found = sorted(self._found.values(), key=lambda one: (order.index(one.station), one.place, one.source))
        said = ["verification failed"] if self._failed else []
        said += [_HEADLINES[station] for station in order if any(one.station == station for one in found)]
        raise UnsafeError(
            f"{'; '.join(said)}: no image was made",
            problems=self._failed
            + [one.line() for one in found[:_SHOWN]]
            + ([f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []),
            hint="\n".join([*self._hints, *([_HINT] if found else [])]) or None,
            findings=[asdict(one) for one in found],
        )


_HINT = """give the field another rule, or list a value that is nobody's under sanitize.nobody, or write
an exception that the attestation shows: sanitize.accept: [{field, kind, reason}];
keys of a document take a path that ends in ~, such as {"$.shares.*~": email}"""


def outline(text: bytes, start: int, end: int) -> str:
    """The text around a hit with every letter an `a` and every digit a `9`."""
    before = text[max(0, start - _AROUND) : start].decode("utf-8", "ignore")
    inside, after = text[start:end].decode("utf-8", "ignore"), text[end : end + _AROUND].decode("utf-8", "ignore")
    return "".join(map(_sign, f"{before}[{inside}]{after}"))


def _sign(char: str) -> str:
    if char.isalpha():
        return "a"
    if char.isnumeric():
        return "9"
    return char if char.isascii() and char.isprintable() else " "
