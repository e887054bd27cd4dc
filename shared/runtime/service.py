"""One process: HTTP, bus, store, outbox relay, health, metrics, shutdown. Written once for all four services.

A service's `app.py` gives `assemble(runtime) -> Parts`, its page of wiring; `run` does the rest. The process serves
`/livez` from the first moment, waits for its store and bus as long as it takes, refuses to start (exit 78) when the
broker's configuration is not the repository's, and is `/readyz` only when everything is there.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Final, NoReturn

import structlog
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi_offline import FastAPIOffline
from faststream.nats import NatsBroker
from faststream.nats.opentelemetry import NatsTelemetryMiddleware
from faststream.nats.prometheus import NatsPrometheusMiddleware
from nats.aio.client import Client as NatsClient
from nats.errors import ConnectionClosedError
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from shared.bus import outbox
from shared.bus.consuming import (
    Failures,
    Publisher,
    Settler,
    Settling,
    broker_options,
    connect_in_place,
    consume,
)
from shared.bus.levels import measure_always
from shared.bus.reading import read_singly, stand_in
from shared.bus.signers import Signers
from shared.bus.streams import CONSUMERS, Drift, drift
from shared.events import STAFF_CHANGED
from shared.failures import Failure, attempt, keep_running
from shared.http import problems
from shared.http.body_limit import Bodies, BodyLimit
from shared.http.head import HeadAsGet
from shared.http.security_headers import SecurityHeaders
from shared.http.singular_headers import SingularHeaders
from shared.identity.live_sessions import KeptSessions, RemoteSessions
from shared.identity.remote_keys import RemoteKeys
from shared.identity.tokens import Epochs, Guard, Keys
from shared.observability.health import Health
from shared.observability.logs import configure
from shared.observability.telemetry import LOOP_LAG, READY, start_tracing
from shared.runtime.openapi import described
from shared.settings import Settings, SettingsError
from shared.storage.mongo import Client, Collection, Database, connect

log = structlog.get_logger()

EX_CONFIG: Final = 78
GRACE_SECONDS: Final = 2
"""Calls in flight at shutdown may run this long."""
CONNECTIONS: Final = 512
"""Connections of one process, idle ones too. Beyond them it answers 503 at once, so that memory stays bounded."""
FROZEN_SECONDS: Final = 60.0
"""A loop that has not turned for this long ends the process, so that it is started again."""


@dataclass(slots=True)
class Runtime:
    """What every service is given to wire itself with."""

    name: str
    settings: Settings
    client: Client
    database: Database
    broker: NatsBroker
    link: NatsClient
    publisher: Publisher
    settler: Settler
    health: Health
    epochs: Epochs
    guard: Guard
    keys_of: Mapping[str, Keys]
    """The public keys of the services that sign: ingest and moderation."""
    relay: outbox.Relay = field(init=False)
    """Set once the service has named its outboxes; use it at call time, not while wiring."""

    def nudge(self, collection: Collection, *ids: Any) -> None:
        """Publish the outbox of these documents now. Correctness does not depend on it."""
        self.relay.nudge(collection, *ids)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a service adds to a process."""

    routers: Sequence[APIRouter] = ()
    outboxes: Sequence[Collection] = ()
    """Collections whose documents carry an outbox."""
    jobs: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    """Background work by name; each runs for ever and is started again when it fails."""
    prepare: Sequence[Callable[[], Awaitable[None]]] = ()
    """Run once before anything is consumed: indexes, caches."""
    context: Mapping[str, object] = field(default_factory=dict)
    """What handlers get through `Context(name)`."""
    on_stop: Sequence[Callable[[], Awaitable[None]]] = ()
    key: Ed25519PrivateKey | None = None
    """Signs those of its events whose topic wants it."""
    bodies: Bodies = field(default_factory=Bodies)
    """Where a request may bring more than elsewhere."""


