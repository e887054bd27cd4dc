"""What a trace holds of a request: its route, and never the address as it was sent."""

import httpx
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.observability.telemetry import AddressHider


async def test_no_secret_of_an_address_is_in_a_span() -> None:
    provider, kept = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(AddressHider())
    provider.add_span_processor(SimpleSpanProcessor(kept))
    app = FastAPI(telemetry={"tracer_provider": provider, "operation_spans": True})

    @app.get("/sign-in/{claim}")
    async def door(claim: str) -> str:
        return claim[:1]

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        await client.get("/sign-in/s3cr3t-claim?link=s3cr3t-link&next=/s3cr3t")

    spans = kept.get_finished_spans()
    assert "/sign-in/{claim}" in {str((span.attributes or {}).get("http.route")) for span in spans}
    assert "s3cr3t" not in "".join(span.to_json() for span in spans)
