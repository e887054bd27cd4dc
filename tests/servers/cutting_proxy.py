"""A bad connection: a TCP proxy that breaks each connection after so many bytes on the way to the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass


@dataclass
class Cutter:
    """Where it listens, and how many connections it has cut."""

    port: int = 0
    cuts: int = 0


@asynccontextmanager
async def cutting_proxy(target: int, after: int) -> AsyncIterator[Cutter]:
    """Forward to `target` on loopback; break every connection once `after` bytes have gone to the server."""
    cutter = Cutter()
    open_now: set[asyncio.StreamWriter] = set()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None) -> bool:
        sent = 0
        while data := await reader.read(16 * 1024 if most is None else min(16 * 1024, most - sent)):
            writer.write(data)
            await writer.drain()
            sent += len(data)
            if sent == most:
                return True
        return False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", target)
        open_now.add(writer)
        answer = asyncio.create_task(forward(there, writer, None))
        with suppress(OSError):
            if await forward(reader, back, after):
                cutter.cuts += 1
                answer.cancel()
                writer.transport.abort()
        back.close()
        with suppress(OSError, asyncio.CancelledError):
            await answer
        open_now.discard(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    cutter.port = server.sockets[0].getsockname()[1]
    try:
        yield cutter
    finally:
        server.close()
        for writer in open_now:
            writer.transport.abort()
