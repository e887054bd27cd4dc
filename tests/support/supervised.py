"""A stack as a person starts it in a terminal, watched from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from deploy.supervisor import spawn
from deploy.supervisor.control import ask
from deploy.supervisor.home import StackRecord
from tests.support.processes import BUSY, ROOT, cpu_seconds, free_base, until

PATIENCE: Final = 90.0
KONULLU: Final = (sys.executable, "-m", "deploy.cli.main")
WHOLE: Final = (*KONULLU, "up")
TOY: Final = (sys.executable, "-m", "tests.support.toy_stack")
"""Real engines and gateway; services that only say they are ready."""


class Supervised:
    """One stack in a home. `start` returns at once; `up` when it has announced itself. `base` is the gateway's port."""

    def __init__(
        self, home: Path, program: tuple[str, ...] = WHOLE, environment: Mapping[str, str] | None = None
    ) -> None:
        self.home = home
        self.base = free_base(13)
        self.program = program
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KONULLU_")}
        self.environment = clean | {
            "KONULLU_HOME": str(home),
            "KONULLU_PORT_BASE": str(self.base),
            **(environment or {}),
        }
        self.log = home.with_name(f"{home.name}.out")
        self.process: subprocess.Popen[bytes] | None = None
        self._said_before = 0

    def start(self) -> subprocess.Popen[bytes]:
        """Start the supervisor."""
        self._said_before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.program,
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self.process

    def up(self) -> Supervised:
        """Start it, and wait until it says that it is up."""
        process = self.start()
        until(
            lambda: "is up after" in self.said() or process.poll() is not None,
            seconds=PATIENCE,
            what="the stack",
        )
        assert process.poll() is None, self.said()
        return self

    def said(self) -> str:
        """What it has printed since it was last started."""
        return self.log.read_bytes()[self._said_before :].decode()

    @property
    def url(self) -> str:
        """The gateway."""
        return f"http://127.0.0.1:{self.base}"

    def konullu(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command in another terminal that knows the home alone."""
        environment = {**self.environment}
        del environment["KONULLU_PORT_BASE"]
        return subprocess.run(
            [*KONULLU, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE * BUSY,
            check=False,
        )

    def command(self, *arguments: str) -> str:
        """A `konullu` command; what it prints. Raises with its errors when it fails."""
        done = self.konullu(*arguments)
        if done.returncode != 0:
            text = (
                f"konullu {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
            )
            raise RuntimeError(text)
        return done.stdout.strip()

    def record(self) -> StackRecord:
        """What the supervisor has written down about itself."""
        record = StackRecord.read(self.home)
        assert record is not None
        return record

    def processes(self) -> dict[str, dict[str, Any]]:
        """Each process as the supervisor describes it."""
        described: dict[str, dict[str, Any]] = ask(Path(self.record().control), {"do": "status"})["processes"]
        return described

    def pids(self) -> dict[str, int]:
        """The processes that the supervisor has started and not yet seen end, by name."""
        children = json.loads((self.home / "run.json").read_text())["children"]
        return {name: int(found[0]) for name, found in children.items()}

    def cpu(self) -> dict[str, float]:
        """Seconds of processor time that each of them has used so far."""
        return {name: cpu_seconds(pid) for name, pid in self.pids().items()}

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE * BUSY)

    def kill(self) -> None:
        """SIGKILL of the supervisor alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE * BUSY)

    def end(self) -> None:
        """Whatever happened, leave nothing behind."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE * BUSY)
        record = StackRecord.read(self.home)
        for pid, started in (record.children if record else {}).values():
            if started is not None and spawn.started_at(pid) == started:
                spawn.kill_group(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    return spawn.started_at(pid) is not None
