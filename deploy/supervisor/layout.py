"""Where everything of one stack is: its ports, folders, addresses and the environment of its processes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from deploy.nats.users import seed_file
from shared.bus.rights import OPERATOR
from shared.settings import INGEST, METRICS, MODERATION, MONGO, NATS, PUBLISHER, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
SERVICES = {"ingest": INGEST, "moderation": MODERATION, "publisher": PUBLISHER, "metrics": METRICS}
NATS_MONITOR = 12
"""Offset of the broker's monitoring page, on loopback."""


@dataclass(frozen=True)
class Layout:
    """One stack: a home folder, a port base, and which engines it brings itself."""

    home: Path
    port_base: int
    network_name: str | None
    """The name that people on the network use; None keeps the gateway on loopback."""
    public_url: str
    campaign: Path
    media_url: str
    nats_url: str | None
    """An existing broker; None means that the stack starts its own."""
    mongo_url: str | None
    """An existing database; None means that the stack starts its own."""

    @classmethod
    def of(cls, settings: Settings, network_name: str | None) -> Layout:
        home = settings.home.absolute()
        base = settings.port_base
        local = f"https://{network_name}:{base}" if network_name else f"http://localhost:{base}"
        return cls(
            home=home,
            port_base=base,
            network_name=network_name,
            public_url=(settings.public or local).rstrip("/"),
            campaign=settings.campaign_path.absolute(),
            media_url=settings.media_url,
            nats_url=settings.nats,
            mongo_url=settings.mongo.get_secret_value() if settings.mongo else None,
        )

    @property
    def gateway_address(self) -> str:
        """The site address in Caddy's notation."""
        return (
            f"https://{self.network_name}:{self.port_base}"
            if self.network_name
            else f"http://:{self.port_base}"
        )

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def site_folder(self) -> Path | None:
        """The folder of the public site, or None when media are in a remote store."""
        parts = urlsplit(self.media_url)
        return Path(unquote(parts.path)) / "site" if parts.scheme == "file" else None

    @property
    def broker_keys(self) -> Path:
        """The folder of the broker's users' keys."""
        return self.home / "keys" / "broker"

    def broker_user(self, name: str) -> dict[str, str]:
        """What makes a process this user of the stack's own broker. An existing broker's user is the environment's."""
        return {} if self.nats_url else {"NATS_CREDENTIALS": str(seed_file(self.broker_keys, name))}

    def port(self, offset: int) -> int:
        return self.port_base + offset

    def ports(self) -> dict[str, int]:
        """Every port this stack will listen on, by what listens there."""
        wanted = {"gateway": self.port_base}
        wanted |= {name: self.port(offset) for name, offset in SERVICES.items()}
        if self.nats_url is None:
            wanted |= {"nats": self.port(NATS), "nats monitoring": self.port(NATS_MONITOR)}
        if self.mongo_url is None:
            wanted["database"] = self.port(MONGO)
        return wanted

    def environment(self) -> dict[str, str]:
        """What makes a process, or a later command, part of this stack."""
        mine = {
            "KONULLU_HOME": str(self.home),
            "KONULLU_PORT_BASE": str(self.port_base),
            "KONULLU_HOST": LOOPBACK,
            "KONULLU_PUBLIC_URL": self.public_url,
            "KONULLU_CAMPAIGN": str(self.campaign),
            "MEDIA_URL": self.media_url,
        }
        if self.nats_url is not None:
            mine["NATS_URL"] = self.nats_url
        mine |= self.broker_user(OPERATOR)
        if self.mongo_url is not None:
            mine["MONGO_URL"] = self.mongo_url
        return mine


def network_name(environment: Mapping[str, str] = os.environ) -> str | None:
    """The name given with `make up HOST=name`; loopback names mean none."""
    name = environment.get("KONULLU_HOST", "").strip()
    return None if name in {"", LOOPBACK, "localhost", "::1"} else name
