"""What lets somebody in is never written: headers, keys in addresses and bodies, passwords, and secrets seen before.

A value that came in such a place is remembered, in memory alone, and taken out of everything else, too.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["HIDDEN", "Secrets", "is_secret_header", "redacted_url"]

HIDDEN = "***"
_PACKED = ("$f32", "$f64")
_SHORTEST = 8
"""Characters of a secret that is searched for elsewhere; a shorter one is found in words that are none."""
_MOST = 128

_HEADERS = frozenset(
    ("authorization", "proxy-authorization", "cookie", "set-cookie", "api-key", "apikey", "x-api-key", "x-goog-api-key",
     "ocp-apim-subscription-key", "x-amz-security-token", "x-csrf-token", "x-xsrf-token")
)  # fmt: skip
_IN_HEADER = ("token", "secret", "password", "api-key", "apikey", "authorization", "credential", "cookie", "signature")

_PARAMETER = re.compile(
    r"([?&;](?:api[-_]?key|key|access[-_]?token|id[-_]?token|refresh[-_]?token|token|auth|sig|signature|password|passwd"
    r"|pwd|secret|client[-_]secret|code|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature)=)[^&;#\s]*",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://)[^/\s@'\"<>]{0,512}@", re.IGNORECASE)
_KEY = (r"(?:\w*(?:password|passwd|passphrase|secret|api[-_]?key|private[-_]?key|authorization|credentials?)"
        r"|set-cookie|cookie)")  # fmt: skip
# each pattern begins where no other try of it can begin, or takes a bounded part: no text makes it slow
_QUOTED_KEY = rf"((?P<q>(?<!\\)\\*[\"']){_KEY}(?P=q)\s{{0,20}}:\s{{0,20}}(?P<o>\\*[\"']))"
_PLAIN_JSON = re.compile(
    rf"((?<!\\)\"{_KEY}\"\s{{0,20}}:\s{{0,20}}\")(?:[^\"\\]|\\.){{0,16384}}\"", re.IGNORECASE | re.DOTALL
)
_IN_JSON = re.compile(rf"{_QUOTED_KEY}.{{0,16384}}?(?<!\\)(?P=o)", re.IGNORECASE | re.DOTALL)
_TOKEN_IN_JSON = re.compile(
    r"((?P<q>(?<!\\)\\*[\"'])\w{0,40}token(?P=q)\s{0,20}:\s{0,20}(?P<o>\\*[\"']))[^\"'\\\s]{16,}(?P=o)", re.IGNORECASE
)
_IN_FORM = re.compile(
    rf"(?<![\w-])({_KEY}\s{{0,20}}=\s{{0,20}})(?:'(?:[^'\\]|\\.|''){{0,4096}}'|[^&\s'\";,]+)", re.IGNORECASE
)
_IN_SQL = re.compile(
    r"(\bpassword\s{1,20})(?:E?'(?:[^']|''){0,4096}'|\$(\w{0,63})\$.{0,4096}?\$\2\$)", re.IGNORECASE | re.DOTALL
)
_LOOKS = re.compile(
    r"(?<![\w-])(?:(?:bearer|basic)\s{1,5}[A-Za-z0-9._~+/=-]{8,}|(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}|sk_(?:live|test)_\w{10,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|(?:AKIA|ASIA)[A-Z0-9]{16}|gh[opsu]_\w{20,}|github_pat_\w{20,}|xox[abprs]-[\w-]{10,}"
    r"|AIza[\w-]{30,}|glpat-[\w-]{16,}|hf_\w{20,})",
    re.IGNORECASE,
)
_SIGNS = (
    ("pass", ("password", "passwd", "passphrase")),
    ("key", ("api_key", "apikey", "api-key", "private_key", "private-key", "privatekey", "key=")),
    ("token", ('token"', "token\\", "token'", "token=")),
    ("sig", ("sig=", "signature=")),
    *((one, (one,)) for one in ("secret", "authorization", "credential", "cookie", "code=", "auth=", "pwd=")),
    *((one, (one,)) for one in ("bearer", "basic ")),
)
"""One of these stands in every text that a pattern above matches, or else one of the next begins a word in it. In front
is what all of a group have in them: most texts have it not, and each search costs."""
_BEGINNINGS = (
    ("k-", ("sk-", "pk-", "rk-")),
    ("gh", ("gho_", "ghp_", "ghs_", "ghu_")),
    *((one, (one,)) for one in ("sk_", "eyj", "akia", "asia", "github_pat_", "xox", "aiza", "glpat-", "hf_")),
)
_ENVIRONMENT = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)$")


def is_secret_header(name: str) -> bool:
    """Whether a header lets somebody in."""
    low = name.lower()
    return low in _HEADERS or any(word in low for word in _IN_HEADER)


def redacted_url(url: str) -> str:
    """An address without its user, and without keys in its query."""
    return _PARAMETER.sub(rf"\1{HIDDEN}", _USERINFO.sub(rf"\1{HIDDEN}@", url))


class Secrets:
    """Secrets that were seen, and texts without them."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._forms: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """In the child of a fork: a lock that nobody holds."""
        self._lock = threading.Lock()

    def learn(self, value: str | None) -> None:
        """Remember a secret; the oldest is forgotten when there are too many."""
        if not value:
            return
        bare = value.partition(" ")[2] if value[:7].lower() == "bearer " or value[:6].lower() == "basic " else value
        bare = bare.strip()
        if len(bare) < _SHORTEST or bare == HIDDEN:
            return
        with self._lock:
            if bare in self._known:
                return
            once = json.dumps(bare, ensure_ascii=False)[1:-1]
            twice = json.dumps(once, ensure_ascii=False)[1:-1]
            self._known[bare] = tuple(dict.fromkeys((bare, once, twice)))
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
            self._forms = tuple(form for forms in self._known.values() for form in forms)

    def learn_environment(self, environment: Mapping[str, str]) -> None:
        """Remember the values of variables that are named like secrets, and passwords of addresses."""
        for name, value in environment.items():
            if _ENVIRONMENT.search(name.upper()):
                self.learn(value)
            elif "://" in value and "@" in value:
                self.learn(value.split("://", 1)[1].rpartition("@")[0].partition(":")[2])

    def headers(self, pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
        """Headers without those that let somebody in, whose values are remembered."""
        out = []
        for name, value in pairs:
            if is_secret_header(name):
                if name.lower() not in ("set-cookie", "cookie"):
                    self.learn(value)
                else:
                    for part in value.split(";"):
                        self.learn(part.partition("=")[2])
            else:
                out.append([name, redacted_url(value) if "://" in value or "?" in value else value])
        return out

    def suspicious(self, value: Any) -> bool:
        """Whether a JSON value may hold a secret; quick. Packed numbers hold none."""
        leaves: list[str] = []
        _gather(value, leaves)
        return self._doubtful("\n".join(leaves))

    def _doubtful(self, text: str) -> bool:
        low = text.lower()
        if any(part in low and any(sign in low for sign in signs) for part, signs in _SIGNS):
            return True
        if any(part in low and any(_begins(low, sign) for sign in signs) for part, signs in _BEGINNINGS):
            return True
        return _has_user(low) or any(form in text for form in self._forms)

    def text(self, value: str) -> str:
        """A text without what lets somebody in."""
        if len(value) < _SHORTEST:
            return value
        if not self._doubtful(value):
            return value
        for form in self._forms:
            value = value.replace(form, HIDDEN)
        low = value.lower()
        value = redacted_url(value)
        value = _PLAIN_JSON.sub(rf'\1{HIDDEN}"', value)
        value = _IN_JSON.sub(rf"\1{HIDDEN}\g<o>", value)
        if "token" in low:
            value = _TOKEN_IN_JSON.sub(rf"\1{HIDDEN}\g<o>", value)
        value = _IN_SQL.sub(rf"\1'{HIDDEN}'", value)
        value = _IN_FORM.sub(rf"\1{HIDDEN}", value)
        return _LOOKS.sub(HIDDEN, value)

    def tree(self, value: Any) -> Any:
        """The texts of a JSON value without what lets somebody in."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: HIDDEN if _named(key, one) else self.tree(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(one) for one in value]
        return value


