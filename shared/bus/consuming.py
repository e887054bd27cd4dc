"""The bus as a service sees it: `consume` for events in; events out leave through the outbox alone.

Consumers are durable JetStream pull consumers, bound, never declared. `Settling` is the middleware that obeys
`shared.failures`: return means acknowledged (and confirmed by the server), a failure means tried again with backoff, put
aside in the DEAD stream, or waited out. Two connections per process: the broker's, which buffers while reconnecting, and
the publisher's, which fails fast, so that the outbox keeps what could not be sent.
"""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from faststream import AckPolicy, BaseMiddleware
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.security import NatsNKey, NatsSecurity
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, NoServersError, OutboundBufferLimitError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError

from shared.bus.pull import Pull
from shared.bus.reading import UnderWay
from shared.bus.rights import OPERATOR, inbox_of
from shared.bus.streams import DEAD_STREAM, consumer_of, dead_subject
from shared.events import BY_SUBJECT, Topic
from shared.failures import (
    MAX_FAILURES,
    DeadLetter,
    Failure,
    Forged,
    Meaning,
    Retry,
    Unavailable,
    Unprocessable,
    Wait,
    attempt,
    jitter,
    means_away,
    settle,
)
from shared.observability.health import Health
from shared.observability.telemetry import (
    BATCH_SECONDS,
    dead_lettered,
    processing_spans,
    redelivered,
    settled,
    signature_refused,
)
from shared.settings import Settings
from shared.storage.mongo import Collection

log = structlog.get_logger()

HANDLER_DEADLINE_SECONDS: Final = 10.0
PUBLISH_TIMEOUT_SECONDS: Final = 5
_SHORT_REPLY: Final = 9
"""Fields of an acknowledgement's subject on a server without a domain."""

Batch = list[tuple[int, Any]]
"""Stream sequences with their events, in the order in which they came."""


@means_away
def is_unreachable(error: BaseException) -> bool:
    """Whether the failure is the bus being away rather than the message being wrong."""
    return isinstance(error, NoServersError | OutboundBufferLimitError | ConnectionClosedError)


async def connection(settings: Settings, *, name: str, user: str = OPERATOR) -> Client:
    """A new connection that reconnects for ever and fails fast while away. Returns once connected."""
    link = Client()
    await connect_in_place(link, settings, name=name, user=user)
    return link


async def connect_in_place(link: Client, settings: Settings, *, name: str, user: str) -> None:
    """Connect `link`, however long it takes. While it is away later, publishing raises instead of buffering.

    Nothing may be asked over it before: the client keeps the inbox of its first request for ever.
    """

    async def error(problem: Exception) -> None:
        log.debug("nats_error", connection=name, error=str(problem) or type(problem).__name__)

    async def disconnected() -> None:
        log.warning("nats_disconnected", connection=name)

    async def reconnected() -> None:
        log.info("nats_reconnected", connection=name)

    wait = 0.1
    while True:
        try:
            await link.connect(
                settings.nats_urls,
                error_cb=error,
                disconnected_cb=disconnected,
                reconnected_cb=reconnected,
                pending_size=-1,
                **connection_options(settings, name=name, user=user),
            )
        except (NatsError, OSError) as problem:
            log.warning("nats_connect_failed", connection=name, error=str(problem), again_in=wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, 2.0)
        else:
            return


def connection_options(settings: Settings, *, name: str, user: str) -> dict[str, Any]:
    """What the client library is told. `user` is the one of `shared.bus.rights` whose key is used."""
    options = _options(name, user)
    if settings.nats_credentials is not None:
        options["nkeys_seed"] = str(settings.nats_credentials)
    if (trust := _trust(settings)) is not None:
        options |= {"tls": trust, "tls_handshake_first": True}
    return options


def broker_options(settings: Settings, *, name: str, user: str) -> dict[str, Any]:
    """The same in FastStream's words."""
    trust = _trust(settings)
    tls: dict[str, Any] = {"ssl_context": trust, "tls_handshake_first": trust is not None}
    options = _options(name, user)
    if settings.nats_credentials is not None:
        options["security"] = NatsNKey.from_file(settings.nats_credentials, **tls)
    elif trust is not None:
        options["security"] = NatsSecurity(**tls)
    return options


