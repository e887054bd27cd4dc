"""Values that many tests of the publisher begin with."""

from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from shared.events import Approval, Attribution, ModerationDecided, Snapshot, Verdict

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def snapshot_of(submission_id: str = "s", *, revision: int = 1, **more: object) -> Snapshot:
    return Snapshot.model_validate(
        {
            "submission_id": submission_id,
            "revision": revision,
            "title": "Xalça naxışları",
            "body": "Bu naxış nənəmin kəndindəndir.",
            "language": "az",
            "country": "AZ",
            "attribution": Attribution(mode="anonymous"),
            **more,
        }
    )


def approval_of(
    submission_id: str = "s",
    *,
    version: int = 1,
    revision: int = 1,
    verdict: Verdict = "approve",
    **snapshot: object,
) -> ModerationDecided:
    """A decision. Its ids follow from the submission, the version and the verdict."""
    key = f"{submission_id}/{version}/{revision}/{verdict}"
    return ModerationDecided(
        event_id=uuid5(NAMESPACE_URL, key),
        occurred_at=NOON,
        subject_id=submission_id,
        version=version,
        revision=revision,
        decision_id=uuid5(NAMESPACE_URL, f"decision/{key}"),
        verdict=verdict,
        author_id="author",
        snapshot=snapshot_of(submission_id, revision=revision, **snapshot) if verdict == "approve" else None,
        approvals=(Approval(person_id="moderator", at=NOON),),
    )
