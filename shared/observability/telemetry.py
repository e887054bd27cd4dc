"""Traces and the counters that every service has. A service's own vocabulary lives in its own `telemetry.py`."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge, Histogram

_PROPAGATOR = TraceContextTextMapPropagator()
_BATCH: ContextVar[tuple[str | None, ...]] = ContextVar("batch", default=())

EVENTS_PUBLISHED = Counter(
    "konullu_events_published_total", "Events that a stream has confirmed.", ["subject"]
)
MESSAGES_SETTLED = Counter(
    "konullu_messages_settled_total", "Messages by what became of them.", ["subject", "outcome"]
)
MESSAGES_REDELIVERED = Counter("konullu_messages_redelivered_total", "Messages that came again.", ["subject"])
MESSAGES_BURIED = Counter(
    "konullu_messages_buried_total", "Messages put aside in the DEAD stream.", ["subject"]
)
SIGNATURES_REFUSED = Counter(
    "konullu_signatures_refused_total",
    "Messages that were not their service's own: unsigned, altered, or signed by somebody else.",
    ["subject", "code"],
)
STREAM_FILL = Gauge(
    "konullu_stream_fill_ratio", "How full a stream that this service writes is: 1 takes no more.", ["stream"]
)
BATCH_SECONDS = Histogram(
    "konullu_batch_seconds", "How long events that came together took to handle.", ["subject"]
)
ADDRESS_ATTRIBUTES: Final = frozenset({"url.full", "url.path", "url.query", "http.target", "http.url"})
LOOP_LAG = Gauge("konullu_event_loop_lag_seconds", "How late the event loop woke up, last measured.")
READY = Gauge("konullu_ready", "1 when the service is ready, else 0.")


class AddressHider(SpanProcessor):
    """Takes the address as it was sent out of every span: it may hold a link's secret or a claim. The route stays."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the port's parameter
        """See `SpanProcessor`."""
        for name in ADDRESS_ATTRIBUTES & (span.attributes or {}).keys():
            span.set_attribute(name, "hidden")


def start_tracing(service: str, endpoint: str | None) -> TracerProvider:
    """The process's tracer provider. Without an endpoint, spans have ids (for logs) and go nowhere."""
    provider = TracerProvider(resource=Resource.create({"service.name": f"konullu-{service}"}))
    provider.add_span_processor(AddressHider())
    if endpoint is not None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - 20 MB, only when used

        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    trace.set_tracer_provider(provider)
    return provider


@cache
def _tracer() -> trace.Tracer:
    """Asked for once: a provider goes through all its tracers at every asking."""
    return trace.get_tracer("konullu")


def current_traceparent() -> str | None:
    """The W3C `traceparent` of the span that is current, if one is."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def context_of(traceparent: str | None) -> Context:
    """The context that a `traceparent` names."""
    return _PROPAGATOR.extract({"traceparent": traceparent} if traceparent else {})


def continued(name: str, traceparent: str | None) -> str | None:
    """A step in the trace that `traceparent` names, taken by a request of another trace; the step's `traceparent`.

    What becomes of a submission is one trace from its sending on, although other people's requests move it: the step
    is a span there, with a link to the request. Without a `traceparent` it is the current span's own.
    """
    if traceparent is None:
        return current_traceparent()
    request = trace.get_current_span().get_span_context()
    links = [trace.Link(request)] if request.is_valid else []
    span = _tracer().start_span(name, context=context_of(traceparent), links=links)
    span.end()
    return _traceparent_of(span)


def _traceparent_of(span: trace.Span) -> str | None:
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent")


@contextmanager
def publishing_span(subject: str, traceparent: str | None) -> Iterator[dict[str, str]]:
    """A span for one publish, child of the write that caused it; yields the headers that carry it on."""
    tracer = _tracer()
    with tracer.start_as_current_span(
        f"{subject} publish", context=context_of(traceparent), kind=SpanKind.PRODUCER
    ):
        headers: dict[str, str] = {}
        _PROPAGATOR.inject(headers)
        yield headers


@contextmanager
def processing_spans(messages: Sequence[tuple[str, str | None]]) -> Iterator[None]:
    """A span for each of some messages, given by subject and `traceparent`, for as long as they are handled together.

    Meanwhile `batch_traceparents` tells how each of them is continued.
    """
    spans = [
        _tracer().start_span(f"{subject} process", context=context_of(traceparent), kind=SpanKind.CONSUMER)
        for subject, traceparent in messages
    ]
    token = _BATCH.set(tuple(_traceparent_of(span) for span in spans))
    try:
        yield
    finally:
        _BATCH.reset(token)
        for span in spans:
            span.end()


def batch_traceparents() -> list[str | None]:
    """The W3C `traceparent` of each message of the batch that is being handled, in its order; none outside of one."""
    return list(_BATCH.get())


def published(subject: str) -> None:
    """A stream confirmed an event."""
    EVENTS_PUBLISHED.labels(subject).inc()


def settled(subject: str, outcome: str, count: int = 1) -> None:
    """A message was settled."""
    MESSAGES_SETTLED.labels(subject, outcome).inc(count)


def redelivered(subject: str) -> None:
    """A message came again."""
    MESSAGES_REDELIVERED.labels(subject).inc()


def expect_signatures(subjects: Iterable[str]) -> None:
    """Begin to count at nothing, so that the very first refusal is an increase."""
    for subject in subjects:
        for code in ("unsigned", "unknown_key", "altered"):
            SIGNATURES_REFUSED.labels(subject, code)


def signature_refused(subject: str, code: str) -> None:
    """A message on a signed topic was not its service's own: `unsigned`, `unknown_key` or `altered`."""
    SIGNATURES_REFUSED.labels(subject, code).inc()


def dead_lettered(subject: str) -> None:
    """A message was put aside."""
    MESSAGES_BURIED.labels(subject).inc()
