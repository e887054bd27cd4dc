"""The wiring of moderation."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Final

from services.moderation import telemetry
from services.moderation.audit import api as audit_api
from services.moderation.audit.checkpoints import Checkpoints
from services.moderation.audit.mark import FILE as MARK_FILE
from services.moderation.cases import handlers
from services.moderation.cases.queue_positions import Books, LaneBook
from services.moderation.cases.store import Cases
from services.moderation.decisions.recall_budget import RecallBudget
from services.moderation.decisions.service import Decisions
from services.moderation.desk import api, pages
from services.moderation.desk.media import Photos
from services.moderation.desk.service import ReviewService
from services.moderation.queue.claims import Claims
from services.moderation.queue.reader import Queue, ReviewerScope
from services.moderation.retention.jobs import retention_of
from services.moderation.retention.service import CaseErasure
from services.moderation.screening.rules import ClassRule, Policy
from services.moderation.screening.service import Scanner
from services.moderation.settings import ModerationSettings
from shared.bus.consuming import consume_batches
from shared.bus.outbox import publish_entries
from shared.campaign.model import Campaign, CampaignError
from shared.events import SUBMISSION_RECEIVED
from shared.http.body_limit import Bodies
from shared.http.problems import ConfigurationError
from shared.identity.key_rotation import believed
from shared.identity.tokens import signing_key
from shared.runtime.service import Parts, Runtime
from shared.storage.clock import DatabaseClock
from shared.storage.media import MediaStore
from shared.web import Pages

TOGETHER: Final = 64
"""Submissions that are screened, and whose cases are opened, together."""
COUNT_SECONDS: Final = 15.0
WEB: Final = Path(__file__).parent / "web"


def policy_of(campaign: Campaign) -> Policy:
    """What the campaign file says to moderation."""
    limits = campaign.limits
    return Policy(
        {each.id: ClassRule(each.id, each.reviewers, each.blur, each.words) for each in campaign.classes},
        frozenset(reason.code for reason in campaign.reasons),
        frozenset(channel.id for channel in campaign.channels),
        limits.title,
        limits.body,
        limits.alt,
        limits.note,
        limits.hashtags,
        campaign.countries,
    )


def assemble(runtime: Runtime) -> Parts:
    """The parts of moderation. Raises `ConfigurationError` when the campaign file has a mistake."""
    settings = ModerationSettings.of(runtime.settings)
    try:
        campaign = Campaign.load(settings.campaign_path)
    except CampaignError as error:
        raise ConfigurationError(str(error)) from error
    database, policy = runtime.database, policy_of(campaign)
    key = signing_key(settings.decision_key)
    clock, scanner = DatabaseClock(database), Scanner(policy)
    books = Books(LaneBook(database["lanes"]), LaneBook(database["country_lanes"]))
    cases = Cases(database["cases"], books, runtime.nudge, partial(publish_entries, runtime.publisher))
    queue = Queue(cases.collection, books)
    claims = Claims(cases, queue, clock, settings.lease, settings.claims_at_once)
    decisions = Decisions(cases, clock, policy, key, scanner)
    recalls = RecallBudget(database["recalls"], settings.recalls_alone)
    desk = ReviewService(cases, queue, claims, decisions, clock, policy, recalls)
    photos = Photos(cases, MediaStore(settings.media_url))
    periods = campaign.retention.periods
    retention = retention_of(database, CaseErasure(cases, periods), periods)
    checkpoints = Checkpoints(database["seals"], cases.collection, clock, key)
    reasons = {reason.code: reason.text for reason in campaign.reasons}
    shell = Pages("moderation", WEB, pages.HOME, campaign=campaign.name, reasons=reasons)
    console = pages.Console(shell, desk, photos, campaign)
    handlers.wire(runtime.broker)
    return Parts(
        bodies=Bodies(texts_at=["/v1/decisions", pages.HOME], characters=campaign.limits.characters),
        routers=[
            api.routes(desk, photos, runtime.guard, *believed(settings.decision_key)),
            audit_api.routes(checkpoints),
            shell.static_router(),
            pages.routes(console, runtime.guard),
        ],
        outboxes=[cases.collection],
        key=key,
        jobs={
            "screen": partial(
                consume_batches,
                runtime.link,
                runtime.settler,
                SUBMISSION_RECEIVED,
                partial(handlers.screen, cases=cases, clock=clock, scanner=scanner),
                service=runtime.name,
                size=TOGETHER,
                linger=0.0,
                spans=True,
            ),
            "seal": lambda: checkpoints.every(settings.seal_seconds),
            "count": lambda: count(queue, clock, campaign),
            "retention": partial(retention.every, settings.retention_seconds),
        },
        prepare=[
            cases.prepare,
            partial(cases.tell_again, database["marks"]),
            retention.prepare,
            lambda: checkpoints.begin(settings.keys / MARK_FILE),
        ],
        context={"cases": cases, "database_clock": clock},
    )


async def count(queue: Queue, clock: DatabaseClock, campaign: Campaign) -> None:
    """Show how many wait, again and again, by the campaign's languages; authors may name any, and make no series by it."""
    everything = ReviewerScope("", editor=True)
    while True:
        now = await clock.now()
        shown = dict.fromkeys((*campaign.languages, "other"), (0, 0.0))
        for each in await queue.waiting(everything):
            language = each.language if each.language in shown else "other"
            count, oldest = shown[language]
            age = (now - each.oldest_at).total_seconds() if each.oldest_at else 0.0
            shown[language] = (count + each.count, max(oldest, age))
        for language, (count, oldest) in shown.items():
            telemetry.waiting(language, count, oldest)
        await asyncio.sleep(COUNT_SECONDS)
