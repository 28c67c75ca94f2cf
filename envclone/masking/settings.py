"""Values of settings, of which the key beside them tells what they are: `smtp_password` | `Summer2024`.

Where the key tells of a password, a token or a key the value is masked as a secret, whatever it looks like; elsewhere
it is free text, in which what stands behind such a key (`{"pass": "…"}`, `PASSWORD=…`, `redis://:…@cache`) is a secret
too. What only switches something on or off is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from envclone.errors import UnsafeError
from envclone.masking.guesses import by_name
from envclone.masking.jsonscan import Invalid, Path, Scalar, decode, encode_like, scan
from envclone.masking.jsontext import NumberMask
from envclone.protocols import Mask

__all__ = ["SettingMask", "names_secret"]

_KEY = re.compile(r"(?:[\w.\-/:\[\]]{1,80}[ ]?){1,5}")
"""A setting's key: a few words, and no document or sentence."""
_LONGEST_KEY = 120
_ABOUT = re.compile(
    r"(^|_)(time|date|at|on|type|count|enabled|required|expir\w*|ttl|length|host|polic(y|ies)|method|lifespan|"
    r"timeout|reset|min|max|rotation|algorithm|days|hours|minutes|seconds|attempts|retries|limit|size|num(ber)?|"
    r"updated?|changed|login|field|header|prefix|allowed|per_\w+|endpoint|path|file|price|cost|budget|url|uri)$|"
    r"(^|_)(max|min|num|total|count|per|context|input|output|prompt|completion)_(\w+_)?tokens?$|"
    r"^(max|min|require|allow|enable|show|use|has|is)_|(^|_)public_key$"
)
"""What tells that a key is about a password or counts tokens, and that its value is none."""
_CONNECTION = re.compile(r"(^|_)(dsn|conn(ection)?_?str(ing)?)$")
_SWITCHES = frozenset(("true", "false", "yes", "no", "on", "off", "enabled", "disabled", "none", "null", "auto", ""))
"""What is said of a secret and is none."""
_KEYS = frozenset(("name", "key", "header", "code", "field", "setting"))
_VALUES = frozenset(("value", "val", "content"))
"""Members of an object that is a setting itself."""
_BEHIND = re.compile(
    r"://[^/\s:@\"']*:(?P<user>[^@/\s\"']+)@|"
    r"(?<![^\W_])(?P<key>[A-Za-z][\w.\-]{0,60})[\"']?\s{0,3}[=:]\s{0,3}[\"']?(?P<value>[^\s;,\"'&]{3,200})"
)
"""What stands behind a user in a URL, and behind a key in a line of settings."""


def names_secret(key: str) -> bool:
    """Whether a setting's key tells that its value lets somebody in: `mail.smtpPassword`, `STRIPE_SECRET_KEY`."""
    plain = re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key.strip())).lower().strip("_")
    if len(key) >= _LONGEST_KEY or not _KEY.fullmatch(key.strip()) or _ABOUT.search(plain):
        return False
    words = plain.split("_")
    ends = ["_".join(words[-count:]) for count in (1, 2, 3)]  # `mail.smtp.password` is no address
    return _CONNECTION.search(plain) is not None or "secret" in map(by_name, (plain, *ends))


