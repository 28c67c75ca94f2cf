"""What to type into the stack file about an original value that was found: for where it stands, or comes from."""

from __future__ import annotations

from collections.abc import Sequence

from envclone.masking.jsonpaths import KEYS
from envclone.masking.jsonplan import DOCUMENTS
from envclone.masking.kinds import KINDS, json_rules, takes
from envclone.models import FieldKind, FieldRule

__all__ = ["remedy", "remedy_unread"]

_ELEMENTS = ("json", "jsonb")
_REST = '"$.**": text'
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
        return f"Take it out there in production; or {_nobody_s(kind, source)}"
    if rule.derived or rule.by:
        return "It is computed from other fields: mask those."
    if rule.partitioning:
        return (
            "It is a part of the partition key, and no mask can move rows to another partition: "
            f"{_nobody_s(kind, source)}; or, if it may stay, {_accepted(place, kind)}"
        )
    domain = kind if whole else "text"
    paths = [one for one in (path or "$.**", *also) if domain not in _there(rule, one)]
    if rule.kind is FieldKind.TEXT and rule.domain in ("text", "json") and path.startswith("$"):
        masks = [f'"{one}": {kind if whole else "redact"}' for one in (path, *also) if not one.endswith("**")]
        if masks:  # a text of documents: a path of it can have a rule of its own
            return f"Mask it: {address}: {{{', '.join([*masks, _REST])}}}"
    if not paths:
        return (
            f"Its rule {domain} leaves that. Take all of it away: {_whole(address, rule, (path, *also))}; or look at "
            f"{source}, which is {kind}: {_nobody_s(kind, source)}; or, if it may stay, {_accepted(place, kind)}"
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
    if rule.kind is FieldKind.ARRAY and base in _ELEMENTS and rule.domain != "json":
        return f"Mask it: {address}: json"
    return f"Mask it: {address}: " + ("redact (or null)" if not base or _takes("redact", base) else "null")


def _nobody_s(kind: str, source: str) -> str:
    return f"if its values are nobody's, list them: sanitize.nobody: {{{kind}: […]}} (they are those of {source})"


def _accepted(place: str, kind: str) -> str:
    return f"accept it: sanitize.accept: [{{field: {place}, kind: {kind}, reason: …}}]"


def _whole(address: str, rule: FieldRule, paths: Sequence[str]) -> str:
    """The rule under which nothing of a field, or of paths in it, is left."""
    if rule.kind is FieldKind.JSON:
        gone = {one: "redact" for one in paths if one}
        said = gone | {one.public: one.domain for one in json_rules(rule) if one.public not in gone}
        rules = [f'"{path}": {domain}' for path, domain in said.items()]
        return f"{address}: {{{', '.join(rules)}}}"
    return f"{address}: redact (or key, where values are unique)"


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
