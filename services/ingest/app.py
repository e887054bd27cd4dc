"""Ingest's page of wiring."""

from dataclasses import replace
from functools import partial

from services.ingest.media_safety.model import Limits as SafetyLimits
from services.ingest.page_wiring import wire_pages
from services.ingest.people import api as api_people
from services.ingest.people.service import Sessions
from services.ingest.people.store import People
from services.ingest.rate_limits import Limits
from services.ingest.settings import IngestSettings
from services.ingest.status import handlers
from services.ingest.status.store import Ledger
from services.ingest.submissions import api
from services.ingest.submissions.service import Reception
from services.ingest.submissions.store import Submissions, received_log
from services.ingest.upload_wiring import wire_uploads
from services.ingest.uploads.rules import UploadLimits
from services.ingest.validation.rules import Rules
from shared.bus.consuming import consume_batches
from shared.bus.outbox import publish_entry
from shared.campaign.model import Campaign, CampaignError
from shared.events import CASE_CHANGED, DELIVERY_CHANGED
from shared.http.problems import ConfigurationError
from shared.identity.tokens import Issuer, OwnKeys, signing_key
from shared.runtime.service import Parts, Runtime
from shared.storage.media import MediaStore


def assemble(runtime: Runtime) -> Parts:
    """Everything that makes a process ingest. Raises `ConfigurationError` for a mistake in the campaign file."""
    settings = IngestSettings.of(runtime.settings)
    try:
        campaign = Campaign.load(settings.campaign_path)
    except CampaignError as error:
        raise ConfigurationError(str(error)) from error
    rules, limits = Rules.of(campaign), Limits(settings)
    key = signing_key(settings.token_key)
    people = People(runtime.database["people"])
    log = received_log(runtime.database, partial(publish_entry, runtime.publisher))
    submissions = Submissions(log)
    ledger = Ledger(runtime.database["ledger"])
    store = MediaStore(settings.media_url)
    uploads, upload_parts = wire_uploads(
        runtime,
        store,
        UploadLimits(video_bytes=campaign.limits.video_bytes, photo_bytes=campaign.limits.photo_bytes),
        SafetyLimits(video_bytes=campaign.limits.video_bytes, photo_bytes=campaign.limits.photo_bytes),
    )
    reception = Reception(
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
        keys=OwnKeys(key.public_key()),
        epochs=runtime.epochs,
        rules=rules,
        limits=limits,
        nudge=lambda person_id: runtime.nudge(people.collection, person_id),
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
            api_people.routes(sessions, runtime.guard, limits, key.public_key()),
            api.routes(reception, runtime.guard, limits, settings.public_url),
            api.media_routes(reception, store, runtime.guard),
            *upload_parts.routers,
            *wire_pages(campaign, reception, sessions, store, runtime.guard, limits),
        ],
        outboxes=[people.collection, submissions.collection],
        prepare=[people.prepare, submissions.prepare, log.prepare, *upload_parts.prepare],
        context={"ledger": ledger},
        jobs={**upload_parts.jobs, **ledger_jobs, "received": log.run},
        on_stop=[log.close],
        long_bodies=["/v1/uploads"],
    )
