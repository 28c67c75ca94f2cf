"""The support desk's day: accounts, orders, tickets and knowledge chunks as rows, ready for COPY."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from envclone.demo.people import Agent, Customer, Directory
from envclone.demo.topics import TOPICS, Article, articles

__all__ = ["Chunk", "Desk", "Ticket", "make_desk"]

OPENED = dt.datetime(2023, 2, 6, 8, 0, tzinfo=dt.UTC)
"""When the desk opened: everything happens in the 700 days after."""
DAYS = 700
ARTICLE_CHUNKS = 12
ARTICLES_SHARE = 0.3
"""The share of the chunks that belong to an article; the rest are cut from tickets and macros."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A customer's request, and the agent who took it."""

    id: int
    customer: Customer
    agent: Agent
    topic: str
    subject: str
    body: str
    created_at: dt.datetime
    meta: dict[str, Any]
    parent_id: int | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of text that the assistant can find; `ticket` is None for articles and macros."""

    id: int
    ticket: Ticket | None
    source: str
    title: str
    body: str
    tags: list[str]
    author: Agent


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that the desk's people made, the leavers' tickets included."""

    people: Directory
    tickets: tuple[Ticket, ...]
    chunks: tuple[Chunk, ...]
    articles: tuple[Article, ...]


def make_desk(people: Directory, seed: int, *, chunks: int) -> Desk:
    """Make the same desk for the same people and seed; `chunks` of its chunks outlive the leavers."""
    random = Random(seed + 1)  # noqa: S311 - reproducible data, nothing secret
    count = round(chunks * ARTICLES_SHARE) // ARTICLE_CHUNKS
    rare = articles(random, count)
    writer = _Writer(random, people)
    cut = chunks - count * ARTICLE_CHUNKS + len(people.leavers)
    tickets = tuple(writer.tickets(round(cut * 0.75)))
    made = tuple(writer.chunks(tickets, rare, cut))
    return Desk(people, tickets, made, tuple(rare))


class _Writer:
    def __init__(self, random: Random, people: Directory) -> None:
        self._random = random
        self._agents = people.agents
        self._staying = people.customers
        self._leavers = people.leavers
        self._topics = tuple(TOPICS)

    def tickets(self, count: int) -> Iterator[Ticket]:
        random = self._random
        last: dict[int, int] = {}
        step = dt.timedelta(days=DAYS) / count
        for number in range(1, count + 1):
            # each leaver wrote exactly one ticket, spread over the years
            leaver, rest = divmod(number * len(self._leavers), count)
            leaves = leaver >= 1 and rest < len(self._leavers)
            customer = self._leavers[leaver - 1] if leaves else random.choice(self._staying)
            topic = random.choice(self._topics)
            agent = random.choice(self._agents)
            body = self._body(customer, agent, topic, 3)
            if number % 97 == 0:  # a history that overruns any context window
                body = "\n\n".join([body, *(self._body(customer, agent, topic, 4) for _ in range(60))])
            created = OPENED + step * number
            yield Ticket(
                number,
                customer,
                agent,
                topic,
                self._subject(customer, topic),
                body,
                created,
                self._meta(customer, agent),
                last.get(customer.id) if random.random() < 0.4 else None,
            )
            last[customer.id] = number

    def chunks(self, tickets: Sequence[Ticket], rare: Sequence[Article], cut: int) -> Iterator[Chunk]:
        random = self._random
        plan: list[Ticket | Article | None] = [*tickets, *([None] * (cut - len(tickets))), *rare]
        random.shuffle(plan)
        number = 0
        for item in plan:
            author = random.choice(self._agents)
            if isinstance(item, Article):
                for title, body in item.chunks(random, ARTICLE_CHUNKS):
                    number += 1
                    yield Chunk(number, None, "article", title, body, item.tags, author)
                continue
            number += 1
            if item is not None:
                body = item.body[:900]
                yield Chunk(number, item, "ticket", item.subject, body, [item.topic], item.agent)
                continue
            topic = random.choice(self._topics)
            title = f"Macro: {self._words(topic, 2)}"
            body = f"{self._advice(topic)} {self._advice(topic)} Signed, {author.full_name}."
            yield Chunk(number, None, "macro", title, body, [topic, "macro"], author)

    def _subject(self, customer: Customer, topic: str) -> str:
        words = self._words(topic, 2)
        form = self._random.randrange(5)
        if form == 0:
            return f"{words} for {customer.full_name}"
        if form == 1:
            return f"Re: {words} ({customer.first_email})"
        return f"{words.capitalize()}: {self._words(topic, 1)}"

    def _body(self, customer: Customer, agent: Agent, topic: str, sentences: int) -> str:
        random = self._random
        parts = [f"Hello {random.choice(('team', agent.full_name))}, this is {customer.full_name}."]
        parts += [self._advice(topic) for _ in range(sentences)]
        form = random.randrange(8)
        if form == 0:
            parts.append(f"Call me on {customer.phone}.")
        elif form == 1:
            parts.append(f"You can write to {customer.first_email} or call {customer.phone}.")
        elif form == 2 and customer.emergency is not None:
            other = customer.emergency
            parts.append(f"If I am away, ask my {other.relation} {other.name}, {other.phone}.")
        elif form == 3:
            parts.append(f"My address is still {customer.first_email.upper()}, not the old one.")
        elif form == 4:  # ordinary words that are names elsewhere
            parts.append("I hope you will mark the case as urgent, may the bill be frozen until summer.")
        parts.append(f"Regards, {random.choice((customer.full_name, customer.first))}")
        return " ".join(parts)

    def _advice(self, topic: str) -> str:
        a, b, c = self._random.sample(TOPICS[topic], 3)
        form = self._random.randrange(6)
        return (
            f"The {a} does not match the {b} since the last {c}.",
            f"We checked the {a} and the {b}, but the {c} is wrong.",
            f"Please look at the {a} before the {b} reaches the {c}.",
            f"After the {a} the {b} was gone and no {c} came.",
            f"Open the {a}, choose {b} and confirm the {c}.",
            f"Why is there a {a} on my {b} without any {c}?",
        )[form]

    def _words(self, topic: str, count: int) -> str:
        return " ".join(self._random.sample(TOPICS[topic], count))

    def _meta(self, customer: Customer, agent: Agent) -> dict[str, Any]:
        contacts = [{"phone": customer.phone}]
        if customer.emergency is not None and self._random.random() < 0.3:
            contacts.append({"phone": customer.emergency.phone})
        return {
            "user": {"email": customer.first_email, "name": customer.full_name},
            "contacts": contacts,
            "channel": self._random.choice(("mail", "chat", "phone")),
            "assistant": {"model": "northwind-7", "confidence": round(self._random.random(), 3)},
            "agent": agent.id,
        }
