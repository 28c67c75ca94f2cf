from __future__ import annotations

import pytest

from envclone.demo.desk import ARTICLE_CHUNKS, Desk, make_desk
from envclone.demo.people import make_people


@pytest.fixture(scope="module")
def desk() -> Desk:
    return make_desk(make_people(3, customers=500, leavers=20, movers=40), 3, chunks=3000)


def test_the_same_seed_makes_the_same_desk(desk: Desk) -> None:
    assert make_desk(desk.people, 3, chunks=3000) == desk


def test_enough_chunks_outlive_the_leavers(desk: Desk) -> None:
    leavers = {c.id for c in desk.people.leavers}
    wrote = [t.customer.id for t in desk.tickets if t.customer.id in leavers]
    assert sorted(wrote) == sorted(leavers)
    staying = [c for c in desk.chunks if c.ticket is None or c.ticket.customer.id not in leavers]
    assert len(staying) == 3000
    assert [c.id for c in desk.chunks] == list(range(1, len(desk.chunks) + 1))


def test_tickets_refer_only_to_earlier_tickets_of_the_same_customer(desk: Desk) -> None:
    by_id = {t.id: t for t in desk.tickets}
    parents = [t for t in desk.tickets if t.parent_id is not None]
    assert parents
    for ticket in parents:
        parent = by_id[ticket.parent_id or 0]
        assert parent.id < ticket.id and parent.customer == ticket.customer


def test_people_are_in_the_texts(desk: Desk) -> None:
    named = sum(t.customer.full_name in t.body for t in desk.tickets)
    emails = sum(t.customer.first_email.lower() in f"{t.subject} {t.body}".lower() for t in desk.tickets)
    phones = sum(t.customer.phone in t.body for t in desk.tickets)
    assert named == len(desk.tickets)
    assert emails > len(desk.tickets) / 5
    assert phones > len(desk.tickets) / 10
    assert max(len(t.body) for t in desk.tickets) > 12_000


def test_each_article_has_chunks_of_its_own(desk: Desk) -> None:
    for article in desk.articles[:5]:
        own = [c for c in desk.chunks if article.code in c.title]
        assert len(own) == ARTICLE_CHUNKS
        assert all(c.source == "article" and article.model in c.body for c in own)
