"""Who restores what of a dump: whatever evaluates production's expressions is never restored by a superuser."""

from __future__ import annotations

import pytest

from envclone.stores.postgres.snapshot.logical.contents import parse, runs, stage

LISTING = """\
;
; Archive created at 2026-11-28
;
6; 2615 16390 SCHEMA - desk owner
2; 3079 16400 EXTENSION - vector
3; 0 0 COMMENT - EXTENSION vector
900; 1247 16500 TYPE desk mood owner
910; 1255 16501 FUNCTION desk shout(text) owner
911; 2753 16502 OPERATOR FAMILY public mine postgres
912; 2616 16503 OPERATOR CLASS public mine postgres
220; 1259 16504 TABLE desk people owner
3900; 0 0 ACL desk TABLE people owner
3901; 0 0 COMMENT desk TABLE people owner
221; 1259 16505 MATERIALIZED VIEW desk seen owner
3600; 0 0 TABLE ATTACH desk parts_a owner
3801; 0 16504 TABLE DATA desk people owner
3850; 0 16505 MATERIALIZED VIEW DATA desk seen owner
3700; 2606 16510 CONSTRAINT desk people people_pkey owner
3710; 2606 16511 FK CONSTRAINT desk refs refs_fkey owner
3720; 6104 16512 PUBLICATION - everything postgres
3721; 0 0 COMMENT - PUBLICATION everything postgres
3730; 3466 16513 EVENT TRIGGER - watch postgres
3740; 6100 16514 SUBSCRIPTION - theirs postgres
"""


def test_only_what_evaluates_nothing_is_a_superusers() -> None:
    entries = parse(LISTING)
    ours = {entry.line.split(" ", 3)[3].partition(" ")[0] for entry in entries if entry.superuser}
    assert ours == {"SCHEMA", "EXTENSION", "COMMENT", "OPERATOR", "ACL", "PUBLICATION", "EVENT"}
    rest = " ".join(entry.line for entry in entries if not entry.superuser)
    for kind in ("TYPE", "FUNCTION", "TABLE ATTACH", "TABLE DATA", "CONSTRAINT", "FK CONSTRAINT", "MATERIALIZED VIEW "):
        assert f" {kind}" in rest
    assert "COMMENT desk TABLE people" in rest


def test_subscriptions_and_the_refreshing_of_views_are_left_out() -> None:
    text = " ".join(entry.line for entry in parse(LISTING))
    assert "theirs" not in text and "VIEW DATA" not in text and "VIEW desk seen" in text


def test_an_extension_can_be_left_out_with_its_comment() -> None:
    with_it, without = parse(LISTING), parse(LISTING, {"vector"})
    assert [entry.line for entry in with_it if entry not in without] == [
        "2; 3079 16400 EXTENSION - vector",
        "3; 0 0 COMMENT - EXTENSION vector",
    ]
    assert parse(LISTING, {"vec"}) == with_it


def test_rights_come_after_objects_and_what_fires_comes_last() -> None:
    entries = parse(LISTING)
    assert [entry.kind for entry in stage(entries, "lists")] == ["ACL"]
    assert [entry.kind for entry in stage(entries, "last")] == ["PUBLICATION", "COMMENT", "EVENT TRIGGER"]


def test_extensions_are_made_before_anything_of_production_s() -> None:
    late = LISTING + "9; 3079 1 EXTENSION - late\n"
    assert [entry.line.split()[-1] for entry in stage(parse(late), "first")] == ["owner", "vector", "late"]
    assert not any(entry.kind in ("SCHEMA", "EXTENSION") for entry in stage(parse(late), "now"))


def test_neighbours_of_one_login_are_one_run() -> None:
    found = [(superuser, len(some)) for superuser, some in runs(stage(parse(LISTING), "now"))]
    assert found == [(True, 1), (False, 2), (True, 2), (False, 7)]


@pytest.mark.parametrize(
    "name",
    [
        "10; 1259 1 TABLE EXTENSION people owner",
        "10; 1259 1 TABLE public COMMENT owner",
        "10; 0 1 TABLE DATA ACL x owner",
    ],
)
def test_a_name_that_reads_like_a_kind_gives_no_rights(name: str) -> None:
    (entry,) = parse(name)
    assert not entry.superuser
