"""A snapshot on the server is gone afterwards, whatever happens, and what others made there stays."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envclone.config.schema import StoreConfig
from envclone.errors import UnsafeError
from envclone.pool import Pool
from envclone.pool.notes import PoolNotes, left
from envclone.stores.qdrant.live.client import Failed, Waits
from envclone.stores.qdrant.live.take import settle_note, take
from tests.support.qdrant_server import KEY, Fault, Fleet, Handler, Node, dropped, once, says, serving, source

QUICK = Waits(connect=2.0, silence=1.0, making=0.3, between=0.01)
OWNER = {"project": "acme", "environment": "prod", "store": "kb"}
FIRST = ("tenants", 0)
CHILD = """\
import sys
from pathlib import Path
from envclone.config.schema import StoreConfig
from envclone.interrupts import interruptible
from envclone.pool import Pool
from envclone.pool.notes import PoolNotes
from envclone.stores.qdrant.live.take import take
url, key, pool, into = sys.argv[1:]
config = StoreConfig.model_validate({"kind": "qdrant", "source": {"method": "snapshot", "url": url, "api_key": key}})
notes = PoolNotes(Pool(Path(pool)), {"project": "acme", "environment": "prod", "store": "kb"})
with interruptible():
    take("kb", config, Path(into), lambda event: None, notes)
"""


@pytest.fixture
def node() -> Iterator[Node]:
    """A server of two shards, on which somebody else's snapshots lie."""
    with serving(Fleet({"tenants": 2})) as (made,):
        others = {"tenants-shard-0-2026-01-01-00-00-00.snapshot": b"1", "backup.snapshot": b"2"}
        made.made[FIRST] = dict(others)
        yield made
        assert others.items() <= made.made[FIRST].items()


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    """A pool's directory of notes; no server runs in it."""
    made = Pool(tmp_path / "pool")
    made.path_of("owed", "").mkdir(parents=True)
    return made


def _config(node: Node) -> StoreConfig:
    return StoreConfig.model_validate({"kind": "qdrant", "source": source(node)})


def _take(node: Node, pool: Pool, into: Path) -> Any:
    into.mkdir()
    return take("kb", _config(node), into, lambda event: None, PoolNotes(pool, OWNER), waits=QUICK)


def _ours(node: Node) -> list[str]:
    return [name for name in node.left if "-2026-01-01-" not in name and name != "backup.snapshot"]


def _settle(node: Node, pool: Pool) -> list[bool]:
    gone = []
    for note in left(pool, "acme", "prod"):
        gone.append(settle_note(_config(node), note.facts, waits=QUICK))
        if gone[-1]:
            note.done()
    return gone


def _notes(pool: Pool) -> list[str]:
    return sorted(path.name for path in pool.path_of("owed", "").iterdir())


def test_it_is_gone_after_success(node: Node, pool: Pool, tmp_path: Path) -> None:
    found = _take(node, pool, tmp_path / "a")
    assert _ours(node) == [] and _notes(pool) == [] and found.warnings == ()
    assert [line for line in node.asked if line.startswith("DELETE")] and not list(left(pool, "acme"))
    made = [line.split()[1] for line in node.asked if line.startswith("POST")]
    assert [one.split()[3].rpartition("/")[0] for one in found.ran] == made and KEY not in str(found.details)
    assert found.details["spread_ms"] >= 0


def test_a_note_of_a_run_that_lives_is_nobodys(node: Node, pool: Pool) -> None:
    with PoolNotes(pool, OWNER).begin({"collection": "tenants"}):
        assert list(left(pool, "acme")) == []
    assert [note.facts["collection"] for note in left(pool, "acme")] == ["tenants"]


FAULTS: dict[str, tuple[str, Fault]] = {
    "its download is refused": ("GET .*snapshot", says(500, "")),
    "its bytes are others": ("GET .*snapshot", lambda handler: handler.file(b"x" * 589824) is None),
    "its bytes are more": ("GET .*snapshot", lambda handler: handler.file(b"x" * 589825) is None),
    "it is no archive": ("POST .*/0/snapshots", lambda handler: _replaced(handler, b"no archive" * 100)),
    "it holds a link": ("POST .*/0/snapshots", lambda handler: _replaced(handler, _with_link())),
    "the other shard fails": ("POST .*/1/snapshots", says(500, {"status": {"error": "disk full"}})),
    "it has no checksum": ("POST .*/0/snapshots", lambda handler: _without_checksum(handler)),
    "it has no name": ("POST .*/0/snapshots", lambda handler: _without_name(handler)),
}


