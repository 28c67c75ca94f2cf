"""Which rule to propose for a field that has none, from its name and its type."""

from __future__ import annotations

import re

from envclone.models import Field, FieldKind

__all__ = ["guess", "guess_path"]

_BY_NAME = (
    ("email", re.compile(r"e_?mail|^mail$|_mail$|^mail_")),
    ("phone", re.compile(r"phone|mobile|^fax|_fax$|^tel$|^tel_|_tel$|^cell$|msisdn")),
    (
        "person",
        re.compile(
            r"(first|last|full|given|family|sur|middle|maiden|nick|display|contact|customer|user|owner|author|employee|"
            r"recipient|sender)_?name|^surname$|^author$|^recipient$|^contact$|^owner$|^assignee$|_by$"
        ),
    ),
    (
        "redact",
        re.compile(
            r"address|street|city|town|zip|post(al)?_?code|ssn|social|tax|passport|iban|card|account_?n|passw|secret|token|"
            r"hash|api_?key|birth|^dob$|salary|^ip$|_ip$|latitude|longitude|licen[cs]e"
        ),
    ),
    (
        "text",
        re.compile(
            r"body|text|content|message|comment|note|description|subject|title|summary|reason|remark|bio|question|answer|"
            r"prompt|feedback|detail|payload|history"
        ),
    ),
    (
        "keep",
        re.compile(
            r"^id$|_id$|status|state|kind|^type$|_type$|currency|sku|slug|country|locale|language|lang$|plan|level|"
            r"priority|category|channel|model|version|unit|color|size|role|tier|source|format|enabled|active|_at$|_on$|"
            r"count|total|price|amount|score|newsletter"
        ),
    ),
)
_PEOPLE = re.compile(r"customer|user|employee|people|person|contact|member|author|agent|patient|student|artist|lead")


def guess(field: Field) -> str:
    """The domain to propose for a whole field; for text of unknown meaning, the search for known identities."""
    if field.kind in (FieldKind.OTHER, FieldKind.VECTOR):
        return "keep"
    *holder, name = field.address.split(".")
    found = _of_name(name, holder[-1] if holder else "")
    if field.unique and found in ("text", "redact"):
        return "person"  # injective, and shares its pseudonyms with names
    return found


def guess_path(path: str) -> str:
    """The domain to propose for a path inside a JSON field."""
    keys = re.findall(r"[^.\[\]'\"*$]+", path)
    return _of_name(keys[-1], keys[-2] if len(keys) > 1 else "") if keys else "text"


def _of_name(name: str, holder: str) -> str:
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace("-", "_").replace(" ", "_")
    if plain in ("name", "title") and _PEOPLE.search(holder.lower()):
        return "person" if plain == "name" else "keep"
    return next((domain for domain, pattern in _BY_NAME if pattern.search(plain)), "text")
