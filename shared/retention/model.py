"""What may end the need for somebody's texts and files, how it is marked, and a line of the table of what is kept.

Pure. Each service says in its `retention/rules.py` what it keeps; `docs/data.md` shows all of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

Ending = Literal["withdrawn", "rejected", "unanswered", "recalled", "deleted"]
"""Its author took it back; moderation said no; nobody answered moderation's wish; it was taken back from the channels; its
author deleted their account."""
ENDINGS: Final[tuple[Ending, ...]] = get_args(Ending)

AS: Final = "ended_as"
SINCE: Final = "ended_since"
"""Fields of a document whose texts wait to be taken away: why, and since when nobody needs them."""


@dataclass(frozen=True, slots=True)
class End:
    """Why nobody needs the texts and files of a submission any more, and since when."""

    ending: Ending
    since: datetime

    def due(self, periods: Mapping[Ending, timedelta], now: datetime) -> bool:
        """Whether the time is over for which they are kept all the same."""
        return self.since + periods[self.ending] <= now


def marked(end: End | None) -> dict[str, Any]:
    """The fields that mark a document; none when its texts are needed."""
    return {} if end is None else {AS: end.ending, SINCE: end.since}


def unmarked() -> dict[str, Any]:
    """The fields to take out of a document whose texts are needed again, or are gone."""
    return {AS: "", SINCE: ""}


def end_in(document: Mapping[str, Any]) -> End | None:
    """What a document is marked with."""
    return End(document[AS], document[SINCE]) if AS in document else None


@dataclass(frozen=True, slots=True)
class KeptData:
    """A line of the table of what is kept."""

    place: str
    """A collection as `<service>.<collection>`, or `folder/`, `stream` and the like."""
    what: str
    why: str
    until: str


EVERYWHERE: Final = (
    KeptData(
        "streams",
        "events as `shared/events.py` defines them, with the texts of what was received and approved",
        "to bring them to every service, and to count again",
        "30 days; the broker takes nothing out before",
    ),
    KeptData(
        "stream DEAD",
        "messages that no retry could help, whole",
        "for an operator to look at",
        "30 days, or discarded",
    ),
    KeptData(
        "<service>.failures", "which message failed how often", "to put it aside in time", "it is settled"
    ),
    KeptData("<service>.retention", "that earlier documents were marked", "to mark them once", "for good"),
    KeptData("<service>.marks", "that earlier facts were told signed", "to tell them once", "for good"),
    KeptData(
        "logs/",
        "what happened, with ids; no text, name, file's name, token or code that anybody gave",
        "to find out what went wrong",
        "the operator's rotation",
    ),
)
"""What every service and the bus keep."""
