"""`konullu doctor`: what a machine needs, looked at one by one, each with its remedy."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.supervisor import programs
from deploy.supervisor.home import StackRefused, require_free_ports
from deploy.supervisor.layout import Layout
from services.ingest.media_safety.sandbox import (
    NO_ISOLATION,
    LocalSandbox,
    NotIsolated,
    WorkerFailed,
    walls_of,
)
from shared.campaign.model import Campaign, CampaignError
from shared.failures import Unavailable

LEAST_DISK = 2 << 30
"""Bytes that a campaign's first days need."""
_PRIVATE = 0o700
_NEWEST_TESTED = (3, 13)
_BUILT_AFTER = 1_760_000_000.0
"""A clock that shows an earlier time is wrong: this program is younger."""


@dataclass(frozen=True)
class Diagnosis:
    what: str
    fine: bool
    says: str


def examine(layout: Layout, *, running: bool) -> Iterator[Diagnosis]:
    """Every finding, good or bad. Ports aren't looked at while the stack itself holds them."""
    version = sys.version_info
    yield Diagnosis(
        "Python", version[:2] <= _NEWEST_TESTED, f"{version.major}.{version.minor} (3.11 to 3.13 tested)"
    )
    for name in ("nats-server", "secantusd-py", "caddy"):
        yield _binary(name)
    yield _home(layout.home)
    yield _disk(layout.home)
    yield _campaign(layout.campaign)
    if not running:
        yield _ports(layout)
    yield _name()
    yield _isolation()
    now = time.time()
    yield Diagnosis("clock", now > _BUILT_AFTER, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)))


def _binary(name: str) -> Diagnosis:
    try:
        return Diagnosis(name, fine=True, says=programs.binary(name))
    except StackRefused as missing:
        return Diagnosis(name, fine=False, says=str(missing))


def _home(home: Path) -> Diagnosis:
    if not home.exists():
        return Diagnosis("home", fine=True, says=f"{home} will be made")
    mode = home.stat().st_mode & 0o777
    return Diagnosis(
        "home", mode == _PRIVATE, f"{home}, mode {mode:o} (700 keeps others out: chmod 700 {home})"
    )


def _disk(home: Path) -> Diagnosis:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    return Diagnosis("disk", free > LEAST_DISK, f"{free / (1 << 30):.1f} GiB free")


def _campaign(path: Path) -> Diagnosis:
    try:
        Campaign.load(path)
    except (CampaignError, OSError) as error:
        return Diagnosis("campaign", fine=False, says=str(error))
    return Diagnosis("campaign", fine=True, says=str(path))


def _ports(layout: Layout) -> Diagnosis:
    try:
        require_free_ports(layout)
    except StackRefused as busy:
        return Diagnosis("ports", fine=False, says=str(busy))
    return Diagnosis("ports", fine=True, says=f"{layout.port_base} and those after it are free")


def _name() -> Diagnosis:
    try:
        socket.getaddrinfo("localhost", None)
    except OSError as error:
        return Diagnosis("localhost", fine=False, says=f"the name localhost does not resolve: {error}")
    return Diagnosis("localhost", fine=True, says="resolves")


def _isolation() -> Diagnosis:
    """Tried, not looked up: a picture of one dot goes through the pass."""
    try:
        walls = asyncio.run(walls_of(LocalSandbox()))
    except NotIsolated:
        return Diagnosis("isolation", fine=False, says=NO_ISOLATION)
    except (Unavailable, WorkerFailed) as failure:
        return Diagnosis("isolation", fine=False, says=f"the media safety pass fails here: {failure}")
    said = ", ".join(wall.replace("_", " ") for wall in walls)
    return Diagnosis("isolation", fine=True, says=f"photo and video decoders are shut in: {said}")
