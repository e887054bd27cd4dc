"""What metrics keeps, why, and until when: numbers and ids, nothing that anybody wrote. Pure."""

from typing import Final

from shared.retention.model import KeptData

_COUNTING: Final = "to show reach, and to count again from the events"
_IDS: Final = "for good: ids without names, whose text is kept nowhere once its time is over"

KEPT: Final = (
    KeptData(
        "metrics.journal",
        "counted events: ids of submissions and deliveries, channel, language, country, team, hashtags, figures",
        _COUNTING,
        _IDS,
    ),
    KeptData("metrics.accounts", "the same, summed up by delivery", _COUNTING, _IDS),
    KeptData(
        "metrics.counters", "sums by channel, language, country, team, hashtag and day", _COUNTING, "for good"
    ),
    KeptData("metrics.heads", "how far the journal is counted", _COUNTING, "for good"),
    KeptData(
        "metrics.census",
        "ids of people with their country, ids of submissions, deliveries that are visible",
        "to count members, countries and submissions, each once",
        _IDS,
    ),
    KeptData("metrics.census_checkpoints", "the same, summed up", "to start quickly", _IDS),
    KeptData(
        "metrics.links", "short codes and where they lead", "to redirect, also after a removal", "for good"
    ),
    KeptData("metrics.totals", "figures by submission's id", "to tell authors their reach", _IDS),
    KeptData(
        "metrics.epochs",
        "roles and sessions of staff that count no more, by id",
        "to refuse old tokens",
        "for good",
    ),
    KeptData(
        "spool/",
        "short codes that were followed and when; nothing about who did",
        "clicks while the bus is away",
        "they are on the bus",
    ),
)
