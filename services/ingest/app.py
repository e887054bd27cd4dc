"""Ingest's page of wiring."""

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from fastapi import APIRouter

from services.ingest.account import api as api_account
from services.ingest.account import pages as account_pages
from services.ingest.account.jobs import deletions
from services.ingest.account.service import AccountService
from services.ingest.media_safety.model import MediaLimits as SafetyLimits
from services.ingest.people import api as api_people
from services.ingest.people import pages as people_pages
from services.ingest.people.service import Sessions
from services.ingest.people.store import People
from services.ingest.rate_limits import RateLimits
from services.ingest.retention.jobs import retention_of
from services.ingest.retention.service import SubmissionErasure
from services.ingest.settings import IngestSettings
from services.ingest.status import handlers
from services.ingest.status.store import Ledger
from services.ingest.submissions import api
from services.ingest.submissions import pages as submission_pages
from services.ingest.submissions.portal import Portal
from services.ingest.submissions.service import SubmissionService
from services.ingest.submissions.store import Submissions, received_log
from services.ingest.terms import pages as terms_pages
from services.ingest.uploads.parts import wire_uploads
from services.ingest.uploads.protocol import UploadLimits
from services.ingest.validation.choices import Choices
from services.ingest.validation.rules import SubmissionRules
from shared.bus.consuming import consume_batches
from shared.bus.outbox import publish_entry
from shared.campaign.model import Campaign, CampaignError
from shared.events import CASE_CHANGED, DELIVERY_CHANGED
from shared.http.body_limit import Bodies
from shared.http.problems import ConfigurationError
from shared.identity.key_rotation import believed
from shared.identity.live_sessions import KeptSessions
from shared.identity.tokens import Guard, Issuer, OwnKeys, Principal, signing_key
from shared.runtime.service import Parts, Runtime
from shared.storage.media import MediaStore
from shared.web import Pages

LATEST: Final = 50
"""So many of a person's latest submissions tell whether they are a newcomer."""
WEB: Final = Path(__file__).parent / "web"


def assemble(runtime: Runtime) -> Parts:
    """Everything that makes a process ingest. Raises `ConfigurationError` for a mistake in the campaign file."""
    settings = IngestSettings.of(runtime.settings)
    try:
        campaign = Campaign.load(settings.campaign_path)
    except CampaignError as error:
        raise ConfigurationError(str(error)) from error
    rules = SubmissionRules.of(campaign)
    key, public = signing_key(settings.token_key), believed(settings.token_key)
    people = People(runtime.database["people"])
    log = received_log(runtime.database, partial(publish_entry, runtime.publisher))
    submissions = Submissions(log)
    ledger, marks = Ledger(runtime.database["ledger"]), runtime.database["marks"]

    async def is_newcomer(person_id: str) -> bool:
        latest = await submissions.of(person_id, None, LATEST)
        return not await ledger.any_approved([each.submission_id for each in latest])

    limits = RateLimits(settings, runtime.database["limits"], is_newcomer)
    store = MediaStore(settings.media_url)
    uploads, upload_parts = wire_uploads(
        runtime,
        store,
        ledger.any_approved,
        UploadLimits(video_bytes=campaign.limits.video_bytes, photo_bytes=campaign.limits.photo_bytes),
        SafetyLimits(video_bytes=campaign.limits.video_bytes, photo_bytes=campaign.limits.photo_bytes),
    )
    reception = SubmissionService(
        submissions=submissions,
        ledger=ledger,
        people=people,
        uploads=uploads,
        rules=rules,
        nudge=lambda submission_id: runtime.nudge(submissions.collection, submission_id),
        media_wait=settings.media_wait,
    )
    sessions = Sessions(
        people=people,
        issuer=Issuer(key),
        keys=OwnKeys(*public),
        epochs=runtime.epochs,
        rules=rules,
        limits=limits,
        nudge=lambda person_id: runtime.nudge(people.collection, person_id),
    )
    erasure = SubmissionErasure(submissions, ledger, uploads, campaign.retention.periods)
    retention = retention_of(runtime.database, erasure, campaign.retention.periods)
    wake = asyncio.Event()
    account = AccountService(
        people=people,
        submissions=submissions,
        reception=reception,
        uploads=uploads,
        erasure=erasure,
        epochs=runtime.epochs,
        store=store,
        wake=wake.set,
    )
    handlers.wire(runtime.broker)
    ledger_jobs = {
        f"ledger {topic.subject}": partial(
            consume_batches,
            runtime.link,
            runtime.settler,
            topic,
            partial(handlers.moved, ledger=ledger),
            service=runtime.name,
            size=64,
            linger=0.0,
            spans=True,
        )
        for topic in (CASE_CHANGED, DELIVERY_CHANGED)
    }
    return replace(
        upload_parts,
        routers=[
            api_people.routes(sessions, runtime.guard, limits, public),
            api.routes(reception, runtime.guard, limits, settings.public_url),
            api.media_routes(reception, store, runtime.guard),
            api_account.routes(account, sessions, runtime.guard, limits),
            *upload_parts.routers,
            *_pages(campaign, reception, sessions, account, store, runtime.guard, limits),
        ],
        outboxes=[people.collection, submissions.collection],
        key=key,
        prepare=[
            people.prepare,
            limits.prepare,
            KeptSessions(runtime.database["sessions"]).prepare,
            submissions.prepare,
            log.prepare,
            partial(people.tell_again, marks),
            partial(submissions.tell_again, marks),
            *upload_parts.prepare,
            *(each.prepare for each in retention.values()),
        ],
        context={"ledger": ledger},
        jobs={
            **upload_parts.jobs,
            **ledger_jobs,
            "received": log.run,
            "limits": limits.run,
            "deletions": partial(deletions, account, wake),
            **{
                f"retention of {name}": partial(job.every, settings.retention_seconds)
                for name, job in retention.items()
            },
        },
        on_stop=[*upload_parts.on_stop, log.close],
        bodies=Bodies(
            texts_at=["/v1/submissions", "/send"],
            characters=campaign.limits.characters,
            streams_at=["/v1/uploads"],
        ),
    )


def _pages(
    campaign: Campaign,
    reception: SubmissionService,
    sessions: Sessions,
    account: AccountService,
    store: MediaStore,
    guard: Guard,
    limits: RateLimits,
) -> list[APIRouter]:
    """The portal's routers, in the order in which they must be asked."""
    reasons = {reason.code: reason.text for reason in campaign.reasons}
    shell = Pages("ingest", WEB, "/send", campaign=campaign.name, reasons=reasons, entry="/send/recover")
    choices = Choices.of(campaign)

    async def has_sent(who: Principal) -> bool:
        return bool(await reception.all_of(who, None, 1))

    doors = people_pages.Doors(shell, sessions, choices, has_sent)
    own = account_pages.AccountPages(shell, account, sessions, campaign.sections, people_pages.show_code)
    portal = Portal(shell, reception, store, campaign, SubmissionRules.of(campaign), choices)
    return [
        shell.static_router(),
        people_pages.routes(doors, shell, guard, limits),
        account_pages.routes(own, shell, guard, limits),
        terms_pages.routes(shell, campaign),
        submission_pages.routes(portal, shell, guard, limits),
    ]
