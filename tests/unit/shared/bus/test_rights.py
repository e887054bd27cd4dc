"""Rights follow from the topics and the consumer table."""

import pytest

from shared.bus.rights import OPERATOR, PROVISIONER, SERVICES, USERS, rights_of
from shared.bus.streams import CONSUMERS, PRODUCERS, STREAMS
from shared.events import TOPICS


def test_every_topic_has_one_publisher_among_the_services() -> None:
    for topic in TOPICS:
        assert [name for name in SERVICES if topic.subject in rights_of(name).publish] == [
            name for name in SERVICES if topic in PRODUCERS[name]
        ]
        assert sum(topic in topics for topics in PRODUCERS.values()) == 1


@pytest.mark.parametrize("user", USERS)
def test_nobody_may_publish_or_hear_more_than_one_place_by_a_wildcard(user: str) -> None:
    """A wildcard stands at the end alone, below something that is the user's own."""
    rights = rights_of(user)
    own = [f"$JS.ACK.{each.topic.stream}.{each.durable}.>" for each in CONSUMERS if each.service == user]
    own += [f"dead.{user}.>", f"_INBOX_{user}.>"]
    operators = ["$JS.API.CONSUMER.DELETE.DEAD", "$JS.FC.DEAD"]

    wide = [subject for subject in (*rights.publish, *rights.subscribe) if set("*>") & set(subject)]

    for subject in wide:
        assert subject in own or (user == OPERATOR and subject.rpartition(".")[0] in operators), subject
    assert rights.subscribe == (f"_INBOX_{user}.>",)


def test_streams_are_made_by_the_provisioner_alone() -> None:
    for user in USERS:
        makes = [s for s in rights_of(user).publish if ".STREAM.CREATE." in s or ".STREAM.UPDATE." in s]
        assert len(makes) == (2 * len(STREAMS) if user == PROVISIONER else 0)


def test_somebody_unknown_has_no_rights() -> None:
    with pytest.raises(LookupError, match="metrics"):
        rights_of("printer")
