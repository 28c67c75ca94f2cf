"""The real Docker Engine for tests: an image of this Python with a small application, and looks from outside."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from pathlib import Path

from envclone import process
from envclone.models import ServerFiles
from envclone.runtimes.docker import engine, serverimage

APP = Path(__file__).parent / "app"
ROOT = Path(__file__).parents[2]
_LEFT_OUT = {
    "test",
    "site-packages",
    "idlelib",
    "ensurepip",
    "lib2to3",
    "tkinter",
    "turtledemo",
    "pydoc_data",
    "__pycache__",
}
_PACKAGES = """
    psycopg psycopg_binary psycopg_binary.libs typing_extensions.py qdrant_edge
    httpx httpcore h11 anyio idna certifi requests urllib3 charset_normalizer
""".split()  # noqa: SIM905
_FRAMEWORK = """
    langgraph langchain_core langchain_openai langchain_protocol langsmith openai tiktoken jiter regex orjson ormsgpack
    psycopg_pool httpx2 httpcore2 truststore sniffio distro jsonpatch.py jsonpointer.py packaging pydantic pydantic_core
    annotated_types typing_inspection yaml _yaml tenacity uuid_utils xxhash zstandard requests_toolbelt websockets
    langgraph_sdk tiktoken_ext
""".split()  # noqa: SIM905
_CLOCK = tuple(Path("/usr/lib").glob("*/faketime"))
"""libfaketime, as Debian has it."""


def app_image() -> str:
    """The applications' image, made once: this Python, psycopg, clients of HTTP, a vector engine, LangGraph."""
    base = Path(sys.base_prefix)
    library = base / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    paths = [path for path in library.iterdir() if path.name not in _LEFT_OUT and not path.name.startswith("config-")]
    site = Path(_package("psycopg")).parent
    paths += [site / name for name in (*_PACKAGES, *_FRAMEWORK)]
    paths += [
        one for path in paths if path.is_dir() for one in path.rglob("__pycache__")
    ]  # or each start compiles them
    paths += [library / "__pycache__", *site.glob("*.dist-info/METADATA")]
    paths += [path for path in _CLOCK if path.exists()]
    paths += [path for path in site.glob("qdrant_edge*") if path.is_dir() and path not in paths]
    python = base / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    marks = "".join(
        f"{path}:{path.stat().st_mtime_ns}" for path in (python, *(site / n for n in ("psycopg", "langgraph")), *_CLOCK)
    )
    programs = "".join(path.read_text() for path in sorted(APP.glob("*.py")))
    name = f"envclone-test/app:{_digest(marks + str(ROOT) + programs + Path(__file__).read_text())}"
    files = ServerFiles(name, (*paths, APP, python), (python,), ROOT)
    with contextlib.closing(engine.connect()) as client:
        return serverimage.ensure(client, files, lambda event: None)


def environment() -> dict[str, str]:
    """What Python needs in the image to find its packages."""
    return {"PYTHONPATH": str(inside(Path(_package("psycopg")).parent)), "PYTHONDONTWRITEBYTECODE": "1"}


def inside(path: Path) -> Path:
    """Where a file of this repository is in the image."""
    return ServerFiles("", (), (), ROOT).inside(path)


def python() -> str:
    """The interpreter's name in the image."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def containers(pool: Path, branch: str | None = None) -> list[str]:
    """Ids of all containers of a pool, or of one of its branches."""
    filters = ["--filter", f"label=io.envclone.pool={pool}"]
    filters += ["--filter", f"label=io.envclone.branch={branch}"] if branch else []
    return process.run(["docker", "ps", "--all", "--quiet", *filters]).stdout.split()


def _package(name: str) -> str:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.submodule_search_locations
    return spec.submodule_search_locations[0]


def _digest(text: str) -> str:
    import hashlib

    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
