"""What each user of the broker may do there: derived from the topics and the consumer table, and from nothing else.

Every process is a user of its own. A service publishes its own topics, reads its own consumers, hears its own inbox and
puts aside its own dead letters; streams and consumers are made by the provisioner alone, dead letters are dealt with by
the operator alone. `deploy.nats` writes these rights into the brokers' configuration.
"""

from dataclasses import dataclass
from typing import Final

from shared.bus.streams import (
    CONSUMERS,
    DEAD_PREFIX,
    DEAD_STREAM,
    PRODUCERS,
    SETTLED,
    STREAMS,
    Consumer,
    former_places,
)
from shared.events import TOPICS

PROVISIONER: Final = "provision"
"""Makes and changes streams and consumers, and touches no message."""
OPERATOR: Final = "operator"
"""A person at the command line: looks at the streams, deals with dead letters."""
SERVICES: Final = tuple(PRODUCERS)
USERS: Final = (*SERVICES, PROVISIONER, OPERATOR)

_API: Final = "$JS.API"


@dataclass(frozen=True, slots=True)
class Rights:
    """Subjects that a user may publish to and subscribe to. Nothing else is allowed."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def inbox_of(user: str) -> str:
    """The prefix of the user's inboxes: what the broker answers, nobody else hears."""
    return f"_INBOX_{user}"


def rights_of(user: str) -> Rights:
    """The rights of one of `USERS`. Raises `LookupError` for anybody else."""
    if user in PRODUCERS:
        allowed = _of_service(user)
    elif user == PROVISIONER:
        allowed = _of_provisioner()
    elif user == OPERATOR:
        allowed = _of_operator()
    else:
        text = f"{user!r} is no user of the broker; there is {', '.join(USERS)}"
        raise LookupError(text)
    look = (f"{_API}.INFO", *(f"{_API}.STREAM.INFO.{stream}" for stream in STREAMS))
    return Rights((*allowed, *look), (f"{inbox_of(user)}.>",))


def _of_service(name: str) -> tuple[str, ...]:
    own = [consumer for consumer in CONSUMERS if consumer.service == name]
    return (
        *(topic.subject for topic in PRODUCERS[name]),
        f"{DEAD_PREFIX}{name}.>",
        *(f"{_API}.CONSUMER.INFO.{_place(each)}" for each in own),
        *(f"{_API}.CONSUMER.MSG.NEXT.{_place(each)}" for each in own),
        *(f"$JS.ACK.{_place(each)}.>" for each in own),
    )


def _of_provisioner() -> tuple[str, ...]:
    return (
        *(f"{_API}.STREAM.{what}.{stream}" for what in ("CREATE", "UPDATE") for stream in STREAMS),
        *(f"{_API}.CONSUMER.INFO.{_place(each)}" for each in CONSUMERS),
        *(f"{_API}.CONSUMER.CREATE.{_place(each)}.{each.topic.subject}" for each in CONSUMERS),
        *(
            f"{_API}.CONSUMER.{what}.{stream}.{durable}"
            for what in ("INFO", "DELETE")
            for stream, durable in former_places()
        ),
    )


def _of_operator() -> tuple[str, ...]:
    """A dead letter is sent again to where it was, so the operator publishes what services do."""
    return (
        *(topic.subject for topic in TOPICS),
        SETTLED,
        *(f"{_API}.CONSUMER.INFO.{_place(each)}" for each in CONSUMERS),
        f"{_API}.STREAM.MSG.GET.{DEAD_STREAM}",
        f"{_API}.CONSUMER.CREATE.{DEAD_STREAM}",
        f"{_API}.CONSUMER.DELETE.{DEAD_STREAM}.*",
        f"$JS.FC.{DEAD_STREAM}.>",
    )


def _place(consumer: Consumer) -> str:
    return f"{consumer.topic.stream}.{consumer.durable}"
