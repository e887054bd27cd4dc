"""A test server as a process: serves until it is told to stop, and says where."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable

from tests.servers.plain import PlainServer


def serve(server: PlainServer, port: int, name: str, stop: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        await server.start(port)
        sys.stdout.write(f"{name} listening on {server.url}\n")
        sys.stdout.flush()
        await ended.wait()
        await stop()

    asyncio.run(run())