def build_runtime(name: str, settings: Settings, *, keys: Keys | None = None) -> Runtime:
    """The shared parts of a process. Nothing is connected yet. Must run inside the event loop."""
    client = connect(settings.mongo_url, settings.mongo_driver, app=f"konullu-{name}")
    database = client[f"{settings.database_prefix}{name}"]
    link = NatsClient()
    publisher = Publisher(link)

    async def broker_answers() -> None:
        # Asked by a request. A `flush` that times out leaves a cancelled future behind, on which the late answer
        # breaks nats-py's read loop for good. Before the connection is there, asking would fix the wrong inbox.
        if not link.is_connected:
            raise ConnectionClosedError
        await link.jetstream(timeout=1).account_info()

    health = Health({"database": client.ping, "broker": broker_answers})
    keys_of = {
        "ingest": keys or RemoteKeys(settings.ingest_url, _cached(settings, name, "ingest")),
        "moderation": RemoteKeys(settings.moderation_url, _cached(settings, name, "moderation")),
    }
    settler = Settler(
        publisher=publisher,
        failures=Failures(database["failures"]),
        health=health,
        check=Signers(keys_of).check,
    )
    broker = NatsBroker(
        settings.nats_urls,
        middlewares=(
            NatsPrometheusMiddleware(registry=REGISTRY),
            NatsTelemetryMiddleware(),
            Settling(settler),
        ),
        graceful_timeout=GRACE_SECONDS,
        logger=None,
        **broker_options(settings, name=name, user=name),
    )
    epochs = Epochs(database["people" if name == "ingest" else "epochs"])
    sessions = KeptSessions(database["sessions"]) if name == "ingest" else RemoteSessions(settings.ingest_url)
    return Runtime(
        name=name,
        settings=settings,
        client=client,
        database=database,
        broker=broker,
        link=link,
        publisher=publisher,
        settler=settler,
        health=health,
        epochs=epochs,
        guard=Guard(keys_of["ingest"], epochs, sessions),
        keys_of=keys_of,
    )


def _cached(settings: Settings, name: str, issuer: str) -> Path:
    """Where a service keeps the keys of another."""
    return settings.home / "cache" / f"{name}-{issuer}-jwks.json"


def wire(runtime: Runtime, parts: Parts) -> None:
    """Give handlers what they ask for, and the relay its outboxes."""
    for key, value in parts.context.items():
        runtime.broker.context.set_global(key, value)
    runtime.relay = outbox.Relay(parts.outboxes, runtime.publisher, parts.key)
    if any(c.service == runtime.name and c.topic is STAFF_CHANGED for c in CONSUMERS):
        consume(runtime.broker, STAFF_CHANGED, service=runtime.name)(runtime.epochs.apply)


