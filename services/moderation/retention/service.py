"""Taking the texts of a case away."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from services.moderation.cases.rules import ENDINGS
from services.moderation.cases.store import Cases
from shared.retention.model import Ending


class CaseErasure:
    """What is under review is never touched: the state decides, the mark only says since when."""

    def __init__(self, cases: Cases, periods: Mapping[Ending, timedelta]) -> None:
        self._cases, self._periods = cases, periods

    async def erase(self, case_id: str, now: datetime) -> bool:
        """Take the texts away when their time is over; true when they are gone."""
        case = await self._cases.get(case_id)
        if case is None or case.end is None or ENDINGS.get(case.standing.state) != case.end.ending:
            return False
        return case.end.due(self._periods, now) and await self._cases.erase(case, now)
