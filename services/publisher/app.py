"""The wiring of the publisher."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from services.publisher.channels import registry
from services.publisher.channels.port import Channel, Post
from services.publisher.channels.website.site import Site
from services.publisher.deliveries import handlers, telemetry
from services.publisher.deliveries.publication import Outlet, Publication
from services.publisher.deliveries.retry_policy import LANES
from services.publisher.deliveries.store import Deliveries
from services.publisher.deliveries.verification import Trust
from services.publisher.desk import api, pages
from services.publisher.desk.service import EditorialService
from services.publisher.dispatch.health import Checkup
from services.publisher.dispatch.post_builder import Addresses
from services.publisher.dispatch.rate_limit_store import Accounts
from services.publisher.dispatch.worker import Surroundings, Worker
from services.publisher.retention.jobs import retention_of
from services.publisher.retention.service import PublicationErasure
from services.publisher.settings import PublisherSettings
from shared.campaign.model import Campaign, CampaignError
from shared.campaign.model import ChannelEntry as Entry
from shared.http.problems import ConfigurationError
from shared.http.rate_limit import Allowance
from shared.http.shared_limits import SharedLimiter
from shared.runtime.service import Parts, Runtime
from shared.storage.media import MediaStore
from shared.text.short_codes import short_code

Job = Callable[[], Awaitable[None]]

WEB: Final = Path(__file__).parent / "web"
MOUNT: Final = "/desk/publisher"
COUNT_SECONDS: Final = 60.0
TELL_AFTER: Final = 0.03
"""Seconds for which the others wait to be told, so that the call to the channel goes first; several changes of one
publication are then told together."""
LATE: Final = timedelta(seconds=60)
"""What has been due for longer than this is late."""


def present() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def assemble(runtime: Runtime) -> Parts:
    """The parts of the publisher. Raises `ConfigurationError` when the campaign file has a mistake."""
    settings = runtime.settings
    if not isinstance(settings, PublisherSettings):
        settings = PublisherSettings.model_validate(settings.model_dump())
    try:
        campaign = Campaign.load(settings.campaign_path)
        store = MediaStore(settings.media_url)
        site = Site(store, campaign, settings.public_url)
        channels = registry.build(campaign, store, site, settings.credentials)
    except CampaignError as error:
        raise ConfigurationError(str(error)) from error
    return wired(runtime, settings, campaign, list(channels.values()), site)


def wired(
    runtime: Runtime,
    settings: PublisherSettings,
    campaign: Campaign,
    channels: Sequence[Channel],
    site: Site,
) -> Parts:
    """The parts of the publisher with these channels."""
    database, collection = runtime.database, runtime.database["publications"]
    addresses = Addresses(
        settings.public_url, any(registry.spec_of(each).has_pages for each in campaign.channels)
    )
    workers: dict[str, Worker] = {}

    def written(publication: Publication) -> None:
        asyncio.get_running_loop().call_later(
            TELL_AFTER, runtime.nudge, collection, publication.submission_id
        )
        for worker in workers.values():
            worker.tell(publication)

    async def before_commit(post: Post) -> None:
        await site.lead(short_code(post.delivery_id), addresses.target(post.snapshot), post.language)

    entries = {each.id: each for each in campaign.channels}
    outlets = [_outlet(entries[each.id]) for each in channels]
    deliveries = Deliveries(collection, outlets, addresses.target, clock=present, written=written)
    accounts = Accounts(database["accounts"], clock=present)
    around = Surroundings(
        deliveries, accounts, settings.holder, present, addresses.post, before_commit, settings.pace
    )
    workers.update({each.id: Worker(each, around) for each in channels})
    checkup = Checkup(channels, present)
    allowance = Allowance(settings.recalls_alone, settings.recalls_alone)
    recalls = SharedLimiter("recall", "recalls from you", allowance, database["limits"], present)
    editors = EditorialService(
        deliveries,
        {each.id: each for each in channels},
        entries,
        accounts,
        checkup,
        settings.public_url,
        present,
        settings.pace,
        recalls,
    )
    trust = Trust(runtime.keys_of["moderation"], {each.id: each.reviewers for each in campaign.classes})
    periods = campaign.retention.periods
    retention = retention_of(database, PublicationErasure(deliveries, periods), periods)
    handlers.wire(runtime.broker)
    desk = pages.Desk(editors, runtime.guard, campaign, WEB, MOUNT)
    return Parts(
        routers=[api.routes(editors, runtime.guard), *desk.routers()],
        outboxes=[collection],
        jobs={
            "checkup": checkup.run,
            "count": partial(_count, deliveries),
            "site": site.keep,
            "retention": partial(retention.every, settings.retention_seconds),
            **_jobs(workers),
        },
        prepare=[deliveries.prepare, retention.prepare, recalls.prepare],
        context={"deliveries": deliveries, "trust": trust, "present": present},
        on_stop=[partial(_close, workers)],
    )


def _outlet(entry: Entry) -> Outlet:
    spec = registry.spec_of(entry)
    return Outlet(entry.id, entry.kind, spec.languages_of(entry), spec.replaces_in_place)


async def _close(workers: Mapping[str, Worker]) -> None:
    await asyncio.gather(*(worker.close() for worker in workers.values()))


async def _count(deliveries: Deliveries) -> None:
    """Show what waits for a person and what is late, again and again."""
    while True:
        now = present()
        telemetry.waiting_for_a_person(await deliveries.count_for_a_person())
        for outlet in deliveries.outlets:
            for lane in LANES:
                telemetry.late(outlet.id, lane, await deliveries.count_due(outlet.id, lane, now - LATE))
        await asyncio.sleep(COUNT_SECONDS)


def _jobs(workers: Mapping[str, Worker]) -> dict[str, Job]:
    return {name: job for worker in workers.values() for name, job in worker.jobs.items()}
