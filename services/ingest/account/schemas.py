"""The bodies and answers of the API of one's own account."""

from datetime import datetime
from typing import Literal

from services.ingest.account.rules import AccountDeletion
from services.ingest.people.store import Person
from services.ingest.submissions.schemas import Time
from shared.http.models import Answer, StrictBody


class DeletionAnswer(Answer):
    """How far the deletion of an account has come."""

    since: Time
    submissions: int
    withdrawn: int
    erased: int
    """Submissions of which no text and no file is left here."""
    on_channels: int
    """Submissions of which some channel has not let go yet."""


class AccountAnswer(Answer):
    """What is kept of the person who asks."""

    volunteer_id: str
    name: str
    country: str | None
    languages: tuple[str, ...]
    section: str | None
    registered_at: Time
    deletion: DeletionAnswer | None = None
    """Present while the account is being deleted."""

    @classmethod
    def of(cls, person: Person, deletion: AccountDeletion) -> "AccountAnswer":
        """The account of a person."""
        since = person.leaving_since
        return cls(
            volunteer_id=person.person_id,
            name=person.name,
            country=person.country,
            languages=person.languages,
            section=person.section,
            registered_at=person.registered_at,
            deletion=None if since is None else deletion_answer(since, deletion),
        )


class AccountDeletionBody(StrictBody):
    """The second yes: the account and everything sent from it are deleted for good."""

    confirmed: Literal[True]


class RecoveryCodeAnswer(Answer):
    """A new recovery code, shown this once. The one before stops working."""

    recovery_code: str


def deletion_answer(since: datetime, deletion: AccountDeletion) -> DeletionAnswer:
    """How far it is."""
    return DeletionAnswer(
        since=since,
        submissions=deletion.submissions,
        withdrawn=deletion.withdrawn,
        erased=deletion.erased,
        on_channels=deletion.on_channels,
    )
