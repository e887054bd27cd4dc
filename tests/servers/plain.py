"""An HTTP/1.1 server small enough to misbehave in every way: it can cut a connection or leave it hanging."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import h11


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request that was read whole."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    arrived: float = 0.0
    """When the first byte came, by this server's clock."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any, status: int = 200, **headers: str) -> "Reply":
        """A JSON answer."""
        body = json.dumps(value, ensure_ascii=False).encode()
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status, body, {"content-type": "application/json", **named})


Handler = Callable[[Incoming], Awaitable[Reply | None]]
"""Gives back the answer, or `None` to cut the connection without one."""


class PlainServer:
    """Serves a handler on loopback until it is stopped; one request per connection."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, h11.RemoteProtocolError):
            writer.transport.abort()
        finally:
            self._connections.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = h11.Connection(h11.SERVER)
        request = await _read(protocol, reader)
        if request is None:
            return
        reply = await self._handler(request)
        if reply is None:
            writer.transport.abort()
            return
        headers = [*reply.headers.items(), ("content-length", str(len(reply.body))), ("connection", "close")]
        writer.write(protocol.send(h11.Response(status_code=reply.status, headers=headers)) or b"")
        writer.write(protocol.send(h11.Data(data=reply.body)) or b"")
        writer.write(protocol.send(h11.EndOfMessage()) or b"")
        await writer.drain()


async def _read(protocol: h11.Connection, reader: asyncio.StreamReader) -> Incoming | None:
    head: h11.Request | None = None
    body = bytearray()
    arrived = 0.0
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(await reader.read(1 << 16))
            arrived = arrived or time.time()
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            parts = urlsplit(head.target.decode())
            headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
            return Incoming(
                head.method.decode(), parts.path, dict(parse_qsl(parts.query)), headers, bytes(body), arrived
            )
        else:
            return None
