"""Over two hundred files that were made to hurt: none crashes a worker, calls anybody, takes too much or leaves a trace."""

import asyncio
import io
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from services.ingest.media_safety.metadata_check import leaks
from services.ingest.media_safety.model import ADVICE, Cleaned, MediaLimits, MediaRefusal, Verdict
from services.ingest.media_safety.sandbox import LocalSandbox, ScreeningAnswer, make_safe
from tests.support.builders.hostile import EACH, KINDS, film, hostile

SEED = int(os.environ.get("KONULLU_SEED", "2026"))
AT_ONCE = 3
MOST_RESIDENT = 512 * 1024 * 1024


class Watched(LocalSandbox):
    """Remembers the most memory that was resident in any worker."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0

    async def run(self, source: BinaryIO, target: BinaryIO, limits: MediaLimits) -> ScreeningAnswer:
        said = await super().run(source, target, limits)
        if said.status == 0:
            self.peak = max(self.peak, json.loads(said.answer)["peak_bytes"])
        return said


@pytest.fixture(scope="module")
def whole_film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return film(tmp_path_factory.mktemp("film"))


@pytest.fixture
def lure() -> Iterator[socket.socket]:
    """A server that nobody may ask."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.fixture
async def room() -> asyncio.Semaphore:
    return asyncio.Semaphore(AT_ONCE)


def test_the_corpus_is_large_enough() -> None:
    assert EACH * len(KINDS) >= 200


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
async def test_files_that_were_made_to_hurt_do_not(
    tmp_path: Path, whole_film: bytes, lure: socket.socket, room: asyncio.Semaphore, kind: str
) -> None:
    sandbox = Watched()

    async def judge(name: str, content: bytes) -> Verdict:
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        (folder / "source").write_bytes(content)
        async with room:
            verdict = await make_safe(sandbox, folder / "source", folder / "clean", MediaLimits())
        left = {path.name for path in folder.iterdir()}
        assert left == ({"source", "clean"} if isinstance(verdict, Cleaned) else {"source"}), name
        if isinstance(verdict, Cleaned):
            made = (folder / "clean").read_bytes()
            assert leaks(io.BytesIO(made), verdict.type, len(made)) == [], name
            assert b"SECRET" not in made, name
        (folder / "source").unlink()
        return verdict

    address = f"http://127.0.0.1:{lure.getsockname()[1]}/lure"
    verdicts = await asyncio.gather(
        *(judge(name, content) for name, content in hostile(kind, SEED, address, whole_film))
    )

    for verdict in verdicts:
        if isinstance(verdict, MediaRefusal):
            assert verdict.code in ADVICE
            assert verdict.detail.endswith(".")
    assert sandbox.peak <= MOST_RESIDENT
    with pytest.raises(BlockingIOError):
        lure.accept()
    print(
        f"{kind}: {sum(isinstance(each, MediaRefusal) for each in verdicts)} of {len(verdicts)} refused, "
        f"at most {sandbox.peak / 2**20:.0f} MiB"
    )
