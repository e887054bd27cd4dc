"""A log line is one JSON object with the trace's id, and nothing that a local variable held."""

import json

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider

from shared.observability.logs import configure


@pytest.fixture(autouse=True)
def restored() -> object:
    yield None
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_failure_is_logged_with_its_place_but_without_local_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("ingest", "info")

    def fail() -> None:
        token = "a-very-secret-value"
        raise RuntimeError(len(token))

    with TracerProvider().get_tracer("t").start_as_current_span("s") as span:
        try:
            fail()
        except RuntimeError as error:
            structlog.get_logger().error("it_failed", exc_info=error)
    line = capsys.readouterr().err.strip()
    entry = json.loads(line)

    assert "a-very-secret-value" not in line
    assert entry["event"] == "it_failed"
    assert entry["service"] == "ingest"
    assert entry["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert entry["exception"][0]["exc_type"] == "RuntimeError"
