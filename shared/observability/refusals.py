"""Refusals: who was turned away, from what, and why. Each is one line in the log and one more in a counter.

The line names the route as the code has it, never the address as it was sent, which may hold a link's secret or a claim.
People are named by their pseudonymous ids, and only where a token proved who they are; networks are not named.
"""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from prometheus_client import Counter
from starlette.requests import Request

log = structlog.get_logger()

TURNED_AWAY: Final = frozenset({401, 403, 429})
"""Statuses that refuse the one who asks; all others speak of what was asked."""
REASONS: Final = frozenset(
    {
        "csrf",
        "editor_needed",
        "forbidden",
        "link_unknown",
        "out_of_scope",
        "own_submission",
        "recovery_code_unknown",
        "session_idle",
        "signature_altered",
        "signature_inconsistent",
        "signature_unknown_key",
        "signature_unsigned",
        "token_expired",
        "token_invalid",
        "token_missing",
        "token_of_session",
        "token_revoked",
        "too_many_requests",
        "upload_quota",
        "volunteers_only",
    }
)
"""What `reason` may be in the counter; whatever else there is counts as `other`, so that nobody makes series."""

REFUSALS: Final = Counter("konullu_refusals_total", "Refusals, by their reason.", ["service", "reason"])


def route_of(scope: Mapping[str, Any]) -> str:
    """The address as the code has it, with names where a request has ids and secrets."""
    return getattr(scope.get("route"), "path", "none")


def begin(service: str) -> None:
    """Show every reason at nought, so that the first refusal is seen as a rise."""
    for reason in REASONS:
        REFUSALS.labels(service, reason)


def count(service: str, reason: str) -> None:
    """Count one that has its line in the log already."""
    REFUSALS.labels(service, reason if reason in REASONS else "other").inc()


def refused(service: str, request: Request, status: int, reason: str) -> None:
    """A request got this answer. What is no refusal is passed over."""
    if status not in TURNED_AWAY:
        return
    count(service, reason)
    person = getattr(request.state, "principal", None)
    log.warning(
        "refused",
        by=service,
        reason=reason,
        status=status,
        method=request.method if request.method in METHODS else "other",
        route=route_of(request.scope),
        person_id=getattr(person, "person_id", None),
    )


METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
