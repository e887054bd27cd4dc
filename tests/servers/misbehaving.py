"""How a channel's test server goes wrong, in the channel's own words: before a call is carried out, and after it.

spoken = Misdeeds(error=Reply(500), limited=lambda seconds: Reply(429), refused=Reply(422), …)
if (early := await spoken.before(fault)) is not GO_ON:
    return early
"""

import argparse
import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.servers.faults import Fault, Faults, Kind
from tests.servers.plain import Reply

GO_ON: Final = Reply(0)
PROXY: Final = Reply(200, b"<html>proxy</html>", {"content-type": "text/html"})


@dataclass(frozen=True, slots=True)
class Misdeeds:
    """What a server answers when it goes wrong."""

    error: Reply
    limited: Callable[[float], Reply]
    """To who has to wait so many seconds."""
    refused: Reply
    failed: Reply
    """Once the call was carried out all the same."""
    garbled: Reply = PROXY
    refuses: frozenset[Kind] = frozenset({"refuse"})

    async def before(self, fault: Fault) -> Reply | None:
        """What goes wrong before the call is carried out; `GO_ON` when nothing does, `None` to cut the connection."""
        match fault.kind:
            case "hang_before":
                await asyncio.Event().wait()
            case "reset_before":
                return None
            case "error_before":
                return self.error
            case "rate_limited":
                return self.limited(fault.seconds)
        return self.refused if fault.kind in self.refuses else GO_ON

    async def after(self, fault: Fault, reply: Reply) -> Reply | None:
        """What goes wrong once the call was carried out."""
        match fault.kind:
            case "hang_after":
                await asyncio.Event().wait()
            case "reset_after":
                return None
            case "error_after" | "late":
                return self.failed
            case "garbled_after":
                return self.garbled
        return reply


def command(about: str | None) -> argparse.ArgumentParser:
    """The options that every server's command has."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--late", type=float, default=1.0, help="seconds after which a late post appears")
    parser.add_argument("--rate", action="append", default=[], metavar="KIND=SHARE")
    return parser


def faults_of(options: argparse.Namespace) -> Faults:
    """The chances that a command names."""
    rates: dict[Kind, float] = {}
    for rate in options.rate:
        kind, _, share = rate.partition("=")
        rates[Fault.read({"kind": kind}).kind] = float(share)
    return Faults(seed=options.seed, rates=rates, seconds=options.late)
