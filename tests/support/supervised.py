"""A stack of one's own for a test: started as a person starts it, watched from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy.supervisor import spawn
from deploy.supervisor.control import ask
from deploy.supervisor.home import Record
from tests.support.processes import free_base, until

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0
WHOLE = (sys.executable, "-m", "deploy.cli.main", "up")
TOY = (sys.executable, "-m", "tests.support.toy_stack")
"""Real engines and gateway; services that only say they are ready."""


class Stack:
    """One stack in a home. `start` returns at once; `up` when it has announced itself."""

    def __init__(self, home: Path, command: tuple[str, ...] = WHOLE, **environment: str) -> None:
        self.home = home
        self.base = free_base(13)
        self.command = command
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KONULLU_")}
        self.environment = clean | {
            "KONULLU_HOME": str(home),
            "KONULLU_PORT_BASE": str(self.base),
            **environment,
        }
        self.output = home.with_name(f"{home.name}.out")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self.process

    def up(self) -> Stack:
        process = self.start()
        until(
            lambda: "is up after" in self.said() or process.poll() is not None,
            seconds=PATIENCE,
            what="the stack",
        )
        assert process.poll() is None, self.said()
        return self

    def said(self) -> str:
        return self.output.read_text()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.base}{path}"

    def konullu(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command in another terminal that knows the home alone."""
        environment = {**self.environment}
        del environment["KONULLU_PORT_BASE"]
        command = [sys.executable, "-m", "deploy.cli.main", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def record(self) -> Record:
        record = Record.read(self.home)
        assert record is not None
        return record

    def processes(self) -> dict[str, dict[str, Any]]:
        described: dict[str, dict[str, Any]] = ask(Path(self.record().control), {"do": "status"})["processes"]
        return described

    def pids(self) -> dict[str, int]:
        return {name: pid for name, (pid, _) in self.record().children.items()}

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """SIGKILL of the supervisor alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE)

    def end(self) -> None:
        """Whatever happened, leave nothing behind."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        record = Record.read(self.home)
        for pid, started in (record.children if record else {}).values():
            if started is not None and spawn.started_at(pid) == started:
                spawn.kill_group(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    return spawn.started_at(pid) is not None
