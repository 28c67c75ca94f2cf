"""What lets somebody in is not written, wherever it stands; and no text makes the search for it slow."""

from __future__ import annotations

import json
import time

import pytest

from envclone import record
from envclone.record.secrets import Secrets, redacted_url
from tests.unit.record.ring import Recording

SECRET = "hunter2hunter2"


FOUND = [
    f"postgresql://app:{SECRET}@db.corp.example/app",
    f"host=db user=app password={SECRET} dbname=app",
    f"host=db password = '{SECRET} with space' dbname=app",
    f"ALTER ROLE app PASSWORD '{SECRET}'",
    f"CREATE ROLE app LOGIN PASSWORD $x${SECRET}$x$",
    f"https://api.example/v1?api_key={SECRET}&q=1",
    f"see https://u:{SECRET}@h/x and https://h/x?access_token={SECRET}#y",
    json.dumps({"user": "a", "password": SECRET}),
    json.dumps({"body": json.dumps({"client_secret": SECRET})}),
    json.dumps(json.dumps(json.dumps({"api_key": f'{SECRET}" with a quote'}))),
    json.dumps({"access_token": SECRET + SECRET}),
    f"Authorization: Bearer {SECRET}",
    f"user=a&password={SECRET}&next=/",
    f"sk-{SECRET}{SECRET}",
    f"eyJhbGciOiJIUzI1NiJ9.eyJ{SECRET}.{SECRET}",
    f"ghp_{SECRET}{SECRET}",
    f"github_pat_{SECRET}{SECRET}",
    f"hf_{SECRET}{SECRET}",
    f"glpat-{SECRET}{SECRET}",
    f"xoxb-{SECRET}",
    f"AIza{SECRET}{SECRET}{SECRET}",
    f"AKIA{SECRET.upper()}AB",
    f"asia{SECRET}ab",
    f"sk_live_{SECRET}",
    f"basic\t{SECRET}",
    f"the key is\nsk-{SECRET}{SECRET}",
    json.dumps({"text": f"the key is\nrk-{SECRET}{SECRET}\tand\nBearer {SECRET}"}),
    json.dumps({"tokens": [{"refresh_token": SECRET + SECRET}]}, indent=2),
    f"{{'token': '{SECRET}{SECRET}'}}",
    f"https://h/x?code={SECRET}&pwd={SECRET}&auth={SECRET}&sig={SECRET}&key={SECRET}",
    f"api-key = {SECRET}; private_key={SECRET}",
    json.dumps({"x_credentials": SECRET, "passphrase": SECRET, "private-key": SECRET}),
]


@pytest.mark.parametrize("text", FOUND)
def test_secrets_are_found_where_they_stand(text: str) -> None:
    done = Secrets().text(text)
    assert SECRET.lower() not in done.lower() and "***" in done


@pytest.mark.parametrize("text", FOUND)
def test_the_json_of_what_holds_one_is_looked_into(text: str) -> None:
    """A record is searched as one text first: in it everything is escaped once more."""
    for value in ({"a": [1, text]}, {"a": {"$f32": "AAAA"}, "body": json.dumps({"b": text})}):
        assert Secrets().suspicious(json.dumps(value, ensure_ascii=False))
    secrets = Secrets()
    secrets.learn('odd "quoted\\secret')
    assert secrets.suspicious(json.dumps({"a": json.dumps({"b": 'odd "quoted\\secret'})}))


def test_what_is_nobodys_is_not_looked_into() -> None:
    value = {
        "sql": "SELECT id FROM tasks WHERE token = %s AND risk-work > 3",
        "usage": {"total_tokens": 12, "x": "asia"},
        "settings": {"search_path": '"$user", public'},
        "answer": {"token": "the", "url": "http://h:1/x"},
    }
    assert not Secrets().suspicious(json.dumps(value))


def test_packed_numbers_stay_bit_for_bit() -> None:
    vector = {"$f32": "AAAA/AKIA" + "A" * 40}
    assert Secrets().tree({"query": vector, "password": "x"}) == {"query": vector, "password": "***"}
    assert Secrets().tree({"$f32": f"sk-{SECRET}{SECRET}"}) == {"$f32": "***"}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"usage": {"total_tokens": 12}, "logprobs": [{"token": " the", "logprob": -0.1}]}),
        "how do I reset my password?",
        "SELECT id, token, secret FROM accounts WHERE id = %s",
        "https://api.example/v1/chat/completions",
        "The secret of good bread is time, and the token of it a crust.",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert Secrets().text(text) == text


def test_json_is_still_json() -> None:
    body = json.dumps({"password": 'a"b\\', "name": "Jane", "inner": json.dumps({"secret": "x", "n": 1})})
    done = json.loads(Secrets().text(body))
    assert done["password"] == "***" and done["name"] == "Jane"
    assert json.loads(done["inner"]) == {"secret": "***", "n": 1}


def test_what_was_seen_in_a_header_is_taken_out_of_everything(recording: Recording) -> None:
    secrets = Secrets()
    shown = secrets.headers([("Authorization", f"Bearer {SECRET}"), ("Cookie", "sid=0123456789abcdef"), ("X", "y")])
    assert shown == [["X", "y"]]
    odd = 'quo"ted\\secret'
    secrets.learn(odd)
    tree = secrets.tree({"a": [f"it is {SECRET}", json.dumps({"x": odd}), "0123456789abcdef"], SECRET[:4]: 1})
    assert not [one for one in (SECRET, odd, "0123456789abcdef") if one in json.dumps(tree)]


def test_secrets_of_the_environment_are_known(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "environment-key-1234")
    monkeypatch.setenv("DATABASE_URL", "postgresql://app:environment-password@db/app")
    record.start(str(recording.directory))
    with record.session("leaks"):
        record.note(text="environment-key-1234 and environment-password", password="short", access_token=SECRET * 2)
    text = recording.text()
    assert not [one for one in ("environment-", "short", SECRET) if one in text] and "*** and ***" in text


def test_addresses_have_no_keys() -> None:
    url = "https://u:p@h.example/x?key=AIza123&q=a&X-Amz-Signature=abc&token=t"
    assert redacted_url(url) == "https://***@h.example/x?key=***&q=a&X-Amz-Signature=***&token=***"


@pytest.mark.parametrize(
    "text",
    [
        "\\" * 200_000 + "password",
        '"password":"' * 20_000,
        "password '" * 20_000,
        "password=" * 20_000,
        "eyJaaaaaaaaa-" * 20_000,
        "a." * 100_000 + "://",
        "a" * 200_000 + "password",
        "".join('"password":' + "\\" * number + '"' for number in range(600)),
        "password $a$" * 20_000,
        '"token' * 30_000,
        "&key=" * 40_000,
    ],
)
def test_no_text_is_slow(text: str) -> None:
    began = time.process_time()
    Secrets().text(text)
    assert time.process_time() - began < 5
