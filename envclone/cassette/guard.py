"""What may be said to a live model: texts in which whatever looks like somebody's is one of the incident's pseudonyms.

A branch holds pseudonyms alone, and an incident that is replayed there is masked with its image's key. So an address, a
number or an account in what goes out is one of the incident's, or one that an answer brought, or nobody here knows
whose it is: then it stays. Names are not told by their form; that no real one is in a branch is what its image proves.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from envclone.masking.patterns import by_form
from envclone.masking.runs import cut, lower

__all__ = ["Guard", "identities"]

_MOST = 64 << 20
_DEPTH = 200
_LONGEST = 4 << 20
"""Bytes of an answer that are looked through for what it brought."""
_NOBODY: frozenset[str] = frozenset()
_WORDS = {
    "email": "an e-mail address", "phone": "a telephone number", "iban": "a bank account", "card": "a card's number",
    "national_id": "a national id", "ip": "an IP address", "secret": "a secret",
}  # fmt: skip
_KEYS = frozenset(("authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization"))
"""Headers with which a client says who it is to the model's provider: they are the service's own."""
_BYTES = re.compile(r"[A-Za-z0-9+/_-]{64,}={0,2}")
_BINARY = 200
"""Characters of base64 from which on bytes that are no text are something, and no name of something."""
_SAID = frozenset(("content", "text", "arguments", "partial_json", "thinking", "signature", "reasoning", "response"))
_WHOLE = range(10**8, 10**19)
"""Whole numbers of so many digits are looked at as text, too."""


def identities(value: Any) -> set[str]:
    """Everything in a plain value that looks like somebody's, in the form in which it is compared."""
    return {one for _, text in _texts(value, "") for one, *_ in _found(text)} | {
        one for _, text in _texts(value, "") for one in _BYTES.findall(text)
    }


class Guard:
    """Says why a request may not go out; what a model answered may be said to it again."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = set(known)

    def refusal(self, url: str, headers: Mapping[str, str], content: bytes) -> str | None:
        """One line, without the value: what was found, and where; None when the request may go."""
        parts = urlsplit(url)
        places: list[tuple[str, Any]] = [("the address", _plain(f"{parts.path}?{parts.query}"))]
        for name, value in headers.items():
            if name.lower() not in _KEYS:
                places += [("a header", _plain(value)), ("a header", name)]
        try:
            places.append(("", _body(content, headers)))
            for at, value in places:
                for place, text in _texts(value, at):
                    if (kind := self._unknown(text)) is not None:
                        return f"{kind} that is no pseudonym of the incident, at {place or 'its beginning'}"
        except (ValueError, RecursionError, zlib.error) as exc:
            return f"a body that cannot be looked into: {exc}"
        return None

    def learn(self, content: bytes) -> None:
        """Take what an answer said: an application tells the model again what it said."""
        text = content[:_LONGEST].decode("utf-8", "replace")
        said = list(_said(text))
        self._known |= identities([text, "".join(said), *said])

    def _unknown(self, text: str) -> str | None:
        seen = list(_found(text))
        ours = [(start, end) for one, _, start, end in seen if one in self._known]
        for one, kind, start, end in seen:
            # what is a part of a longer pseudonym is nobody's by itself
            if one not in self._known and not any(a <= start and end <= b for a, b in ours):
                return _WORDS.get(kind, kind)
        for run in _BYTES.findall(text):
            if run in self._known:
                continue
            inside = _decoded(run)
            if inside is None:
                if len(run) >= _BINARY:
                    return "bytes"
            elif (kind_inside := self._unknown(inside)) is not None:
                return f"{kind_inside} in base64"
        return None


def _found(text: str) -> Iterator[tuple[str, str, int, int]]:
    """What looks like somebody's, in the form in which it is compared, with its kind and where it stands."""
    if not re.search(r"@|\d{2}|sk-|[A-Za-z]K[-_]|[A-Z]{4}|[a-z]{2,6}[_-]", text):
        return
    for start, end, kind in by_form(cut(text, lower(text)), _NOBODY):
        value = text[start:-end].casefold()
        yield (value if kind in ("email", "ip", "secret") else re.sub(r"[\W_]", "", value)), kind, start, -end


def _texts(value: Any, place: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every text in a value with its place: keys, leaves, long numbers, and what JSON in a text holds."""
    if depth > _DEPTH:
        raise ValueError("it is too deep")
    if isinstance(value, _Pairs):
        for key, item in value.pairs:
            yield place, str(key)
            yield from _texts(item, f"{place}.{key}" if place else str(key), depth + 1)
    elif isinstance(value, Mapping):
        yield from _texts(_Pairs(list(value.items())), place, depth)
    elif isinstance(value, list | tuple | set):
        for index, item in enumerate(value):
            yield from _texts(item, f"{place}[{index}]", depth + 1)
    elif isinstance(value, str):
        yield place, value
        if value.lstrip()[:1] in ("{", "[") or "\\u" in value:
            try:
                inner = _loads(value if value.lstrip()[:1] in ("{", "[") else json.dumps(value).replace("\\\\u", "\\u"))
            except ValueError:
                return
            yield from _texts(inner, place, depth + 1)
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) in _WHOLE:
        yield place, str(abs(value))


class _Pairs:
    """A JSON object with all its members, also those of one name."""

    def __init__(self, pairs: list[tuple[Any, Any]]) -> None:
        self.pairs = pairs


def _loads(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_Pairs)


def _body(content: bytes, headers: Mapping[str, str]) -> Any:
    """A body as JSON, or as text. Raises ValueError for one that is neither, or packed in a way that is not known."""
    lower_case = {name.lower(): value.strip().lower() for name, value in headers.items()}
    packed = lower_case.get("content-encoding", "")
    if packed in ("gzip", "deflate"):
        made = zlib.decompressobj(47)  # gzip or zlib, by its first bytes
        content = made.decompress(content, _MOST)
        if made.unconsumed_tail or not made.eof or made.unused_data:
            raise ValueError("it is packed in a way that cannot be read whole")
    elif packed not in ("", "identity"):
        raise ValueError("it is packed")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is no text") from None
    try:
        return _loads(text)
    except ValueError:
        return [text, unquote_plus(text)]


def _plain(text: str) -> str:
    """What an address says when its escapes are taken away, once and twice."""
    once = unquote_plus(text)
    return f"{text}\n{once}\n{unquote_plus(once)}"


def _decoded(run: str) -> str | None:
    """The text in base64; None when that is no text."""
    try:
        data = base64.b64decode(run.rstrip("=").replace("-", "+").replace("_", "/") + "=" * (-len(run.rstrip("=")) % 4))
        text = data.decode("utf-8")
    except (ValueError, binascii.Error):
        return None
    return text if text.isprintable() or not re.search(r"[\0-\x08\x0e-\x1f]", text) else None


def _said(text: str) -> Iterator[str]:
    """The words of an answer that came in parts, in their order."""
    for line in text.splitlines():
        line = line.removeprefix("data:").strip()
        if line[:1] in ("{", "["):
            try:
                yield from _named(json.loads(line), 0)
            except (ValueError, RecursionError):
                continue


def _named(value: Any, depth: int) -> Iterator[str]:
    if depth > _DEPTH:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _SAID and isinstance(item, str):
                yield item
            else:
                yield from _named(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _named(item, depth + 1)
