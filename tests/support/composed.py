"""A deployment as `docker-compose.yml` describes it, without containers: the same commands, environment, secrets and
health checks, with only the addresses and folders mapped onto this machine. The broker is the real cluster of three.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deploy.container import secrets
from shared.settings import Settings
from tests.support.object_store import start_object_store
from tests.support.processes import BIN, ROOT, Server, free_port, until

PATIENCE = 90.0
SERVICES = ("ingest", "moderation", "publisher", "metrics")
BROKERS = ("nats-1", "nats-2", "nats-3")


@dataclass
class Composed:
    """The processes of one deployment."""

    folder: Path
    base: int
    mongo_url: str
    processes: dict[str, Server] = field(default_factory=dict)
    compose: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, Any] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        whole = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        self.compose, self.secrets = whole["services"], whole["secrets"]
        self.folder.mkdir(parents=True, exist_ok=True)
        secrets.main(self.folder / "secrets", "127.0.0.1")
        self.addresses = {f"{name}:4222": f"127.0.0.1:{free_port()}" for name in BROKERS}
        self.addresses |= {f"{name}:6222": f"127.0.0.1:{free_port()}" for name in BROKERS}
        for offset, name in enumerate(SERVICES, start=1):
            self.addresses[f"{name}:{8400 + offset}"] = f"127.0.0.1:{self.base + offset}"
            (self.folder / "secrets" / f"mongo_url_{name}").write_text(self.mongo_url)

    def start_brokers(self) -> None:
        """Three nodes from the one mounted file; together they form the cluster."""
        for name in BROKERS:
            node = self.folder / name
            node.mkdir()
            text = self._mapped((ROOT / "deploy/nats/cluster.conf").read_text())
            for port in ("4222", "6222"):
                text = text.replace(f"0.0.0.0:{port}", self.addresses[f"{name}:{port}"])
            self.addresses[f"{name}:8222"] = f"127.0.0.1:{free_port()}"
            text = text.replace("0.0.0.0:8222", self.addresses[f"{name}:8222"])
            text = text.replace('"/data"', f'"{node}/data"').replace('"/etc/nats/', f'"{node}/')
            (node / "cluster.conf").write_text(text)
            for secret in self.compose[name]["secrets"]:
                shutil.copy(self.secret(secret["source"]), node / Path(secret["target"]).name)
            command = [str(BIN / "nats-server"), "--config", str(node / "cluster.conf")]
            self._start(
                name, command, self.environment(name), int(self.addresses[f"{name}:4222"].split(":")[1])
            )

    def start_storage(self) -> None:
        """The object store, with the bucket in it."""
        started = start_object_store(self.folder / "storage", self.folder / "secrets")
        self.processes |= {"storage": started.store, "storage-door": started.door}
        self.addresses["storage:8333"] = f"127.0.0.1:{started.door.port}"

    def provision(self) -> None:
        """The one-shot, to its end. Raises `AssertionError` with its words; tried again as its restart rule says."""

        until(
            lambda: self.run_once("provision").returncode == 0,
            seconds=PATIENCE,
            what="the streams, on three replicas",
        )

    def run_once(self, name: str) -> subprocess.CompletedProcess[str]:
        """A container that does one thing and ends."""
        return subprocess.run(
            self.command(name),
            env=self._whole(name),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    def broker_settings(self, name: str) -> Settings:
        """The settings with which this service reaches the brokers."""
        given = self.environment(name)
        return Settings.from_env(
            nats=given["NATS_URL"],
            nats_credentials=given["NATS_CREDENTIALS"],
            nats_authority=given["NATS_AUTHORITY"],
            home=self.folder / name,
        )

    def start_service(self, name: str) -> None:
        self._start(name, self.command(name), self.environment(name), self.base + 1 + SERVICES.index(name))

    def start_gateway(self) -> None:
        command = [str(BIN / "caddy"), "run", "--adapter", "caddyfile", "--config"]
        self._start(
            "gateway",
            [*command, str(ROOT / "deploy/caddy/Caddyfile")],
            self.environment("gateway"),
            self.base,
        )

    def healthy(self, name: str) -> bool:
        """Whether the service's own health check says so."""
        kind, *command = self.compose[name]["healthcheck"]["test"]
        assert kind == "CMD"
        command[0] = sys.executable if command[0] == "python" else command[0]
        return not subprocess.run(command, env=self._whole(name), cwd=ROOT, check=False).returncode

    def command(self, name: str) -> list[str]:
        """The image's entry point, or the service's own, and its command."""
        entry = self.compose[name].get("entrypoint", ["python", "-m", "deploy.container.with_secrets"])
        whole = [*entry, *self.compose[name]["command"]]
        return [sys.executable if part == "python" else part for part in whole]

    def environment(self, name: str) -> dict[str, str]:
        """The service's environment with addresses and folders of this machine."""
        given = {
            key: self._mapped(str(value)) for key, value in self.compose[name].get("environment", {}).items()
        }
        mine = {
            "KONULLU_PORT_BASE": str(self.base),
            "KONULLU_HOST": "127.0.0.1",
            "KONULLU_HOME": str(self.folder / name),
            "KONULLU_CAMPAIGN": str(ROOT / "deploy/campaign.yaml"),
            "KONULLU_PUBLIC_URL": f"http://127.0.0.1:{self.base}",
            "GATEWAY_ADDRESS": f"http://:{self.base}",
            "GATEWAY_BIND": "127.0.0.1",
            "GATEWAY_TLS": "plain",
            "GATEWAY_FROM_HTTP": "no_plain_http",
            "GATEWAY_STATE": str(self.folder / "gateway"),
        }
        given |= {key: value for key, value in mine.items() if key in given}
        given.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)
        return {key: self._with_secrets(value) for key, value in given.items()}

    def _with_secrets(self, value: str) -> str:
        """A path below `/run/secrets` as the file that the deployment mounts there."""
        name = value.removeprefix("/run/secrets/")
        return value if name == value else str(self.secret(name))

    def secret(self, name: str) -> Path:
        """The file of a secret, as it is made for a deployment."""
        return self.folder / "secrets" / Path(self.secrets[name]["file"]).name

    def staff(self, role: str) -> str:
        """A token, made in ingest's container as an operator would."""
        command = [
            sys.executable,
            "-m",
            "deploy.container.with_secrets",
            sys.executable,
            "-m",
            "services.ingest.people.cli",
        ]
        made = subprocess.run(
            [*command, "add", "--role", role, "--name", role.title()],
            env=self._whole("ingest"),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return made.stdout.strip()

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.stop()

    def _whole(self, name: str) -> dict[str, str]:
        """As a container has it: the service's own variables, and nothing of the machine's but what programs need."""
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        return kept | self.environment(name)

    def _start(self, name: str, command: list[str], environment: dict[str, str], port: int) -> None:
        process = Server(command, f"http://127.0.0.1:{port}", port, self.folder / f"{name}.log", environment)
        self.processes[name] = process
        process.start()

    def _mapped(self, text: str) -> str:
        for there, here in self.addresses.items():
            text = text.replace(there, here)
        return text
