"""What keeps a record out of a search's results, one layer after the other."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from envclone.diagnosis.diagnose import diagnose
from envclone.diagnosis.finding import Layer
from envclone.incidents.bundle import Expected, Step, VectorStep
from envclone.incidents.verdicts import ReplayReport, StepVerdict
from envclone.models import Asked, Condition, Hits, Record, StepResult
from tests.unit.diagnosis.fakes import Line, case

PLACES = {str(number): float(number) for number in range(1, 31)}
EVEN = {str(number): (math.cos(number), math.sin(number)) for number in range(1, 31)}


def _cause(line: Line, *expected: str, **given: object) -> str | None:
    first = diagnose(case(line, *expected, **given)).first  # type: ignore[arg-type]
    return first.cause if first else None


def test_what_is_returned_accuses_nobody() -> None:
    assert _cause(Line(PLACES), "1", "2") is None
    assert _cause(Line(PLACES, index="hnsw", seen={"3": 10**9}), "1") is None


@pytest.mark.parametrize(
    ("line", "expected", "cause"),
    [
        (Line(PLACES, index="hnsw", seen={"1": 50}), "1", "breadth_too_small"),
        (Line(PLACES, index="hnsw", seen={"1": 10**9}), "1", "unreachable"),
        (Line(PLACES, index="ivfflat", seen={"1": 50}), "1", "probes_too_few"),
        (Line(PLACES, index="hnsw", dead=10), "1", "dead_rows"),
        (Line(PLACES, index="hnsw", dead=10, late=True), "1", "scan_exhausted"),
        (Line(PLACES), "4", "below_k"),
        (Line(PLACES), "25", "semantic_gap"),
        (Line(PLACES), "99", "missing_chunk"),
        (Line(PLACES, others={"99": ("old.chunks",)}), "99", "other_table"),
        (Line(PLACES, others={"9": ("old.chunks",)}, more={"old.chunks": {"9": 0.0}}), "9", "other_table"),
        (Line(PLACES, others={"9": ("old.chunks",)}, more={"old.chunks": {"8": 0.0}}), "9", "semantic_gap"),
        (Line(PLACES, way={"vectors": ("body",)}, more={"body": {"25": 0.0}}), "25", "wrong_vector"),
        (Line(PLACES, way={"vectors": ("body",)}, more={"body": {"4": 0.0}}), "4", "below_k"),
        (Line(PLACES, way={"distance": "dot"}, more={"cosine": {"25": 0.0}}), "25", "wrong_distance"),
        (Line(PLACES, way={"distance": "dot"}, more={"cosine": {"25": 0.0}}, vectors=EVEN), "25", "semantic_gap"),
        (
            Line(
                {"1": 0.0, "2": 1.0, "3": 2.0},
                limit=1,
                arms={"words": Line({"3": 0.0}, limit=1), "dense": Line({"1": 0.0}, limit=1)},
                way={"weighted": True},
                more={"evenly": {"3": 0.0}},
            ),
            "3",
            "fusion_weights",
        ),
        (Line(PLACES, way={"around": ("IF far < 1 (line 3)",)}), "2", None),
        (Line(PLACES, vectors={"9": None}), "9", "row_without_vector"),
        (Line(PLACES, dimensions=3), "9", "wrong_dimension"),
    ],
)
def test_one_cause(line: Line, expected: str, cause: str | None) -> None:
    assert _cause(line, expected) == cause


def test_vectors_of_bits_are_no_copies_of_each_other() -> None:
    """Of bits and sparse vectors no numbers are read: none is the other's copy for that."""
    assert _cause(Line(PLACES, vectors=dict.fromkeys(PLACES, ())), "4") == "below_k"
    assert _cause(Line(PLACES, vectors=dict.fromkeys(PLACES, (1.0, 0.0))), "4") == "duplicates"


