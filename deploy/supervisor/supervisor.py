"""`konullu up`: starts one stack in order, keeps it running, and stops it in order within eight seconds."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path

from deploy.supervisor import spawn
from deploy.supervisor.control import Answer, Control, Order, socket_path
from deploy.supervisor.home import Home, StackRecord, StackRefused, require_free_ports
from deploy.supervisor.layout import Layout
from deploy.supervisor.process import CONFIGURATION, Supervised, run_once
from deploy.supervisor.programs import Composition, Program, composition
from shared.campaign.model import Campaign, CampaignError

PATIENCE = 90.0
"""Seconds for a program to become ready, on a slow machine recovering much data."""
DEATHS_AT_START = 3
HOLDS_CREDENTIALS = "publisher"
"""The one program that is given the credentials of channels."""
TAIL = 12
_SAME_KEYSTROKE = 0.3
"""Seconds within which a second signal is the first one's echo: make and the terminal both send it."""


class Supervisor:
    """One stack from start to stop. `run` returns the exit status of `konullu up`."""

    def __init__(self, layout: Layout, compose: Callable[[Layout], Composition] = composition) -> None:
        self.layout = layout
        self._compose = compose
        self.environment = {**os.environ, **layout.environment(), "PYTHONUNBUFFERED": "1"}
        self._withheld: frozenset[str] = frozenset()
        """Variables that hold channels' credentials."""
        self._home = Home(layout.home)
        self._processes: dict[str, Supervised] = {}
        self._record: StackRecord | None = None
        self._control: Control | None = None
        self._stop = asyncio.Event()
        self._signalled_at: float | None = None

    async def run(self) -> int:
        began = time.monotonic()
        try:
            self._home.hold()
        except StackRefused as refusal:
            return _refuse(refusal)
        status = 0
        self._listen_to_signals()
        try:
            await self._unless_stopped(self._start(began))
            await self._stop.wait()
        except StackRefused as refusal:
            status = _refuse(refusal)
        finally:
            await self._stop_all()
            self._home.release()
        return status

    async def _start(self, began: float) -> None:
        for name in self._home.clear_leftovers():
            _say(f"ended {name}, left over from a stack that was killed")
        self._withheld = self._campaign().credential_variables
        require_free_ports(self.layout)
        control = Control(socket_path(self.layout.home), self._obey)
        await control.open()
        self._control = control
        self._record = StackRecord(
            pid=os.getpid(),
            started=spawn.started_at(os.getpid()),
            control=str(control.path),
            environment=self.layout.environment(),
        )
        self._write_record()
        parts = self._compose(self.layout)
        await self._bring_up(parts.engines)
        await self._provision(parts.provision, parts.provision_environment)
        await self._bring_up([*parts.services, parts.gateway])
        took = time.monotonic() - began
        self._announce(took, await self._first_administrator(parts.first_link))

    async def _bring_up(self, wanted: Sequence[Program]) -> None:
        for program in wanted:
            environment = self._environment_of(program.name)
            process = Supervised(program, environment, self.layout.logs, self._write_record)
            self._processes[program.name] = process
            process.start()
        try:
            async with asyncio.TaskGroup() as group:
                for program in wanted:
                    group.create_task(self._until_ready(self._processes[program.name]))
        except* StackRefused as refusals:
            raise refusals.exceptions[0] from None

    def _campaign(self) -> Campaign:
        """The campaign file. Raises `StackRefused` with its mistakes: nothing has been started yet."""
        try:
            return Campaign.load(self.layout.campaign)
        except CampaignError as error:
            text = f"the campaign file can't be used:\n{error}"
            raise StackRefused(text) from None

    def _environment_of(self, name: str) -> dict[str, str]:
        """The stack's environment as one program gets it."""
        kept_back = frozenset() if name == HOLDS_CREDENTIALS else self._withheld
        return {key: value for key, value in self.environment.items() if key not in kept_back}

    async def _until_ready(self, process: Supervised) -> None:
        began = time.monotonic()
        ready = asyncio.create_task(process.ready())
        try:
            while not ready.done():
                await asyncio.wait([ready], timeout=0.1)
                if not ready.done():
                    _require_hope(process, time.monotonic() - began)
        finally:
            ready.cancel()
        _say(f"✓ {process.program.name:<11} {process.program.address}  {time.monotonic() - began:.1f} s")

    async def _provision(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        log = self.layout.logs / "provision.log"
        try:
            status = await run_once(command, self._environment_of("provision") | dict(environment), log)
        except TimeoutError:
            status = -1
        if status:
            text = f"the broker could not be provisioned:\n{_tail(log)}"
            raise StackRefused(text)
        _say("✓ streams     provisioned")

    def _announce(self, took: float, link: str | None) -> None:
        url = self.layout.public_url
        print(f"\nKönüllü is up after {took:.1f} s. Everything it keeps is in {self.layout.home}\n")
        for path, what in {
            "/": "the public site",
            "/send": "volunteers send in",
            "/desk/moderation": "moderators review",
            "/desk/publisher": "editors publish",
            "/reach": "what was reached",
        }.items():
            print(f"  {url + path:<44} {what}")
        if link:
            print(f"\nSign in as the first administrator (once, within minutes):\n\n  {link}")
        print("\nCtrl-C stops it.", flush=True)

    async def _first_administrator(self, command: Sequence[str]) -> str | None:
        """A link as long as there is no administrator yet; ingest keeps the rule."""
        output = self.layout.home / "tmp/first-link"
        output.unlink(missing_ok=True)
        try:
            status = await run_once(command, self._environment_of("first link"), output)
            lines = output.read_text().splitlines()
            return next((line for line in lines if line.startswith("http") and status == 0), None)
        except TimeoutError:
            return None
        finally:
            output.unlink(missing_ok=True)

    async def _obey(self, order: Order) -> Answer:
        match order:
            case {"do": "status"}:
                return {"processes": {name: _described(each) for name, each in self._processes.items()}}
            case {"do": "restart", "name": str(name)} if name in self._processes:
                await self._processes[name].restart()
                return {"ready": name}
            case {"do": "down"}:
                self._stop.set()
                return {"stopping": os.getpid()}
            case _:
                known = ", ".join(self._processes)
                return {"error": f"there is no {order.get('name', order.get('do'))!r} here; there is {known}"}

    async def _stop_all(self) -> None:
        """Gateway, services, NATS, database: together at most eight seconds."""
        if self._processes:
            _say("stopping …")
        services = [name for name in self._processes if name not in {"gateway", "nats", "database"}]
        for step in (["gateway"], services, ["nats"], ["database"]):
            present = [self._processes[name] for name in step if name in self._processes]
            await asyncio.gather(*(process.stop() for process in present))
        if self._processes:
            _say("stopped")
        if self._control is not None:
            self._control.close()
        self._record = None

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        now = time.monotonic()
        if self._signalled_at is None:
            self._signalled_at = now
            self._stop.set()
        elif now - self._signalled_at > _SAME_KEYSTROKE:
            for process in self._processes.values():
                process.kill()

    async def _unless_stopped(self, work: Coroutine[None, None, None]) -> None:
        """Do the work, but leave it as soon as somebody wants to stop."""
        task = asyncio.create_task(work)
        stop = asyncio.create_task(self._stop.wait())
        await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        elif (error := task.exception()) is not None:
            raise error

    def _write_record(self) -> None:
        if self._record is not None:
            self._record.children = {
                name: (process.pid, spawn.started_at(process.pid))
                for name, process in self._processes.items()
                if process.pid is not None
            }
            self._record.write(self.layout.home)


def _require_hope(process: Supervised, waited: float) -> None:
    """Raises `StackRefused` with the end of the log when a program won't become ready."""
    name = process.program.name
    if process.last_exit == CONFIGURATION:
        reason = f"{name} refuses its configuration"
    elif process.deaths >= DEATHS_AT_START:
        reason = f"{name} died {process.deaths} times while starting (exit status {process.last_exit})"
    elif waited > PATIENCE:
        reason = f"{name} is not ready after {waited:.0f} s"
    else:
        return
    text = f"{reason}. Its log, {process.log}, ends:\n{_tail(process.log)}"
    raise StackRefused(text)


def _described(process: Supervised) -> Answer:
    return {
        "state": process.state,
        "pid": process.pid,
        "address": process.program.address,
        "deaths": process.deaths,
        "log": str(process.log),
    }


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    return "\n".join(f"  {line}" for line in lines[-TAIL:]) or "  (empty)"


def _refuse(refusal: StackRefused) -> int:
    print(f"konullu up: {refusal}", file=sys.stderr, flush=True)
    return 1


def _say(what: str) -> None:
    print(f"  {what}", flush=True)
