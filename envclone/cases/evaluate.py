"""Whether an answer is as expected: pure functions of what the steps returned, and two programs of the user's own."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envclone.cases.case import Contains, Expectation, Ids, Judge, Lacks, Latency, Regex, Rows, Schema, Similar
from envclone.errors import UsageError
from envclone.extras import need
from envclone.incidents.bundle import Expected, HttpStep, Incident, SqlStep, Step, VectorStep
from envclone.incidents.parts import ids_of, ordered
from envclone.incidents.values import canonical
from envclone.masking.jsonpaths import parse_path
from envclone.models import StepResult

__all__ = ["Tools", "document", "step_of", "unmet"]

_SHOWN = 80
"""Characters of an answer that a reason quotes."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The user's own programs: `embed(program, text)` gives a vector, `judge(hook, answer)` whether it is right.

    What fails in them is raised as an EnvcloneError.
    """

    embed: Callable[[str, str], Sequence[float]]
    judge: Callable[[str, Mapping[str, str]], bool]


def unmet(wanted: Expectation, incident: Incident, results: Mapping[str, StepResult], tools: Tools) -> str | None:
    """Why an expectation does not hold, in words; None when it does. Raises UsageError for a step that is not there."""
    if isinstance(wanted, Latency):
        taken = sum(one.seconds for one in results.values()) if wanted.step is None else None
        taken = results[step_of(wanted, incident).id].seconds if taken is None else taken
        said = f"{wanted.step or 'all steps'} took {taken:.3f} s, and at most {wanted.seconds:g} s are wanted"
        return said if taken > wanted.seconds else None
    step = step_of(wanted, incident)
    result = results[step.id]
    if result.error is not None and not isinstance(wanted, Regex | Contains | Lacks | Judge):
        return f"{step.id} failed: {result.error}"
    if isinstance(wanted, Ids):
        return _ids(wanted, step, result)
    if isinstance(wanted, Rows):
        return _rows(wanted, step, result)
    return _of_text(wanted, incident, step, result, tools)


def step_of(wanted: Any, incident: Incident) -> Step:
    """The step that an expectation is about. Raises UsageError when the bundle has none of that name."""
    if wanted.step is None:
        return incident.steps[-1]
    for step in incident.steps:
        if step.id == wanted.step:
            return step
    there = ", ".join(step.id for step in incident.steps)
    raise UsageError(f"incident {incident.incident} has no step '{wanted.step}'; it has: {there}")


def _ids(wanted: Ids, step: Step, result: StepResult) -> str | None:
    found = list(result.ids)
    if not found and isinstance(step, SqlStep):
        found = list(ids_of(step, Expected.of(step, result), scores=False).ids)
    if wanted.top is None:
        if found == list(wanted.ids):
            return None
        return f"{step.id}: the ids are {_some(found)}, and {_some(wanted.ids)} are wanted"
    first = found[: wanted.top]
    missing = [one for one in wanted.ids if one not in first]
    if not missing:
        return None
    where = [f"{one} is {'#' + str(found.index(one) + 1) if one in found else 'not among them'}" for one in missing]
    return f"{step.id}: of the first {wanted.top}, {', '.join(where)}"


def _rows(wanted: Rows, step: Step, result: StepResult) -> str | None:
    found, rows = [canonical(list(one)) for one in result.rows], [canonical(list(one)) for one in wanted.rows]
    if not (isinstance(step, VectorStep) or (isinstance(step, SqlStep) and ordered(step))):
        found, rows = sorted(found, key=repr), sorted(rows, key=repr)
    if found == rows:
        return None
    if len(found) != len(rows):
        return f"{step.id}: {len(found)} rows, and {len(rows)} are wanted"
    first = next(number for number, pair in enumerate(zip(found, rows, strict=True), 1) if pair[0] != pair[1])
    return f"{step.id}: row {first} is not the one that is wanted"


def _of_text(
    wanted: Schema | Regex | Contains | Lacks | Similar | Judge,
    incident: Incident,
    step: Step,
    result: StepResult,
    tools: Tools,
) -> str | None:
    whole = document(step, result)
    found = [whole] if wanted.at is None else list(_at(whole, parse_path(wanted.at)))
    if not found:
        return f"{step.id}: there is nothing at {wanted.at}"
    where = step.id if wanted.at is None else f"{step.id} at {wanted.at}"
    if isinstance(wanted, Schema):
        return next((f"{where}: {why}" for value in found if (why := _schema(wanted.json_schema, value))), None)
    text = "\n".join(map(_text, found))
    if isinstance(wanted, Contains):
        return None if wanted.text in text else f"{where}: does not contain {wanted.text!r}: {_short(text)}"
    if isinstance(wanted, Lacks):
        return f"{where}: contains {wanted.text!r}" if wanted.text in text else None
    if isinstance(wanted, Regex):
        import re2

        return None if re2.search(wanted.pattern, text) else f"{where}: {wanted.pattern!r} is not in {_short(text)}"
    if isinstance(wanted, Similar):
        cosine = _cosine(tools.embed(wanted.program, text), tools.embed(wanted.program, wanted.text))
        said = f"{where}: the similarity is {cosine:.3f}, and {wanted.at_least:g} is wanted: {_short(text)}"
        return said if cosine < wanted.at_least else None
    recorded = "" if step.expect is None else _text(document(step, _as_result(step.expect)))
    asked = {"answer": text, "recorded": recorded, "step": step.id, "incident": incident.incident}
    return None if tools.judge(wanted.hook, asked) else f"{where}: {wanted.hook} says no"


def document(step: Step, result: StepResult) -> Any:
    """What a step returned as one document: a service's body, else ids, rows by column, scores and the error."""
    if isinstance(step, HttpStep):
        if result.error is not None or not result.rows or len(result.rows[0]) < 2:
            return {"error": result.error}
        body = result.rows[0][1]
        try:
            return json.loads(body) if isinstance(body, str) else body
        except ValueError:
            return body
    if result.error is not None:
        return {"error": result.error}
    rows = [dict(zip(result.columns, row, strict=False)) for row in result.rows]
    return {"ids": list(result.ids), "scores": list(result.scores), "rows": rows}


