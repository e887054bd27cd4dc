"""Finding the running stack by its home, and giving it orders."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.supervisor.control import Answer, Order, ask
from deploy.supervisor.home import StackRecord
from deploy.supervisor.layout import ROOT, Layout, network_name
from shared.settings import Settings

_STOPPED_WITHIN = 15.0


class CommandError(Exception):
    """The command can't do what was asked. The text says why and what to do."""


@dataclass(frozen=True)
class Stack:
    """What commands talk to: a stack that runs in a home, or services named by the environment."""

    settings: Settings
    environment: dict[str, str]
    record: StackRecord | None

    @classmethod
    def find(cls) -> Stack:
        """By `KONULLU_HOME`: a running stack's own record stands over other variables."""
        settings = Settings.from_env()
        record = StackRecord.read(settings.home.absolute())
        if record is None or not record.alive():
            mine = {"KONULLU_HOME": str(settings.home.absolute())}
            return cls(settings, {**os.environ, **mine}, None)
        environment = {**os.environ, **record.environment}
        os.environ.update(record.environment)
        return cls(Settings.from_env(), environment, record)

    def running(self) -> StackRecord:
        """Raises `CommandError` when no stack runs in this home."""
        if self.record is None:
            home = self.settings.home.absolute()
            text = f"no stack runs in {home}. Start it with `make up`, or name its home with KONULLU_HOME"
            raise CommandError(text)
        return self.record

    def order(self, order: Order) -> Answer:
        """Raises `CommandError` when the stack doesn't answer or refuses."""
        record = self.running()
        try:
            answer = ask(Path(record.control), order)
        except (OSError, ValueError) as error:
            text = f"the stack with process id {record.pid} does not answer: {error}"
            raise CommandError(text) from None
        if "error" in answer:
            raise CommandError(str(answer["error"]))
        return answer

    def down(self) -> None:
        """Stop it and return when it has stopped. Raises `CommandError` when it hasn't in time."""
        record = self.running()
        self.order({"do": "down"})
        deadline = time.monotonic() + _STOPPED_WITHIN
        while record.alive():
            if time.monotonic() > deadline:
                text = f"it has not stopped after {_STOPPED_WITHIN:.0f} s; its process id is {record.pid}"
                raise CommandError(text)
            time.sleep(0.05)

    def run_module(self, module: str, *arguments: str) -> int:
        """Run a service's own command in this stack's environment; returns its exit status."""
        return subprocess.run(
            [sys.executable, "-m", module, *arguments], env=self.environment, cwd=ROOT, check=False
        ).returncode


def layout() -> Layout:
    """The stack that `konullu up` would start, from the environment."""
    name = network_name()
    # The name is the gateway's; services themselves stay on loopback.
    return Layout.of(Settings.from_env(host="127.0.0.1"), name)
