"""The campaign's figures, each with its source and time; none where nothing was measured."""

from datetime import datetime
from typing import Final, NamedTuple

from services.metrics.census.model import CensusTally
from services.metrics.census.store import Census
from services.metrics.counting.model import CLICKS_SOURCE, moment
from services.metrics.counting.service import Counts
from services.metrics.counting.sums import ALL_TIME, WHOLE, BreakdownRow, Table, rows
from services.metrics.reports.totals import Total, clicks, reached, views
from shared.events import DELIVERY_CHANGED, PERSON_REGISTERED, SUBMISSION_RECEIVED

NAMES: Final = ("members", "countries", "submissions", "published", "videos", "views", "reached", "clicks")


class CampaignTotal(NamedTuple):
    """A figure of the campaign."""

    value: int
    source: str
    as_of: datetime


Figures = dict[str, CampaignTotal | None]


def counted(tally: CensusTally, source: str) -> CampaignTotal | None:
    """A count as a figure. Pure."""
    return None if tally.as_of is None else CampaignTotal(tally.value, source, tally.as_of)


def totalled(total: Total | None) -> CampaignTotal | None:
    """A total as a figure. Pure."""
    return None if total is None else CampaignTotal(total.value, total.source, moment(total.as_of))


async def figures_of(census: Census, counts: Counts) -> Figures:
    """What `GET /v1/campaign` says."""
    members, countries = await census.members()
    there = await census.submissions()
    tables = await counts.counters.read([Table(ALL_TIME, WHOLE)], counts.accounts.generation)
    measured: list[BreakdownRow] = rows(tables.values())
    followed = totalled(clicks(measured))
    linked_at = there["deliveries"].as_of
    if followed is None and linked_at is not None:
        # There are links and nobody has followed one: that is a count, and it is none.
        followed = CampaignTotal(0, CLICKS_SOURCE, linked_at)
    return {
        "members": counted(members, PERSON_REGISTERED.subject),
        "countries": counted(countries, PERSON_REGISTERED.subject),
        "submissions": counted(there["submissions"], SUBMISSION_RECEIVED.subject),
        "published": counted(there["published"], DELIVERY_CHANGED.subject),
        "videos": counted(there["videos"], DELIVERY_CHANGED.subject),
        "views": totalled(views(measured)),
        "reached": totalled(reached(counts.accounts)),
        "clicks": followed,
    }