def _as_result(expect: Expected) -> StepResult:
    return StepResult(expect.columns, expect.origins, expect.rows, expect.ids, expect.scores, expect.error)


def _at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """Everything in a document that a path means."""
    if not path:
        yield value
        return
    first, *rest = path
    if first == "**":
        yield from _at(value, rest)
        for one in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
            yield from _at(one, path)
    elif first == "[*]" and isinstance(value, list | tuple):
        for one in value:
            yield from _at(one, rest)
    elif first.startswith(".") and isinstance(value, dict):
        for key in value if first == ".*" else [first[1:]] if first[1:] in value else []:
            yield from _at(value[key], rest)


def _schema(schema: Mapping[str, Any], value: Any) -> str | None:
    """The first thing in a document that its schema does not allow, with its place; never a reference elsewhere."""
    need("jsonschema", "schema", "an expectation of a JSON Schema")
    import jsonschema
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    if isinstance(value, str):  # a model's answer is text, and what is asked of it is JSON
        try:
            value = json.loads(value)
        except ValueError as exc:
            return f"is not JSON: {exc}"
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        error = jsonschema.exceptions.best_match(kind(schema, registry=Registry()).iter_errors(value))
    except Unresolvable as exc:
        return f"the schema refers to {exc.ref}, which is not in it: nothing is fetched"
    return None if error is None else f"{error.json_path} {_short(error.message)}"


def _cosine(left: Sequence[float], right: Sequence[float]) -> float:
    if len(left) != len(right):
        raise UsageError(f"the program gave vectors of {len(left)} and {len(right)} numbers")
    norms = math.hypot(*left) * math.hypot(*right)
    return math.fsum(a * b for a, b in zip(left, right, strict=True)) / norms if norms else 0.0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…")


def _some(ids: Sequence[Any]) -> str:
    return (", ".join(map(str, ids[:10])) + ("…" if len(ids) > 10 else "")) or "none"
