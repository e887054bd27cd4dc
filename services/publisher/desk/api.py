"""The HTTP interface of the publisher."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.publisher.desk.forms import RecallRequest, Resolution
from services.publisher.desk.schemas import (
    ChannelsAnswer,
    DeliveriesAnswer,
    DeliveryAnswer,
    PublicationAnswer,
    RecallAnswer,
)
from services.publisher.desk.service import EditorialService, sees
from shared.http.models import refused
from shared.identity.tokens import Guard, Principal


def routes(editors: EditorialService, guard: Guard) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["publisher"])
    Staff = Annotated[Principal, Depends(guard.staff)]  # noqa: N806 - a type
    Desk = Annotated[Principal, Depends(guard.require("moderator", "operator"))]  # noqa: N806 - a type
    Editor = Annotated[Principal, Depends(guard.require("editor"))]  # noqa: N806 - a type

    @router.get("/v1/channels")
    async def channels(_: Staff) -> ChannelsAnswer:
        """The campaign's channels with their address, health and budget."""
        return ChannelsAnswer(items=await editors.shown_channels())

    @router.get("/v1/deliveries", responses=refused(404))
    async def deliveries(
        who: Staff, submission_id: Annotated[str, Query(min_length=1, max_length=100)]
    ) -> PublicationAnswer:
        """A submission's deliveries with what was tried; none when nothing was approved yet."""
        found = await editors.deliveries.read(submission_id)
        if found.version and not sees(who, found):
            found = await editors.publication(submission_id, who)
        return PublicationAnswer.of(found, editors.public_url)

    @router.get("/v1/deliveries/waiting")
    async def waiting(
        who: Staff,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> DeliveriesAnswer:
        """Deliveries whose outcome a person has to find out, the longest wait first. `cursor` is a page's `next`."""
        found, following = await editors.waiting(who, cursor, limit)
        items = tuple(DeliveryAnswer.of(each, editors.public_url) for each in found)
        return DeliveriesAnswer(items=items, next=following)

    @router.post("/v1/deliveries/{delivery_id}/resolution")
    async def resolve(delivery_id: str, body: Resolution, who: Desk) -> DeliveryAnswer:
        """Settle a delivery whose outcome nobody but a person can find out."""
        delivery = await editors.resolve(delivery_id, body.outcome, body.links, who)
        return DeliveryAnswer.of(delivery, editors.public_url)

    @router.post("/v1/recalls", status_code=202, responses=refused(404))
    async def recall(body: RecallRequest, who: Editor) -> RecallAnswer:
        """Take a submission back from every channel; the deliveries show how far it is, with proof."""
        found = await editors.recall(body.submission_id, body.reason, who)
        return RecallAnswer.of(found, editors.public_url)

    return router
