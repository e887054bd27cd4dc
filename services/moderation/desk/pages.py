"""The moderators' console: pages over the same desk that the API uses."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.datastructures import FormData

from services.moderation.cases.model import Case
from services.moderation.cases.rules import OPEN, Content, media_names, required
from services.moderation.desk.diff import changes, marked
from services.moderation.desk.forms import (
    CaseRecallRequest,
    ManyRecallsRequest,
    ReopenRequest,
    decision_of,
)
from services.moderation.desk.media import Photos
from services.moderation.desk.schemas import handle, who
from services.moderation.desk.service import ReviewService, reader_of
from services.moderation.queue.reader import QueueEntry, ReviewerScope
from shared.campaign.model import Campaign
from shared.events import Sha256, as_utc
from shared.http.cursors import Cursor
from shared.http.problems import Problem
from shared.http.redirects import see_other
from shared.identity.tokens import Guard, Principal
from shared.web import Pages

SHOWN: Final = 40
"""Lines of the queue on one page."""
HOME: Final = "/desk/moderation"
UNFIT: Final = 422
"""A form that must be mended; other refusals mean that the case stands differently by now."""


@dataclass(frozen=True, slots=True)
class Console:
    """What the pages need."""

    pages: Pages
    desk: ReviewService
    photos: Photos
    campaign: Campaign

    async def queue(self, request: Request, principal: Principal, wanted: dict[str, Any]) -> Response:
        """The queue, and what the visitor holds."""
        reader = reader_of(principal, wanted["language"], wanted["country"])
        now = await self.desk.clock.now()
        slots, after = await self.desk.page(
            reader, risk=wanted["risk"], state=None, cursor=wanted["cursor"], limit=SHOWN
        )
        filters = {key: value for key, value in wanted.items() if value and key != "cursor"}
        return self.pages.render(
            request,
            "queue.html",
            principal=principal,
            waiting=await self.desk.waiting(reader_of(principal)),
            lines=[self._line(slot, reader, now) for slot in slots],
            mine=await self.desk.claims.mine(principal.person_id),
            wanted=wanted,
            countries=principal.scopes.countries or self.campaign.countries,
            classes=self._classes(),
            following=after and "?" + urlencode({**filters, "cursor": after}, doseq=True),
            version=_version(slots, now),
            nothing="nothing" in request.query_params,
            done="done" in request.query_params,
        )

    def _line(self, slot: QueueEntry, reader: ReviewerScope, now: datetime) -> dict[str, Any]:
        lease = None if slot.lease is None or slot.free(now) else slot.lease
        return {
            "slot": slot,
            "held": lease
            and {"by": handle(lease["person_id"]), "mine": lease["person_id"] == reader.person_id},
            "yours": slot.author_id == reader.person_id,
            "approved": not slot.person_free(reader.person_id),
            "reviewers": slot.reviewers(self.desk.policy),
        }

    def _classes(self) -> dict[str, Any]:
        return {each.id: each.text for each in self.campaign.classes}

    async def case(
        self,
        request: Request,
        principal: Principal,
        case: Case,
        *,
        problem: Problem | None = None,
        given: FormData | None = None,
    ) -> Response:
        """One case: what it is, and what the visitor may do with it."""
        now = await self.desk.clock.now()
        lease = case.held_by(now)
        holds = lease is not None and lease.person_id == principal.person_id
        content = case.standing.content
        return self.pages.render(
            request,
            "case.html",
            principal=principal,
            status_code=200 if problem is None else problem.status,
            case=case,
            content=content,
            media=list(zip(media_names(content), content.media, strict=True)),
            open=case.standing.state in OPEN,
            claim=lease if holds else None,
            held=None if lease is None or holds else {"by": handle(lease.person_id), "until": lease.until},
            own=case.standing.author_id == principal.person_id,
            approved=principal.person_id in {each.person_id for each in case.standing.approvals},
            editors_only=case.standing.escalated and not principal.has("editor"),
            recallable=any(each.state == "approved" for each in case.decisions),
            blur=self.desk.policy.blurs(case.standing.classes),
            reviewers=required(self.desk.policy, case.standing.classes, case.sent, content),
            title_parts=marked(content.title, case.signals, "title"),
            body_parts=marked(content.body, case.signals, "body"),
            edits=edits_shown(case.sent, content),
            classes=self._classes(),
            reasons=[reason.code for reason in self.campaign.reasons],
            channels=[each for each in self.campaign.channels if each.takes(content.language)],
            sections={each.id: each.name for each in self.campaign.sections},
            limits=self.campaign.limits,
            handle=handle,
            who=who,
            moment=datetime.fromisoformat,
            problems={_field(problem): problem} if problem and problem.status == UNFIT else {},
            lost=problem if problem and problem.status != UNFIT else None,
            given=given,
            given_items=[] if given is None else _carried(given),
            written=[] if given is None else _written(given, content),
            done="done" in request.query_params,
            recalled="recalled" in request.query_params,
        )

    async def recalls(
        self, request: Request, principal: Principal, before: str | None, *, mistaken: str = ""
    ) -> Response:
        """What waits for a second recall, and the newest that is approved, to take several back."""
        found, after = await self.desk.decided(principal, before=before, limit=SHOWN)
        asked = await self.desk.recalls_asked(principal)
        waiting = {case.id for case in asked}
        made = {
            name: int(value) if (value := request.query_params.get(name, "0")).isdecimal() else 0
            for name in ("done", "waiting", "refused")
        }
        return self.pages.render(
            request,
            "recalls.html",
            principal=principal,
            status_code=UNFIT if mistaken else 200,
            asked=asked,
            approved=[case for case in found if case.standing.state == "approved" and case.id not in waiting],
            after=after,
            alone=self.desk.recalls.alone,
            made=made if any(made.values()) else None,
            handle=handle,
            mistaken=mistaken,
        )

    async def recall_several(self, request: Request, principal: Principal) -> Response:
        """Take the chosen ones back, or keep them."""
        form = await request.form()
        try:
            wanted = ManyRecallsRequest.model_validate(
                {
                    "submission_ids": tuple(map(str, form.getlist("submission_id"))),
                    "reason": str(form.get("reason", "")),
                }
            )
        except ValidationError:
            mistaken = "asked-reason" if form.get("form") == "asked" else "approved-reason"
            return await self.recalls(request, principal, None, mistaken=mistaken)
        do = self.desk.keep_all if form.get("do") == "keep" else self.desk.recall_all
        made = await do(wanted.submission_ids, principal, wanted.reason)
        counts = {"done": len(made.done), "waiting": len(made.waiting), "refused": len(made.refused)}
        return see_other(f"{HOME}/recalls?{urlencode(counts)}")

    async def decide(self, request: Request, principal: Principal, case_id: str) -> Response:
        """Take a decision from the form; show the form again when something is missing."""
        form = await request.form()
        case = await self.desk.case(case_id, principal)
        try:
            body = decision_of(form, case.standing.content)
            await self.desk.decide(body.claim_token, body.decision, principal, fingerprint=body.fingerprint)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"][:2])) if first["loc"][:1] == ("edits",) else "decision"
            problem = Problem(422, "invalid", first["msg"].removeprefix("Value error, "), field=field)
            return await self.case(request, principal, case, problem=problem, given=form)
        except Problem as problem:
            if problem.status not in {409, 422}:
                raise
            case = await self.desk.case(case_id, principal)
            return await self.case(request, principal, case, problem=problem, given=form)
        if form.get("then") == "next":
            claim = await self.desk.claim(reader_of(principal))
            if claim is not None:
                return see_other(f"{HOME}/cases/{claim.case.id}?done={case_id}")
        return see_other(f"{HOME}?done={case_id}")


NOT_CARRIED: Final = frozenset({"csrf", "claim_token", "verdict", "submission_id", "kept"})
"""Fields of a form that belong to the claim that is lost, or to the sending."""


def _carried(form: FormData) -> list[tuple[str, str]]:
    """What somebody chose and wrote, to be in the form again once they have taken the case again."""
    return [
        (name, value)
        for name, value in form.multi_items()
        if name not in NOT_CARRIED and isinstance(value, str)
    ]


def _written(form: FormData, content: Content) -> list[tuple[str, str]]:
    """What somebody wrote that is not there yet, by field."""
    there = {"title": content.title, "body": content.body, "hashtags": " ".join(content.hashtags), "note": ""}
    names = zip(media_names(content), content.media, strict=True)
    there |= {f"alt-{name}": media.alt for name, media in names}
    return [
        (name, text)
        for name, old in there.items()
        if (text := str(form.get(name, old)).replace("\r\n", "\n")).strip()
        and text != old.replace("\r\n", "\n")
    ]


def _field(problem: Problem) -> str:
    """The form's field that a refusal is about."""
    field = str(problem.extra.get("field") or "decision")
    if field.startswith("edits.alts."):
        return f"alt-{field.removeprefix('edits.alts.')}"
    return field.replace(".", "-")


