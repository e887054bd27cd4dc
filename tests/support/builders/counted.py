"""Events brought to the store that counts them, and what it says then."""

from collections import Counter
from collections.abc import Sequence

from services.metrics.counting.model import click_of, delivery_of, sample_of
from services.metrics.counting.service import Counts
from services.metrics.counting.sums import ALL_TIME, Table, name_of, rows
from shared.events import DeliveryChanged, Event, ReachClicked, ReachSampled
from shared.storage.mongo import Database
from tests.support.builders.reach_reference import Totals


async def counting(database: Database) -> Counts:
    counts = Counts(database)
    await counts.prepare()
    return counts


async def feed(counts: Counts, events: Sequence[Event]) -> None:
    await counts.count([click_of(event) for event in events if isinstance(event, ReachClicked)])
    await counts.count([sample_of(event) for event in events if isinstance(event, ReachSampled)])
    for event in events:
        if isinstance(event, DeliveryChanged):
            await counts.know([delivery_of(event)])


async def totals(counts: Counts, by: Sequence[str]) -> Totals:
    table = Table(ALL_TIME, name_of(by))
    found: Totals = Counter()
    for row in rows((await counts.counters.read([table], counts.accounts.generation)).values()):
        found[row.values, row.measure.metric, row.measure.kind] += row.value
    return +found


def parts(events: Sequence[Event], size: int) -> list[Sequence[Event]]:
    return [events[start : start + size] for start in range(0, len(events), size)]
