from __future__ import annotations

import os
import subprocess
import sys

import pytest

from envclone.masking.corpus import Corpus
from envclone.masking.masks import MaskSet
from envclone.masking.nets import named, versions
from tests.benchmarks.strangers import labelled, measure, sentences
from tests.unit.masking.conftest import KEY

MASKS = MaskSet(KEY, {})
FINDER = MASKS._free_text.finder


def persons(text: str) -> list[str]:
    return [text[start:-end] for start, end, kind in FINDER.spans(text) if kind == "person"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Please add Colton Svensson to the policy.", ["Colton Svensson"]),
        ("Jennifer is very reliable.", ["Jennifer"]),
        ("Hi Romilda, thank you.", ["Romilda"]),
        ("Ich habe mit Lieselotte gesprochen.", ["Lieselotte"]),
        ("my name is roberto yamamura", ["roberto yamamura"]),
        ("Thanks,\nThorsten Hinrichsen", ["Thorsten Hinrichsen"]),
        ("said Keiko to Jessica", ["Keiko", "Jessica"]),
        ("Janet Doeringer called", ["Janet Doeringer"]),
    ],
)
def test_persons_of_no_column(text: str, found: list[str]) -> None:
    assert persons(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "The Premium Plan ends in September.",
        "We flew from Berlin to Madrid.",
        "Die Rechnung und der Lieferschein kommen am Montag.",
        "Unfortunately the order was lost.",
        "THE SERVER IS DOWN AGAIN",
        "please check the invoice for march",
        "Microsoft and Siemens both declined.",
        "",
    ],
)
def test_nobody(text: str) -> None:
    assert persons(text) == []


def test_sentences_that_were_not_learned_from() -> None:
    told = measure(
        [labelled(line) for line in sentences()[1::2]],
        lambda text: [(start, -end) for start, end, kind in FINDER.spans(text) if kind == "person"],
    )
    assert told["recall"] >= 0.85, told["missed"]
    assert told["precision"] >= 0.85, told["wrong"]


def test_one_stranger_has_one_pseudonym() -> None:
    alone = MASKS.value("person", "Jennifer")
    texts = ["Jennifer is very reliable.", "said Jennifer to me", "Hi Jennifer, thank you."]
    assert MASKS.text(texts) == [text.replace("Jennifer", alone or "") for text in texts]
    assert MASKS.text(texts[:1]) == MASKS.text(texts)[:1]


def test_a_person_of_a_column_has_the_column_s_pseudonym() -> None:
    masks = MaskSet(KEY, {}, Corpus({"person": ("Romilda Quenzel",)}))
    for name in ("Romilda Quenzel", "Romilda Svensson"):
        assert masks.text([f"Hi {name}, thank you."]) == [f"Hi {masks.value('person', name)}, thank you."]


def test_what_is_known_is_not_cut_by_a_name() -> None:
    masked = MASKS.text(["contact romilda romilda@corp.example now"])[0]
    assert (MASKS.value("email", "romilda@corp.example") or "?") in masked


def test_texts_beside_each_other_have_no_part_in_each_other() -> None:
    texts = ["Ask Jennifer", "Kosić is late.", "no capitals here", "Nobody", "name:"]
    texts += ["from 10.1.2.3", "Jane The import failed", "7", "Jennifer 5", "Jane"]
    assert MASKS.text(texts) == [MASKS.text([text])[0] for text in texts]


def test_without_it_only_introductions_count() -> None:
    plain = MaskSet(KEY, {}, tagger=False)
    assert plain.text(["Jennifer is very reliable."]) == ["Jennifer is very reliable."]
    assert plain.text(["my name is Jennifer"]) != ["my name is Jennifer"]


def test_interpreted_it_sees_the_same() -> None:
    lines = sentences()[:40]
    program = (
        "import sys; from envclone.masking.masks import MaskSet; from tests.benchmarks.strangers import *;"
        "f = MaskSet(KEY, {})._free_text.finder;"
        "print([f.spans(labelled(line).text) for line in sentences()[:40]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "ENVCLONE_NO_COMPILE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str([FINDER.spans(labelled(line).text) for line in lines])


def test_the_nets_have_names_and_versions() -> None:
    assert versions("introduced", None) == "introductions"
    assert versions("tagger", None).startswith("introductions, tagger ")
    assert "presidio-analyzer" in versions("tagger", "patterns")
    assert "Presidio" in named("tagger", "patterns")