class Process:
    """The life of one process around a runtime and its parts."""

    def __init__(self, runtime: Runtime, parts: Parts) -> None:
        self.runtime, self.parts = runtime, parts
        self.refusal: str | None = None
        """Why the process must not run; set before `stop` is called."""
        self.stop: Callable[[], None] = lambda: None
        self._tasks: list[asyncio.Task[None]] = []
        self._readers: list[asyncio.Task[None]] = []
        self._finishing = False

    async def start(self) -> None:
        """Begin everything that runs beside HTTP. Returns at once."""
        self._spawn("loop_lag", _measure_lag())
        self._spawn("health", self.runtime.health.run())
        self._spawn("bring_up", self._bring_up())

    def _spawn(self, name: str, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Work that runs for ever must not end unnoticed: better a new process than half a one."""
        if self._finishing or (
            task.get_name() == "bring_up" and not task.cancelled() and task.exception() is None
        ):
            return
        reason = "cancelled" if task.cancelled() else repr(task.exception())
        log.error("background_work_ended", work=task.get_name(), reason=reason)
        self.stop()

    async def _bring_up(self) -> None:
        runtime, settings = self.runtime, self.runtime.settings
        await self._until_done("database", self._prepare)
        await connect_in_place(runtime.link, settings, name=f"{runtime.name}-publisher", user=runtime.name)
        while (found := await attempt(self._drift())) != []:
            if not isinstance(found, Failure) or isinstance(found.error, Drift):
                self._refuse(found)
                return
            await asyncio.sleep(1)
        subscribers = stand_in(runtime.broker.subscribers)
        await self._until_done("broker", runtime.broker.start)
        runtime.health.started = True
        log.info("started", port_base=settings.port_base)
        for each in subscribers:
            read = keep_running("reader", partial(read_singly, runtime.link, each))
            self._readers.append(self._spawn(f"read {each.subject.broker_address}", read))
        self._spawn("relay", keep_running("relay", runtime.relay.run))
        levels = partial(measure_always, runtime.link, runtime.name)
        self._spawn("stream_levels", keep_running("stream_levels", levels))
        for name, job in self.parts.jobs.items():
            self._spawn(name, keep_running(name, job))

    async def _prepare(self) -> None:
        for collection in self.parts.outboxes:
            await outbox.prepare(collection)
        for step in self.parts.prepare:
            await step()

    async def _drift(self) -> list[str]:
        settings = self.runtime.settings
        return await drift(
            self.runtime.link,
            replicas=settings.stream_replicas,
            max_bytes=settings.stream_max_bytes,
            service=self.runtime.name,
        )

    def _refuse(self, found: list[str] | Failure) -> None:
        lines = [found.reason] if isinstance(found, Failure) else found
        self.refusal = (
            "the broker is not configured as the repository says; run `python -m shared.bus.provision`:\n  "
            + ("\n  ".join(lines))
        )
        log.error("refused_to_start", differences=lines)
        self.stop()

    async def _until_done(self, what: str, step: Callable[[], Awaitable[Any]]) -> None:
        while isinstance(done := await attempt(step()), Failure):
            log.warning("waiting_for", dependency=what, reason=done.reason)
            await asyncio.sleep(0.5)

    async def finish(self) -> None:
        """Take no new work, give what is under way its grace, end."""
        self._finishing = True
        self.runtime.health.started = False
        for step in self.parts.on_stop:
            await attempt(asyncio.wait_for(step(), GRACE_SECONDS))
        await _end(self._readers)
        await attempt(asyncio.wait_for(self.runtime.broker.stop(), GRACE_SECONDS + 1))
        await _end(self._tasks)
        await attempt(asyncio.wait_for(self.runtime.link.close(), 1))
        await attempt(self.runtime.client.close())


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel them and wait for what they still have to do; a broker that hangs holds nobody up."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=GRACE_SECONDS + 1)


async def _measure_lag() -> None:
    """Publish the loop's lag, and let a thread end the process if the loop stands still."""
    beat = [monotonic()]
    pid = os.getpid()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(5):
            if monotonic() - beat[0] > FROZEN_SECONDS:
                # Straight to the stream: the loop that logs is the one that hangs.
                sys.stderr.write(
                    f"process {pid}: the event loop has stood still for {FROZEN_SECONDS} s; ending\n"
                )
                os._exit(70)

    threading.Thread(target=watch, daemon=True, name="watchdog").start()
    try:
        while True:
            began = monotonic()
            await asyncio.sleep(0.5)
            beat[0] = monotonic()
            LOOP_LAG.set(max(0.0, beat[0] - began - 0.5))
    finally:
        ended.set()


def _is_quiet(scope: MutableMapping[str, Any]) -> bool:
    """Health checks and scrapes are not traced."""
    return scope.get("path") in {"/livez", "/readyz", "/metrics"}


def create_app(process: Process) -> FastAPI:
    """The HTTP side of a process."""
    runtime = process.runtime

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await process.start()
        yield
        await process.finish()

    app = FastAPIOffline(
        title=f"Könüllü {runtime.name}",
        version="1",
        lifespan=lifespan,
        telemetry={"operation_spans": False, "metrics": False, "logs": False, "exclude": _is_quiet},
        # A redirect to the same address with or without a slash would not know the gateway's prefix.
        redirect_slashes=False,
    )
    problems.install(app, service=runtime.name)
    app.add_middleware(BodyLimit, bodies=process.parts.bodies)
    app.add_middleware(HeadAsGet)
    app.add_middleware(SingularHeaders)
    app.add_middleware(SecurityHeaders)

    @app.get("/livez", include_in_schema=False)
    async def livez() -> PlainTextResponse:
        return PlainTextResponse("alive\n")

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        health = runtime.health
        READY.set(int(health.ready))
        body = {"ready": health.ready, "started": health.started, "away": health.away}
        return JSONResponse(body, status_code=200 if health.ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    for router in process.parts.routers:
        app.include_router(router)
    app.openapi = partial(described, app, app.openapi)  # type: ignore[method-assign]  # as FastAPI's own documentation does
    return app


def run(
    name: str,
    port_offset: int,
    load: Callable[[], Settings],
    assemble: Callable[[Runtime], Parts],
    *,
    keys: Callable[[Settings], Keys] | None = None,
) -> int:
    """Run a service until it is told to stop. Gives back the exit code."""
    try:
        settings = load()
    except SettingsError as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201 - logs are not set up yet
        return EX_CONFIG
    configure(name, settings.log_level)
    provider = start_tracing(name, settings.otlp_endpoint)
    Path(settings.home).mkdir(mode=0o700, parents=True, exist_ok=True)

    async def main() -> int:
        runtime = build_runtime(name, settings, keys=keys(settings) if keys else None)
        parts = assemble(runtime)
        wire(runtime, parts)
        process = Process(runtime, parts)
        config = uvicorn.Config(
            create_app(process),
            host=settings.host,
            port=settings.port_base + port_offset,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            proxy_headers=True,
            forwarded_allow_ips=settings.trusted_proxies,
            h11_max_incomplete_event_size=64 * 1024,
            limit_concurrency=CONNECTIONS,
        )
        server = uvicorn.Server(config)

        def stop() -> None:
            server.should_exit = True

        process.stop = stop
        await server.serve()
        if process.refusal is not None:
            print(f"{name}: {process.refusal}", file=sys.stderr)  # noqa: T201 - the operator reads this first
            return EX_CONFIG
        return 0

    # uvicorn raises the signal that ended it once more; without this the process would die of it there, with its last
    # spans unsent.
    signal.signal(signal.SIGTERM, _leave)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(main())
    except (problems.ConfigurationError, SettingsError) as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201 - the operator reads this first
        return EX_CONFIG
    except KeyboardInterrupt:
        return 0
    finally:
        provider.shutdown()


def _leave(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop  # noqa: PLC0415 - only where a process runs, not in tests

    return uvloop.new_event_loop
