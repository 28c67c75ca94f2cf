"""What lets somebody in is never written: headers, keys in addresses and bodies, passwords, and secrets seen before.

A value that came in such a place is remembered, in memory alone, and taken out of everything else, too.
"""

from __future__ import annotations

import functools
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["HIDDEN", "Secrets", "is_secret_header", "redacted_url"]

HIDDEN = "***"
_PACKED = ("$f32", "$f64")
_BASE64 = re.compile(r"[A-Za-z0-9+/=]*+")
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
    r"(?:(?<![\w-])|(?<=\\[bfnrt]))(?:(?:bearer|basic)\s{1,5}[A-Za-z0-9._~+/=-]{8,}|(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}|sk_(?:live|test)_\w{10,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|(?:AKIA|ASIA)[A-Z0-9]{16}|gh[opsu]_\w{20,}|github_pat_\w{20,}|xox[abprs]-[\w-]{10,}"
    r"|AIza[\w-]{30,}|glpat-[\w-]{16,}|hf_\w{20,})",
    re.IGNORECASE,
)
_WORDS = ("secret", "credential", "bearer", "cookie", "authorization", "passw", "passphrase")
_SIGNS = tuple(
    re.compile(one)
    for one in (
        r"k(?:-(?<=[spr]k-)[a-z0-9_-]{16}|_(?<=sk_)(?:live|test)|ey(?:=|(?<=api[_-]key)|(?<=apikey)|(?<=private[_-]key)|(?<=privatekey))"
        r"|en(?<=token)(?:=|\\*+[\"']\s{0,20}:\s{0,20}\\*+[\"']\S{16})|ia(?<=akia)[a-z0-9]{16})",
        r"=(?:(?<=sig=)|(?<=signature=)|(?<=code=)|(?<=auth=)|(?<=pwd=))",
        r"_(?:(?<=gh[opsu]_)|(?<=github_pat_)|(?<=hf_))\w{20}",
        r"j(?<=eyj)[\w-]{8}",
        r"z(?<=aiz)a[\w-]{30}",
        r"x(?=ox[abprs]-)",
        r"-(?<=glpat-)[\w-]{16}",
    )
)
_ASI = re.compile(r"asi(?:a[a-z0-9]{16}|c[\s\\])")
"""A word, or a match of one of these, stands in every text that a pattern above matches, and in the JSON of every value
that holds such a text. Each begins with a letter that is rare, which is found as fast as memory is read, and looks
around from there: most texts have none of them."""
_NUMBERS = re.compile(r'\{"\$f(?:32|64)":"[A-Za-z0-9+/=]*+"\}')
_ENVIRONMENT = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)$")


@functools.lru_cache(1024)
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
        self._in_json: tuple[str, ...] = ()
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
            self._in_json = tuple(dict.fromkeys(json.dumps(form, ensure_ascii=False)[1:-1] for form in self._forms))

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

    def suspicious(self, text: str) -> bool:
        """Whether a value, of which this is the JSON, may hold a secret; quick. Packed numbers hold none."""
        if '{"$f' in text:
            text = _NUMBERS.sub("", text)
        return any(map(text.__contains__, self._in_json)) or _doubtful(text.lower())

    def text(self, value: str) -> str:
        """A text without what lets somebody in."""
        if len(value) < _SHORTEST:
            return value
        if not any(map(value.__contains__, self._forms)) and not _doubtful(value.lower()):
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
            if len(value) == 1 and next(iter(value)) in _PACKED and _BASE64.fullmatch(str(next(iter(value.values())))):
                return value
            return {key: HIDDEN if _named(key, one) else self.tree(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(one) for one in value]
        return value if value is None or isinstance(value, int | float) else self.text(str(value))


def _doubtful(low: str) -> bool:
    """Whether one of the patterns may match; in lower case."""
    if any(map(low.__contains__, _WORDS)) or any(sign.search(low) for sign in _SIGNS):
        return True
    return ("asi" in low and _ASI.search(low) is not None) or ("@" in low and _has_user(low))


def _has_user(low: str) -> bool:
    """Whether an address in a text has a user before its host."""
    at = low.find("://")
    while at >= 0:
        user, sign, _ = low[at + 3 : at + 2048].partition("@")
        if sign and not any(map(user.__contains__, "/\"'<> \n\t")):
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
