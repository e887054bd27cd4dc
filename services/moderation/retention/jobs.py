"""The job that lets go of cases whose time is over."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from services.moderation.cases.rules import ENDINGS
from services.moderation.retention.service import CaseErasure
from shared.retention.jobs import Retention, present
from shared.retention.model import Ending
from shared.storage.mongo import Database


def retention_of(
    database: Database,
    erasure: CaseErasure,
    periods: Mapping[Ending, timedelta],
    clock: Callable[[], datetime] = present,
) -> Retention:
    """The job. Cases of a withdrawal that came before its submission hold nothing and are not marked."""
    return Retention(
        database["cases"],
        periods,
        erasure.erase,
        before={ending: {"state": state, "revision": {"$gte": 1}} for state, ending in ENDINGS.items()},
        done=database["retention"],
        clock=clock,
    )
