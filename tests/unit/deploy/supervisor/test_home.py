import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.supervisor.home import Home, StackRecord, StackRefused
from deploy.supervisor.process import PAUSES, pause_before
from deploy.supervisor.spawn import started_at
from tests.support.processes import until


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
    ) as one:
        yield one
        one.kill()


def _record(children: dict[str, tuple[int, str | None]]) -> StackRecord:
    return StackRecord(pid=1, started="long ago", control="/nowhere", environment={}, children=children)


def test_a_leftover_is_ended(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    _record({"nats": (sleeper.pid, started_at(sleeper.pid))}).write(tmp_path)

    ended = Home(tmp_path).clear_leftovers()

    assert ended == ["nats"]
    until(lambda: sleeper.poll() is not None, seconds=5, what="its end")


def test_a_stranger_with_a_recycled_process_id_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    _record({"nats": (sleeper.pid, "another time")}).write(tmp_path)

    ended = Home(tmp_path).clear_leftovers()

    assert ended == []
    assert sleeper.poll() is None


def test_a_torn_record_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"pid": 1, "sta')

    assert StackRecord.read(tmp_path) is None
    assert Home(tmp_path).clear_leftovers() == []


def test_a_home_is_held_once_and_let_go(tmp_path: Path) -> None:
    first, second = Home(tmp_path / "home"), Home(tmp_path / "home")
    first.hold()

    with pytest.raises(StackRefused, match=str(os.getpid())):
        second.hold()
    first.release()
    second.hold()
    second.release()


def test_a_home_that_cannot_be_made_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StackRefused, match="KONULLU_HOME"):
        Home(tmp_path / "file" / "home").hold()


def test_the_first_restart_is_immediate_and_pauses_end_at_ten_seconds() -> None:
    assert pause_before(0) == 0.0
    assert [pause_before(n) for n in range(20)] == sorted(pause_before(n) for n in range(20))
    assert pause_before(1000) == PAUSES[-1] == 10.0
