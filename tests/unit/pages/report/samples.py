"""Pages to look at: one as it should be, and those with what is hard to show."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from envclone.pages.report.values import (
    Answer,
    Attested,
    Cause,
    Evidence,
    Held,
    Hit,
    Missing,
    Outcome,
    Point,
    Report,
    Retrieval,
    Span,
    State,
    Story,
    Sweep,
    Timeline,
)

__all__ = ["SAMPLES", "typical"]

AT = dt.datetime(2026, 5, 1, 9, 58, 12, tzinfo=dt.UTC)
WORDS = ("Valyar", "thermostat", "NW-KB0042:", "full fix.", "Replace the part, then run", "the service menu")
LAYERS = ("infrastructure", "state", "index", "filter", "semantic", "ranking", "assembly", "tools", "formatting",
          "grounding", "chance", "drift")  # fmt: skip
LONG = "c0ffee" * 33 + "42"
"""An id of 200 characters without a space."""


def _hits(first: int, count: int, by: float = 0.01) -> tuple[Hit, ...]:
    return tuple(
        Hit(
            str(first + 37 * number), f"{0.31 + by * number:.6f}", f"title: {' '.join(WORDS[number % 5 :])}; source: kb"
        )
        for number in range(count)
    )


def typical() -> Report:
    """The incident of the demo: the index misses what an exact search finds, and the branch does the same."""
    found, exact = _hits(1200, 10), _hits(18_000, 10, 0.002)
    search = Retrieval(
        "retrieve",
        "SQL on main as app",
        "SELECT id, title, source, embedding <=> %(question)s::vector AS distance\n"
        "FROM chunks\nORDER BY embedding <=> %(question)s::vector\nLIMIT 10",
        Answer(found),
        Answer(found),
        Answer(exact),
        "the chunks that the assistant's answer was made from",
        (("hnsw.ef_search", "40"),),
        True,
    )
    rows = tuple(
        Hit(str(4 + n), "", f"subject: Refund for Jane; full_name: Zoë Ödegård; phone: +49 30 55501{n}")
        for n in range(3)
    )
    customer = replace(
        search,
        step="customer",
        query="SELECT t.id FROM tickets t WHERE c.email = %(email)s",
        exact=None,
        production=Answer(rows),
        branch=Answer(rows),
        note="the earlier tickets of the person who asks",
        settings=(),
    )
    cause = Cause(
        "index",
        "The index does not reach the chunk that answers: an exact search has it at place 1, HNSW at ef 40 has"
        " none of the 10 nearest.",
        (
            Evidence("exact search: #18000 at place 1, distance 0.310000"),
            Evidence("hnsw.ef_search 40: 0 of the 10 nearest; 200: 10 of 10", "envclone diagnose 1234 --step retrieve"),
            Evidence("leaving out the index in the branch brings it back", "SET enable_indexscan = off"),
        ),
    )
    return Report(
        Story(
            "1234",
            "prod",
            "prod-1234",
            "Zoë Ödegård <zoe.odegard@example.net> asked: Our Valyar thermostat overheats under load and shows"
            " NW-KB0042, what can we do? The assistant answered that it knows nothing about NW-KB0042.",
            ("retrieve: 10 results, the nearest at 0.310000", "customer: 3 rows", "articles: 10 results"),
            Outcome.REPRODUCED,
            AT,
            AT,
            (3, 3),
            (cause, Cause("drift", "The image is 3 min older than the incident.", (), False)),
            layers=LAYERS,
            wanted=("18000",),
        ),
        AT + dt.timedelta(hours=3),
        "0.1.0",
        Timeline(
            (
                Span(
                    "request",
                    "POST /ask",
                    0.0,
                    2.31,
                    0,
                    "",
                    (("input", "NW-KB0042?"), ("output", "I know nothing of it.")),
                ),
                Span("embedding", "text-embedding-3-small", 0.01, 0.12, 1, "", (("usage", "tokens 14"),)),
                Span("retrieval", "chunks", 0.14, 0.021, 1),
                Span("llm", "gpt-4o-mini", 0.18, 2.1, 1, "", (("finish", "stop"), ("output", "I know nothing of it."))),
            ),
            (
                Span("sql", "retrieve", 0.0, 0.0042),
                Span("sql", "customer", 0.0042, 0.0011),
                Span("vector", "articles", 0.0053, 0.018),
            ),
            "otlp",
        ),
        (search, customer),
        (
            Sweep(
                "retrieve",
                "hnsw.ef_search",
                tuple(
                    Point(str(ef), recall, 1 if recall else None, ef == 40)
                    for ef, recall in ((10, 0.0), (20, 0.0), (40, 0.0), (80, 0.3), (100, 0.6), (200, 1.0), (400, 1.0))
                ),
                "from 200 on the index finds what the exact search finds",
                "18000",
            ),
            Sweep(
                "retrieve",
                "ways of asking",
                (Point("as recorded", 0.0, None, True), Point("exact", 1.0, 1), Point("without tags = 'kb'", 0.1)),
                wanted="18000",
                numeric=False,
            ),
            Sweep("retrieve", "LIMIT", tuple(Point(str(k), 0.0, None, k == 10) for k in (5, 10, 20, 50))),
        ),
        State(
            ("The state is of 2026-05-01 09:55 UTC, 3 min before the incident.",),
            (),
            ("main: at most 211 MiB of 512 MiB memory, nothing killed",),
        ),
        (
            Held("main", "server", "18.1", "18.1", "match"),
            Held("main", "kernel", "6.8.0", "6.1.0-27", "differs"),
            Held("main", "setting work_mem", "4MB", "4MB", "match"),
            Held("main", "cpus", "", "2", "unknown"),
        ),
        (
            Missing("seed", "chance, also at temperature 0"),
            Missing("query vector", "which neighbours the index was asked for", "--embed-with COMMAND"),
        ),
        18,
        ("ranks beyond 1000 are not counted",),
        Attested(
            "img-20260501-7f3a",
            "Passed, with 1 exceptions: every check held before this image of prod was published.",
            (("original values left", "0 of 51,204 that were looked for"), ("fields", "31 masked, 34 kept")),
            (("vector index public.chunks_i of main", "998 of 1000 with production's ids; accepted: known"),),
            "envclone attestation img-20260501-7f3a",
        ),
    )


def _hard() -> Report:
    """Texts that break a layout: no spaces, other scripts, markup, marks of direction, control characters."""
    base = typical()
    arabic = "مرحبا، لم يجد المساعد المقالة حول استرداد الأموال رقم 42 في قاعدة المعرفة"
    chinese = "客户询问如何退款助理回答说知识库里没有相关文章请检查索引是否正确" * 4
    evil = '<script>alert(1)</script><img src="http://evil.example/x" onerror=alert(1)></style></title>"\'&amp;'
    bidi = (
        "safe\u202eexe.cod\u2066 \x1b[31mred\x00 \u200f"
        + "Z"
        + "\u0335\u0334\u0315\u0360" * 40
        + " \U0001f469\u200d\U0001f4bb end"
    )
    hits = tuple(
        Hit(one, "0.1234567890123456789", text)
        for one, text in (
            (LONG, LONG),
            ("عربي-١٢٣", arabic),
            ("中文", chinese),
            (evil, evil),
            ("b", bidi),
            ("n", "line\nline\n\tend"),
        )
    )
    hits += _hits(5, 54)
    step = replace(
        base.retrievals[0],
        step=LONG[:63],
        of=evil,
        query=evil + chinese + LONG,
        production=Answer(hits),
        branch=Answer(tuple(reversed(hits))),
        exact=Answer(hits[:30]),
        note=arabic,
        same=False,
        reasons=("6 results have other places", LONG, evil),
        settings=((LONG, evil),),
    )
    spans = tuple(
        Span(
            "tool" if n % 7 else "llm",
            (LONG, arabic, chinese, evil, bidi, "search")[n % 6],
            n * 0.05,
            0.04 + n % 5,
            n % 9,
            "timeout " + LONG if n % 50 == 0 else "",
            (("input", evil), (LONG, bidi)) if n % 3 == 0 else (),
        )
        for n in range(300)
    )
    cause = Cause("non-determinism", evil + " " + LONG, (Evidence(bidi, LONG), Evidence(arabic, chinese * 9)), True)
    return replace(
        base,
        story=replace(
            base.story,
            incident="i" * 63,
            asked=f"{evil} {arabic} {chinese} {bidi} {LONG}",
            happened=(LONG, evil, chinese, arabic, bidi, "x", "y"),
            outcome=Outcome.OTHERWISE,
            steps=(0, 1),
            causes=(cause,),
            layers=LAYERS,
            environment="e" * 63,
            branch="b" * 41,
        ),
        timeline=Timeline(spans, (Span("sql", LONG[:63], 0.0, 12345.678, 0, evil),), evil, 4321),
        retrievals=(step,),
        sweeps=(
            Sweep(
                LONG[:63], LONG, tuple(Point(f"{n}00000000000", n / 30, None, n == 3) for n in range(30)), chinese, LONG
            ),
        ),
        state=State(
            (chinese, LONG),
            (LONG, evil, *[f"main.public.t{n}: {n} rows written" for n in range(90)]),
            (evil,),
            (arabic, bidi),
        ),
        parity=tuple(Held(LONG[:60], evil, LONG, chinese, kind) for kind in ("differs", "match", "unknown")),
        missing=(Missing(LONG, chinese, evil),),
        attested=replace(base.attested, exceptions=((LONG, evil), (arabic, bidi)), image=LONG)
        if base.attested
        else None,
    )


def _empty() -> Report:
    """A search that gave nothing, and nothing else known."""
    base = typical()
    step = replace(
        base.retrievals[0], production=Answer(), branch=Answer(), exact=Answer(_hits(3, 2)), note="", settings=()
    )
    return replace(
        base,
        retrievals=(step,),
        sweeps=(),
        timeline=Timeline(),
        missing=(),
        variables=0,
        parity=(),
        attested=None,
        story=replace(base.story, asked="", happened=("retrieve: nothing",), causes=(), at=None, steps=(1, 1)),
        state=State(),
    )


def _errors() -> Report:
    """Production failed, and the branch fails in another way; there are candidates and nothing sure."""
    base = typical()
    step = replace(
        base.retrievals[0],
        exact=None,
        same=False,
        reasons=("production failed with 22001, the branch answered",),
        production=Answer(error="22001 value too long for type character varying(20)"),
        branch=Answer(_hits(1, 2)),
    )
    causes = (
        Cause(
            "state",
            "A row without a point: 3 of 20,000.",
            (Evidence("ids 7, 9, 11", "envclone psql prod-1234"),),
            False,
        ),
        Cause("drift", "The image is older than the incident.", (), False),
    )
    return replace(
        base,
        retrievals=(step,),
        sweeps=(),
        parity=None,
        timeline=replace(base.timeline, calls=()),
        story=replace(
            base.story, happened=("retrieve: error 22001",), outcome=Outcome.OTHERWISE, steps=(0, 1), causes=causes
        ),
        state=State(base.state.moment, ("main.public.chunks: 700 rows written",)),
    )


def _calls() -> Report:
    """A trace without anything that can be run again, and a branch that is stopped."""
    base = typical()
    story = replace(base.story, outcome=Outcome.NOTHING, steps=(0, 0), causes=(), happened=("llm gpt-4o-mini: stop",))
    return replace(base, story=story, retrievals=(), sweeps=(), timeline=replace(base.timeline, steps=()))


SAMPLES = {
    "typical": typical(),
    "hard": _hard(),
    "empty": _empty(),
    "errors": _errors(),
    "calls": _calls(),
}
