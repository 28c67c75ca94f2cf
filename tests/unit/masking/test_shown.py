from __future__ import annotations

import pytest

from envclone.masking.jsontext import ways
from envclone.masking.shown import KeyCounter, foreign, general, shown_address, shown_path


def counted(*documents: str) -> frozenset[str]:
    counter = KeyCounter()
    for document in documents:
        counter.add(ways(document))
    return counter.common()


def test_a_key_that_many_documents_have_is_the_schemas() -> None:
    documents = [
        f'{{"zorgle": {i}, "shares": {{"frobnik{chr(97 + i)}": 1}}, "user": {{"email": "x"}}}}' for i in range(9)
    ]
    common = counted(*documents)
    assert "zorgle" in common and "shares" in common
    assert shown_path("$.zorgle", common) == "$.zorgle"
    assert shown_path("$.user.email", frozenset()) == "$.user.email"  # words of any schema
    assert shown_path("$.shares.frobnika", common) == "$.shares.xxxxxxxx"
    assert general("$.shares.frobnika", common) == "$.shares.*"
    assert general("$.contacts[*]['zq7@corp.example'].phone", common) == "$.contacts[*].*.phone"


@pytest.mark.parametrize(
    "path",
    [
        "$.shares['zq7@corp.example']",
        "$['Zanna Quimby'].x",
        "$.quimby",
        "$.shares.alice",
        "$.shares.aliceSmith",
        "$.shares.user4711",
        "$.u['0049 151 2345678'][*]",
    ],
)
def test_a_persons_key_is_not_shown(path: str) -> None:
    names = ("zq7", "Zanna", "Quimby", "quimby", "alice", "Smith", "4711", "2345678")
    for common in (None, frozenset(("alice", "aliceSmith", "zq7@corp.example"))):
        said = shown_path(path, common)
        assert not [name for name in names if name in said] or (common is None and path == "$.quimby"), said
    assert not [name for name in names if name in general(path, frozenset())]


def test_a_key_of_everyday_words_before_one_of_schemas_is_the_schemas_though_few_documents_have_it() -> None:
    for key in ("bcc_emails", "guest_emails", "escalation_emails", "ccEmails", "forwarding_addresses"):
        assert general(f"$.{key}[*]", frozenset()) == f"$.{key}[*]", key
    for key in ("jane_emails", "jsmith_emails", "zq_notes", "bear", "sunny"):
        assert general(f"$.{key}[*]", frozenset()) == "$.*[*]", key


def test_addresses() -> None:
    assert shown_address("public.customers.*") == "public.customers.*"
    assert shown_address("articles.shares.zq7@corp.example") == "articles.shares.xx#@xxxx.xxxxxxx"
    assert "alice" not in shown_address("articles.shares.alice")


def test_words_of_another_program() -> None:
    said = foreign('Service error: invalid type: string "Zanna Quimby" for `zq7@corp.example` at 49151234567\nmore')
    assert said == 'Service error: invalid type: string "Xxxxx Xxxxxx" for `xx#@xxxx.xxxxxxx` at ###########'
