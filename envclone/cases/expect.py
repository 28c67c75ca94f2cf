"""Expectations as they are typed: `search:top-5=88,17`, a mapping of YAML, or a file of several."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from envclone.cases.case import Expectation
from envclone.errors import UsageError
from envclone.incidents.bundle import NAME
from envclone.incidents.document import Malformed, parse

__all__ = ["HELP", "REPRODUCES", "expectations"]

REPRODUCES = "reproduces"
"""The word for: it still fails as it was recorded."""
HELP = (
    "reproduces · [STEP:]ids=1,2 · [STEP:]top-5=1,2 · [STEP:]contains=TEXT · [STEP:]lacks=TEXT · [STEP:]regex=RE · "
    "[STEP:]seconds=1.5 · [STEP:]schema=@FILE · [STEP:]judge=hooks/FILE.py:NAME · a YAML mapping · @FILE of a list"
)
_SHORT = re.compile(
    rf"(?:(?P<step>{NAME}):)?(?P<what>ids|top-\d+|contains|lacks|regex|seconds|schema|rows|judge)=(?P<value>.*)",
    re.DOTALL,
)
_MOST = 4 << 20


def expectations(words: list[str], directory: Path) -> tuple[tuple[Any, ...], bool]:
    """The expectations of a command line, and whether it says `reproduces`; files are relative to `directory`.

    Raises UsageError naming the word that cannot be meant.
    """
    found: list[Any] = []
    reproduces = False
    for word in words:
        if word == REPRODUCES:
            reproduces = True
            continue
        for one in _plain(word, directory):
            try:
                found.append(TypeAdapter(Expectation).validate_python(one))
            except ValidationError as exc:
                first = exc.errors(include_url=False, include_input=False)[0]
                place = ".".join(str(part) for part in first["loc"][1:])
                said = str(first["msg"]).removeprefix("Value error, ")
                raise UsageError(f"the expectation {word!r}: {place} {said}".replace(":  ", ": "), hint=HELP) from None
    return tuple(found), reproduces


def _plain(word: str, directory: Path) -> list[dict[str, Any]]:
    """What a word says, as plain values."""
    if match := _SHORT.fullmatch(word):
        return [_short(match, directory)]
    text = _read(word[1:], directory) if word.startswith("@") else word
    try:
        value = parse(text)
    except Malformed as exc:
        raise UsageError(f"the expectation {word!r} is not YAML: {exc.what}", hint=HELP) from None
    many = value if isinstance(value, list) else [value]
    if not all(isinstance(one, dict) for one in many):
        raise UsageError(f"{word!r} is no expectation", hint=HELP)
    return many


def _short(match: re.Match[str], directory: Path) -> dict[str, Any]:
    what, value = match["what"], match["value"]
    step = {"step": match["step"]} if match["step"] else {}
    if what == "ids" or what.startswith("top-"):
        ids = [int(one) if re.fullmatch(r"-?\d+", one) else one for one in map(str.strip, value.split(",")) if one]
        top = {"top": int(what[4:])} if what.startswith("top-") else {}
        return {"kind": "ids", "ids": ids, **step, **top}
    if what in ("schema", "rows"):
        text = _read(value[1:], directory) if value.startswith("@") else value
        try:
            document = json.loads(text)
        except ValueError as exc:
            raise UsageError(f"{what}: {value!r} is not JSON: {exc}") from None
        return {"kind": what, "json_schema" if what == "schema" else "rows": document, **step}
    named = {"contains": "text", "lacks": "text", "regex": "pattern", "judge": "hook"}
    if what == "seconds":
        return {"kind": "latency", "seconds": value, **step}
    return {"kind": what, named[what]: value, **step}


def _read(name: str, directory: Path) -> str:
    try:
        with (directory / name).open("rb") as file:
            content = file.read(_MOST + 1)
        if len(content) > _MOST:
            raise UsageError(f"{name} is larger than {_MOST >> 20} MB")
        return content.decode()
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{name} cannot be read: {getattr(exc, 'strerror', exc)}") from None
