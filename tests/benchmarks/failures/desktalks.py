"""A help desk's conversations with models, in the providers' own forms: what fails in them, and what is right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.failures.desk import Case, Shop, embedded, got


def _openai(messages: list[dict[str, Any]], message: dict[str, Any], why: str = "stop", **body: Any) -> dict[str, Any]:
    return {"id": "llm-1", "kind": "llm", "method": "POST", "url": "https://api.openai.com/v1/chat/completions",
            "body": {"model": "m", "messages": messages, **body},
            "answer": {"choices": [{"index": 0, "finish_reason": why,
                                    "message": {"role": "assistant", **message}}]}}  # fmt: skip


def _anthropic(system: str, question: str, answer: str, why: str = "end_turn") -> dict[str, Any]:
    return {"id": "llm-1", "kind": "llm", "method": "POST", "url": "https://api.anthropic.com/v1/messages",
            "body": {"model": "m", "system": system, "messages": [{"role": "user", "content": question}]},
            "answer": {"role": "assistant", "stop_reason": why,
                       "content": [{"type": "text", "text": answer}]}}  # fmt: skip


def talks(shop: Shop) -> Iterator[Case]:
    """Conversations, in the providers' own forms."""
    make = "SELECT id, body FROM kb.passages ORDER BY emb <=> %s::vector LIMIT 8"
    some = [shop.drawn.choice(list(shop.bodies)) for _ in range(12)]
    steps = [shop.step(make, embedded(shop.bodies[one]), local={"hnsw.ef_search": "900"}) for one in some]
    rows = [[(ident, shop.bodies.get(ident, shop.bodies[shop.rows[0]["copied"]])) for ident in got(one)]
            for one in steps]  # fmt: skip
    whole = [f"<doc id='{ident}'>\n{body}\n</doc>" for ident, body in rows[0]]
    ask = {"role": "user", "content": "What should I do?"}

    def system(text: str) -> dict[str, Any]:
        return {"role": "system", "content": text}

    cut = "\n".join(whole)[: len("\n".join(whole[:5])) + 40]
    first = rows[0][0][1]
    said = {"content": f"Do this: {first.split(', ')[1].split('.')[0]}."}
    yield Case(
        "context-cut", ("cut_off",), (steps[0],), (rows[0][6][0],), exchanges=(_openai([system(cut), ask], said),)
    )
    yield Case("context-whole-healthy", (), (steps[0],), (rows[0][0][0],), exchanges=(
        _openai([system("\n".join(reversed(whole))), ask], said),))  # fmt: skip
    escaped = "\n".join(json.dumps({"id": ident, "text": body}) for ident, body in rows[0])
    yield Case("context-json-healthy", (), (steps[0],), (rows[0][5][0],), exchanges=(
        _openai([system(escaped), ask], {"content": f"Do this: {rows[0][5][1].split(', ')[1].split('.')[0]}. Ask for "
                 f"part {rows[0][5][1].rstrip('.').split()[-1]}."}),))  # fmt: skip
    middle = rows[1][4][1].rstrip(".").split()[-1]
    others = [body for _, body in rows[1]]
    if sum(middle in one for one in others) == 1:
        yield Case(
            "middle",
            ("lost_in_the_middle",),
            (steps[1],),
            (rows[1][4][0],),
            exchanges=(
                _anthropic("\n\n".join(others), "which part do I ask for?", "I could not find that in the manuals."),
            ),
        )
        yield Case("middle-read-healthy", (), (steps[1],), (rows[1][4][0],), exchanges=(
            _anthropic("\n\n".join(others), "which part do I ask for?", f"Ask for part {middle}."),))  # fmt: skip
    yield from _tools()
    yield from _forms()
    yield from _claims(others)


