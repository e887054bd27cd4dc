"""The wiring of metrics."""

from functools import partial
from pathlib import Path
from typing import Final

from services.metrics.census.store import Roll
from services.metrics.clicks.link_cache import Links
from services.metrics.clicks.spool import Spool
from services.metrics.counting import handlers
from services.metrics.counting.service import Counts
from services.metrics.reports import api
from services.metrics.reports.pages import page_routes
from services.metrics.reports.totals_publisher import Announcer
from services.metrics.settings import MetricsSettings
from shared.bus.consuming import consume_batches
from shared.campaign.model import Campaign, CampaignError
from shared.events import REACH_CLICKED, REACH_SAMPLED, ReachClicked
from shared.http.problems import ConfigurationError
from shared.runtime.service import Parts, Runtime

WEB: Final = Path(__file__).parent / "web"
MOUNT: Final = "/reach"
CONSUMERS: Final = 3
"""Batches of each kind in work at a time; they fit into what the consumers may leave unacknowledged."""


def assemble(runtime: Runtime) -> Parts:
    """The parts of metrics. Raises `ConfigurationError` when the campaign file has a mistake."""
    settings, database = MetricsSettings.of(runtime.settings), runtime.database
    try:
        campaign = Campaign.load(settings.campaign_path)
    except CampaignError as error:
        raise ConfigurationError(str(error)) from error
    counts = Counts(database)
    roll = Roll(database["people"], database["submissions"])
    announcer = Announcer(database["totals"], counts, runtime)
    links = Links(database["links"], settings.spool / "links.tsv")

    async def publish(click: ReachClicked) -> None:
        await runtime.publisher.publish(
            REACH_CLICKED.subject,
            click.model_dump_json().encode(),
            stream=REACH_CLICKED.stream,
            message_id=str(click.event_id),
        )

    spool = Spool(settings.spool, publish)
    handlers.wire(runtime.broker)
    batches = partial(
        consume_batches, runtime.link, runtime.settler, service=runtime.name, size=settings.batch
    )
    return Parts(
        routers=[
            api.redirects(links, spool, settings.public_url, lambda: "database" not in runtime.health.away),
            api.routes(counts, roll, runtime.guard),
            *page_routes(counts, roll, runtime.guard, campaign, WEB, MOUNT),
        ],
        outboxes=[announcer.collection],
        jobs={
            # Three of each: while one waits for the store, the others fetch, and what they have fetched shares a write.
            **{
                f"count_{name}_{number}": partial(batches, topic, partial(handler, counts=counts))
                for number in range(CONSUMERS)
                for name, topic, handler in (
                    ("clicks", REACH_CLICKED, handlers.count_clicks),
                    ("samples", REACH_SAMPLED, handlers.count_samples),
                )
            },
            "counters": counts.run,
            "totals": announcer.run,
            "clicks": spool.run,
        },
        prepare=[roll.prepare, counts.prepare, announcer.prepare],
        context={"roll": roll, "counts": counts, "links": links},
        on_stop=[spool.close],
    )