def _gather(value: Any, into: list[str]) -> None:
    if isinstance(value, str):
        if len(value) >= _SHORTEST:
            into.append(value)
    elif isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in _PACKED:
            return
        for key, one in value.items():
            if isinstance(one, str) and isinstance(key, str) and len(one) < _SHORTEST:
                into.append(key)  # a short value is a secret by its name
            else:
                into.append(f'{key}"')
                _gather(one, into)
    elif isinstance(value, list | tuple):
        for one in value:
            _gather(one, into)


def _begins(low: str, sign: str) -> bool:
    """Whether a word of a text begins so."""
    at = low.find(sign)
    while at > 0 and (low[at - 1].isalnum() or low[at - 1] in "_-"):
        at = low.find(sign, at + 1)
    return at >= 0


def _has_user(low: str) -> bool:
    """Whether an address in a text has a user before its host."""
    at = low.find("://")
    while at >= 0:
        if "@" in low[at + 3 : at + 600].partition("/")[0]:
            return True
        at = low.find("://", at + 3)
    return False


_NAME = re.compile(_KEY, re.IGNORECASE)


def _named(key: Any, value: Any) -> bool:
    """Whether a key says that its text is a secret."""
    if not isinstance(key, str) or not isinstance(value, str):
        return False
    token = key.lower().endswith("token") and len(value) >= 2 * _SHORTEST and not any(map(str.isspace, value))
    return token or _NAME.fullmatch(key) is not None
