"""Which mask stands behind each kind: made when the first value of the kind comes, once per key."""

from __future__ import annotations

from importlib import import_module

from envclone.masking.nobody import Nobody, spared, usual
from envclone.masking.tokens import NameTokens
from envclone.protocols import Mask

__all__ = ["Makers"]

_OF_NAMES = {
    "person": "person.PersonMask",
    "email": "email.EmailMask",
    "address": "address.AddressMask",
    "company": "company.CompanyMask",
    "username": "username.UsernameMask",
}
"""Those that are made from the pseudonyms of name tokens alone."""

_OF_THE_KEY = {
    "iban": "finance.IbanMask",
    "card": "finance.CardMask",
    "national_id": "finance.NationalIdMask",
    "ip": "network.IpMask",
    "mac": "network.MacMask",
    "uuid": "uuids.UuidMask",
    "integer": "keys.IntegerKeyMask",
    "key": "keys.TextKeyMask",
    "number": "noise.NumberMask",
    "date": "dates.DateMask",
    "secret": "secret.SecretMask",
    "bytes": "binary.BytesMask",
}
_OF_NOTHING = {"keep": "simple.KeepMask", "redact": "simple.RedactMask"}


class Makers:
    """The masks of every kind that depends on the key alone; modules are loaded when they are needed.

    With `whole` names of persons are functions of the whole person.
    """

    def __init__(self, key: bytes, *, whole: bool = False, nobody: Nobody | None = None) -> None:
        self._key = key
        self._whole = whole
        self._names = NameTokens(key)
        self._nobody = nobody or usual()
        self._plain: dict[str, Mask] = {}
        self._made: dict[str, Mask] = {}

    def mask(self, kind: str) -> Mask:
        """The mask of a kind. Raises KeyError for `text`, `json` and `constant`, which need more than the key."""
        if kind not in self._made:
            self._made[kind] = spared(kind, self.plain(kind), self._nobody)
        return self._made[kind]

    def plain(self, kind: str) -> Mask:
        """The same, also for what is nobody's: of parts of values, which are somebody's as a whole."""
        if kind not in self._plain:
            self._plain[kind] = self._make(kind)
        return self._plain[kind]

    def _make(self, kind: str) -> Mask:
        if self._whole and kind in ("person", "username"):
            return _made("whole.WholeNames", self._names) if kind == "person" else self.plain("person")
        if self._whole and kind == "email":
            return _made("whole.WholeEmailMask", self._names, self.plain("person"))
        if kind in _OF_NAMES:
            return _made(_OF_NAMES[kind], self._names)
        if kind == "phone":
            return _made("phone.PhoneMask", self._key, self._names)
        if kind == "url":
            return _made("url.UrlMask", self._names, self.plain("email"))
        return _made(_OF_NOTHING[kind]) if kind in _OF_NOTHING else _made(_OF_THE_KEY[kind], self._key)


def _made(name: str, *arguments: object) -> Mask:
    module, _, cls = name.partition(".")
    made = getattr(import_module(f"envclone.masking.{module}"), cls)(*arguments)
    assert isinstance(made, Mask)
    return made
