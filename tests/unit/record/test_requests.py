"""requests: the same exchanges as of httpx, and the application gets what it would get."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from envclone import record
from envclone.incidents.traces.recorded import parts
from envclone.incidents.traces.recording import chosen
from envclone.incidents.traces.steps import Stores
from envclone.record import http
from envclone.record import requests as wrapped
from tests.unit.record.ring import Recording
from tests.unit.record.servers import PARTS, scripted


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with scripted() as address:
        yield address


def test_an_exchange_has_all_but_secrets(recording: Recording, url: str) -> None:
    with record.session("ask"):
        answer = requests.post(
            f"{url}/v1/chat/completions?api_key=sesame99", json={"model": "m"},
            headers={"Authorization": "Bearer abcdefgh12345"}, timeout=10,
        )  # fmt: skip
        requests.post(f"{url}/moved", json={"input": "a"}, timeout=10)
        assert requests.post(f"{url}/zip", timeout=10).json() == {"zipped": True}
        with pytest.raises(requests.ConnectionError):
            requests.post("http://127.0.0.1:1/x", timeout=10)
        assert requests.post(f"{url}/busy", data=iter([b"a", b"b"]), timeout=10).status_code == 503
    first, moved, at, zipped, failed, busy = recording.calls()
    assert (first["kind"], first["method"], first["status"], first["error"]) == ("http", "POST", 200, None)
    assert first["url"] == f"{url}/v1/chat/completions?api_key=***" and first["body"] == '{"model": "m"}'
    assert first["answer"] == answer.text and first["decoded"]
    assert (moved["status"], at["status"]) == (307, 200) and at["url"].endswith("/v1/embeddings")
    assert zipped["answer"] == '{"zipped": true}' and zipped["decoded"]
    assert failed["error"].startswith("ConnectionError") and (busy["status"], busy["sent_in_parts"]) == (503, True)
    text = recording.text()
    assert not [secret for secret in ("abcdefgh12345", "sesame99", "abcdefghijkl") if secret in text]


def test_a_stream_passes_as_it_comes_and_is_played_as_it_came(recording: Recording, url: str) -> None:
    whole = "".join(PARTS)
    with record.session("ask"):
        record.flag("kept")
        with requests.post(f"{url}/v1/chat/completions", json={"stream": True}, stream=True, timeout=10) as answer:
            lines = list(answer.iter_lines(chunk_size=1, decode_unicode=False))
        with requests.post(f"{url}/v1/chat/completions", json={"stream": True}, stream=True, timeout=10) as answer:
            answer.encoding = "utf-8"
            assert "".join(map(str, answer.iter_content(7, decode_unicode=True))) == whole
        with requests.post(f"{url}/v1/chat/completions", json={"stream": True}, stream=True, timeout=10) as answer:
            first = next(answer.iter_content(10))
        with requests.post(f"{url}/v1/chat/completions", json={"stream": True}, stream=True, timeout=10) as answer:
            assert answer.raw.read() == whole.encode()
    assert [line.decode() for line in lines if line] == [line for line in whole.split("\n") if line]
    by_line, by_text, early, past = recording.calls()
    assert "".join(text for _, text in by_line["parts"]) == "".join(text for _, text in by_text["parts"]) == whole
    assert len(by_line["parts"]) < len(whole) / 4
    assert early["error"] == "closed before its end" and early["parts"][0][1].encode() == first
    assert past["cut"] is True
    made = parts(Path(recording.directory), chosen(Path(recording.directory), None), Stores())
    assert [one.kind for one in made.exchanges] == ["llm"] * 3, "what was read past the recorder is told, not played"
    assert [one.kind for one in made.calls] == ["request", *["llm"] * 4]


def test_our_failures_do_not_reach_the_application(
    recording: Recording, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("ours")

    names = ("_begun", "_answered", "_part", "_closed", "Exchange")
    places: list[tuple[Any, str]] = [(wrapped, name) for name in names]
    places += [(http.Exchange, name) for name in ("part", "finish", "answered", "unread")]
    for holder, name in places:
        with monkeypatch.context() as patched, record.session("ask"):
            patched.setattr(holder, name, broken)
            with requests.post(f"{url}/x", json={"stream": True}, stream=True, timeout=10) as answer:
                assert answer.content == "".join(PARTS).encode()
    assert record.status()["errors"] >= 6


def test_stop_puts_all_back(recording: Recording, url: str) -> None:
    with record.session("ask"):
        requests.post(f"{url}/x", timeout=10)
    send = requests.adapters.HTTPAdapter.send
    record.stop()
    assert requests.adapters.HTTPAdapter.send is send.__wrapped__  # type: ignore[attr-defined]
