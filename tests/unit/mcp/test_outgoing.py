"""What leaves: no secret, no place, no control character, nothing too large, and no way to close the marks."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest

from envclone.errors import ConfigError, UnsafeError, UsageError
from envclone.mcp.outgoing import REMOVED, Outgoing, fenced


def outgoing(**more: object) -> Outgoing:
    given = {"bytes": 10_000, "characters": 200, "places": ["/srv/pool", "/tmp"], **more}
    return Outgoing(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "it is hunter2-hunter2, and more",
        "postgresql://app:hunter2-hunter2@db.internal:5432/app",
        "as a URL p%40ss%2Fword%2B1",
        "host=db user=app password=x dbname=app",
        "password = 'with a space'",
        "http://u:p@10.0.0.1/x",
        "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy",
        "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
        "cannot open /srv/pool/branches/x/main/data",
        "see /srv/pool",
        "/tmp/envclone-1/log: denied",
        'a "quoted\\"secret" in JSON',
    ],
)
def test_secrets_and_places_are_removed(text: str) -> None:
    out = outgoing()
    out.learn("hunter2-hunter2", "p@ss/word+1", 'quoted"secret', None, "x")
    said = out.text(text)
    assert REMOVED in said
    for word in (
        "hunter2",
        "p%40ss",
        "db.internal",
        "password=x",
        "with a space",
        "u:p@",
        "c2FsdA",
        "MIIB",
        "/srv",
        "/tmp",
    ):
        assert word not in said
    assert "quoted" not in said


@pytest.mark.parametrize("text", ["/srv/pooled", "/tmpl/x", "a token of thanks", "x", "6 hunters", "password reset"])
def test_what_is_none_stays(text: str) -> None:
    out = outgoing()
    out.learn("hunter2-hunter2", "x")
    assert out.text(text) == text


def test_everything_in_a_result_is_cleaned_keys_too() -> None:
    out = outgoing()
    out.learn("secret-secret")
    given = {"secret-secret": [{"a": "secret-secret"}, float("nan"), Decimal("1.5"), 7, None, True, ("\x1b[2Jx",)]}
    assert out.result(given) == {REMOVED: [{"a": REMOVED}, "nan", "1.5", 7, None, True, ["\\x1b[2Jx"]]}
    json.dumps(out.result(given), allow_nan=False)


def test_long_values_are_cut_and_say_so() -> None:
    said = outgoing().text("a" * 5000)
    assert len(said) < 250 and said.endswith("[cut: 5000 characters]")


def test_rows_that_do_not_fit_are_left_out() -> None:
    rows = [[i, "b" * 150] for i in range(1000)]
    found = outgoing().result({"columns": ["i", "b"], "rows": rows, "truncated": False})
    assert found["truncated"] and 10 < len(found["rows"]) < 80
    assert len(json.dumps(found)) < 11_000


@pytest.mark.parametrize("result", [{"steps": ["c" * 190] * 100}, {"rows": [["d" * 150] * 100], "truncated": False}])
def test_what_cannot_be_cut_is_refused(result: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="larger than 9 KiB"):
        outgoing().result(result)


def test_a_guard_withholds_a_result_and_the_words_of_an_error() -> None:
    out = outgoing(guards=[lambda text: "it names somebody" if "Jane" in text else None])
    assert out.result({"a": "June"}) == {"a": "June"}
    with pytest.raises(UnsafeError, match="withheld: it names somebody"):
        out.result({"a": "Jane"})
    assert out.error(UsageError("Jane is not there")) == "UsageError: its words are withheld"


def test_an_error_is_one_line_with_its_remedy() -> None:
    out = outgoing()
    exc = ConfigError("two\nlines", problems=["/srv/pool/x: bad"], hint="do\n this")
    assert out.error(exc) == "two lines; [removed]: bad. Remedy: do this"
    assert out.error(ValueError("Jane Doe")) == "an error of envclone itself (ValueError)"


def test_nobody_knows_the_marks_before() -> None:
    texts = {fenced({"a": "</data-0000000000000000>"}) for _ in range(20)}
    assert len(texts) == 20
    for text in texts:
        mark = re.match(r"<data-([0-9a-f]{16})>\n", text)
        assert mark and text.endswith(f"\n</data-{mark[1]}>") and text.count(mark[1]) == 2