def _options(name: str, user: str) -> dict[str, Any]:
    return {
        "inbox_prefix": inbox_of(user),
        "name": f"konullu-{name}-{os.getpid()}",
        "allow_reconnect": True,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 1,
        "connect_timeout": 3,
        "ping_interval": 20,
        "max_outstanding_pings": 2,
    }


def _trust(settings: Settings) -> ssl.SSLContext | None:
    """Whose word on the broker's name is taken; none where it speaks no TLS."""
    authority = settings.nats_authority
    return None if authority is None else ssl.create_default_context(cafile=authority)


class Publisher:
    """Publishes to streams, each publish naming its stream and confirmed by it. Never retries: the outbox does."""

    def __init__(self, link: Client) -> None:
        self._link = link
        self._stream: JetStreamContext = link.jetstream(timeout=PUBLISH_TIMEOUT_SECONDS)

    async def publish(
        self,
        subject: str,
        body: bytes,
        *,
        stream: str,
        message_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """Store one message and give back its sequence. The same `message_id` on every try.

        Raises `Unavailable` when no confirmation came: the message may or may not be stored.
        """
        all_headers = {**(headers or {}), "Nats-Msg-Id": message_id}
        try:
            ack = await self._stream.publish(
                subject, body, stream=stream, headers=all_headers, timeout=PUBLISH_TIMEOUT_SECONDS
            )
        except (TimeoutError, NatsError, APIError, NoStreamResponseError, OSError) as error:
            text = f"the broker ({type(error).__name__}: {error})"
            raise Unavailable(text) from error
        if ack.stream != stream:
            text = f"the broker: {subject} was confirmed by stream {ack.stream}, not {stream}"
            raise Unavailable(text)
        return ack.seq

    async def dead_letter(self, raw: Msg, *, consumer: str, reason: str) -> None:
        """Put a message aside: its raw bytes and headers, where it came from, and why."""
        meta = raw.metadata
        original = {k: v for k, v in (raw.headers or {}).items() if not k.startswith("Nats-")}
        headers = {
            **original,
            "Dead-Subject": raw.subject,
            "Dead-Stream": meta.stream,
            "Dead-Sequence": str(meta.sequence.stream),
            "Dead-Consumer": consumer,
            "Dead-Reason": " ".join(reason.split())[:400],
            "Dead-At": datetime.now(UTC).isoformat(),
            "Dead-Message-Id": (raw.headers or {}).get("Nats-Msg-Id", ""),
        }
        await self.publish(
            dead_subject(consumer, raw.subject),
            raw.data,
            stream=DEAD_STREAM,
            message_id=f"dead:{consumer}:{meta.stream}:{meta.sequence.stream}",
            headers=headers,
        )


class Failures:
    """How often each message has failed in each consumer of this service.

    Written before a redelivery is handled, so that a message which kills its process is counted too.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def count(self, key: str) -> int:
        """Record one more failure and give back how many there are."""
        await self._collection.update_one(
            {"_id": key}, {"$inc": {"failures": 1}, "$set": {"at": datetime.now(UTC)}}, upsert=True
        )
        return await self.known(key)

    async def known(self, key: str) -> int:
        """The failures recorded so far."""
        found = await self._collection.find_one({"_id": key})
        return int(found["failures"]) if found else 0

    async def take_back(self, key: str) -> None:
        """The last one was not the message's fault."""
        await self._collection.update_one({"_id": key}, {"$inc": {"failures": -1}})

    async def forget(self, key: str) -> None:
        """It is settled."""
        await self._collection.delete_one({"_id": key})


Check = Callable[[Msg], Awaitable[None]]
"""Returns when a message can be believed; raises `Unprocessable` when it must not be acted on."""


async def believe_no_signed(raw: Msg) -> None:
    """The check of whoever knows nobody's keys."""
    if is_signed(raw.subject):
        text = f"nobody here can verify what comes on {raw.subject}"
        raise Unprocessable(text)


class Settler:
    """Carries out what `shared.failures` rules. One per process."""

    def __init__(
        self, *, publisher: Publisher, failures: Failures, health: Health, check: Check = believe_no_signed
    ) -> None:
        """`check` is asked of each message before anything else is made of it."""
        self._publisher, self._failures, self._health = publisher, failures, health
        self._check = check

    async def run(self, raw: Msg, handle: Callable[[], Awaitable[Any]]) -> None:
        """Handle one message and settle it. Returns normally whatever happened."""
        meta = raw.metadata
        key = f"{meta.consumer}:{meta.stream}:{meta.sequence.stream}"
        done = await attempt(self._guarded(raw, key, handle))
        while isinstance(done, Failure):
            settlement = await attempt(self._settlement(raw, key, done))
            if not isinstance(settlement, Failure):
                return
            # The ruling itself could not be carried out: the store or the bus is away.
            done = Failure(settlement.error, Meaning.UNAVAILABLE)
            await self._health.wait_until_present()
            await asyncio.sleep(1 + jitter())

    async def _guarded(self, raw: Msg, key: str, handle: Callable[[], Awaitable[Any]]) -> None:
        again = raw.metadata.num_delivered > 1
        if again:
            redelivered(raw.subject)
            if await self._failures.count(key) > MAX_FAILURES:
                text = f"handed out {MAX_FAILURES} times without an outcome; the process may not survive it"
                raise Unprocessable(text)
        await self._check(raw)
        parse(raw)
        await asyncio.wait_for(handle(), HANDLER_DEADLINE_SECONDS)
        await raw.ack_sync()
        settled(raw.subject, "done")
        if again:
            await self._failures.forget(key)

    async def _settlement(self, raw: Msg, key: str, failure: Failure) -> None:
        again = raw.metadata.num_delivered > 1
        if failure.meaning is Meaning.UNAVAILABLE:
            failures = 0
        else:
            failures = await (self._failures.known(key) if again else self._failures.count(key))
        ruling = settle(failure.meaning, failure.reason, failures, jitter())
        log.warning(
            "message_failed",
            subject=raw.subject,
            meaning=failure.meaning.value,
            reason=failure.reason,
            failures=failures,
            ruling=type(ruling).__name__,
            exc_info=failure.error if failure.meaning is Meaning.FAILED else None,
        )
        settled(raw.subject, failure.meaning.value)
        if isinstance(ruling, Wait):
            await self._health.wait_until_present()
            if again:
                await self._failures.take_back(key)
            await raw.nak(delay=jitter())
        elif isinstance(ruling, Retry):
            await raw.nak(delay=ruling.delay)
        elif isinstance(ruling, DeadLetter):
            await self._publisher.dead_letter(raw, consumer=raw.metadata.consumer, reason=ruling.reason)
            await raw.ack_sync()
            dead_lettered(raw.subject)
            if isinstance(failure.error, Forged):
                signature_refused(raw.subject, failure.error.code)
            await self._failures.forget(key)

    async def run_batch(
        self, raws: Sequence[Msg], handle: Callable[[Batch], Awaitable[None]], *, spans: bool = False
    ) -> None:
        """Handle the good messages of a batch together, all or nothing; forged and malformed ones are settled one by one.

        With `spans`, each message has a span in its own trace meanwhile.
        """
        good: list[tuple[Msg, Any]] = []
        signed = bool(raws) and is_signed(raws[0].subject)
        for raw in raws:
            try:
                if signed:
                    await self._check(raw)
                good.append((raw, parse(raw)))
            except (Unprocessable, Unavailable) as error:
                await self.run(raw, _raiser(error))
        while good:
            traced = [(raw.subject, (raw.headers or {}).get("traceparent")) for raw, _ in good if spans]
            with BATCH_SECONDS.labels(good[0][0].subject).time(), processing_spans(traced):
                done = await attempt(handle([(_sequence(raw), event) for raw, event in good]))
            if not isinstance(done, Failure):
                break
            log.warning("batch_failed", meaning=done.meaning.value, reason=done.reason, size=len(good))
            if done.meaning is not Meaning.UNAVAILABLE:
                # Find the one that fails by settling them singly.
                for raw, event in good:
                    await self.run(raw, _single(handle, raw, event))
                return
            await self._health.wait_until_present()
            await asyncio.sleep(jitter())
        if good:
            await attempt(_acknowledge(raw for raw, _ in good))
            settled(good[0][0].subject, "done", len(good))


def _sequence(raw: Msg) -> int:
    """The stream sequence, read from the reply subject without its other eight fields."""
    fields = raw.reply.split(".")
    return int(fields[5] if len(fields) == _SHORT_REPLY else fields[7])


async def _acknowledge(raws: Iterable[Msg]) -> None:
    for raw in raws:
        await raw.ack()


def _raiser(error: Exception) -> Callable[[], Awaitable[None]]:
    async def fail() -> None:
        raise error

    return fail


def _single(
    handle: Callable[[Batch], Awaitable[None]], raw: Msg, event: Any
) -> Callable[[], Awaitable[None]]:
    async def call() -> None:
        await handle([(raw.metadata.sequence.stream, event)])

    return call


def is_signed(subject: str) -> bool:
    """Whether what comes on the subject must be signed by its service."""
    topic = BY_SUBJECT.get(subject)
    return topic is not None and topic.signed


def parse(raw: Msg) -> Any:
    """The event in a message. Raises `Unprocessable` when there is none."""
    topic = BY_SUBJECT.get(raw.subject)
    if topic is None:
        text = f"no event is defined for the subject {raw.subject}"
        raise Unprocessable(text)
    try:
        return topic.parse(raw.data)
    except ValueError as error:
        lines = str(error).splitlines()
        text = f"not a {topic.event.__name__}: " + " / ".join(line.strip() for line in lines[:4])
        raise Unprocessable(text) from error


class Settling:
    """FastStream middleware: hands each JetStream message to the settler. Not used in memory, where nothing is settled."""

    def __init__(self, settler: Settler) -> None:
        self._settler = settler

    def __call__(self, message: Any, /, *, context: Any) -> BaseMiddleware:
        return _Scope(message, context=context, settler=self._settler)


class _Scope(BaseMiddleware[Any, Any]):
    def __init__(self, message: Any, /, *, context: Any, settler: Settler) -> None:
        super().__init__(message, context=context)
        self._settler = settler

    async def consume_scope(self, call_next: Callable[[Any], Awaitable[Any]], msg: Any) -> Any:
        raw = msg.raw_message
        if isinstance(raw, list):
            return await call_next(msg)
        meta = raw.metadata
        with structlog.contextvars.bound_contextvars(
            subject=raw.subject, sequence=meta.sequence.stream, attempt=meta.num_delivered
        ):
            await self._settler.run(raw, lambda: call_next(msg))
        return None


def consume(broker: NatsBroker, topic: Topic[Any], *, service: str) -> Callable[[Callable[..., Any]], Any]:
    """Register a handler for a topic: one event in, return when its effect is stored. `shared.bus.reading` reads for it.

    Raises `LookupError` when `shared.bus.streams.CONSUMERS` does not declare the consumer.
    """
    return broker.subscriber(
        topic.subject,
        durable=consumer_of(service, topic).durable,
        stream=JStream(topic.stream, declare=False),
        pull_sub=PullSub(),
        ack_policy=AckPolicy.MANUAL,
        title=f"{topic.subject}:{service}",
    )


async def consume_batches(
    link: Client,
    settler: Settler,
    topic: Topic[Any],
    handle: Callable[[Batch], Awaitable[None]],
    *,
    service: str,
    size: int = 1000,
    linger: float = 0.25,
    spans: bool = False,
) -> None:
    """Read up to `size` events, hand them over together, acknowledge them together; for ever.

    Used where the work is counting, or where one write does for many. It reads the stream directly, because FastStream's
    batch mode validates and acknowledges a batch only as a whole. Waits up to `linger` seconds for a batch to fill;
    with 0 it takes what is there.
    FastStream's middlewares see nothing of it: `spans` are for what is part of a submission's trace.
    """
    pull = Pull(link, stream=topic.stream, durable=consumer_of(service, topic).durable, size=size)
    under_way = UnderWay()
    try:
        while True:
            batch = await pull.take(size, linger)
            await asyncio.wait([under_way.begin(batch, settler.run_batch(batch, handle, spans=spans))])
    finally:
        await pull.close()
        await under_way.end()
