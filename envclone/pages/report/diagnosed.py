"""A diagnosis as the page shows it: causes in a sentence each, sweeps by what was varied.

A page for other hands does not quote what production computed, or what a model or a person wrote: of layers whose
evidence may, it names the cause alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from envclone.diagnosis.diagnose import Diagnosis
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.sweep import Point as Tried
from envclone.pages.report.values import Cause, Evidence, Point, Sweep

__all__ = ["HEADLINES", "causes", "sweeps"]

HEADLINES = {
    "out_of_memory": "A process was killed for memory.",
    "throttled": "The processor was throttled.",
    "timeout": "A statement ran into its timeout.",
    "disk_full": "The disk was full.",
    "statement_failed": "A statement failed.",
    "refused": "A store or a service refused the request by a limit of its own.",
    "unavailable": "A store or a service was away, or the connection to it broke.",
    "row_without_point": "IT has no point in the vector store, though its row is there.",
    "row_without_vector": "The row of IT has no vector.",
    "missing_chunk": "IT is in no store.",
    "other_table": "Another table of the same name was searched: IT is not in it.",
    "point_without_row": "IT is a point whose row is gone.",
    "wrong_dimension": "The query has another dimension than the vectors.",
    "wrong_model": "The vector of IT is of another model than the others.",
    "stale_embedding": "The vector of IT is of another text than the one it has now.",
    "breadth_too_small": "The index searched too narrowly: IT is there, and a wider search finds it.",
    "unreachable": "No path of the index's graph leads to IT.",
    "scan_exhausted": "The index gave up before it reached IT: too much of what it found was filtered out.",
    "dead_rows": "The index was busy with dead rows and did not reach IT.",
    "probes_too_few": "The index looked into too few lists: IT is in another one.",
    "not_indexed": "No index has IT yet, and the search asked for what is indexed alone.",
    "quantization_lossy": "The compressed vectors lead away from IT; the vectors themselves do not.",
    "tenant_excludes": "A condition on the tenant excludes IT.",
    "condition_excludes": "A condition excludes IT.",
    "duplicates": "Copies of one text took the place of IT.",
    "crowded_out": "Others crowded IT out.",
    "below_k": "IT is found, below the limit.",
    "offset_skips": "IT is among the results that the offset leaves out.",
    "semantic_gap": "The question and the text of IT are far apart.",
    "wrong_vector": "The query was compared with another vector than the one that leads to IT.",
    "wrong_distance": "IT is far away by the distance that is used, and near by another one.",
    "fusion_weights": "The weights of the fusion put IT behind.",
    "variable_empty": "The prompt's template got nothing for what was there.",
    "window_exceeded": "The prompt was longer than what the model reads.",
    "cut_off": "It was retrieved and did not reach the prompt whole.",
    "lost_in_the_middle": "It stood in the middle of the prompt, and the answer does not use it.",
    "tool_arguments": "A tool was called with arguments that do not fit its schema.",
    "tool_loop": "The same call of a tool was repeated.",
    "tool_failed": "A tool failed, and nothing was asked after it.",
    "tool_result_empty": "A tool gave nothing, and what could be found stands in no prompt.",
    "answer_cut": "The answer was cut at the most tokens that it may have.",
    "answer_blocked": "A filter of the model's service kept the answer back.",
    "field_renamed": "The answer has a field under another name.",
    "invalid_format": "The answer is not of the form that was asked for.",
    "ungrounded": "The answer says something that the model was not given.",
    "nondeterminism": "The same step gives two answers: it is chance.",
    "drift": "The branch gives another answer than production gave: its state is another.",
}
"""Each cause in a sentence; IT is the record that it is about."""

_QUOTING = frozenset(
    (Layer.SEMANTIC, Layer.ASSEMBLY, Layer.TOOLS, Layer.FORMATTING, Layer.GROUNDING, Layer.DRIFT)
)  # fmt: skip
"""Layers whose evidence may quote production's answer, a question, or what a model said."""
_CANDIDATES = 5


def causes(found: Diagnosis, *, quoting: bool) -> tuple[Cause, ...]:
    """The findings in order, one for each cause of a layer; without `quoting` some say less."""
    told: list[Cause] = []
    for (layer, slug), group in groupby(
        sorted(found.findings, key=lambda one: one is not found.first), key=lambda one: (one.layer, one.cause)
    ):
        those = list(group)
        certain = any(one.certainty is not Certainty.POSSIBLE for one in those)
        told.append(Cause(str(layer), _headline(slug, those[0]), _evidence(those, quoting), certain))
    return tuple(told)


def _headline(slug: str, one: Finding) -> str:
    said = HEADLINES.get(slug, slug.replace("_", " "))
    told = one.records[0] if one.records and one.layer not in _QUOTING else ""
    return said.replace("IT", told or ("It" if said.startswith("IT") else "it"), 1)


def _evidence(those: Sequence[Finding], quoting: bool) -> tuple[Evidence, ...]:
    if those[0].layer in _QUOTING and not quoting:
        return (Evidence("what shows it quotes what was said; --allow-computed has it", ""),)
    return tuple(
        Evidence(f"{one.step}: {one.evidence}" if one.step else one.evidence, one.command) for one in those[:3]
    )


def sweeps(found: Diagnosis) -> tuple[Sweep, ...]:
    """What was tried, by step and by what was varied; ways that have no order are one table."""
    wanted = found.expected[0] if found.expected else ""
    shown = []
    for step, group in groupby(found.sweeps, key=lambda one: one.step):
        tried = list(group)
        numbers = dict.fromkeys(one.varied for one in tried if one.value.isdigit())
        for varied in numbers:
            points = tuple(_point(one, one.value) for one in tried if one.varied == varied)
            shown.append(Sweep(step, varied, points, wanted=wanted))
        ways = tuple(_point(one, f"{one.varied} {one.value}".strip()) for one in tried if one.varied not in numbers)
        if ways:
            shown.append(Sweep(step, "way of asking", ways, wanted=wanted, numeric=False))
    return tuple(shown)


def _point(one: Tried, value: str) -> Point:
    return Point(value, one.recall, one.ranks[0] if one.ranks else None, one.own)