def _version(slots: list[QueueEntry], now: datetime) -> str:
    """What the page knows the shown lines by: it renews itself only when they are others."""
    seen = repr([(slot.id, slot.version, slot.free(now)) for slot in slots])
    return hashlib.sha256(seen.encode()).hexdigest()[:16]


def edits_shown(sent: Content, content: Content) -> list[dict[str, Any]]:
    """What moderators changed, field by field."""
    fields = [
        ("title", sent.title, content.title),
        ("body", sent.body, content.body),
        ("hashtags", " ".join(sent.hashtags), " ".join(content.hashtags)),
        *(("alt", a.alt, b.alt) for a, b in zip(sent.media, content.media, strict=False)),
    ]
    return [
        {"field": name, "parts": changes(before, after)} for name, before, after in fields if before != after
    ]


def routes(console: Console, guard: Guard) -> APIRouter:
    """The console's routes."""
    router = console.pages.router()
    Moderator = Annotated[Principal, Depends(guard.require("moderator"))]  # noqa: N806 — a type

    @router.get(HOME)
    async def queue(
        request: Request,
        principal: Moderator,
        language: Annotated[list[str] | None, Query()] = None,
        country: Annotated[list[str] | None, Query()] = None,
        risk: str | None = None,
        cursor: Cursor | None = None,
    ) -> Response:
        wanted = {
            "language": [each for each in language or () if each],
            "country": [each for each in country or () if each],
            "risk": risk or None,
            "cursor": cursor,
        }
        return await console.queue(request, principal, wanted)

    @router.get(f"{HOME}/decided")
    async def decided(request: Request, principal: Moderator, before: Cursor | None = None) -> Response:
        found, after = await console.desk.decided(principal, before=before, limit=SHOWN)
        return console.pages.render(request, "decided.html", principal=principal, cases=found, after=after)

    @router.post(f"{HOME}/claims")
    async def claim(request: Request, principal: Moderator) -> Response:
        form = await request.form()
        case_id = str(form.get("submission_id", "")) or None
        languages = [str(each) for each in form.getlist("language") if each]
        countries = [str(each) for each in form.getlist("country") if each]
        if form.get("kept") and case_id:
            claim = await console.desk.claim(reader_of(principal), case_id)
            if claim is not None:
                return await console.case(request, principal, claim.case, given=form)
        given = await console.desk.claim(reader_of(principal, languages, countries), case_id)
        return see_other(f"{HOME}/cases/{given.case.id}" if given else f"{HOME}?nothing=1")

    @router.get(f"{HOME}/cases/{{case_id}}")
    async def case(request: Request, case_id: str, principal: Moderator) -> Response:
        return await console.case(request, principal, await console.desk.case(case_id, principal))

    @router.post(f"{HOME}/cases/{{case_id}}/decision")
    async def decide(request: Request, case_id: str, principal: Moderator) -> Response:
        return await console.decide(request, principal, case_id)

    @router.get(f"{HOME}/media/{{sha256}}")
    async def media(request: Request, sha256: Sha256, principal: Moderator) -> Response:
        return await console.photos.answer(sha256, principal, request.headers.get("range"))

    return _lease_routes(_published_routes(router, console, Moderator), console, Moderator)


