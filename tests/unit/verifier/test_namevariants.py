"""Other ways to write a name."""

from __future__ import annotations

import numpy as np
import pytest

from envclone.packed import having_at, pack
from envclone.verifier.namevariants import ODD_NAME, joined_names, name_variants, with_variants
from envclone.verifier.originals import Originals


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("Seamus O'Hanrahan", ["Seamus O’Hanrahan", "Seamus OHanrahan", "Seamus O Hanrahan", "Seamus O`Hanrahan"]),
        ("Morag McAllistair", ["Morag MacAllistair", "Morag Mc Allistair", "Morag M'Allistair"]),
        ("Søren Ågesgård", ["Sören Ågesgård", "Søren Aagesgaard"]),
        ("Jürgen Weißkröger", ["Jürgen Weiskröger", "Jurgen Weißkroger"]),
        ("İbrahim Çağlayangil", ["Ibrahim Çağlayangil"]),
        ("Игорь Квашневский", ["igor kvashnevsky", "igor kvashnevskii", "Игоря Квашневского", "Квашневскому Игорю"]),
        ("Владислава Щербацкая", ["vladislava shcherbatskaya", "Владиславу Щербацкую"]),
        ("Ελευθερία Παπαδημητροπούλου", ["Ελευθερια Παπαδημητροπουλου", "eleftheria papadimitropoulou"]),
        ("Łukasz Świętopełkowski", ["Łukaszowi Świętopełkowskiemu"]),
        ("山田太郎", ["山田 太郎", "太郎 山田"]),
        ("王曉明", ["王 曉明", "曉明王"]),
        ("김 민수", ["김민수", "민수 김"]),
        ("דוד בן-גוריון", ["דוד בן גוריון", "דוד בן\u05beגוריון"]),
        ("محمد العبدالرحمن", ["محمد العبد الرحمن"]),
        ("Jane Doe", []),
        ("Ma Chen", []),
    ],
)
def test_a_name_has_them(name: str, ways: list[str]) -> None:
    found = name_variants(name)
    assert set(ways) <= set(found)
    assert name not in found
    assert bool(ways) == bool(found)
    assert list(with_variants([name])) == [name, *found]


@pytest.mark.parametrize(
    ("name", "joined"),
    [
        ("Brunhilda van der Drachsler", ["vanderDrachsler"]),
        ("Annelotte Zwickel-Brauwerth", ["ZwickelBrauwerth"]),
        ("Van der Berg", ["VanderBerg"]),  # a family name alone: its halves are no two parts of a person
        ("van der Berg", ["vanderBerg"]),
        ("de la Cruz", ["delaCruz"]),
        ("Seamus O'Hanrahan", ["OHanrahan"]),
        ("Jean-Baptiste de la Rochemauve", ["JeanBaptiste", "delaRochemauve"]),
        ("María José Echeverría Zubizarreta", ["MaríaJosé"]),
        ("Jane Doe", []),
    ],
)
def test_parts_are_written_in_one(name: str, joined: list[str]) -> None:
    assert list(joined_names(name)) == joined


def test_packed_names_and_addresses_have_them_too() -> None:
    originals = Originals()
    originals.take("main.t.name", "person", pack(["Jane Doe", "Seamus O'Hanrahan", None, "Morag McAllistair"]))
    originals.take("main.t.mail", "email", pack(["a.b+shop@corp.example", "jane.roe@gmail.com", "c@corp.example"]))
    originals.seal()
    values = [value for _, value, _ in originals.items()]
    assert {"Seamus OHanrahan", "Morag MacAllistair", "a.b@corp.example", "janeroe@gmail.com"} <= set(values)
    assert [place for place, _ in having_at(pack(["a'b", None, "x", "c'd"]), ODD_NAME)] == [0, 3]
    assert list(having_at(pack([None]), ODD_NAME)) == []
    assert np.array_equal(pack(["x"]).plain, [True])
