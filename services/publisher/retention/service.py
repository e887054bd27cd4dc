"""Taking the texts of a publication away."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from services.publisher.deliveries.model import Refused
from services.publisher.deliveries.store import Deliveries
from services.publisher.retention.rules import erase
from shared.retention.model import Ending


class PublicationErasure:
    """One step of the publication like any other, so that no worker's write can bring a text back."""

    def __init__(self, deliveries: Deliveries, periods: Mapping[Ending, timedelta]) -> None:
        self._deliveries, self._periods = deliveries, periods

    async def erase(self, submission_id: str, now: datetime) -> bool:
        """Take the texts away when their time is over; true when they are gone."""
        done = await self._deliveries.change(submission_id, lambda known: erase(known, self._periods, now))
        return not isinstance(done, Refused)
