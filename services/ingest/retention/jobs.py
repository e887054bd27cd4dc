"""The jobs that let go of submissions whose time is over, whichever side the end was told from."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from services.ingest.retention.service import SubmissionErasure
from shared.retention.jobs import Retention, present
from shared.retention.model import Ending
from shared.storage.document import Document
from shared.storage.mongo import Database

BEFORE: Final[Mapping[str, Mapping[Ending, Document]]] = {
    "submissions": {"withdrawn": {"withdrawn": True}},
    "ledger": {
        "withdrawn": {"progress.case.state": "withdrawn"},
        "recalled": {"progress.case.state": "recalled"},
        "rejected": {"progress.case.state": "rejected"},
        "unanswered": {"progress.case.state": "changes_requested"},
    },
}
"""What ended before there were marks."""


def retention_of(
    database: Database,
    erasure: SubmissionErasure,
    periods: Mapping[Ending, timedelta],
    clock: Callable[[], datetime] = present,
) -> Mapping[str, Retention]:
    """One job for each collection in which an end is marked: both lead to the same taking away."""
    return {
        name: Retention(
            database[name],
            periods,
            erasure.erase,
            before=before,
            done=database["retention"],
            clock=clock,
        )
        for name, before in BEFORE.items()
    }