def test_of_those_that_are_equally_near_which_comes_is_arbitrary() -> None:
    line = Line({"1": 0.0, "2": 1.0, "3": 1.0, "4": 2.0}, index="hnsw", seen={"2": 50})
    found = diagnose(case(line, "2")).first
    assert found is not None and found.cause == "below_k" and "arbitrary" in found.evidence
    assert _cause(replace(line, places={"1": 0.0, "2": 1.0, "3": 1.5}), "2") == "breadth_too_small"


def test_an_example_of_the_query_is_none_of_its_results() -> None:
    found = diagnose(case(Line(PLACES, way={"examples": ("9",)}), "9")).first
    assert found is not None and found.cause == "condition_excludes" and "example" in found.evidence


def test_a_sparse_search_compares_nothing_without_a_common_term() -> None:
    class Terms(Line):
        def search(self, step: Step, asked: Asked) -> Hits:
            found = super().search(step, asked)
            return replace(found, ids=tuple(one for one in found.ids if one != "9"))

    assert _cause(Terms(PLACES, way={"sparse": True}), "9") == "semantic_gap"
    assert _cause(Terms(PLACES), "9") is None


def test_a_condition_is_named_also_where_chance_orders_the_rest() -> None:
    keeps = ((Condition("tenant = 2", ("tenant",)), frozenset({"1", "2", "3", "4"})),)
    answers = tuple(StepResult(columns=("id",), rows=tuple((one,) for one in ids), ids=ids)
                    for ids in (("1", "2"), ("2", "3")))  # fmt: skip
    asked = {"unstable": frozenset({"search"}), "results": {"search": answers}}
    assert _cause(Line(PLACES, keeps=keeps), "9", **asked) == "tenant_excludes"
    assert _cause(Line(PLACES, keeps=keeps), "3", **asked) == "nondeterminism"


def test_what_the_search_itself_returns_is_not_the_index_s_fault() -> None:
    without = StepResult(columns=("id",), rows=(("2",),), ids=("2",))
    line = Line(PLACES, index="hnsw", seen={"9": 50})
    assert _cause(line, "1", results={"search": (without, without)}) is None


def test_the_command_of_an_index_s_finding_finds_it() -> None:
    found = diagnose(case(Line(PLACES, index="hnsw", seen={"1": 50}), "1")).first
    assert found is not None and found.layer is Layer.INDEX
    assert "breadth=100" in found.command and "rank 1 of an exact search" in found.evidence


def test_conditions_are_left_out_in_turn() -> None:
    everyone = frozenset(PLACES)
    tenant = (Condition("tenant_id = 3", ("tenant_id",)), everyone - {"1"})
    tag = (Condition("lang = 'en'", ("lang",)), everyone - {"2"})
    fine = (Condition("status = 'published'", ("status",)), everyone)
    line = Line(PLACES, keeps=(fine, tenant, tag), fields={"1": {"tenant_id": 4}})
    found = diagnose(case(line, "1")).first
    assert found is not None and found.cause == "tenant_excludes"
    assert "tenant_id = 3" in found.evidence and "tenant_id = 4" in found.evidence and "lang" not in found.evidence
    assert _cause(line, "2") == "condition_excludes"
    assert _cause(Line(PLACES, keeps=((Condition("row security", policy=True), everyone - {"1"}),)), "1") == (
        "tenant_excludes"
    )


def test_copies_stand_before_it() -> None:
    text = "how a parcel is sent back to us within a month"
    other = "what a refund costs and when it is on the account again"
    fields = {**{str(n): {"body": text} for n in range(1, 5)}, "5": {"body": other}}
    line = Line(dict(list(PLACES.items())[:5]), fields=fields)
    assert _cause(line, "5") == "duplicates"
    alike = {str(n): {"body": f"{text} version {n}"} for n in range(1, 5)}
    assert _cause(replace(line, fields={**fields, **alike}), "5") == "crowded_out"


