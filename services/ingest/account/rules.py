"""How far the deletion of an account has come, and when it may be closed. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.ingest.status.rules import Progress, lets_go

LONGEST: Final = timedelta(days=3)
"""The account closes after this at the latest, also while a channel has not let go of something yet."""
TOKENS_OUTLIVE: Final = timedelta(minutes=1)
"""A closed account's token may still have stored something for a moment: it is looked for until then."""


@dataclass(frozen=True, slots=True)
class AccountDeletion:
    """What is left to do."""

    submissions: int
    withdrawn: int
    erased: int
    on_channels: int
    """Submissions of which some channel has not let go yet."""

    @property
    def done(self) -> bool:
        """Whether no text and no file is left."""
        return self.erased == self.submissions


def deletion_of(each: Iterable[tuple[bool, bool, Progress]]) -> AccountDeletion:
    """How far it is, by whether each submission is withdrawn and erased, and what the others told of it."""
    known = list(each)
    return AccountDeletion(
        submissions=len(known),
        withdrawn=sum(withdrawn for withdrawn, _, _ in known),
        erased=sum(erased for _, erased, _ in known),
        on_channels=sum(not lets_go(progress) for _, _, progress in known),
    )


def may_close(deletion: AccountDeletion, since: datetime, now: datetime) -> bool:
    """Whether the account may be closed: everything is withdrawn, and erased or long enough on its way."""
    all_withdrawn = deletion.withdrawn == deletion.submissions
    return all_withdrawn and (deletion.done or now - since >= LONGEST)


def is_over(deletion: AccountDeletion, closed_at: datetime | None, now: datetime) -> bool:
    """Whether nothing can be left of a closed account, and nobody has to look again."""
    return deletion.done and closed_at is not None and now - closed_at >= TOKENS_OUTLIVE
