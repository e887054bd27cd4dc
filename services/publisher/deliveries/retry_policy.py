"""When something is due: pure arithmetic over times that are given."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.publisher.channels.port import Capabilities
from shared.events import DeliveryState

Lane = Literal["send", "mend", "watch"]
"""Three queues per channel, so that none holds the others up: what is to appear, what is to be found out or
taken away, and what is to be looked after."""

LANES: tuple[Lane, ...] = ("send", "mend", "watch")

_LANE_OF: Mapping[DeliveryState, Lane] = {
    "planned": "send",
    "sending": "mend",
    "unknown": "mend",
    "reconciling": "mend",
    "removing": "mend",
    "posted": "watch",
}


def lane_of(state: DeliveryState) -> Lane | None:
    """The queue in which a delivery of this state waits; none when nothing is left to do."""
    return _LANE_OF.get(state)


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the machine is."""

    first_pause: float = 1.0
    """Seconds before the second try, doubling from there."""
    longest_pause: float = 300.0
    channel_trouble: float = 60.0
    """Seconds before a channel that refused the account is asked again."""
    give_up_sending: timedelta = timedelta(hours=24)
    """After this long without success a person decides."""
    give_up_looking: timedelta = timedelta(hours=1)
    give_up_removing: timedelta = timedelta(hours=24)
    visits: tuple[float, ...] = (5.0, 60.0, 600.0, 3600.0, 21_600.0, 86_400.0)
    """Seconds between two visits to what is posted; the last one repeats."""
    read_backs: int = 2
    """The first visits look whether it is really there; all of them ask for figures."""
    last_visit: int = 90
    """Visits after which a posted delivery is left alone."""

    def backoff(self, tries: int, jitter: float) -> float:
        """Seconds before try `tries + 1`: doubling, cut by up to half by `jitter` in [0, 1)."""
        doublings = min(max(tries, 1) - 1, 30)
        return float(min(self.longest_pause, self.first_pause * 2**doublings) * (0.5 + jitter / 2))

    def next_visit(self, visits: int, now: datetime, capabilities: Capabilities) -> datetime | None:
        """When a posted delivery, visited `visits` times, is visited next; `None` for never again."""
        if visits >= (
            self.last_visit if capabilities.sample else self.read_backs if capabilities.read_back else 0
        ):
            return None
        return now + timedelta(seconds=self.visits[min(visits, len(self.visits) - 1)])


DEFAULT_PACE = Pace()


def begin(publish_at: datetime | None, now: datetime) -> datetime:
    """When a delivery may be sent at the earliest."""
    return now if publish_at is None else max(now, publish_at)


def may_commit(lease_until: datetime, now: datetime, deadline: float) -> bool:
    """Whether a call of at most `deadline` seconds that begins now ends while its lease still holds."""
    return now + timedelta(seconds=deadline) <= lease_until
