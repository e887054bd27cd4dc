"""Ingest's vocabulary of uploads and of the safety pass: one function per event, which logs it and counts it."""

import structlog
from prometheus_client import Counter, Histogram

log = structlog.get_logger()

_UPLOADS = Counter("konullu_ingest_uploads_total", "Uploads by what became of them.", ["outcome"])
_BYTES = Counter("konullu_ingest_upload_bytes_total", "Bytes that arrived and count.")
_CONFLICTS = Counter(
    "konullu_ingest_upload_conflicts_total", "Requests whose bytes another request had brought."
)
_FULL = Counter("konullu_ingest_media_store_full_total", "Requests and passes that found no room for media.")
_SCREENED = Counter("konullu_ingest_media_screened_total", "Safety passes by verdict.", ["verdict"])
_SECONDS = Histogram(
    "konullu_ingest_media_screening_seconds",
    "Seconds from the lease of an upload to its verdict.",
    buckets=(0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 180),
)
_SWEPT = Counter("konullu_ingest_media_swept_total", "Things removed because nobody holds them.", ["what"])


def upload_begun(upload_id: str, length: int) -> None:
    """Somebody announced a file."""
    _UPLOADS.labels("begun").inc()
    log.info("upload_begun", upload_id=upload_id, length=length)


def upload_advanced(count: int) -> None:
    """Bytes arrived and count."""
    _BYTES.inc(count)


def upload_conflicted(upload_id: str) -> None:
    """Another request had brought the same bytes."""
    _CONFLICTS.inc()
    log.info("upload_conflicted", upload_id=upload_id)


def upload_completed(upload_id: str, length: int) -> None:
    """The last byte arrived."""
    _UPLOADS.labels("completed").inc()
    log.info("upload_completed", upload_id=upload_id, length=length)


def upload_ended(upload_id: str, how: str) -> None:
    """An upload was terminated by its owner, or expired."""
    _UPLOADS.labels(how).inc()
    log.info("upload_ended", upload_id=upload_id, how=how)


def store_full(upload_id: str) -> None:
    """There was no room left for media."""
    _FULL.inc()
    log.error("media_store_full", upload_id=upload_id)


def media_screened(upload_id: str, verdict: str, seconds: float) -> None:
    """The safety pass ended: `clean`, or the code of the refusal."""
    _SCREENED.labels(verdict).inc()
    _SECONDS.observe(seconds)
    log.info("media_screened", upload_id=upload_id, verdict=verdict, seconds=round(seconds, 3))


def screening_put_off(upload_id: str, reason: str) -> None:
    """The safety pass could not be run to its end; it will be run again."""
    _SCREENED.labels("put_off").inc()
    log.warning("screening_put_off", upload_id=upload_id, reason=reason)


def swept(what: str, count: int) -> None:
    """Things that nobody holds were removed."""
    _SWEPT.labels(what).inc(count)
    log.info("media_swept", what=what, count=count)