def _lease_routes(router: APIRouter, console: Console, moderator: Any) -> APIRouter:
    @router.post(f"{HOME}/cases/{{case_id}}/renewal")
    async def renew(request: Request, case_id: str, principal: moderator) -> Response:
        token = str((await request.form()).get("claim_token", ""))
        until = await console.desk.renew(token, principal)
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse({"lease_expires_at": as_utc(until)})
        return see_other(f"{HOME}/cases/{case_id}")

    @router.post(f"{HOME}/cases/{{case_id}}/release")
    async def release(request: Request, principal: moderator) -> Response:
        token = str((await request.form()).get("claim_token", ""))
        await console.desk.claims.release(token, principal.person_id)
        return see_other(HOME)

    return router


def _published_routes(router: APIRouter, console: Console, moderator: Any) -> APIRouter:
    @router.get(f"{HOME}/recalls")
    async def recalls(request: Request, principal: moderator, before: Cursor | None = None) -> Response:
        return await console.recalls(request, principal, before)

    @router.post(f"{HOME}/recalls")
    async def recall_several(request: Request, principal: moderator) -> Response:
        return await console.recall_several(request, principal)

    @router.post(f"{HOME}/cases/{{case_id}}/recall")
    async def recall(request: Request, case_id: str, principal: moderator) -> Response:
        form = await request.form()
        try:
            reason = CaseRecallRequest.model_validate({"reason": str(form.get("reason", ""))}).reason
        except ValidationError:
            found = await console.desk.case(case_id, principal)
            missing = Problem(422, "recall_reason_missing", "A reason is needed.", field="reason")
            return await console.case(request, principal, found, problem=missing)
        await console.desk.recall(case_id, principal, reason)
        return see_other(f"{HOME}/cases/{case_id}?recalled=1")

    @router.post(f"{HOME}/cases/{{case_id}}/reopen")
    async def reopen(request: Request, case_id: str, principal: moderator) -> Response:
        form = await request.form()
        try:
            reason = ReopenRequest.model_validate({"reason": str(form.get("reason", ""))}).reason
        except ValidationError:
            found = await console.desk.case(case_id, principal)
            missing = Problem(422, "recall_reason_missing", "A reason is needed.", field="reopen-reason")
            return await console.case(request, principal, found, problem=missing)
        await console.desk.reopen(case_id, principal, reason)
        return see_other(f"{HOME}/cases/{case_id}")

    return router
