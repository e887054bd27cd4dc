"""How the portal is put together: pages, their choices, their routes."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter

from services.ingest import page_entry, pages
from services.ingest.intake import Rules
from services.ingest.limits import Limits
from services.ingest.page_choices import Choices
from services.ingest.page_portal import Portal
from services.ingest.reception import Reception
from services.ingest.sessions import Sessions
from shared.campaign import Campaign
from shared.identity import Guard
from shared.media import MediaStore
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
