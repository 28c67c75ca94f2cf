"""The guard before a live model: the incident's pseudonyms go out, and nothing else that looks like somebody's."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from envclone.cassette.guard import Guard, identities

INCIDENT = {
    "steps": [{"body": {"email": "Ann.Poe@mail.example", "phone": "+49 170 1234567"}}],
    "exchanges": [{"answer": '{"iban": "DE89370400440532013000", "n": "4111 1111 1111 1111"}', "at": "10.20.30.40"}],
}
URL = "https://api.openai.com/v1/chat/completions"


def _said(body: Any, url: str = URL, **headers: str) -> str | None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Guard(identities(INCIDENT)).refusal(url, headers, content)


@pytest.mark.parametrize(
    "text",
    ["ann.poe@mail.example writes", "call +49 (170) 12 34 567", "DE89 3704 0044 0532 0130 00", "card 4111111111111111",
     "from 10.20.30.40", "2026-11-28T20:59:11Z, order 17, 0.1234567890123, v18.1", "",
     "550e8400-e29b-41d4-a716-446655440000"],
)  # fmt: skip
def test_pseudonyms_of_the_incident_and_what_is_nobodys_go_out(text: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "v": [0.12345678901, 12, 1e-9]}
    assert _said(body) is None
    assert _said({"arguments": json.dumps(json.dumps({"q": text}))}) is None
    assert _said(text.encode()) is None


def _nested(value: Any) -> Any:
    for _ in range(5):
        value = json.dumps({"a": value})
    return value


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"messages": [{"content": "write to jane@corp.example"}]}, "an e-mail address .* at messages\\[0\\].content"),
        ({"jane@corp.example": 1}, "an e-mail address"),
        ({"a": "+49 171 7654321"}, "a telephone number"),
        ({"a": "GB82WEST12345698765432"}, "a bank account"),
        ({"a": "5500 0055 5555 5559"}, "a card's number"),
        ({"a": 5500005555555559}, "a card's number"),
        ({"a": "123-45-6789"}, "a national id"),
        ({"a": "192.168.7.9"}, "an IP address"),
        ({"a": "sk-proj-abcdefghijklmnopqrstuvwx"}, "a secret"),
        ({"a": json.dumps({"b": json.dumps({"c": "jane@corp.example"})})}, "an e-mail address .* at a"),
        ({"a": _nested("jane@corp.example")}, "an e-mail address"),
        (b'{"a": "jane@corp.example", "a": "no"}', "an e-mail address"),
        (b'{"a": "jane\\u0040corp.example"}', "an e-mail address"),
        (json.dumps({"a": '{"b": "jane\\u0040corp.example"}'}).encode(), "an e-mail address"),
        (json.dumps({"a": "said: jane\\u0040corp.example"}).encode(), "an e-mail address"),
        (b"q=jane%40corp.example", "an e-mail address"),
        (b"plain jane@corp.example", "an e-mail address"),
        ({"a": base64.b64encode(b"this is what jane@corp.example wrote to us, and to nobody else").decode()},
         "an e-mail address in base64"),
        ({"a": base64.b64encode(bytes(range(256))).decode()}, "bytes"),
        (b"\xff\xfe\x00", "a body that cannot be looked into: it is no text"),
        (b"[" * 5000, "cannot be looked into|nothing"),
    ],
)  # fmt: skip
def test_what_looks_like_somebody_elses_is_refused_without_its_value(body: Any, said: str) -> None:
    import re

    found = _said(body)
    if body == b"[" * 5000:
        assert found is None or re.search(said, found)
        return
    assert found is not None and re.search(said, found), found
    assert "corp" not in found and "jane" not in found and "\n" not in found


def test_addresses_headers_and_packed_bodies_are_looked_into() -> None:
    assert _said({}, url=f"{URL}?q=jane%2540corp.example") is not None
    assert _said({}, url="https://x.example/users/jane%40corp.example/orders") is not None
    assert _said({}, url=f"{URL}?q=ann.poe%40mail.example") is None
    assert _said({}, **{"X-User": "jane@corp.example"}) is not None
    assert _said({}, Authorization="Bearer sk-proj-abcdefghijklmnopqrstuvwx") is None
    bad, good = (gzip.compress(json.dumps({"a": text}).encode()) for text in ("jane@corp.example", "hello"))
    assert "an e-mail address" in str(_said(bad, **{"Content-Encoding": "gzip"}))
    assert _said(good, **{"Content-Encoding": "gzip"}) is None
    assert "packed" in str(_said(good, **{"Content-Encoding": "br"}))
    assert "packed" in str(_said(good[:-9], **{"Content-Encoding": "gzip"}))


def test_what_an_answer_brought_may_be_said_to_the_model_again() -> None:
    guard = Guard(())
    mail = {"messages": [{"content": "help@shop.example"}]}
    assert guard.refusal(URL, {}, json.dumps(mail).encode()) is not None
    parts = ["write to he", "lp@sh", "op.example now"]
    lines = [json.dumps({"choices": [{"delta": {"content": one}}]}) for one in parts]
    guard.learn("".join(f"data: {one}\n\n" for one in lines).encode())
    assert guard.refusal(URL, {}, json.dumps(mail).encode()) is None
    signature = base64.b64encode(bytes(range(256)) * 2).decode()
    assert guard.refusal(URL, {}, json.dumps({"signature": signature}).encode()) is not None
    guard.learn(json.dumps({"content": [{"type": "thinking", "signature": signature}]}).encode())
    assert guard.refusal(URL, {}, json.dumps({"signature": signature}).encode()) is None
