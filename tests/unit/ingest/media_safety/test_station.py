"""The screening station as a process of its own, over its real socket: the same pass, the same answers."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.ingest.media_safety.confinement import can_confine
from services.ingest.media_safety.model import Cleaned, MediaLimits, MediaRefusal
from services.ingest.media_safety.sandbox import LocalSandbox, Station, make_safe, walls_of
from shared.failures import Unavailable
from tests.support.builders import media_corpus as corpus
from tests.support.processes import until

pytestmark = pytest.mark.skipif(not can_confine(), reason="this kernel offers no walls")


@pytest.fixture
def door() -> Iterator[Path]:
    """A short path: a socket's may have a hundred characters."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "socket"


@pytest.fixture
def station(door: Path) -> Iterator[Station]:
    process = subprocess.Popen(
        [sys.executable, "-m", "services.ingest.media_safety.station", str(door)],
        env={"PYTHONPATH": str(Path(__file__).parents[4])},
    )
    try:
        until(door.is_socket, seconds=60, what="the station's socket")
        yield Station(door)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


async def test_the_station_gives_the_verdict_that_the_local_pass_gives(
    station: Station, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    verdicts = []
    for content in (corpus.jpeg(), b"%PDF-1.7"):
        source.write_bytes(content)
        verdicts.append(
            [
                await make_safe(sandbox, source, tmp_path / "clean", MediaLimits())
                for sandbox in (station, LocalSandbox())
            ]
        )

    assert all(there == here for there, here in verdicts)
    assert [type(there) for there, _ in verdicts] == [Cleaned, MediaRefusal]


async def test_the_station_shuts_its_decoders_in(station: Station) -> None:
    assert await walls_of(station) == await walls_of(LocalSandbox())


async def test_callers_who_say_nothing_or_nonsense_do_not_stand_in_the_way(
    station: Station, door: Path, tmp_path: Path
) -> None:
    (tmp_path / "source").write_bytes(corpus.jpeg())
    strangers = []
    for words in (None, b"nonsense", b'{"photo_bytes": "many"}', b"{}"):
        stranger = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stranger.connect(str(door))
        if words is not None:
            socket.send_fds(stranger, [words], [])
        strangers.append(stranger)

    verdict = await make_safe(station, tmp_path / "source", tmp_path / "clean", MediaLimits())

    assert isinstance(verdict, Cleaned)
    for stranger in strangers:
        stranger.close()


async def test_who_hangs_up_leaves_room_for_others(station: Station, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(corpus.png_bomb(6_000, 6_000))
    for _ in range(6):
        leaving = asyncio.create_task(make_safe(station, source, tmp_path / "left", MediaLimits()))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    source.write_bytes(corpus.jpeg())

    verdict = await make_safe(station, source, tmp_path / "clean", MediaLimits())

    assert isinstance(verdict, Cleaned)
    assert not (tmp_path / "left").exists()


async def test_a_station_that_is_away_is_waited_for_not_held_against_the_file(
    door: Path, tmp_path: Path
) -> None:
    (tmp_path / "source").write_bytes(corpus.jpeg())

    with pytest.raises(Unavailable):
        await make_safe(Station(door), tmp_path / "source", tmp_path / "clean", MediaLimits())

    assert not os.path.lexists(tmp_path / "clean")
