"""The life of a submission as its author sees it: a few steps, each done, under way, still to come, or the end. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from services.ingest.status.rules import Progress, State, state_of
from services.ingest.submissions.store import Submission
from shared.events import Verdict

Status = Literal["done", "current", "todo", "stopped"]

_WAITING: Final = ("received", "screened")
_GOING_OUT: Final = ("approved", "scheduled")
CODES: Final[Mapping[Verdict, str]] = {
    "approve": "approved",
    "reject": "rejected",
    "request_changes": "changes_requested",
}
_ENDED: Final = ("withdrawn", "recalled")


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `code` is a word of the page's vocabulary."""

    code: str
    status: Status
    at: datetime | None = None


def life(submission: Submission, progress: Progress) -> tuple[State, list[Step]]:
    """Where a submission stands in one word, and how it came there, through all its revisions."""
    state, steps = _latest(submission, progress)
    return state, [*_before(submission, progress), *steps]


def _before(submission: Submission, progress: Progress) -> list[Step]:
    """When each revision before the latest came, and what was said of it."""
    known = [*progress.earlier, *([progress.decision] if progress.decision else [])]
    said = {decision.revision: decision for decision in known}
    steps: list[Step] = []
    for revision in submission.revisions[:-1]:
        steps.append(Step("received", "done", revision.accepted_at))
        if (decision := said.get(revision.number)) is not None:
            steps.append(Step(CODES[decision.verdict], "done", decision.at))
    return steps


def _latest(submission: Submission, progress: Progress) -> tuple[State, list[Step]]:
    state = state_of(submission.latest.number, progress, withdrawn=submission.withdrawn)
    received = Step("received", "current" if state in _WAITING else "done", submission.latest.accepted_at)
    if state in _ENDED:
        return state, [
            received,
            *_decided(submission, progress),
            Step(state, "stopped", _ended_at(state, progress)),
        ]
    if state in _WAITING:
        return state, [
            received,
            Step("in_review", "todo"),
            Step("decided", "todo"),
            Step("published", "todo"),
        ]
    if state == "in_review":
        return state, [
            received,
            Step("in_review", "current"),
            Step("decided", "todo"),
            Step("published", "todo"),
        ]
    reviewed = [received, Step("in_review", "done"), *_decided(submission, progress)]
    if state in _GOING_OUT:
        return state, [*reviewed, Step("published", "current" if state == "scheduled" else "todo")]
    return state, [
        *reviewed,
        Step("published", "done", _published_at(progress)),
    ] if state == "published" else reviewed


def _decided(submission: Submission, progress: Progress) -> list[Step]:
    decision = progress.decision
    if decision is None or decision.revision != submission.latest.number:
        return []
    statuses: dict[str, Status] = {"approve": "done", "reject": "stopped", "request_changes": "current"}
    return [Step(CODES[decision.verdict], statuses[decision.verdict], decision.at)]


def _ended_at(state: State, progress: Progress) -> datetime | None:
    return progress.recall.at if state == "recalled" and progress.recall else None


def _published_at(progress: Progress) -> datetime | None:
    return min((each.at for each in progress.deliveries if each.state == "posted"), default=None)
