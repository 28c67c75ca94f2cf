"""Many values at once are what the codecs make of them one by one."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from envclone.errors import UnsafeError
from envclone.packed import TextBlock, block_of
from envclone.stores.postgres.write.inplace import batches
from envclone.stores.postgres.write.inplace.codecs import Codec, codec_for

Form = Callable[[list[str]], Sequence[str | None]]


def _codec(base: str, typmod: int = -1) -> Codec:
    codec = codec_for(base, typmod, None)
    assert codec is not None
    return codec


def _laid(bodies: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values with a byte between two, as pages have them, and where they are."""
    stops = np.cumsum([len(body) + 1 for body in bodies])
    return (
        np.frombuffer(bytearray(b"".join(b"\x17" + body for body in bodies)), np.uint8),
        stops - [len(body) for body in bodies],
        stops,
    )


TEXTS = ["Anna", "", "Jürgen Öl", "x" * 300, "日本", "a\tb", "\U0001f600"]


@pytest.mark.parametrize(
    ("base", "typmod", "values"),
    [
        ("text", -1, TEXTS),
        ("varchar", 304, TEXTS),
        ("int2", -1, ["0", "-32768", "32767"]),
        ("int4", -1, ["7", "-2147483648", "2147483647"]),
        ("int8", -1, ["-9223372036854775808", "9223372036854775807", "12"]),
        ("date", -1, ["2000-01-01", "0001-01-01", "9999-12-31", "1900-02-28", "2024-02-29"]),
    ],
)
@pytest.mark.parametrize("form", [list, block_of])
def test_values_are_read_and_put_as_one_by_one(form: Form, base: str, typmod: int, values: list[str]) -> None:
    codec = _codec(base, typmod)
    bodies = [codec.encode(value, b"") for value in values]
    flat, starts, stops = _laid(bodies)
    read = batches.read(flat, starts, stops, codec)
    assert isinstance(read, TextBlock)
    assert list(read) == [codec.decode(body) for body in bodies] == values
    fresh = values[1:] + values[:1]
    before = flat.tobytes()
    changed, left, _ = batches.put(flat, starts, stops, codec, form(fresh))
    standing = [i for i in range(len(values)) if i not in set(left)]
    fits = [len(codec.encode(new, b"")) == len(old) for new, old in zip(fresh, bodies, strict=True)]
    if codec.limited:  # a limit is of characters
        fits = [fit and len(old) == len(new) for fit, old, new in zip(fits, values, fresh, strict=True)]
    assert standing == [i for i, fit in enumerate(fits) if fit]
    assert changed == sum(values[i] != fresh[i] for i in standing)
    expected = bytearray(before)
    for i in standing:
        expected[starts[i] : stops[i]] = codec.encode(fresh[i], bodies[i])
    assert flat.tobytes() == bytes(expected)


@pytest.mark.parametrize(
    ("base", "values"),
    [
        ("date", ["2000-01-01", "0044-03-15 BC"]),
        ("date", ["infinity", "2000-01-01"]),
        ("date", ["2000-01-01", "12000-01-01"]),
    ],
)
def test_odd_values_are_read_one_by_one(base: str, values: list[str]) -> None:
    codec = _codec(base)
    flat, starts, stops = _laid([codec.encode(value, b"") for value in values])
    assert batches.read(flat, starts, stops, codec) is None
    before = flat.tobytes()
    assert batches.put(flat, starts, stops, codec, values)[0] == 0
    assert flat.tobytes() == before


@pytest.mark.parametrize(
    ("base", "masked"),
    [
        ("text", ["one", None]),
        ("text", ["o\0e", "two"]),
        ("int2", ["1", "32768"]),
        ("int2", ["1", "x"]),
        ("date", ["2000-01-01", "2000-02-30"]),
        ("date", ["2000-01-01", "2000-1-1"]),
        ("date", ["2000-01-01", "2000-01"]),
        ("date", ["2000-01-01", "NaT"]),
        ("date", ["2000-01-01", "today"]),
        ("date", ["2000-01-01", "2023-02-29"]),
        ("date", ["2000-01-01", "0000-01-01"]),
        ("int2", ["1", "99999999999999999999"]),
    ],
)
@pytest.mark.parametrize("form", [list, block_of])
def test_what_does_not_fit_is_left_to_the_codec(form: Form, base: str, masked: list[str | None]) -> None:
    codec = _codec(base)
    old = {"text": ["abc", "def"], "int2": ["5", "6"], "date": ["1999-01-01", "1999-01-02"]}[base]
    flat, starts, stops = _laid([codec.encode(value, b"") for value in old])
    before = flat.tobytes()
    if form is block_of and "o\0e" in masked:
        with pytest.raises(ValueError, match="zero"):
            block_of(masked)
        return
    assert batches.put(flat, starts, stops, codec, form(masked)) == (0, range(2), {})
    assert flat.tobytes() == before


def test_a_limit_counts_characters() -> None:
    codec = _codec("varchar", 4 + 4)
    flat, starts, stops = _laid(["äb".encode(), b"abc"])
    assert batches.put(flat, starts, stops, codec, ["xyz", "abd"]) == (1, [0], {})
    with pytest.raises(UnsafeError):
        codec.encode("abcde", b"")


def test_random_texts() -> None:
    rng = random.Random(7)
    codec = _codec("text")
    for _ in range(50):
        texts = ["".join(rng.choice("ab ö€\U0001f600") for _ in range(rng.randrange(6))) for _ in range(20)]
        fresh = ["".join(rng.sample(text, len(text))) if rng.random() < 0.8 else text + "!" for text in texts]
        flat, starts, stops = _laid([text.encode() for text in texts])
        assert list(batches.read(flat, starts, stops, codec) or ()) == texts
        _, left, _ = batches.put(flat, starts, stops, codec, fresh)
        now = list(batches.read(flat, starts, stops, codec) or ())
        assert now == [old if i in set(left) else new for i, (old, new) in enumerate(zip(texts, fresh, strict=True))]
        assert set(left) == {i for i, (a, b) in enumerate(zip(texts, fresh, strict=True)) if len(a) != len(b)}


def test_a_place_outside_of_the_page_is_not_read() -> None:
    codec = _codec("text")
    flat, starts, stops = _laid([b"abc", b"def"])
    assert batches.read(flat, starts, stops + 100, codec) is None
    changed, left, _ = batches.put(flat, starts + 100, stops + 100, codec, ["abc", "xyz"])
    assert (changed, list(left)) == (0, [0, 1])
