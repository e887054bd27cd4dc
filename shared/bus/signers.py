"""Whether a message on a signed topic is its service's own."""

from collections.abc import Mapping
from dataclasses import dataclass

from nats.aio.msg import Msg

from shared.bus.streams import producer_of
from shared.events import BY_SUBJECT, TOPICS
from shared.failures import Forged
from shared.identity import signing
from shared.identity.tokens import Keys
from shared.observability.telemetry import expect_signatures


@dataclass(frozen=True, slots=True)
class Signers:
    """The public keys of the services that sign, by the service."""

    keys: Mapping[str, Keys]

    def __post_init__(self) -> None:
        expect_signatures(topic.subject for topic in TOPICS if topic.signed)

    async def check(self, raw: Msg) -> None:
        """Return when the message can be believed: it is signed by the service that publishes its topic, or needs not be.

        Raises `Forged` when it is unsigned, altered, or signed by nobody who may, and `Unavailable` when the key is
        not known here and its service cannot be asked.
        """
        topic = BY_SUBJECT.get(raw.subject)
        if topic is None or not topic.signed:
            return
        header = (raw.headers or {}).get(signing.HEADER)
        kid = None if header is None else signing.key_id_in(header)
        key = None if kid is None else await self.keys[producer_of(topic)].find(kid)
        try:
            signing.verify_message(
                raw.subject, raw.data, header, {} if kid is None or key is None else {kid: key}
            )
        except signing.SignatureError as error:
            raise Forged(error.code, str(error)) from error
