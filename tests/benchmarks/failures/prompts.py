"""How a prompt is put together and asked: templates without their values, windows, tools, second tries."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.benchmarks.failures.cases import Failure, ids, search
from tests.benchmarks.failures.places import Made, World, literal

Pair = tuple[list[Failure], list[Failure]]
Make = Callable[[World, int, bool], Failure | None]
TABLE = "kept"
SCHEMA = {"type": "object", "properties": {"topic": {"type": "string"}, "sure": {"type": "boolean"}},
          "required": ["topic", "sure"], "additionalProperties": False}  # fmt: skip


def prompts(world: World) -> Callable[[int], Iterator[Pair]]:
    """Write the table that is searched; returns what makes the incidents."""
    world.fill(TABLE, world.texts(300), "hnsw (embedding vector_cosine_ops)")

    def incidents(each: int) -> Iterator[Pair]:
        for make in (_variables, _left_in, _under_a_heading, _too_long, _cut_unsaid, _tool_broke, _tool_lost, _second,
                     _kept_back, _half_a_document):  # fmt: skip
            made: Pair = ([], [])
            for number in range(30 * each):
                for those, wrong in zip(made, (True, False), strict=True):
                    if len(those) < each and (one := make(world, number, wrong)):
                        those.append(one)
                if min(map(len, made)) == each:
                    break
            yield made

    return incidents


def _found(world: World, limit: int = 4) -> tuple[dict[str, Any], list[Made]]:
    one = world.drawn.choice(list(world.tables[TABLE].values()))
    vector = search(world, one)
    sql = f"SELECT id, body, embedding <=> %s::vector AS far FROM {TABLE} ORDER BY far LIMIT {limit}"
    rows = [row[0] for row in world.ask(sql, literal(vector), enable_seqscan="off")]
    step = {"id": "search", "kind": "sql", "store": "main", "role": "app", "sql": sql, "key": "id",
            "parameters": [vector], "settings": {"enable_seqscan": "off"}, "expect": {"ids": rows}}  # fmt: skip
    return step, [world.tables[TABLE][ident] for ident in ids(step)]


def _llm(said: str, answer: Any, **given: Any) -> dict[str, Any]:
    messages = given.pop("messages", [{"role": "system", "content": said}, {"role": "user", "content": "What is it?"}])
    return {"id": "chat", "kind": "llm", "name": "chat", "input": messages, "output": answer, "finish": ["stop"],
            **given}  # fmt: skip


def _documents(made: list[Made]) -> dict[str, Any]:
    return {"id": "found", "kind": "retrieval", "name": "retriever", "documents": [
        {"id": one.id, "content": one.body} for one in made]}  # fmt: skip


def _texts(made: list[Made]) -> str:
    return "\n\n".join(one.body for one in made)


def _about(one: Made) -> str:
    return " ".join(word for word in one.body.rstrip(".").split() if len(word) > 3).lower()


def _variables(world: World, number: int, wrong: bool) -> Failure | None:
    """The template's variables are told, and one is empty: of the documents, of the question; else of the history."""
    step, made = _found(world)
    names = (("context", "question"), ("documents", "query"), ("retrieved_chunks", "user_input"))[number % 3]
    values = {names[0]: _texts(made), names[1]: "What is it?", "history": ""}
    if wrong:
        values[names[0]] = ("", None, "[]")[number % 3]
    prompt = {"template": f"Use {{{names[0]}}}. {{history}} {{{names[1]}}}", "variables": values}
    said = f"Use {values[names[0]]}. What is it?"
    calls = (_documents(made), _llm(said, "I do not know." if wrong else _about(made[0]), prompt=prompt))
    return Failure("variable_empty" if wrong else "", (step,), calls)


def _left_in(world: World, number: int, wrong: bool) -> Failure | None:
    """The place of a variable still stands in the prompt; or a document shows how a template is written."""
    step, made = _found(world)
    place = ("{context}", "{{ documents }}", "{retrieved_docs}")[number % 3]
    shown = f"{_texts(made)}\n\nA template is written with {place} in it."
    said = f"Answer from this:\n{place if wrong else shown}"
    documents = _documents(made)
    if not wrong:
        documents["documents"].append({"id": 1, "content": f"A template is written with {place} in it."})
    answer = "I do not know." if wrong else _about(made[0])
    return Failure("variable_empty" if wrong else "", (step,), (documents, _llm(said, answer)))


def _under_a_heading(world: World, number: int, wrong: bool) -> Failure | None:
    """Nothing, or what a language calls nothing, stands where the documents should; else under another heading."""
    step, made = _found(world)
    nothing = ("", "None", "[]", "undefined")[number % 4]
    body = nothing if wrong else _texts(made)
    said = (
        f"Rules:\n- be brief\n\nContext: {body}\n\nNotes:\n\nQuestion: What is it?",
        f"<notes></notes>\n<documents>\n{body}\n</documents>\nBe brief.",
        f"## Sources:\n{body}\n\n## Task:\nBe brief.",
    )[number % 3]
    answer = "I do not know." if wrong else _about(made[0])
    calls = (_llm(said, answer),) if number % 2 else (_documents(made), _llm(said, answer))
    return Failure("variable_empty" if wrong else "", (step,), calls)


LONG = (
    "Error code: 400 - {'error': {'message': \"This model's maximum context length is 8192 tokens. However, your "
    "messages resulted in 9113 tokens.\", 'code': 'context_length_exceeded'}}",
    "prompt is too long: 214003 tokens > 200000 maximum",
    "ValidationException: Input is too long for requested model.",
)


