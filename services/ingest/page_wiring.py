"""How the portal is put together: pages, their choices, their routes."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter

from services.ingest.people import pages as page_entry
from services.ingest.people.service import Sessions
from services.ingest.rate_limits import Limits
from services.ingest.submissions import pages
from services.ingest.submissions.choices import Choices
from services.ingest.submissions.portal import Portal
from services.ingest.submissions.service import Reception
from services.ingest.validation.rules import Rules
from shared.campaign.model import Campaign
from shared.identity.tokens import Guard
from shared.storage.media import MediaStore
from shared.web import Pages

WEB: Final = Path(__file__).parent / "web"


def wire_pages(
    campaign: Campaign,
    reception: Reception,
    sessions: Sessions,
    store: MediaStore,
    guard: Guard,
    limits: Limits,
) -> list[APIRouter]:
    """The portal's routers, in the order in which they must be asked."""
    reasons = {reason.code: reason.text for reason in campaign.reasons}
    shell = Pages("ingest", WEB, "/send", campaign=campaign.name, reasons=reasons)
    choices = Choices.of(campaign)
    doors = page_entry.Doors(shell, sessions, reception, choices)
    portal = Portal(shell, reception, store, campaign, Rules.of(campaign), choices)
    return [
        shell.static_router(),
        page_entry.routes(doors, shell, guard, limits),
        pages.routes(portal, shell, guard, limits),
    ]
