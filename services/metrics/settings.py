"""Metrics' settings: the shared ones, and where clicks wait for the bus."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AliasChoices, Field

from shared.settings import Settings


class MetricsSettings(Settings):
    """What metrics needs to know beyond what every process does."""

    batch: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1000, validation_alias=AliasChoices("KONULLU_METRICS_BATCH")
    )
    """Reach events counted together at most. The consumers' limit of unacknowledged messages is four times the default."""

    links_at_once: Annotated[int, Field(ge=1)] = Field(
        default=600, validation_alias=AliasChoices("KONULLU_LINKS_AT_ONCE")
    )
    """Short links that one network may follow at once and be counted; a whole town may stand behind one address."""
    links_per_hour: Annotated[int, Field(ge=1)] = Field(
        default=36_000, validation_alias=AliasChoices("KONULLU_LINKS_PER_HOUR")
    )
    limit_loopback: bool = Field(default=False, validation_alias=AliasChoices("KONULLU_LIMIT_LOOPBACK"))
    """Whether this machine itself is limited too."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Metrics' settings of a process that was started with the shared ones."""
        return settings if isinstance(settings, cls) else cls.from_env(**settings.model_dump())

    @property
    def spool(self) -> Path:
        """Clicks that the bus has not confirmed, and where short links lead. On a disk that outlives the process."""
        return self.home / "spool"
