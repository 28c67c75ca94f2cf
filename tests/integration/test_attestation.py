"""What is attested of an image, the page of it, verifying it again, and the log of who did what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from tests.support.postgres import Production, production
from tests.support.stack import Place, place

STACK = """\
version: 1
project: attest
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main:
      public.people.name: person
      public.people.email: email
      public.people.note: text
      public.people.*: keep
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE, note text);"
            "INSERT INTO people SELECT i, 'Zanna' || i || ' Quimbyton', 'zanna' || i || '@corp.example',"
            " 'Zanna' || i || ' Quimbyton <script>alert(1)</script>' FROM generate_series(1, 200) i;"
            "ALTER ROLE postgres PASSWORD 's3cret/pass word'",
            "app",
        )
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        made.write(STACK)
        made.call("image", "prod")
        yield made


@pytest.fixture(scope="module")
def image(here: Place) -> str:
    (only,) = here.fresh.json("images")
    return str(only["id"])


def test_somebody_else_verifies_it_again(here: Place, image: str) -> None:
    done = here.fresh.json("verify", image)
    assert done["not_checked"] == []
    assert done["checks"]["rows"]["main"]["public.people"] == 200
    assert done["checks"]["files"]["residue_hits"] == 0
    assert here.json("verify", image, "--files")["not_checked"][0].endswith("left out on request")
    assert "0 left" in here.call("verify", image).stdout
    assert not [one for one in here.leftovers() if one.startswith("work/")]


def test_what_cannot_be_checked_is_said(here: Place, image: str) -> None:
    here.write(STACK.replace("public.people.note: text", "public.people.note: redact"))
    assert "other rules" in here.json("verify", image)["not_checked"][0]
    here.write(STACK)


def test_a_leak_that_was_signed_is_found(here: Place, image: str) -> None:
    """A person who signs an image by hand does not make it clean."""
    from envclone import attestation

    folder = here.pool / "images" / image
    statement = attestation.read(folder, here.pool / "keys")
    leak = folder / "main" / "data" / "notes"
    leak.write_text("zanna7@corp.example")
    attestation.seal(folder, statement, here.pool / "keys")
    caught = here.call("verify", image, check=False)
    assert caught.returncode == 4 and "main: data/notes" in caught.stderr
    assert "zanna7" not in caught.stderr
    leak.unlink()
    attestation.seal(folder, statement, here.pool / "keys")
    here.call("verify", image)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_says_it_all_and_needs_nothing(here: Place, image: str) -> None:
    shown = here.fresh.call("attestation", image).stdout
    here.call("attestation", image, "--html", str(here.directory / "page.html"))
    page = (here.directory / "page.html").read_text()
    tags = Tags()
    tags.feed(page)
    assert not tags.seen & {"script", "img", "link", "iframe"}
    assert "http" not in page.replace("http-equiv", "")
    for text in (shown, tags.text):
        for expected in ("public.people.email", "role passwords removed", "Not guaranteed", "public.people.id", image):
            assert expected in text
    assert "Quimbyton" not in page and "zanna" not in page
    titles = [title for title in re.findall(r"<h2>(.*?)</h2>", page) if title != "Coincidences"]
    assert titles[0] == "Verdict" and titles[-1] == f"Image {image}"
    account, rules = titles.index("Account of the bytes"), titles.index("Masked in main")
    assert titles[1:account] in ([], ["Exceptions"]) and account < titles.index("Not guaranteed") < rules
    assert "<details><summary>public.people <span>3</span></summary>" in page


def test_the_log_finds_an_edited_line(here: Place, image: str) -> None:
    assert here.fresh.json("audit", "verify")["intact"] is True
    assert {"snapshot", "publish", "verify"} <= {event["action"] for event in here.json("audit", "log")}
    assert image in here.call("audit", "log").stdout
    log = here.pool / "audit.jsonl"
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    for broken in (
        whole.replace(b'"action":"publish"', b'"action":"nothing"'),
        b"".join(lines[:-1]),
        b"".join([*lines[:-1], lines[-1].replace(b'"by":"', b'"by":"x')]),
        b"".join(lines[1:]),
        b"",
    ):
        log.write_bytes(broken)
        found = here.call("audit", "verify", check=False)
        assert found.returncode == 4, found.stdout
    log.write_bytes(whole)
    head = here.pool / "audit.head"
    kept = head.read_text()
    head.write_text(json.dumps(json.loads(kept) | {"lines": 1}))
    assert here.call("audit", "verify", check=False).returncode == 4
    head.write_text(kept)
    here.call("audit", "verify")