def test_references_tell_which_side_is_missing() -> None:
    refers = "main.public.chunks.article -> main.public.articles.id"
    rows = {"public.articles.id": {"77": Record("77"), "a": Record("a")}, "public.chunks.article": {}}
    line = Line(PLACES, rows=rows, fields={"1": {"article": "gone"}, "2": {"article": "a"}})
    assert _cause(line, "77", references=[refers]) == "row_without_point"
    found = diagnose(case(line, references=[refers])).first
    assert found is not None and (found.cause, found.records) == ("point_without_row", ("1",))
    whole = replace(line, fields={"1": {"article": "a"}, "2": {"article": "a"}})
    assert _cause(whole, references=[refers]) is None


def test_written_times_and_models_tell_the_age() -> None:
    old = {"9": {"updated_at": "2026-05-02T00:00:00Z", "embedded_at": "2026-05-01T00:00:00Z"}}
    assert _cause(Line(PLACES, fields=old), "9") == "stale_embedding"
    models = {one: {"embedding_model": "small-2"} for one in PLACES} | {"9": {"embedding_model": "small-1"}}
    assert _cause(Line(PLACES, fields=models), "9") == "wrong_model"


def test_the_application_s_embedder_is_asked() -> None:
    fields = {one: {"body": f"a{one} b{one} c{one} d{one} {one}"} for one in PLACES}
    vectors = {one: (1.0, float(one)) for one in PLACES} | {"20": (1.0, -20.0)}
    line = Line(PLACES, fields=fields, vectors=vectors)

    def embed(text: str) -> tuple[float, float]:
        return (1.0, float(text.split()[-1]))

    assert _cause(line, "20", embed=embed) == "stale_embedding"
    assert _cause(line, "21", embed=embed) == "semantic_gap"
    assert _cause(line, "20", embed=lambda text: (0.0, 1.0, 2.0)) == "semantic_gap", "it is not the application's"


def test_without_an_expectation_there_are_candidates_only() -> None:
    found = diagnose(case(Line(PLACES, index="hnsw", seen={"1": 50})))
    assert found.first is None
    assert [(one.record, one.rank) for one in found.candidates] == [("1", 1)]
    assert any("--expect" in line for line in found.unknown)


def test_a_step_that_differs_by_itself_accuses_chance_and_no_index() -> None:
    line = Line(PLACES, index="hnsw", seen={"1": 50})
    found = diagnose(case(line, "1", unstable=frozenset({"search"})))
    assert [one.cause for one in found.findings] == ["nondeterminism"]
    assert found.first is not None
    came = diagnose(case(Line(PLACES), "1", unstable=frozenset({"search"})))
    assert [one.certainty for one in came.findings] == ["possible"] and came.first is None


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("57014 canceling statement due to statement timeout", "timeout"),
        ("53200 out of memory", "out_of_memory"),
        ("53400 temporary file size exceeds temp_file_limit (1024kB)", "disk_full"),
        ("22000 different vector dimensions 48 and 12", "wrong_dimension"),
        ("Wrong input: Vector dimension error: expected dim: 48, got 12", "wrong_dimension"),
        ("42P01 relation does not exist", "statement_failed"),
        ('Forbidden: Limit exceeded 500 > 100 for "limit". Help: Reduce the "limit" parameter', "refused"),
        ('Bad request: Index required but not found for "lang" of one of the following types: [keyword]', "refused"),
        ("53300 remaining connection slots are reserved", "refused"),
        ("connection to server at 10.0.0.3 failed: Connection refused", "unavailable"),
    ],
)
def test_an_error_is_named(error: str, cause: str) -> None:
    results = {"search": (StepResult(error=error), StepResult(error=error))}
    assert _cause(Line(PLACES), "1", results=results) == cause


def test_an_error_that_only_production_had_is_named() -> None:
    made = case(Line(PLACES), "1")
    for error, cause in (("Forbidden: Limit exceeded 500 > 100 for limit", "refused"), ("odd", None)):
        step = made.incident.steps[0].model_copy(update={"expect": Expected(error=error)})
        found = diagnose(replace(made, incident=made.incident.model_copy(update={"steps": [step]}))).first
        assert (found and found.cause) == cause
        assert found is None or found.certainty == "likely"


