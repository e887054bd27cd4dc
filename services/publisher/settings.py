"""The publisher's settings: the shared ones, and how patient it is with channels."""

import os
import socket
from datetime import timedelta
from typing import Annotated

from pydantic import AliasChoices, Field

from services.publisher.deliveries.retry_policy import Pace
from shared.settings import PUBLISHER, Settings

Seconds = Annotated[float, Field(gt=0)]


def _env(name: str) -> AliasChoices:
    return AliasChoices(f"KONULLU_PUBLISHER_{name}")


class PublisherSettings(Settings):
    """What the publisher needs to know beyond what every process does."""

    first_pause: Seconds = Field(default=1.0, validation_alias=_env("FIRST_PAUSE"))
    """Seconds before the second try, doubling from there."""
    longest_pause: Seconds = Field(default=300.0, validation_alias=_env("LONGEST_PAUSE"))
    """Seconds between two tries at most."""
    give_up_hours: Seconds = Field(default=24.0, validation_alias=_env("GIVE_UP_HOURS"))
    """After this long without success a person decides."""
    give_up_looking_hours: Seconds = Field(default=1.0, validation_alias=_env("GIVE_UP_LOOKING_HOURS"))
    """After this long without an answer to "is it there?" a person decides."""
    visits: tuple[Seconds, ...] = Field(default=Pace().visits, min_length=1, validation_alias=_env("VISITS"))
    """Seconds between two visits to what is posted, as a JSON list; the last one repeats."""
    recalls_alone: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10, validation_alias=_env("RECALLS_ALONE")
    )
    """How many publications one person may recall within an hour without a second one."""
    name: str | None = Field(default=None, validation_alias=_env("NAME"))
    """What this process is called among its replicas; must stay the same over restarts."""

    @property
    def pace(self) -> Pace:
        """How patient the machine is."""
        return Pace(
            first_pause=self.first_pause,
            longest_pause=self.longest_pause,
            give_up_sending=timedelta(hours=self.give_up_hours),
            give_up_removing=timedelta(hours=self.give_up_hours),
            give_up_looking=timedelta(hours=self.give_up_looking_hours),
            visits=self.visits,
        )

    @property
    def holder(self) -> str:
        """This process among its replicas: the same after a restart, never two at once."""
        return self.name or f"{socket.gethostname()}:{self.port_base + PUBLISHER}"

    @property
    def credentials(self) -> dict[str, str]:
        """The environment, where the campaign file's `env:` credentials are looked up."""
        return dict(os.environ)
