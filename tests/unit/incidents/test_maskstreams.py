"""An answer that was streamed is masked as the text that it is: a name is cut between its parts."""

from __future__ import annotations

import base64
import json

from envclone.incidents.bundle import COMPUTED
from envclone.incidents.exchanges import Chunk, Exchange
from envclone.incidents.maskcalls import mask_exchange
from envclone.incidents.maskstreams import mask_stream
from tests.unit.incidents.fakes import Fake


def masked(*data: str) -> list[str]:
    return [one.data for one in mask_stream([Chunk(data=one) for one in data], Fake().one)]


def event(content: str, **more: object) -> str:
    delta = {"id": "c-1", "model": "m", "choices": [{"index": 0, "delta": {"content": content}}], **more}
    return f"data: {json.dumps(delta)}\n\n"


def test_a_name_that_is_cut_between_events_is_found() -> None:
    done = masked(event("for Ja"), event("ne D"), event("oe"), "data: [DONE]\n\n")
    said = [json.loads(one.removeprefix("data: "))["choices"][0]["delta"]["content"] for one in done[:3]]
    assert "".join(said) == "for Ruth Roe" and list(map(len, said)) == [6, 4, 2]
    assert done[3] == "data: [DONE]\n\n" and json.loads(done[1][6:])["id"] == "c-1"


def test_the_parts_need_not_be_whole_events() -> None:
    text = event("Ja") + event("ne")
    done = masked(text[:20], text[20:90], text[90:])
    assert "".join(done) == event("Ru") + event("th")
    assert done[0] == "", "a line belongs to the part in which it ends"


def test_other_forms_of_streams() -> None:
    assert masked('{"response":"Ja"}\n', '{"response":"ne"}\n') == ['{"response":"Ru"}\n', '{"response":"th"}\n']
    assert masked("data: Ja\n", "data: ne\n") == ["data: Ru\n", "data: th\n"]
    assert masked("Dear Ja", "ne") == ["", "Dear Ruth"]
    assert masked("event: Jane\n", ": Max\n", "\n", "data:\n") == ["event: Ruth\n", ": Tom\n", "\n", "data:\n"]
    assert masked(r'data: {"a": "Jos\u00e9"}') == ['data: {"a": "Inés"}']
    assert masked('data: {"Jane": 1}', "data: {broken Jane") == ["", 'data: {"Ruth": 1}data: {broken Ruth']
    assert masked() == [] and masked("", "x", "") == ["", "x", ""]


def test_what_is_the_same_in_each_event_or_no_text_stays() -> None:
    days = [f"2026-05-01T10:00:0{number}.123456Z" for number in range(4)]
    done = masked(*[event("a", created_at=day, system="fp_4915112345") for day in days])
    assert [json.loads(one[6:])["created_at"] for one in done] == days


def test_a_mask_of_another_length_is_the_first_part_s() -> None:
    def longer(text: str) -> str:
        return text.replace("Jane", "Somebody")

    done = mask_stream([Chunk(data=event("Ja")), Chunk(data=event("ne"))], longer)
    assert [json.loads(one.data[6:])["choices"][0]["delta"]["content"] for one in done] == ["Somebody", ""]


def test_bytes_are_masked_where_they_are_text_and_left_out_where_not() -> None:
    def bytes_of(content: bytes) -> object:
        body = base64.b64encode(content).decode()
        one = Exchange(id="x", url="https://m.example/", encoding="base64", body=body)
        return mask_exchange(one, Fake().one, {"x": "x"}, computed=True).body

    assert bytes_of(b"for Jane") == base64.b64encode(b"for Ruth").decode()
    assert bytes_of(b"nobody") == base64.b64encode(b"nobody").decode()
    assert bytes_of(b"\xff\x00Jane") == COMPUTED


def test_an_address_keeps_its_form_and_loses_its_login() -> None:
    one = Exchange(id="x", url="https://Jane:pw@m.example/v1/Jane%20Doe?key=s3cret&q=Jane+Doe&to=Max")
    url = mask_exchange(one, Fake().one, {"x": "x"}, computed=True).url
    assert url == "https://m.example/v1/Ruth%20Roe?key=%2A%2A%2A&q=Ruth+Roe&to=Tom"
    kept = one.model_copy(update={"url": "https://m.example/v1/models/gem:generate?alt=sse&q=a%20b"})
    assert mask_exchange(kept, Fake().one, {"x": "x"}, computed=True).url == kept.url
    for odd in ("https://[Jane/", "http://ja ne.example/", "https://Jane Doe/"):
        made = one.model_copy(update={"url": odd})
        assert "Jane" not in mask_exchange(made, Fake().one, {"x": "x"}, computed=True).url
