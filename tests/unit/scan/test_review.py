from __future__ import annotations

import pytest
import yaml

from envclone.masking.guesses import UNDECIDED
from envclone.scan.propose import Proposal
from envclone.scan.review import SEEN, pending, settled
from envclone.scan.write import added

SURE = Proposal("public.t.mail", "", "text", "email", 0.97, "e-mail addresses", "sian@kuk.com")
WEAK = Proposal("public.t.nick", "", "text", "username", 0.5, "nothing is known of it", "xxxx9")
ODD = Proposal('public."T x".c', "", "text", "null", 0.5, "its name: odd", "")
PATH = Proposal("public.t.doc", "$.a", "jsonb", "person", 0.4, "names", "Xxxx")
CLEAR = Proposal("public.t.doc", "$.b", "jsonb", "keep", 0.7, "no text", "")
OPEN = Proposal("public.t.blob", "", "bytea", UNDECIDED, 0.3, "nothing can look into it", "")
INSIDE = Proposal("public.t.raw", "$.x", "jsonb", UNDECIDED, 0.3, "nothing can look into it", "")
START = "version: 1\nproject: p\nsanitize:\n  rules:\n    main:\n      public.t.id: keep\n"


@pytest.fixture
def text() -> str:
    return added(START, {"main": [SURE, WEAK, ODD, PATH, CLEAR, INSIDE, OPEN], "kb": [WEAK]})


def test_what_stands_on_weak_evidence_is_found_as_scan_writes_it(text: str) -> None:
    found = [(one.store, one.field, one.rule) for one in pending(text)]
    assert sorted(found) == [
        ("kb", "public.t.nick", "username"),
        ("main", 'public."T x".c', "null"),
        ("main", "public.t.blob", ""),
        ("main", "public.t.doc $.a", "person"),
        ("main", "public.t.nick", "username"),
    ]
    assert all(one.why for one in pending(text))


def test_what_was_looked_at_is_asked_no_more(text: str) -> None:
    answers = {"public.t.nick": "key", 'public."T x".c': "null", "public.t.blob": "keep", "public.t.doc $.a": "text"}
    count = len(pending(text))
    while left := pending(text):
        text = settled(text, left[0], answers[left[0].field])
        count -= 1
        assert len(pending(text)) == count
    rules = yaml.safe_load(text)["sanitize"]["rules"]
    assert rules["main"]["public.t.nick"] == rules["kb"]["public.t.nick"] == "key"
    assert rules["main"]['public."T x".c'] == "null" and rules["main"]["public.t.blob"] == "keep"
    assert rules["main"]["public.t.doc"] == {"$.a": "text", "$.b": "keep"}
    assert text.count(f"# {SEEN}: ") == 5 and "public.t.mail: email\n" in text


def test_only_the_line_itself_changes(text: str) -> None:
    one = pending(text)[0]
    before, after = text.splitlines(), settled(text, one, one.rule).splitlines()
    assert [number for number, rows in enumerate(zip(before, after, strict=True)) if rows[0] != rows[1]] == [one.line]


def test_a_file_that_somebody_edits_meanwhile_is_left_alone(text: str) -> None:
    one = pending(text)[0]
    with pytest.raises(ValueError, match="no longer"):
        settled("# a new first line\n" + text, one, "keep")


def test_a_comment_of_somebodys_own_ends_the_block() -> None:
    text = added(START, {"main": [WEAK]}) + "      # ours\n      public.t.more: keep  # because\n"
    assert [one.field for one in pending(text)] == ["public.t.nick"]
    assert pending("version: 1\n") == []
