from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envclone.masking import fpe
from envclone.masking.fpe import NARROW, SMALL, Permutation, number_cycle, shuffled, subkey

KEY = b"k" * 32
RADICES = st.lists(st.integers(1, 30), min_size=1, max_size=12)


@pytest.mark.parametrize("size", [2, 3, 10, 676, 1000, SMALL, SMALL + 1, 17_161, 20_000])
def test_is_one_cycle_through_the_whole_domain(size: int) -> None:
    cycle = number_cycle(KEY, b"tweak", size)
    x, seen = 0, set()
    for _ in range(size):
        seen.add(x)
        x = cycle(x)
    assert x == 0
    assert seen == set(range(size))


def test_one_value_stays() -> None:
    assert number_cycle(KEY, b"", 1)(0) == 0
    with pytest.raises(ValueError, match="at least one"):
        number_cycle(KEY, b"", 0)


@given(RADICES, st.data())
def test_digits_stay_below_their_radices_and_the_vector_changes(radices: list[int], data: st.DataObject) -> None:
    digits = [data.draw(st.integers(0, radix - 1)) for radix in radices]
    image = Permutation(KEY, b"t", radices)(digits)
    assert all(0 <= digit < radix for digit, radix in zip(image, radices, strict=True))
    assert (image != digits) == (max(radices) > 1)


@settings(max_examples=20)
@given(st.lists(st.integers(20_000, 40_000), min_size=8, max_size=32), st.data())
def test_huge_domains(radices: list[int], data: st.DataObject) -> None:
    permutation = Permutation(KEY, b"huge", radices)
    one = [data.draw(st.integers(0, radix - 1)) for radix in radices]
    other = [*one[:-1], (one[-1] + 1) % radices[-1]]
    assert permutation(one) == Permutation(KEY, b"huge", radices)(one)
    assert permutation(one) != permutation(other)


def test_keys_tweaks_and_radices_separate() -> None:
    digits = [1, 2, 3, 4, 5, 6]
    made = {
        tuple(Permutation(key, tweak, radices)(digits))
        for key in (KEY, b"K" * 32)
        for tweak in (b"a", b"b")
        for radices in ([10] * 6, [11, *[10] * 5])
    }
    assert len(made) == 8


def test_neighbours_land_far_apart() -> None:
    cycle = number_cycle(KEY, b"spread", 10**12)
    images = sorted(cycle(x) for x in range(1000))
    gaps = [b - a for a, b in pairwise(images)]
    assert min(gaps) > 0
    assert 5e11 / 1000 < sum(gaps) / len(gaps) < 2e12 / 1000


def test_subkeys_differ_by_label() -> None:
    assert len({subkey(KEY, "names"), subkey(KEY, "phone"), subkey(b"K" * 32, "names")}) == 3
    assert len(subkey(KEY, "names")) == 32


def _both(monkeypatch: pytest.MonkeyPatch, size: int, numbers: list[int]) -> tuple[list[int], list[int]]:
    """The images as they are defined, and as they are compiled."""
    cycle = number_cycle(KEY, b"both", size)
    monkeypatch.setattr(fpe, "_KERNELS", fpe._Kernels())
    monkeypatch.setattr(fpe, "_WORTH_LOADING", 1 << 60)
    monkeypatch.setattr(fpe, "_loaded", lambda: False)
    defined = [cycle(x) for x in numbers]
    monkeypatch.setattr(fpe, "_WORTH_LOADING", 0)
    return defined, [cycle(x) for x in numbers]


SIZES = [SMALL + 1, 10**5, 9 * 10**9, 2**63 - 10**18, 10**18, 2**122, NARROW**2 - 5, 10**32, 2**123, 2**128, 20_000**9]


@pytest.mark.parametrize("size", SIZES)
def test_compiled_as_defined(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    draw = random.Random(size).randrange
    numbers = [0, 1, size - 1, size - 2, *(draw(size) for _ in range(100))]
    defined, compiled = _both(monkeypatch, size, numbers)
    assert compiled == defined
    assert all(0 <= image < size and image != x for x, image in zip(numbers, defined, strict=True))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(SMALL + 1, 1 << 140), st.data())
def test_compiled_as_defined_on_any_domain(monkeypatch: pytest.MonkeyPatch, size: int, data: st.DataObject) -> None:
    defined, compiled = _both(monkeypatch, size, [data.draw(st.integers(0, size - 1))])
    assert compiled == defined


@pytest.mark.parametrize("size", [2, 3, 65, 1000, SMALL])
def test_shuffled_by_the_loop_and_in_python(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fpe, "_KERNELS", fpe._Kernels())
    monkeypatch.setattr(fpe, "_WORTH_SHUFFLING", 1 << 60)
    plain = shuffled(b"key", b"tweak", size)
    monkeypatch.setattr(fpe, "_WORTH_SHUFFLING", 0)
    assert shuffled(b"key", b"tweak", size) == plain
    assert sorted(plain) == list(range(size))
