"""Moderation's settings: the shared ones, and how long a case stays in somebody's hands."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AliasChoices, Field

from shared.settings import Settings

KEY_FILE: Final = "decisions.pem"


class ModerationSettings(Settings):
    """What moderation needs to know beyond what every process does."""

    lease_seconds: Annotated[int, Field(ge=5, le=3600)] = Field(
        default=300, validation_alias=AliasChoices("KONULLU_MODERATION_LEASE_SECONDS")
    )
    """How long a claim lasts unless it is renewed."""
    claims_at_once: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=30, validation_alias=AliasChoices("KONULLU_MODERATION_CLAIMS_AT_ONCE")
    )
    """How many cases one person may hold at the same time."""
    recalls_alone: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10, validation_alias=AliasChoices("KONULLU_MODERATION_RECALLS_ALONE")
    )
    """How many approvals one person may take back within an hour without a second one."""
    seal_seconds: Annotated[float, Field(gt=0)] = Field(
        default=10.0, validation_alias=AliasChoices("KONULLU_MODERATION_SEAL_SECONDS")
    )
    """How often the audit trails are sealed into the campaign's chain."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """These settings, with what moderation adds to them."""
        return settings if isinstance(settings, cls) else cls.from_env(**settings.model_dump())

    @property
    def lease(self) -> timedelta:
        """How long a claim lasts unless it is renewed."""
        return timedelta(seconds=self.lease_seconds)

    @property
    def decision_key(self) -> Path:
        """The private key that signs decisions (mode 0600)."""
        return self.keys / KEY_FILE