def _too_long(world: World, number: int, wrong: bool) -> Failure | None:
    """The service refused a prompt for its length; a shorter one was asked afterwards, or not."""
    step, made = _found(world)
    said = _texts(made)
    refused = {**_llm(said, None), "id": "first", "output": None, "error": LONG[number % 3], "finish": []}
    calls = (_documents(made), refused) if wrong else (_documents(made), refused, _llm(said, _about(made[0])))
    return Failure("window_exceeded" if wrong else "", (step,), calls)


def _cut_unsaid(world: World, number: int, wrong: bool) -> Failure | None:
    """A history that is longer than the window of a model on one's own machine, which drops its beginning."""
    step, made = _found(world)
    history = [{"role": ("user", "assistant")[turn % 2], "content": world.writer.text(made[0].subject, 60)}
               for turn in range(80)]  # fmt: skip
    messages = [{"role": "system", "content": _texts(made)}, *history, {"role": "user", "content": "What is it?"}]
    many = sum(len(one["content"]) for one in messages) // 5
    cached = {"input_tokens": 12, "cache_read_input_tokens": many}
    counted = {"prompt_tokens": 1024} if wrong else {"prompt_tokens": many} if number % 2 else cached
    call = _llm("", _about(made[0]), messages=messages, usage=counted, settings={"num_ctx": 2048} if wrong else {})
    return Failure("window_exceeded" if wrong else "", (step,), (_documents(made), call))


def _tool_broke(world: World, number: int, wrong: bool) -> Failure | None:
    """A tool failed, and the model went on; or it failed once, and was asked again."""
    step, made = _found(world)
    broken: dict[str, Any] = {"id": "t1", "kind": "tool", "name": "look_up", "input": {"order": number + 1}}
    broken |= ({"error": "KeyError: 'order'"}, {"output": {"error": "permission denied for order"}},
               {"output": "Error: order not found in region"})[number % 3]  # fmt: skip
    again = {"id": "t2", "kind": "tool", "name": "look_up", "input": broken["input"], "output": {"state": "sent"}}
    calls = [_documents(made), broken, *([] if wrong else [again]), _llm(_texts(made), _about(made[0]))]
    return Failure("tool_failed" if wrong else "", (step,), tuple(calls))


def _tool_lost(world: World, number: int, wrong: bool) -> Failure | None:
    """A tool that searches gave nothing, though its search found something; or what it found."""
    step, made = _found(world)
    empty = ([], {"results": [], "total": 0}, "[]", "No results found.")[number % 4]
    given = empty if wrong else [{"id": one.id, "text": one.body} for one in made]
    answer = "I do not know." if wrong else _about(made[0])
    if number % 2:
        call = {"id": "t", "type": "function", "function": {"name": "search_kb", "arguments": '{"q": "it"}'}}
        messages = [{"role": "user", "content": "What is it?"}, {"role": "assistant", "tool_calls": [call]},
                    {"role": "tool", "tool_call_id": "t", "content": json.dumps(given)}]  # fmt: skip
        return Failure("tool_result_empty" if wrong else "", (step,), (_llm("", answer, messages=messages),))
    tool = {"id": "t", "kind": "tool", "name": "search_kb", "input": {"q": "it"}, "output": given}
    calls = (tool, _llm("Be brief." if wrong else _texts(made), answer))
    return Failure("tool_result_empty" if wrong else "", (step,), calls)


def _second(world: World, number: int, wrong: bool) -> Failure | None:
    """Asked twice, the second time hotter: what was right is wrong then, or what was wrong is right."""
    step, made = _found(world)
    good, bad = (
        json.dumps({"topic": "it", "sure": True}),
        ('{"topic": "it"', '{"topic": "it"}', "It is it.")[number % 3],
    )
    form = {"response_format": {"type": "json_schema", "json_schema": {"name": "t", "schema": SCHEMA}}}
    tries = [_llm(_texts(made), said, id=f"try{turn}", settings={**form, "temperature": turn * 1.2})
             for turn, said in enumerate((good, bad) if wrong else (bad, good))]  # fmt: skip
    return Failure("invalid_format" if wrong else "", (step,), (_documents(made), *tries))


def _kept_back(world: World, number: int, wrong: bool) -> Failure | None:
    step, made = _found(world)
    why = ("content_filter", "SAFETY", "guardrail_intervened", "refusal")[number % 4] if wrong else "stop"
    call = _llm(_texts(made), "" if wrong else _about(made[0]), finish=[why])
    return Failure("answer_blocked" if wrong else "", (step,), (_documents(made), call))


def _half_a_document(world: World, number: int, wrong: bool) -> Failure | None:
    """So many tokens are taken, and the last document ends in its middle."""
    step, made = _found(world, 5)
    long = {one.id: f"{one.body} {world.writer.text(one.subject, 30)}" for one in made}
    most = sum(len(text.split()) for text in list(long.values())[:3]) + 18
    words = " ".join(long.values()).split()
    said = " ".join(words[:most] if wrong else words)
    told = {"id": "found", "kind": "retrieval", "documents": [{"id": key, "text": text} for key, text in long.items()]}
    lost = made[3]
    answer = _about(made[0]) if wrong else _about(lost)
    return Failure("cut_off" if wrong else "", (step,), (told, _llm(said, answer)), (lost.id,))
