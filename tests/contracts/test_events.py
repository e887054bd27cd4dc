"""What crosses a service is a contract: its JSON schema is committed, and a change is a visible diff.

`python -m tests.contracts.test_events` writes the schemas anew after a change that was meant.
"""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from shared.bus.streams import CONSUMERS
from shared.events import TOPICS, DeliveryState, Event, Topic

SCHEMAS = Path(__file__).parent / "schemas"


def rendered(topic: Topic[Any]) -> str:
    document = {"subject": topic.subject, "stream": topic.stream, **topic.event.model_json_schema()}
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.subject)
def test_an_event_has_the_schema_that_is_committed(topic: Topic[Any]) -> None:
    assert (SCHEMAS / f"{topic.subject}.json").read_text() == rendered(topic)


def test_no_schema_is_left_of_an_event_that_is_gone() -> None:
    assert sorted(path.stem for path in SCHEMAS.glob("*.json")) == sorted(topic.subject for topic in TOPICS)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.subject)
def test_a_subject_reads_aggregate_fact_version_and_its_model_is_frozen(topic: Topic[Any]) -> None:
    aggregate, fact, version = topic.subject.split(".")

    assert aggregate.isalpha()
    assert fact.replace("_", "").isalpha()
    assert version.removeprefix("v").isdigit()
    assert topic.event.model_config.get("frozen") is True
    assert topic.event.model_config.get("extra") == "ignore"
    assert issubclass(topic.event, Event)


def test_every_subject_and_durable_is_defined_once() -> None:
    durables = [consumer.durable for consumer in CONSUMERS]

    assert len({topic.subject for topic in TOPICS}) == len(TOPICS)
    assert len(set(durables)) == len(durables)


def test_the_states_of_a_delivery_are_those_of_the_architecture() -> None:
    assert set(get_args(DeliveryState)) == {
        "planned",
        "sending",
        "posted",
        "rejected",
        "unknown",
        "reconciling",
        "needs_human",
        "cancelled",
        "removing",
        "removed",
        "residue",
    }


if __name__ == "__main__":
    for each in TOPICS:
        (SCHEMAS / f"{each.subject}.json").write_text(rendered(each))
