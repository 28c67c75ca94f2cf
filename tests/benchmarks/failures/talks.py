"""Failures behind the retrieval: prompts, tools, forms and answers, as a trace tells them; and of time and chance."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.benchmarks.failures.cases import Failure, by_sql, ids, search
from tests.benchmarks.failures.places import Made, World

Pair = tuple[list[Failure], list[Failure]]
SCHEMA = {
    "type": "object",
    "properties": {
        "urgency": {"enum": ["low", "medium", "high"]},
        "summary": {"type": "string"},
        "days": {"type": "integer"},
    },
    "required": ["urgency", "summary", "days"],
    "additionalProperties": False,
}
TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "parameters": {
            "type": "object",
            "properties": {"order": {"type": "integer"}, "region": {"enum": ["north", "south"]}},
            "required": ["order"],
        },
    },
}


def talks(world: World, each: int) -> Iterator[Pair]:
    """Every failure that only calls show."""
    told: list[Callable[[World, int, bool], Failure | None]] = [
        _cut_off, _in_the_middle, _arguments, _loop, _cut_answer, _renamed, _no_json, _invented,
    ]  # fmt: skip
    for make in told:
        wrong, right = [], []
        for number in range(20 * each):
            if len(wrong) < each and (one := make(world, number, True)):
                wrong.append(one)
            if len(right) < each and (one := make(world, number, False)):
                right.append(one)
        yield wrong, right


def _retrieved(world: World, limit: int = 8) -> tuple[dict[str, Any], list[Made]]:
    one = world.drawn.choice(list(world.tables["sparse"].values()))
    step = by_sql(world, "ruled", search(world, one), limit=limit)
    return step, [world.tables["ruled"][ident] for ident in ids(step)]


def _call(kind: str, number: int, **given: Any) -> dict[str, Any]:
    return {"id": f"c{number}", "kind": kind, **given}


def _asked(documents: list[str], question: str, answer: Any, **given: Any) -> dict[str, Any]:
    context = "\n\n".join(f"[{number}] {text}" for number, text in enumerate(documents, 1))
    messages = [{"role": "system", "content": f"Answer from these documents alone.\n\n{context}"},
                {"role": "user", "content": question}]  # fmt: skip
    said = answer if isinstance(answer, str) else json.dumps(answer)
    return _call("llm", 9, name="chat", input=messages, output=given.pop("output", [{"role": "assistant",
                 "content": said}]), finish=given.pop("finish", ["stop"]), **given)  # fmt: skip


def _documents(made: list[Made]) -> list[dict[str, Any]]:
    return [{"id": one.id, "content": one.body} for one in made]


def _says(world: World, one: Made) -> str:
    own = [word for word in one.body.rstrip(".").split() if len(word) > 3]
    return f"It is about {' and '.join(own[:6])}."


def _cut_off(world: World, number: int, wrong: bool) -> Failure | None:
    step, made = _retrieved(world)
    kept = world.drawn.choice((2, 3, 4))
    bodies = [one.body for one in made[:kept]]
    if number % 2:
        bodies.append(" ".join(made[kept].body.split()[:5]))
    chosen = world.drawn.choice(made[kept:] if wrong else made[:kept])
    calls = (_call("retrieval", 1, documents=_documents(made)), _asked(bodies, "what is it?", _says(world, made[0])
             if wrong else _says(world, chosen)))  # fmt: skip
    return Failure("cut_off" if wrong else "", (step,), calls, (chosen.id,))


def _in_the_middle(world: World, number: int, wrong: bool) -> Failure | None:
    step, made = _retrieved(world, 9)
    if len({one.subject for one in made}) < 4:
        return None
    middle = made[4]
    read = made[0] if wrong else middle
    words = {w for one in made if one is not middle for w in one.body.rstrip(".").split()}
    own = [w for w in middle.body.rstrip(".").split() if w not in words and len(w) > 3]
    if len(own) < 2 or (wrong and read.subject is middle.subject):
        return None
    answer = _says(world, read) if wrong else f"It is about {own[0]} and {own[1]}."
    calls = (_call("retrieval", 1, documents=_documents(made)), _asked([o.body for o in made], "what is it?", answer))
    return Failure("lost_in_the_middle" if wrong else "", (step,), calls, (middle.id,))


def _order(world: World) -> int:
    return world.drawn.randrange(1_000, 9_000)


def _arguments(world: World, number: int, wrong: bool) -> Failure | None:
    order = _order(world)
    bad = ({"order": f"no {order}"}, {"region": "north"}, {"order": order, "region": "east"}, "{order: 1")[number % 4]
    given = bad if wrong else {"order": order, "region": "south"}
    text = given if isinstance(given, str) else json.dumps(given)
    asked = [{"role": "assistant", "tool_calls": [{"id": "t", "function": {"name": "find_order", "arguments": text}}]}]
    calls = (_asked(["a text of no interest"], f"where is order {order}?", "", output=asked, tools=[TOOL]),)
    return Failure("tool_arguments" if wrong else "", (), calls)


def _loop(world: World, number: int, wrong: bool) -> Failure | None:
    order = _order(world)
    times = world.drawn.randint(4, 9) if wrong else 2
    calls = [_call("tool", n, name="find_order", input={"order": order if wrong else order + n}, output="nothing")
             for n in range(times)]  # fmt: skip
    return Failure("tool_loop" if wrong else "", (), (*calls, _asked(["a text"], "where?", "", tools=[TOOL])))


def _form(world: World, answer: Any, cause: str, **given: Any) -> Failure:
    step, made = _retrieved(world, 3)
    settings = {"response_format": {"type": "json_schema", "json_schema": {"name": "triage", "schema": SCHEMA}}}
    calls = (_call("retrieval", 1, documents=_documents(made)),
             _asked([one.body for one in made], "how urgent?", answer, settings=settings, **given))  # fmt: skip
    return Failure(cause, (step,), calls)


def _right(world: World) -> dict[str, Any]:
    return {"urgency": world.drawn.choice(("low", "high")), "summary": "it waits", "days": world.drawn.randrange(1, 9)}


def _cut_answer(world: World, number: int, wrong: bool) -> Failure | None:
    said = json.dumps(_right(world))
    finish = [("length", "max_tokens", "MAX_TOKENS")[number % 3]]
    if wrong:
        return _form(world, said[: world.drawn.randrange(8, len(said) - 2)], "answer_cut", finish=finish)
    return _form(world, said, "")


def _renamed(world: World, number: int, wrong: bool) -> Failure | None:
    answer = _right(world)
    if wrong:
        old, new = (("urgency", "priority"), ("summary", "abstract"), ("days", "duration"))[number % 3]
        answer[new] = answer.pop(old)
    return _form(world, answer, "field_renamed" if wrong else "")


def _no_json(world: World, number: int, wrong: bool) -> Failure | None:
    answer = _right(world)
    bad = (f"Here you are: {json.dumps(answer)}", f"```json\n{json.dumps(answer)}\n```", {**answer, "days": "soon"},
           {**answer, "urgency": "catastrophic"})[number % 4]  # fmt: skip
    return _form(world, bad if wrong else answer, "invalid_format" if wrong else "")


def _invented(world: World, number: int, wrong: bool) -> Failure | None:
    step, made = _retrieved(world, 4)
    days, price = world.drawn.randrange(11, 98), world.drawn.randrange(110, 980)
    bodies = [f"{one.body} Returns are taken for {days} days by Marlow Trading." for one in made[:1]]
    bodies += [one.body for one in made[1:]]
    documents = [{"id": one.id, "content": body} for one, body in zip(made, bodies, strict=True)]
    false = (f"You have {days + 13} days.", f"It costs {price} € to return it.", "It is handled by Quenzel Logistics.",
             f"Write to help@returns-{price}.example within {days} days.")[number % 4]  # fmt: skip
    true = (f"You have {days} days.", f"It is taken for {days} days, and by Marlow Trading.")[number % 2]
    calls = (_call("retrieval", 1, documents=documents), _asked(bodies, "how long?", false if wrong else true))
    return Failure("ungrounded" if wrong else "", (step,), calls)


def times(world: World, each: int) -> tuple[Iterator[Pair], Callable[[], Iterator[Pair]]]:
    """Failures of deadlines, disks and chance, and of a state that goes on: the last are made before it does."""
    before = []
    for one in world.drawn.sample(list(world.tables["moving"].values()), 6 * each):
        step = by_sql(world, "moving", search(world, one))
        if one.id in ids(step):
            before.append((one, step))
    moment = dt.datetime.now(dt.UTC).isoformat()

    def later() -> Iterator[Pair]:
        wrong = []
        with world.connect() as conn:
            for number, (_, step) in enumerate(before[:each]):
                if number % 2:
                    conn.execute("DELETE FROM moving WHERE id = ANY(%s)", [ids(step)[2:4]])
                else:
                    conn.execute("UPDATE moving SET embedding = %s::vector WHERE id = %s",
                                 [str(search(world, before[-1][0])), ids(step)[-1]])  # fmt: skip
        for _, step in before[:each]:
            now = by_sql(world, "moving", step["parameters"][0])
            if ids(now) != ids(step):
                wrong.append(Failure("drift", (step,), fields={"recorded_at": moment}))
        right = []
        for one, step in before[each:]:
            now = by_sql(world, "moving", step["parameters"][0])
            if ids(now) == ids(step):
                right.append(Failure("", (step,), expected=(one.id,), fields={"recorded_at": moment}))
        yield wrong, right[:each]

    return _machine(world, each), later


def _machine(world: World, each: int) -> Iterator[Pair]:
    slow = "SELECT count(*) FROM ruled a, ruled b, ruled c WHERE a.body || b.body < c.body"
    big = "SELECT a.id FROM ruled a, ruled b ORDER BY a.body || b.body, b.id"
    wrong, right = [], []
    for number in range(each):
        limit = {"statement_timeout": f"{40 + 10 * number}ms"}
        wrong.append(Failure("timeout", (_plain(slow, limit, {"error": "57014 canceling statement due to timeout"}),)))
        few = "SELECT count(*) FROM ruled"
        right.append(Failure("", (_plain(few, limit, {"columns": ["count"], "rows": [[_count(world)]]}),)))
    yield wrong, right
    full, fits = [], []
    for number in range(each):
        error = {"error": "53400 temporary file size exceeds temp_file_limit"}
        full.append(Failure("disk_full", (_plain(big, {"work_mem": f"{64 * (number + 1)}kB"}, error, role="narrow"),)))
        rows = [[row[0]] for row in world.ask(f"SELECT id FROM ruled ORDER BY body LIMIT {number + 2}")]
        fits.append(Failure("", (_plain(f"SELECT id FROM ruled ORDER BY body LIMIT {number + 2}", {"work_mem": "64kB"},
                                        {"columns": ["id"], "rows": rows}, role="narrow"),)))  # fmt: skip
    yield full, fits
    chance, same = [], []
    for number in range(each):
        sql = f"SELECT id FROM ruled ORDER BY random() LIMIT {number + 3}"
        if number % 2:
            sql = f"SELECT id FROM ruled WHERE random() < 0.5 ORDER BY id LIMIT {40 + number}"
        ids_ = [row[0] for row in world.ask(sql)]
        chance.append(Failure("nondeterminism", (_plain(sql, {}, {"ids": ids_}, key="id"),)))
        sql = f"SELECT id FROM ruled ORDER BY id LIMIT {number + 3}"
        same.append(Failure("", (_plain(sql, {}, {"ids": [row[0] for row in world.ask(sql)]}, key="id"),)))
    yield chance, same


def _plain(sql: str, settings: dict[str, str], expect: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {"id": "query", "kind": "sql", "store": "main", "role": "app", "sql": sql, "settings": settings,
            "expect": expect, **given}  # fmt: skip


def _count(world: World) -> int:
    return int(world.ask("SELECT count(*) FROM ruled")[0][0])
