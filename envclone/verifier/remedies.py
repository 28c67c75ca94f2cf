"""What to do about an original value that was found: a rule for where it stands, or a look at where it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from envclone.masking.jsonpaths import KEYS
from envclone.masking.jsonplan import DOCUMENTS
from envclone.masking.kinds import KINDS, json_rules, takes
from envclone.models import FieldKind, FieldRule

__all__ = ["remedy", "remedy_unread"]

_TEXTS = (FieldKind.TEXT, FieldKind.JSON, FieldKind.ARRAY)


def remedy(
    place: str,
    address: str,
    rule: FieldRule | None,
    source: str,
    kind: str,
    path: str,
    *,
    whole: bool,
    also: Sequence[str] = (),
) -> str:
    """What to do about a value of a kind that comes from `source` and stands at an address, which has a rule or none.

    `place` is the address with its store, as exceptions name it; `path` the path in a document, or '', and `also` the
    others in it. `whole` is whether the value is all that stood there.
    """
    if rule is None:
        return "Take it out there in production."
    if rule.derived or rule.by:
        return "It is computed from other fields: mask those."
    domain = kind if whole else "text"
    paths = [one for one in (path or "$.**", *also) if domain not in _there(rule, one)]
    if not paths:
        return (
            f"It has the rule {domain} already, so look at the other side: {source} is {kind}. If its values are "
            f"nobody's, give {source} another rule, or list them: sanitize.nobody: {{{kind}: […]}}; or accept it: "
            f"sanitize.accept: [{{field: {place}, kind: {kind}, reason: …}}]"
        )
    if rule.kind is FieldKind.JSON and any(one.endswith(KEYS) for one in paths) and rule.base not in DOCUMENTS:
        return f"Mask it: {address}: null (keys of a document within a row cannot be masked)"
    if rule.kind is FieldKind.JSON:
        # a rule for the whole document goes on for what is left
        masks = [f'"{one}": {domain}' for one in paths]
        rest = [] if rule.json or "$.**" in paths else [f'"$.**": {json_rules(rule, rule.domain)[0].domain}']
        return f"Mask it: {address}: {{{', '.join([*masks, *rest])}}}"
    base = rule.base.removesuffix("[]")
    if rule.kind in _TEXTS and (not base or rule.kind is FieldKind.TEXT or _takes(domain, base)):
        return f"Mask it: {address}: {domain}"
    return f"Mask it: {address}: " + ("redact (or null)" if not base or _takes("redact", base) else "null")


def remedy_unread(place: str, address: str, rule: FieldRule | None) -> str:
    """What to do about a value that cannot be looked into."""
    base = rule.base.removesuffix("[]") if rule is not None else ""
    masks = "bytes (or null)" if base == "bytea" else "redact (or null)" if base and _takes("redact", base) else "null"
    mask = f"Mask it: {address}: {masks}" if rule is not None else "Take it out there in production"
    return (
        f"{mask}; or, if it may go out unread, accept it: sanitize.accept: [{{field: {place}, kind: bytes, reason: …}}]"
    )


def _there(rule: FieldRule, path: str) -> set[str]:
    """The domains that a field, or a path in its documents, has already."""
    if rule.kind is not FieldKind.JSON:
        return {rule.domain}
    wide = () if path.endswith(KEYS) else ("$.**",)  # which is no rule for keys
    return {one.domain for one in json_rules(rule) if one.public in (path, *wide)}


def _takes(domain: str, base: str) -> bool:
    return domain not in KINDS or takes(domain, base)
