"""Masks as simple as can be, with the promises of the real ones: consistent across fields and text, shape kept."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from envclone.models import FieldKind, FieldRule
from envclone.protocols import FieldMask

PEOPLE = {"Jane": "Ruth", "jane": "ruth", "Doe": "Roe", "O'Hara": "O'Mara", "José": "Inés", "Max": "Tom"}
PATTERN = re.compile("|".join(map(re.escape, PEOPLE)))
PHONE = re.compile(r"\+?\d[\d ]{8,}\d")


class Fake:
    """`Jane` is `Ruth` everywhere, a digit of a phone number becomes a 7, and it is written down what was asked."""

    def __init__(self, key_id: str = "k1") -> None:
        self.key_id = key_id
        self.texts: list[str] = []

    def one(self, value: str) -> str:
        value = PATTERN.sub(lambda match: PEOPLE[match[0]], value)
        return PHONE.sub(lambda match: re.sub(r"\d", "7", match[0]), value)

    def text(self, values: list[str]) -> list[str]:
        self.texts += values
        return [self.one(value) for value in values]

    def value(self, domain: str, value: str) -> str | None:
        return None if domain == "null" else f"{domain}:{self.one(value)}" if not value.isdigit() else "9" * len(value)

    def field(self, rule: FieldRule) -> FieldMask:
        def mask(values: Sequence[Any]) -> list[Any]:
            return [None if value is None else self._field(rule, value) for value in values]

        return mask

    def _field(self, rule: FieldRule, value: Any) -> Any:
        if rule.kind is FieldKind.ARRAY:
            return [self._field_text(rule.domain, item) for item in value]
        if rule.kind is FieldKind.JSON:
            document = json.loads(value)
            for entry in rule.json:
                document = self._at(document, re.findall(r"\[\*\]|[^.\[\]$]+", entry.path), entry.domain)
            return json.dumps(document)
        return self._field_text(rule.domain, value)

    def _at(self, document: Any, steps: list[str], domain: str) -> Any:
        if not steps:
            return self._field_text(domain, document) if isinstance(document, str) else document
        if steps[0] == "[*]" and isinstance(document, list):
            return [self._at(item, steps[1:], domain) for item in document]
        if isinstance(document, dict) and steps[0] in document:
            return {**document, steps[0]: self._at(document[steps[0]], steps[1:], domain)}
        return document

    def _field_text(self, domain: str, value: str) -> str | None:
        if domain == "keep":
            return value
        if domain == "text":
            return self.one(value)
        return self.value(domain, value)
