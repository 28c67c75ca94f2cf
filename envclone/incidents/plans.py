"""Plans of statements: their nodes in order, without conditions and costs, so that two plans can be held together.

What PostgreSQL writes as text, as JSON, or through auto_explain, is brought to one form: the names that the text has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.errors import EnvcloneError
from envclone.incidents.bundle import SqlStep, Step
from envclone.protocols import StepRunner

__all__ = ["difference", "nodes", "planned"]

_NODE = re.compile(r"\s*(?:->  )?(?P<label>[A-Z][^\n]*?)  \(cost=", re.ASCII)
_ON = re.compile(r"(?P<what>.*? on )(?P<names>\S+)(?: \S+)?")
_STRATEGY = {"Sorted": "GroupAggregate", "Hashed": "HashAggregate", "Mixed": "MixedAggregate"}
_NAMES = ("Relation Name", "CTE Name", "Function Name", "Table Function Name", "Tuplestore Name")
_DEEPEST = 200


def planned(step: Step, runner: StepRunner) -> tuple[str, ...]:
    """The nodes of the plan that a store makes for a statement now, without running it; none when it makes none."""
    if not isinstance(step, SqlStep) or re.match(r"\s*(explain|show)\b", step.sql, re.IGNORECASE):
        return ()
    asking = step.model_copy(
        update={"sql": f"EXPLAIN (FORMAT JSON) {step.sql}", "expect": None, "ordered": None, "score": None, "key": None}
    )
    try:
        result = runner.run(asking)
    except EnvcloneError:
        return ()
    return nodes(result.rows[0][0]) if result.error is None and result.rows and result.rows[0] else ()


def nodes(plan: Any) -> tuple[str, ...]:
    """The nodes of a plan, from the top; none when it cannot be read."""
    if isinstance(plan, str):
        try:
            plan = json.loads(plan) if plan.lstrip()[:1] in ("{", "[") else plan
        except (ValueError, RecursionError):
            return ()
    if isinstance(plan, str):
        return tuple(_of_text(plan))
    document = plan[0] if isinstance(plan, Sequence) and plan else plan
    top = document.get("Plan") if isinstance(document, Mapping) else None
    return tuple(_of_json(top, 0)) if isinstance(top, Mapping) else ()


def difference(recorded: Sequence[str], now: Sequence[str]) -> str:
    """The first node in which two plans differ, in words; '' when they are the same."""
    for number in range(max(len(recorded), len(now))):
        was, comes = (some[number] if number < len(some) else "nothing" for some in (recorded, now))
        if was != comes:
            return f"{comes} where production had {was}"
    return ""


def _of_text(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        match = _NODE.match(line)
        if match is not None and not line.startswith("Query "):
            yield _bare(match["label"].replace('"', ""))


def _bare(label: str) -> str:
    """A node without an alias, and names without their schema and quotes."""
    match = _ON.fullmatch(label)
    if match is None:
        return label
    return match["what"] + match["names"].rpartition(".")[2]


def _of_json(node: Mapping[str, Any], depth: int) -> Iterator[str]:
    yield _label(node)
    for inner in node.get("Plans") or ():
        if isinstance(inner, Mapping) and depth < _DEEPEST:
            yield from _of_json(inner, depth + 1)


def _label(node: Mapping[str, Any]) -> str:
    """A node's name as the text has it."""
    kind = str(node.get("Node Type") or "")
    label = _STRATEGY.get(str(node.get("Strategy")), kind) if kind == "Aggregate" else kind
    if kind == "SetOp":
        label = f"{'HashSetOp' if node.get('Strategy') == 'Hashed' else 'SetOp'} {node.get('Command', '')}".strip()
    if node.get("Partial Mode") in ("Partial", "Finalize"):
        label = f"{node['Partial Mode']} {label}"
    join = str(node.get("Join Type") or "Inner")
    if join != "Inner":
        label = f"{label} {join} Join" if kind == "Nested Loop" else label.replace(" Join", f" {join} Join")
    if node.get("Scan Direction") == "Backward":
        label += " Backward"
    if node.get("Parallel Aware"):
        label = f"Parallel {label}"
    index = node.get("Index Name")
    if index is not None:
        label += f" on {index}" if kind == "Bitmap Index Scan" else f" using {index}"
    name = next((node[key] for key in _NAMES if node.get(key)), None)
    if name is None and kind in ("Values Scan", "Subquery Scan"):
        name = node.get("Alias")
    if kind == "Custom Scan" and node.get("Custom Plan Provider"):
        label += f" ({node['Custom Plan Provider']})"
    return label if name is None else f"{label} on {name}"
