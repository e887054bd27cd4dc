"""The pages of people who send: their list, the form, the life of a submission.

They follow the rules of the API: the same reception, the same idempotency. A form's key is made when it is rendered, so a
double tap, or a second try after a lost connection, is one submission.
"""

from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import uuid4

from fastapi import Request, Response

from services.ingest.media_safety.model import ACCEPTED_TYPES
from services.ingest.people import codes
from services.ingest.status.rules import Progress, recall_reason
from services.ingest.submissions import forms as page_forms
from services.ingest.submissions.forms import SendForm
from services.ingest.submissions.service import Receipt, SubmissionService
from services.ingest.submissions.store import Submission
from services.ingest.submissions.timeline import life
from services.ingest.validation.choices import Choices
from services.ingest.validation.form_fields import fields_of
from services.ingest.validation.rules import SubmissionRules
from shared.campaign.model import Campaign
from shared.http.problems import Problem
from shared.http.redirects import see_other
from shared.identity.tokens import Principal
from shared.storage.media import MediaStore
from shared.web import Pages, came_from_elsewhere
from shared.web.media import clean_media

UPLOADS: Final = "/api/ingest/v1/uploads"
PER_PAGE: Final = 30


class Portal:
    """The pages of people who send."""

    def __init__(
        self,
        pages: Pages,
        reception: SubmissionService,
        store: MediaStore,
        campaign: Campaign,
        rules: SubmissionRules,
        choices: Choices,
    ) -> None:
        self._pages, self._reception, self._store = pages, reception, store
        self._campaign, self._rules, self._choices = campaign, rules, choices

    async def front(
        self, request: Request, who: Principal | None, before: tuple[datetime, str] | None
    ) -> Response:
        """One's list; for a stranger, what this is and how to join."""
        if who is None and came_from_elsewhere(request):
            return self._pages.render(request, "again.html")
        if who is None:
            has_terms = bool(self._campaign.terms)
            return self._pages.render(
                request, "welcome.html", about=self._campaign.about, has_terms=has_terms
            )
        found = await self._reception.all_of(who, before, PER_PAGE + 1)
        items = [_item(submission, progress) for submission, progress in found[:PER_PAGE]]
        last = found[PER_PAGE - 1][0] if len(found) > PER_PAGE else None
        more = f"{last.accepted_at.isoformat()}~{last.submission_id}" if last else ""
        return self._pages.render(request, "mine.html", items=items, more=more, version=_version(items))

    def blank(self, request: Request) -> Response:
        """An empty send form under a key of its own."""
        form = SendForm(key=str(uuid4()), terms_version=self._campaign.terms_version)
        return self._form(request, form, [])

    async def send(self, request: Request, who: Principal) -> Response:
        """Store what the form holds, or show it again with what must be mended."""
        form = page_forms.read_send(await request.form())
        mistakes = page_forms.mistakes_of(form, self._rules)
        if mistakes:
            return self._form(request, form, mistakes)
        try:
            receipt = await self._reception.submit(who, form.key, form.draft())
        except Problem as problem:
            return self._form(request, form, _mending(problem))
        return _to_status(receipt)

    async def mend(self, request: Request, who: Principal, submission_id: str) -> Response:
        """The form for the revision that moderation asked for."""
        submission, progress = await self._reception.look_up(who, submission_id)
        form = page_forms.filled_in(
            submission, str(uuid4()), self._campaign.terms_version, _media(submission_id)
        )
        return self._form(request, form, [], of=(submission, progress))

    async def revise(self, request: Request, who: Principal, submission_id: str) -> Response:
        """Store the revision, or show it again with what must be mended."""
        form = page_forms.read_send(await request.form())
        known = await self._reception.look_up(who, submission_id)
        mistakes = page_forms.mistakes_of(form, self._rules)
        if mistakes:
            return self._form(request, form, mistakes, of=known)
        try:
            receipt = await self._reception.revise(who, submission_id, form.key, form.draft())
        except Problem as problem:
            return self._form(request, form, _mending(problem), of=known)
        return _to_status(receipt)

    async def status(self, request: Request, who: Principal, submission_id: str, *, fresh: bool) -> Response:
        """Everything that happened to a submission so far."""
        submission, progress = await self._reception.look_up(who, submission_id)
        state, steps = life(submission, progress)
        latest = submission.latest
        draft = latest.manuscript.draft
        decision = (
            progress.decision if progress.decision and progress.decision.revision == latest.number else None
        )
        return self._pages.render(
            request,
            "status.html",
            fresh=fresh,
            submission_id=submission_id,
            receipt=submission.receipt,
            revision=latest.number,
            title=draft.title,
            body=draft.body,
            language=draft.language,
            country=draft.country,
            erased_at=submission.erased_at,
            media=latest.manuscript.media,
            media_url=_media(submission_id),
            sent_at=latest.accepted_at,
            terms_version=draft.consent.terms_version,
            has_terms=draft.consent.terms_version in self._campaign.terms,
            state=state,
            steps=steps,
            decision=decision,
            recall_reason=recall_reason(progress),
            deliveries=progress.deliveries,
            reach=dict(progress.reach.totals) if progress.reach else {},
            published_title=decision.title if decision else None,
            published_text=decision.body if decision else None,
            version=_version([submission.latest.number, state, progress.model_dump_json()]),
        )

    async def media(self, request: Request, who: Principal, submission_id: str, sha256: str) -> Response:
        """A photo or video of one's own submission."""
        submission = await self._reception.own(who, submission_id)
        for revision in submission.revisions:
            for media in revision.manuscript.media:
                if media.sha256 == sha256:
                    return await clean_media(self._store, media, request.headers.get("Range"))
        raise Problem(404, "not_found", "There is no such photo or video in this submission.")

    async def withdraw(self, request: Request, who: Principal, submission_id: str) -> Response:
        """Withdraw a submission for good."""
        reason = (await request.form()).get("reason")
        await self._reception.withdraw(
            who, submission_id, reason if isinstance(reason, str) and reason else None
        )
        return see_other(f"/send/{submission_id}")

    def _form(
        self,
        request: Request,
        form: SendForm,
        mistakes: list[str],
        *,
        of: tuple[Submission, Progress] | None = None,
    ) -> Response:
        if "terms" in mistakes:
            form = replace(form, terms=False, terms_version=self._campaign.terms_version)
        decision = of[1].decision if of else None
        return self._pages.render(
            request,
            "form.html",
            status_code=422 if mistakes else 200,
            given=form,
            files=form.files,
            key=form.key,
            terms_version=form.terms_version,
            has_terms=form.terms_version in self._campaign.terms,
            mistakes=mistakes,
            limits=self._campaign.limits,
            uploads_url=UPLOADS,
            accepted=",".join(ACCEPTED_TYPES),
            revising=of is not None,
            wish=decision if decision and decision.verdict == "request_changes" else None,
            back=f"/send/{of[0].submission_id}" if of else "/send",
            **self._choices.shown(),
        )


def _media(submission_id: str) -> str:
    """Where the photos and videos of a submission are, each under its digest."""
    return f"/send/{submission_id}/media/"


def _to_status(receipt: Receipt) -> Response:
    return see_other(f"/send/{receipt.submission_id}?sent")


def _item(submission: Submission, progress: Progress) -> dict[str, object]:
    draft = submission.latest.manuscript.draft
    return {
        "submission_id": submission.submission_id,
        "receipt": codes.receipt(submission.submission_id),
        "title": draft.title,
        "language": draft.language,
        "state": life(submission, progress)[0],
        "accepted_at": submission.accepted_at,
    }


def _version(content: object) -> str:
    """Changes with what a page shows, so that an open page knows whether there is news."""
    return sha256(repr(content).encode()).hexdigest()[:16]


def _mending(problem: Problem) -> list[str]:
    """The fields that can mend a refusal. Raises the problem again when none can."""
    if problem.code == "submission_invalid":
        return fields_of(str(error["field"]) for error in problem.extra.get("errors", ()))
    name = page_forms.field_of_problem(problem.code)
    if name is None:
        raise problem
    return [name]
