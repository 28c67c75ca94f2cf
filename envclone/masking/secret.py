"""The mask of secrets: API keys, tokens, hashes of passwords. What the form tells is kept, and no secret is.

Known beginnings that name a scheme and its cost (`$2b$12$`, `$argon2id$…$`, `sk-`, `ghp_`) are kept, so that code that
looks at them goes on working; hexadecimal digests stay hexadecimal. All else is permuted within its shape.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from envclone.masking.memo import Memo
from envclone.masking.shape import Shape
from envclone.masking.walk import walk

__all__ = ["SecretMask", "is_secret"]

_SCHEME = re.compile(
    r"\$2[abxy]?\$\d\d\$|\$argon2(?:id?|d)\$(?:v=\d+\$)?m=\d+,t=\d+,p=\d+\$|\$(?:1|5|6|y|7|gy|scrypt|pbkdf2[\w-]*)\$"
    r"(?:rounds=\d+\$|ln=\d+,r=\d+,p=\d+\$)?|pbkdf2_sha\d+\$\d+\$|scrypt:\d+:\d+:\d+\$|pbkdf2:sha\d+:\d+\$"
    r"|\{(?:S?SHA\d*|S?MD5|CRYPT)\}|md5(?=[0-9a-f]{32}$)|SCRAM-SHA-256\$\d+:|Bearer |Basic "
    r"|sk-(?:proj-|ant-|live-|test-)?|[rsp]k_(?:live|test)_|gh[oprsu]_|github_pat_|glpat-|xox[abeoprs]-|AKIA|ASIA|AIza"
    r"|hf_|npm_|pypi-|SG\.|whsec_|eyJ"
)
_SHORTEST = 20
_ALL = 3
_DIGEST = re.compile(r"[0-9a-f]{16,}|[0-9A-F]{16,}")


class SecretMask:
    """Secrets of any form; a bijection."""

    def __init__(self, key: bytes) -> None:
        self._shape = Shape(key, "secret")
        self.mask = Memo(self._one, self._many)

    def _many(self, values: Sequence[str]) -> list[str]:
        forms = [_form(value) for value in values]
        out = list(values)
        for kind, masked in (("", self._shape.texts), ("lower", self._shape.hexadecimals)):
            chosen = [i for i, (_, digest) in enumerate(forms) if digest == kind]
            rests = [values[i][len(forms[i][0]) :] for i in chosen]
            for i, rest in zip(chosen, masked(rests) if rests else (), strict=True):
                out[i] = forms[i][0] + rest
        for i, form in enumerate(forms):
            if form[1] == "upper" or _form(out[i]) != form:
                out[i] = self._one(values[i])
        return out

    def _one(self, value: str) -> str:
        form = kept, digest = _form(value)

        def step(value: str) -> str:
            rest = value[len(kept) :]
            if not digest:
                return kept + self._shape.text(rest)
            masked = self._shape.hexadecimal(rest.lower())
            return kept + (masked.upper() if digest == "upper" else masked)

        return walk(value, step, lambda v: _form(v) == form)


def is_secret(text: str) -> bool:
    """Whether a text looks like a key, a token or a hash: a known beginning, hexadecimal digits, or no words at all."""
    kept, digest = _form(text)
    if kept or digest:
        return True
    mixed = sum((any(map(str.islower, text)), any(map(str.isupper, text)), any(map(str.isdigit, text))))
    return len(text) >= _SHORTEST and " " not in text and mixed == _ALL and text.isascii() and "@" not in text


def _form(value: str) -> tuple[str, str]:
    """The scheme that a secret begins with, and whether the rest are hexadecimal digits in 'lower' or 'upper' case."""
    match = _SCHEME.match(value)
    kept = match[0] if match and match.end() < len(value) else ""
    rest = value[len(kept) :]
    if not _DIGEST.fullmatch(rest):
        return kept, ""
    return kept, "upper" if rest.isupper() else "lower"
