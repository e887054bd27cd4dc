"""Clicks wait on the disk until the bus has them, whatever happens to the process."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from services.metrics.clicks.service import click_on
from services.metrics.clicks.spool import Folder, Spool
from shared.events import ReachClicked
from shared.failures import Unavailable

NOW = datetime(2026, 11, 20, tzinfo=UTC)


class Bus:
    """Takes clicks while it is there."""

    def __init__(self) -> None:
        self.there = True
        self.after = 10_000
        """Clicks until it goes away."""
        self.taken: list[UUID] = []

    async def publish(self, event: ReachClicked) -> None:
        if not self.there or len(self.taken) >= self.after:
            reason = "the broker"
            raise Unavailable(reason)
        self.taken.append(event.event_id)


@pytest.fixture
def bus() -> Bus:
    return Bus()


def clicks(count: int) -> list[ReachClicked]:
    return [click_on("abcdefghij", NOW) for _ in range(count)]


async def test_what_is_on_the_disk_is_published(tmp_path: Path, bus: Bus) -> None:
    spool, events = Spool(tmp_path, bus.publish), clicks(500)

    stored = await asyncio.gather(*(spool.add(event) for event in events))
    await spool.drain()
    await spool.close()

    assert stored == [True] * 500
    assert bus.taken == [event.event_id for event in events]


async def test_clicks_wait_while_the_bus_is_away(tmp_path: Path, bus: Bus) -> None:
    spool, events = Spool(tmp_path, bus.publish), clicks(3)
    bus.there = False
    for event in events:
        assert await spool.add(event)
    with pytest.raises(Unavailable):
        await spool.drain()

    bus.there = True
    await spool.drain()
    await spool.close()

    assert bus.taken == [event.event_id for event in events]


async def test_a_process_that_dies_leaves_its_clicks_to_the_next(tmp_path: Path, bus: Bus) -> None:
    first, events = Spool(tmp_path, bus.publish), clicks(5)
    for event in events:
        await first.add(event)
    # A kill closes the files and with them the lock, and may cut the last line.
    assert first._folder is not None
    segment = first._folder.segments()[0]
    first._folder.release()
    with segment.open("ab") as file:
        file.write(b'{"event_id": "cut o')

    second = Spool(tmp_path, bus.publish)
    more = clicks(2)
    for event in more:
        await second.add(event)
    await second.drain()
    await second.close()

    assert bus.taken == [event.event_id for event in (*events, *more)]


async def test_living_processes_have_folders_of_their_own_and_empty_those_of_the_dead(
    tmp_path: Path, bus: Bus
) -> None:
    alive, dead = Spool(tmp_path, bus.publish), Spool(tmp_path, bus.publish)
    mine, its = clicks(2), clicks(3)
    for event in mine:
        await alive.add(event)
    for event in its:
        await dead.add(event)
    assert {alive._own().path.name, dead._own().path.name} == {"clicks-000", "clicks-001"}
    await alive._take_over()
    assert bus.taken == []
    dead._own().release()

    await alive._take_over()
    await alive.close()

    assert bus.taken == [event.event_id for event in its]
    assert not list((tmp_path / "clicks-001").glob("*.jsonl"))


async def test_what_was_confirmed_is_not_published_again_and_the_rest_is(tmp_path: Path, bus: Bus) -> None:
    spool, events = Spool(tmp_path, bus.publish), clicks(450)
    await asyncio.gather(*(spool.add(event) for event in events))
    bus.after = 250
    with pytest.raises(Unavailable):
        await spool.drain()
    bus.after = 10_000
    await spool.drain()
    await spool.close()

    assert set(bus.taken) == {event.event_id for event in events}
    assert len(bus.taken) <= 450 + 200


async def test_a_disk_that_takes_nothing_loses_the_click_and_says_so(tmp_path: Path, bus: Bus) -> None:
    (tmp_path / "file").write_text("not a folder")
    spool = Spool(tmp_path / "file", bus.publish)

    assert await spool.add(clicks(1)[0]) is False


def test_full_segments_are_followed_by_new_ones_and_removed_when_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.metrics.clicks.spool.SEGMENT_BYTES", 100)
    folder = Folder.claim(tmp_path / "clicks-000")
    assert folder is not None
    for number in range(5):
        folder.write(b"%d" % number + b"x" * 120 + b"\n")

    read = []
    while (page := folder.next_page()) is not None:
        lines, segment, end = page
        read += lines
        folder.confirm(segment, end)

    assert [line[:1] for line in read] == [b"0", b"1", b"2", b"3", b"4"]
    assert len(folder.segments()) == 1
    folder.release()
