"""One AsyncAPI and one OpenAPI document per service, committed and current.

`python -m tests.contracts.test_interfaces` writes them anew after a change that was meant.
"""

import asyncio
import json
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from faststream.nats import NatsBroker
from faststream.specification import AsyncAPI

from shared.bus.consuming import consume
from shared.bus.streams import CONSUMERS, PRODUCERS
from shared.events import STAFF_CHANGED
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


def asyncapi(service: str) -> dict[str, Any]:
    """What a service reads and writes on the bus."""
    broker = NatsBroker()
    for consumer in CONSUMERS:
        if consumer.service == service:

            async def handler(event: Any) -> None:
                del event

            handler.__annotations__["event"] = consumer.topic.event
            handler.__doc__ = (consumer.topic.event.__doc__ or "").strip()
            consume(broker, consumer.topic, service=service)(handler)
    for topic in PRODUCERS[service]:
        broker.publisher(
            topic.subject, schema=topic.event, title=topic.subject, description=topic.event.__doc__
        )
    document: dict[str, Any] = json.loads(
        AsyncAPI(broker, title=f"Könüllü {service}", version="1", schema_version="3.0.0")
        .to_specification()
        .to_json()
    )
    document.pop("servers", None)
    for channel in document["channels"].values():
        channel.pop("servers", None)
    return document


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


@pytest.mark.parametrize("service", SERVICES)
def test_the_asyncapi_document_is_current(service: str) -> None:
    assert (DOCS / "asyncapi" / f"{service}.json").read_text() == text(asyncapi(service))


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
    for kind in ("asyncapi", "openapi"):
        (DOCS / kind).mkdir(parents=True, exist_ok=True)
    for service in SERVICES:
        (DOCS / "asyncapi" / f"{service}.json").write_text(text(asyncapi(service)))
        with TemporaryDirectory() as home:
            document, _ = asyncio.run(built(service, Path(home)))
        (DOCS / "openapi" / f"{service}.json").write_text(text(document))


if __name__ == "__main__":
    write()
