"""Taking a submission's texts and files away, wherever ingest keeps them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from services.ingest.retention.rules import end_for, may_go
from services.ingest.status.store import Ledger
from services.ingest.submissions.store import Submissions
from services.ingest.uploads.store import Uploads
from shared.retention.model import Ending


class SubmissionErasure:
    """Every step may be repeated, and leaves its mark until the last one is done."""

    def __init__(
        self,
        submissions: Submissions,
        ledger: Ledger,
        uploads: Uploads,
        periods: Mapping[Ending, timedelta],
    ) -> None:
        self._submissions, self._ledger, self._uploads = submissions, ledger, uploads
        self._periods = periods

    async def erase(self, submission_id: str, now: datetime) -> bool:
        """Take texts and files away when their time is over; true when they are gone."""
        submission = await self._submissions.find(submission_id)
        progress, told_at = await self._ledger.when(submission_id)
        if submission is None:
            return False
        if submission.erased_at is None:
            end = end_for(submission.end, submission.latest.number, progress, told_at)
            if not may_go(end, progress, self._periods, now):
                return False
            await self._uploads.release(submission_id, now)
            if not await self._submissions.erase(submission, now):
                return False
        await self._ledger.erase(submission_id)
        return True
