"""Whether a decision is moderation's own: access to the bus alone publishes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.publisher.deliveries import telemetry
from services.publisher.deliveries.planning import flaw_of
from shared.events import ModerationDecided
from shared.failures import Unprocessable
from shared.identity import signing
from shared.identity.tokens import Keys
from shared.observability import refusals


@dataclass(frozen=True, slots=True)
class Trust:
    """Moderation's public keys, and how many people each sensitive class needs."""

    keys: Keys
    reviewers: Mapping[str, int]

    async def check(self, decision: ModerationDecided) -> None:
        """Return when the decision can be followed.

        Raises `Unprocessable` when it is unsigned, altered, signed by nobody known, or contradicts itself, and
        `Unavailable` when its key is not known here and moderation cannot be asked.
        """
        kid = decision.signature.kid if decision.signature is not None else None
        key = None if kid is None else await self.keys.find(kid)
        try:
            signing.verify(decision, {} if kid is None or key is None else {kid: key})
        except signing.SignatureError as error:
            raise _refused(decision, error.code, str(error)) from error
        flaw = flaw_of(decision, self.reviewers)
        if flaw is not None:
            raise _refused(decision, "inconsistent", flaw)


def _refused(decision: ModerationDecided, code: str, detail: str) -> Unprocessable:
    telemetry.decision_refused(decision, code, detail)
    refusals.count("publisher", f"signature_{code}")
    return Unprocessable(f"decision refused ({code}): {detail}")