def _tools() -> Iterator[Case]:
    def used(name: str, number: int, given: Any, said: Any) -> dict[str, Any]:
        return {"id": f"t{number}", "kind": "tool", "name": name, "input": given, "output": said}

    both = [used(("lookup", "convert")[n % 2], n, {"order": 17}, "not found") for n in range(6)]
    yield Case("two-tools-in-turn", ("tool_loop",), calls=tuple(both))
    pages = [used("search", n, {"query": "fuse", "page": n}, "[]") for n in range(5)]
    yield Case("pages-healthy", (), calls=tuple(pages))
    polled = [used("job_status", n, {"job": 9}, "done" if n == 3 else f"running, {25 * n} %") for n in range(4)]
    yield Case("polled-healthy", (), calls=tuple(polled))
    tool = {"type": "function", "function": {"name": "refund", "parameters": {
        "type": "object", "properties": {"order": {"type": "string", "pattern": "^[0-9]{4}$"},
        "reason": {"type": ["string", "null"]}}, "required": ["order"], "additionalProperties": False}}}  # fmt: skip
    for name, given, causes in (
        ("tool-pattern", {"order": "12"}, ("tool_arguments",)),
        ("tool-extra", {"order": "1234", "amount": 5}, ("tool_arguments",)),
        ("tool-null-healthy", {"order": "1234", "reason": None}, ()),
        ("tool-healthy", {"order": "1234"}, ()),
    ):
        call = {"id": "c", "type": "function", "function": {"name": "refund", "arguments": json.dumps(given)}}
        message = {"content": None, "tool_calls": [call]}
        asked = [{"role": "user", "content": "refund order 1234"}]
        yield Case(name, causes, exchanges=(_openai(asked, message, "tool_calls", tools=[tool]),))


def _forms() -> Iterator[Case]:
    schema = {"type": "object", "required": ["items"], "properties": {"items": {"type": "array", "items": {
        "type": "object", "required": ["sku", "quantity"], "additionalProperties": False,
        "properties": {"sku": {"type": "string"}, "quantity": {"type": "integer", "minimum": 1}}}}}}  # fmt: skip
    form = {"type": "json_schema", "json_schema": {"name": "order", "strict": True, "schema": schema}}
    asked = [{"role": "user", "content": "two of K17 please"}]
    good = {"items": [{"sku": "K17", "quantity": 2}]}
    for name, answer, why, causes in (
        ("nested-renamed", {"items": [{"sku": "K17", "qty": 2}]}, "stop", ("field_renamed",)),
        ("below-minimum", {"items": [{"sku": "K17", "quantity": 0}]}, "stop", ("invalid_format",)),
        ("extra-allowed-healthy", {**good, "note": "for two"}, "stop", ()),
        ("form-healthy", good, "stop", ()),
    ):
        said = {"content": json.dumps(answer, indent=2)}
        yield Case(name, causes, exchanges=(_openai(asked, said, why, response_format=form),))
    yield Case("length", ("answer_cut",), exchanges=(
        _openai(asked, {"content": json.dumps(good)[:14]}, "length", response_format=form),))  # fmt: skip
    yield Case("fenced-healthy", (), exchanges=(_openai(asked, {"content": f"```json\n{json.dumps(good)}\n```"}),))
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": part}, "finish_reason": None}]} for part in ("two ", "of K17")
    ]
    for name, why, causes in (("stream-length", "length", ("answer_cut",)), ("stream-healthy", "stop", ())):
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": why}]}
        one = {**_openai(asked, {}), "chunks": [{"data": f"data: {json.dumps(c)}\n\n"} for c in (*chunks, last)]}
        one.pop("answer")
        yield Case(name, causes, exchanges=(one,))


def _claims(others: list[str]) -> Iterator[Case]:
    context = "\n\n".join([*others, "Repairs cost 35 EUR and take 4 days. Today is 2026-11-29."])
    documents = [{"id": f"d{n}", "content": text} for n, text in enumerate([*others, context.split("\n\n")[-1]])]
    retrieval = {"id": "r", "kind": "retrieval", "documents": documents}
    question = "How much is a repair, for order 88213?"
    for name, answer, causes in (
        ("price-invented", "A repair costs 49 EUR.", ("ungrounded",)),
        ("address-invented", "Write to desk@repairs-nowhere.example about it.", ("ungrounded",)),
        ("price-healthy", "A repair costs 35 EUR.", ()),
        ("steps-healthy", "1. Send it in for order 88213.\n2. Pay 35 EUR.\n3. Wait 4 days, from 2026-11-29 on.", ()),
        ("words-healthy", "It is thirty-five euros; repairs take about four days.", ()),
        ("refusal-healthy", "I cannot see order 88213 here, but a repair is 35 €.", ()),
        ("written-otherwise-healthy", "**Price:** EUR 35.00 – today, 29 November 2026.", ()),
    ):
        llm = {"id": "l", "kind": "llm", "name": "chat", "input": [{"role": "system", "content": context}, {
            "role": "user", "content": question}], "output": answer, "finish": ["stop"]}  # fmt: skip
        yield Case(name, causes, calls=(retrieval, llm))
