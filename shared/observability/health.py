"""Whether our own store and bus are there: asked again and again, waited for by consumers, shown by `/readyz`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import structlog

from shared.failures import Failure, attempt

log = structlog.get_logger()

PROBE_EVERY_SECONDS: Final = 1.0
PROBE_WHILE_AWAY_SECONDS: Final = 0.2
PROBE_TIMEOUT_SECONDS: Final = 2.0


@dataclass(slots=True)
class Health:
    """The last answer of every dependency. `probes` maps a name to a call that raises when it is away."""

    probes: Mapping[str, Callable[[], Awaitable[None]]]
    away: dict[str, str] = field(default_factory=dict)
    """What is away, with the reason."""
    started: bool = False
    """Whether the process has finished starting (indexes made, broker compared, consumers bound)."""
    _back: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.away.update(dict.fromkeys(self.probes, "not asked yet"))

    @property
    def ready(self) -> bool:
        """Started, and nothing is away."""
        return self.started and not self.away

    async def run(self) -> None:
        """Ask every dependency for ever: once a second, more often while one is away. One that hangs counts as away."""
        while True:
            began = monotonic()
            await asyncio.gather(*(self._probe(name, call) for name, call in self.probes.items()))
            every = PROBE_WHILE_AWAY_SECONDS if self.away else PROBE_EVERY_SECONDS
            await asyncio.sleep(max(0.0, every - (monotonic() - began)))

    async def _probe(self, name: str, call: Callable[[], Awaitable[None]]) -> None:
        answer = await attempt(asyncio.wait_for(call(), PROBE_TIMEOUT_SECONDS))
        if isinstance(answer, Failure):
            self.report_away(name, answer.reason)
        elif self.away.pop(name, None) is not None:
            log.info("dependency_back", dependency=name)
        if not self.away:
            self._back.set()

    def report_away(self, name: str, reason: str) -> None:
        """Mark a dependency as away at once, before the next probe finds out."""
        if self.away.get(name) is None:
            log.warning("dependency_away", dependency=name, reason=reason)
        self.away[name] = reason
        self._back.clear()

    async def wait_until_present(self) -> None:
        """Return once a probe has found every dependency present."""
        while self.away:
            self._back.clear()
            await self._back.wait()