def _replaced(handler: Handler, data: bytes) -> bool:
    handler.node.fleet.data[FIRST] = data
    return False


def _with_link() -> bytes:
    from tests.unit.stores.qdrant.live.archives import entry

    return entry("segments", kind=b"2", link="/etc") + bytes(1024)


def _without_checksum(handler: Handler) -> bool:
    handler.result({**handler.node.make(*FIRST), "checksum": None})
    return True


def _without_name(handler: Handler) -> bool:
    handler.node.make(*FIRST)
    handler.result({"name": "../../x", "size": 5, "checksum": "0"})
    return True


@pytest.mark.parametrize("what", FAULTS)
def test_it_is_gone_after_a_failure(node: Node, pool: Pool, tmp_path: Path, what: str) -> None:
    node.faults = [FAULTS[what]]
    with pytest.raises((UnsafeError, Failed), match=r"tenants/[01]"):
        _take(node, pool, tmp_path / "a")
    assert _ours(node) == [] and not [one for one in tmp_path.rglob("*") if one.is_symlink()]
    if what == "the other shard fails":  # whether the server made one all the same shows later
        assert len(_notes(pool)) == 1 and _settle(node, pool) == [False]
    else:
        assert _notes(pool) == []


def test_a_refusal_leaves_no_note(node: Node, pool: Pool, tmp_path: Path) -> None:
    node.faults = [("POST .*", says(403, {"status": {"error": "Forbidden"}}))]
    with pytest.raises(Failed, match="refuses the API key"):
        _take(node, pool, tmp_path / "a")
    assert _ours(node) == [] and _notes(pool) == []


def test_the_server_goes_on_making_it_after_the_connection_broke(node: Node, pool: Pool, tmp_path: Path) -> None:
    def broken(handler: Handler) -> bool:
        handler.node.make(*FIRST)
        return dropped(handler)

    node.faults = [("POST .*/0/snapshots", once(broken))]
    found = _take(node, pool, tmp_path / "a")
    assert found.details["collections"]["tenants"]["points"] == 1600
    assert _ours(node) == [] and _notes(pool) == []


def test_a_server_that_ends_while_it_makes_it_is_not_waited_for(node: Node, pool: Pool, tmp_path: Path) -> None:
    def ended(handler: Handler) -> bool:
        handler.node.faults = [(".*", dropped)]
        return dropped(handler)

    node.faults = [("POST .*/0/snapshots", ended)]
    (tmp_path / "a").mkdir()
    patient = Waits(connect=2.0, silence=1.0, making=3600.0, between=0.001)
    with pytest.raises(Failed, match=r"tenants/0.* cut the connection"):
        take("kb", _config(node), tmp_path / "a", lambda event: None, PoolNotes(pool, OWNER), waits=patient)
    assert len(node.asked) < 60 and len(_notes(pool)) == 1
    node.faults = []
    assert _settle(node, pool) == [False]


def test_what_cannot_be_removed_is_told_and_removed_by_the_next(node: Node, pool: Pool, tmp_path: Path) -> None:
    node.faults = [("DELETE .*/0/snapshots/.*", says(500, ""))]
    found = _take(node, pool, tmp_path / "a")
    (warning,) = found.warnings
    assert "may still be on the server" in warning and "envclone gc removes it" in warning
    assert len(_ours(node)) == 1 and len(_notes(pool)) == 1
    with pytest.raises(Failed):
        _settle(node, pool)
    node.faults = []
    assert _settle(node, pool) == [True]
    assert _ours(node) == [] and _notes(pool) == []


def test_one_that_somebody_else_removed_is_gone(node: Node, pool: Pool, tmp_path: Path) -> None:
    def removed(handler: Handler) -> bool:
        for name in _ours(handler.node):
            handler.node.made[FIRST].pop(name, None)
        return False

    node.faults = [("DELETE .*/0/snapshots/.*", removed)]
    assert _take(node, pool, tmp_path / "a").warnings == ()
    assert _notes(pool) == []


