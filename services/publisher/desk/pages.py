"""The editor's desk: what went out today, what waits for a person, and taking a submission back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Form, Request, Response

from services.publisher.deliveries.documents import FOR_A_PERSON
from services.publisher.deliveries.model import Delivery
from services.publisher.deliveries.publication import Publication
from services.publisher.deliveries.short_links import short_link
from services.publisher.desk.forms import is_reason
from services.publisher.desk.service import EditorialService, sees
from shared.campaign.model import Campaign
from shared.events import DeliveryState
from shared.http.problems import Problem
from shared.http.redirects import see_other
from shared.identity.tokens import Guard, Principal
from shared.web import Pages

SHOWN: Final = 100
"""Submissions of today on the front page; the counts are of these."""
ORDER: Final[tuple[DeliveryState, ...]] = (
    "needs_human",
    "residue",
    "unknown",
    "reconciling",
    "removing",
    "planned",
    "sending",
    "posted",
    "rejected",
    "cancelled",
    "removed",
)
"""What needs somebody first."""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery beside the title it carries."""

    delivery: Delivery
    title: str
    short_link: str
    places: int
    """How many addresses say where it is."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody had typed into a form that is shown again: all of it."""

    recall: bool = False
    """It is the recall's form."""
    reason: str = ""
    confirmed: bool = False
    urls: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Addresses that do not say where it is, by delivery."""
    trouble: str = ""
    """What is wrong with them, as `LinkRefused` says it."""


class Desk:
    """The pages of the editor's desk."""

    def __init__(
        self, editors: EditorialService, guard: Guard, campaign: Campaign, web: Path, mount: str
    ) -> None:
        self._editors, self._guard, self._mount = editors, guard, mount
        reasons = {reason.code: reason.text for reason in campaign.reasons}
        self._pages = Pages("publisher", web, mount, campaign=campaign.name, reasons=reasons)

    def routers(self) -> tuple[APIRouter, APIRouter]:
        """The pages and their static files."""
        router = self._pages.router()
        Editor = Annotated[Principal, Depends(self._guard.require("editor"))]  # noqa: N806 - a type

        @router.get(self._mount)
        async def today(request: Request, who: Editor) -> Response:
            return await self._today(request, who)

        @router.get(f"{self._mount}/submissions/{{submission_id}}")
        async def submission(request: Request, submission_id: str, who: Editor) -> Response:
            found = await self._editors.publication(submission_id, who)
            return self._submission(request, found)

        @router.post(f"{self._mount}/deliveries/{{delivery_id}}/resolution")
        async def resolve(
            request: Request,
            delivery_id: str,
            who: Editor,
            outcome: Annotated[Literal["posted", "absent", "cancelled"], Form()],
            url: Annotated[list[str] | None, Form(max_length=20)] = None,
        ) -> Response:
            links = [link for each in url or () for link in each.split()]
            try:
                delivery = await self._editors.resolve(delivery_id, outcome, links, who)
            except Problem as problem:
                if problem.code != "link_invalid":
                    raise
                found = await self._editors.publication_of(delivery_id, who)
                typed = Typed(urls={delivery_id: url or ()}, trouble=str(problem.extra["reason"]))
                return self._submission(request, found, typed)
            return self._to(delivery.submission_id)

        @router.post(f"{self._mount}/recalls")
        async def recall(
            request: Request,
            who: Editor,
            submission_id: Annotated[str, Form(max_length=100)],
            reason: Annotated[str, Form(max_length=20_000)] = "",
            confirmed: Annotated[Literal["yes", ""], Form()] = "",
        ) -> Response:
            if confirmed != "yes" or not is_reason(reason):
                found = await self._editors.publication(submission_id, who)
                typed = Typed(recall=True, reason=reason, confirmed=confirmed == "yes")
                return self._submission(request, found, typed)
            await self._editors.recall(submission_id, reason.strip(), who)
            return self._to(submission_id)

        return router, self._pages.static_router()

    async def _today(self, request: Request, who: Principal) -> Response:
        now = self._editors.clock()
        since = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        deliveries = self._editors.deliveries
        changed = [each for each in await deliveries.changed_since(since, SHOWN) if sees(who, each)]
        waiting = [each for each, _ in await deliveries.for_a_person(SHOWN) if sees(who, each)]
        rows = [row for each in changed for row in self._rows(each)]
        counts = Counter(row.delivery.state for row in rows)
        return self._pages.render(
            request,
            "today.html",
            typed=Typed(),
            channels=await self._editors.shown_channels(),
            counts=[(state, counts[state]) for state in ORDER if counts[state]],
            rows=sorted(rows, key=lambda row: ORDER.index(row.delivery.state)),
            waiting=[row for each in waiting for row in self._rows(each, FOR_A_PERSON)],
            partial=len(changed) >= SHOWN,
            now=now,
            stale=now - timedelta(minutes=5),
        )

    def _submission(
        self, request: Request, publication: Publication, typed: "Typed | None" = None
    ) -> Response:
        snapshots = sorted(publication.snapshots.items(), reverse=True)
        return self._pages.render(
            request,
            "submission.html",
            status_code=200 if typed is None else 422,
            typed=typed or Typed(),
            publication=publication,
            snapshot=snapshots[0][1] if snapshots else None,
            rows=sorted(self._rows(publication), key=lambda row: ORDER.index(row.delivery.state)),
        )

    def _rows(
        self, publication: Publication, states: frozenset[DeliveryState] | None = None
    ) -> Sequence[DeliveryRow]:
        return [
            DeliveryRow(
                each,
                publication.snapshot_of(each).title,
                short_link(self._editors.public_url, each.id),
                self._editors.places_of(publication, each),
            )
            for each in publication.deliveries
            if states is None or each.state in states
        ]

    def _to(self, submission_id: str) -> Response:
        return see_other(f"{self._mount}/submissions/{submission_id}")
