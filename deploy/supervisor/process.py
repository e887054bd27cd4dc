"""One supervised process: started, watched, started again when it dies, stopped within its grace."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from deploy.supervisor import spawn
from deploy.supervisor.programs import Program

State = Literal["starting", "ready", "waiting", "stopped"]
CONFIGURATION = 78
"""Exit status (EX_CONFIG) of a process whose settings can't be right however often it is started."""
PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
"""Seconds before the n-th start in a row that failed; the first is at once, the last repeats."""
SETTLED = 30.0
"""A process that was ready for so many seconds starts its pauses afresh."""
LONGEST_RUN = 60.0
"""Seconds that a program which runs once may take."""
_LOOK = 0.05


def pause_before(restart: int) -> float:
    """Seconds to wait before the given restart in a row, counted from 0."""
    return PAUSES[min(restart, len(PAUSES) - 1)]


class Supervised:
    """Keeps one program running. `changed` is called whenever its process id or state has changed."""

    def __init__(
        self, program: Program, environment: Mapping[str, str], logs: Path, changed: Callable[[], None]
    ) -> None:
        self.program = program
        self.log = logs / f"{program.name}.log"
        self.state: State = "stopped"
        self.deaths = 0
        self.last_exit: int | None = None
        self.pid: int | None = None
        self._environment = {**environment, **program.environment}
        self._changed = changed
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._expected = False
        self._ready = asyncio.Event()

    def start(self) -> None:
        self._stopping.clear()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.program.name}")

    async def ready(self) -> None:
        """Return when the process answers its question of readiness."""
        await self._ready.wait()

    async def restart(self) -> None:
        """Stop the process within its grace; its keeper starts the next one. Return when that is ready."""
        self._ready.clear()
        if self._process is None:
            await self.stop()
            self.start()
        else:
            self._expected = True
            await self._end()
        await self.ready()

    async def stop(self) -> None:
        self._stopping.set()
        await self._end()
        if self._keeper is not None:
            await self._keeper

    def kill(self) -> None:
        """End it at once, with everything it started."""
        self._stopping.set()
        if self._process is not None:
            spawn.kill_group(self._process.pid, signal.SIGKILL)

    async def _end(self) -> None:
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(self.program.grace):
                await _exited(process)
        except TimeoutError:
            spawn.kill_group(process.pid, signal.SIGKILL)
            await _exited(process)

    async def _keep(self) -> None:
        failed = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            self.last_exit = await self._run_once()
            if self._stopping.is_set():
                break
            if self._expected:
                self._expected, failed = False, 0
                continue
            self.deaths += 1
            failed = 0 if time.monotonic() - began > SETTLED else failed
            self._become("waiting")
            await self._pause(pause_before(failed))
            failed += 1
        self._become("stopped")

    async def _run_once(self) -> int:
        try:
            process = spawn.start(self.program.argv, self._environment, self.log)
        except OSError as error:
            self.log.write_text(f"{self.program.argv[0]}: {error}\n")
            return CONFIGURATION
        self._process, self.pid = process, process.pid
        self._become("starting")
        watch = asyncio.create_task(self._watch_readiness())
        status = await _exited(process)
        watch.cancel()
        spawn.kill_group(process.pid, signal.SIGKILL)
        self._process = self.pid = None
        self._ready.clear()
        return status

    async def _watch_readiness(self) -> None:
        while not await self.program.ready():
            await asyncio.sleep(_LOOK)
        self._become("ready")
        self._ready.set()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _become(self, state: State) -> None:
        self.state = state
        self._changed()


async def run_once(argv: Sequence[str], environment: Mapping[str, str], output: Path) -> int:
    """Run a program to its end, its output appended to a file; returns its exit status.

    Raises `TimeoutError`, and ends the program, when it takes longer than `LONGEST_RUN`.
    """
    process = spawn.start(argv, environment, output)
    try:
        async with asyncio.timeout(LONGEST_RUN):
            return await _exited(process)
    finally:
        spawn.kill_group(process.pid, signal.SIGKILL)
        process.wait()


async def _exited(process: subprocess.Popen[bytes]) -> int:
    """Looks instead of waiting in a thread: a process that starts others safely must have one thread only."""
    while (status := process.poll()) is None:
        await asyncio.sleep(_LOOK)
    return status
