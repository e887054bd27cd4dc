"""Ingest's page of wiring."""

from dataclasses import replace

from services.ingest import api, api_people, handlers
from services.ingest.intake import Rules
from services.ingest.ledger import Ledger
from services.ingest.limits import Limits
from services.ingest.page_wiring import wire_pages
from services.ingest.people import People
from services.ingest.reception import Reception
from services.ingest.safety_rules import Limits as SafetyLimits
from services.ingest.sessions import Sessions
from services.ingest.settings import IngestSettings
from services.ingest.submissions import Submissions
from services.ingest.upload_rules import UploadLimits
from services.ingest.upload_wiring import wire_uploads
from shared.campaign import Campaign, CampaignError
from shared.identity import Issuer, OwnKeys, signing_key
from shared.media import MediaStore
from shared.problems import ConfigurationError
from shared.service import Parts, Runtime


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
    submissions = Submissions(runtime.database["submissions"])
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
        prepare=[people.prepare, submissions.prepare, *upload_parts.prepare],
        context={"ledger": ledger},
        long_bodies=["/v1/uploads"],
    )
