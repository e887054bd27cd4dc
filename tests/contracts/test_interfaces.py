"""One AsyncAPI document for the bus and one OpenAPI document per service, committed and current.

`python -m tests.contracts.test_interfaces` writes them anew after a change that was meant.
"""

import asyncio
import json
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

from shared.bus.streams import CONSUMERS, PRODUCERS
from shared.events import STAFF_CHANGED, Topic
from shared.runtime.service import Process, build_runtime, create_app, wire
from shared.settings import Settings

DOCS: Final = Path(__file__).parents[2] / "docs"
SERVICES: Final = tuple(PRODUCERS)
BATCHED: Final = frozenset(
    {
        ("ingest", "moderation.case_changed.v1"),
        ("ingest", "publishing.delivery_changed.v1"),
        ("moderation", "submissions.received.v1"),
        *(
            ("metrics", one.topic.subject)
            for one in CONSUMERS
            if one.service == "metrics" and one.topic is not STAFF_CHANGED
        ),
    }
)
"""Consumed in batches, straight from the stream."""


def bus() -> dict[str, Any]:
    """What travels on the bus: every event once, and which service sends and receives it."""
    topics = list(dict.fromkeys(topic for sent in PRODUCERS.values() for topic in sent))
    schemas: dict[str, Any] = {}
    for topic in topics:
        schema = topic.event.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {}) | {topic.event.__name__: schema}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Könüllü", "version": "1", "description": "Events over NATS JetStream."},
        "defaultContentType": "application/json",
        "channels": {topic.subject: channel(topic) for topic in topics},
        "operations": {
            **{
                operation_id(service, "sends", topic): operation("send", topic)
                for service, topic in sent_by()
            },
            **{
                operation_id(each.service, "receives", each.topic): operation("receive", each.topic)
                for each in CONSUMERS
            },
        },
        "components": {
            "messages": {
                topic.event.__name__: {
                    "name": topic.event.__name__,
                    "payload": {"$ref": f"#/components/schemas/{topic.event.__name__}"},
                }
                for topic in topics
            },
            "schemas": schemas,
        },
    }


def sent_by() -> list[tuple[str, Topic[Any]]]:
    return [(service, topic) for service, topics in PRODUCERS.items() for topic in topics]


def channel(topic: Topic[Any]) -> dict[str, Any]:
    name = topic.event.__name__
    return {
        "address": topic.subject,
        "description": f"{cleandoc(topic.event.__doc__ or '')}\n\nKept in the stream {topic.stream}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
    }


def operation_id(service: str, does: str, topic: Topic[Any]) -> str:
    return f"{service}_{does}_{topic.subject.replace('.', '_')}"


def operation(action: str, topic: Topic[Any]) -> dict[str, Any]:
    place = f"#/channels/{topic.subject}"
    return {
        "action": action,
        "channel": {"$ref": place},
        "messages": [{"$ref": f"{place}/messages/{topic.event.__name__}"}],
    }


async def built(service: str, home: Path) -> tuple[dict[str, Any], set[str]]:
    """The OpenAPI document of the real wiring, and the subjects that it really subscribes to."""
    module = import_module(f"services.{service}.app")
    settings = Settings.from_env(
        home=home, mongo="mongodb://127.0.0.1:1", nats="nats://127.0.0.1:1", port_base=8400
    )
    runtime = build_runtime(service, settings)
    parts = module.assemble(runtime)
    wire(runtime, parts)
    app = create_app(Process(runtime, parts))
    subjects = {subscriber.subject.broker_address for subscriber in runtime.broker.subscribers}  # type: ignore[attr-defined]  # the NATS broker's subscribers have one
    document = app.openapi()
    await runtime.client.close()
    return document, subjects


def text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_the_asyncapi_document_is_current_and_holds_every_event_once() -> None:
    document = bus()

    assert (DOCS / "asyncapi.json").read_text() == text(document)
    assert len(document["channels"]) == len({topic.event for _, topic in sent_by()}) == len(sent_by())
    assert {each.topic.subject for each in CONSUMERS} <= set(document["channels"])


@pytest.mark.parametrize("service", SERVICES)
async def test_the_openapi_document_is_current_and_every_declared_consumer_has_its_handler(
    service: str, tmp_path: Path
) -> None:
    document, subjects = await built(service, tmp_path)

    assert (DOCS / "openapi" / f"{service}.json").read_text() == text(document)
    declared = {(c.service, c.topic.subject) for c in CONSUMERS if c.service == service}
    assert {(service, subject) for subject in subjects} == declared - BATCHED


def write() -> None:
    """Write all documents anew."""
    (DOCS / "openapi").mkdir(parents=True, exist_ok=True)
    (DOCS / "asyncapi.json").write_text(text(bus()))
    for service in SERVICES:
        with TemporaryDirectory() as home:
            document, _ = asyncio.run(built(service, Path(home)))
        (DOCS / "openapi" / f"{service}.json").write_text(text(document))


if __name__ == "__main__":
    write()