def test_a_call_that_was_made_again_accuses_nobody() -> None:
    failed = {"id": "1", "kind": "embedding", "name": "e", "error": "429 Too Many Requests"}
    for calls, cause in (([failed], "refused"), ([failed, {"id": "2", "kind": "embedding", "name": "e"}], None)):
        assert _cause(Line(PLACES), "1", calls=calls) == cause


def test_what_a_loop_drops_is_a_condition() -> None:
    line = Line(PLACES, way={"around": ("IF far < 1 (line 3)",), "within": "the function near, line 2"})
    made = case(line, "2")
    results = {"search": (StepResult(columns=("id",), rows=(("1",),), ids=("1",)),) * 2}
    first = diagnose(replace(made, results=results)).first
    assert first is not None and first.cause == "condition_excludes"
    assert "line 2 gives 2 at rank 2" in first.evidence and "IF far < 1 (line 3)" in first.evidence


def test_sweeps_mark_the_way_of_production() -> None:
    found = diagnose(case(Line(PLACES, index="hnsw", seen={"1": 50}), "1"), sweeps=True)
    ef = {point.value: point for point in found.sweeps if point.varied == "ef"}
    assert [(one.value, one.ranks, one.own) for one in ef.values()] == [
        ("10", (None,), True), ("100", (1,), False), ("1000", (1,), False),
    ]  # fmt: skip
    assert ef["10"].recall == 0.5 and ef["100"].recall == 1.0


def test_what_compressed_vectors_lose_and_what_no_index_has() -> None:
    lossy = Line(PLACES, index="hnsw", compressed="binary", lost=frozenset("1"))
    unindexed = Line(PLACES, index="hnsw", indexed_only=True, lost=frozenset("1"))
    assert _cause(lossy, "1") == "quantization_lossy" and _cause(unindexed, "1") == "not_indexed"
    assert _cause(lossy, "2") is None and _cause(unindexed, "2") is None


def test_the_page_before() -> None:
    assert _cause(Line(PLACES, offset=2), "1") == "offset_skips"
    assert _cause(Line(PLACES, offset=2), "3") is None


def test_of_a_fusion_the_part_is_blamed_or_the_whole() -> None:
    away = (Condition("tenant = 2", ("tenant",)), frozenset("345"))
    arms = {"dense": Line(PLACES, limit=3, keeps=(away,)), "words": Line({"5": 0.0, "1": 9.0}, limit=1)}
    first = diagnose(case(Line(PLACES, arms=arms), "1")).first
    assert first is not None and first.cause == "tenant_excludes"
    assert (first.step, first.evidence.partition(":")[0]) == ("search", "dense")
    arms = {"dense": Line(PLACES, limit=4), "words": Line({"20": 0.0}, limit=1)}
    found = diagnose(case(Line(PLACES, arms=arms), "4"), sweeps=True)
    assert found.first is not None and found.first.cause == "below_k"
    assert "(dense: rank 4, words: not there)" in found.first.evidence
    assert {point.step for point in found.sweeps} == {"search", "search/dense", "search/words"}


def test_each_result_left_out() -> None:
    found = diagnose(case(Line(PLACES), "3"), sweeps=True)
    without = {point.value: point.ranks for point in found.sweeps if point.value.startswith("record")}
    assert without == {"record 1": (2,), "record 2": (2,)}


def test_a_drift_names_the_command_that_says_what_changed() -> None:
    report = ReplayReport("7", "prod", False, (StepVerdict("search", False, ("1 is missing",)),))
    first = diagnose(case(Line(PLACES), replayed=report)).first
    assert first is not None and first.cause == "drift"
    assert first.command.splitlines() == ["envclone replay 7 --branch prod-7", "envclone diff prod-7..now --content"]


