"""Where a document holds a word that was found in it: kept leaves, whole words, masked ones left out."""

from __future__ import annotations

import json

from envclone.models import FieldKind, FieldRule, JsonRule
from envclone.verifier.documents import Documents
from envclone.verifier.loose import text_of
from envclone.verifier.search import Hit

RULE = FieldRule("articles", FieldKind.JSON, "keep", (JsonRule("$.author.first", "person"), JsonRule("$.**", "keep")))


def places(document: object, word: str) -> list[tuple[str, str]]:
    value = json.dumps(document)
    text = text_of(value)
    start = text.index(word.encode())
    found = Documents(RULE).places(value, [Hit(4, start, start + len(word))], text)
    return [(path, leaf[hit.start : hit.end].decode()) for path, leaf, hits in found for hit in hits]


def test_each_kept_leaf_with_the_word_is_told() -> None:
    document = {"author": {"first": "Grace"}, "note": "By the GRACE of", "tags": ["x", "Grace"], "other": "gracefully"}
    assert places(document, "grace") == [("$.note", "grace"), ("$.tags[*]", "grace")]


def test_a_document_of_masked_leaves_alone_and_one_that_is_none() -> None:
    assert places({"author": {"first": "Grace"}}, "grace") == []
    assert list(Documents(RULE).places("no json", [Hit(1, 0, 2)], b"no json")) == []
