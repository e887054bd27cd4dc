"""The home folder of a stack: who holds it, what runs in it, and what an earlier stack left behind."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deploy.supervisor import spawn
from deploy.supervisor.layout import LOOPBACK, Layout

RECORD = "run.json"
LOCK = "lock"
_DEAD_WITHIN = 5.0


class StackRefused(Exception):
    """The stack can't start. The text says why and what to do."""


@dataclass
class StackRecord:
    """What later commands, and the next start, need to know of a running stack. Kept in `run.json` (0600)."""

    pid: int
    started: str | None
    control: str
    """Path of the unix socket that takes orders."""
    environment: dict[str, str]
    children: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    """Process id and start time, by name."""

    @classmethod
    def read(cls, home: Path) -> StackRecord | None:
        try:
            stored: dict[str, Any] = json.loads((home / RECORD).read_text())
        except (OSError, ValueError):
            return None
        children = {name: (pid, started) for name, (pid, started) in stored.pop("children", {}).items()}
        return cls(**stored, children=children)

    def write(self, home: Path) -> None:
        fresh = home / f"{RECORD}.new"
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(asdict(self), indent=1))
        fresh.replace(home / RECORD)

    def alive(self) -> bool:
        return self.started is not None and spawn.started_at(self.pid) == self.started


class Home:
    """The folder, held by one supervisor at a time. The kernel lets go of it when the holder dies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: int | None = None

    def hold(self) -> None:
        """Raises `StackRefused` when another supervisor holds the folder or it can't be written."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            for part in ("logs", "keys", "tmp"):
                (self.folder / part).mkdir(mode=0o700, exist_ok=True)
            lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            text = f"the home {self.folder} can't be used: {error.strerror}. Choose another with KONULLU_HOME"
            raise StackRefused(text) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode().strip() or "unknown"
            os.close(lock)
            text = (
                f"the home {self.folder} is in use by the stack with process id {holder}. "
                "Stop it with `make down`, or run beside it: KONULLU_HOME=… KONULLU_PORT_BASE=8500 make up"
            )
            raise StackRefused(text) from None
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        self._lock = lock

    def release(self) -> None:
        if self._lock is not None:
            (self.folder / RECORD).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def clear_leftovers(self) -> list[str]:
        """End what a killed supervisor left running, told by process id and start time. Returns the names."""
        record = StackRecord.read(self.folder)
        if record is None:
            return []
        left = {
            name: pid
            for name, (pid, started) in record.children.items()
            if started is not None and spawn.started_at(pid) == started
        }
        for pid in left.values():
            spawn.kill_group(pid, signal.SIGKILL)
        deadline = time.monotonic() + _DEAD_WITHIN
        while any(spawn.started_at(pid) for pid in left.values()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return sorted(left)


def require_free_ports(layout: Layout) -> None:
    """Raises `StackRefused` naming every port that something else listens on."""
    busy = [f"{port} ({name})" for name, port in layout.ports().items() if _is_busy(port)]
    if busy:
        which = f"port {busy[0]} is" if len(busy) == 1 else f"ports {', '.join(busy)} are"
        suggestion = layout.port_base + 100
        text = f"{which} taken by another program. Move the stack: KONULLU_PORT_BASE={suggestion} make up"
        raise StackRefused(text)


def _is_busy(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
