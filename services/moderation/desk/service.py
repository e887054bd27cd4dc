"""What moderators can do, whichever way they come: the calls that the API and the pages share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from services.moderation import telemetry
from services.moderation.cases.model import Case
from services.moderation.cases.rules import ENDED, Decision, DecisionRefused
from services.moderation.cases.store import Cases, NoRecallAsked, NotRecallable, NotReopenable
from services.moderation.decisions.recall_budget import RecallBudget
from services.moderation.decisions.service import Decided, Decisions
from services.moderation.desk.schemas import handle
from services.moderation.queue.claims import Claim, ClaimLost, Claims, Held, NotClaimable, TooMany, case_id_of
from services.moderation.queue.reader import Queue, QueueEntry, ReviewerScope, Waiting
from services.moderation.screening.rules import Policy
from shared.events import as_utc
from shared.http import cursors
from shared.http.problems import Problem
from shared.identity.tokens import Principal
from shared.storage.clock import DatabaseClock
from shared.text.language_ranges import narrowed

CONFLICTS = frozenset({"already_decided", "already_escalated", "second_person_needed"})
FORBIDDEN = frozenset({"own_submission", "editor_needed", "out_of_scope"})
WHY_NOT: Mapping[str, tuple[int, str]] = {
    "own": (403, "This is your own submission; somebody else has to decide on it."),
    "approved": (409, "You have approved this already; now somebody else has to."),
    "escalated": (403, "This was passed on to the editors; an editor has to decide on it."),
    "busy": (409, "Somebody else took this just now; take another one."),
}


def reader_of(
    principal: Principal, languages: Iterable[str] | None = None, countries: Iterable[str] | None = None
) -> ReviewerScope:
    """What this person may see, narrowed to what they ask for. Raises 403 when nothing is left."""
    return ReviewerScope(
        principal.person_id,
        principal.has("editor"),
        countries=_narrowed("countries", principal.scopes.countries, countries),
        languages=_narrowed("languages", principal.scopes.languages, languages),
        sections=frozenset(principal.scopes.sections),
    )


def _narrowed(what: str, scope: Iterable[str], asked: Iterable[str] | None) -> frozenset[str]:
    allowed, wanted = frozenset(scope), frozenset(asked or ())
    if not allowed or not wanted:
        return allowed or wanted
    both = narrowed(allowed, wanted) if what == "languages" else allowed & wanted
    if not both:
        given = ", ".join(sorted(wanted))
        detail = f"Your {what} are {', '.join(sorted(allowed))}; {given} is not among them."
        raise Problem(403, "out_of_scope", detail)
    return both


MOST_ASKED: Final = 500
"""Recalls waiting for a second person that are shown at once."""


@dataclass(frozen=True, slots=True)
class ManyRecalls:
    """What came of taking several back, or of keeping them."""

    done: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    """Noted, until a second person recalls them too."""
    refused: dict[str, str] = field(default_factory=dict)
    """The code of each refusal."""


@dataclass(frozen=True, slots=True)
class ReviewService:
    """The moderation desk."""

    cases: Cases
    queue: Queue
    claims: Claims
    decisions: Decisions
    clock: DatabaseClock
    policy: Policy
    recalls: RecallBudget

    async def claim(self, reader: ReviewerScope, case_id: str | None = None) -> Claim | None:
        """The next case, or this one, for the reader. Raises `Problem` when this one cannot be had."""
        if case_id is None:
            try:
                claim = await self.claims.next(reader)
            except TooMany as held:
                raise too_many(held) from None
            telemetry.claimed(claim.case.id if claim else None)
            return claim
        try:
            claim = await self.claims.one(case_id, reader)
        except KeyError:
            raise no_case(case_id) from None
        except TooMany as many:
            raise too_many(many) from None
        except Held as held:
            until = as_utc(held.lease.until)
            name = handle(held.lease.person_id)
            detail = f"{name} has this in hand until {until}. Take another one, or come back then."
            raise Problem(409, "held", detail, by=name, until=until) from None
        except NotClaimable as why:
            status, detail = WHY_NOT.get(
                str(why), (409, f"This is {why} already; there is nothing to decide.")
            )
            code = {"own": "own_submission", "approved": "second_person_needed", "escalated": "editor_needed"}
            raise Problem(status, code.get(str(why), "not_claimable"), detail) from None
        telemetry.claimed(claim.case.id)
        return claim

    async def renew(self, token: str, principal: Principal) -> datetime:
        """Hold on. Raises 409 `lease_lost`."""
        try:
            return await self.claims.renew(token, principal.person_id)
        except ClaimLost:
            raise lease_lost() from None

    async def decide(
        self, token: str, decision: Decision, principal: Principal, *, fingerprint: str
    ) -> Decided:
        """Decide. Raises `Problem`: 409 for what came too late, 403 for who may not, 422 for what does not fit."""
        case_id = case_id_of(token)
        reader = reader_of(principal)
        try:
            decided = await self.decisions.decide(token, decision, reader, fingerprint=fingerprint)
        except ClaimLost:
            telemetry.refused(case_id, "lease_lost")
            raise lease_lost() from None
        except DecisionRefused as refused:
            telemetry.refused(case_id, refused.code)
            status = 409 if refused.code in CONFLICTS else 403 if refused.code in FORBIDDEN else 422
            raise Problem(status, refused.code, refused.detail, field=refused.field or None) from None
        if not decided.again:
            telemetry.decided(case_id, decision.verdict, decided.state)
        return decided

    async def recall(self, case_id: str, principal: Principal, reason: str) -> Case:
        """Take an approval back. Raises `Problem`."""
        found = await self.case(case_id, principal)
        await self._recall_together(found, principal, reason)
        try:
            case = await self.cases.recall(
                case_id, actor=principal.person_id, reason=reason, now=await self.clock.now()
            )
        except NotRecallable as state:
            detail = f"This is {state} and was never approved, so there is nothing to take back."
            raise Problem(409, "not_approved", detail) from None
        telemetry.recalled(case_id)
        return case

    async def _recall_together(self, case: Case, principal: Principal, reason: str) -> None:
        """Many recalls are two people's work. Raises 409 `second_recall_needed`."""
        person_id, now = principal.person_id, await self.clock.now()
        if case.standing.state in ENDED or not any(each.state == "approved" for each in case.decisions):
            return
        if case.recall_asked_by not in {None, person_id} or await self.recalls.spend(person_id, now):
            return
        await self.cases.ask_recall(case, actor=person_id, reason=reason, now=now)
        detail = (
            "You have taken back as many within an hour as one person may. This one is noted: "
            "it is removed as soon as a second person recalls it too."
        )
        raise Problem(409, "second_recall_needed", detail)

    async def recall_all(self, case_ids: Sequence[str], principal: Principal, reason: str) -> ManyRecalls:
        """Take several back: at once as many as one person may, the others noted for a second person to confirm."""
        made = ManyRecalls()
        for case_id in dict.fromkeys(case_ids):
            try:
                await self.recall(case_id, principal, reason)
            except Problem as problem:
                if problem.code == "second_recall_needed":
                    made.waiting.append(case_id)
                else:
                    made.refused[case_id] = problem.code
            else:
                made.done.append(case_id)
        return made

    async def keep_all(self, case_ids: Sequence[str], principal: Principal, reason: str) -> ManyRecalls:
        """Undo recalls that wait for a second person. Whoever asked may, and every editor."""
        made = ManyRecalls()
        for case_id in dict.fromkeys(case_ids):
            try:
                await self._keep(case_id, principal, reason)
            except Problem as problem:
                made.refused[case_id] = problem.code
            else:
                made.done.append(case_id)
        return made

    async def _keep(self, case_id: str, principal: Principal, reason: str) -> None:
        """Undo one. Raises 403 `editor_needed`, 404, and 409 `no_recall_asked`."""
        case = await self.case(case_id, principal)
        mine = case.recall_asked_by in {None, principal.person_id}
        if not mine and not principal.has("editor"):
            raise Problem(
                403, "editor_needed", "Somebody else asked for this; they or an editor can undo it."
            )
        try:
            await self.cases.keep_after_all(
                case_id, actor=principal.person_id, reason=reason, now=await self.clock.now()
            )
        except NoRecallAsked as state:
            detail = f"This is {state} and waits for nobody's second recall; what is recalled stays recalled."
            raise Problem(409, "no_recall_asked", detail) from None
        telemetry.recall_undone(case_id)

    async def recalls_asked(self, principal: Principal) -> list[Case]:
        """What this person may see of what waits for a second recall."""
        return [case for case in await self.cases.recalls_asked(MOST_ASKED) if sees(principal, case)]

    async def reopen(self, case_id: str, principal: Principal, reason: str) -> Case:
        """Let an approved case wait again, to be corrected. Raises `Problem`."""
        await self.case(case_id, principal)
        try:
            case = await self.cases.reopen(
                case_id, actor=principal.person_id, reason=reason, now=await self.clock.now()
            )
        except NotReopenable as state:
            detail = f"This is {state}; only what is approved can be opened again."
            raise Problem(409, "not_approved", detail) from None
        telemetry.reopened(case_id)
        return case

    async def case(self, case_id: str, principal: Principal) -> Case:
        """A case that this person may see. Raises 404 and 403."""
        case = await self.cases.get(case_id)
        if case is None:
            raise no_case(case_id)
        if not sees(principal, case):
            raise Problem(403, "out_of_scope", "This lies outside your languages, countries or sections.")
        return case

    async def decided(
        self, principal: Principal, *, before: str | None, limit: int
    ) -> tuple[list[Case], str | None]:
        """The newest decided cases that this person may see, and where to go on."""
        [place] = (None,) if before is None else _opened(before, int)
        found, after = await self.cases.decided(before=place, limit=limit)
        rest = None if after is None else cursors.closed(after)
        return [case for case in found if sees(principal, case)], rest

    async def waiting(self, reader: ReviewerScope) -> list[Waiting]:
        """How many wait, by language."""
        return await self.queue.waiting(reader)

    async def page(
        self, reader: ReviewerScope, *, risk: str | None, state: str | None, cursor: str | None, limit: int
    ) -> tuple[list[QueueEntry], str | None]:
        """Some of the queue, and where to go on."""

        def keep(slot: QueueEntry) -> bool:
            return (risk is None or slot.risk == risk) and (state is None or slot.state == state)

        place = None
        if cursor is not None:
            lane, number = _opened(cursor, str, int)
            place = (lane, number)
        found, after = await self.queue.page(
            reader, keep=keep, cursor=place, limit=limit, now=await self.clock.now()
        )
        return found, None if after is None else cursors.closed(*after)


def sees(principal: Principal, case: Case) -> bool:
    """Whether the case lies within the person's scopes."""
    return principal.may_see(
        country=case.country, language=case.standing.content.language, section=case.section
    )


def no_case(case_id: str) -> Problem:
    """There is no such case."""
    return Problem(404, "not_found", f"There is no submission {case_id[:60]} here; check the address.")


def too_many(held: TooMany) -> Problem:
    """They hold enough."""
    return Problem(
        409, "too_many_claims", f"You hold {held} already; decide on them or give some back first."
    )


def lease_lost() -> Problem:
    """The lease is gone."""
    detail = "This is no longer in your hands: the time ran out, or it was given back. Claim it again."
    return Problem(409, "lease_lost", detail)


def _opened(cursor: str, *kinds: type[str] | type[int]) -> list[Any]:
    try:
        return cursors.opened(cursor, *kinds)
    except cursors.CursorInvalid:
        raise Problem(
            422, "invalid_cursor", "This cursor is not one that `next` gave; leave it out to begin anew."
        ) from None
