"""The object store of a deployment: the program, the files and the commands of `docker-compose.yml`, on this machine."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import obstore
import yaml
from obstore.store import S3Store

from deploy.container.storage import BUCKET
from tests.support.processes import BIN, ROOT, Server, free_port, until

PORTS: Final = ("master.port", "volume.port", "filer.port", "s3.port")
PATIENCE: Final = 60.0


@dataclass(frozen=True)
class StoreProcesses:
    """The store itself, and the one way in."""

    store: Server
    door: Server

    @property
    def url(self) -> str:
        """Where S3 answers."""
        return self.door.url

    def stop(self) -> None:
        """End both."""
        self.door.stop()
        self.store.stop()


def start_object_store(folder: Path, secrets: Path) -> StoreProcesses:
    """Start it over `folder` with the identities in `secrets`, and make the bucket as the deployment does."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ports = {name: free_port() for name in (*PORTS, *(f"{name}.grpc" for name in PORTS))}
    folder.mkdir(parents=True)
    places = {
        "/etc/seaweedfs/s3.json": str(secrets / "storage_identities.json"),
        "-dir=/data": f"-dir={folder}",
    }
    command = [_mapped(part, places) for part in compose["storage"]["command"]]
    command += [f"-{name}={port}" for name, port in ports.items()]
    command += [f"-{name}.localSocket={folder}/{name}.socket" for name in ("filer", "s3")]
    inner = ports["s3.port"]
    store = Server(
        [str(BIN / "weed"), *command], f"http://127.0.0.1:{inner}", inner, folder.with_suffix(".log")
    )
    outer = free_port()
    program, *rest = compose["storage-door"]["command"]
    rest = [_mapped(part, {":8333": f":{outer}", ":8334": f":{inner}"}) for part in rest]
    door = Server(
        [str(BIN / program), *rest],
        f"http://127.0.0.1:{outer}",
        outer,
        folder.with_suffix(".door.log"),
        {"XDG_CONFIG_HOME": str(folder.with_suffix(".door")), "CADDY_ADMIN": f"127.0.0.1:{free_port()}"},
    )
    both = StoreProcesses(store, door)
    store.start()
    door.start()
    _make_bucket(compose["storage-init"], f"{ports['master.port']}.{ports['master.port.grpc']}")
    until(lambda: _takes_objects(both.url, secrets), seconds=PATIENCE, what="the object store")
    return both


def _mapped(text: str, places: Mapping[str, str]) -> str:
    for there, here in places.items():
        text = text.replace(there, here)
    return text


def _make_bucket(once: dict[str, Any], master: str) -> None:
    shell, option, line = once["entrypoint"]
    here = line.replace("weed shell", f"{BIN / 'weed'} shell").replace("9333", master)
    done = subprocess.run([shell, option, here], capture_output=True, text=True, timeout=60, check=True)
    assert BUCKET in done.stdout, done.stdout + done.stderr


def _takes_objects(url: str, secrets: Path) -> bool:
    """Whether it has found its volumes: the first write needs one."""
    store = S3Store(
        BUCKET,
        endpoint=url,
        access_key_id="ingest",
        secret_access_key=(secrets / "storage_ingest").read_text(),
        region="local",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    try:
        obstore.put(store, "quarantine/first", b"x")
        obstore.delete(store, "quarantine/first")
    except obstore.exceptions.BaseError:
        return False
    return True
