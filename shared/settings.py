"""The settings every process shares. Only `settings.py` files read the environment, once, at start-up."""

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.text.addresses import web_address


def _web(value: str) -> str:
    web_address(value)
    return value


Port = Annotated[int, Field(ge=1024, le=65500)]
WebAddress = Annotated[str, AfterValidator(_web)]
"""Of http or https, with a host that there can be."""

INGEST, MODERATION, PUBLISHER, METRICS = 1, 2, 3, 4
NATS, MONGO = 10, 11
"""Offsets from the port base."""
SECRET_SETTINGS: Final = frozenset({"MONGO_URL", "NATS_URL"})
"""Variables whose value may hold a password; no message quotes them."""


def embedded_database(port: int, host: str = "127.0.0.1") -> str:
    """The address of the database that a stack brings itself.

    It keeps the answer to every retryable write for half an hour and goes through all of them at each further write:
    0.5 ms a write at first, 7 ms after ten thousand. So it is told not to. A real replica set's address says nothing, and
    the driver's own choice holds.
    """
    return f"mongodb://{host}:{port}/?retryWrites=false"


_SCHEMES: Final = frozenset({"mongodb", "mongodb+srv", "nats", "tls", "ws", "wss"})
_HOST_AND_PORT: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?")
_BROKER: Final = re.compile(rf"(nats|tls|ws|wss)://([^@/?#\s]*@)?{_HOST_AND_PORT.pattern}/?")


class SettingsError(Exception):
    """A setting is missing or wrong. The text names the variable and how to mend it."""


def without_secrets(address: str) -> str:
    """A server's address as people and logs may see it: scheme and hosts, no user, password or option. Pure.

    What does not look like a host is hidden too: a wrong address may have its password anywhere.
    """
    scheme, there, rest = address.partition("://")
    if not there:
        return "(hidden)"
    hosts = re.split(r"[/?#]", rest.rpartition("@")[2])[0].split(",")
    shown = (host if _HOST_AND_PORT.fullmatch(host) else "(hidden)" for host in hosts)
    return f"{scheme if scheme in _SCHEMES else '(hidden)'}://{','.join(shown)}"


