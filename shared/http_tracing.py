"""One server span for each request, child of the caller's, so that a trace goes through HTTP unbroken."""

from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.telemetry import context_of

QUIET = frozenset({"/livez", "/readyz", "/metrics"})
SERVER_ERROR = 500


class Tracing:
    """ASGI middleware. Health checks and scrapes are not traced."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        parent = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"traceparent"), None)
        span = trace.get_tracer("konullu").start_span(
            f"{scope['method']} /{'/'.join(scope['path'].split('/')[1:3])}",
            context=context_of(parent),
            kind=SpanKind.SERVER,
        )
        token = context.attach(trace.set_span_in_context(span))

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute("http.response.status_code", message["status"])
                if message["status"] >= SERVER_ERROR:
                    span.set_status(StatusCode.ERROR)
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            context.detach(token)
            span.end()
