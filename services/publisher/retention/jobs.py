"""The job that lets go of publications whose time is over."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from services.publisher.retention.service import PublicationErasure
from shared.retention.jobs import Retention, present
from shared.retention.model import Ending
from shared.storage.mongo import Database


def retention_of(
    database: Database,
    erasure: PublicationErasure,
    periods: Mapping[Ending, timedelta],
    clock: Callable[[], datetime] = present,
) -> Retention:
    """The job. Of what was taken back before it was ever approved there is nothing to mark."""
    return Retention(
        database["publications"],
        periods,
        erasure.erase,
        before={
            "withdrawn": {"grave.kind": "withdrawn", "snapshots": {"$ne": {}}},
            "recalled": {"grave.kind": "recalled", "snapshots": {"$ne": {}}},
        },
        done=database["retention"],
        clock=clock,
    )
