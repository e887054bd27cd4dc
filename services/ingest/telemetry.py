"""Ingest's vocabulary: one function per business event, which logs it and counts it."""

import structlog
from prometheus_client import Counter, Histogram

log = structlog.get_logger()

_REGISTERED = Counter("konullu_ingest_volunteers_registered_total", "Volunteers who joined.", ["country"])
_RECOVERIES = Counter("konullu_ingest_recoveries_total", "Uses of a recovery code.", ["outcome"])
_SUBMISSIONS = Counter(
    "konullu_ingest_submissions_total",
    "Submissions and revisions by what became of the request.",
    ["outcome"],
)
_WITHDRAWN = Counter("konullu_ingest_withdrawals_total", "Submissions that their authors withdrew.")
_BATCH = Histogram(
    "konullu_ingest_batch_size",
    "Submissions stored by one write.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 500),
)
_LEDGER = Counter("konullu_ingest_ledger_events_total", "Events taken into the ledger.", ["event", "effect"])
_SIGN_INS = Counter("konullu_ingest_sign_ins_total", "Sessions opened, ended and refused.", ["outcome"])
_CLOSED = Counter("konullu_ingest_accounts_closed_total", "Accounts that volunteers deleted.")
_STAFF = Counter("konullu_ingest_staff_changes_total", "Changes to staff.", ["change"])


def volunteer_registered(person_id: str, country: str) -> None:
    """A volunteer joined."""
    _REGISTERED.labels(country).inc()
    log.info("volunteer_registered", person_id=person_id, country=country)


def recovered(person_id: str) -> None:
    """A recovery code was used."""
    _RECOVERIES.labels("recovered").inc()
    log.info("volunteer_recovered", person_id=person_id)


def recovery_refused() -> None:
    """A recovery code was wrong."""
    _RECOVERIES.labels("refused").inc()


def submission_accepted(submission_id: str, revision: int, media: int) -> None:
    """A submission, or a new revision of it, is stored."""
    _SUBMISSIONS.labels("accepted" if revision == 1 else "revised").inc()
    log.info("submission_accepted", submission_id=submission_id, revision=revision, media=media)


def submission_repeated(submission_id: str) -> None:
    """A request came again and got the answer that it had got."""
    _SUBMISSIONS.labels("repeated").inc()
    log.info("submission_repeated", submission_id=submission_id)


def submission_refused(code: str) -> None:
    """A request could not be taken."""
    _SUBMISSIONS.labels("refused").inc()
    log.info("submission_refused", code=code)


def submission_withdrawn(submission_id: str) -> None:
    """An author withdrew a submission."""
    _WITHDRAWN.inc()
    log.info("submission_withdrawn", submission_id=submission_id)


def batch_written(size: int) -> None:
    """A write of several submissions goes out."""
    _BATCH.observe(size)


def ledger_told(event: str, submission_id: str, *, changed: bool) -> None:
    """Another service told something about a submission."""
    _LEDGER.labels(event, "changed" if changed else "nothing").inc()
    log.debug("ledger_told", told=event, submission_id=submission_id, changed=changed)


def signed_in(person_id: str, how: str) -> None:
    """Somebody opened a session."""
    _SIGN_INS.labels("opened").inc()
    log.info("signed_in", person_id=person_id, how=how)


def sign_in_refused() -> None:
    """Somebody could not open a session."""
    _SIGN_INS.labels("refused").inc()


def signed_out(person_id: str) -> None:
    """Somebody ended a session."""
    _SIGN_INS.labels("ended").inc()
    log.info("signed_out", person_id=person_id)


def signed_out_everywhere(person_id: str) -> None:
    """Somebody ended all their sessions."""
    _SIGN_INS.labels("ended_everywhere").inc()
    log.info("signed_out_everywhere", person_id=person_id)


def staff_changed(person_id: str, change: str, role: str) -> None:
    """Somebody's rights changed."""
    _STAFF.labels(change).inc()
    log.info("staff_changed", person_id=person_id, change=change, role=role)


def account_leaving(person_id: str) -> None:
    """A volunteer wants the account deleted."""
    log.info("account_leaving", person_id=person_id)


def account_closed(person_id: str) -> None:
    """A deleted account was closed."""
    _CLOSED.inc()
    log.info("account_closed", person_id=person_id)
