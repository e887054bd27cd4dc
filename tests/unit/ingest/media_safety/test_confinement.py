"""What a decoder that was taken over can reach: the two files it holds, and nothing else."""

import asyncio
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.ingest.media_safety.confinement import can_confine, enough
from services.ingest.media_safety.model import MediaLimits
from services.ingest.media_safety.sandbox import LocalSandbox, NotIsolated, make_safe, walls_of
from tests.support.builders import media_corpus as corpus
from tests.unit.ingest.media_safety.prisoner import MAGIC, attempts

pytestmark = pytest.mark.skipif(not can_confine(), reason="this kernel offers no walls")

SECRET = ctypes.create_string_buffer(b"a key in memory!", 16)
NEVER = {"own source", "own environment"}
"""Out of reach without any wall: the file is not open for writing, and no environment is handed on."""


@pytest.fixture
def things(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What must not be reached, all of it there to be reached by this very process."""
    home = tmp_path / "home"
    for folder in ("keys", "media/quarantine/u1", "media/site"):
        (home / folder).mkdir(parents=True)
    (home / "keys" / "tokens.pem").write_text("PRIVATE KEY")
    (home / "media" / "quarantine" / "u1" / "0-aa").write_text("somebody's photo")
    with ExitStack() as open_doors:
        supervisor, abstract = (
            open_doors.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) for _ in range(2)
        )
        supervisor.bind(str(home / "control"))
        abstract.bind(f"\0konullu-{os.getpid()}")
        for door in (supervisor, abstract):
            door.listen(8)
        server = open_doors.enter_context(socket.create_server(("127.0.0.1", 0)))
        yield {
            "key": str(home / "keys" / "tokens.pem"),
            "quarantine": str(home / "media" / "quarantine"),
            "site": str(home / "media" / "site"),
            "supervisor": str(home / "control"),
            "abstract": f"\0konullu-{os.getpid()}",
            "port": str(server.getsockname()[1]),
            "memory_at": str(ctypes.addressof(SECRET)),
        }


async def looked_around(tmp_path: Path, things: dict[str, str]) -> dict[str, list[str]]:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(MAGIC + json.dumps(things).encode())
    with source.open("rb", 0) as given, target.open("w+b", 0) as made:
        sandbox = LocalSandbox(waived="free" in things, program="tests.unit.ingest.media_safety.prisoner")
        said = await sandbox.run(given, made, MediaLimits())
    assert said.status == 0, said.complaint.decode()
    found: dict[str, list[str]] = json.loads(target.read_bytes())
    return found


async def test_a_decoder_that_was_taken_over_reaches_nothing(
    tmp_path: Path, things: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KONULLU_SECRET", "in the environment")

    found = await looked_around(tmp_path, things)

    assert found == {"reached": [], "calls": []}
    assert list(Path(things["site"]).iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user may be kept from some of it anyway")
async def test_without_walls_the_same_attempts_succeed(tmp_path: Path, things: dict[str, str]) -> None:
    found = await looked_around(tmp_path, things | {"free": "yes"})

    assert set(attempts(things)) - NEVER == set(found["reached"])


async def test_the_worker_tells_which_walls_stand() -> None:
    walls = await walls_of(LocalSandbox())

    assert "call_filter" in walls
    assert {"landlock", "own_root"} & set(walls)


@pytest.mark.parametrize(
    ("walls", "suffice"),
    [
        ([], False),
        (["call_filter"], False),
        (["landlock", "own_root", "own_network", "own_user"], False),
        (["call_filter", "own_network", "own_user"], False),
        (["call_filter", "landlock"], True),
        (["call_filter", "own_root"], True),
    ],
)
def test_two_walls_must_stand_of_which_one_is_the_call_filter(walls: list[str], suffice: bool) -> None:
    assert enough(walls) is suffice  # type: ignore[arg-type]  # names of walls


async def test_no_decoder_runs_without_walls_unless_that_is_waived(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(corpus.jpeg())

    with pytest.raises(NotIsolated, match="none"):
        await make_safe(
            LocalSandbox(program="tests.unit.ingest.media_safety.no_walls"), source, target, MediaLimits()
        )
    waived = LocalSandbox(waived=True, program="tests.unit.ingest.media_safety.no_walls")

    assert not target.exists()
    assert (await make_safe(waived, source, target, MediaLimits())).__class__.__name__ == "Cleaned"


def test_the_worker_dies_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from services.ingest.media_safety.sandbox import LocalSandbox\n"
        "from services.ingest.media_safety.model import MediaLimits\n"
        "async def main():\n"
        "    with open(sys.argv[1], 'rb', 0) as s, open(sys.argv[2], 'w+b', 0) as t:\n"
        "        await LocalSandbox(program='tests.unit.ingest.media_safety.sleeper').run(s, t, MediaLimits())\n"
        "asyncio.run(main())"
    )
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(MAGIC)
    parent = subprocess.Popen([sys.executable, "-c", program, str(source), str(target)])
    try:
        deadline = time.monotonic() + 150
        while not (target.exists() and target.read_bytes()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        worker = int(target.read_bytes())
        assert alive(worker)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()

    while alive(worker):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_worker_that_never_stops_talking_is_heard_out_in_bounded_memory(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(MAGIC)
    with source.open("rb", 0) as given, target.open("w+b", 0) as made:
        said = await asyncio.wait_for(
            LocalSandbox(program="tests.unit.ingest.media_safety.talker").run(given, made, MediaLimits()), 120
        )

    assert (said.status, len(said.answer)) == (0, 16 * 1024)
