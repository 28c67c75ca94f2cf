"""More that only calls and exchanges show: other loops, other names, other ways to say that an answer was cut."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.benchmarks.failures.cases import Failure, by_sql, ids, search
from tests.benchmarks.failures.places import Made, World

Pair = tuple[list[Failure], list[Failure]]
Make = Callable[[World, int, bool], Failure | None]
NESTED = {
    "type": "object",
    "properties": {
        "ticket": {
            "type": "object",
            "properties": {"order_id": {"type": "integer"}, "urgency": {"enum": ["low", "high"]}},
            "required": ["order_id", "urgency"],
            "additionalProperties": False,
        },
        "steps": {
            "type": "array",
            "items": {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
        },
    },
    "required": ["ticket"],
}
TOOLS = [
    {"name": "look_up", "input_schema": {"type": "object", "properties": {"order": {"type": "integer"}, "when": {
        "type": "string"}}, "required": ["order"], "additionalProperties": False}},
    {"name": "wait", "input_schema": {"type": "object", "properties": {"order": {"type": "integer"}}}},
]  # fmt: skip


def told(world: World, each: int) -> Iterator[Pair]:
    """Each of them, and as many that work."""
    for make in (_cut_each, _among_many, _in_turn, _unknown_argument, _nested_name, _stopped, _memory, _full_machine,
                 _gone):  # fmt: skip
        made: Pair = ([], [])
        for number in range(60 * each):
            for those, wrong in zip(made, (True, False), strict=True):
                if len(those) < each and (one := make(world, number, wrong)):
                    those.append(one)
            if min(map(len, made)) == each:
                break
        yield made


def _found(world: World, limit: int) -> tuple[dict[str, Any], list[Made]]:
    one = world.drawn.choice(list(world.tables["ruled"].values()))
    step = by_sql(world, "ruled", search(world, one), limit=limit)
    return step, [world.tables["ruled"][ident] for ident in ids(step)]


def _prompt(bodies: list[str], answer: Any, **given: Any) -> dict[str, Any]:
    context = "\n---\n".join(bodies)
    output = answer if isinstance(answer, list) else [{"role": "assistant", "content": answer}]
    return {"id": "chat", "kind": "llm", "name": "answer", "output": output, "finish": ["stop"], "input": [
        {"role": "system", "content": "Only what stands here counts."},
        {"role": "user", "content": f"{context}\n\nWhat does it say?"}], **given}  # fmt: skip


def _own(one: Made, others: list[Made]) -> list[str]:
    said = {word for other in others if other is not one for word in other.body.rstrip(".").split()}
    return [word for word in one.body.rstrip(".").split() if word not in said and len(word) > 3]


def _documents(made: list[Made]) -> dict[str, Any]:
    return {"id": "found", "kind": "retrieval", "documents": [
        {"metadata": {"id": one.id}, "page_content": one.body} for one in made]}  # fmt: skip


def _cut_each(world: World, number: int, wrong: bool) -> Failure | None:
    """Each text is cut at so many words, and only one is longer."""
    step, made = _found(world, 6)
    long = made[number % 4]
    long_body = f"{long.body} {world.writer.text(long.subject, 40)}"
    bodies = {one.id: one.body for one in made} | {long.id: long_body}
    most = 30 if wrong else 900
    told_ = {"id": "found", "kind": "retrieval", "documents": [
        {"id": str(one.id), "text": bodies[one.id]} for one in made]}  # fmt: skip
    shown = [" ".join(bodies[one.id].split()[:most]) for one in made]
    words = _own(long, made)[:3]
    if len(words) < 3:
        return None
    return Failure("cut_off" if wrong else "", (step,), (told_, _prompt(shown, f"About {' and '.join(words)}.")),
                   (long.id,))  # fmt: skip


def _among_many(world: World, number: int, wrong: bool) -> Failure | None:
    """Fourteen texts in another order than they were found in."""
    step, made = _found(world, 14)
    order = world.drawn.sample(made, len(made))
    lost = order[5 + number % 4]
    words = _own(lost, made)
    read = order[0]
    if len(words) < 3 or len(_own(read, made)) < 2 or read.subject is lost.subject:
        return None
    answer = f"It says {' and '.join(_own(read, made)[:3])}." if wrong else f"It says {words[0]} and {words[1]}."
    return Failure("lost_in_the_middle" if wrong else "", (step,), (_documents(made), _prompt(
        [one.body for one in order], answer)), (lost.id,))  # fmt: skip


def _in_turn(world: World, number: int, wrong: bool) -> Failure | None:
    """Two tools in turn, the same each time; or the same tools for other orders."""
    order, calls = world.drawn.randrange(100, 900), []
    for turn in range(4):
        for name in ("look_up", "wait"):
            given = {"order": order if wrong else order + turn}
            calls.append({"id": f"{name}{turn}", "kind": "tool", "name": name, "input": json.dumps(given),
                          "output": {"state": "pending"} if wrong else {"state": turn}})  # fmt: skip
    return Failure("tool_loop" if wrong else "", (), (*calls, _prompt(["a text"], "It waits.", tools=TOOLS)))


def _unknown_argument(world: World, number: int, wrong: bool) -> Failure | None:
    order = world.drawn.randrange(100, 900)
    bad = ({"order": order, "wen": "today"}, {"order": str(order)}, {"order": None}, {"order": [order]})[number % 4]
    name = "look_out" if wrong and number % 5 == 4 else "look_up"
    used = {"type": "tool_use", "id": "u1", "name": name, "input": bad if wrong else {"order": order, "when": "today"}}
    return Failure("tool_arguments" if wrong else "", (), (_prompt(["a text"], [
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}, used]}], tools=TOOLS),))  # fmt: skip


def _nested_name(world: World, number: int, wrong: bool) -> Failure | None:
    """A name that is another one further down: in an object, in a list, in another way of writing."""
    answer: dict[str, Any] = {"ticket": {"order_id": world.drawn.randrange(99), "urgency": "high"},
                              "steps": [{"title": "wait"}, {"title": "ask"}]}  # fmt: skip
    if wrong:
        ticket, steps = answer["ticket"], answer["steps"]
        if number % 3 == 0:
            ticket["orderId"] = ticket.pop("order_id")
        elif number % 3 == 1:
            ticket["priority"] = ticket.pop("urgency")
        else:
            steps[1]["name"] = steps[1].pop("title")
    settings = {"response_format": {"type": "json_schema", "json_schema": {"name": "t", "schema": NESTED}}}
    return Failure("field_renamed" if wrong else "", (), (_prompt(["a text"], json.dumps(answer), settings=settings),))


def _stopped(world: World, number: int, wrong: bool) -> Failure | None:
    """What five ways of asking a model say of the end; some of them in a stream."""
    text = world.writer.text(world.drawn.choice(world.writer.subjects), 12)
    said = text[: len(text) // 2] if wrong else text
    asked = {"messages": [{"role": "user", "content": f"Repeat: {text}"}]}
    way = number % 5
    url, answer, chunks = "https://models.example/v1/chat/completions", None, []
    if way == 0:
        answer = {"choices": [{"message": {"role": "assistant", "content": said},
                               "finish_reason": "length" if wrong else "stop"}]}  # fmt: skip
    elif way == 1:
        url = "https://api.anthropic.com/v1/messages"
        answer = {"content": [{"type": "text", "text": said}], "stop_reason": "max_tokens" if wrong else "end_turn"}
    elif way == 2:
        url = "https://generativelanguage.googleapis.com/v1/models/g:generateContent"
        asked = {"contents": [{"role": "user", "parts": [{"text": f"Repeat: {text}"}]}]}
        answer = {"candidates": [{"content": {"role": "model", "parts": [{"text": said}]},
                                  "finishReason": "MAX_TOKENS" if wrong else "STOP"}]}  # fmt: skip
    elif way == 3:
        url = "http://127.0.0.1:11434/api/chat"
        answer = {"message": {"role": "assistant", "content": said}, "done": True,
                  "done_reason": "length" if wrong else "stop"}  # fmt: skip
    else:
        events = [{"choices": [{"delta": {"content": f"{word} "}, "finish_reason": None}]} for word in said.split()]
        events.append({"choices": [{"delta": {}, "finish_reason": "length" if wrong else "stop"}]})
        chunks = [{"data": f"data: {json.dumps(one)}\n\n"} for one in events] + [{"data": "data: [DONE]\n\n"}]
    exchange = {"id": "asked", "kind": "llm", "url": url, "body": asked}
    exchange |= {"answer": answer} if answer is not None else {"chunks": chunks, "answer_encoding": "text"}
    return Failure("answer_cut" if wrong else "", (_count(world),), (), fields={"version": 2, "exchanges": [exchange]})


def _count(world: World) -> dict[str, Any]:
    return {"id": "count", "kind": "sql", "store": "main", "role": "app", "sql": "SELECT count(*) FROM ruled",
            "expect": {"columns": ["count"], "rows": [[world.ask("SELECT count(*) FROM ruled")[0][0]]]}}  # fmt: skip


def _memory(world: World, number: int, wrong: bool) -> Failure | None:
    said = (
        "CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 23.69 GiB total capacity)",
        "worker was sent SIGKILL! Perhaps out of memory?",
        "Container killed: OOMKilled (exit code 137)",
    )[number % 3]
    call = {"id": "e", "kind": "embedding", "name": "embedder", "input": "a question"}
    return Failure("out_of_memory" if wrong else "", (_count(world),), ({**call, **({"error": said} if wrong else {
        "output": "128 numbers"})},))  # fmt: skip


def _full_machine(world: World, number: int, wrong: bool) -> Failure | None:
    """More locks than the server has memory for."""
    if not wrong:
        return Failure("", (_count(world),))
    step = {**_count(world), "sql": "SELECT count(pg_advisory_xact_lock_shared(n)) FROM generate_series(1, 400000) n",
            "expect": {"error": "53200 out of shared memory"}}  # fmt: skip
    return Failure("out_of_memory", (step,))


def _gone(world: World, number: int, wrong: bool) -> Failure | None:
    """A table, a column or a function that is not there any more."""
    if not wrong:
        return Failure("", (_count(world),))
    what, error = (
        (f"count(*) FROM ruled_{number}", f'42P01 relation "ruled_{number}" does not exist'),
        (f"mood_{number} FROM ruled", f'42703 column "mood_{number}" does not exist'),
        (f"scored_{number}(id) FROM ruled", f"42883 function scored_{number}(integer) does not exist"),
    )[number % 3]
    return Failure("statement_failed", ({**_count(world), "sql": f"SELECT {what}", "expect": {"error": error}},))
