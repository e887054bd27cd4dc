"""Which event goes to whom, and the one that concerns all: a delivery got somewhere."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from services.metrics import telemetry
from services.metrics.census.handlers import join, receive, withdraw
from services.metrics.census.model import delivered
from services.metrics.census.store import Census
from services.metrics.clicks.link_cache import Links
from services.metrics.counting.handlers import count_clicks, count_samples
from services.metrics.counting.model import delivery_of
from services.metrics.counting.service import Counts
from shared.bus.consuming import Batch
from shared.events import (
    DELIVERY_CHANGED,
    PERSON_REGISTERED,
    REACH_CLICKED,
    REACH_SAMPLED,
    SUBMISSION_RECEIVED,
    SUBMISSION_WITHDRAWN,
    Topic,
)

Handle = Callable[[Batch], Awaitable[None]]


async def follow(batch: Batch, census: Census, counts: Counts, links: Links) -> None:
    """Deliveries got somewhere: their links lead, their reach can be broken down, they are visible or not."""
    events = [event for _, event in batch]
    await links.learn(events)
    for known in await counts.know([delivery_of(event) for event in events]):
        telemetry.delivery_known(known.delivery_id, known.dims.channel)
    await census.record(delivered(event) for event in events)


def handlers(census: Census, counts: Counts, links: Links) -> Mapping[Topic[Any], Handle]:
    """Which batch goes to whom."""
    return {
        PERSON_REGISTERED: partial(join, census=census),
        SUBMISSION_RECEIVED: partial(receive, census=census),
        SUBMISSION_WITHDRAWN: partial(withdraw, census=census),
        DELIVERY_CHANGED: partial(follow, census=census, counts=counts, links=links),
        REACH_CLICKED: partial(count_clicks, counts=counts),
        REACH_SAMPLED: partial(count_samples, counts=counts),
    }
