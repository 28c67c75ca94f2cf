# ruff: noqa: E501 - bodies stand as their vendors write them
"""A travel agency's conversations with models, as each vendor's API has them: what fails in them, and what is right."""

# fmt: off
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.failures.desk import Case, got
from tests.benchmarks.failures.inns import Inns, embedded

Body = dict[str, Any]
ASKED = "Which inn has a sauna, and what does a night cost?"


def _exchange(url: str, body: Body, answer: Any, number: int = 1, **more: Any) -> Body:
    return {"id": f"llm-{number}", "kind": "llm", "method": "POST", "url": url, "body": body, "answer": answer, **more}


def chat(messages: list[Body], message: Body, why: str | None = "stop", number: int = 1, **body: Any) -> Body:
    """OpenAI's chat completions."""
    return _exchange("https://api.openai.com/v1/chat/completions", {"model": "gpt-4o-mini", "messages": messages, **body},
                     {"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-mini-2024-07-18", "choices": [{"index": 0, "message": {"role": "assistant", "refusal": None, **message}, "finish_reason": why}], "usage": {"prompt_tokens": 9 + len(json.dumps(messages)) // 4, "completion_tokens": 12}}, number)


def responses(given: Any, output: list[Body], status: str = "completed", why: Body | None = None, **body: Any) -> Body:
    """OpenAI's responses."""
    return _exchange("https://api.openai.com/v1/responses", {"model": "gpt-5-mini", "input": given, **body},
                     {"id": "resp_1", "object": "response", "status": status, "incomplete_details": why, "error": None, "model": "gpt-5-mini", "output": output, "usage": {"input_tokens": 80, "output_tokens": 30}})


def claude(messages: list[Body], content: list[Body], why: str = "end_turn", number: int = 1, **body: Any) -> Body:
    """Anthropic's messages."""
    return _exchange("https://api.anthropic.com/v1/messages", {"model": "claude-sonnet-4-5", "max_tokens": 1024, "messages": messages, **body},
                     {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": content, "stop_reason": why, "stop_sequence": None, "usage": {"input_tokens": 9 + len(json.dumps([messages, body])) // 4, "output_tokens": 20}}, number)


def gemini(parts: list[Body] | None, why: str | None = "STOP", more: Body | None = None, **body: Any) -> Body:
    """Google's generateContent."""
    candidate: Body = {"index": 0, "finishReason": why, **({"content": {"role": "model", "parts": parts}} if parts is not None else {})}
    return _exchange("https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent", {"contents": [{"role": "user", "parts": [{"text": ASKED}]}], **body},
                     {**({"candidates": [candidate]} if why else {}), "usageMetadata": {"promptTokenCount": 50, "totalTokenCount": 60}, "modelVersion": "gemini-2.5-flash", **(more or {})})


def converse(content: list[Body], why: str, **body: Any) -> Body:
    """Bedrock's Converse."""
    return _exchange("https://bedrock-runtime.eu-west-1.amazonaws.com/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse", {"messages": [{"role": "user", "content": [{"text": ASKED}]}], **body},
                     {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": why, "usage": {"inputTokens": 30, "outputTokens": 10, "totalTokens": 40}, "metrics": {"latencyMs": 800}})


def talks(shop: Inns) -> Iterator[Case]:
    """Every conversation."""
    yield from _prompts(shop)
    yield from alone([row["text"] for row in shop.rows[40:44]])


def alone(bodies: list[str]) -> Iterator[Case]:
    """Those that need no store."""
    yield from _ends()
    yield from _tools()
    yield from _forms()
    yield from _grounds(bodies)
    yield from _errors()


def _user(text: str) -> list[Body]:
    return [{"role": "user", "content": text}]


def _ends() -> Iterator[Case]:
    text = "The lodge at the gorge has a sauna and"
    whole = "The lodge at the gorge has a sauna."
    cut, blocked = ("answer_cut",), ("answer_blocked",)
    asked = _user(ASKED)
    said = [{"type": "text", "text": text}]
    message = {"type": "message", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": whole, "annotations": []}]}
    cohere = "https://api.cohere.com/v2/chat"
    made: list[tuple[str, tuple[str, ...], Body]] = [
        ("openai-length", cut, chat(asked, {"content": text}, "length")),
        ("openai-filter", blocked, chat(asked, {"content": ""}, "content_filter")),
        ("openai-refused", blocked, chat(asked, {"content": None, "refusal": "I'm sorry, I can't assist with that."})),
        ("openai-healthy", (), chat(asked, {"content": whole})),
        ("responses-cut", cut, responses(ASKED, [{**message, "status": "incomplete"}], "incomplete", {"reason": "max_output_tokens"})),
        ("responses-filter", blocked, responses(ASKED, [], "incomplete", {"reason": "content_filter"})),
        ("responses-refusal", blocked, responses(ASKED, [{**message, "content": [{"type": "refusal", "refusal": "I cannot help."}]}])),
        ("responses-healthy", (), responses(ASKED, [{"type": "reasoning", "id": "rs_1", "summary": []}, message])),
        ("claude-cut", cut, claude(asked, said, "max_tokens")),
        ("claude-window", ("answer_cut", "window_exceeded"), claude(asked, said, "model_context_window_exceeded")),
        ("claude-refusal", blocked, claude(asked, said[:0], "refusal")),
        ("claude-stop-healthy", (), claude(asked, [{"type": "thinking", "thinking": "Let me see.", "signature": "x"}, {"type": "text", "text": whole}], "stop_sequence")),
        ("gemini-cut", cut, gemini([{"text": text}], "MAX_TOKENS")),
        ("gemini-safety", blocked, gemini(None, "SAFETY")),
        ("gemini-recitation", blocked, gemini([{"text": text}], "RECITATION")),
        ("gemini-prohibited", blocked, gemini(None, "PROHIBITED_CONTENT")),
        ("gemini-spii", blocked, gemini(None, "SPII")),
        ("gemini-prompt", blocked, gemini(None, None, {"promptFeedback": {"blockReason": "SAFETY"}})),
        ("gemini-call", ("tool_arguments",), gemini(None, "MALFORMED_FUNCTION_CALL", tools=[{"functionDeclarations": [{"name": "book", "parameters": {"type": "OBJECT", "properties": {"inn": {"type": "STRING"}}}}]}])),
        ("gemini-healthy", (), gemini([{"text": whole}], "STOP", {"promptFeedback": {"safetyRatings": []}})),
        ("converse-cut", cut, converse([{"text": text}], "max_tokens")),
        ("converse-guardrail", blocked, converse([{"text": "Sorry, the model cannot answer this question."}], "guardrail_intervened")),
        ("converse-filtered", blocked, converse([{"text": ""}], "content_filtered")),
        ("converse-healthy", (), converse([{"text": whole}], "end_turn")),
        ("cohere-limit", cut, _exchange(cohere, {"model": "command-r", "messages": asked}, {"id": "c", "finish_reason": "MAX_TOKENS", "message": {"role": "assistant", "content": said}})),
        ("cohere-toxic", blocked, _exchange(cohere, {"model": "command-r", "message": ASKED}, {"finish_reason": "ERROR_TOXIC", "text": ""})),
        ("cohere-healthy", (), _exchange(cohere, {"model": "command-r", "messages": asked}, {"finish_reason": "COMPLETE", "message": {"role": "assistant", "content": [{"type": "text", "text": whole}]}})),
        ("mistral-length", cut, chat(asked, {"content": text}, "model_length")),
        ("ollama-length", cut, _exchange("http://127.0.0.1:11434/api/chat", {"model": "llama3.2", "messages": asked, "stream": False}, {"message": {"role": "assistant", "content": text}, "done": True, "done_reason": "length"})),
        ("tgi-length", cut, _exchange("http://tgi:8080/generate", {"inputs": ASKED, "parameters": {"max_new_tokens": 8}}, {"generated_text": text, "details": {"finish_reason": "length", "generated_tokens": 8}})),
        ("tgi-healthy", (), _exchange("http://tgi:8080/generate", {"inputs": ASKED, "parameters": {"max_new_tokens": 80}}, {"generated_text": whole, "details": {"finish_reason": "eos_token", "generated_tokens": 9}})),
        ("stop-sequence-healthy", (), chat(asked, {"content": whole}, "stop_sequence")),
    ]
    for name, causes, one in made:
        yield Case(f"end-{name}", causes, exchanges=(one,))
    paused = claude(asked, [{"type": "text", "text": "I search."}, {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "sauna inn"}}], "pause_turn")
    yield Case("end-paused", ("answer_cut",), exchanges=(paused,))
    after = claude([*asked, {"role": "assistant", "content": paused["answer"]["content"]}], [{"type": "text", "text": whole}], number=2)
    yield Case("end-paused-continued-healthy", (), exchanges=(paused, after))
    events = [("message_start", {"type": "message_start", "message": {"id": "m", "role": "assistant", "content": [], "stop_reason": None}}),
              ("content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
              ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})]
    for name, why, causes in (("stream-cut", "max_tokens", cut), ("stream-refusal", "refusal", blocked), ("stream-healthy", "end_turn", ())):
        last = ("message_delta", {"type": "message_delta", "delta": {"stop_reason": why}, "usage": {"output_tokens": 9}})
        one = {**claude(asked, []), "chunks": [{"data": f"event: {event}\ndata: {json.dumps(data)}\n\n"} for event, data in (*events, last, ("message_stop", {"type": "message_stop"}))]}
        one.pop("answer")
        yield Case(f"end-claude-{name}", causes, exchanges=(one,))  # type: ignore[arg-type]
    for name, why, causes in (("ai-sdk-length", "length", cut), ("ai-sdk-filter", "content-filter", blocked), ("ai-sdk-healthy", "tool-calls", ()), ("langchain-cut", "MAX_TOKENS", cut), ("vertex-enum", "FinishReason.SAFETY", blocked), ("vertex-stop-healthy", "FinishReason.STOP", ()), ("weave-healthy", "end_turn", ())):
        call = {"id": "l", "kind": "llm", "name": "generate", "input": asked, "output": whole, "finish": [why]}
        yield Case(f"end-{name}", causes, calls=(call,))  # type: ignore[arg-type]


def _prompts(shop: Inns) -> Iterator[Case]:
    sql = "SELECT id, content FROM documents ORDER BY embedding <=> $1 LIMIT 8"
    local = {"ivfflat.probes": "60"}
    texts = {row["big"]: row["text"] for row in shop.rows}
    for number in range(2):
        target = shop.rows[20 + number]
        step = shop.step(sql, [embedded(target["text"])], local)
        ids = got(step)
        bodies = [texts[one] for one in ids]
        keeper = [body.rstrip(".").split()[-1] for body in bodies]
        shown = "\n\n".join(f"[{n}] {body}" for n, body in enumerate(bodies, 1))
        question = {"role": "user", "content": "Who keeps it?"}
        good = {"content": f"{keeper[6]} keeps it [7]."}
        yield Case(f"prompt-cut-{number}", ("cut_off",), (step,), (ids[6],), exchanges=(chat([{"role": "system", "content": f"Use the context.\n\n{shown[: shown.index('[7]') + 20]}"}, question], {"content": f"{keeper[0]} keeps it."}),))
        yield Case(f"prompt-top-three-{number}", ("cut_off",), (step,), (ids[5],), exchanges=(claude([question], [{"type": "text", "text": f"{keeper[0]} keeps it."}], system=[{"type": "text", "text": "\n---\n".join(bodies[:3])}]),))
        yield Case(f"prompt-whole-healthy-{number}", (), (step,), (ids[6],), exchanges=(chat([{"role": "system", "content": f"Use the context.\n\n{shown}"}, question], good),))
        xml = "".join(f'<document index="{n}"><source>{one}</source><document_content>{texts[one]}</document_content></document>' for n, one in enumerate(ids, 1))
        yield Case(f"prompt-xml-healthy-{number}", (), (step,), (ids[6],), exchanges=(claude(_user(f"<documents>{xml}</documents>\nWho keeps it?"), [{"type": "text", "text": f"{keeper[6]}."}]),))
        yield Case(f"prompt-middle-{number}", ("lost_in_the_middle",), (step,), (ids[4],), exchanges=(claude(_user(f"<documents>{xml}</documents>\nWho keeps the one I mean?"), [{"type": "text", "text": f"{keeper[0]} keeps it."}]),))
        blocks = [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": body}, "title": str(one), "citations": {"enabled": True}} for one, body in zip(ids, bodies, strict=True)]
        yield Case(f"prompt-blocks-healthy-{number}", (), (step,), (ids[2],), exchanges=(claude([{"role": "user", "content": [*blocks, {"type": "text", "text": "Who keeps it?"}]}], [{"type": "text", "text": f"{keeper[2]} keeps it.", "citations": [{"type": "char_location", "cited_text": bodies[2], "document_index": 2}]}]),))
        tool = [{"role": "user", "content": "Who keeps it?"}, {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "search_inns", "arguments": '{"q": "keeper"}'}}]}, {"role": "tool", "tool_call_id": "c1", "content": json.dumps([{"id": one, "content": texts[one]} for one in ids])}]
        yield Case(f"prompt-tool-healthy-{number}", (), (step,), (ids[6],), exchanges=(chat(tool, good),))
        found = {"id": "r", "kind": "retrieval", "documents": [{"id": str(one), "content": texts[one]} for one in ids]}
        yield Case(f"prompt-placeholder-{number}", ("variable_empty",), (step,), (ids[0],), calls=(found,), exchanges=(chat([{"role": "system", "content": "Answer from the context.\n\nContext:\n{{ documents }}\n\nQuestion: Who keeps it?"}], {"content": "I do not know."}),))
        yield Case(f"prompt-empty-{number}", ("variable_empty",), (step,), (ids[0],), calls=(found,), exchanges=(claude(_user("<context>\n</context>\n\nWho keeps it?"), [{"type": "text", "text": "The context has nothing about it."}]),))
        turns = [{"role": ("user", "assistant")[n % 2], "content": f"turn {n}: " + " ".join(shop.drawn.sample(shop.rows[n]["text"].split(), 8))} for n in range(1500)]
        yield Case(f"prompt-long-healthy-{number}", (), (step,), (ids[6],), exchanges=(chat([{"role": "system", "content": shown}, *turns, question], good),))
        error = {"error": {"message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 16041 tokens. Please reduce the length of the messages.", "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}}
        yield Case(f"prompt-too-long-{number}", ("window_exceeded",), (step,), (ids[6],), exchanges=({**chat([{"role": "system", "content": shown}, *turns, question], {}), "answer": error, "status": 400},))
        error = {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 213462 tokens > 200000 maximum"}}
        yield Case(f"prompt-too-long-claude-{number}", ("window_exceeded",), (step,), (ids[6],), exchanges=({**claude([*turns, question], []), "answer": error, "status": 400},))
        few = {**_exchange("http://127.0.0.1:11434/api/chat", {"model": "llama3.2", "messages": [{"role": "system", "content": shown}, *turns, question]}, {"message": {"role": "assistant", "content": "I do not know."}, "done": True, "done_reason": "stop", "prompt_eval_count": 2048, "eval_count": 6})}
        yield Case(f"prompt-read-in-part-{number}", ("window_exceeded",), (step,), (ids[6],), exchanges=(few,))


BOOK = {"type": "object", "properties": {"inn": {"type": "string", "minLength": 2}, "nights": {"type": "integer", "minimum": 1}, "arrival": {"type": "string", "format": "date"}, "board": {"type": "string", "enum": ["none", "half", "full"]},
        "guests": {"type": "array", "maxItems": 3, "items": {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}}}, "required": ["inn", "nights"], "additionalProperties": False}


def _tools() -> Iterator[Case]:
    function = {"type": "function", "function": {"name": "book_inn", "description": "Books.", "parameters": BOOK, "strict": True}}
    asked, arguments = _user("Book the windmill for two nights."), ("tool_arguments",)
    right = {"inn": "windmill", "nights": 2, "board": "half", "arrival": "2026-06-02", "guests": [{"age": 31}]}
    for name, given, causes in (
        ("type", {**right, "nights": "2"}, arguments), ("enum", {**right, "board": "breakfast"}, arguments), ("missing", {"inn": "windmill"}, arguments), ("minimum", {**right, "nights": 0}, arguments),
        ("nested", {**right, "guests": [{"age": "old"}]}, arguments), ("items", {**right, "guests": [{"age": 1}] * 4}, arguments), ("extra", {**right, "smoking": True}, arguments), ("healthy", right, ()), ("few-healthy", {"inn": "lodge", "nights": 1}, ()),
    ):
        call = {"id": "call_1", "type": "function", "function": {"name": "book_inn", "arguments": json.dumps(given)}}
        yield Case(f"tool-openai-{name}", causes, exchanges=(chat(asked, {"content": None, "tool_calls": [call]}, "tool_calls", tools=[function]),))  # type: ignore[arg-type]
        used = {"type": "tool_use", "id": "toolu_1", "name": "book_inn", "input": given}
        yield Case(f"tool-claude-{name}", causes, exchanges=(claude(asked, [{"type": "text", "text": "I book it."}, used], "tool_use", tools=[{"name": "book_inn", "input_schema": BOOK}]),))  # type: ignore[arg-type]
        yield Case(f"tool-responses-{name}", causes, exchanges=(responses(asked, [{"type": "function_call", "call_id": "c", "name": "book_inn", "arguments": json.dumps(given), "status": "completed"}], tools=[{"type": "function", "name": "book_inn", "parameters": BOOK}]),))  # type: ignore[arg-type]
        yield Case(f"tool-converse-{name}", causes, exchanges=(converse([{"toolUse": {"toolUseId": "t", "name": "book_inn", "input": given}}], "tool_use", toolConfig={"tools": [{"toolSpec": {"name": "book_inn", "inputSchema": {"json": BOOK}}}]}),))  # type: ignore[arg-type]
        large = json.loads(json.dumps(BOOK).replace('"string"', '"STRING"').replace('"integer"', '"INTEGER"').replace('"object"', '"OBJECT"').replace('"array"', '"ARRAY"'))
        yield Case(f"tool-gemini-{name}", causes, exchanges=(gemini([{"functionCall": {"name": "book_inn", "args": given}}], tools=[{"functionDeclarations": [{"name": "book_inn", "parameters": large}]}]),))  # type: ignore[arg-type]
    call = {"id": "call_1", "type": "function", "function": {"name": "cancel_inn", "arguments": "{}"}}
    yield Case("tool-unknown", arguments, exchanges=(chat(asked, {"content": None, "tool_calls": [call]}, "tool_calls", tools=[function]),))
    call = {"id": "call_1", "type": "function", "function": {"name": "book_inn", "arguments": '{"inn": "windmill", "nights": '}}
    yield Case("tool-broken-json", (*arguments, "answer_cut"), exchanges=(chat(asked, {"content": None, "tool_calls": [call]}, "tool_calls", tools=[function]),))
    loop: list[Body] = list(asked)
    for number in range(4):
        loop += [{"role": "assistant", "content": None, "tool_calls": [{"id": f"c{number}", "type": "function", "function": {"name": "find_inn", "arguments": '{"name": "windmill"}'}}]}, {"role": "tool", "tool_call_id": f"c{number}", "content": '{"status": "pending"}'}]
    yield Case("tool-loop-messages", ("tool_loop",), exchanges=(chat(loop, {"content": "I could not finish the booking."}),))
    other = [{**one, **({"content": json.dumps({"status": f"{25 * n} %"})} if one["role"] == "tool" else {})} for n, one in enumerate(loop)]
    yield Case("tool-polled-healthy", (), exchanges=(chat(other, {"content": "It is booked."}),))

    def used(number: int, given: Any, said: Any, **more: Any) -> Body:
        return {"id": f"t{number}", "kind": "tool", "name": "availability", "input": given, "output": said, **more}

    yield Case("tool-error", ("tool_failed",), calls=(used(1, {"inn": "lodge"}, None, error="HTTPStatusError: Server error '500 Internal Server Error' for url 'https://pms.example/rooms'"), {"id": "l", "kind": "llm", "input": asked, "output": "It is free then.", "finish": ["stop"]}))
    answer = {"id": "l", "kind": "llm", "input": asked, "output": "It is free then.", "finish": ["stop"]}
    for number, (back, causes) in enumerate((
        ("Error executing tool availability: connection lost", ("tool_failed",)), ("An error occurred while calling the tool.", ("tool_failed",)), ({"status": 503, "message": "no answer"}, ("tool_failed",)),
        ({"success": False, "message": "no such inn"}, ("tool_failed",)), ("HTTP 500 from pms", ("tool_failed",)), ({"status": "failed", "payment": "card declined"}, ()), ({"status": 200, "rooms": 3}, ()), ({"error": None, "rooms": 3}, ()),
        ("No errors were found in the booking of three rooms.", ()), ({"ok": True, "errors": []}, ()),
    )):
        yield Case(f"tool-back-{number}{'' if causes else '-healthy'}", causes, calls=(used(1, {"inn": "lodge"}, back), answer))
    for number, said in enumerate(("GraphRecursionError: Recursion limit of 25 reached without hitting a stop condition.", "Agent stopped due to iteration limit or time limit.", "Max turns (10) exceeded", "Ivo turns (10) exceeded", "agents.exceptions.MaxTurnsExceeded: Max turns (10) exceeded", "Reached max iterations of 20! Either something went wrong, or increase max_iterations.")):
        yield Case(f"tool-endless-{number}", ("tool_loop",), calls=({"id": "a", "kind": "agent", "name": "clerk", "input": ASKED, **({"output": said} if number == 1 else {"error": said})},))
    yield Case("tool-error-given-back", ("tool_failed",), calls=(used(1, {"inn": "lodge"}, {"is_error": True, "content": "Traceback (most recent call last): KeyError: 'rooms'"}), {"id": "l", "kind": "llm", "input": asked, "output": "It is free then.", "finish": ["stop"]}))
    yield Case("tool-error-again-healthy", (), calls=(used(1, {"inn": "lodge"}, None, error="TimeoutError"), used(2, {"inn": "lodge"}, {"rooms": 3}), {"id": "l", "kind": "llm", "input": asked, "output": "It has 3 rooms.", "finish": ["stop"]}))
    said = [{"type": "tool_result", "tool_use_id": "u1", "is_error": True, "content": "Error: room service is not reachable"}]
    messages = [*asked, {"role": "assistant", "content": [{"type": "tool_use", "id": "u1", "name": "availability", "input": {"inn": "lodge"}}]}, {"role": "user", "content": said}]
    yield Case("tool-result-error", ("tool_failed",), exchanges=(claude(messages, [{"type": "text", "text": "It has a free room."}]),))
    said = [{"type": "tool_result", "tool_use_id": "u1", "content": [{"type": "text", "text": '{"rooms": 2, "errors": []}'}]}]
    yield Case("tool-result-healthy", (), exchanges=(claude([*messages[:-1], {"role": "user", "content": said}], [{"type": "text", "text": "It has 2 rooms."}]),))


def _forms() -> Iterator[Case]:
    schema = {"type": "object", "properties": {"inn": {"type": "string"}, "price_per_night": {"type": "number"}, "features": {"type": "array", "items": {"type": "string"}}, "open_from": {"type": ["string", "null"]}, "kind": {"$ref": "#/$defs/Kind"}},
              "required": ["inn", "price_per_night", "features"], "additionalProperties": False, "$defs": {"Kind": {"enum": ["lodge", "windmill"]}}}
    right = {"inn": "Lodge", "price_per_night": 80, "features": ["sauna"], "open_from": None, "kind": "lodge"}
    asked = _user("The Lodge, 80 a night, has a sauna. It is a lodge. As JSON.")
    renamed, wrong = ("field_renamed",), ("invalid_format",)
    for name, answer, causes in (
        ("renamed", {"inn": "Lodge", "nightly_price": 80, "features": ["sauna"]}, renamed), ("camel", {"inn": "Lodge", "pricePerNight": 80, "features": []}, renamed), ("type", {**right, "price_per_night": "80"}, wrong),
        ("list", {**right, "features": "sauna"}, wrong), ("enum", {**right, "kind": "castle"}, wrong), ("missing", {"inn": "Lodge", "features": []}, wrong), ("prose", "Sure! The Lodge costs 80.", wrong), ("empty", "", wrong), ("healthy", right, ()),
    ):
        text = answer if isinstance(answer, str) else json.dumps(answer)
        form = {"type": "json_schema", "json_schema": {"name": "inn", "schema": schema, "strict": True}}
        yield Case(f"form-openai-{name}", causes, exchanges=(chat(asked, {"content": text}, response_format=form),))
        message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
        yield Case(f"form-responses-{name}", causes, exchanges=(responses(asked, [message], text={"format": {"type": "json_schema", "name": "inn", "schema": schema}}),))
        yield Case(f"form-gemini-{name}", causes, exchanges=(gemini([{"text": text}], generationConfig={"responseMimeType": "application/json", "responseJsonSchema": schema}),))
        yield Case(f"form-ollama-{name}", causes, exchanges=(_exchange("http://127.0.0.1:11434/api/chat", {"model": "llama3.2", "messages": asked, "format": schema}, {"message": {"role": "assistant", "content": text}, "done": True, "done_reason": "stop"}),))
        yield Case(f"form-vllm-{name}", causes, exchanges=(chat(asked, {"content": text}, guided_json=schema),))
        yield Case(f"form-claude-{name}", causes, exchanges=(claude(asked, [{"type": "text", "text": text}], output_config={"format": {"type": "json_schema", "schema": schema}}),))
    yield Case("form-fenced-healthy", (), exchanges=(chat(asked, {"content": f"```json\n{json.dumps(right)}\n```"}),))
    yield Case("form-json-object", wrong, exchanges=(chat(asked, {"content": "Lodge: 80"}, response_format={"type": "json_object"}),))
    yield Case("form-cut", ("answer_cut",), exchanges=(chat(asked, {"content": json.dumps(right)[:30]}, "length", response_format={"type": "json_object"}),))


def _grounds(bodies: list[str]) -> Iterator[Case]:
    context = "\n\n".join([*bodies, "A night costs 84.50 EUR; the kitchen closes at 21:30. Write to stay@inns.example. Bookings: https://inns.example/book. Opened in 1911, 14 rooms."])
    for name, answer, causes in (
        ("price", "A night costs 95 EUR.", ("ungrounded",)), ("year", "It opened in 1874.", ("ungrounded",)), ("link", "Book at https://inns-booking.example/now.", ("ungrounded",)), ("mail", "Write to info@lodges.example.", ("ungrounded",)),
        ("price-healthy", "A night costs €84.50.", ()), ("comma-healthy", "Eine Nacht kostet 84,50 Euro.", ()), ("time-healthy", "The kitchen closes at 9:30 pm.", ()), ("list-healthy", "1. Book at https://inns.example/book\n2. Arrive before 21:30", ()),
        ("sum-healthy", "Two nights cost 169 EUR (2 × 84.50 EUR).", ()), ("words-healthy", "It has fourteen rooms and opened in 1911.", ()), ("unknown-healthy", "The context does not say whether dogs are allowed.", ()), ("cited-healthy", f"It is kept by {bodies[0].rstrip('.').split()[-1]} [1].", ()),
        ("empty-cited", "The keeper is friendly [9].", ("ungrounded",)),
    ):
        documents = {"id": "r", "kind": "retrieval", "documents": [{"id": f"d{n}", "content": one} for n, one in enumerate(context.split("\n\n"))]}
        llm = {"id": "l", "kind": "llm", "input": [{"role": "system", "content": "\n\n".join(f"[{n}] {one}" for n, one in enumerate(context.split("\n\n"), 1))}, *_user("What does a night cost, and how do I book?")], "output": answer, "finish": ["stop"]}
        yield Case(f"ground-{name}", causes, calls=(documents, llm))


def _errors() -> Iterator[Case]:
    for name, kind, said, causes in (
        ("openai-429", "llm", "RateLimitError: Error code: 429 - {'error': {'message': 'Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, Requested 4000.', 'type': 'tokens', 'code': 'rate_limit_exceeded'}}", ("refused",)),
        ("openai-quota", "llm", "Error code: 429 - {'error': {'message': 'You exceeded your current quota, please check your plan and billing details.', 'type': 'insufficient_quota'}}", ("refused",)),
        ("anthropic-529", "llm", "anthropic.APIStatusError: Error code: 529 - {'type': 'error', 'error': {'type': 'overloaded_error', 'message': 'Overloaded'}}", ("refused", "unavailable")),
        ("bedrock-throttle", "llm", "An error occurred (ThrottlingException) when calling the Converse operation (reached max retries: 4): Too many requests, please wait before trying again.", ("refused",)),
        ("vertex-exhausted", "llm", "google.api_core.exceptions.ResourceExhausted: 429 Quota exceeded for aiplatform.googleapis.com/generate_content_requests_per_minute", ("refused",)),
        ("openai-timeout", "llm", "openai.APITimeoutError: Request timed out.", ("timeout",)),
        ("httpx-read", "embedding", "httpx.ReadTimeout: The read operation timed out", ("timeout",)),
        ("httpx-connect", "embedding", "httpx.ConnectError: [Errno 111] Connection refused", ("unavailable",)),
        ("dns", "embedding", "httpx.ConnectError: [Errno -2] Name or service not known", ("unavailable",)),
        ("gateway", "llm", "openai.InternalServerError: <html><head><title>502 Bad Gateway</title></head></html>", ("unavailable",)),
        ("pg-many", "sql", 'psycopg.OperationalError: connection failed: FATAL:  sorry, too many clients already', ("refused",)),
        ("pg-reserved", "sql", "FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute (SQLSTATE 53300)", ("refused",)),
        ("pgbouncer-wait", "sql", "FATAL: query_wait_timeout", ("timeout", "refused")),
        ("pool-timeout", "sql", "sqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00", ("timeout", "refused")),
        ("prisma-pool", "sql", "Timed out fetching a new connection from the connection pool. More info: http://pris.ly/d/connection-pool (Current connection pool timeout: 10, connection limit: 5)", ("timeout", "refused")),
        ("pg-closed", "sql", "psycopg2.OperationalError: server closed the connection unexpectedly", ("unavailable",)),
        ("pg-recovery", "sql", "57P03: the database system is in recovery mode", ("unavailable",)),
        ("pg-space", "sql", '53100: could not extend file "base/16384/24601": No space left on device', ("disk_full",)),
        ("pg-memory", "sql", "ERROR: out of memory (SQLSTATE 53200) DETAIL: Failed on request of size 1048576 in memory context \"ExecutorState\".", ("out_of_memory",)),
        ("pg-cancel", "sql", "ERROR: canceling statement due to statement timeout (SQLSTATE 57014)", ("timeout",)),
        ("pg-lock", "sql", "asyncpg.exceptions.LockNotAvailableError: canceling statement due to lock timeout", ("timeout",)),
        ("qdrant-wal", "vector", "Service internal error: WAL buffer size exceeds available disk space", ("disk_full",)),
        ("qdrant-timeout", "vector", "qdrant_client.http.exceptions.ResponseHandlingException: timed out", ("timeout",)),
        ("qdrant-strict", "vector", 'Unexpected Response: 400 (Bad Request) Raw response content: b\'{"status":{"error":"Bad request: Index required but not found for \\"city\\" of one of the following types: [keyword]."}}\'', ("refused",)),
        ("qdrant-dimension", "vector", "Wrong input: Vector dimension error: expected dim: 1536, got 768", ("wrong_dimension",)),
        ("killed", "tool", "Command exited with code 137 (OOMKilled)", ("out_of_memory",)),
        ("heap", "tool", "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", ("out_of_memory",)),
        ("enospc", "tool", "Error: ENOSPC: no space left on device, write", ("disk_full",)),
        ("quota", "tool", "OSError: [Errno 122] Disk quota exceeded: '/cache/x'", ("disk_full",)),
        ("azure-filter", "llm", "Error code: 400 - {'error': {'message': \"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.\", 'code': 'content_filter', 'innererror': {'code': 'ResponsibleAIPolicyViolation'}}}", ("answer_blocked",)),
        ("embed-window", "embedding", "Error code: 400 - {'error': {'message': \"This model's maximum context length is 8192 tokens, however you requested 9120 tokens\"}}", ("window_exceeded",)),
        ("gemini-window", "llm", "400 The input token count (1200345) exceeds the maximum number of tokens allowed (1048576).", ("window_exceeded",)),
        ("bedrock-window", "llm", "ValidationException: Input is too long for requested model.", ("window_exceeded",)),
    ):
        asked = {"id": "q", "kind": "request", "input": ASKED}
        yield Case(f"error-{name}", causes, calls=(asked, {"id": "e", "kind": kind, "name": kind, "parent": "q", "input": ASKED, "error": said}))
        again = {"id": "f", "kind": kind, "name": kind, "parent": "q", "input": ASKED, "output": "fine"}
        if name in ("openai-429", "pg-closed", "httpx-read"):
            yield Case(f"error-{name}-again-healthy", (), calls=(asked, {"id": "e", "kind": kind, "name": kind, "parent": "q", "input": ASKED, "error": said}, again))