def _env(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class Settings(BaseSettings):
    """What every process needs to know. Frozen; services subclass it with settings of their own."""

    # The prefix keeps field names from being read as variables: `home` is not the user's HOME.
    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_prefix="KONULLU_"
    )

    port_base: Port = Field(default=8400, validation_alias=_env("KONULLU_PORT_BASE"))
    """The gateway's port; every other port is counted from it."""
    host: str = Field(default="127.0.0.1", validation_alias=_env("KONULLU_HOST"))
    """The address that services listen on."""
    trusted_proxies: str = Field(default="127.0.0.1", validation_alias=_env("KONULLU_TRUSTED_PROXIES"))
    """Addresses or networks, by commas, whose word about the client's address and scheme is believed: the gateway."""
    home: Path = Field(default=Path(".konullu"), validation_alias=_env("KONULLU_HOME"))
    """All local data, logs and keys (mode 0700)."""
    campaign_path: Path = Field(
        default=Path("deploy/campaign.yaml"), validation_alias=_env("KONULLU_CAMPAIGN")
    )
    public: WebAddress | None = Field(default=None, validation_alias=_env("KONULLU_PUBLIC_URL"))
    nats: str | None = Field(default=None, validation_alias=_env("NATS_URL"))
    nats_credentials: Path | None = Field(default=None, validation_alias=_env("NATS_CREDENTIALS"))
    """An nkey seed file, where the broker asks for one."""
    nats_authority: Path | None = Field(default=None, validation_alias=_env("NATS_AUTHORITY"))
    """The certificate (PEM) of the authority that the broker's is by; absent means that the broker speaks no TLS."""
    mongo: SecretStr | None = Field(default=None, validation_alias=_env("MONGO_URL"))
    mongo_driver: Literal["motor", "pymongo"] = Field(
        default="motor", validation_alias=_env("KONULLU_MONGO_DRIVER")
    )
    database_prefix: str = Field(
        default="", pattern=r"^[a-z0-9_]{0,30}$", validation_alias=_env("KONULLU_DATABASE_PREFIX")
    )
    """Put before every database's name, so that several campaigns can share one database server."""
    media: str | None = Field(default=None, validation_alias=_env("MEDIA_URL"))
    stream_replicas: Annotated[int, Field(ge=1, le=5)] = Field(
        default=1, validation_alias=_env("KONULLU_STREAM_REPLICAS")
    )
    stream_max_bytes: Annotated[int, Field(ge=1 << 20)] = Field(
        default=2 << 30, validation_alias=_env("KONULLU_STREAM_MAX_BYTES")
    )
    """Bytes that each stream may hold before publishers are pushed back."""
    ingest: WebAddress | None = Field(default=None, validation_alias=_env("KONULLU_INGEST_URL"))
    moderation: WebAddress | None = Field(default=None, validation_alias=_env("KONULLU_MODERATION_URL"))
    publisher: WebAddress | None = Field(default=None, validation_alias=_env("KONULLU_PUBLISHER_URL"))
    metrics: WebAddress | None = Field(default=None, validation_alias=_env("KONULLU_METRICS_URL"))
    otlp_endpoint: WebAddress | None = Field(
        default=None, validation_alias=_env("OTEL_EXPORTER_OTLP_ENDPOINT")
    )
    """Base address of an OTLP/HTTP receiver; absent means traces are not exported."""
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias=_env("KONULLU_LOG_LEVEL")
    )

    retention_seconds: Annotated[float, Field(gt=0)] = Field(
        default=60.0, validation_alias=_env("KONULLU_RETENTION_SECONDS")
    )
    """How often a service takes away texts and files whose time is over. The periods are the campaign file's."""

    @classmethod
    def from_env(cls, **overrides: Any) -> Self:
        """Read the environment once. Raises `SettingsError` with the variable's name."""
        try:
            return cls(**overrides)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = str(first["loc"][0]) if first["loc"] else "?"
            # Without a name the input is every setting together.
            quoted = name not in SECRET_SETTINGS and first["loc"]
            text = f"setting {name}: {first['msg']}" + (f" (given: {first.get('input')!r})" if quoted else "")
            raise SettingsError(text) from None

    def _local(self, offset: int) -> str:
        return f"http://127.0.0.1:{self.port_base + offset}"

    @property
    def public_url(self) -> str:
        """Where people reach the gateway; no trailing slash."""
        return (self.public or f"http://localhost:{self.port_base}").rstrip("/")

    @property
    def nats_urls(self) -> list[str]:
        """The broker's addresses. Raises `SettingsError` for what is none."""
        addresses = (self.nats or f"nats://127.0.0.1:{self.port_base + NATS}").split(",")
        for address in addresses:
            if not _BROKER.fullmatch(address):
                text = (
                    f"setting NATS_URL: {without_secrets(address)} is no address of a broker; it has the form "
                    "nats://USER:PASSWORD@HOST:PORT, with other characters than letters and digits percent-encoded"
                )
                raise SettingsError(text)
        return addresses

    @property
    def mongo_url(self) -> str:
        """The database's address."""
        if self.mongo is not None:
            return self.mongo.get_secret_value()
        return embedded_database(self.port_base + MONGO)

    @property
    def media_url(self) -> str:
        """The object store: `file://<folder>` or `s3://<bucket>`."""
        return self.media or f"file://{(self.home / 'media').absolute()}"

    @property
    def ingest_url(self) -> str:
        """Ingest as other services reach it."""
        return (self.ingest or self._local(INGEST)).rstrip("/")

    @property
    def moderation_url(self) -> str:
        """Moderation as other services reach it."""
        return (self.moderation or self._local(MODERATION)).rstrip("/")

    @property
    def publisher_url(self) -> str:
        """The publisher as other services reach it."""
        return (self.publisher or self._local(PUBLISHER)).rstrip("/")

    @property
    def metrics_url(self) -> str:
        """Metrics as other services reach it."""
        return (self.metrics or self._local(METRICS)).rstrip("/")

    @property
    def keys(self) -> Path:
        """The folder of private keys (mode 0700)."""
        return self.home / "keys"