def test_a_drift_that_what_is_expected_outlived_accuses_nobody() -> None:
    made = case(Line(PLACES), "1")
    (step,) = made.incident.steps
    step = step.model_copy(update={"expect": Expected(columns=("id",), rows=(("1",), ("7",)), ids=("1", "7"))})
    report = ReplayReport("7", "prod", False, (StepVerdict("search", False, ("7 is missing",)),))
    found = diagnose(replace(made, incident=made.incident.model_copy(update={"steps": (step,)}), replayed=report))
    assert found.first is None and [one.cause for one in found.findings] == ["drift"]


def test_what_is_equally_near_as_what_came_instead_accuses_nobody() -> None:
    for far, cause in ((2.0, None), (2.5, "drift")):
        made = case(Line({"1": 1.0, "2": 2.0, "3": far}, index="hnsw", seen=dict.fromkeys("123", 1)), "3")
        (step,) = made.incident.steps
        step = step.model_copy(update={"expect": Expected(columns=("id",), rows=(("1",), ("3",)), ids=("1", "3"))})
        report = ReplayReport("7", "prod", False, (StepVerdict("search", False, ("3 is missing",)),))
        found = diagnose(replace(made, incident=made.incident.model_copy(update={"steps": (step,)}), replayed=report))
        assert (found.first.cause if found.first else None) == cause, far
        assert [one.cause for one in found.findings] == ["drift"]


def test_a_step_that_a_mask_changed_drifts_only_possibly() -> None:
    report = ReplayReport("7", "prod", False, (StepVerdict("search", False, ("1 is missing",)),))
    found = diagnose(replace(case(Line(PLACES), replayed=report), altered={"search": ("the parameter 2",)}))
    assert found.first is None and [one.cause for one in found.findings] == ["drift"]
    assert any("the parameter 2" in one for one in found.unknown)


def test_parts_of_one_document_crowd_out_another() -> None:
    places = {str(n): float(n) for n in range(1, 60)}
    fields = {str(n): {"doc_id": 7 if n < 7 else 100 + n, "kind": "page"} for n in range(1, 60)}
    assert _cause(Line(places, limit=4, fields=fields), "7") == "crowded_out"
    varied = {**fields, "2": {"doc_id": 8}, "3": {"doc_id": 9}}
    assert _cause(Line(places, limit=4, fields=varied), "7") == "below_k"
    kinds = {one: {"source": "web" if int(one) != 7 else "mail"} for one in places}
    assert _cause(Line(places, limit=4, fields=kinds), "7") == "below_k"


@pytest.mark.parametrize(
    ("field", "points", "cause"),
    [
        ("workspaceId", False, "tenant_excludes"), ("metadata.orgId", False, "tenant_excludes"),
        ("metadata.group_id", True, "tenant_excludes"), ("group_id", False, "condition_excludes"),
        ("shop_id", False, "tenant_excludes"), ("shop", False, "condition_excludes"),
    ],
)  # fmt: skip
def test_conditions_on_tenants_by_their_names(field: str, points: bool, cause: str) -> None:
    made = case(Line(PLACES, keeps=((Condition(f"{field} = 'b'", (field,)), frozenset("23")),)), "1")
    if points:
        step = VectorStep(id="search", store="main", collection="c", vector=[0.0], limit=2, expect=Expected(ids=("2",)))
        made = replace(made, incident=made.incident.model_copy(update={"steps": (step,)}))
        made.searches[0].step = step
    found = diagnose(made).first
    assert found is not None and found.cause == cause


def test_an_orphan_beside_what_a_condition_keeps_out_is_seen_only() -> None:
    refers = "main.public.chunks.article -> main.public.articles.id"
    fields = {str(n): {"article": f"a{n}"} for n in range(1, 6)}
    rows = {"public.articles.id": {f"a{n}": Record(f"a{n}") for n in (1, 3, 4, 5)}, "public.chunks.article": {}}
    keeps = ((Condition("status = 'open'", ("status",)), frozenset("23")),)
    found = diagnose(case(Line(PLACES, fields=fields, rows=rows, keeps=keeps), "1", references=(refers,)))
    assert found.first is not None and found.first.cause == "condition_excludes"
    assert "point_without_row" in [one.cause for one in found.findings]
