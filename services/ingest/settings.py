"""Ingest's settings: the shared ones, and how much one person or network may ask for."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AliasChoices, Field

from shared.settings import Settings

KEY_FILE: Final = "tokens.pem"

Count = Annotated[int, Field(ge=1)]


def _env(name: str) -> AliasChoices:
    return AliasChoices(f"KONULLU_INGEST_{name}")


class IngestSettings(Settings):
    """What ingest needs to know beyond what every process does."""

    submissions_at_once: Count = Field(default=200, validation_alias=_env("SUBMISSIONS_AT_ONCE"))
    """Submissions, revisions and withdrawals that one person may send without a pause."""
    submissions_per_hour: Count = Field(default=600, validation_alias=_env("SUBMISSIONS_PER_HOUR"))
    """How fast that allowance comes back."""
    requests_at_once: Count = Field(default=2_000, validation_alias=_env("REQUESTS_AT_ONCE"))
    """Writing requests that one network may send without a pause."""
    requests_per_hour: Count = Field(default=20_000, validation_alias=_env("REQUESTS_PER_HOUR"))
    """How fast that allowance comes back."""
    newcomer_submissions_at_once: Count = Field(
        default=30, validation_alias=_env("NEWCOMER_SUBMISSIONS_AT_ONCE")
    )
    """The same for people of whom nothing was approved yet."""
    newcomer_submissions_per_hour: Count = Field(
        default=60, validation_alias=_env("NEWCOMER_SUBMISSIONS_PER_HOUR")
    )
    """How fast that allowance comes back."""
    joins_at_once: Count = Field(default=200, validation_alias=_env("JOINS_AT_ONCE"))
    """People who may join from one network without a pause: a school or a meeting has one address."""
    joins_per_hour: Count = Field(default=200, validation_alias=_env("JOINS_PER_HOUR"))
    """How fast that allowance comes back."""
    guesses_at_once: Count = Field(default=10, validation_alias=_env("GUESSES_AT_ONCE"))
    """Wrong recovery codes from one network without a pause, and as many wrong sign-in links and tokens."""
    guesses_per_hour: Count = Field(default=120, validation_alias=_env("GUESSES_PER_HOUR"))
    """How fast that allowance comes back."""
    limit_loopback: bool = Field(default=False, validation_alias=_env("LIMIT_LOOPBACK"))
    """Whether this machine itself is limited too. Limits on guesses hold for everybody."""
    media_wait: Annotated[float, Field(ge=0, le=60)] = Field(
        default=20.0, validation_alias=_env("MEDIA_WAIT")
    )
    """Seconds that a submission waits for the safety pass of its media."""
    screening_socket: Path | None = Field(default=None, validation_alias=_env("SCREENING_SOCKET"))
    """Socket of a screening station, where decoders run in a container of their own. Without one they run here."""
    decoder_isolation: Literal["required", "waived-decoders-can-read-everything"] = Field(
        default="required", validation_alias=_env("DECODER_ISOLATION")
    )
    """Decoders that cannot be kept from keys, files and network do not run, unless an operator writes this out."""
    link_minutes: Count = Field(default=15, validation_alias=_env("LINK_MINUTES"))
    """How long a one-time sign-in link is good for."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Ingest's settings of a process that was started with the shared ones."""
        return settings if isinstance(settings, cls) else cls.from_env(**settings.model_dump())

    @property
    def token_key(self) -> Path:
        """The private key that signs tokens."""
        return self.keys / KEY_FILE

    @property
    def link_life(self) -> timedelta:
        """How long a one-time sign-in link is good for."""
        return timedelta(minutes=self.link_minutes)
