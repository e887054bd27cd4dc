"""The wiring of metrics."""

from functools import partial
from pathlib import Path
from typing import Final

from services.metrics.census.store import Census
from services.metrics.clicks.api import redirect_routes
from services.metrics.clicks.link_cache import Links
from services.metrics.clicks.service import ShortLinks
from services.metrics.clicks.spool import Spool
from services.metrics.counting.service import Counts
from services.metrics.handlers import handlers
from services.metrics.reports import api
from services.metrics.reports.breakdown import Breakdowns
from services.metrics.reports.pages import page_routes
from services.metrics.reports.totals_publisher import TotalsPublisher
from services.metrics.settings import MetricsSettings
from shared.bus.consuming import consume_batches
from shared.campaign.model import Campaign, CampaignError
from shared.events import REACH_CLICKED, REACH_SAMPLED, ReachClicked
from shared.http.problems import ConfigurationError
from shared.http.rate_limit import Allowance, Limiter
from shared.runtime.service import Parts, Runtime
from shared.web.pages import Pages

WEB: Final = Path(__file__).parent / "web"
MOUNT: Final = "/reach"
READERS: Final = {REACH_CLICKED: 2, REACH_SAMPLED: 2}
"""Batches of reach in work at a time: while one waits for the store, the other goes on, and what they have shares a write.
With as many on their way, they fit into what the consumers may leave unacknowledged."""
LINGER_SECONDS: Final = 0.02
"""What is part of a submission's way waits so long for company."""


def assemble(runtime: Runtime) -> Parts:
    """The parts of metrics. Raises `ConfigurationError` when the campaign file has a mistake."""
    settings, database = MetricsSettings.of(runtime.settings), runtime.database
    try:
        campaign = Campaign.load(settings.campaign_path)
    except CampaignError as error:
        raise ConfigurationError(str(error)) from error
    counts = Counts(database)
    breakdowns, census = Breakdowns(counts), Census(database)
    announcer = TotalsPublisher(database["totals"], counts, runtime)
    links = Links(database["links"], settings.spool / "links.tsv")

    async def publish(click: ReachClicked) -> None:
        await runtime.publisher.publish(
            REACH_CLICKED.subject,
            click.model_dump_json().encode(),
            stream=REACH_CLICKED.stream,
            message_id=str(click.event_id),
        )

    spool = Spool(settings.spool, publish)
    short_links = ShortLinks(
        links,
        spool,
        Limiter("short links from your network", Allowance(settings.links_at_once, settings.links_per_hour)),
        public_url=settings.public_url,
        store_is_there=lambda: "database" not in runtime.health.away,
        limit_loopback=settings.limit_loopback,
    )
    pages = Pages("metrics", WEB, MOUNT, campaign=campaign.name)
    batches = partial(
        consume_batches, runtime.link, runtime.settler, service=runtime.name, size=settings.batch
    )
    return Parts(
        routers=[
            redirect_routes(short_links, pages),
            api.routes(breakdowns, counts, census, runtime.guard),
            *page_routes(pages, breakdowns, counts, census, runtime.guard),
        ],
        outboxes=[announcer.collection],
        jobs={
            **{
                f"{topic.subject}_{number}": (
                    partial(batches, topic, handle)
                    if topic in READERS
                    else partial(batches, topic, handle, linger=LINGER_SECONDS, spans=True)
                )
                for topic, handle in handlers(census, counts, links).items()
                for number in range(READERS.get(topic, 1))
            },
            "counters": counts.run,
            "totals": announcer.run,
            "clicks": spool.run,
            "waiting_clicks": short_links.run,
        },
        prepare=[census.prepare, counts.prepare, announcer.prepare],
        on_stop=[spool.close],
    )
