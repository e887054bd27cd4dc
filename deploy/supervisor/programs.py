"""What one stack consists of: each program with its command, environment and question of readiness."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from deploy.nats import users
from deploy.supervisor import probes
from deploy.supervisor.home import StackRefused
from deploy.supervisor.layout import LOOPBACK, NATS_MONITOR, ROOT, SERVICES, Layout
from shared.bus.rights import PROVISIONER
from shared.settings import MONGO, NATS, embedded_database


@dataclass(frozen=True)
class Program:
    """One process that the supervisor keeps running."""

    name: str
    argv: tuple[str, ...]
    ready: probes.Probe
    address: str
    grace: float
    """Seconds between SIGTERM and SIGKILL."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the stack's own."""


@dataclass(frozen=True)
class Composition:
    """A whole stack, in the order of its start."""

    engines: Sequence[Program]
    provision: tuple[str, ...]
    """Runs once between engines and services: the streams and consumers."""
    provision_environment: Mapping[str, str]
    """Added to the stack's own for it."""
    services: Sequence[Program]
    gateway: Program
    first_link: tuple[str, ...]
    """Prints a sign-in link as long as there is no administrator, and nothing afterwards."""


def composition(layout: Layout) -> Composition:
    return Composition(
        engines=engines(layout),
        provision=(sys.executable, "-m", "shared.bus.provision"),
        provision_environment=layout.broker_user(PROVISIONER),
        services=services(layout),
        gateway=gateway(layout),
        first_link=(sys.executable, "-m", "services.ingest.people.cli", "link", "--first"),
    )


def binary(name: str) -> str:
    """A program that came with the pinned packages. Raises `StackRefused` when it is missing."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        text = f"{name} is missing; it comes with requirements.txt: run `make up`"
        raise StackRefused(text)
    return found


def engines(layout: Layout) -> list[Program]:
    """The broker and the database, unless the environment names existing ones."""
    wanted = []
    if layout.nats_url is None:
        wanted.append(_nats(layout))
    if layout.mongo_url is None:
        wanted.append(_database(layout))
    return wanted


def services(layout: Layout) -> list[Program]:
    return [
        Program(
            name=name,
            argv=(sys.executable, "-m", f"services.{name}"),
            ready=probes.http_ok(LOOPBACK, layout.port(offset), "/readyz"),
            address=f"http://{LOOPBACK}:{layout.port(offset)}",
            grace=4.0,
            environment=layout.broker_user(name),
        )
        for name, offset in SERVICES.items()
    ]


def gateway(layout: Layout) -> Program:
    """Caddy: one origin for people. Its certificates and keys stay in the home."""
    state = str(layout.home / "caddy")
    site = layout.site_folder
    environment = {
        "XDG_DATA_HOME": state,
        "XDG_CONFIG_HOME": state,
        "GATEWAY_STATE": state,
        "GATEWAY_ADDRESS": layout.gateway_address,
        "GATEWAY_BIND": "0.0.0.0" if layout.network_name else LOOPBACK,  # noqa: S104 - asked for with HOST=
        "GATEWAY_NAME": layout.network_name or "localhost",
        "GATEWAY_TLS": "own_authority" if layout.network_name else "plain",
        "GATEWAY_LISTENER": "plain_is_redirected" if layout.network_name else "one_kind",
        "GATEWAY_SITE": "site_in_folder" if site else "site_in_store",
        "GATEWAY_SITE_FOLDER": str(site or ""),
    } | {f"GATEWAY_{name.upper()}": f"{LOOPBACK}:{layout.port(offset)}" for name, offset in SERVICES.items()}
    return Program(
        name="gateway",
        argv=(
            binary("caddy"),
            "run",
            "--adapter",
            "caddyfile",
            "--config",
            str(ROOT / "deploy/caddy/Caddyfile"),
        ),
        ready=probes.port_open(LOOPBACK, layout.port_base),
        address=layout.public_url,
        grace=1.0,
        environment=environment,
    )


def _nats(layout: Layout) -> Program:
    text = Template((ROOT / "deploy/nats/local.conf").read_text()).substitute(
        address=f"{LOOPBACK}:{layout.port(NATS)}",
        monitor=f"{LOOPBACK}:{layout.port(NATS_MONITOR)}",
        store=layout.home / "nats",
    )
    config = layout.home / "nats.conf"
    config.write_text(text)
    (layout.home / "users.conf").write_text(users.configuration(users.public_keys(layout.broker_keys)))
    return Program(
        name="nats",
        argv=(binary("nats-server"), "--config", str(config)),
        ready=probes.nats_greets(LOOPBACK, layout.port(NATS)),
        address=f"nats://{LOOPBACK}:{layout.port(NATS)}",
        grace=1.0,
    )


def _database(layout: Layout) -> Program:
    port = layout.port(MONGO)
    options = ("--host", LOOPBACK, "--port", str(port), "--storage-path", str(layout.home / "database"))
    return Program(
        name="database",
        argv=(
            binary("secantusd-py"),
            *options,
            "--sync-on-commit",
            "--cache-size",
            "256M",
            "--log-level",
            "WARNING",
        ),
        ready=probes.mongo_writable(LOOPBACK, port),
        address=embedded_database(port, LOOPBACK),
        grace=1.5,
    )
