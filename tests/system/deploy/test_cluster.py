"""The three brokers of `docker-compose.yml`, from the deployed files: nobody joins them, and nobody comes in, uninvited."""

import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from deploy.container import secrets
from deploy.nats import users
from shared.bus.consuming import connection_options
from shared.settings import Settings
from tests.support.composed import BROKERS, PATIENCE, Composed
from tests.support.guarded import linked
from tests.support.processes import BIN, Server, free_port, until, within

TRIES = 3
"""Refusals that are waited for, so that the intruder had its chance."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    made = Composed(tmp_path_factory.mktemp("cluster"), free_port(), "mongodb://127.0.0.1:1")
    try:
        made.start_brokers()
        made.provision()
        yield made
    finally:
        made.stop()


def members(cluster: Composed) -> set[str]:
    """Every broker that one of the three knows of."""
    found: set[str] = set()
    for name in BROKERS:
        routes = httpx.get(f"http://{cluster.addresses[f'{name}:8222']}/routez", timeout=10).json()["routes"]
        found |= {route["remote_name"] for route in routes}
    return found


@pytest.fixture
def intruder(cluster: Composed, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A fourth broker, without users, that wants to join: with no certificate, or one of its own making."""
    tls = ""
    if request.param == "a certificate by another authority":
        secrets.main(tmp_path / "secrets", "127.0.0.1")
        own = tmp_path / "secrets"
        tls = (
            f'tls {{ cert_file: "{own}/nats-1.crt", key_file: "{own}/nats-1.key", '
            f'ca_file: "{cluster.secret("nats_authority")}", timeout: 10 }}'
        )
    routes = ", ".join(f'"nats://{cluster.addresses[f"{name}:6222"]}"' for name in BROKERS)
    port = free_port()
    config = tmp_path / "nats.conf"
    config.write_text(
        f'server_name: intruder\nlisten: "127.0.0.1:{port}"\njetstream {{ store_dir: "{tmp_path}/data" }}\n'
        f'cluster {{ name: konullu, listen: "127.0.0.1:{free_port()}", routes: [{routes}]\n{tls} }}\n'
    )
    command = [str(BIN / "nats-server"), "--config", str(config)]
    server = Server(command, f"nats://127.0.0.1:{port}", port, tmp_path / "nats.log")
    server.start()
    yield server
    server.stop()


def refusals(cluster: Composed) -> int:
    """How often the three have refused a route."""
    logs = [(cluster.folder / f"{name}.log").read_text() for name in BROKERS]
    return sum(
        len(re.findall(r"TLS route handshake (?:error|timeout)|\[ERR\].*6222|rid:\d+ - TLS", log))
        for log in logs
    )


@pytest.mark.parametrize("intruder", ["no certificate", "a certificate by another authority"], indirect=True)
def test_a_fourth_broker_cannot_join(cluster: Composed, intruder: Server) -> None:
    before = refusals(cluster)

    until(lambda: refusals(cluster) >= before + TRIES, seconds=PATIENCE, what="the fourth broker refused")

    assert members(cluster) == set(BROKERS)


async def refused(options: dict[str, object], url: str) -> str:
    """What a client is told that may not come in. Fails when it may."""

    async def quietly(_error: Exception) -> None:
        """The refusal comes on the connection, too."""

    link = Client()
    with pytest.raises((NatsError, OSError, TimeoutError)) as told:
        async with within(15):
            await link.connect(url, allow_reconnect=False, connect_timeout=5, error_cb=quietly, **options)  # type: ignore[arg-type] # a table of options
    assert not link.is_connected
    return f"{type(told.value).__name__}: {told.value}"


async def test_a_service_comes_in_with_its_key_over_tls(cluster: Composed) -> None:
    async with linked(cluster.broker_settings("moderation"), "moderation") as link:
        assert link.client.is_connected
        assert link.client.connected_url is not None
        assert link.client.connected_url.scheme == "tls"


async def test_nobody_comes_in_without_a_key(cluster: Composed) -> None:
    settings = cluster.broker_settings("moderation")
    options = connection_options(settings, name="test", user="moderation") | {"allow_reconnect": False}
    keyless = {key: value for key, value in options.items() if key in {"tls", "tls_handshake_first"}}

    assert "Authorization" in await refused(keyless, settings.nats_urls[0])


async def test_nobody_comes_in_with_a_key_of_another_deployment(cluster: Composed, tmp_path: Path) -> None:
    settings = cluster.broker_settings("moderation")
    users.public_keys(tmp_path)
    options = connection_options(settings, name="test", user="moderation")
    chosen = {key: options[key] for key in ("tls", "tls_handshake_first")}

    told = await refused(
        {**chosen, "nkeys_seed": str(users.seed_file(tmp_path, "provision"))}, settings.nats_urls[0]
    )

    assert "Authorization" in told


async def test_nobody_comes_in_without_tls(cluster: Composed) -> None:
    settings = cluster.broker_settings("moderation")

    await refused(
        {"nkeys_seed": str(settings.nats_credentials)}, settings.nats_urls[0].replace("tls://", "nats://")
    )


async def test_a_client_does_not_believe_a_broker_of_another_authority(
    cluster: Composed, tmp_path: Path
) -> None:
    secrets.main(tmp_path, "127.0.0.1")
    settings = cluster.broker_settings("moderation")
    stranger = Settings.from_env(nats_authority=tmp_path / "nats_authority.crt")
    options = connection_options(stranger, name="test", user="moderation")
    assert isinstance(options["tls"], ssl.SSLContext)

    told = await refused({key: options[key] for key in ("tls", "tls_handshake_first")}, settings.nats_urls[0])

    assert "CERTIFICATE_VERIFY_FAILED" in told or "certificate" in told.lower()