@pytest.mark.parametrize(
    ("signum", "where"),
    [
        (signal.SIGKILL, "POST .*/0/snapshots"),
        (signal.SIGKILL, "GET .*/0/snapshots/.*"),
        (signal.SIGTERM, "POST .*/0/snapshots"),
        (signal.SIGINT, "GET .*/0/snapshots/.*"),
    ],
)
def test_a_run_that_is_killed(node: Node, pool: Pool, tmp_path: Path, signum: signal.Signals, where: str) -> None:
    child: list[subprocess.Popen[bytes]] = []

    def killed(handler: Handler) -> bool:
        if handler.command == "POST":
            handler.node.make(*FIRST)
        child[0].send_signal(signum)
        child[0].wait(20)
        return dropped(handler)

    node.faults = [(where, once(killed))]
    (tmp_path / "into").mkdir()
    command = [sys.executable, "-c", CHILD, node.url, "operator-key", str(pool.path), str(tmp_path / "into")]
    child.append(subprocess.Popen(command, stderr=subprocess.PIPE, preexec_fn=_hearing))
    _, said = child[0].communicate(timeout=30)
    assert child[0].returncode != 0 and b"operator-key" not in said
    if signum == signal.SIGKILL:
        assert len(_ours(node)) == 1 and len(_notes(pool)) == 1
        assert "operator-key" not in (pool.path_of("owed", _notes(pool)[0])).read_text()
        assert list(left(pool, "other")) == list(left(pool, "acme", "test")) == []
        assert _settle(node, pool) == [True]
    assert _ours(node) == [] and _notes(pool) == []


def _hearing() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _noted(node: Node, pool: Pool, **facts: Any) -> None:
    """A note as a killed run leaves it before it knows a name."""
    about = {"entry": node.url, "url": node.url, "collection": "tenants", "shard": 0, "before": []}
    with PoolNotes(pool, OWNER).begin(about | facts):
        pass


def _date(moment: dt.datetime) -> str:
    return f"{moment:%a, %d %b %Y %H:%M:%S} GMT"


def test_what_is_not_surely_ours_stays(node: Node, pool: Pool) -> None:
    now = dt.datetime.now(dt.UTC)

    def place(seconds: float, name: str = "tenants-shard-0") -> str:
        made = f"{name}-{now + dt.timedelta(seconds=seconds):%Y-%m-%d-%H-%M-%S}.snapshot"
        node.made[FIRST][made] = b""
        return made

    before, early, late = place(5), place(-10), place(70)
    other, collection = place(5, "tenants-shard-01"), place(5, "tenants-588303273699527")
    node.made[FIRST]["tenants-shard-0-2026-99-01-00-00-00.snapshot"] = b""
    _noted(node, pool, before=[before], asked=_date(now))
    assert _settle(node, pool) == [False]
    ours = place(2)
    assert _settle(node, pool) == [True]
    assert ours not in node.left and {before, early, late, other, collection} <= set(node.left)
    _noted(node, pool, before=[before], asked=_date(now))
    both = {place(3), place(4)}
    with pytest.raises(UnsafeError, match="has 2 snapshots of the minute"):
        _settle(node, pool)
    assert both <= set(node.left) and len(_notes(pool)) == 1


def test_a_note_is_given_up_when_nothing_can_come_of_it(node: Node, pool: Pool) -> None:
    now = dt.datetime.now(dt.UTC)
    _noted(node, pool, asked=_date(now - dt.timedelta(hours=25)))
    _noted(node, pool, asked="")
    _noted(node, pool, asked=_date(now), collection="gone")
    _noted(node, pool, asked=_date(now), name="tenants-shard-0-2026-01-01-00-00-09.snapshot")
    assert _settle(node, pool) == [True] * 4 and _notes(pool) == []


def test_the_key_goes_to_no_server_that_the_stack_file_does_not_name(node: Node, pool: Pool) -> None:
    _noted(node, pool, entry="http://127.0.0.1:9", asked="")
    with pytest.raises(UnsafeError, match="names another Qdrant server"):
        _settle(node, pool)
    assert node.asked == []


def test_a_note_that_a_power_failure_cut(node: Node, pool: Pool) -> None:
    _noted(node, pool, asked=_date(dt.datetime.now(dt.UTC)))
    (name,) = _notes(pool)
    path = pool.path_of("owed", name)
    os.truncate(path, path.stat().st_size + 3)
    with path.open("ab") as file:
        file.write(b'{"name":"half')
    (note,) = left(pool, "acme")
    assert note.facts["collection"] == "tenants" and "name" not in note.facts
    path.write_bytes(b"")
    assert list(left(pool, "acme")) == [] and _notes(pool) == []