class SettingMask:
    """The mask of settings by their keys; of documents with `json`."""

    def __init__(self, secret: Mask, text: Mask, redact: NumberMask, *, json: bool) -> None:
        self._secret, self._text, self._redact, self._json = secret, text, redact, json
        self._known: dict[str, bool] = {}

    def mask_pairs(self, pairs: Sequence[tuple[Any, Any]]) -> list[Any]:
        """The values, each beside its key, masked by what that tells; what is None stays so."""
        values = [value for value, _ in pairs]
        telling = [isinstance(key, str) and self._tells(key) and not _switches(value) for value, key in pairs]
        out: list[Any] = [None] * len(values)
        for wanted, mask in ((True, self._secrets), (False, self._texts)):
            places = [i for i, one in enumerate(telling) if one is wanted and values[i] is not None]
            for i, masked in zip(places, mask([values[i] for i in places]) if places else (), strict=True):
                out[i] = masked
        return out

    def _tells(self, key: str) -> bool:
        if key not in self._known:
            self._known[key] = names_secret(key)
        return self._known[key]

    def _secrets(self, values: Sequence[str]) -> Sequence[str]:
        return [self._document(value, whole=True) for value in values] if self._json else self._secret.mask(values)

    def _texts(self, values: Sequence[str]) -> Sequence[str]:
        out = list(values)
        plain = []
        for i, value in enumerate(values):
            if self._json or value.lstrip()[:1] in ("{", "["):
                try:
                    out[i] = self._document(value)
                    continue
                except UnsafeError:
                    if self._json:
                        raise
            plain.append(i)
        for i, masked in zip(plain, self._lines([values[i] for i in plain]), strict=True):
            out[i] = masked
        return out

    def _document(self, text: str, *, whole: bool = False) -> str:
        """One document, of which all that is told by its key is a secret, or with `whole` everything."""
        try:
            found = [one for one in scan(text) if one.kind in ("string", "number")]
        except Invalid as exc:
            raise UnsafeError(f"a setting is no JSON ({exc})", hint="declare the field as `text`") from None
        shown = [decode(text[one.start : one.end]) if one.kind == "string" else "" for one in found]
        named = _named(found, shown)
        parts, at = [], 0
        for one, value, name in zip(found, shown, named, strict=True):
            key = one.path[-1][1:] if one.path else ""
            tells = whole or self._tells(key) or (key.lower() in _VALUES and self._tells(name))
            literal = text[one.start : one.end]
            if one.kind == "number":
                masked = self._redact.mask_numbers([literal])[0] if tells else literal
            elif tells and not _switches(value):
                masked = encode_like(self._secret.mask([value])[0], literal)
            else:
                masked = encode_like(self._lines([value])[0], literal)
            parts += [text[at : one.start], masked]
            at = one.end
        return "".join([*parts, text[at:]])

    def _lines(self, values: Sequence[str]) -> list[str]:
        """Free texts, but for what stands behind a key that tells of a secret."""
        apart = [_cut(value, self._tells) for value in values]
        whole = self._text.mask([value for value, its in zip(values, apart, strict=True) if not its])
        masked = iter(whole)
        return [self._joined(value, its) if its else next(masked) for value, its in zip(values, apart, strict=True)]

    def _joined(self, value: str, spans: Sequence[tuple[int, int]]) -> str:
        parts, at = [], 0
        for start, end in spans:
            parts += [*self._text.mask([value[at:start]]), *self._secret.mask([value[start:end]])]
            at = end
        return "".join([*parts, *self._text.mask([value[at:]])])


def _named(found: Sequence[Scalar], shown: Sequence[str]) -> list[str]:
    """For each scalar of a document what the object that it stands in is called: `{"name": "token", "value": …}`."""
    seen: dict[Path, set[str]] = {}
    number: dict[Path, int] = {}
    places: list[tuple[Path, int]] = []
    names: dict[tuple[Path, int], str] = {}
    for one, value in zip(found, shown, strict=True):
        holder, key = one.path[:-1], one.path[-1] if one.path else ""
        if key in seen.setdefault(holder, set()):  # the next object of an array
            number[holder] = number.get(holder, 0) + 1
            seen[holder] = set()
        seen[holder].add(key)
        places.append((holder, number.get(holder, 0)))
        if key[1:].lower() in _KEYS:
            names[places[-1]] = value
    return [names.get(place, "") for place in places]


def _cut(value: str, tells: Callable[[str], bool]) -> list[tuple[int, int]]:
    """Where secrets stand in a text, behind what tells of them."""
    spans: list[tuple[int, int]] = []
    at = 0
    while (found := _BEHIND.search(value, at)) is not None:
        group = "user" if found["user"] is not None else "value"
        if group == "user" or (tells(found["key"]) and not _switches(found["value"])):
            spans.append(found.span(group))
            at = found.end(group)
        else:  # the key of another may be its value: `a: b=c`
            at = found.end("key")
    return spans


def _switches(value: Any) -> bool:
    return isinstance(value, str) and value.strip().strip('"').lower() in _SWITCHES
