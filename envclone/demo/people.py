"""The demo's people: customers and agents of several countries, their addresses, phones and households."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from envclone.demo.names import COUNTRIES, Names, names_of

__all__ = ["Agent", "Contact", "Customer", "Directory", "make_people"]

COMMON_WORDS = (
    ("Will", "Young"),
    ("Mark", "Price"),
    ("Grace", "Page"),
    ("Hope", "Long"),
    ("Bill", "Cash"),
    ("May", "Field"),
    ("Rose", "Summer"),
    ("Art", "Case"),
    ("Faith", "Order"),
    ("Jack", "Frost"),
)
"""People whose names are ordinary words too: a text that says "will mark" is not about them."""

US_AREAS = (
    202,
    206,
    212,
    213,
    303,
    305,
    312,
    404,
    415,
    503,
    512,
    602,
    612,
    617,
    702,
    713,
    718,
    773,
    801,
    917,
)

MAIL_DOMAINS = ("gmail.com", "outlook.com", "yahoo.com", "icloud.com", "proton.me", "gmx.net", "fastmail.com")


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to call in an emergency."""

    name: str
    phone: str
    email: str
    relation: str


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer; `household` is shared by those who live together, and 0 for those who live alone.

    `former_email` is the address that the customer had before changing it, else None.
    """

    id: int
    first: str
    last: str
    full_name: str
    email: str
    phone: str
    locale: str
    household: int
    emergency: Contact | None
    former_email: str | None = None

    @property
    def first_email(self) -> str:
        """The address that the customer signed up with."""
        return self.former_email or self.email


@dataclass(frozen=True, slots=True)
class Agent:
    """One of the desk's own people."""

    id: int
    full_name: str
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class Directory:
    """Everybody: `customers` who stay, `leavers` who were deleted since, and the agents."""

    customers: tuple[Customer, ...]
    leavers: tuple[Customer, ...]
    agents: tuple[Agent, ...]


def make_people(
    seed: int, *, customers: int = 5000, leavers: int = 120, agents: int = 40, movers: int = 400
) -> Directory:
    """Make the same people for the same seed; `movers` of the customers have changed their e-mail address."""
    random = Random(seed)  # noqa: S311 - reproducible data, nothing secret
    people = _People(random, names_of(seed))
    everybody = list(people.customers(customers + leavers))
    staff = tuple(people.agents(agents))
    # a household's members are each other's emergency contacts: only people who live alone leave or move
    alone = [c.id for c in everybody[len(COMMON_WORDS) :] if not c.household]
    chosen = random.sample(alone, leavers + movers)
    gone, moved = set(chosen[:leavers]), set(chosen[leavers:])
    stay = tuple(people.moved(c) if c.id in moved else c for c in everybody if c.id not in gone)
    return Directory(stay, tuple(c for c in everybody if c.id in gone), staff)


class _People:
    def __init__(self, random: Random, pools: Sequence[Names]) -> None:
        self._random = random
        self._pools = pools
        self._weights = [country[1] for country in COUNTRIES]
        self._emails: set[str] = set()
        self._phones: set[str] = set()

    def customers(self, count: int) -> Iterator[Customer]:
        random = self._random
        number, households = 0, 0
        for words in COMMON_WORDS[:count]:
            number += 1
            first, last = ((word, word.lower()) for word in words)
            yield self._customer(number, self._pools[0], first, last, 0, None)
        while number < count:
            size = min(random.choices((1, 2, 3, 4), (90, 6, 2, 2))[0], count - number)
            households += size > 1
            pool = random.choices(self._pools, self._weights)[0]
            last = random.choice(pool.last)
            relative: Customer | None = None
            for first in random.sample(pool.first, size):
                number += 1
                relative = self._customer(number, pool, first, last, households if size > 1 else 0, relative)
                yield relative

    def _customer(
        self,
        number: int,
        pool: Names,
        first: tuple[str, str],
        last: tuple[str, str],
        household: int,
        relative: Customer | None,
    ) -> Customer:
        shared = relative is not None and self._random.random() < 0.5
        return Customer(
            id=number,
            first=first[0],
            last=last[0],
            full_name=pool.full(first[0], last[0]),
            email=self._email(first[1], last[1]),
            phone=relative.phone if relative is not None and shared else self._phone(pool),
            locale=pool.locale,
            household=household,
            emergency=self._emergency(pool, last, relative),
        )

    def agents(self, count: int) -> Iterator[Agent]:
        for number in range(1, count + 1):
            pool = self._random.choice(self._pools[:6])
            first, last = self._random.choice(pool.first), self._random.choice(pool.last)
            email = self._unique(f"{first[1]}.{last[1]}", "northwind-assist.com")
            yield Agent(number, f"{first[0]} {last[0]}", email, self._phone(pool))

    def moved(self, customer: Customer) -> Customer:
        """The same customer after a change of e-mail address."""
        local, domain = customer.email.split("@")
        others = [d for d in MAIL_DOMAINS if d != domain]
        new = self._unique(local, self._random.choice(others))
        return replace(customer, email=new, former_email=customer.email)

    def _emergency(self, pool: Names, last: tuple[str, str], relative: Customer | None) -> Contact | None:
        random = self._random
        if relative is not None:
            return Contact(relative.full_name, relative.phone, relative.email, "household")
        if random.random() < 0.5:
            return None
        first = random.choice(pool.first)
        relation = random.choice(("parent", "partner", "sibling", "friend"))
        return Contact(pool.full(first[0], last[0]), self._phone(pool), self._email(first[1], last[1]), relation)

    def _email(self, first: str, last: str) -> str:
        random = self._random
        style = random.randrange(7)
        year = random.randrange(60, 100)
        local = (
            f"{first}.{last}",
            f"{first}{last}",
            f"{first[:1]}.{last}",
            f"{first}_{last}{year}",
            f"{last}.{first}",
            f"{first}{year}",
            f"{first.capitalize()}.{last.capitalize()}",
        )[style]
        work = f"{last}-{random.choice(('logistics', 'partners', 'studio', 'trading'))}.com"
        return self._unique(local, work if random.random() < 0.15 else random.choice(MAIL_DOMAINS))

    def _unique(self, local: str, domain: str) -> str:
        email, number = f"{local}@{domain}", 1
        while email.lower() in self._emails:
            number += 1
            email = f"{local}{number}@{domain}"
        self._emails.add(email.lower())
        return email

    def _phone(self, pool: Names) -> str:
        while True:
            phone = self._any_phone(pool)
            if phone not in self._phones:
                self._phones.add(phone)
                return phone

    def _any_phone(self, pool: Names) -> str:
        random = self._random
        if pool.code == "1":
            area, exchange, line = (
                random.choice(US_AREAS),
                random.randrange(220, 990),
                random.randrange(10_000),
            )
            return random.choice(
                (
                    f"+1 {area}-{exchange}-{line:04}",
                    f"({area}) {exchange}-{line:04}",
                    f"+1{area}{exchange}{line:04}",
                    f"{area}.{exchange}.{line:04}",
                    f"{area}-{exchange}-{line:04}",
                )
            )
        rest = pool.digits - len(pool.prefix)
        national = f"{pool.prefix}{random.randrange(10**rest):0{rest}}"
        spaced = f"{national[:3]} {national[3:6]} {national[6:]}"
        return random.choice(
            (
                f"+{pool.code} {spaced}",
                f"+{pool.code}{national}",
                f"00{pool.code} {spaced}",
                f"+{pool.code}-{spaced.replace(' ', '-')}",
            )
        )
