"""The HTTP interface of the publisher."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.publisher.desk.forms import RecallRequest, Resolution
from services.publisher.desk.schemas import Json, delivery_json, publication_json
from services.publisher.desk.service import Editors, sees
from shared.identity.tokens import Guard, Principal


def routes(editors: Editors, guard: Guard) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["publisher"])
    Staff = Annotated[Principal, Depends(guard.staff)]  # noqa: N806 - a type
    Desk = Annotated[Principal, Depends(guard.require("moderator", "operator"))]  # noqa: N806 - a type
    Editor = Annotated[Principal, Depends(guard.require("editor"))]  # noqa: N806 - a type

    @router.get("/v1/channels")
    async def channels(_: Staff) -> Json:
        """The campaign's channels with their address, health and budget."""
        return {"items": await editors.channels_json(), "next": None}

    @router.get("/v1/deliveries")
    async def deliveries(
        who: Staff, submission_id: Annotated[str, Query(min_length=1, max_length=100)]
    ) -> Json:
        """A submission's deliveries with what was tried; none when nothing was approved yet."""
        found = await editors.deliveries.read(submission_id)
        if found.version and not sees(who, found):
            found = await editors.publication(submission_id, who)
        return publication_json(found, editors.public_url)

    @router.post("/v1/deliveries/{delivery_id}/resolution")
    async def resolve(delivery_id: str, body: Resolution, who: Desk) -> Json:
        """Settle a delivery whose outcome nobody but a person can find out."""
        delivery = await editors.resolve(delivery_id, body.outcome, body.url, who)
        return delivery_json(delivery, editors.public_url)

    @router.post("/v1/recalls", status_code=202)
    async def recall(body: RecallRequest, who: Editor) -> Json:
        """Take a submission back from every channel; the deliveries show how far it is, with proof."""
        found = await editors.recall(body.submission_id, body.reason, who)
        return {"state": "recalled", **publication_json(found, editors.public_url)}

    return router
