"""Real server processes for tests: started on free ports, ended by their own id, gone with the test run."""

import asyncio
import fcntl
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared.settings import embedded_database

BIN: Final = Path(sys.executable).parent
ROOT: Final = Path(__file__).resolve().parents[2]
"""The repository."""
START_SECONDS: Final = 30.0
BUSY: Final = 3.0
"""How many times slower than a calm machine this one may be before a deadline says anything."""
PATIENT_MS: Final = 60_000
"""A busy machine's disk may take longer than a service would wait: the database time limit of a test's own client."""
TICKS: Final = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far, with the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[number]) for number in (11, 12, 13, 14)) / TICKS


def free_port() -> int:
    """A port that nobody listens on now, and that no other test of this machine will be given while we run."""
    return _reserved(range(10000, 19999), ports=1)


def free_base(ports: int = 13) -> int:
    """A port base with this many free ports after it, for a whole stack."""
    return _reserved(range(20000, 32600, 20), ports=ports)


def _reserved(candidates: range, *, ports: int) -> int:
    """One of the candidates, ours until this process ends. They lie below what outgoing connections take."""
    folder = Path(tempfile.gettempdir()) / f"konullu-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    while True:
        candidate = random.choice(candidates)
        claim = os.open(folder / str(candidate), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(claim)
            continue
        if all(_is_free(candidate + offset) for offset in range(ports)):
            _claims.append(claim)
            return candidate
        os.close(claim)


_claims: list[int] = []
"""Open files whose locks last as long as this process: parallel workers and other runs take other ports."""


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Poll until `condition` holds. Raises `TimeoutError` naming `what` after the deadline, which a busy machine moves."""
    deadline = time.monotonic() + seconds * BUSY
    while not condition():
        if time.monotonic() > deadline:
            text = f"{what}: not within {seconds} s"
            raise TimeoutError(text)
        time.sleep(0.05)


def within(seconds: float) -> asyncio.Timeout:
    """A deadline for what is awaited, which a busy machine moves."""
    return asyncio.timeout(seconds * BUSY)


def answers(port: int) -> bool:
    """Whether somebody listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Server:
    """A process with an address. `restart` starts it again with the same command, on the same data and port."""

    command: list[str]
    url: str
    port: int
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, **self.environment},
            )
        until(
            lambda: answers(self.port) or self._died(),
            seconds=START_SECONDS,
            what=f"{self.command[0]} listening",
        )

    def _died(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            text = f"{self.command} exited with {self.process.returncode}:\n{self.log.read_text()[-2000:]}"
            raise RuntimeError(text)
        return False

    def cpu(self) -> float:
        """Seconds of processor time that the process has used."""
        assert self.process is not None
        return cpu_seconds(self.process.pid)

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(10)

    def stop(self) -> None:
        """Ask it to end, and insist."""
        if self.process is None or self.process.poll() is not None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()

    def restart(self) -> None:
        """Start it again after a kill or stop."""
        self.stop()
        self.start()


def start_mongo(folder: Path) -> Server:
    """The MongoDB-compatible server, over `folder`."""
    port = free_port()
    server = Server(
        [
            str(BIN / "secantusd-py"),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--storage-path",
            str(folder / "data"),
            "--sync-on-commit",
            "--log-level",
            "WARNING",
            "--cache-size",
            "256M",
        ],
        embedded_database(port),
        port,
        folder / "mongo.log",
    )
    server.start()
    return server


def start_nats(folder: Path, more: str = "") -> Server:
    """A broker with JetStream that syncs every write, over `folder`; `more` goes into its configuration."""
    port = free_port()
    config = folder / "nats.conf"
    config.write_text(
        f'port: {port}\nhost: "127.0.0.1"\nserver_name: "test-{port}"\n'
        f'jetstream {{ store_dir: "{folder / "store"}", sync_interval: always, max_file_store: 20GB }}\n{more}\n'
    )
    server = Server(
        [str(BIN / "nats-server"), "-c", str(config)], f"nats://127.0.0.1:{port}", port, folder / "nats.log"
    )
    server.start()
    return server
