"""What the publisher keeps, why, and until when; when a publication's texts may go. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from services.publisher.deliveries.model import Refused
from services.publisher.deliveries.publication import Publication
from shared.retention.model import Ending, KeptData

NEEDED: Final = Refused("still_needed")
"""It is published, or on its way off a channel, or its time is not over."""

KEPT: Final = (
    KeptData(
        "publisher.publications",
        "titles, texts, hashtags, alternative texts and credit, as approved; the reason of a recall; what channels said",
        "to publish, correct and remove it, and to look for it where a call's outcome is unknown",
        "it was withdrawn or recalled, every channel let go of it, and the days after it",
    ),
    KeptData(
        "publisher.publications",
        "states, channels, addresses, short codes, times, proofs of removal, ids of editors",
        "to prove what was published and removed",
        "for good",
    ),
    KeptData(
        "publisher.accounts",
        "how many calls a channel had lately",
        "to keep within its limits",
        "for good",
    ),
    KeptData(
        "publisher.limits",
        "ids of editors, and how many recalls they may do alone now",
        "to ask for a second person after many",
        "an hour after the last",
    ),
    KeptData(
        "publisher.epochs",
        "roles and sessions of staff that count no more, by id",
        "to refuse old tokens",
        "for good",
    ),
    KeptData(
        "site/",
        "pages, feeds and media of what is published; where short links lead",
        "the public website",
        "it is withdrawn or recalled; the short link's page, which names nobody, stays",
    ),
)


def erase(
    publication: Publication, periods: Mapping[Ending, timedelta], now: datetime
) -> Publication | Refused:
    """The publication without its texts, when their time is over."""
    end = publication.end
    if end is None or not end.due(periods, now):
        return NEEDED
    blank = publication.blank
    # Written even where nothing is left to blank: the mark goes with it.
    return publication if blank == publication else replace(blank, told=())
