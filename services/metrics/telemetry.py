"""Metrics' vocabulary: one function per business event, which logs it and counts it."""

import structlog
from prometheus_client import Counter, Gauge

log = structlog.get_logger()

_COUNTED = Counter(
    "konullu_metrics_events_counted_total", "Reach events by whether they were new.", ["outcome"]
)
_FOLDED = Counter("konullu_metrics_journal_entries_folded_total", "Journal entries added to the counters.")
_REDIRECTS = Counter(
    "konullu_metrics_redirects_total", "Short links followed, by what became of them.", ["outcome"]
)
_LOST = Counter("konullu_metrics_clicks_lost_total", "Clicks that could not be written to the disk.")
_SPOOLED = Gauge("konullu_metrics_clicks_spooled", "Clicks on the disk that the bus has not confirmed yet.")
_TOTALLED = Counter("konullu_metrics_totals_sent_total", "Totals of submissions told to the others.")
_DELIVERIES = Counter("konullu_metrics_deliveries_known_total", "Deliveries whose reach is being counted.")


def counted(new: int, *, repeated: int) -> None:
    """A batch is in the journal."""
    _COUNTED.labels("new").inc(new)
    _COUNTED.labels("repeated").inc(repeated)
    log.debug("reach_counted", new=new, repeated=repeated)


def folded(entries: int) -> None:
    """The counters have taken in entries of the journal."""
    _FOLDED.inc(entries)
    log.debug("counters_updated", entries=entries)


def delivery_known(delivery_id: str, channel: str) -> None:
    """A delivery was heard of for the first time."""
    _DELIVERIES.inc()
    log.info("delivery_known", delivery_id=delivery_id, channel=channel)


def redirected(outcome: str) -> None:
    """A short link was followed, and what became of the click.

    `counted`; `waiting` (for its delivery to be known); `machine` (a preview or a bot); `limited` (too many from one
    network); `lost` (the disk took it not). A waiting one is `counted` or `unknown` later.
    """
    _REDIRECTS.labels(outcome).inc()


def clicks_unknown(count: int) -> None:
    """Clicks on codes of which no delivery has turned up are let go."""
    _REDIRECTS.labels("unknown").inc(count)


def clicks_lost(count: int, reason: str) -> None:
    """The disk took no clicks; people were led on all the same."""
    _LOST.inc(count)
    log.error("clicks_lost", count=count, reason=reason)


def spooled(waiting: int) -> None:
    """So many clicks wait for the bus."""
    _SPOOLED.set(waiting)


def totalled(submission_id: str) -> None:
    """The totals of a submission go out."""
    _TOTALLED.inc()
    log.debug("reach_totalled", submission_id=submission_id)


def rebuilt(entries: int, different: int) -> None:
    """The counters were worked out again from the journal."""
    log.info("counters_rebuilt", entries=entries, different=different)
