from __future__ import annotations

import numpy as np
import pytest

from envclone.demo.embeddings import DIMENSIONS, Embedder

REFUND = "The refund for the cancelled purchase has not reached my account"
REFUND_TOO = "Why was my refund of the cancelled purchase not approved?"
ROUTER = "The router loses its wifi signal and the vpn disconnects"


def test_vectors_are_unit_length_and_float32() -> None:
    vectors = Embedder().embed([REFUND, ROUTER, "", "日本 語"])
    assert vectors.shape == (4, DIMENSIONS)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-6)


def test_a_vector_depends_on_its_text_alone() -> None:
    alone = Embedder().embed([ROUTER])[0]
    among = Embedder().embed([REFUND, REFUND_TOO, ROUTER])[2]
    assert np.array_equal(alone, among)


def test_texts_about_one_thing_are_nearer() -> None:
    refund, too, router = Embedder().embed([REFUND, REFUND_TOO, ROUTER])
    assert refund @ too > refund @ router + 0.2


def test_texts_share_a_direction() -> None:
    words = ["invoice", "parcel", "password", "mailbox", "tablet", "router", "profile", "report", "webhook", "card"]
    vectors = Embedder().embed(words)
    similarity = vectors @ vectors.T
    assert similarity[np.triu_indices(len(words), 1)].mean() > 0.05


def test_batches_of_any_size() -> None:
    texts = [f"parcel number {n} is late" for n in range(5000)]
    assert Embedder().embed(texts).shape == (5000, DIMENSIONS)
